/** Where a traceback may stand that somebody wants explained: a selection, the clipboard, a terminal, the debugger, a failed cell. */

import {
  commands, debug, env, l10n, NotebookCellStatusBarAlignment, NotebookCellStatusBarItem, notebooks, window,
  type Disposable, type NotebookCell,
} from "vscode";

/** How a failed cell is kept (VS Code's own type for it). */
const ERROR_OUTPUT = "application/vnd.code.notebook.error";
/** What a debugged program prints is kept to its end only, in characters. */
const MOST_PRINTED = 100_000;
/** The words of a failed load in any language begin so, or with the number that ctypes prints. */
const OF_A_LOAD = /DLL load failed|\[WinError \d+\]|Could not find (the DLL\(s\)|module)/;

/** The texts in which a traceback is looked for, the likeliest first. */
export async function candidates(printed: string): Promise<string[]> {
  const editor = window.activeTextEditor;
  const selected = editor?.document.getText(editor.selection) ?? "";
  if (selected.trim() !== "") return [selected];
  return [await env.clipboard.readText(), printed].filter((text) => text.trim() !== "");
}

/** What is selected in the terminal. The clipboard holds what it held before. */
export async function selectedInTerminal(): Promise<string> {
  const before = await env.clipboard.readText();
  await commands.executeCommand("workbench.action.terminal.copySelection");
  const selected = await env.clipboard.readText();
  await env.clipboard.writeText(before);
  return selected;
}

/** The end of what debugged programs print to their standard error. */
export class DebugOutput implements Disposable {
  private text = "";
  private readonly registration = debug.registerDebugAdapterTrackerFactory("*", {
    createDebugAdapterTracker: () => ({
      onWillStartSession: () => {
        this.text = "";
      },
      onDidSendMessage: (message: { type?: string; event?: string; body?: { category?: string; output?: string } }) => {
        if (message.type !== "event" || message.event !== "output" || message.body?.category === "telemetry") return;
        this.text = (this.text + (message.body?.output ?? "")).slice(-MOST_PRINTED);
      },
    }),
  });

  get printed(): string {
    return this.text;
  }

  dispose(): void {
    this.registration.dispose();
  }
}

/** The traceback of a cell that failed to load something; `undefined` of any other. */
export function tracebackOf(cell: NotebookCell | undefined): string | undefined {
  const items = cell?.outputs.flatMap((output) => output.items) ?? [];
  for (const item of items.filter(({ mime }) => mime === ERROR_OUTPUT)) {
    const { name, message, stack } = JSON.parse(new TextDecoder().decode(item.data)) as Record<string, string | undefined>;
    const text = [stack, `${name ?? ""}: ${message ?? ""}`].filter(Boolean).join("\n");
    if (OF_A_LOAD.test(text)) return text;
  }
  return undefined;
}

/** Below a cell that failed so: a question that leads to the explanation. */
export function registerCellQuestion(): Disposable {
  return notebooks.registerNotebookCellStatusBarItemProvider("jupyter-notebook", {
    provideCellStatusBarItems(cell) {
      if (tracebackOf(cell) === undefined) return [];
      const item = new NotebookCellStatusBarItem(l10n.t("$(question) Why did this DLL load fail?"), NotebookCellStatusBarAlignment.Left);
      item.command = { command: "whydll.explainCell", title: l10n.t("Explain"), arguments: [cell] };
      item.tooltip = l10n.t("Explain this traceback with WhyDLL");
      return [item];
    },
  });
}
