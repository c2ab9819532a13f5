/** "Confirm by Importing": runs the import in the real interpreter, at the user's request and in a trusted folder only. */

import { l10n, ProgressLocation, window, workspace, type Uri } from "vscode";
import type { Documents } from "./documents";
import { withoutLinks } from "./plain";
import { runImport } from "./running";
import type { Server } from "./server";
import { isTrusted } from "./terminal";

interface Prediction {
  interpreter: string;
  package: string;
}

export async function confirmByImporting(server: Server, documents: Documents, scope: Uri | null): Promise<void> {
  if (!(await isTrusted(l10n.t("Trust this workspace to let WhyDLL run its interpreter.")))) return;
  const scopeUri = scope?.toString() ?? null;
  const prediction = await server.ask<Prediction>("whydll.predict", { scopeUri });
  const { interpreter, package: name } = prediction;
  const title = withoutLinks(l10n.t("WhyDLL: importing {0}", name));
  const result = await window.withProgress({ location: ProgressLocation.Notification, title, cancellable: true }, (_, token) => {
    const stop = new AbortController();
    token.onCancellationRequested(() => stop.abort());
    const cwd = scope ? workspace.getWorkspaceFolder(scope)?.uri.fsPath : undefined;
    return runImport(interpreter, name, stop.signal, cwd);
  });
  if (result.notStarted !== undefined) {
    void window.showErrorMessage(withoutLinks(l10n.t("{0} could not be started: {1}", interpreter, result.notStarted)));
    return;
  }
  const { markdown } = await server.ask<{ markdown: string }>("whydll.compare", { scopeUri, package: name, ...result });
  await documents.show(l10n.t("WhyDLL Confirmation"), markdown);
}
