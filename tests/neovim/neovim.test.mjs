/**
 * A second editor: Neovim with its own client, configured with the code in docs/editors.md, and the
 * same server. Started by `tests/neovim/run`. NVIM_OLD and NVIM_NEW name the two versions of
 * Neovim, WHYDLL_BIN and WHYDLL_REAL as in tests/lsp.
 */

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const { NVIM_OLD, NVIM_NEW, WHYDLL_BIN, WHYDLL_REAL } = process.env;
for (const [name, value] of Object.entries({ NVIM_OLD, NVIM_NEW, WHYDLL_BIN, WHYDLL_REAL })) {
  if (!value) throw new Error(`${name} must be set, see the top of this file`);
}

const EDITORS = fileURLToPath(new URL("../../docs/editors.md", import.meta.url));
const DOCUMENTATION = readFileSync(EDITORS, "utf8");
const INTERNAL = "Lib/site-packages/tensorflow/python/_pywrap_tensorflow_internal.pyd";
const PATIENCE = 90_000;

const editors = [
  { nvim: NVIM_OLD, is: (minor) => minor >= 7 && minor <= 10, heading: "Neovim 0.7 to 0.10" },
  { nvim: NVIM_NEW, is: (minor) => minor >= 11, heading: "Neovim 0.11 and newer" },
];

for (const { nvim, is, heading } of editors) {
  describe(heading, () => {
    test("is the documented version", () => {
      const [, version, minor] = /^NVIM v(0\.(\d+)\.\d+)/.exec(execFileSync(nvim, ["--version"], { encoding: "utf8" })) ?? [];
      assert.ok(is(Number(minor)), `${nvim} is ${version}`);
    });

    test("shows diagnostics, applies a fix, follows settings, and ends its server", async (t) => {
      const place = new Place(t, heading);
      const { status, stdout, stderr, error } = spawnSync(nvim, place.arguments("session.lua"), {
        ...place.options,
        timeout: PATIENCE,
        encoding: "utf8",
      });
      const account = `${error ?? ""}\n${stdout}\n${stderr}`;
      assert.ok(existsSync(place.passed), account);
      assert.equal(status, 0, account);
      // From 0.11 on, Neovim doesn't wait for it.
      await until("the server to leave", () => place.servers().every(({ status }) => status !== undefined));
      assert.deepEqual(place.servers(), [{ running: false, status: "0" }], account);
    });

    test("leaves no server behind when it is killed", async (t) => {
      const place = new Place(t, heading);
      const editor = spawn(nvim, place.arguments("attach.lua"), { ...place.options, stdio: "ignore" });
      t.after(() => editor.kill("SIGKILL"));
      await until("the server to be attached", () => existsSync(place.passed));
      assert.equal(place.servers()[0].running, true);
      editor.kill("SIGKILL");
      await until("the server to leave", () => !place.servers()[0].running);
    });
  });
}

/** A user's home with a project, and a `whydll` on PATH that records how it ends. */
class Place {
  constructor(t, heading) {
    const root = mkdtempSync(join(tmpdir(), "whydll-neovim-"));
    t.after(() => rmSync(root, { recursive: true }));
    const folder = (...names) => {
      const path = join(root, ...names);
      mkdirSync(path, { recursive: true });
      return path;
    };
    this.notes = folder("notes");
    this.passed = join(this.notes, "passed");

    writeFileSync(join(folder("config", "nvim"), "init.lua"), block(heading) + block("Commands and status line of Neovim"));
    const project = folder("project");
    symlinkSync(join(WHYDLL_REAL, "on-path-only"), join(project, ".venv"));
    writeFileSync(join(project, "main.py"), "import os\nimport tensorflow as tf\n");
    writeFileSync(
      join(folder("bin"), "whydll"),
      // A shell replaces the standard input of background processes, unless it is redirected.
      `#!/bin/sh\nexec 3<&0\n"${WHYDLL_BIN}" "$@" <&3 &\nserver=$!\nnotes=${this.notes}/$$\necho $server >$notes.pid\nwait $server\necho $? >$notes.status\n`,
      { mode: 0o755 },
    );
    const damaged = join(root, "damaged");
    execFileSync("cp", ["--archive", "--link", join(WHYDLL_REAL, "complete"), damaged]);
    renameSync(join(damaged, INTERNAL), join(damaged, "away"));

    const unset = { VIRTUAL_ENV: undefined, CONDA_PREFIX: undefined, PYTHONPATH: undefined, NVIM: undefined, VIMRUNTIME: undefined };
    this.options = {
      cwd: project,
      env: {
        ...process.env,
        ...unset,
        PATH: [join(root, "bin"), process.env.PATH].join(":"),
        XDG_CONFIG_HOME: join(root, "config"),
        XDG_DATA_HOME: folder("data"),
        XDG_STATE_HOME: folder("state"),
        XDG_CACHE_HOME: folder("cache"),
        WHYDLL_CACHE_DIR: join(tmpdir(), `whydll-neovim-cache-${process.pid}`),
        SESSION_DOCUMENTATION: EDITORS,
        SESSION_REAL: WHYDLL_REAL,
        SESSION_DAMAGED: damaged,
        SESSION_DELETED: join(damaged, INTERNAL),
        SESSION_PASSED: this.passed,
      },
    };
  }

  arguments(script) {
    return ["--headless", "-n", "main.py", "-c", `luafile ${fileURLToPath(new URL(script, import.meta.url))}`];
  }

  /** The servers that were started: whether each is running, and its exit status. */
  servers() {
    const notes = execFileSync("ls", [this.notes], { encoding: "utf8" }).split("\n").filter((name) => name.endsWith(".pid"));
    return notes.map((name) => {
      const pid = Number(readFileSync(join(this.notes, name), "utf8"));
      const status = join(this.notes, name.replace(".pid", ".status"));
      return { running: isRunning(pid), status: existsSync(status) ? readFileSync(status, "utf8").trim() : undefined };
    });
  }
}

process.on("exit", () => rmSync(join(tmpdir(), `whydll-neovim-cache-${process.pid}`), { recursive: true, force: true }));

/** The first code block below a heading of the documentation. */
function block(heading) {
  const [, below] = DOCUMENTATION.split(new RegExp(`^#+ ${heading.replaceAll(".", "\\.")}$`, "m"));
  const [, code] = /^```lua\n(.*?)^```$/ms.exec(below ?? "") ?? [];
  if (!code) throw new Error(`docs/editors.md has no Lua below "${heading}"`);
  return code;
}

function isRunning(pid) {
  try {
    // A zombie process has ended as well.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function until(what, probe) {
  const end = Date.now() + PATIENCE / 3;
  while (!probe()) {
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
    await sleep(50);
  }
}
