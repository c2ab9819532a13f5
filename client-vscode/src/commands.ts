/** The commands: those that quick fixes of the server refer to, those of the palette, and the menu of the status bar. */

import {
  commands, ConfigurationTarget, env, extensions, l10n, ProgressLocation, Uri, version, window, workspace,
  type Disposable, type LogOutputChannel, type NotebookCell,
} from "vscode";
import { ResponseError } from "vscode-languageclient/node";
import { revealFile, type ChainPanel } from "./chain";
import { confirmByImporting } from "./confirm";
import type { Documents } from "./documents";
import type { Found, Interpreters } from "./interpreter";
import { withoutLinks } from "./plain";
import { chosenScope } from "./scope";
import type { Server } from "./server";
import { runInTerminal } from "./terminal";
import { candidates, selectedInTerminal, tracebackOf, type DebugOutput } from "./tracebacks";

export interface Rooms {
  server: Server;
  interpreters: Interpreters;
  documents: Documents;
  chain: ChainPanel;
  debugOutput: DebugOutput;
  log: LogOutputChannel;
}

/** What a quick fix or a link says that a command is about. */
interface Request {
  scopeUri?: string | null;
  package?: string;
}

export function registerCommands({ server, interpreters, documents, chain, debugOutput, log }: Rooms): Disposable[] {
  /** Tells the user why nothing came of a command. That is no failure of the program: only the log says more. */
  const telling = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof ResponseError) log.info(reason);
      else log.error(error instanceof Error ? error : reason);
      void window.showInformationMessage(withoutLinks(`WhyDLL: ${reason}`));
    }
  };
  /** A command about one folder, notebook or document. */
  const about = (work: (scope: Uri | null, request: Request) => Promise<unknown>) => async (request?: Request) => {
    const scope = request?.scopeUri === undefined ? await chosenScope() : request.scopeUri === null ? null : Uri.parse(request.scopeUri);
    if (scope !== undefined) await telling(() => work(scope, request ?? {}));
  };
  const report = (scope: Uri | null, links: boolean): Promise<string> => server.ask<string>("whydll.report", { ...argument(scope), links });
  /** Explains the first of these texts that holds a traceback. */
  const explain = (texts: string[]) =>
    about(async (scope) => {
      if (texts.length === 0) throw new Error(l10n.t("Select a traceback, or copy one, and run the command again."));
      let told: string | undefined;
      let refusal: unknown;
      for (const text of texts) {
        if (told !== undefined) break;
        try {
          told = await server.ask<string>("whydll.explain", { ...argument(scope), text });
        } catch (error) {
          refusal ??= error;
        }
      }
      if (told === undefined) throw refusal;
      await documents.show(l10n.t("WhyDLL Explanation"), told);
    })();

  const table: Record<string, (...args: never[]) => unknown> = {
    "whydll.runInTerminal": runInTerminal,
    "whydll.chooseInterpreter": (request?: { scopeUri?: string | null; path?: string }) => {
      const scope = request?.scopeUri ? Uri.parse(request.scopeUri) : window.activeTextEditor?.document.uri;
      return interpreters.choose(scope, request?.path, () => server.ask<Found[]>("whydll.environments", argument(scope ?? null)));
    },
    "whydll.showReport": about(async (scope) => documents.show(l10n.t("WhyDLL Report"), await report(scope, true))),
    "whydll.copyReport": about(async (scope) => copy(await report(scope, false), l10n.t("The report is in the clipboard."))),
    "whydll.showFolder": about(async (scope) => {
      const title = l10n.t("WhyDLL checks the files of the folder");
      const checked = window.withProgress({ location: ProgressLocation.Notification, title }, () =>
        server.ask<string>("whydll.checkFolder", argument(scope)),
      );
      await documents.show(l10n.t("WhyDLL Folder"), await checked);
    }),
    "whydll.copyText": ({ text }: { text: string }) => copy(text, l10n.t("The finding is in the clipboard.")),
    "whydll.showChain": about((scope, request) => chain.show(scope, request.package)),
    "whydll.turnOff": ({ code, scopeUri }: { code: string; scopeUri: string | null }) => telling(() => turnOff(code, scopeUri)),
    "whydll.explainTraceback": async () => explain(await candidates(debugOutput.printed)),
    "whydll.explainTerminal": async () => explain([await selectedInTerminal()].filter((text) => text.trim() !== "")),
    "whydll.explainCell": (cell?: NotebookCell) => {
      const text = tracebackOf(cell);
      return explain(text === undefined ? [] : [text]);
    },
    "whydll.showExample": () =>
      telling(async () => documents.show(l10n.t("WhyDLL Example"), await server.ask<string>("whydll.example", {}))),
    "whydll.confirm": about((scope) => confirmByImporting(server, documents, scope)),
    "whydll.saveSnapshot": about((scope) => saveSnapshot(server, documents, scope)),
    "whydll.debugInformation": () =>
      telling(async () => documents.show(l10n.t("WhyDLL Debug Information"), `${await server.ask<string>("whydll.state", {})}\n${ofEditor()}`)),
    "whydll.revealFile": revealFile,
    "whydll.restart": () => server.restart(),
    "whydll.showLogs": () => log.show(),
    "whydll.showMenu": showMenu,
    "whydll.openWalkthrough": () => commands.executeCommand("workbench.action.openWalkthrough", "whydll.whydll#start"),
    "whydll.openSettings": () => commands.executeCommand("workbench.action.openSettings", "@ext:whydll.whydll"),
  };
  return Object.entries(table).map(([name, run]) => commands.registerCommand(name, run));
}

/** The argument of a command about a folder or document; about what is outside of every folder without one. */
function argument(scope: Uri | null): { scopeUri: string | null } {
  return { scopeUri: scope?.toString() ?? null };
}

/** Which editor this is, and those of its extensions that matter here, in Markdown. */
function ofEditor(): string {
  const ids = ["whydll.whydll", "ms-python.python", "ms-python.vscode-python-envs", "ms-toolsai.jupyter"];
  const known = ids.map((id) => extensions.getExtension<unknown>(id)).filter((extension) => extension !== undefined);
  const versions = known.map(({ id, packageJSON }) => `- ${id} ${String((packageJSON as { version?: unknown }).version)}`);
  return ["## The editor", "", `- ${env.appName} ${version}`, ...versions, ""].join("\n");
}

/** Shows what a snapshot would have, and saves it when the user has looked it over. */
async function saveSnapshot(server: Server, documents: Documents, scope: Uri | null): Promise<void> {
  const title = l10n.t("WhyDLL collects what a snapshot would have");
  const preview = await window.withProgress({ location: ProgressLocation.Notification, title }, () =>
    server.ask<{ text: string; ownModules: number }>("whydll.snapshot", argument(scope)),
  );
  await documents.show(l10n.t("WhyDLL Snapshot"), preview.text);
  const save = preview.ownModules > 0 ? l10n.t("Save with My Own Modules…") : l10n.t("Save…");
  const said = l10n.t("A snapshot is made to be sent to others. Look over what it would have; nothing is saved yet.");
  if ((await window.showInformationMessage(said, save)) !== save) return;
  const folder = scope && (workspace.getWorkspaceFolder(scope)?.uri ?? Uri.joinPath(scope, ".."));
  const file = await window.showSaveDialog({
    title: l10n.t("Save a snapshot of machine and environment"),
    defaultUri: Uri.joinPath(folder ?? Uri.file("/"), "whydll-snapshot.json.xz"),
  });
  if (!file) return;
  const asked = { ...argument(scope), path: file.fsPath, ownModules: preview.ownModules > 0 };
  window.setStatusBarMessage(await server.ask<string>("whydll.snapshot", asked), 8000);
}

async function copy(text: string, told: string): Promise<void> {
  await env.clipboard.writeText(text);
  window.setStatusBarMessage(told, 5000);
}

/** Findings of this code are not shown in this folder any more; without a folder, in no window. */
async function turnOff(code: string, scopeUri: string | null): Promise<void> {
  const folder = scopeUri === null ? undefined : workspace.getWorkspaceFolder(Uri.parse(scopeUri));
  const configuration = workspace.getConfiguration("whydll", folder);
  const at = configuration.inspect<Record<string, string>>("severity");
  const [target, before] = folder
    ? [ConfigurationTarget.WorkspaceFolder, at?.workspaceFolderValue ?? at?.workspaceValue]
    : [ConfigurationTarget.Global, at?.globalValue];
  await configuration.update("severity", { ...before, [code]: "off" }, target);
}

async function showMenu(): Promise<void> {
  const items: [icon: string, label: string, detail: string, command: string][] = [
    ["output-view-icon", l10n.t("Show report"), l10n.t("The whole diagnosis, to read or to paste into a bug report"), "whydll.showReport"],
    ["list-tree", l10n.t("Show DLL chain"), l10n.t("Which DLLs the import loads, from where, and which one fails"), "whydll.showChain"],
    ["list-selection", l10n.t("Choose interpreter"), l10n.t("Which Python is checked"), "whydll.chooseInterpreter"],
    ["refresh", l10n.t("Check again"), l10n.t("Reads everything anew"), "whydll.checkAgain"],
    ["play", l10n.t("Confirm by importing"), l10n.t("Your Python makes the import, and the result is compared with the prediction"), "whydll.confirm"],
    ["gear", l10n.t("Open settings"), l10n.t("Packages, severities, the machine to check against"), "whydll.openSettings"],
  ];
  const picks = items.map(([icon, label, detail, command]) => ({ label: `$(${icon}) ${label}`, detail, command }));
  const picked = await window.showQuickPick(picks, { title: "WhyDLL", placeHolder: l10n.t("What do you want to do?") });
  if (picked) await commands.executeCommand(picked.command);
}
