/** Fixes that run something: the command is typed into a terminal, and the user's Enter runs it. */

import { commands, env, l10n, window, workspace, type Terminal } from "vscode";
import { withoutLinks } from "./plain";
import { shellOf, type Shell } from "./shell";

export interface TerminalRequest {
  title: string;
  /** The command, quoted by the server for each shell. */
  lines: Record<Shell, string>;
}

/** Whether something may be run here; if not, says so and offers to change it, or to copy the command. */
export async function isTrusted(refusal: string, command?: string): Promise<boolean> {
  if (workspace.isTrusted) return true;
  const [manage, copy] = [l10n.t("Manage Workspace Trust"), l10n.t("Copy Command")];
  const answer = await window.showWarningMessage(refusal, manage, ...(command === undefined ? [] : [copy]));
  if (answer === manage) await commands.executeCommand("workbench.trust.manage");
  if (answer === copy && command !== undefined) await env.clipboard.writeText(command);
  return false;
}

/** The terminal that was used last, as long as it is there. */
let last: Terminal | undefined;

/** Types the command into a terminal of ours. Only the user's Enter runs it, unless `whydll.runFixes` says otherwise. */
export async function runInTerminal({ lines }: TerminalRequest): Promise<void> {
  const shell = shellOf(env.shell);
  if (shell === undefined) return copyInstead(lines);
  const line = lines[shell];
  if (!(await isTrusted(l10n.t("Trust this workspace to let WhyDLL type commands into a terminal."), line))) return;
  // Created hidden, because the Python extension types its activation script into a terminal that is created visible,
  // right behind our line. The program's full path needs no activation.
  const known = last?.exitStatus === undefined ? last : undefined;
  const terminal = known ?? window.createTerminal({ name: "WhyDLL", hideFromUser: true });
  last = terminal;
  terminal.show();
  if (!known) await shellStart(terminal);
  terminal.sendText(line, workspace.getConfiguration("whydll").get("runFixes") === "run");
}

/** What a shell makes of a line that was written for another one is not known. */
async function copyInstead(lines: Record<Shell, string>): Promise<void> {
  const forms: [name: string, line: string][] = [["PowerShell", lines.pwsh], ["cmd", lines.cmd], ["bash", lines.posix]];
  const question = l10n.t("WhyDLL does not know how a command is written for {0}. For which shell shall it be copied?", env.shell);
  const answer = await window.showWarningMessage(withoutLinks(question), ...forms.map(([name]) => name));
  const line = forms.find(([name]) => name === answer)?.[1];
  if (line !== undefined) await env.clipboard.writeText(line);
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
