/**
 * A client that makes its own frames, so that it can break them: no library sends a wrong length,
 * or half a message, or stops reading. It keeps every message in the order of arrival, and answers
 * none.
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import * as library from "./client.mjs";

const PATIENCE = library.PATIENCE * Number(process.env.WHYDLL_PATIENCE ?? 1);

/** Capabilities of an editor that cause no requests from the server. */
const CAPABILITIES = {
  textDocument: { publishDiagnostics: { relatedInformation: true, versionSupport: true } },
  notebookDocument: { synchronization: {} },
};

/** A message with its header. */
export function frame(message) {
  const body = Buffer.from(typeof message === "string" ? message : JSON.stringify(message));
  return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]);
}

export class RawClient {
  static #running = new Set();
  /** Everything that the server sent, oldest first. */
  received = [];
  stderr = "";
  #answers = new Map();
  #diagnostics = new Map();
  #health = new Map();
  #unread = [];
  #watchers = new Set();
  #lastId = 0;
  #gone;

  constructor({ program = process.env.WHYDLL_BIN, args = ["server", "--stdio"], env = {} } = {}) {
    const ours = { ...process.env, VIRTUAL_ENV: undefined, CONDA_PREFIX: undefined, PYTHONPATH: undefined };
    this.process = spawn(program, args, { env: { ...ours, ...env } });
    this.process.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.process.stdin.on("error", () => {}); // Reported where an answer is awaited.
    this.process.stdout.on("data", (bytes) => this.#take(bytes));
    RawClient.#running.add(this);
    /** `{ code, signal }`, once the server is gone. */
    this.exited = new Promise((resolve) =>
      this.process.on("exit", (code, signal) => resolve({ code, signal })),
    );
    this.exited.then((end) => {
      this.#gone = `the server left with ${JSON.stringify(end)}`;
      for (const watcher of [...this.#watchers]) watcher.abandon(this.#gone);
    });
  }

  async initialize({ settings = {}, folders = null, processId = null, capabilities = CAPABILITIES } = {}) {
    const workspaceFolders = folders?.map((uri) => ({ uri, name: "folder" })) ?? null;
    const initializationOptions = { settings };
    const answer = await this.request("initialize", {
      processId,
      rootUri: null,
      workspaceFolders,
      capabilities,
      initializationOptions,
    });
    this.notify("initialized", {});
    return answer;
  }

  /** Writes bytes unchanged. Returns whether the pipe accepts more at once. */
  write(bytes) {
    return this.process.stdin.write(bytes);
  }

  send(message) {
    return this.write(frame({ jsonrpc: "2.0", ...message }));
  }

  notify(method, params) {
    return this.send({ method, params });
  }

  /** Sends a request. Returns its id. */
  ask(method, params, id = (this.#lastId += 1)) {
    this.send({ id, method, params });
    return id;
  }

  /** Sends a request, and waits for the message that answers it. */
  request(method, params) {
    const id = this.ask(method, params);
    return this.until(`the answer to ${method}`, () => this.answers(id)[0]);
  }

  /** The answers to a request; exactly one, if all is well. */
  answers(id) {
    return this.#answers.get(id) ?? [];
  }

  /** Resolves once everything that was sent so far has been read. */
  async settled() {
    const { error } = await this.request("whydll/noSuchRequest", {});
    if (error?.code !== -32601)
      throw new Error(`not an answer to an unknown request: ${JSON.stringify(error)}`);
  }

  open(uri, text, version = 1) {
    this.notify("textDocument/didOpen", { textDocument: { uri, languageId: "python", version, text } });
  }

  change(uri, version, ...contentChanges) {
    this.notify("textDocument/didChange", { textDocument: { uri, version }, contentChanges });
  }

  close(uri) {
    this.notify("textDocument/didClose", { textDocument: { uri } });
  }

  /** The last published diagnostics of a document: `{ uri, version, diagnostics }`. */
  published(uri) {
    return this.#diagnostics.get(uri);
  }

  /** The diagnostics of a version of a document, as soon as some are published that satisfy `wanted`. */
  async diagnostics(uri, version = 1, wanted = () => true, patience = PATIENCE) {
    const latest = () => {
      const known = this.published(uri);
      return known?.version === version && wanted(known.diagnostics) ? known : undefined;
    };
    return (await this.until(`diagnostics of version ${version} of ${uri}`, latest, patience)).diagnostics;
  }

  health(state, scopeUri = null) {
    const latest = () =>
      this.#health.get(scopeUri)?.state === state ? this.#health.get(scopeUri) : undefined;
    return this.until(`health "${state}" of ${scopeUri}`, latest);
  }

  /** Resolves once `probe` returns something. It is called again after each batch of messages. */
  until(what, probe, patience = PATIENCE) {
    return new Promise((resolve, reject) => {
      const settle = (act, value) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        act(value);
      };
      const watcher = {
        look: () => {
          const found = probe();
          if (found !== undefined) settle(resolve, found);
        },
        abandon: (why) => settle(reject, new Error(`Waited for ${what}: ${why}.\n${this.#account()}`)),
      };
      const timer = setTimeout(() => watcher.abandon(`nothing within ${patience} ms`), patience);
      this.#watchers.add(watcher);
      watcher.look();
      if (this.#gone && this.#watchers.has(watcher)) watcher.abandon(this.#gone);
    });
  }

  /** How the server ended: `{ code, signal }`. Fails if it does not in time. */
  end(patience = PATIENCE) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`The server is still there after ${patience} ms.\n${this.#account()}`)),
        patience,
      );
      this.exited.then(resolve).finally(() => clearTimeout(timer));
    });
  }

  /** The server's memory in MB: current and peak. */
  get memory() {
    const status = readFileSync(`/proc/${this.process.pid}/status`, "utf8");
    const megabytes = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) / 1024;
    return { now: megabytes("VmRSS"), peak: megabytes("VmHWM") };
  }

  /**
   * Ends the process in any case. Fails if it had panicked. The test's other servers are ended,
   * too, because nothing else is cleaned up after a failure.
   */
  async stop() {
    for (const client of RawClient.#running) {
      client.process.kill("SIGKILL");
      client.process.stdout.destroy();
    }
    RawClient.#running.clear();
    await this.exited;
    if (/panicked at/.test(this.stderr)) throw new Error(`The server panicked.\n${this.stderr}`);
  }

  /** Extracts complete messages from what was read. */
  #take(bytes) {
    this.#unread.push(bytes);
    let all = this.#unread.length > 1 ? Buffer.concat(this.#unread) : bytes;
    for (;;) {
      const head = all.indexOf("\r\n\r\n");
      const length =
        head < 0 ? NaN : Number(/^Content-Length: (\d+)$/m.exec(all.toString("latin1", 0, head))?.[1]);
      if (Number.isNaN(length) || all.length < head + 4 + length) break;
      this.#note(JSON.parse(all.toString("utf8", head + 4, head + 4 + length)));
      all = all.subarray(head + 4 + length);
    }
    this.#unread = all.length > 0 ? [all] : [];
    for (const watcher of [...this.#watchers]) watcher.look();
  }

  #note(message) {
    this.received.push(message);
    const { id, method, params } = message;
    if (method === undefined) this.#answers.set(id, [...this.answers(id), message]);
    if (method === "textDocument/publishDiagnostics") this.#diagnostics.set(params.uri, params);
    if (method === "whydll/health") this.#health.set(params.scopeUri, params);
  }

  #account() {
    const shorten = (text) => (text.length > 400 ? `${text.slice(0, 400)}…` : text);
    const last = this.received.slice(-10).map((message) => `  ${shorten(JSON.stringify(message))}`);
    return ["Came last:", ...last, "Standard error:", this.stderr.slice(-2000) || "  (empty)"].join("\n");
  }
}
