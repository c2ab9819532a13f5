/** The Python that runs the cells of a notebook, according to the Jupyter extension, which knows its kernel. */

import { isAbsolute } from "node:path";
import { EventEmitter, extensions, Uri, workspace, type Disposable, type Event, type LogOutputChannel } from "vscode";

/** The part of ms-toolsai.jupyter's exports that is used here. */
interface JupyterApi {
  getPythonEnvironment?(notebook: Uri): { path: string } | undefined;
  onDidChangePythonEnvironment?: Event<Uri>;
}

const JUPYTER = "ms-toolsai.jupyter";

export class Kernels implements Disposable {
  private readonly changed = new EventEmitter<void>();
  private jupyter: JupyterApi | undefined;
  private readonly subscriptions: { dispose(): unknown }[] = [
    this.changed,
    extensions.onDidChange(() => void this.connect()),
    workspace.onDidOpenNotebookDocument(() => {
      void this.connect();
      this.changed.fire();
    }),
    workspace.onDidCloseNotebookDocument(() => this.changed.fire()),
  ];
  readonly onDidChange = this.changed.event;

  constructor(private readonly log: LogOutputChannel) {
    void this.connect();
  }

  /** Returns the interpreters of the open notebooks whose kernels are known, by the notebook's URI. */
  all(): Map<string, string> {
    const known = new Map<string, string>();
    for (const { uri } of workspace.notebookDocuments) {
      const path = this.jupyter?.getPythonEnvironment?.(uri)?.path;
      if (path !== undefined && isAbsolute(path)) known.set(uri.toString(), path);
    }
    return known;
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  /** Connects to the Jupyter extension if it is active or a notebook is open, which activates it anyway. */
  private async connect(): Promise<void> {
    const extension = extensions.getExtension<JupyterApi>(JUPYTER);
    if (this.jupyter || !extension || (!extension.isActive && workspace.notebookDocuments.length === 0)) return;
    try {
      this.connected(await extension.activate());
    } catch (error) {
      this.log.warn(`${JUPYTER} is not available; notebooks are checked with their folder's Python.`, error);
    }
  }

  /** Subscribes to the extension. Two calls may have waited for its activation. */
  private connected(api: JupyterApi): void {
    if (this.jupyter) return;
    this.jupyter = api;
    const changes = api.onDidChangePythonEnvironment?.(() => this.changed.fire());
    if (changes) this.subscriptions.push(changes);
    this.changed.fire();
  }
}
