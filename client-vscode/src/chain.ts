/** The DLL chain of an import in an editor of its own: a page without scripts that the server renders. */

import { commands, env, l10n, Uri, ViewColumn, window, type Disposable, type WebviewPanel } from "vscode";
import { key } from "./scope";

/** The server's answer to `whydll.chainPage`. */
export interface Page {
  /** The imported package; `null` if the page says why there is nothing to draw. */
  package: string | null;
  /** The folder or notebook of the environment. */
  scopeUri: string | null;
  html: string;
}

/** The commands that links in the page may run. */
const LINKS = ["whydll.revealFile"];

export class ChainPanel implements Disposable {
  private panel: WebviewPanel | undefined;
  /** The chain that is shown. It is requested again whenever its environment changes. */
  private shown: { scope: Uri | null; page: Page } | undefined;
  private outdated = false;
  private round = 0;

  constructor(private readonly ask: (scope: Uri | null, name?: string) => Promise<Page>) {}

  /** Shows the chain and takes the focus, because the user requested it. */
  async show(scope: Uri | null, name?: string): Promise<void> {
    const page = await this.ask(scope, name);
    this.panel ??= this.create();
    this.draw(scope, page);
    this.panel.reveal();
  }

  /** Updates the shown chain after a change of this environment, without moving the focus or revealing the panel. */
  async refresh(scopeUri: string | null): Promise<void> {
    if (!this.panel || !this.shown || key(this.shown.page.scopeUri) !== key(scopeUri)) return;
    if (!this.panel.visible) {
      this.outdated = true;
      return;
    }
    this.outdated = false;
    const round = ++this.round;
    const { scope, page } = this.shown;
    const now = await this.ask(scope, page.package ?? undefined);
    if (round === this.round) this.draw(scope, now);
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private draw(scope: Uri | null, page: Page): void {
    this.round++;
    if (!this.panel) return;
    const name = page.package ?? this.shown?.page.package ?? null;
    // Assigning the page scrolls it to the top.
    if (this.panel.webview.html !== page.html) this.panel.webview.html = page.html;
    this.panel.title = name === null ? l10n.t("DLL Chain") : l10n.t("DLL Chain: {0}", name);
    this.shown = { scope, page: { ...page, package: name } };
  }

  private create(): WebviewPanel {
    const options = { enableCommandUris: LINKS, enableFindWidget: true, localResourceRoots: [] };
    const panel = window.createWebviewPanel("whydll.chain", l10n.t("DLL Chain"), ViewColumn.Active, options);
    panel.onDidDispose(() => {
      this.panel = undefined;
      this.shown = undefined;
    });
    panel.onDidChangeViewState(() => {
      if (panel.visible && this.outdated) void this.refresh(this.shown?.page.scopeUri ?? null);
    });
    return panel;
  }
}

/** Reveals a file in the file manager, or copies its path in a browser, which has no file manager. */
export async function revealFile({ path }: { path?: string }): Promise<void> {
  if (path === undefined) return;
  try {
    await commands.executeCommand("revealFileInOS", Uri.file(path));
  } catch {
    await env.clipboard.writeText(path);
    window.setStatusBarMessage(l10n.t("Copied {0}", path), 5000);
  }
}
