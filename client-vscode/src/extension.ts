/** The entry point: connects the server's diagnoses to the editor, and the editor's interpreters to the server. */

import { commands, l10n, Uri, window, workspace, type ExtensionContext } from "vscode";
import { ChainPanel } from "./chain";
import { registerCommands } from "./commands";
import { Documents } from "./documents";
import { Interpreters } from "./interpreter";
import { Kernels } from "./kernels";
import { withoutLinks } from "./plain";
import { Server } from "./server";
import { Status, type Health } from "./status";
import { DebugOutput, registerCellQuestion } from "./tracebacks";

let server: Server | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel("WhyDLL", { log: true });
  const status = new Status();
  const interpreters = new Interpreters(log, context.workspaceState);
  const kernels = new Kernels(log);
  const documents = new Documents();
  const debugOutput = new DebugOutput();

  /** The interpreters that were sent to the running server, by folder and notebook. A new server has none. */
  const sent = new Map<string, string | undefined>();
  let round = 0;
  const sendInterpreters = async (): Promise<void> => {
    const current = ++round;
    await Promise.all(
      [...(workspace.workspaceFolders ?? []), undefined].map(async (folder) => {
        const path = await interpreters.of(folder);
        const scope = folder?.uri.toString() ?? "";
        // A later round has overtaken this one, or nothing has changed.
        if (current !== round || sent.get(scope) === path) return;
        sent.set(scope, path);
        running.interpreterChanged(folder?.uri, path);
      }),
    );
  };
  const sendKernels = (): void => {
    const known = kernels.all();
    const before = [...sent.keys()].filter((scope) => scope.startsWith(NOTEBOOK));
    for (const notebook of new Set([...known.keys(), ...before.map((scope) => scope.slice(NOTEBOOK.length))])) {
      const path = known.get(notebook);
      if (sent.get(NOTEBOOK + notebook) === path) continue;
      if (path === undefined) {
        sent.delete(NOTEBOOK + notebook);
        status.forget(notebook);
      } else {
        sent.set(NOTEBOOK + notebook, path);
      }
      running.kernelChanged(Uri.parse(notebook), path);
    }
  };

  const running: Server = new Server(context.extensionPath, log, {
    running: () => {
      sent.clear();
      void sendInterpreters();
      sendKernels();
    },
    stopped: () => status.clear(),
    failed: (reason, command) => status.failed(reason, command),
    health: (health) => {
      notify(health, status.update(health));
      if (health.state !== "checking") void chain.refresh(health.scopeUri).catch((error: unknown) => log.warn(String(error)));
    },
  });
  server = running;
  const chain = new ChainPanel((scope, name) => running.ask("whydll.chainPage", { scopeUri: scope?.toString() ?? null, ...(name !== undefined && { package: name }) }));

  context.subscriptions.push(
    log,
    status,
    interpreters,
    kernels,
    documents,
    debugOutput,
    chain,
    registerCellQuestion(),
    ...registerCommands({ server: running, interpreters, documents, chain, debugOutput, log }),
    interpreters.onDidChange(sendInterpreters),
    kernels.onDidChange(sendKernels),
    workspace.onDidChangeWorkspaceFolders(sendInterpreters),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("whydll.path")) void running.restart();
    }),
  );
  await running.restart();
}

/** The prefix of a notebook's URI among the scopes that were sent. */
const NOTEBOOK = "notebook ";

/** Shows a notification, if enabled, each time that an environment breaks. */
function notify({ state, summary }: Health, before: Health | undefined): void {
  const isNews = state === "broken" && before?.state !== "broken";
  if (!isNews || !workspace.getConfiguration("whydll").get<boolean>("showNotifications", false)) return;
  const show = l10n.t("Show Report");
  void window.showWarningMessage(withoutLinks(`WhyDLL: ${summary}`), show).then((answer) => {
    if (answer === show) void commands.executeCommand("whydll.showReport");
  });
}

export function deactivate(): Promise<void> | undefined {
  return server?.stop();
}
