/** The health of the environment that the shown file's imports run in, in the status bar. */

import {
  commands, l10n, MarkdownString, StatusBarAlignment, ThemeColor, Uri, window, workspace, type Disposable, type TextEditor,
} from "vscode";
import { withoutIcons } from "./plain";
import { key, placeOf } from "./scope";

/** `whydll/health`, as the server sends it. */
export interface Health {
  scopeUri: string | null;
  state: "checking" | "healthy" | "degraded" | "broken" | "unknown" | "notApplicable";
  /** In a few words: what is broken, if something is. */
  label: string;
  summary: string;
  /** All that is known, in Markdown. */
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

/** What the links of the tooltip may do. */
const LINKS: [command: string, title: string][] = [
  ["whydll.showReport", l10n.t("Show report")],
  ["whydll.showChain", l10n.t("Show DLL chain")],
  ["whydll.chooseInterpreter", l10n.t("Choose interpreter")],
];

export class Status implements Disposable {
  private readonly item = window.createStatusBarItem("health", StatusBarAlignment.Right, 100);
  private readonly healthOf = new Map<string, Health>();
  /** Why no server runs, if none can be started. */
  private stopped: { reason: string; command: string } | undefined;
  private readonly subscriptions = [
    window.onDidChangeActiveTextEditor(() => this.showActive()),
    // A text of which the language becomes another one is opened anew, in the editor where it is.
    workspace.onDidOpenTextDocument(() => this.showActive()),
    workspace.onDidChangeWorkspaceFolders(() => this.showActive()),
  ];

  constructor() {
    this.item.name = "WhyDLL";
  }

  /** Answers what was known before. */
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

  /** There is no server, and `command` helps. */
  failed(reason: string, command: string): void {
    this.stopped = { reason, command };
    this.clear();
  }

  /** A notebook with a kernel of its own was closed. */
  forget(scopeUri: string): void {
    this.healthOf.delete(key(scopeUri));
  }

  dispose(): void {
    this.item.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  /** What is shown stays while the focus is in no editor. */
  private showActive(): void {
    if (window.activeTextEditor) this.show(window.activeTextEditor);
  }

  private show(editor: TextEditor | undefined): void {
    // An output panel takes the editor's place while it is read; that is no reason to hide.
    if (editor?.document.uri.scheme === "output") return;
    const isPython = editor?.document.languageId === "python";
    const health = isPython ? this.healthAt(placeOf(editor)) : undefined;
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

  private healthAt(place: Uri | undefined): Health | undefined {
    const folder = place && workspace.getWorkspaceFolder(place);
    const known = [place, folder?.uri].map((uri) => uri && this.healthOf.get(key(uri.toString())));
    return known.find((health) => health !== undefined) ?? this.healthOf.get(key(null));
  }
}

/** What the server tells, and links to what can be done about it. */
function tooltip({ details, state }: Health): MarkdownString {
  const links = state === "checking" ? [] : LINKS;
  const text = [details, links.map(([command, title]) => `[${title}](command:${command})`).join(" · ")].filter(Boolean).join("\n\n");
  const markdown = new MarkdownString(text);
  markdown.isTrusted = { enabledCommands: LINKS.map(([command]) => command) };
  return markdown;
}
