/** Joins the parts: the server's diagnosis goes to the editor, the editor's interpreter goes to the server. */

import { commands, l10n, window, workspace, type ExtensionContext } from "vscode";
import { ChainView } from "./chain";
import { registerCommands } from "./commands";
import { Documents } from "./documents";
import { Interpreters } from "./interpreter";
import { Server } from "./server";
import { Status, type Health } from "./status";

let server: Server | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel("WhyDLL", { log: true });
  const status = new Status();
  const interpreters = new Interpreters(log);
  const documents = new Documents();
  const chain = new ChainView();

  /** What the running server was told, by folder. A new server knows nothing. */
  const told = new Map<string, string | undefined>();
  let round = 0;
  const tellInterpreters = async (): Promise<void> => {
    const current = ++round;
    await Promise.all(
      (workspace.workspaceFolders ?? [undefined]).map(async (folder) => {
        const path = await interpreters.of(folder);
        const scope = folder?.uri.toString() ?? "";
        // A later round overtook this one, or there is no news.
        if (current !== round || told.get(scope) === path) return;
        told.set(scope, path);
        running.interpreterChanged(folder?.uri, path);
      }),
    );
  };

  const running = new Server(context.extensionPath, log, {
    running: () => {
      told.clear();
      void tellInterpreters();
    },
    stopped: () => status.clear(),
    health: (health) => {
      const before = status.update(health);
      notify(health, before);
      if (chain.isVisible && health.state !== "checking" && before?.state !== health.state) void commands.executeCommand("whydll.showChain");
    },
  });
  server = running;

  context.subscriptions.push(
    log,
    status,
    interpreters,
    documents,
    chain,
    ...registerCommands({ server: running, documents, chain, log }),
    interpreters.onDidChange(tellInterpreters),
    workspace.onDidChangeWorkspaceFolders(tellInterpreters),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("whydll.path")) void running.restart();
    }),
  );
  await running.restart();
}

/** For those who want it: once for each time that an environment breaks. */
function notify({ state, summary }: Health, before: Health | undefined): void {
  const isNews = state === "broken" && before?.state !== "broken";
  if (!isNews || !workspace.getConfiguration("whydll").get<boolean>("showNotifications", false)) return;
  const show = l10n.t("Show Report");
  void window.showWarningMessage(`WhyDLL: ${summary}`, show).then((answer) => {
    if (answer === show) void commands.executeCommand("whydll.showReport");
  });
}

export function deactivate(): Promise<void> | undefined {
  return server?.stop();
}
