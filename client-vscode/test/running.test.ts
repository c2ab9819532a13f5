import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { runImport } from "../src/running";

const signal = new AbortController().signal;

/** A program that stands for Python. */
function python(t: TestContext, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), "whydll running "));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "python");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("an import that is really made", () => {
  test("tells what Python printed, and how it ended", async (t) => {
    const seen = await runImport(python(t, 'echo "$1|$2"; echo "DLL load failed" >&2; exit 1'), "tensorflow", signal);
    assert.deepEqual(seen, { exitCode: 1, output: "-c|import tensorflow\nDLL load failed\n" });
    assert.deepEqual(await runImport(python(t, "exit 0"), "tensorflow", signal), { exitCode: 0, output: "" });
  });

  test("is stopped when it does not end, or nobody waits any more", async (t) => {
    const endless = python(t, "echo begun; exec sleep 60");
    assert.deepEqual(await runImport(endless, "tensorflow", signal, undefined, 300), { exitCode: null, output: "begun\n" });
    const cancelled = new AbortController();
    const seen = runImport(endless, "tensorflow", cancelled.signal);
    setTimeout(() => cancelled.abort(), 300);
    assert.equal((await seen).exitCode, null);
  });

  test("cannot be made where there is no program", async () => {
    const seen = await runImport("/nowhere/python", "tensorflow", signal);
    assert.equal(seen.exitCode, null);
    assert.match(seen.notStarted ?? "", /ENOENT/);
  });

  test("is made in the folder of the user", async (t) => {
    const seen = await runImport(python(t, "pwd"), "tensorflow", signal, tmpdir());
    assert.equal(seen.output.trim(), tmpdir());
  });
});
