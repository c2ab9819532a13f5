/** The commands of the palette, of the server's quick fixes, and of the status bar's menu. */

import {
  commands, ConfigurationTarget, env, extensions, l10n, ProgressLocation, Uri, version, window, workspace,
  type Disposable, type LogOutputChannel, type NotebookCell,
} from "vscode";
import { ResponseError } from "vscode-languageclient/node";
import { revealFile, type ChainPanel } from "./chain";
import { confirmByImporting } from "./confirm";
import type { Documents } from "./documents";
import type { Interpreters, ListedPython } from "./interpreter";
import { withoutLinks } from "./plain";
import { chosenScope } from "./scope";
import type { Server } from "./server";
import { runInTerminal } from "./terminal";
import { candidates, selectedInTerminal, tracebackOf, type DebugOutput } from "./tracebacks";

export interface Services {
  server: Server;
  interpreters: Interpreters;
  documents: Documents;
  chain: ChainPanel;
  debugOutput: DebugOutput;
  log: LogOutputChannel;
}

/** The argument of a command from a quick fix or a link. */
interface Request {
  scopeUri?: string | null;
  package?: string;
}

export function registerCommands({ server, interpreters, documents, chain, debugOutput, log }: Services): Disposable[] {
  /** Shows the user why a command failed. Only unexpected errors are logged in detail. */
  const showingErrors = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof ResponseError) log.info(reason);
      else log.error(error instanceof Error ? error : reason);
      void window.showInformationMessage(withoutLinks(`WhyDLL: ${reason}`));
    }
  };
  /** Creates a command about one folder, notebook, or document. */
  const about = (work: (scope: Uri | null, request: Request) => Promise<unknown>) => async (request?: Request) => {
    const scope = request?.scopeUri === undefined ? await chosenScope() : request.scopeUri === null ? null : Uri.parse(request.scopeUri);
    if (scope !== undefined) await showingErrors(() => work(scope, request ?? {}));
  };
  const report = (scope: Uri | null, links: boolean): Promise<string> => server.ask<string>("whydll.report", { ...argument(scope), links });
  /** Explains the first of these texts that contains a traceback. */
  const explain = (texts: string[]) =>
    about(async (scope) => {
      if (texts.length === 0) throw new Error(l10n.t("Select a traceback, or copy one, and run the command again."));
      let explanation: string | undefined;
      let firstError: unknown;
      for (const text of texts) {
        if (explanation !== undefined) break;
        try {
          explanation = await server.ask<string>("whydll.explain", { ...argument(scope), text });
        } catch (error) {
          firstError ??= error;
        }
      }
      if (explanation === undefined) throw firstError;
      await documents.show(l10n.t("WhyDLL Explanation"), explanation);
    })();

  const table: Record<string, (...args: never[]) => unknown> = {
    "whydll.runInTerminal": runInTerminal,
    "whydll.chooseInterpreter": (request?: { scopeUri?: string | null; path?: string }) => {
      const scope = request?.scopeUri ? Uri.parse(request.scopeUri) : window.activeTextEditor?.document.uri;
      return interpreters.choose(scope, request?.path, () => server.ask<ListedPython[]>("whydll.environments", argument(scope ?? null)));
    },
    "whydll.showReport": about(async (scope) => documents.show(l10n.t("WhyDLL Report"), await report(scope, true))),
    "whydll.copyReport": about(async (scope) => copy(await report(scope, false), l10n.t("Report copied to the clipboard."))),
    "whydll.showFolder": about(async (scope) => {
      const title = l10n.t("WhyDLL: checking the files in the folder");
      const checked = window.withProgress({ location: ProgressLocation.Notification, title }, () =>
        server.ask<string>("whydll.checkFolder", argument(scope)),
      );
      await documents.show(l10n.t("WhyDLL Folder"), await checked);
    }),
    "whydll.copyText": ({ text }: { text: string }) => copy(text, l10n.t("Finding copied to the clipboard.")),
    "whydll.showChain": about((scope, request) => chain.show(scope, request.package)),
    "whydll.turnOff": ({ code, scopeUri }: { code: string; scopeUri: string | null }) => showingErrors(() => turnOff(code, scopeUri)),
    "whydll.explainTraceback": async () => explain(await candidates(debugOutput.printed)),
    "whydll.explainTerminal": async () => explain([await selectedInTerminal()].filter((text) => text.trim() !== "")),
    "whydll.explainCell": (cell?: NotebookCell) => {
      const text = tracebackOf(cell);
      return explain(text === undefined ? [] : [text]);
    },
    "whydll.showExample": () =>
      showingErrors(async () => documents.show(l10n.t("WhyDLL Example"), await server.ask<string>("whydll.example", {}))),
    "whydll.confirm": about((scope) => confirmByImporting(server, documents, scope)),
    "whydll.saveSnapshot": about((scope) => saveSnapshot(server, documents, scope)),
    "whydll.debugInformation": () =>
      showingErrors(async () => documents.show(l10n.t("WhyDLL Debug Information"), `${await server.ask<string>("whydll.state", {})}\n${editorInformation()}`)),
    "whydll.revealFile": revealFile,
    "whydll.restart": () => server.restart(),
    "whydll.showLogs": () => log.show(),
    "whydll.showMenu": showMenu,
    "whydll.openWalkthrough": () => commands.executeCommand("workbench.action.openWalkthrough", "whydll.whydll#start"),
    "whydll.openSettings": () => commands.executeCommand("workbench.action.openSettings", "@ext:whydll.whydll"),
  };
  return Object.entries(table).map(([name, run]) => commands.registerCommand(name, run));
}

/** The argument of a command about a folder or document; `null` stands for everything outside all folders. */
function argument(scope: Uri | null): { scopeUri: string | null } {
  return { scopeUri: scope?.toString() ?? null };
}

/** Describes the editor and its relevant extensions, in Markdown. */
function editorInformation(): string {
  const ids = ["whydll.whydll", "ms-python.python", "ms-python.vscode-python-envs", "ms-toolsai.jupyter"];
  const known = ids.map((id) => extensions.getExtension<unknown>(id)).filter((extension) => extension !== undefined);
  const versions = known.map(({ id, packageJSON }) => `- ${id} ${String((packageJSON as { version?: unknown }).version)}`);
  return ["## The editor", "", `- ${env.appName} ${version}`, ...versions, ""].join("\n");
}

/** Shows the contents of a snapshot, and saves it after the user has reviewed them. */
async function saveSnapshot(server: Server, documents: Documents, scope: Uri | null): Promise<void> {
  const title = l10n.t("WhyDLL: collecting the contents of a snapshot");
  const preview = await window.withProgress({ location: ProgressLocation.Notification, title }, () =>
    server.ask<{ text: string; ownModules: number }>("whydll.snapshot", argument(scope)),
  );
  await documents.show(l10n.t("WhyDLL Snapshot"), preview.text);
  const save = preview.ownModules > 0 ? l10n.t("Save with My Own Modules…") : l10n.t("Save…");
  const question = l10n.t("Snapshots are made for sharing. Review the contents first; nothing has been saved yet.");
  if ((await window.showInformationMessage(question, save)) !== save) return;
  const folder = scope && (workspace.getWorkspaceFolder(scope)?.uri ?? Uri.joinPath(scope, ".."));
  const file = await window.showSaveDialog({
    title: l10n.t("Save a Snapshot of Machine and Environment"),
    defaultUri: Uri.joinPath(folder ?? Uri.file("/"), "whydll-snapshot.json.xz"),
  });
  if (!file) return;
  const asked = { ...argument(scope), path: file.fsPath, ownModules: preview.ownModules > 0 };
  window.setStatusBarMessage(await server.ask<string>("whydll.snapshot", asked), 8000);
}

async function copy(text: string, message: string): Promise<void> {
  await env.clipboard.writeText(text);
  window.setStatusBarMessage(message, 5000);
}

/** Hides findings of this code in this folder; without a folder, in all windows. */
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
    ["refresh", l10n.t("Check again"), l10n.t("Reads everything again"), "whydll.checkAgain"],
    ["play", l10n.t("Confirm by importing"), l10n.t("Runs the import in your Python and compares the result with the prediction"), "whydll.confirm"],
    ["gear", l10n.t("Open settings"), l10n.t("Packages, severities, the machine to check against"), "whydll.openSettings"],
  ];
  const picks = items.map(([icon, label, detail, command]) => ({ label: `$(${icon}) ${label}`, detail, command }));
  const picked = await window.showQuickPick(picks, { title: "WhyDLL", placeHolder: l10n.t("What do you want to do?") });
  if (picked) await commands.executeCommand(picked.command);
}
