/** The health of the environment that the shown file's imports run in: in the status bar, and as a status of the language. */

import {
  l10n, languages, LanguageStatusSeverity, MarkdownString, StatusBarAlignment, ThemeColor, Uri, window, workspace,
  type Disposable, type TextEditor,
} from "vscode";
import { placeOf } from "./scope";

/** `whydll/health`, as the server sends it. */
export interface Health {
  scopeUri: string | null;
  state: "checking" | "healthy" | "degraded" | "broken" | "unknown";
  summary: string;
  /** All that is known, in Markdown. */
  details: string;
  /** Python's. */
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

const SEVERITY: Partial<Record<Health["state"], LanguageStatusSeverity>> = {
  degraded: LanguageStatusSeverity.Warning,
  broken: LanguageStatusSeverity.Error,
};

const BACKGROUND: Partial<Record<Health["state"], ThemeColor>> = {
  degraded: new ThemeColor("statusBarItem.warningBackground"),
  broken: new ThemeColor("statusBarItem.errorBackground"),
};

export class Status implements Disposable {
  private readonly item = window.createStatusBarItem("health", StatusBarAlignment.Left);
  private readonly language = languages.createLanguageStatusItem("whydll.health", { language: "python" });
  private readonly healthOf = new Map<string, Health>();
  private readonly subscriptions = [
    window.onDidChangeActiveTextEditor(() => this.showActive()),
    // A text of which the language becomes another one is opened anew, in the editor where it is.
    workspace.onDidOpenTextDocument(() => this.showActive()),
    workspace.onDidChangeWorkspaceFolders(() => this.showActive()),
  ];

  constructor() {
    this.item.name = "WhyDLL";
    this.item.command = "whydll.showMenu";
    this.language.name = "WhyDLL";
    this.language.command = { command: "whydll.showMenu", title: l10n.t("More") };
    this.showLanguage(undefined);
  }

  /** Answers what was known before. */
  update(health: Health): Health | undefined {
    const before = this.healthOf.get(key(health.scopeUri));
    this.healthOf.set(key(health.scopeUri), health);
    this.show(window.activeTextEditor);
    return before;
  }

  clear(): void {
    this.healthOf.clear();
    this.item.hide();
    this.showLanguage(undefined);
  }

  dispose(): void {
    this.item.dispose();
    this.language.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  /** What is shown stays while the focus is in no editor. */
  private showActive(): void {
    if (window.activeTextEditor) this.show(window.activeTextEditor);
  }

  private show(editor: TextEditor | undefined): void {
    // An output panel takes the editor's place while it is read; that is no reason to hide.
    if (editor?.document.uri.scheme === "output") return;
    const place = placeOf(editor);
    const folder = place && workspace.getWorkspaceFolder(place);
    const health = this.healthOf.get(key(folder?.uri.toString() ?? null)) ?? this.healthOf.get(key(null));
    if (editor?.document.languageId !== "python" || !health) {
      this.item.hide();
      return;
    }
    this.item.text = `${ICON[health.state]} WhyDLL: ${word(health.state)}`;
    this.item.tooltip = new MarkdownString(health.details);
    this.item.accessibilityInformation = { label: `WhyDLL: ${word(health.state)}. ${health.summary}`, role: "button" };
    this.item.backgroundColor = BACKGROUND[health.state];
    this.item.show();
    this.showLanguage(health);
  }

  private showLanguage(health: Health | undefined): void {
    this.language.text = health ? `WhyDLL: ${word(health.state)}` : "WhyDLL";
    this.language.detail = health ? inShort(health) : l10n.t("not running");
    this.language.severity = (health && SEVERITY[health.state]) ?? LanguageStatusSeverity.Information;
    this.language.busy = health?.state === "checking";
  }
}

function word(state: Health["state"]): string {
  switch (state) {
    case "checking": return l10n.t("checking");
    case "healthy": return l10n.t("healthy");
    case "degraded": return l10n.t("degraded");
    case "broken": return l10n.t("broken");
    case "unknown": return l10n.t("unknown");
  }
}

/** The window cuts off what is longer. The whole sentence is in the tooltip of the status bar's item. */
function inShort({ version, findings, summary }: Health): string {
  return version === null ? summary : `Python ${version}, ${l10n.t("findings")}: ${String(findings)}`;
}

/** Server and editor may write the same URI differently (`c:` and `c%3A`). */
function key(scopeUri: string | null): string {
  return scopeUri === null ? "" : Uri.parse(scopeUri).toString();
}
