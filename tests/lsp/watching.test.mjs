/**
 * Diagnostics that appear and disappear by themselves when files change, without a message from the
 * editor: real environments, copied by hard links so that they can be damaged.
 *
 * WHYDLL_BIN and WHYDLL_REAL as in server.test.mjs. With WHYDLL_WINE, which names Wine, WHYDLL_BIN
 * is a program for Windows that runs under it, and paths are on Wine's drive Z.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.mjs";

const { WHYDLL_BIN: PROGRAM, WHYDLL_REAL: REAL, WHYDLL_WINE: WINE } = process.env;
if (!PROGRAM || !REAL) throw new Error("WHYDLL_BIN and WHYDLL_REAL must be set, see the top of this file");

/**
 * The maximum delay after the last write on an idle machine. On a busy one it is multiplied by
 * WHYDLL_PATIENCE.
 */
const SOON = 1000 * Number(process.env.WHYDLL_PATIENCE ?? 1);
const BARE = "windows-11"; // a machine without the Visual C++ redistributable
const EQUIPPED = "windows-11+vcredist";
const DLL = "Lib/site-packages/tensorflow/python/_pywrap_tensorflow_internal.pyd"; // whom TensorFlow cannot do without
const RUNTIME = ["msvcp140.dll", "msvcp140_1.dll"];

describe("without a message from the editor", () => {
  test("a deleted DLL is reported, and a restored one is not", async (t) => {
    const { client, document, python } = await watched(t, { host: EQUIPPED });
    await client.diagnostics(document, none);
    const dll = join(python, DLL);
    for (let round = 0; round < 2; round++) {
      await within(SOON, "the deleted DLL is reported", client, () => renameSync(dll, join(python, "../away")), document, some);
      await client.health("broken");
      await within(SOON, "the restored DLL is noticed", client, () => renameSync(join(python, "../away"), dll), document, none);
      await client.health("healthy");
    }
  });

  test("code after a failure is read before the failure is fixed", async (t) => {
    const cache = mkdtempSync(join(tmpdir(), "whydll-cache-"));
    t.after(() => rmSync(cache, { recursive: true }));
    const { client, document, python } = await watched(t, { host: EQUIPPED, broken: DLL, cache });
    await client.diagnostics(document, some);
    await client.health("broken");
    // No server has read anything after the DLL yet.
    await readBehind(client);
    await within(SOON, "the restored DLL is noticed", client, () => renameSync(join(python, "../away"), join(python, DLL)), document, none);
    await client.health("healthy");
  });

  test("the runtime is found when pip puts it next to Python", async (t) => {
    const { client, document, python } = await watched(t, { host: BARE });
    const [{ code }] = await client.diagnostics(document, some);
    assert.equal(code, "missing-vc-runtime");
    await readBehind(client);
    const install = () => {
      for (const name of RUNTIME) cpSync(runtime(name), join(python, name));
      const info = join(python, "Lib/site-packages/msvc_runtime-14.44.35112.dist-info");
      mkdirSync(info);
      writeFileSync(join(info, "METADATA"), "Metadata-Version: 2.1\nName: msvc-runtime\nVersion: 14.44.35112\n");
      writeFileSync(join(info, "RECORD"), RUNTIME.map((name) => `../../${name},,\n`).join(""));
    };
    await within(SOON, "the installed runtime is noticed", client, install, document, none);
    await client.health("healthy");
  });

  test("the runtime is found when its installer puts it into System32", async (t) => {
    const { client, document, drive } = await watched(t, { host: "drive" });
    const [{ code }] = await client.diagnostics(document, some);
    assert.equal(code, "missing-vc-runtime");
    await readBehind(client);
    const system = join(drive, readdirSync(drive).find((name) => /^windows$/i.test(name)));
    const system32 = join(system, readdirSync(system).find((name) => /^system32$/i.test(name)));
    const install = () => RUNTIME.forEach((name) => cpSync(runtime(name), join(system32, name)));
    await within(SOON, "the installed runtime is noticed", client, install, document, none);
  });

  test("ten thousand files cause one diagnosis, when all are written", async (t) => {
    const { client, document, python } = await watched(t, { host: EQUIPPED });
    await client.diagnostics(document, none);
    await sleep(500);
    const before = checks(client);
    const began = cpu(client);
    for (let n = 0; n < 10_000; n++) {
      const folder = join(python, "Lib/site-packages", `package${Math.floor(n / 1000)}`, `part${Math.floor(n / 100) % 10}`);
      // Directory by directory, and slowly: Wine watches a new directory only after its notice, and
      // not what is in it by then.
      for (const made of n % 100 === 0 ? [dirname(folder), folder] : []) {
        if (!existsSync(made)) mkdirSync(made);
        await sleep(WINE ? 50 : 0);
      }
      writeFileSync(join(folder, `module${n % 100}.py`), "x = 1\n");
      // With pauses, like pip.
      if (n % 500 === 0) await sleep(150);
    }
    const written = performance.now();
    const early = checks(client);
    // Wine watches new directories one by one, and its notices may be so late that all seems quiet:
    // a few early checks are allowed.
    assert.ok(early - before <= (WINE ? 10 : 0), `${early - before} diagnoses before all were written`);
    await client.until("a new look", () => (checks(client) > early ? true : undefined));
    const took = performance.now() - written;
    await sleep(3000);
    t.diagnostic(`diagnosed after ${Math.round(took)} ms, and ${early - before} times before; ${cpu(client) - began} ticks of processor time in total`);
    assert.ok(took < SOON, `${took} ms`);
    const late = checks(client) - early;
    assert.ok(late === 1 || (WINE && late <= 10), `${late} diagnoses after all were written`);
    assert.deepEqual(await client.diagnostics(document), []);
  });

  test("an environment that vanishes is unknown until it is back", async (t) => {
    const { client, document, python } = await watched(t, { host: EQUIPPED });
    await client.diagnostics(document, none);
    await client.health("healthy");
    renameSync(python, `${python}.gone`);
    const health = await client.health("unknown");
    assert.deepEqual(await client.diagnostics(document), []);
    assert.equal(health.findings, 0);
    renameSync(`${python}.gone`, python);
    await client.health("healthy");
    rmSync(join(python, "python.exe"));
    await client.health("unknown");
    linkSync(join(REAL, "complete", "python.exe"), join(python, "python.exe"));
    await client.health("healthy");
  });

  test("an environment that appears in the folder is selected", { skip: WINE && "Wine's own Python is found on no PATH" }, async (t) => {
    const { client, document, folder } = await watched(t, { host: EQUIPPED, sought: true });
    await client.health("notApplicable");
    assert.deepEqual(await client.diagnostics(document), []);
    const environment = copy("internal-deleted", join(folder, "copied"));
    renameSync(environment, join(folder, ".venv"));
    await client.diagnostics(document, some);
    await client.health("broken");
  });

  test("a module of the program counts as it is saved", async (t) => {
    const { client, document, folder } = await watched(t, { host: EQUIPPED, text: "import settings\nimport tensorflow\n" });
    await client.diagnostics(document, none);
    const settings = join(folder, "settings.py");
    const write = (text) => () => writeFileSync(settings, text);
    await within(SOON, "the module is reported", client, write('import ctypes\nctypes.WinDLL("gone.dll")\n'), document, some);
    await within(SOON, "its change is noticed", client, write("x = 1\n"), document, none);
  });

  test("the runtime's registration counts while it is missing", { skip: !WINE && "only Windows has a registry" }, async (t) => {
    const { client, document } = await watched(t, { host: BARE });
    await client.diagnostics(document, some);
    await sleep(1500);
    const key = "HKLM\\SOFTWARE\\Microsoft\\VisualStudio\\WhyDLL";
    t.after(() => execFileSync(WINE, ["reg", "delete", key, "/f"], { stdio: "ignore" }));
    const before = checks(client);
    execFileSync(WINE, ["reg", "add", key, "/f"], { stdio: "ignore" });
    await client.until("a new look", () => (checks(client) > before ? true : undefined));
  });

  const hasNamespaces = !WINE && spawnSync("unshare", ["-Ur", "true"]).status === 0;
  test("directories that the system cannot watch are polled", { skip: !hasNamespaces && "needs unshare -Ur" }, async (t) => {
    const limited = 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$0" "$@"';
    const program = { program: "unshare", args: ["-Ur", "sh", "-c", limited, PROGRAM, "server", "--stdio"] };
    const { client, document, python } = await watched(t, { host: EQUIPPED, ...program });
    await client.diagnostics(document, none);
    const dll = join(python, DLL);
    await within(3 * SOON, "the deleted DLL is reported", client, () => renameSync(dll, `${dll}.away`), document, some);
    await within(3 * SOON, "the restored DLL is noticed", client, () => renameSync(`${dll}.away`, dll), document, none);
  });
});

describe("idle", () => {
  for (const broken of [undefined, DLL]) test(`the server takes neither time nor memory${broken ? ", also of a broken environment" : ""}`, async (t) => {
    const { client, document } = await watched(t, { host: EQUIPPED, broken });
    await client.diagnostics(document, broken ? some : none);
    if (broken) await readBehind(client);
    // After an answer, what was read is checked once more, and cached on disk.
    for (let last = -1, now = cpu(client), waits = 0; now !== last && waits < 30; [last, now] = [now, cpu(client)], waits++) await sleep(1000);
    const began = cpu(client);
    await sleep(5000);
    const ticks = cpu(client) - began;
    const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${processId(client)}/status`, "utf8"))[1]) / 1024;
    t.diagnostic(`idle: ${ticks} ticks of processor time (10 ms each) in 5 s, ${resident.toFixed(1)} MB resident`);
    assert.ok(ticks <= (WINE ? 5 : 1), `${ticks} ticks`);
    // Wine's heap only returns a region when nothing in it is in use: a program that frees all but
    // forty of 400,000 blocks keeps all their memory. Windows' own heap, like Linux's, returns the
    // pages in between.
    if (!WINE) assert.ok(resident < 25, `${resident} MB`);
  });
});

const some = (diagnostics) => diagnostics.length > 0;
const none = (diagnostics) => diagnostics.length === 0;

/** A DLL of the redistributable, from pip's msvc-runtime. */
function runtime(name) {
  return join(REAL, "on-path-only", "extra", name);
}

/** A server with one open document, and its own environment. */
async function watched(t, { host, text = "import tensorflow\n", sought = false, broken, cache, program, args }) {
  const root = mkdtempSync(join(tmpdir(), "whydll-watching-"));
  t.after(() => rmSync(root, { recursive: true }));
  let drive;
  let python;
  if (host === "drive") {
    drive = copy("drive-without", join(root, "drive"));
    python = copy("complete", join(drive, "py"));
  } else if (!sought) {
    python = copy("complete", join(root, "python"));
  }
  if (broken) renameSync(join(python, broken), join(root, "away"));
  const folder = join(root, "project");
  mkdirSync(folder);
  const env = { VIRTUAL_ENV: undefined, CONDA_PREFIX: undefined, PYTHONPATH: undefined, ...(cache && { WHYDLL_CACHE_DIR: named(cache) }) };
  if (sought) env.PATH = dirname(process.execPath) === "/usr/bin" ? "/nowhere" : dirname(process.execPath);
  const started = WINE ? { program: WINE, args: [PROGRAM, "server", "--stdio"] } : { program: program ?? PROGRAM, args };
  const client = new Client({ env, ...started });
  t.after(() => client.stop());
  const settings = { logLevel: "debug", host: drive ? named(drive) : host, ...(python && { interpreter: named(join(python, "python.exe")) }) };
  await client.initialize({ settings, folders: [address(folder)], ...(WINE && { processId: null }) });
  const document = client.open(`${address(folder)}/main.py`, text);
  return { client, document, root, folder, drive, python };
}

/** A path in the form of the server's system. */
function named(path) {
  return WINE ? `Z:${path.replaceAll("/", "\\")}` : path;
}

function address(path) {
  return WINE ? `file:///z%3A${path}` : `file://${path}`;
}

/** A copy of a real environment, of hard links. */
function copy(name, to) {
  execFileSync("cp", ["-al", realpathSync(join(REAL, name)), to]);
  assert.ok(lstatSync(to).isDirectory() && existsSync(to));
  return to;
}

/** Does something, and waits for the resulting diagnostics. */
async function within(patience, what, client, act, document, wanted) {
  // Watching begins a moment after the answer.
  await sleep(WINE ? 1500 : 300);
  act();
  const began = performance.now();
  const before = noticed(client);
  await client.until("a notice", () => (noticed(client) > before ? true : undefined));
  const until = performance.now() - began;
  await client.diagnostics(document, wanted);
  const took = performance.now() - began;
  console.log(`# ${what} after ${Math.round(took)} ms, noticed after ${Math.round(until)} ms`);
  assert.ok(took < patience, `${what} after ${took} ms`);
  // Under Wine this runs in parallel with other tests.
  if (patience === SOON) assert.ok(until < (WINE ? SOON : 1000), `noticed after ${until} ms`);
}

/**
 * Waits until the fixes are tried and the code after the failure is read, as would be the case
 * before a user installs something. This is background work whose duration isn't tested: under
 * Wine, in parallel with other tests, it may take half a minute.
 */
async function readBehind(client) {
  await client.until("the code after the failure is read", () => (said(client, /^nothing left to read/).length > 0 ? true : undefined), 90_000);
}

/** How often the environment was diagnosed. */
function checks(client) {
  return said(client, /^checked /).length;
}

/** How often the server noticed a change. */
function noticed(client) {
  return said(client, /^a file or folder that was read has changed/).length;
}

/** The server's log. */
function said(client, pattern) {
  return client.received.filter(({ method, params }) => method === "window/logMessage" && pattern.test(params.message));
}

/** The processor time of the server, in ticks. */
function cpu(client) {
  const fields = readFileSync(`/proc/${processId(client)}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Wine's loader replaces its own process image and keeps its process id. */
function processId(client) {
  return client.process.pid;
}
