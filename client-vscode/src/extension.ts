/** Joins the parts: the server's diagnosis goes to the editor, the editor's interpreter goes to the server. */

import { window, workspace, type ExtensionContext } from "vscode";
import { registerCommands } from "./commands";
import { Interpreters } from "./interpreter";
import { Server } from "./server";
import { Status } from "./status";

let server: Server | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel("WhyDLL", { log: true });
  const status = new Status();
  const interpreters = new Interpreters(log);

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
    health: (health) => status.update(health),
  });
  server = running;

  context.subscriptions.push(
    log,
    status,
    interpreters,
    ...registerCommands(() => running.restart(), log),
    interpreters.onDidChange(tellInterpreters),
    workspace.onDidChangeWorkspaceFolders(tellInterpreters),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("whydll.path")) void running.restart();
    }),
  );
  await running.restart();
}

export function deactivate(): Promise<void> | undefined {
  return server?.stop();
}
