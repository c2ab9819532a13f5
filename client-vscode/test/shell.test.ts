import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { shellOf, type Shell } from "../src/shell";

describe("the syntax of a shell", () => {
  const cases: [path: string, shell: Shell | undefined][] = [
    [String.raw`C:\WINDOWS\System32\WindowsPowerShell\v1.0\powershell.exe`, "powershell"],
    [String.raw`C:\Program Files\PowerShell\7\pwsh.exe`, "pwsh"],
    ["/usr/bin/pwsh-preview", "pwsh"],
    [String.raw`C:\WINDOWS\system32\CMD.EXE`, "cmd"],
    [String.raw`C:\Program Files\Git\bin\bash.exe`, "posix"],
    ["/bin/zsh", "posix"],
    ["/usr/bin/fish", "posix"],
    ["/usr/bin/nu", undefined],
    ["/bin/tcsh", undefined],
    ["", undefined],
  ];
  for (const [path, shell] of cases) test(`${path || "no path"}: ${shell ?? "unknown"}`, () => assert.equal(shellOf(path), shell));
});
