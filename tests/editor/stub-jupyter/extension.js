/** What other extensions see of ms-toolsai.jupyter: in which Python a notebook's kernel runs. Here a file `kernel.txt` beside it says so. */

const { EventEmitter, Uri, workspace } = require("vscode");
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

exports.activate = (context) => {
  const changed = new EventEmitter();
  const watcher = workspace.createFileSystemWatcher("**/kernel.txt");
  const notebooksBeside = (file) => workspace.notebookDocuments.filter(({ uri }) => dirname(uri.fsPath) === dirname(file.fsPath));
  const tell = (file) => notebooksBeside(file).forEach(({ uri }) => changed.fire(uri));
  context.subscriptions.push(changed, watcher, watcher.onDidChange(tell), watcher.onDidCreate(tell), watcher.onDidDelete(tell));
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
