/**
 * The server under abuse: messages that no editor should send, more of them than any editor sends,
 * and machines that fail while it works. The environments are small: a real Windows Python with a
 * few packages, intact or broken in one way each.
 *
 * WHYDLL_BIN, WHYDLL_REAL, and WHYDLL_PATIENCE as in the other tests. WHYDLL_SESSIONS is the number
 * of sessions of random edits. After a change to how documents are stored or read, run more of
 * them:
 *
 *     WHYDLL_SESSIONS=100 npm --prefix tests/lsp run abuse
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { TextDocument } from "vscode-languageserver-textdocument";
import { OpenDocument, OpenNotebook } from "./client.mjs";
import { frame, RawClient } from "./raw.mjs";

const REAL = process.env.WHYDLL_REAL;
if (!process.env.WHYDLL_BIN || !REAL)
  throw new Error("WHYDLL_BIN and WHYDLL_REAL must be set, see the top of this file");

/** The factor by which time limits are longer. */
const PATIENCE = Number(process.env.WHYDLL_PATIENCE ?? 1);

/**
 * The directory for everything that is written. It is removed when no server can be writing to it
 * any more.
 */
const ROOT = mkdtempSync(join(tmpdir(), "whydll-abuse-"));
after(() => rmSync(ROOT, { recursive: true }));

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const METHOD_NOT_FOUND = -32601;
const NOT_INITIALIZED = -32002;
const CANCELLED = -32800;

const some = (diagnostics) => diagnostics.length > 0;
const none = (diagnostics) => diagnostics.length === 0;

describe("messages in the wrong order", () => {
  const hover = { textDocument: { uri: "file:///main.py" }, position: { line: 0, character: 0 } };

  test("before initialize every request gets an error, and notifications are ignored", async (t) => {
    const { client, uri, settings } = await started(t, { initialized: false });
    assert.equal((await client.request("textDocument/hover", hover)).error.code, NOT_INITIALIZED);
    assert.equal((await client.request("shutdown")).error.code, NOT_INITIALIZED);
    client.notify("initialized", {});
    client.open(uri, "import emptied\n");
    await client.initialize({ settings });
    await client.settled();
    assert.equal(
      (await client.request("textDocument/hover", { ...hover, textDocument: { uri } })).result,
      null,
    );
    client.open(uri, "import emptied\n");
    await client.diagnostics(uri, 1, some);
  });

  test("exit before initialize ends the server with 1", async (t) => {
    const { client } = await started(t, { initialized: false });
    client.notify("exit");
    assert.deepEqual(await client.end(), { code: 1, signal: null });
  });

  test("exit without shutdown ends the server with 1", async (t) => {
    const { client } = await started(t);
    client.notify("exit");
    assert.deepEqual(await client.end(), { code: 1, signal: null });
  });

  test("a second initialize is refused, a second initialized has no effect", async (t) => {
    const { client, uri } = await started(t);
    const { error } = await client.request("initialize", {
      processId: null,
      rootUri: null,
      capabilities: {},
    });
    assert.equal(error.code, INVALID_REQUEST);
    client.open(uri, "import emptied\n");
    await client.diagnostics(uri, 1, some);
    client.notify("initialized", {});
    await client.settled();
    await client.diagnostics(uri, 1, some);
  });

  test("settings that arrive too late do no harm", async (t) => {
    const { client, uri, settings, folder } = await started(t, { initialized: false });
    const capabilities = {
      workspace: { configuration: true },
      textDocument: { publishDiagnostics: { versionSupport: true } },
    };
    await client.initialize({ settings, folders: [folder.uri], capabilities });
    client.open(uri, "import emptied\n");
    await client.diagnostics(uri, 1, some);
    const { id } = client.received.find(({ method }) => method === "workspace/configuration");
    client.send({ id, result: [settings, settings] });
    client.send({ id, result: [] });
    client.send({ id: 99, error: { code: 1, message: "unknown id" } });
    await client.settled();
  });

  test("after shutdown every request is refused, and exit ends the server with 0", async (t) => {
    const { client, uri } = await started(t);
    assert.equal((await client.request("shutdown")).result, null);
    for (const method of ["shutdown", "textDocument/hover", "initialize"]) {
      assert.equal(
        (await client.request(method, method === "shutdown" ? undefined : hover)).error.code,
        INVALID_REQUEST,
        method,
      );
    }
    client.open(uri, "import emptied\n");
    client.notify("exit");
    assert.deepEqual(await client.end(), { code: 0, signal: null });
  });

  test("requests before shutdown are still answered", async (t) => {
    const { client } = await started(t);
    const asked = Array.from({ length: 50 }, () => client.ask("textDocument/hover", hover));
    await client.request("shutdown");
    for (const id of asked) await client.until(`the answer to ${id}`, () => client.answers(id)[0]);
    assert.ok(asked.every((id) => client.answers(id).length === 1));
  });

  test("optional requests are answered, and optional notifications are not", async (t) => {
    const { client } = await started(t);
    assert.equal((await client.request("$/whatever", {})).error.code, METHOD_NOT_FOUND);
    assert.equal((await client.request("whydll/whatever")).error.code, METHOD_NOT_FOUND);
    for (const method of ["$/whatever", "whydll/whatever", "$/setTrace"])
      client.notify(method, { value: "off" });
    const before = client.received.length;
    await client.settled();
    assert.equal(client.received.slice(before).filter(({ method }) => method === undefined).length, 1);
  });

  test("versions that decrease belong to what was sent last", async (t) => {
    const { client, uri } = await started(t);
    client.open(uri, "import emptied\n", 7);
    await client.diagnostics(uri, 7, some);
    client.change(uri, 3, { text: "import sound\n" });
    await client.diagnostics(uri, 3, none);
    client.change(uri, -1, { text: "import emptied\n" });
    await client.diagnostics(uri, -1, some);
  });

  test("a document that is opened twice has the newer content, and is closed once", async (t) => {
    const { client, uri } = await started(t);
    client.open(uri, "import emptied\n", 1);
    client.open(uri, "import sound\n", 2);
    await client.diagnostics(uri, 2, none);
    client.change(uri, 3, {
      range: { start: { line: 0, character: 7 }, end: { line: 0, character: 12 } },
      text: "emptied",
    });
    await client.diagnostics(uri, 3, some);
    client.close(uri);
    client.close(uri);
    client.change(uri, 4, { text: "import emptied\n" });
    const isCleared = () => client.published(uri).version === undefined || undefined;
    await client.until("the end of its diagnostics", isCleared);
    await client.settled();
    const closed = client.received.filter(
      ({ method, params }) => method === "textDocument/publishDiagnostics" && params.version === undefined,
    );
    assert.deepEqual(
      closed.map(({ params }) => params),
      [{ uri, diagnostics: [] }],
    );
  });
});

describe("messages that make no sense", () => {
  test("positions outside of a document are clamped, and documents that are not open stay closed", async (t) => {
    const { client, uri } = await started(t);
    const [far, near] = [4_000_000_000, 0].map((n) => ({ line: n, character: n }));
    const beyond = [99, 100].map((character) => ({ line: 0, character }));
    client.open(uri, "s = '😀'; import emptied\n");
    const changes = [
      { range: { start: far, end: near }, text: "import asks" },
      { range: { start: beyond[0], end: beyond[1] }, text: "; s = '😀'" },
      { range: { start: near, end: near }, text: "s = '😀'; import emptied; " },
      // Half of a surrogate pair.
      { range: { start: { line: 0, character: 6 }, end: { line: 0, character: 6 } }, text: "x" },
    ];
    for (const [at, change] of changes.entries()) client.change(uri, at + 2, change);
    client.change(`${uri}.unknown`, 7, { text: "import emptied" });
    client.close(`${uri}.unknown`);
    const found = await client.diagnostics(uri, changes.length + 1, (found) => found.length === 2);
    assert.deepEqual(
      found.map(({ code, range }) => [code, range.start.character]),
      [
        ["bad-image", 18],
        ["missing-dll", 34],
      ],
    );
    assert.equal(client.published(`${uri}.unknown`), undefined);
  });

  test("wrong parameters and unknown commands are refused or have no effect", async (t) => {
    const { client, uri, folder, settings } = await started(t);
    const execute = (command, ...args) =>
      client.request("workspace/executeCommand", { command, arguments: args });
    client.notify("whydll/interpreterChanged", { scopeUri: 7, path: ["x"] });
    client.notify("workspace/didChangeConfiguration", { settings: 7 });
    const wrong = { ...settings, severity: "loud", packages: 3, logLevel: [] };
    client.notify("workspace/didChangeConfiguration", { settings: { whydll: wrong } });
    client.notify("textDocument/didOpen", { textDocument: { uri: "no address" } });
    client.notify("textDocument/didChange", [uri, "import emptied"]);
    client.notify("notebookDocument/didChange", {
      notebookDocument: { uri },
      change: { cells: { structure: 7 } },
    });
    assert.ok((await client.request("textDocument/hover", { textDocument: 7 })).error);
    assert.ok((await execute("whydll.noSuchCommand")).error);
    const known = [
      "report",
      "chain",
      "snapshot",
      "predict",
      "compare",
      "explain",
      "openAddress",
      "showCommand",
    ];
    for (const name of known) {
      for (const argument of [
        undefined,
        7,
        {},
        { scopeUri: 7 },
        { scopeUri: folder.uri, path: [], text: {} },
      ]) {
        assert.equal((await execute(`whydll.${name}`, argument)).jsonrpc, "2.0", name);
      }
    }
    client.open(uri, "import emptied\n");
    await client.diagnostics(uri, 1, some);
  });
});

describe("broken frames", () => {
  const valid = (id) => frame({ jsonrpc: "2.0", id, method: "whydll/noSuchRequest" });
  const text = (string) => Buffer.from(string, "latin1");
  const cut = (bytes, length) => bytes.subarray(0, length);
  const body = JSON.stringify({ jsonrpc: "2.0", id: "lost", method: "whydll/noSuchRequest" });

  /** The bytes, the expected error, and the request that it answers, if its id can be read. */
  const broken = {
    "no JSON": [frame("{"), PARSE_ERROR],
    "an empty body": [frame(""), PARSE_ERROR],
    "JSON that is not a message": [frame("7"), INVALID_REQUEST],
    "an object that is not a message": [frame("{}"), INVALID_REQUEST],
    "a batch": [frame(`[${body}]`), INVALID_REQUEST],
    "another version of JSON-RPC": [frame(body.replace("2.0", "1.0")), INVALID_REQUEST, "lost"],
    "an invalid id": [frame(body.replace('"lost"', "[1]")), INVALID_REQUEST],
    "an invalid method": [frame(body.replace('"whydll/noSuchRequest"', "7")), INVALID_REQUEST, "lost"],
    "deeper nesting than any message has": [frame("[".repeat(100_000)), PARSE_ERROR],
    "no length": [
      text(`Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n${body}`),
      PARSE_ERROR,
    ],
    "a length that is not a number": [text(`Content-Length: many\r\n\r\n${body}`), PARSE_ERROR],
    "a negative length": [text(`Content-Length: -7\r\n\r\n${body}`), PARSE_ERROR],
    "a length beyond all numbers": [text(`Content-Length: ${"9".repeat(40)}\r\n\r\n${body}`), PARSE_ERROR],
    "a length beyond all memory": [text(`Content-Length: 18446744073709551615\r\n\r\n${body}`), PARSE_ERROR],
    "a length that is too small": [text(`Content-Length: ${body.length - 5}\r\n\r\n${body}`), PARSE_ERROR],
    "a length that is too large": [text(`Content-Length: ${body.length + 15}\r\n\r\n${body}`), PARSE_ERROR],
    "garbage between frames": [text("what is this?\r\n\r\n\0\xff\r\n"), PARSE_ERROR],
    "a frame that ends early": [cut(frame(body), 60), PARSE_ERROR],
  };
  for (const [name, [bytes, code, id = null]] of Object.entries(broken)) {
    test(name, async (t) => {
      const { client } = await started(t);
      client.write(Buffer.concat([bytes, valid("next"), valid("last")]));
      await client.until("the answer to the last request", () => client.answers("last")[0]);
      const errors = client.received.filter(({ error }) => error && error.code !== METHOD_NOT_FOUND);
      assert.deepEqual(
        errors.map(({ error, id }) => [error.code, id]),
        [[code, id]],
      );
      assert.equal(client.answers("next").length, 1);
      assert.equal(client.answers("last").length, 1);
    });
  }

  const odd = {
    "unknown headers": text(
      `X-Anything: 1\r\nContent-Length: ${body.length}\r\nContent-Type: text/plain\r\nX: y\r\n\r\n${body}`,
    ),
    "headers in other letters": text(`content-length:${body.length}\r\n\r\n${body}`),
    "a type with an old name of UTF-8": text(
      `Content-Length: ${body.length}\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\n\r\n${body}`,
    ),
    "blanks around JSON": frame(`\r\n\t ${body} \n`),
  };
  for (const [name, bytes] of Object.entries(odd)) {
    test(`${name} are understood`, async (t) => {
      const { client } = await started(t);
      client.write(Buffer.concat([bytes, valid("last")]));
      await client.until("the answer to the last request", () => client.answers("last")[0]);
      assert.equal(client.answers("lost")[0]?.error.code, METHOD_NOT_FOUND);
      assert.equal(client.answers(null).length, 0);
    });
  }

  test("frames may come byte by byte, and many at once", async (t) => {
    const { client } = await started(t);
    for (const byte of valid("bytes")) {
      client.write(Buffer.from([byte]));
      await sleep(1);
    }
    await client.until("an answer", () => client.answers("bytes")[0]);
    const ids = Array.from({ length: 1000 }, (_, n) => `many ${n}`);
    client.write(Buffer.concat(ids.map(valid)));
    await client.until("all answers", () => client.answers(ids.at(-1))[0]);
    assert.ok(ids.every((id) => client.answers(id).length === 1));
  });

  test("invalid UTF-8, and half of a surrogate pair, count as one character each", async (t) => {
    const { client, uri } = await started(t);
    const opened = JSON.stringify({
      jsonrpc: "2.0",
      method: "textDocument/didOpen",
      params: { textDocument: { uri, languageId: "python", version: 1, text: "s = '@'; import emptied\n" } },
    });
    for (const [at, bytes] of [text("\xff"), text("\xc3"), text("\\ud83d"), text("\\uDE00")].entries()) {
      const [before, after] = opened
        .replace('"version":1', `"version":${at + 1}`)
        .split("@")
        .map((part) => Buffer.from(part));
      const length = before.length + bytes.length + after.length;
      client.write(Buffer.concat([text(`Content-Length: ${length}\r\n\r\n`), before, bytes, after]));
      const [{ range }] = await client.diagnostics(uri, at + 1, some);
      assert.deepEqual(range, { start: { line: 0, character: 16 }, end: { line: 0, character: 23 } });
    }
    assert.equal(client.answers(null).length, 0);
  });
});

describe("requests that are cancelled", () => {
  test("each is answered exactly once, whether it was running, done, or unknown", async (t) => {
    const { client, uri, folder } = await started(t);
    client.open(uri, "import emptied\n");
    const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 99 } };
    const asked = [];
    for (let round = 0; round < 400; round++) {
      const cancelled = client.ask("textDocument/codeAction", {
        textDocument: { uri },
        range,
        context: { diagnostics: [] },
      });
      client.notify("$/cancelRequest", { id: cancelled });
      client.notify("$/cancelRequest", { id: cancelled });
      const answered = client.ask("textDocument/hover", { textDocument: { uri }, position: range.start });
      client.notify("$/cancelRequest", { id: `never ${round}` });
      client.notify("$/cancelRequest", { id: answered - 2 });
      client.notify("$/cancelRequest", { whatever: round });
      client.change(uri, round + 2, { text: `import emptied\n# ${round}\n` });
      asked.push(cancelled, answered);
    }
    await client.settled();
    for (const id of asked) await client.until(`the answer to ${id}`, () => client.answers(id)[0]);
    await client.settled();
    assert.ok(asked.every((id) => client.answers(id).length === 1));
    const codes = new Set(asked.map((id) => client.answers(id)[0].error?.code));
    assert.deepEqual(
      [...codes].filter((code) => code !== undefined),
      [CANCELLED],
    );
    await client.diagnostics(uri, 401, some);
  });

  test("long ones don't delay others, and end when they are cancelled", async (t) => {
    const { client, uri, folder } = await started(t);
    // A directory with enough files that its check takes a while.
    for (let n = 0; n < 3000; n++)
      writeFileSync(join(folder.path, `m${n}.py`), "import emptied\nimport asks\n".repeat(200));
    const check = () =>
      client.ask("workspace/executeCommand", {
        command: "whydll.checkFolder",
        arguments: [{ scopeUri: folder.uri }],
      });
    const long = Array.from({ length: 16 }, check);
    client.open(uri, "import emptied\n");
    await client.diagnostics(uri, 1, some);
    assert.notEqual(
      (
        await client.request("textDocument/hover", {
          textDocument: { uri },
          position: { line: 0, character: 8 },
        })
      ).result,
      undefined,
    );
    assert.ok(
      long.some((id) => client.answers(id).length === 0),
      "nothing took long",
    );
    for (const id of long) client.notify("$/cancelRequest", { id });
    await client.until(
      "all answers",
      () => (long.every((id) => client.answers(id).length > 0) ? true : undefined),
      1000 * PATIENCE,
    );
    await client.settled();
    assert.ok(long.every((id) => client.answers(id).length === 1));
    assert.ok(long.some((id) => client.answers(id)[0].error?.code === CANCELLED));
  });
});

describe("too much", () => {
  const at = (line, character) => ({ line, character });

  test("documents of 50 MB are read and edited, and others get their answers", async (t) => {
    const { client, uri, folder } = await started(t);
    const imports = Array.from({ length: 900 }, (_, n) => `import module${n}\n`).join("");
    const ballast = `# ${"ballast ".repeat(12)}\n`.repeat(520_000);
    const other = `${folder.uri}/other.py`;
    client.open(other, "import emptied\n");
    await client.diagnostics(other, 1, some);
    const before = client.memory.now;
    const text = `${imports}${ballast}import emptied\n`;
    assert.ok(text.length > 50_000_000);
    const began = performance.now();
    client.open(uri, text);
    await client.diagnostics(uri, 1, some, 60_000);
    const opened = performance.now();
    for (let version = 2; version <= 21; version++) {
      client.change(uri, version, {
        range: { start: at(version * 20_000, 0), end: at(version * 20_000, 0) },
        text: "x = 1\n",
      });
      client.change(other, version, { text: `# ${version}\nimport emptied\n` });
    }
    const [diagnostic] = await client.diagnostics(other, 21, some);
    assert.equal(diagnostic.range.start.line, 1);
    const [{ range }] = await client.diagnostics(uri, 21, some);
    const edited = performance.now();
    assert.equal(range.start.line, 520_900 + 20);
    // Its lines are sent in one message.
    const start = at(0, 0);
    client.change(
      uri,
      22,
      ...Array.from({ length: 50 }, () => ({ range: { start, end: start }, text: "\n" })),
    );
    await client.diagnostics(uri, 22, some);
    const many = performance.now();
    const { peak } = client.memory;
    client.close(uri);
    await client.settled();
    client.open(uri, "import emptied\n", 1);
    await client.diagnostics(uri, 1, some);
    await sleep(1000 * PATIENCE);
    const after = client.memory.now;
    t.diagnostic(
      [
        `opened in ${Math.round(opened - began)} ms, 20 edits in ${Math.round(edited - opened)} ms`,
        `50 changes at once in ${Math.round(many - edited)} ms`,
        `${before.toFixed()} MB before, at most ${peak.toFixed()} MB, ${after.toFixed()} MB when it was closed`,
      ].join("; "),
    );
    assert.ok(edited - began < 10_000 * PATIENCE);
    assert.ok(many - edited < 10_000 * PATIENCE);
    assert.ok(peak < 600, `${peak} MB`);
    // The document alone takes 50.
    assert.ok(after < before + 40, `${before} MB before, ${after} MB after`);
  });

  test("2,000 documents are answered, and again when another Python is chosen", async (t) => {
    const { client, folder } = await started(t, { settings: { interpreter: null } });
    const [broken, sound] = [smallEnvironment(), smallEnvironment({ sound: ["emptied"] })];
    const choose = (python) =>
      client.notify("whydll/interpreterChanged", { scopeUri: folder.uri, path: python });
    choose(broken);
    const uris = Array.from({ length: 2000 }, (_, n) => `${folder.uri}/m${n}.py`);
    const times = [performance.now()];
    for (const [n, uri] of uris.entries())
      client.open(uri, `${"\n".repeat(n % 7)}import pure\nimport emptied\n`);
    const all = async (wanted) => {
      for (const uri of uris) await client.diagnostics(uri, 1, wanted);
      times.push(performance.now());
    };
    await all(some);
    for (const [python, wanted] of [
      [sound, none],
      [broken, some],
      [sound, none],
    ]) {
      choose(python);
      await all(wanted);
    }
    const took = times.slice(1).map((time, at) => Math.round(time - times[at]));
    t.diagnostic(
      `opened in ${took[0]} ms, switched in ${took.slice(1).join(", ")} ms; ${client.memory.peak.toFixed()} MB at most`,
    );
    assert.ok(
      took.every((time) => time < 5000 * PATIENCE),
      took.join(", "),
    );
    assert.ok(client.memory.peak < 200);
  });

  test("an editor that does not read costs no memory, and gets the last state when it reads again", async (t) => {
    const { client, uri, folder } = await started(t, { settings: { logLevel: "debug" } });
    client.open(uri, "import emptied\n");
    await client.diagnostics(uri, 1, some);
    const before = client.memory.now;
    client.process.stdout.pause();
    const filler = `# ${"x".repeat(500_000)}\n`;
    // Notifications are still read, and requests until too many answers are unread.
    for (let version = 2; version <= 80; version++) {
      client.change(uri, version, { text: `${version % 2 ? "" : "\n"}import emptied\n${filler}` });
      for (let n = 0; n < 5; n++)
        client.open(`${folder.uri}/m${version % 9}.py`, `import emptied\n# ${n}\n`, version);
      if (version % 10 === 0) await sleep(10);
    }
    for (let waits = 0; client.process.stdin.writableLength > 0; waits++) {
      assert.ok(waits < 200 * PATIENCE, "the server has stopped reading notifications");
      await sleep(50);
    }
    const position = { line: 0, character: 8 };
    const asked = Array.from({ length: 5_000 }, () =>
      client.ask("textDocument/hover", { textDocument: { uri }, position }),
    );
    await sleep(1000 * PATIENCE);
    const { now: during, peak } = client.memory;
    t.diagnostic(
      `${before.toFixed()} MB before, ${during.toFixed()} MB and at most ${peak.toFixed()} MB without being read`,
    );
    assert.ok(peak < before + 25, `${before} MB before, ${peak} MB at most`);
    client.process.stdout.resume();
    await client.diagnostics(uri, 80, some);
    await client.until("all answers", () => client.answers(asked.at(-1))[0]);
    assert.ok(asked.every((id) => client.answers(id).length === 1));
  });

  test("an editor that does not read and closes its pipe ends the server", async (t) => {
    const { client, uri } = await started(t);
    client.open(uri, "import emptied\n");
    await client.diagnostics(uri, 1, some);
    client.process.stdout.pause();
    for (let n = 0; n < 5_000; n++)
      client.ask("textDocument/hover", { textDocument: { uri }, position: { line: 0, character: 8 } });
    await sleep(300);
    client.process.stdout.destroy();
    await client.end(2000 * PATIENCE);
  });

  test("5,000 documents that are opened and closed, and changing Pythons, leak no memory", async (t) => {
    // With an arena for each thread, glibc's memory would vary by a fifth.
    const env = { MALLOC_ARENA_MAX: "1" };
    const { client, folder } = await started(t, { settings: { interpreter: null, logLevel: "debug" }, env });
    const pythons = [[], ["emptied"], ["asks"]].map((sound) => smallEnvironment({ sound }));
    let last = 0;
    const next = async (count) => {
      for (const end = last + count; last < end; last++) {
        const uri = `${folder.uri}/m${last}.py`;
        const path = pythons[(last / 50) % pythons.length];
        if (last % 50 === 0) client.notify("whydll/interpreterChanged", { scopeUri: folder.uri, path });
        client.open(uri, `import emptied\nimport module${last}\n`);
        if (last % 50 === 49) await client.diagnostics(uri);
        client.close(uri);
      }
    };
    const isAtRest = ({ method, params }) =>
      method === "window/logMessage" && params.message === "nothing left to read";
    const atRest = async () => {
      const from = client.received.length;
      await next(100);
      await client.until("rest", () => client.received.slice(from).find(isAtRest));
      await sleep(500);
      return client.memory.now;
    };
    await next(1000);
    const before = await atRest();
    await next(5000);
    const after = await atRest();
    t.diagnostic(`${before.toFixed(1)} MB before, ${after.toFixed(1)} MB after`);
    assert.ok(Math.abs(after - before) < before / 10, `${before} MB before, ${after} MB after`);
  });
});

describe("many edits", () => {
  const SESSIONS = Number(process.env.WHYDLL_SESSIONS ?? 20);
  const EDITS = 10_000;

  /** Pasted text: Python, and commands of IPython. */
  const STATEMENTS = [
    "import emptied\n", "import asks\r\n", "import sound, lazy\n", "lazy.late\n",
    "from emptied import x as y\n", "import pure.part\r", "import nowhere\n",
    "try:\n    import asks\nexcept ImportError:\n    pass\n", "def f():\n    import emptied\n",
    "if TYPE_CHECKING:\n    import asks\n", "from typing import TYPE_CHECKING\n",
    "class A:\n    import asks as b\n", "match x:\n  case 1: import emptied\n", "s = '😀'; import asks\n",
    "import importlib; importlib.import_module('asks')\n", "import os; os.add_dll_directory('.')\n",
    "import ctypes\nctypes.WinDLL('emptied.dll')\n", "from . import emptied\n",
    "import emptied # whydll: ignore[bad-image]\n", "# whydll: ignore-file[missing-dll]\n",
    "from lazy import *\n", "import \\\n    emptied\n", "%%bash\n", "!ls\n", "%pip install x\n",
    "x = !ls\n", "asks?\n", ";x\n", "/x\n",
  ];
  /** Typed text: parts of Python and other text, characters of all lengths, all line endings. */
  const PIECES = [
    "'''", '"', "(", ")", "[", "]", "{", "\\\n", "\t", "    ", "\r", "\n", "\r\n", ";", "#", "😀", "𝒯𝓕é",
    "\u2028", "\u0085", "\f", "\0", "\ufeff", "e\u0301", "👩‍🔬", "\\N{", "lambda: ", "from asks import (\n",
    "import", " ", "i", "m", "as", "k", "s", ",", ".",
  ];

  for (let seed = 1; seed <= SESSIONS; seed++) {
    test(`session ${seed} of ${SESSIONS}`, async (t) => {
      const random = generator(seed);
      const pick = (list) => list[random(list.length)];
      const piece = () => pick(random(3) === 0 ? PIECES : STATEMENTS);
      const pythons = [smallEnvironment(), smallEnvironment({ sound: ["emptied", "lazy"] })];
      const { client, folder } = await started(t, { python: pythons[0], settings: { interpreter: null } });
      const choose = (client, python) =>
        client.notify("whydll/interpreterChanged", { scopeUri: folder.uri, path: python });
      let python = pythons[0];
      choose(client, python);
      const files = ["a.py", "b.py", "package/c.py"].map(
        (name) => new OpenDocument(client, `${folder.uri}/${name}`, piece()),
      );
      const notebook = new OpenNotebook(client, `${folder.uri}/n.ipynb`, [
        "import emptied",
        { kind: 1, text: "# Text" },
        "import asks\n",
      ]);
      const documents = () => [...files, ...notebook.cells.map(({ document }) => document)];

      for (let edit = 0; edit < EDITS; edit++) {
        const document = pick(documents());
        const act = random(200);
        if (act === 0) document.change({ text: Array.from({ length: random(9) }, piece).join("") });
        else if (act === 1) rearrange(notebook, random, piece());
        else document.change(...changes(document.text, act < 12 ? 2 + random(4) : 1, random, piece));
        if (act === 12)
          client.ask("textDocument/hover", {
            textDocument: { uri: document.uri },
            position: { line: random(9), character: 8 },
          });
        if (act === 13 && random(8) === 0) choose(client, (python = pick(pythons)));
        if (act === 14) await client.settled();
        if (act === 15) await sleep(random(10));
      }
      // A line that is being edited is treated differently from the others.
      for (const document of documents()) {
        document.insert(document.text.length, "\n");
        document.insert(document.text.length, "\n");
      }

      const { client: fresh } = await started(t, {
        settings: { interpreter: null },
        folder,
        env: { WHYDLL_CACHE_DIR: "" },
      });
      choose(fresh, python);
      for (const { item } of files) fresh.notify("textDocument/didOpen", { textDocument: item });
      fresh.notify("notebookDocument/didOpen", notebook.opening);
      const expected = await whole(fresh, documents());
      const same = () => (isDeepStrictEqual(latest(client, documents()), expected) ? true : undefined);
      await client.until("the diagnostics of a fresh server", same, 5000 * PATIENCE).catch(() => {});
      assert.deepEqual(latest(client, documents()), expected);
      t.diagnostic(`${expected.reduce((sum, { diagnostics }) => sum + diagnostics.length, 0)} diagnostics`);
    });
  }

  /** The last published diagnostics of the documents. */
  const latest = (client, documents) => documents.map(({ uri }) => client.published(uri));

  /** The same, once the server is idle. */
  async function whole(client, documents) {
    const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    for (const { uri, version } of documents) await client.diagnostics(uri, version);
    for (const { uri } of documents)
      await client.request("textDocument/codeAction", {
        textDocument: { uri },
        range,
        context: { diagnostics: [] },
      });
    await sleep(300);
    return latest(client, documents);
  }

  /** Changes that an editor may send for a document, each relative to the result of the one before. */
  function changes(text, count, random, piece) {
    const mirror = TextDocument.create("", "python", 1, text);
    return Array.from({ length: count }, () => {
      const now = mirror.getText();
      const start = atCharacter(now, random(now.length + 1));
      const kind = random(10);
      const length = random(now.length > 2000 ? 2000 : 30);
      const end = kind < 5 ? start : atCharacter(now, Math.min(now.length, start + length));
      const range = { start: mirror.positionAt(start), end: mirror.positionAt(end) };
      const change = { range, text: kind < 8 ? piece() : "" };
      TextDocument.update(mirror, [change], mirror.version + 1);
      return change;
    });
  }

  /** No editor splits a surrogate pair. */
  function atCharacter(text, offset) {
    return /[\udc00-\udfff]/.test(text.charAt(offset)) ? offset - 1 : offset;
  }

  /** Inserts, removes, or moves a cell. */
  function rearrange(notebook, random, text) {
    const at = random(notebook.cells.length);
    const kind = random(3);
    if (kind === 0 && notebook.cells.length < 8) notebook.splice(at, 0, text);
    else if (kind === 1 && notebook.cells.length > 2) notebook.splice(at, 1);
    else if (at > 0) notebook.splice(at - 1, 2, notebook.cells[at], notebook.cells[at - 1]);
  }
});

describe("machines that fail", () => {
  test("an environment that vanishes and returns while it is diagnosed gets its final state", async (t) => {
    const random = generator(8);
    const { client, uri, folder, python } = await started(t);
    const gone = `${python}.gone`;
    let version = 1;
    client.open(uri, "import emptied\nimport asks\n", version);
    for (let round = 0; round < 40; round++) {
      renameSync(python, gone);
      await sleep(random(40));
      client.change(uri, (version += 1), {
        text: `# ${round}\nimport emptied\nimport asks.part${round}\nimport sound\n`,
      });
      await sleep(random(20));
      if (round % 3 === 0) mkdirSync(python);
      await sleep(random(20));
      rmSync(python, { recursive: true, force: true });
      renameSync(gone, python);
      client.notify("textDocument/didSave", { textDocument: { uri } });
      await sleep(random(40));
    }
    const missing = (found) => found.map(({ code }) => code).join() === "bad-image,missing-dll";
    await client.diagnostics(uri, version, missing);
    await client.health("broken", folder.uri);
    renameSync(python, gone);
    await client.health("unknown", folder.uri);
    await client.diagnostics(uri, version, none);
  });

  const text = "import emptied\nimport asks\nimport sound\n";
  const codes = (found) => found.map(({ code }) => code);

  /** A server's diagnosis of one document, and its cache directory afterwards. */
  async function asked(t, options) {
    const session = await started(t, options);
    const { client, uri, folder } = session;
    client.open(uri, text);
    const found = await client.diagnostics(uri, 1, (found) => found.length === 2);
    assert.deepEqual(codes(found), ["bad-image", "missing-dll"]);
    assert.equal((await client.health("broken", folder.uri)).findings, 2);
    const range = { start: { line: 0, character: 0 }, end: { line: 9, character: 0 } };
    const context = { diagnostics: found };
    const { result } = await client.request("textDocument/codeAction", {
      textDocument: { uri },
      range,
      context,
    });
    assert.ok(result.length > 0);
    return session;
  }

  async function leave({ client }) {
    await client.request("shutdown");
    client.notify("exit");
    assert.deepEqual(await client.end(), { code: 0, signal: null });
  }

  const hasNamespaces = spawnSync("unshare", ["-Urm", "true"]).status === 0;
  const disks = {
    "a full disk": "size=16k",
    "a disk with space for a part": "size=48k",
    "a disk without free inodes": "nr_inodes=2",
    "a read-only disk": "ro",
  };
  for (const [name, mount] of Object.entries(disks)) {
    test(
      `${name} for the cache costs time only`,
      { skip: !hasNamespaces && "needs unshare -Urm" },
      async (t) => {
        const { path: cache } = temporaryFolder();
        const mounted = 'mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"';
        const args = ["-Urm", "sh", "-c", mounted, mount, cache, process.env.WHYDLL_BIN, "server", "--stdio"];
        const session = await asked(t, { program: "unshare", args, cache, python: smallEnvironment() });
        const { client, uri, folder } = session;
        client.change(uri, 2, { text: "import sound\n" });
        await client.diagnostics(uri, 2, none);
        await client.health("healthy", folder.uri);
        // As the server sees it.
        const left = readdirSync(`/proc/${client.process.pid}/root${cache}`);
        assert.deepEqual(
          left.filter((name) => name.endsWith(".tmp")),
          [],
        );
        await leave(session);
      },
    );
  }

  test("a cache that cannot be a directory only costs time", async (t) => {
    const file = join(temporaryFolder().path, "file");
    writeFileSync(file, "");
    for (const cache of [file, join(file, "below"), "/proc/nowhere"]) await leave(await asked(t, { cache }));
  });

  test("a truncated, altered, or foreign cache is ignored", async (t) => {
    const random = generator(9);
    const python = smallEnvironment();
    const first = await asked(t, { python });
    await leave(first);
    const { cache } = first;
    const whole = new Map(readdirSync(cache).map((name) => [name, readFileSync(join(cache, name))]));
    assert.ok(
      [...whole.keys()].some((name) => /^facts-.*bin$/.test(name)) &&
        [...whole.keys()].some((name) => /^answer-.*bin$/.test(name)),
      [...whole.keys()].join(),
    );
    const altered = (bytes) => {
      const copy = Buffer.from(bytes);
      for (let n = 0; n < 8; n++) copy[random(copy.length)] ^= 1 + random(255);
      return copy;
    };
    const damages = [
      (bytes) => bytes.subarray(0, random(bytes.length)),
      altered,
      (bytes) => Buffer.alloc(bytes.length),
      (bytes) => Buffer.concat([bytes, bytes]),
      () => [...whole.values()][random(whole.size)],
      () => Buffer.alloc(0),
    ];
    for (const damage of damages) {
      for (const [name, bytes] of whole) writeFileSync(join(cache, name), damage(bytes));
      await leave(await asked(t, { python, cache, folder: first.folder }));
    }
    for (const name of whole.keys()) {
      rmSync(join(cache, name), { recursive: true });
      mkdirSync(join(cache, name));
    }
    await leave(await asked(t, { python, cache, folder: first.folder }));
  });

  test("servers that share a cache give right answers", async (t) => {
    const python = smallEnvironment();
    const { path: cache } = temporaryFolder();
    const sessions = await Promise.all(Array.from({ length: 4 }, () => asked(t, { python, cache })));
    await Promise.all(
      sessions.map(async ({ client, uri }, number) => {
        for (let version = 2; version < 40; version++) {
          client.change(uri, version, {
            text: `import ${version % 2 ? "sound" : "emptied"}\nimport pure.part${version}\nimport lazy.part${number}\n`,
          });
          await client.diagnostics(
            uri,
            version,
            version % 2 ? none : (found) => codes(found).includes("bad-image"),
          );
        }
      }),
    );
    for (const session of sessions) await leave(session);
    assert.deepEqual(
      readdirSync(cache).filter((name) => name.endsWith(".tmp")),
      [],
    );
    await leave(await asked(t, { python, cache }));
  });

  test("a clock that goes back causes no wrong answer", async (t) => {
    const python = smallEnvironment();
    const first = await asked(t, { python });
    await leave(first);
    const { cache, folder } = first;
    const image = join(python, "Lib/site-packages/emptied/select.pyd");
    const sound = readFileSync(join(python, "Lib/site-packages/sound/select.pyd"));
    for (const ahead of [3600, 40 * 24 * 3600]) {
      const then = new Date(Date.now() + 1000 * ahead);
      for (const name of readdirSync(cache)) utimesSync(join(cache, name), then, then);
      // By the times of the files, it was repaired before it was damaged, because the clock was wrong then.
      for (const [bytes, repaired] of [
        [sound, true],
        [Buffer.alloc(sound.length), false],
      ]) {
        writeFileSync(image, bytes);
        utimesSync(image, then, then);
        const { client, uri } = await started(t, { python, cache, folder });
        client.open(uri, "import emptied\n");
        const [found] = await client.diagnostics(uri, 1, repaired ? none : some);
        assert.equal(found?.code, repaired ? undefined : "bad-image");
        await leave({ client });
        then.setSeconds(then.getSeconds() - 60);
      }
    }
  });

  /** A server in the middle of a diagnosis: of all modules of a large package that was never read. */
  async function busy(t, options) {
    const session = await started(t, { python: largeEnvironment(), ...options });
    const { client, uri, folder } = session;
    client.open(uri, "import large\n");
    client.ask("workspace/executeCommand", {
      command: "whydll.checkFolder",
      arguments: [{ scopeUri: folder.uri }],
    });
    await client.health("checking", folder.uri);
    await sleep(20);
    return session;
  }

  const ends = {
    SIGTERM: ({ client }) => client.process.kill("SIGTERM"),
    "a closed standard input": ({ client }) => client.process.stdin.end(),
    "closed pipes": ({ client }) =>
      [client.process.stdin, client.process.stdout, client.process.stderr].forEach((pipe) => pipe.destroy()),
    "exit without shutdown": ({ client }) => client.notify("exit"),
    "the editor's death": ({ parent }) => parent.kill("SIGKILL"),
  };
  for (const [name, act] of Object.entries(ends)) {
    for (const [state, start] of Object.entries({ "an idle server": asked, "a server at work": busy })) {
      test(`${name} ends ${state} soon`, async (t) => {
        const parent = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
        t.after(() => parent.kill("SIGKILL"));
        const session = await start(t, { processId: parent.pid });
        const began = performance.now();
        act({ ...session, parent });
        await session.client.end(2000 * PATIENCE);
        const took = performance.now() - began;
        t.diagnostic(`${Math.round(took)} ms`);
        assert.ok(took < 2000 * PATIENCE);
      });
    }
  }
});

/** A server, initialized by default, with a small environment and an empty folder. */
async function started(
  t,
  {
    initialized = true,
    env,
    settings: more,
    processId,
    python = smallEnvironment(),
    folder = temporaryFolder(),
    cache = temporaryFolder().path,
    ...others
  } = {},
) {
  const client = new RawClient({ env: { WHYDLL_CACHE_DIR: cache, ...env }, ...others });
  t.after(() => client.stop());
  const settings = { host: "windows-11+vcredist", interpreter: join(python, "python.exe"), ...more };
  if (initialized) await client.initialize({ settings, folders: [folder.uri], processId });
  return { client, settings, folder, cache, python, uri: `${folder.uri}/main.py` };
}

/** A Windows Python with five packages, each named after the outcome of its import. */
function smallEnvironment({ sound = [] } = {}) {
  const python = temporaryFolder().path;
  const real = (name) => join(REAL, "complete", name);
  for (const name of [
    "python.exe",
    "python3.dll",
    "python38.dll",
    "vcruntime140.dll",
    "_ctypes.pyd",
    "libffi-7.dll",
  ])
    linkSync(real(name), join(python, name));
  const packages = {
    emptied: { "__init__.py": "from . import select\n", "select.pyd": "" },
    asks: { "__init__.py": "import ctypes\nctypes.WinDLL('gone.dll')\n", "select.pyd": "" },
    lazy: {
      "__init__.py": "def __getattr__(name):\n    if name == 'late':\n        from . import select\n",
      "select.pyd": "",
    },
    sound: { "__init__.py": "from . import select\n" },
    pure: { "__init__.py": "x = 1\n", "part.py": "y = 2\n" },
  };
  for (const [name, files] of Object.entries(packages)) {
    const folder = join(python, "Lib", "site-packages", name);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeOld(join(folder, file), text);
    if (name === "sound" || sound.includes(name)) {
      rmSync(join(folder, "select.pyd"), { force: true });
      linkSync(real("select.pyd"), join(folder, "select.pyd"));
    }
  }
  return python;
}

/** The same with a package whose import reads thousands of modules. */
function largeEnvironment() {
  const python = smallEnvironment();
  const folder = join(python, "Lib", "site-packages", "large");
  mkdirSync(folder);
  const names = Array.from({ length: 4000 }, (_, n) => `m${n}`);
  writeOld(
    join(folder, "__init__.py"),
    `${names.map((name) => `from . import ${name}\n`).join("")}from . import select\n`,
  );
  for (const name of names)
    writeOld(join(folder, `${name}.py`), "import os\nx = os.path.join('a', 'b')\n".repeat(100));
  return python;
}

/** Makes files old enough to be cached. */
function writeOld(path, text) {
  writeFileSync(path, text);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
}

function temporaryFolder() {
  const path = mkdtempSync(join(ROOT, "folder-"));
  return { path, uri: pathToFileURL(path).href };
}

/** Numbers that are the same on every run. */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}
