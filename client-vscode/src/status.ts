/** The status bar item: the health of the environment of the active file. */

import {
  commands, l10n, MarkdownString, StatusBarAlignment, ThemeColor, Uri, window, workspace, type Disposable, type TextEditor,
} from "vscode";
import { withoutIcons } from "./plain";
import { key, uriOf } from "./scope";

/** The parameters of `whydll/health`. */
export interface Health {
  scopeUri: string | null;
  state: "checking" | "healthy" | "degraded" | "broken" | "unknown" | "notApplicable";
  /** A short label: what is broken, if something is. */
  label: string;
  summary: string;
  /** All details, in Markdown. */
  details: string;
}

const ICON: Record<Health["state"], string> = {
  checking: "$(loading~spin)",
  healthy: "$(pass)",
  degraded: "$(warning)",
  broken: "$(error)",
  unknown: "$(warning)",
  notApplicable: "",
};

/** The links of the tooltip. */
const LINKS: [command: string, title: string][] = [
  ["whydll.showReport", l10n.t("Show report")],
  ["whydll.showChain", l10n.t("Show DLL chain")],
  ["whydll.chooseInterpreter", l10n.t("Choose interpreter")],
];

export class Status implements Disposable {
  private readonly item = window.createStatusBarItem("health", StatusBarAlignment.Right, 100);
  private readonly healthOf = new Map<string, Health>();
  /** Why the server can't be started. */
  private stopped: { reason: string; command: string } | undefined;
  private readonly subscriptions = [
    window.onDidChangeActiveTextEditor(() => this.showActive()),
    // When the language of a document changes, VS Code opens the document again in the same editor.
    workspace.onDidOpenTextDocument(() => this.showActive()),
    workspace.onDidChangeWorkspaceFolders(() => this.showActive()),
  ];

  constructor() {
    this.item.name = "WhyDLL";
  }

  /** Updates the health of a scope, and returns the previous one. */
  update(health: Health): Health | undefined {
    const before = this.healthOf.get(key(health.scopeUri));
    this.stopped = undefined;
    this.healthOf.set(key(health.scopeUri), health);
    this.show(window.activeTextEditor);
    return before;
  }

  clear(): void {
    this.healthOf.clear();
    this.show(window.activeTextEditor);
  }

  /** Shows that the server can't be started, and that `command` helps. */
  failed(reason: string, command: string): void {
    this.stopped = { reason, command };
    this.clear();
  }

  /** Removes the health of a notebook with a kernel of its own. */
  forget(scopeUri: string): void {
    this.healthOf.delete(key(scopeUri));
  }

  dispose(): void {
    this.item.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  /** Updates the item, unless no editor has the focus. */
  private showActive(): void {
    if (window.activeTextEditor) this.show(window.activeTextEditor);
  }

  private show(editor: TextEditor | undefined): void {
    // An output panel counts as the active editor while it has the focus; that's no reason to hide the item.
    if (editor?.document.uri.scheme === "output") return;
    const isPython = editor?.document.languageId === "python";
    const health = isPython ? this.healthAt(uriOf(editor)) : undefined;
    if (isPython) void commands.executeCommand("setContext", "whydll.applies", health !== undefined && health.state !== "notApplicable");
    if (isPython && this.stopped) {
      this.draw("$(circle-slash)", l10n.t("WhyDLL: not running"), this.stopped.reason, new MarkdownString().appendText(this.stopped.reason));
      this.item.command = this.stopped.command;
      this.item.backgroundColor = undefined;
    } else if (health && health.state !== "notApplicable") {
      this.draw(ICON[health.state], health.label, health.summary, tooltip(health));
      this.item.command = "whydll.showMenu";
      this.item.backgroundColor = health.state === "broken" ? new ThemeColor("statusBarItem.errorBackground") : undefined;
    } else {
      this.item.hide();
    }
  }

  private draw(icon: string, label: string, summary: string, details: MarkdownString): void {
    this.item.text = `${icon} ${withoutIcons(label)}`;
    this.item.tooltip = details;
    this.item.accessibilityInformation = { label: `WhyDLL: ${label}. ${summary}`, role: "button" };
    this.item.show();
  }

  private healthAt(document: Uri | undefined): Health | undefined {
    const folder = document && workspace.getWorkspaceFolder(document);
    const known = [document, folder?.uri].map((uri) => uri && this.healthOf.get(key(uri.toString())));
    return known.find((health) => health !== undefined) ?? this.healthOf.get(key(null));
  }
}

/** Returns the details from the server, with links to commands. */
function tooltip({ details, state }: Health): MarkdownString {
  const links = state === "checking" ? [] : LINKS;
  const text = [details, links.map(([command, title]) => `[${title}](command:${command})`).join(" · ")].filter(Boolean).join("\n\n");
  const markdown = new MarkdownString(text);
  markdown.isTrusted = { enabledCommands: LINKS.map(([command]) => command) };
  return markdown;
}
