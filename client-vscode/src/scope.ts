/** The scope of a command: the open document, the only folder, or the folder that the user picks. */

import { Uri, window, workspace, type TextEditor } from "vscode";

/** Returns the URI of an editor's document; for a cell, that of its notebook. */
export function uriOf(editor: TextEditor | undefined): Uri | undefined {
  const uri = editor?.document.uri;
  if (uri?.scheme !== "vscode-notebook-cell") return uri;
  return workspace.notebookDocuments.find((notebook) => notebook.getCells().some((cell) => cell.document === editor?.document))?.uri;
}

/**
 * Returns the scope of a command: the open document or notebook, whose environment the server knows; or else the only folder, the
 * one that the user picks, or everything outside all folders (`null`). Returns `undefined` if the user cancels.
 */
export async function chosenScope(): Promise<Uri | null | undefined> {
  const uri = window.activeNotebookEditor?.notebook.uri ?? uriOf(window.activeTextEditor);
  const folders = workspace.workspaceFolders ?? [];
  if (uri && ["file", "untitled"].includes(uri.scheme)) return uri;
  if (folders.length > 1) return (await window.showWorkspaceFolderPick())?.uri;
  return folders[0]?.uri ?? null;
}

/** Normalizes a URI, because server and editor may write the same one differently (`c:` and `c%3A`). */
export function key(scopeUri: string | null): string {
  return scopeUri === null ? "" : Uri.parse(scopeUri).toString();
}
