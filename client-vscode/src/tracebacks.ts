/** The sources of tracebacks to explain: a selection, the clipboard, a terminal, the debugger, a failed cell. */

import {
  commands, debug, env, l10n, NotebookCellStatusBarAlignment, NotebookCellStatusBarItem, notebooks, window,
  type Disposable, type NotebookCell,
} from "vscode";

/** The MIME type of a failed cell's output (VS Code's own). */
const ERROR_OUTPUT = "application/vnd.code.notebook.error";
/** The maximum length of a debugged program's output that is kept, in characters. */
const MAX_PRINTED = 100_000;
/** Matches the message of a failed load in any language, by its beginning or the number that ctypes prints. */
const LOAD_FAILURE = /DLL load failed|\[WinError \d+\]|Could not find (the DLL\(s\)|module)/;

/** Returns the texts that may contain a traceback, the likeliest first. */
export async function candidates(printed: string): Promise<string[]> {
  const editor = window.activeTextEditor;
  const selected = editor?.document.getText(editor.selection) ?? "";
  if (selected.trim() !== "") return [selected];
  return [await env.clipboard.readText(), printed].filter((text) => text.trim() !== "");
}

/** Returns the selection of the terminal, and restores the clipboard. */
export async function selectedInTerminal(): Promise<string> {
  const before = await env.clipboard.readText();
  await commands.executeCommand("workbench.action.terminal.copySelection");
  const selected = await env.clipboard.readText();
  await env.clipboard.writeText(before);
  return selected;
}

/** The end of the output of debugged programs. */
export class DebugOutput implements Disposable {
  private text = "";
  private readonly registration = debug.registerDebugAdapterTrackerFactory("*", {
    createDebugAdapterTracker: () => ({
      onWillStartSession: () => {
        this.text = "";
      },
      onDidSendMessage: (message: { type?: string; event?: string; body?: { category?: string; output?: string } }) => {
        if (message.type !== "event" || message.event !== "output" || message.body?.category === "telemetry") return;
        this.text = (this.text + (message.body?.output ?? "")).slice(-MAX_PRINTED);
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

/** Returns the traceback of a cell that failed to load a DLL, or `undefined`. */
export function tracebackOf(cell: NotebookCell | undefined): string | undefined {
  const items = cell?.outputs.flatMap((output) => output.items) ?? [];
  for (const item of items.filter(({ mime }) => mime === ERROR_OUTPUT)) {
    const { name, message, stack } = JSON.parse(new TextDecoder().decode(item.data)) as Record<string, string | undefined>;
    const text = [stack, `${name ?? ""}: ${message ?? ""}`].filter(Boolean).join("\n");
    if (LOAD_FAILURE.test(text)) return text;
  }
  return undefined;
}

/** Shows a question below such a cell, which opens the explanation. */
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
