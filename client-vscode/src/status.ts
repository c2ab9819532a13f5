/** The status bar item: the health of the environment that the shown file's imports run in. */

import {
  MarkdownString, StatusBarAlignment, ThemeColor, Uri, window, workspace,
  type Disposable, type TextEditor,
} from "vscode";

/** `whydll/health`, as the server sends it. */
export interface Health {
  scopeUri: string | null;
  state: "checking" | "healthy" | "degraded" | "broken" | "unknown";
  summary: string;
  interpreter: string | null;
  version: string | null;
  findings: number;
}

const ICON: Record<Health["state"], string> = {
  checking: "$(loading~spin)",
  healthy: "$(pass)",
  degraded: "$(warning)",
  broken: "$(error)",
  unknown: "$(question)",
};

export class Status implements Disposable {
  private readonly item = window.createStatusBarItem("health", StatusBarAlignment.Left);
  private readonly healthOf = new Map<string, Health>();
  private readonly subscription = window.onDidChangeActiveTextEditor((editor) => {
    if (editor) this.show(editor);
  });

  constructor() {
    this.item.name = "WhyDLL";
    this.item.command = "whydll.showMenu";
  }

  update(health: Health): void {
    this.healthOf.set(key(health.scopeUri), health);
    this.show(window.activeTextEditor);
  }

  clear(): void {
    this.healthOf.clear();
    this.item.hide();
  }

  dispose(): void {
    this.item.dispose();
    this.subscription.dispose();
  }

  private show(editor: TextEditor | undefined): void {
    // An output panel takes the editor's place while it is read; that is no reason to hide.
    if (editor?.document.uri.scheme === "output") return;
    const folder = editor && workspace.getWorkspaceFolder(editor.document.uri);
    const health = this.healthOf.get(key(folder?.uri.toString() ?? null)) ?? this.healthOf.get(key(null));
    if (editor?.document.languageId !== "python" || !health) {
      this.item.hide();
      return;
    }
    this.item.text = `${ICON[health.state]} WhyDLL: ${health.state}`;
    this.item.tooltip = tooltip(health);
    this.item.accessibilityInformation = { label: `WhyDLL: ${health.state}. ${health.summary}`, role: "button" };
    this.item.backgroundColor = health.state === "broken" ? new ThemeColor("statusBarItem.errorBackground") : undefined;
    this.item.show();
  }
}

function tooltip({ summary, interpreter, version }: Health): MarkdownString {
  const text = new MarkdownString().appendText(summary);
  if (version) text.appendMarkdown("\n\nPython ").appendText(version);
  if (interpreter) text.appendCodeblock(interpreter, "text");
  return text;
}

/** Server and editor may write the same URI differently (`c:` and `c%3A`). */
function key(scopeUri: string | null): string {
  return scopeUri === null ? "" : Uri.parse(scopeUri).toString();
}
