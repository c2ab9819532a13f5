import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { commandLine, shellOf, type Shell } from "../src/quoting";

const PYTHON = String.raw`C:\Python38\python.exe`;
const SPACED = String.raw`C:\Program Files\Python38\python.exe`;
const PIP = ["-m", "pip", "install", "msvc-runtime"];

/** Words that shells are known to trip over. */
const NASTY = [
  "", " ", "a b", "it's", "‘typographic’", "tensorflow==2.3.0", "numpy<2", "a&b", "a|b", "a;b", "a^b", "$HOME", "`id`", "$(id)",
  "%PATH%", "100%", "!x!", "*", "~", "#", "é😀", "C:\\dir with space\\", "\\", String.raw`\\server\share`,
  'say "hi"', String.raw`\"`, String.raw`a\\"b\\`, '"', '""', '"%"', '"&"', String.raw`"a" & "b\"`,
];

describe("which language the shell speaks", () => {
  const cases: [path: string, shell: Shell][] = [
    [String.raw`C:\WINDOWS\System32\WindowsPowerShell\v1.0\powershell.exe`, "powershell"],
    [String.raw`C:\Program Files\PowerShell\7\pwsh.exe`, "pwsh"],
    ["/usr/bin/pwsh-preview", "pwsh"],
    [String.raw`C:\WINDOWS\system32\CMD.EXE`, "cmd"],
    [String.raw`C:\Program Files\Git\bin\bash.exe`, "posix"],
    ["/bin/zsh", "posix"],
    ["", "posix"],
  ];
  for (const [path, shell] of cases) test(`${path || "unknown"}: ${shell}`, () => assert.equal(shellOf(path), shell));
});

describe("the line a user reads", () => {
  const cases: [shell: Shell, program: string, args: string[], line: string][] = [
    ["powershell", PYTHON, PIP, String.raw`C:\Python38\python.exe -m pip install msvc-runtime`],
    ["powershell", SPACED, PIP, String.raw`& 'C:\Program Files\Python38\python.exe' -m pip install msvc-runtime`],
    ["pwsh", String.raw`C:\it's\python.exe`, ["-V"], String.raw`& 'C:\it''s\python.exe' -V`],
    ["pwsh", "python", ["‘a’"], "python '‘‘a’’'"],
    ["pwsh", "python", ['say "hi"'], `python 'say "hi"'`],
    ["powershell", "python", ['say "hi"', ""], String.raw`python 'say \"hi\"' '""'`],
    ["powershell", "python", [String.raw`C:\a b` + "\\"], String.raw`python 'C:\a b\\'`],
    ["cmd", SPACED, PIP, String.raw`"C:\Program Files\Python38\python.exe" -m pip install msvc-runtime`],
    ["cmd", "python", ["numpy<2", "a&b"], 'python "numpy<2" "a&b"'],
    ["cmd", "python", ["%PATH%"], 'python ^%"PATH"^%'],
    ["cmd", "python", ['say "hi"'], String.raw`python "say "\^""hi"\^"`],
    ["posix", "/opt/my python", ["-m", "pip", "it's"], String.raw`'/opt/my python' -m pip 'it'\''s'`],
  ];
  for (const [shell, program, args, line] of cases) {
    test(`${shell}: ${line}`, () => assert.equal(commandLine(shell, program, args), line));
  }
});

describe("what arrives is what was meant", () => {
  test("through a real sh", { skip: process.platform === "win32" }, () => {
    const line = commandLine("posix", process.execPath, ["-p", "JSON.stringify(process.argv.slice(1))", "--", ...NASTY]);
    assert.deepEqual(JSON.parse(execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" })), NASTY);
  });

  test("through cmd and the C runtime", () => {
    const line = commandLine("cmd", SPACED, NASTY);
    assert.deepEqual(argvOfCRuntime(readByCmd(line)), [SPACED, ...NASTY]);
  });

  test("through the single-quoted strings of PowerShell 7", () => {
    for (const word of NASTY) {
      const quoted = commandLine("pwsh", "p", [word]).slice(2);
      const inner = /^'((?:[^'‘’‚‛]|(['‘’‚‛])\2)*)'$/s.exec(quoted)?.[1];
      assert.equal(inner === undefined ? quoted : inner.replace(/(['‘’‚‛])\1/g, "$1"), word);
    }
  });
});

test("nothing that would press Enter is ever typed", () => {
  for (const shell of ["powershell", "pwsh", "cmd", "posix"] as const) {
    for (const word of ["a\nb", "a\r", "\0", "\u001b[A", "\t", "\u2028"]) {
      assert.throws(() => commandLine(shell, "python", [word]), /control character/);
      assert.throws(() => commandLine(shell, word, []), /control character/);
    }
  }
});

/** What cmd, reading a line at its prompt, hands on. Fails where it would see an operator or a variable. */
function readByCmd(line: string): string {
  const environment = /%([^%^"]+)%/.exec(line);
  assert.equal(environment, null, `cmd would expand ${String(environment?.[0])}`);
  let quoted = false;
  let read = "";
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (!quoted && char === "^") {
      read += line.charAt(++at);
      continue;
    }
    if (char === '"') quoted = !quoted;
    assert.ok(quoted || !"&|<>()".includes(char), `cmd would see the operator ${char} in ${line}`);
    read += char;
  }
  return read;
}

/** How a Windows program splits its command line (the rules of Microsoft's C runtime). */
function argvOfCRuntime(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let at = 0; at < line.length; ) {
    const backslashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
    if (line.charAt(at + backslashes) === '"') {
      word = (word ?? "") + "\\".repeat(backslashes >> 1);
      if (backslashes % 2 === 1) word += '"';
      else quoted = !quoted;
      at += backslashes + 1;
      continue;
    }
    const char = line.charAt(at++);
    if (char === " " && !quoted) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  return word === undefined ? words : [...words, word];
}
