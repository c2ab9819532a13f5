/** Which folder is meant: that of what is open, else the only one, else the one that the user picks. */

import { Uri, window, workspace, type TextEditor } from "vscode";

/** The address that tells where an editor's text lies: of a cell that is its notebook. */
export function placeOf(editor: TextEditor | undefined): Uri | undefined {
  const uri = editor?.document.uri;
  if (uri?.scheme !== "vscode-notebook-cell") return uri;
  return workspace.notebookDocuments.find((notebook) => notebook.getCells().some((cell) => cell.document === editor?.document))?.uri;
}

/**
 * What a command is about: the open document or notebook, whose environment the server knows, or else the only folder, or the one that
 * the user picks, or what is outside of every folder (`null`). `undefined` if the user wants none.
 */
export async function chosenScope(): Promise<Uri | null | undefined> {
  const place = window.activeNotebookEditor?.notebook.uri ?? placeOf(window.activeTextEditor);
  const folders = workspace.workspaceFolders ?? [];
  if (place && ["file", "untitled"].includes(place.scheme)) return place;
  if (folders.length > 1) return (await window.showWorkspaceFolderPick())?.uri;
  return folders[0]?.uri ?? null;
}

/** Server and editor may write the same URI differently (`c:` and `c%3A`). */
export function key(scopeUri: string | null): string {
  return scopeUri === null ? "" : Uri.parse(scopeUri).toString();
}
