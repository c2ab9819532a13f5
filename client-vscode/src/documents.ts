/** Virtual documents for the server's Markdown, which can be read, searched, and copied. */

import { commands, EventEmitter, Uri, workspace, type Disposable, type TextDocumentContentProvider } from "vscode";

const SCHEME = "whydll";

export class Documents implements TextDocumentContentProvider, Disposable {
  private readonly changed = new EventEmitter<Uri>();
  private readonly texts = new Map<string, string>();
  private readonly registration = workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(uri: Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  /** Shows a document as a preview. It replaces an earlier one with the same title. */
  async show(title: string, markdown: string): Promise<void> {
    const uri = Uri.from({ scheme: SCHEME, path: `/${title}.md` });
    this.texts.set(uri.path, markdown);
    this.changed.fire(uri);
    await commands.executeCommand("markdown.showPreview", uri);
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}
