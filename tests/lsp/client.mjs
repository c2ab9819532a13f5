/**
 * A language client for tests. It uses Microsoft's own protocol library, so what passes here is
 * what an editor understands. It waits for states rather than for time, and reports what it
 * received if a state isn't reached.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TextDocument } from "vscode-languageserver-textdocument";
import {
  createProtocolConnection,
  ErrorCodes,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver-protocol/node";

export const PATIENCE = 20_000;

/** The cache, which is new for each run of the tests. */
const CACHE = mkdtempSync(join(tmpdir(), "whydll-cache-"));
process.on("exit", () => rmSync(CACHE, { recursive: true, force: true }));

const CAPABILITIES = {
  general: { positionEncodings: ["utf-16"] },
  workspace: {
    applyEdit: true,
    configuration: true,
    didChangeConfiguration: { dynamicRegistration: true },
    didChangeWatchedFiles: { dynamicRegistration: true },
    workspaceFolders: true,
    workspaceEdit: { documentChanges: true, resourceOperations: ["create", "rename", "delete"] },
  },
  textDocument: {
    synchronization: { didSave: true },
    publishDiagnostics: { relatedInformation: true, versionSupport: true, codeDescriptionSupport: true, dataSupport: true },
    codeAction: {
      codeActionLiteralSupport: { codeActionKind: { valueSet: ["quickfix"] } },
      isPreferredSupport: true,
      dataSupport: true,
    },
    hover: { contentFormat: ["markdown", "plaintext"] },
  },
  notebookDocument: { synchronization: { dynamicRegistration: true, executionSummarySupport: true } },
  window: { workDoneProgress: true, showDocument: { support: true }, showMessage: {} },
};

/** Every request that a server may send gets an answer. */
const ANSWERS = {
  "workspace/configuration": (client, { items }) => items.map(({ section }) => lookUp({ whydll: client.settings }, section)),
  "workspace/workspaceFolders": (client) => client.folders,
  "workspace/applyEdit": () => ({ applied: true }),
  "client/registerCapability": () => null,
  "client/unregisterCapability": () => null,
  "window/workDoneProgress/create": () => null,
  "window/showDocument": () => ({ success: true }),
  "window/showMessageRequest": () => null,
};

export class Client {
  /** Everything that the server sent, oldest first: `{ method, params }`. */
  received = [];
  stderr = "";
  settings = {};
  folders = null;
  #diagnostics = new Map();
  #health = new Map();
  #watchers = new Set();
  #gone;

  /** Starts `WHYDLL_BIN server --stdio`, or another program. */
  constructor({ program = process.env.WHYDLL_BIN, args = ["server", "--stdio"], env = {}, cwd } = {}) {
    if (!program) throw new Error("WHYDLL_BIN must name the whydll program");
    this.process = spawn(program, args, { env: { ...process.env, WHYDLL_CACHE_DIR: CACHE, ...env }, cwd });
    this.process.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.process.stdin.on("error", () => {}); // A server that left early is reported as such, not as a broken pipe.
    /** `{ code, signal }`, once the server is gone. */
    this.exited = new Promise((resolve, reject) => {
      this.process.on("error", reject);
      this.process.on("close", (code, signal) => resolve({ code, signal }));
    });
    this.exited.then(
      (end) => this.#abandon(`the server left with ${JSON.stringify(end)}`),
      (error) => this.#abandon(error.message),
    );

    const reader = new StreamMessageReader(this.process.stdout);
    // A server may end in the middle of a message. The reader would wait for the rest with one
    // timer after another, even after it was disposed, and keep this process alive.
    reader.partialMessageTimeout = 0;
    this.connection = createProtocolConnection(reader, new StreamMessageWriter(this.process.stdin));
    this.connection.onRequest((method, params) => {
      this.#note(method, params);
      if (method in ANSWERS) return ANSWERS[method](this, params);
      return new ResponseError(ErrorCodes.MethodNotFound, `the test client knows no ${method}`);
    });
    this.connection.onNotification((method, params) => {
      if (method === "textDocument/publishDiagnostics") this.#diagnostics.set(params.uri, params);
      if (method === "whydll/health") this.#health.set(params.scopeUri, params);
      this.#note(method, params);
    });
    this.connection.onError(([error]) => this.#note("(not understood)", error.message));
    this.connection.listen();
  }

  async initialize({ settings = {}, folders = null, clientCommands = [], processId = process.pid, resourceOperations, notebooks } = {}) {
    this.settings = settings;
    this.folders = folders?.map((uri) => ({ uri, name: decodeURIComponent(uri.split("/").at(-1)) })) ?? null;
    const result = await this.request("initialize", {
      processId,
      clientInfo: { name: "whydll-lsp-tests" },
      rootUri: folders?.[0] ?? null,
      workspaceFolders: this.folders,
      capabilities: abilities({ resourceOperations, notebooks }),
      initializationOptions: { settings, clientCommands },
    });
    this.notify("initialized", {});
    return result;
  }

  save(document) {
    this.notify("textDocument/didSave", { textDocument: { uri: document.uri } });
  }

  /** Changes the settings, as a user does in the editor. */
  configure(settings) {
    this.settings = settings;
    this.notify("workspace/didChangeConfiguration", { settings: { whydll: settings } });
  }

  open(uri, text) {
    return new OpenDocument(this, uri, text);
  }

  /** Cells are `{ kind: 1 | 2, text }`, or the source of a code cell. */
  openNotebook(uri, cells) {
    return new OpenNotebook(this, uri, cells);
  }

  /**
   * The diagnostics of the document's current version, as soon as some are published that satisfy `wanted`.
   * @returns {Promise<import("vscode-languageserver-protocol").Diagnostic[]>}
   */
  async diagnostics(document, wanted = () => true) {
    const published = await this.until(`diagnostics of version ${document.version} of ${document.uri}`, () => {
      const latest = this.#diagnostics.get(document.uri);
      return latest?.version === document.version && wanted(latest.diagnostics) ? latest : undefined;
    });
    return published.diagnostics;
  }

  health(state, scopeUri = this.folders?.[0].uri ?? null) {
    return this.until(`health "${state}" of ${scopeUri}`, () => {
      const latest = this.#health.get(scopeUri);
      return latest?.state === state ? latest : undefined;
    });
  }

  /** The next message with that method; earlier ones don't count. */
  next(method) {
    const from = this.received.length;
    return this.until(method, () => this.received.slice(from).find((message) => message.method === method)?.params);
  }

  codeActions(document, diagnostic) {
    const context = { diagnostics: [diagnostic], only: ["quickfix"], triggerKind: 1 };
    return this.request("textDocument/codeAction", { textDocument: { uri: document.uri }, range: diagnostic.range, context });
  }

  hover(document, position) {
    return this.request("textDocument/hover", { textDocument: { uri: document.uri }, position });
  }

  execute({ command, arguments: args }) {
    return this.request("workspace/executeCommand", { command, arguments: args });
  }

  notify(method, params) {
    // If the server has ended, the code that waits for an answer reports it.
    this.connection.sendNotification(method, ...given(params)).catch(() => {});
  }

  request(method, params) {
    let outcome;
    const settled = (set) => (value) => {
      outcome = set(value);
      this.#look();
    };
    this.connection.sendRequest(method, ...given(params)).then(
      settled((value) => ({ value })),
      settled((error) => ({ error })),
    );
    return this.until(`the answer to ${method}`, () => outcome).then(({ value, error }) => {
      if (error) throw error;
      return value;
    });
  }

  /** Resolves once `probe` returns something. It is called again after each message of the server. */
  until(what, probe, patience = PATIENCE) {
    return new Promise((resolve, reject) => {
      const settle = (act, value) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        act(value);
      };
      const from = this.received.length;
      const watcher = {
        look: () => {
          const found = probe();
          if (found !== undefined) settle(resolve, found);
        },
        abandon: (why) => settle(reject, new Error(`Waited for ${what}: ${why}.\n${this.#account(from)}`)),
      };
      const timer = setTimeout(() => watcher.abandon(`nothing within ${patience} ms`), patience);
      this.#watchers.add(watcher);
      watcher.look();
      if (this.#gone && this.#watchers.has(watcher)) watcher.abandon(this.#gone);
    });
  }

  /** How the server ended: `{ code, signal }`. Fails if it does not. */
  end(patience = PATIENCE) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`The server is still there.\n${this.#account(0)}`)), patience);
      this.exited.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** Ends the server as an editor does. The process is gone afterwards in any case. */
  async stop() {
    try {
      if (!this.#gone) {
        await this.request("shutdown");
        this.notify("exit");
        await this.end();
      }
    } finally {
      this.process.kill("SIGKILL");
      await this.exited;
      this.connection.dispose();
    }
    if (/panicked at/.test(this.stderr)) throw new Error(`The server panicked.\n${this.stderr}`);
  }

  #note(method, params) {
    this.received.push({ method, params });
    this.#look();
  }

  #look() {
    for (const watcher of [...this.#watchers]) watcher.look();
  }

  #abandon(why) {
    this.#gone = why;
    for (const watcher of [...this.#watchers]) watcher.abandon(why);
  }

  #account(from) {
    const shorten = (text, length) => (text.length > length ? `${text.slice(0, length)}…` : text);
    const list = (messages) => messages.map(({ method, params }) => `  ${method} ${shorten(JSON.stringify(params) ?? "", 400)}`);
    return [
      "Came before:",
      ...list(this.received.slice(0, from).slice(-5)),
      "Came instead:",
      ...list(this.received.slice(from).slice(-10)),
      "Standard error:",
      this.stderr.slice(-2000) || "  (empty)",
    ].join("\n");
  }
}

/**
 * A document in the editor: each edit changes the mirrored content, and is sent to the server as an
 * incremental change.
 */
export class OpenDocument {
  #client;
  #mirror;
  #notebook;

  /** A cell is opened and announced by its notebook. */
  constructor(client, uri, text, notebook) {
    this.#client = client;
    this.#mirror = TextDocument.create(uri, "python", 1, text);
    this.#notebook = notebook;
    if (!notebook) client.notify("textDocument/didOpen", { textDocument: this.item });
  }

  get item() {
    return { uri: this.uri, languageId: "python", version: this.version, text: this.text };
  }

  get uri() {
    return this.#mirror.uri;
  }

  get version() {
    return this.#mirror.version;
  }

  get text() {
    return this.#mirror.getText();
  }

  /** Content changes in LSP's own form; one without a range replaces everything. */
  change(...contentChanges) {
    TextDocument.update(this.#mirror, contentChanges, this.version + 1);
    this.#send(contentChanges);
  }

  #send(contentChanges) {
    const textDocument = { uri: this.uri, version: this.version };
    if (this.#notebook) return this.#notebook.edited(textDocument, contentChanges);
    this.#client.notify("textDocument/didChange", { textDocument, contentChanges });
  }

  insert(offset, text) {
    this.replace(offset, offset, text);
  }

  replace(start, end, text) {
    const range = { start: this.#mirror.positionAt(start), end: this.#mirror.positionAt(end) };
    this.change({ range, text });
  }

  /** The range of the first occurrence of some text. */
  rangeOf(text) {
    const at = this.text.indexOf(text);
    if (at < 0) throw new Error(`${JSON.stringify(text)} is not in the document`);
    return { start: this.#mirror.positionAt(at), end: this.#mirror.positionAt(at + text.length) };
  }

  /** The content after a WorkspaceEdit; the document itself isn't changed. */
  applyEdit({ changes, documentChanges }) {
    const edits = documentChanges
      ? documentChanges.filter(({ textDocument }) => textDocument.uri === this.uri).flatMap((change) => change.edits)
      : (changes?.[this.uri] ?? []);
    if (edits.length === 0) throw new Error(`the edit leaves ${this.uri} alone`);
    return TextDocument.applyEdits(this.#mirror, edits);
  }

  close() {
    this.#client.notify("textDocument/didClose", { textDocument: { uri: this.uri } });
  }
}

/** A notebook in the editor. Its cells have URIs like those of VS Code. */
export class OpenNotebook {
  #client;
  #uri;
  #version = 1;
  #last = 0;
  cells;

  constructor(client, uri, cells) {
    this.#client = client;
    this.#uri = uri;
    this.cells = cells.map((cell) => this.#cell(cell));
    client.notify("notebookDocument/didOpen", this.opening);
  }

  /** Its description for the server. */
  get opening() {
    const notebookDocument = { uri: this.#uri, notebookType: "jupyter-notebook", version: this.#version, cells: this.cells.map(listed) };
    return { notebookDocument, cellTextDocuments: this.cells.map(({ document }) => document.item) };
  }

  /** Replaces cells from a position on by others: new ones, or ones that were removed and stay open. */
  splice(start, deleteCount, ...put) {
    const cells = put.map((cell) => (cell.document ? cell : this.#cell(cell)));
    const removed = this.cells.splice(start, deleteCount, ...cells);
    const opened = cells.filter((cell) => !put.includes(cell));
    this.#notifyChange({
      structure: {
        array: { start, deleteCount, cells: cells.map(listed) },
        didOpen: opened.map(({ document }) => document.item),
        didClose: [],
      },
    });
    return removed;
  }

  edited(document, changes) {
    this.#notifyChange({ textContent: [{ document, changes }] });
  }

  save() {
    this.#client.notify("notebookDocument/didSave", { notebookDocument: { uri: this.#uri } });
  }

  close() {
    const cellTextDocuments = this.cells.map(({ document }) => ({ uri: document.uri }));
    this.#client.notify("notebookDocument/didClose", { notebookDocument: { uri: this.#uri }, cellTextDocuments });
  }

  #cell(cell) {
    const { kind, text } = typeof cell === "string" ? { kind: 2, text: cell } : cell;
    const uri = `${this.#uri.replace(/^file:/, "vscode-notebook-cell:")}#W${this.#last++}sZmlsZQ==`;
    return { kind, document: new OpenDocument(this.#client, uri, text, this) };
  }

  #notifyChange(cells) {
    this.#version += 1;
    this.#client.notify("notebookDocument/didChange", {
      notebookDocument: { uri: this.#uri, version: this.#version },
      change: { cells },
    });
  }
}

/** A cell as listed by a notebook. */
const listed = ({ kind, document }) => ({ kind, document: document.uri });

/** An editor that does these things to files, and one that has no notebooks. */
function abilities({ resourceOperations, notebooks = true }) {
  const { workspace, notebookDocument, ...others } = CAPABILITIES;
  const workspaceEdit = { ...workspace.workspaceEdit, ...(resourceOperations && { resourceOperations }) };
  return { ...others, workspace: { ...workspace, workspaceEdit }, ...(notebooks && { notebookDocument }) };
}

/** The library would send an absent parameter as `[null]`. */
function given(params) {
  return params === undefined ? [] : [params];
}

/** `whydll.host` in `{ whydll: { host } }`. */
function lookUp(settings, section) {
  return section.split(".").reduce((value, name) => value?.[name] ?? null, settings);
}
