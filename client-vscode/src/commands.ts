/** The commands that run in the editor: those that quick fixes of the server refer to, and those of the status bar's menu. */

import { commands, env, Uri, window, workspace, type Disposable, type LogOutputChannel, type Terminal } from "vscode";
import { chooseInterpreter } from "./interpreter";
import { commandLine, shellOf } from "./quoting";

/** What the server may put into its quick fixes; announced to it at its start. */
export const CLIENT_COMMANDS = ["whydll.runInTerminal", "whydll.chooseInterpreter"];

interface TerminalRequest {
  title: string;
  program: string;
  args: string[];
  cwd?: string;
}

export function registerCommands(restart: () => Promise<void>, log: LogOutputChannel): Disposable[] {
  return [
    commands.registerCommand("whydll.runInTerminal", runInTerminal),
    commands.registerCommand("whydll.chooseInterpreter", (request?: { scopeUri?: string | null; path?: string }) =>
      chooseInterpreter(request?.scopeUri ? Uri.parse(request.scopeUri) : window.activeTextEditor?.document.uri, request?.path),
    ),
    commands.registerCommand("whydll.restart", restart),
    commands.registerCommand("whydll.showLogs", () => log.show()),
    commands.registerCommand("whydll.showMenu", showMenu),
  ];
}

/** Types the command into a new terminal. Only the user's Enter runs it. */
async function runInTerminal({ title, program, args, cwd }: TerminalRequest): Promise<void> {
  if (!workspace.isTrusted) {
    const manage = "Manage Workspace Trust";
    const answer = await window.showWarningMessage("WhyDLL types no command into a terminal while this workspace is not trusted.", manage);
    if (answer === manage) await commands.executeCommand("workbench.trust.manage");
    return;
  }
  const line = commandLine(shellOf(env.shell), program, args);
  // Created hidden, because the Python extension types its activation script into a terminal that is created visible,
  // right behind our line. The program's full path needs no activation.
  const terminal = window.createTerminal({ name: title, hideFromUser: true, ...(cwd !== undefined && { cwd }) });
  terminal.show();
  await shellStart(terminal);
  terminal.sendText(line, false);
}

/** Typed before the prompt, the line would be shown twice. Shells tell of their start shortly before it, or not at all. */
function shellStart(terminal: Terminal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      started.dispose();
      resolve();
    };
    const timer = setTimeout(finish, 2000);
    const started = window.onDidChangeTerminalShellIntegration((event) => {
      if (event.terminal === terminal) setTimeout(finish, 200);
    });
  });
}

async function showMenu(): Promise<void> {
  const picked = await window.showQuickPick(
    [
      { label: "$(list-selection) Choose interpreter", command: "whydll.chooseInterpreter" },
      { label: "$(refresh) Check again", command: "whydll.checkAgain" },
      { label: "$(output) Show logs", command: "whydll.showLogs" },
      { label: "$(debug-restart) Restart server", command: "whydll.restart" },
    ],
    { title: "WhyDLL" },
  );
  if (picked) await commands.executeCommand(picked.command);
}
