/**
 * The Python that is selected for each folder. In order of precedence: the one that was chosen in WhyDLL, the selection of the
 * Python Environments extension, and that of the Python extension. Otherwise the server searches by itself. Only this file knows
 * where the selection comes from. The setting `whydll.interpreter` overrides them all, and is read by the server.
 */

import { isAbsolute } from "node:path";
import type { PythonExtension } from "@vscode/python-extension";
import {
  commands, ConfigurationTarget, EventEmitter, extensions, l10n, Uri, window, workspace,
  type Disposable, type Event, type LogOutputChannel, type Memento, type QuickPickItem, type WorkspaceFolder,
} from "vscode";

import { withoutIcons } from "./plain";

/** An item of `whydll.environments`. */
export interface ListedPython {
  path: string;
  label: string;
  reason: string;
  usable: boolean;
}

interface Provider {
  /** Returns the path of the interpreter, or of its environment's folder. */
  selected(scope: Uri | undefined): Promise<string | undefined>;
  onDidChange: Event<unknown>;
}

/** The part of ms-python.vscode-python-envs' exports that is used here. It exports nothing while it is disabled. */
interface EnvironmentsApi {
  getEnvironment(scope: Uri | undefined): Promise<{ environmentPath: Uri; execInfo?: { run: { executable: string } } } | undefined>;
  onDidChangeEnvironment: Event<unknown>;
}

/** The providers in order of precedence. */
const PROVIDERS: [id: string, adapt: (api: never) => Provider][] = [
  [
    "ms-python.vscode-python-envs",
    (api: EnvironmentsApi) => ({
      selected: async (scope) => {
        const environment = await api.getEnvironment(scope);
        return [environment?.execInfo?.run.executable, environment?.environmentPath.fsPath].find(isPath);
      },
      onDidChange: api.onDidChangeEnvironment,
    }),
  ],
  [
    "ms-python.python",
    ({ environments }: PythonExtension) => ({
      // A bare "python" means that nothing is selected.
      selected: (scope) => Promise.resolve([environments.getActiveEnvironmentPath(scope).path].find(isPath)),
      onDidChange: environments.onDidChangeActiveEnvironmentPath,
    }),
  ],
];

export class Interpreters implements Disposable {
  private readonly changed = new EventEmitter<void>();
  private readonly connected = new Map<string, Provider>();
  private readonly subscriptions: { dispose(): unknown }[] = [this.changed];
  readonly onDidChange = this.changed.event;

  /** `memory` belongs to the workspace on this machine, because a path of one machine must not end up in a repository. */
  constructor(
    private readonly log: LogOutputChannel,
    private readonly memory: Memento,
  ) {
    this.subscriptions.push(extensions.onDidChange(() => this.connect()));
    this.connect();
  }

  /**
   * Returns the selected interpreter, or `undefined` if there is no selection. Never fails. Everything outside all folders has
   * the interpreter of the window, or else that of the only folder, like in the Python extension.
   */
  async of(folder: WorkspaceFolder | undefined): Promise<string | undefined> {
    const only = workspace.workspaceFolders?.length === 1 ? workspace.workspaceFolders[0] : undefined;
    return (await this.selected(folder)) ?? (folder === undefined && only ? this.selected(only) : undefined);
  }

  private async selected(folder: WorkspaceFolder | undefined): Promise<string | undefined> {
    const chosen = this.memory.get<string>(memoryKey(folder));
    if (chosen !== undefined) return chosen;
    for (const [id] of PROVIDERS) {
      try {
        const path = await this.connected.get(id)?.selected(folder?.uri);
        if (path !== undefined) return path;
      } catch (error) {
        this.log.warn(`${id} failed to report the selected interpreter.`, error);
      }
    }
    return undefined;
  }

  /** Selects `path`, or lets the user choose, where the choice takes effect. */
  async choose(scope: Uri | undefined, path: string | undefined, find: () => Promise<ListedPython[]>): Promise<void> {
    const folder = scope ? workspace.getWorkspaceFolder(scope) : workspace.workspaceFolders?.[0];
    if (path !== undefined) return this.select(folder, path);
    const python = extensions.getExtension("ms-python.python") !== undefined;
    const isChosen = isSet(folder) || this.memory.get(memoryKey(folder)) !== undefined;
    if (python && !isChosen) {
      await commands.executeCommand("python.setInterpreter");
      return;
    }
    // Without a server, the file dialog still works.
    const found = await find().catch((): ListedPython[] => []);
    const listed = found.map(({ path, label, reason, usable }) => ({
      label: `$(${usable ? "file" : "warning"}) ${withoutIcons(label)}`,
      description: withoutIcons(path),
      detail: withoutIcons(reason),
      path,
    }));
    const follow = { label: `$(sync) ${python ? l10n.t("Follow the Python extension") : l10n.t("Let WhyDLL find it")}`, follow: true };
    const browse = { label: `$(folder) ${l10n.t("Browse…")}`, browse: true };
    const picks: (QuickPickItem & { path?: string; follow?: boolean; browse?: boolean })[] = [...(isChosen ? [follow] : []), ...listed, browse];
    const title = isSet(folder) ? l10n.t("Choose interpreter (whydll.interpreter is set and overrides any other selection)") : l10n.t("Choose interpreter");
    const choice = await window.showQuickPick(picks, { title, matchOnDescription: true, matchOnDetail: true });
    if (choice?.follow) await this.select(folder, undefined);
    if (choice?.path !== undefined) await this.select(folder, choice.path);
    if (choice?.browse) {
      const filters = process.platform === "win32" ? { Python: ["exe"] } : {};
      const picked = await window.showOpenDialog({ title: l10n.t("Choose the Python Interpreter"), openLabel: l10n.t("Choose"), filters });
      if (picked?.[0]) await this.select(folder, picked[0].fsPath);
    }
  }

  /** Selects an interpreter. If the setting is set, it is changed, because it overrides the choice. */
  private async select(folder: WorkspaceFolder | undefined, path: string | undefined): Promise<void> {
    if (isSet(folder)) await writeSetting(folder, path);
    await this.memory.update(memoryKey(folder), isSet(folder) ? undefined : path);
    this.changed.fire();
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private connect(): void {
    for (const [id, adapt] of PROVIDERS) void this.connectTo(id, adapt);
  }

  private async connectTo(id: string, adapt: (api: never) => Provider): Promise<void> {
    try {
      const api = await extensions.getExtension<unknown>(id)?.activate();
      if (api === undefined || this.connected.has(id)) return;
      const provider = adapt(api as never);
      this.connected.set(id, provider);
      this.subscriptions.push(provider.onDidChange(() => this.changed.fire()));
      this.changed.fire();
    } catch (error) {
      this.log.warn(`${id} is not available; interpreters are found without it.`, error);
    }
  }
}

/** Returns the key of a folder's choice in the memory. */
function memoryKey(folder: WorkspaceFolder | undefined): string {
  return `interpreter ${folder?.uri.toString() ?? ""}`;
}

function isSet(folder: WorkspaceFolder | undefined): boolean {
  return workspace.getConfiguration("whydll", folder).get("interpreter", "").trim() !== "";
}

/** Changes the setting on the level where it is set. Clearing it clears every level. */
async function writeSetting(folder: WorkspaceFolder | undefined, value: string | undefined): Promise<void> {
  const configuration = workspace.getConfiguration("whydll", folder);
  const at = configuration.inspect("interpreter");
  const levels: ConfigurationTarget[] = [];
  if (at?.workspaceFolderValue !== undefined) levels.push(ConfigurationTarget.WorkspaceFolder);
  if (at?.workspaceValue !== undefined) levels.push(ConfigurationTarget.Workspace);
  if (at?.globalValue !== undefined) levels.push(ConfigurationTarget.Global);
  const targets = value === undefined ? levels : levels.slice(0, 1);
  for (const target of targets) await configuration.update("interpreter", value, target);
}

function isPath(path: string | undefined): path is string {
  return path !== undefined && isAbsolute(path);
}
