/** "Confirm by Importing": the interpreter really makes the import, because the user asked for it, in a folder that is trusted. */

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
  const seen = await window.withProgress({ location: ProgressLocation.Notification, title, cancellable: true }, (_, token) => {
    const stop = new AbortController();
    token.onCancellationRequested(() => stop.abort());
    const cwd = scope ? workspace.getWorkspaceFolder(scope)?.uri.fsPath : undefined;
    return runImport(interpreter, name, stop.signal, cwd);
  });
  if (seen.notStarted !== undefined) {
    void window.showErrorMessage(withoutLinks(l10n.t("{0} could not be started: {1}", interpreter, seen.notStarted)));
    return;
  }
  const { markdown } = await server.ask<{ markdown: string }>("whydll.compare", { scopeUri, package: name, ...seen });
  await documents.show(l10n.t("WhyDLL Confirmation"), markdown);
}
