/** The API of ms-python.python: the selected interpreter of a folder, and its changes. */

const { commands, EventEmitter, window, workspace } = require("vscode");

const changed = new EventEmitter();
/** The selections since the start, by folder. */
const selected = new Map();

function folderOf(resource) {
  const uri = resource?.uri ?? resource;
  return (uri && workspace.getWorkspaceFolder(uri)) ?? workspace.workspaceFolders?.[0];
}

function active(resource) {
  const folder = folderOf(resource);
  const path = selected.get(folder?.uri.toString()) ?? workspace.getConfiguration("python", folder).get("defaultInterpreterPath");
  return { id: path, path };
}

function select(folder, path) {
  selected.set(folder?.uri.toString(), path);
  changed.fire({ ...active(folder), resource: folder });
}

exports.activate = (context) => {
  context.subscriptions.push(
    changed,
    commands.registerCommand("python.setInterpreter", async () => {
      const folder = folderOf(window.activeTextEditor?.document.uri);
      const path = await window.showInputBox({ title: "Select Interpreter", prompt: "Enter the path of a Python interpreter", ignoreFocusOut: true });
      if (path) select(folder, path);
    }),
    workspace.onDidChangeConfiguration((event) => {
      for (const folder of workspace.workspaceFolders ?? [undefined]) {
        if (event.affectsConfiguration("python.defaultInterpreterPath", folder)) select(folder, undefined);
      }
    }),
  );
  return {
    ready: Promise.resolve(),
    environments: {
      getActiveEnvironmentPath: active,
      onDidChangeActiveEnvironmentPath: changed.event,
      updateActiveEnvironmentPath: async (environment, resource) => select(folderOf(resource), environment.path ?? environment),
      known: [],
      onDidChangeEnvironments: new EventEmitter().event,
      refreshEnvironments: async () => {},
      resolveEnvironment: async () => undefined,
      getEnvironmentVariables: () => ({}),
      onDidEnvironmentVariablesChange: new EventEmitter().event,
    },
  };
};
