/**
 * The API of ms-toolsai.jupyter: the Python of a notebook's kernel. Here a file `kernel.txt` next
 * to the notebook names it.
 */

const { EventEmitter, Uri, workspace } = require("vscode");
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

exports.activate = (context) => {
  const changed = new EventEmitter();
  const watcher = workspace.createFileSystemWatcher("**/kernel.txt");
  const notebooksNextTo = (file) => workspace.notebookDocuments.filter(({ uri }) => dirname(uri.fsPath) === dirname(file.fsPath));
  const notify = (file) => notebooksNextTo(file).forEach(({ uri }) => changed.fire(uri));
  context.subscriptions.push(changed, watcher, watcher.onDidChange(notify), watcher.onDidCreate(notify), watcher.onDidDelete(notify));
  return {
    onDidChangePythonEnvironment: changed.event,
    getPythonEnvironment: (notebook) => {
      try {
        const path = readFileSync(join(dirname(Uri.parse(notebook.toString()).fsPath), "kernel.txt"), "utf8").trim();
        return { id: path, path };
      } catch {
        return undefined;
      }
    },
  };
};
