/** Fixes that run a command: it is typed into a terminal, and runs when the user presses Enter. */

import { commands, env, l10n, window, workspace, type Terminal } from "vscode";
import { withoutLinks } from "./plain";
import { shellOf, type Shell } from "./shell";

export interface TerminalRequest {
  title: string;
  /** The command, quoted by the server for each shell. */
  lines: Record<Shell, string>;
}

/** Whether the workspace is trusted. If not, shows `message` and offers to manage trust or to copy the command. */
export async function isTrusted(message: string, command?: string): Promise<boolean> {
  if (workspace.isTrusted) return true;
  const [manage, copy] = [l10n.t("Manage Workspace Trust"), l10n.t("Copy Command")];
  const answer = await window.showWarningMessage(message, manage, ...(command === undefined ? [] : [copy]));
  if (answer === manage) await commands.executeCommand("workbench.trust.manage");
  if (answer === copy && command !== undefined) await env.clipboard.writeText(command);
  return false;
}

/** The terminal that was used last. */
let last: Terminal | undefined;

/** Types the command into WhyDLL's terminal. Unless `whydll.runFixes` says otherwise, the user has to press Enter to run it. */
export async function runInTerminal({ lines }: TerminalRequest): Promise<void> {
  const shell = shellOf(env.shell);
  if (shell === undefined) return copyInstead(lines);
  const line = lines[shell];
  if (!(await isTrusted(l10n.t("Trust this workspace to let WhyDLL type commands into a terminal."), line))) return;
  // Created hidden, because the Python extension types its activation script into terminals that are created visible,
  // right after our line. The command has the program's full path and needs no activation.
  const known = last?.exitStatus === undefined ? last : undefined;
  const terminal = known ?? window.createTerminal({ name: "WhyDLL", hideFromUser: true });
  last = terminal;
  terminal.show();
  if (!known) await shellStart(terminal);
  terminal.sendText(line, workspace.getConfiguration("whydll").get("runFixes") === "run");
}

/** Offers to copy the command for another shell, because its effect in an unknown shell is unpredictable. */
async function copyInstead(lines: Record<Shell, string>): Promise<void> {
  const forms: [name: string, line: string][] = [["PowerShell", lines.pwsh], ["cmd", lines.cmd], ["bash", lines.posix]];
  const question = l10n.t("WhyDLL doesn't know the command syntax of {0}. For which shell should the command be copied?", env.shell);
  const answer = await window.showWarningMessage(withoutLinks(question), ...forms.map(([name]) => name));
  const line = forms.find(([name]) => name === answer)?.[1];
  if (line !== undefined) await env.clipboard.writeText(line);
}

/**
 * Waits for the prompt, because a line that is typed before it would be shown twice. Shells report their start shortly before the
 * prompt, or not at all.
 */
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
