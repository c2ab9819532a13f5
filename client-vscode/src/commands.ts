/** The commands: those that quick fixes of the server refer to, those of the palette, and the menu of the status bar. */

import { commands, env, l10n, Uri, window, workspace, type Disposable, type LogOutputChannel } from "vscode";
import { revealFile, type ChainView, type Tree } from "./chain";
import { confirmByImporting } from "./confirm";
import type { Documents } from "./documents";
import { chooseInterpreter } from "./interpreter";
import { chosenScope } from "./scope";
import type { Server } from "./server";
import { runInTerminal } from "./terminal";

export interface Rooms {
  server: Server;
  documents: Documents;
  chain: ChainView;
  log: LogOutputChannel;
}

export function registerCommands({ server, documents, chain, log }: Rooms): Disposable[] {
  /** A command about one folder. What goes wrong is told to the user. */
  const about = (work: (scope: Uri | null) => Promise<unknown>) => async () => {
    const scope = await chosenScope();
    if (scope === undefined) return;
    try {
      await work(scope);
    } catch (error) {
      log.error(error instanceof Error ? error : String(error));
      void window.showErrorMessage(`WhyDLL: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const argument = (scope: Uri | null): { scopeUri: string | null } => ({ scopeUri: scope?.toString() ?? null });
  const report = (scope: Uri | null): Promise<string> => server.ask<string>("whydll.report", argument(scope));

  const table: Record<string, (...args: never[]) => unknown> = {
    "whydll.runInTerminal": runInTerminal,
    "whydll.chooseInterpreter": (request?: { scopeUri?: string | null; path?: string }) =>
      chooseInterpreter(request?.scopeUri ? Uri.parse(request.scopeUri) : window.activeTextEditor?.document.uri, request?.path),
    "whydll.showReport": about(async (scope) => documents.show(l10n.t("WhyDLL Report"), await report(scope))),
    "whydll.copyReport": about(async (scope) => {
      await env.clipboard.writeText(await report(scope));
      window.setStatusBarMessage(l10n.t("The report is in the clipboard."), 5000);
    }),
    "whydll.showChain": about(async (scope) => chain.show(await server.ask<Tree>("whydll.chain", argument(scope)))),
    "whydll.explainTraceback": about(async (scope) => {
      const text = await traceback();
      if (text === undefined) {
        void window.showInformationMessage(l10n.t("Select a traceback, or copy one, and give the command again."));
        return;
      }
      const told = await server.ask<string>("whydll.explain", { ...argument(scope), text });
      await documents.show(l10n.t("WhyDLL Explanation"), told);
    }),
    "whydll.confirm": about((scope) => confirmByImporting(server, documents, scope)),
    "whydll.saveSnapshot": about(async (scope) => {
      const file = await window.showSaveDialog({
        title: l10n.t("Save a snapshot of machine and environment"),
        defaultUri: Uri.joinPath(scope ?? Uri.file("/"), "whydll-snapshot.json.xz"),
      });
      if (file) {
        window.setStatusBarMessage(await server.ask<string>("whydll.snapshot", { ...argument(scope), path: file.fsPath }), 8000);
      }
    }),
    "whydll.debugInformation": about(async () => documents.show(l10n.t("WhyDLL Debug Information"), await server.ask<string>("whydll.state", {}))),
    "whydll.revealFile": revealFile,
    "whydll.restart": () => server.restart(),
    "whydll.showLogs": () => log.show(),
    "whydll.showMenu": showMenu,
  };
  return Object.entries(table).map(([name, run]) => commands.registerCommand(name, run));
}

/** The selected text, else what was copied. */
async function traceback(): Promise<string | undefined> {
  const editor = window.activeTextEditor;
  const selected = editor?.document.getText(editor.selection).trim();
  const text = selected === undefined || selected === "" ? (await env.clipboard.readText()).trim() : selected;
  return text === "" ? undefined : text;
}

async function showMenu(): Promise<void> {
  const items: [icon: string, label: string, command: string][] = [
    ["output-view-icon", l10n.t("Show report"), "whydll.showReport"],
    ["list-selection", l10n.t("Choose interpreter"), "whydll.chooseInterpreter"],
    ["refresh", l10n.t("Check again"), "whydll.checkAgain"],
    ["list-tree", l10n.t("Show DLL chain"), "whydll.showChain"],
    ["copy", l10n.t("Copy report"), "whydll.copyReport"],
    ["comment-discussion", l10n.t("Explain a traceback"), "whydll.explainTraceback"],
    ["play", l10n.t("Confirm by importing"), "whydll.confirm"],
    ["output", l10n.t("Show logs"), "whydll.showLogs"],
    ["debug-restart", l10n.t("Restart server"), "whydll.restart"],
  ];
  // A running interpreter is not to be had in a folder that is not trusted; the command itself says so.
  const picks = items.map(([icon, label, command]) => ({ label: `$(${icon}) ${label}`, command }));
  const folders = workspace.workspaceFolders?.map((folder) => folder.name).join(", ");
  const picked = await window.showQuickPick(picks, { title: "WhyDLL", ...(folders !== undefined && { placeHolder: folders }) });
  if (picked) await commands.executeCommand(picked.command);
}
