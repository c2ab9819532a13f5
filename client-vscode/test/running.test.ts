import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { runImport } from "../src/running";

const signal = new AbortController().signal;

/** Creates a program that takes the place of Python. */
function python(t: TestContext, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), "whydll running "));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "python");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("running an import", () => {
  test("returns Python's output and exit code", async (t) => {
    const result = await runImport(python(t, 'echo "$1|$2"; echo "DLL load failed" >&2; exit 1'), "tensorflow", signal);
    assert.deepEqual(result, { exitCode: 1, output: "-c|import tensorflow\nDLL load failed\n" });
    assert.deepEqual(await runImport(python(t, "exit 0"), "tensorflow", signal), { exitCode: 0, output: "" });
  });

  test("stops after the timeout, or when it is cancelled", async (t) => {
    const endless = python(t, "echo begun; exec sleep 60");
    assert.deepEqual(await runImport(endless, "tensorflow", signal, undefined, 300), { exitCode: null, output: "begun\n" });
    const cancelled = new AbortController();
    const result = runImport(endless, "tensorflow", cancelled.signal);
    setTimeout(() => cancelled.abort(), 300);
    assert.equal((await result).exitCode, null);
  });

  test("reports a program that does not exist", async () => {
    const result = await runImport("/nowhere/python", "tensorflow", signal);
    assert.equal(result.exitCode, null);
    assert.match(result.notStarted ?? "", /ENOENT/);
  });

  test("uses the user's folder as the current directory", async (t) => {
    const result = await runImport(python(t, "pwd"), "tensorflow", signal, tmpdir());
    assert.equal(result.output.trim(), tmpdir());
  });
});
