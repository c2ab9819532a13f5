/**
 * The packed extension for each platform. WHYDLL_BIN names the program for Linux, WHYDLL_EXE the
 * one for Windows. Run `npm ci` in client-vscode first.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { platformOf } from "./program.mjs";

const { WHYDLL_BIN, WHYDLL_EXE } = process.env;
if (!WHYDLL_BIN || !WHYDLL_EXE) throw new Error("WHYDLL_BIN and WHYDLL_EXE must be set, see the top of this file");

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SCRIPT = fileURLToPath(new URL("extension.mjs", import.meta.url));
const CLIENT = fileURLToPath(new URL("../client-vscode", import.meta.url));

/** The first bytes of programs for systems for which nothing can be built here. */
const PROGRAMS = {
  "win32-arm64": pe(0xaa64),
  "linux-arm64": elf(183),
  "darwin-x64": machO(0x01000007),
  "darwin-arm64": machO(0x0100000c),
};

/** Everything that a user downloads. Screenshots and translations are named by their directories. */
const CONTENTS = [
  "LICENSE.txt", "THIRD-PARTY-NOTICES.txt", "assets", "bundled/bin", "changelog.md", "dist/extension.js", "l10n", "package.json", "package.nls.json", "readme.md",
];

describe("packed", () => {
  for (const [target, program] of Object.entries({ "linux-x64": WHYDLL_BIN, "win32-x64": WHYDLL_EXE })) {
    test(`for ${target}, it has that program, which is executable, and everything else that is needed`, (t) => {
      const vsix = packed(t, target, program);
      const { entries, manifest, description, notices } = look(vsix);
      const name = target === "win32-x64" ? "whydll.exe" : "whydll";
      assert.deepEqual([...new Set(entries.map(({ path }) => placeOf(path)))].sort(), CONTENTS, JSON.stringify(entries));
      const bundled = entries.filter(({ path }) => path.startsWith("bundled/"));
      assert.deepEqual(bundled.map(({ path, mode }) => [path, mode & 0o777]), [[`bundled/bin/${name}`, 0o755]]);
      assert.match(description, new RegExp(`TargetPlatform="${target}"`));
      assert.doesNotMatch(description, /PreRelease/);
      assert.equal(manifest.main, "./dist/extension.js");
      assert.equal(manifest.dependencies ?? manifest.devDependencies ?? manifest.scripts, undefined);
      assert.deepEqual([...cratesOf("x86_64-pc-windows-gnu"), ...bundledPackages()].filter((name) => !isTold(notices, name)), []);
      if (target === "linux-x64") runs(t, vsix);
      assert.deepEqual(readdirSync(CLIENT).filter((file) => file === "bundled" || file.endsWith(".vsix")), []);
    });
  }

  for (const [target, bytes] of Object.entries(PROGRAMS)) {
    test(`for ${target}, as a pre-release`, (t) => {
      const { description } = look(packed(t, target, file(t, bytes), "--pre-release"));
      assert.match(description, new RegExp(`TargetPlatform="${target}"`));
      assert.match(description, /Id="Microsoft\.VisualStudio\.Code\.PreRelease" Value="true"/);
    });
  }

});

describe("refused, with one line that says why", () => {
  const cases = {
    "a program of another system": ["win32-x64", () => WHYDLL_BIN, /is for another target than win32-x64: linux-x64$/],
    "a program of another processor": ["darwin-arm64", (t) => file(t, PROGRAMS["darwin-x64"]), /: darwin-x64$/],
    "a text file": ["linux-x64", (t) => file(t, Buffer.from("#!/bin/sh\n")), /: not a program$/],
    "a program that does not exist": ["linux-x64", () => "/nowhere/whydll", /whydll does not exist$/],
    "an unknown target": ["beos-x64", () => WHYDLL_BIN, /unknown target beos-x64/],
    "a program that makes it too large": ["linux-arm64", (t) => file(t, Buffer.concat([elf(183), noise(8_400_000)])), /more than 8388608$/],
  };
  for (const [name, [target, program, reason]] of Object.entries(cases)) {
    test(name, (t) => {
      const { status, stderr, stdout } = spawnSync(process.execPath, [SCRIPT, target, program(t), "--out", temporaryFolder(t)], {
        encoding: "utf8",
      });
      assert.deepEqual([status, stdout], [1, ""]);
      assert.match(stderr.trim(), reason);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
    });
  }
});

test("the notices are up to date", () => {
  const script = fileURLToPath(new URL("notices.mjs", import.meta.url));
  execFileSync(process.execPath, [script, "--check"], { stdio: ["ignore", "ignore", "inherit"] });
});

test("the platform of a program is read from its first bytes", (t) => {
  const kinds = {
    ...PROGRAMS,
    "win32-x64": pe(0x8664),
    "32-bit Windows": pe(0x14c),
    "not a 32-bit or 64-bit program for Windows": Buffer.from("MZ and no more"),
    "ELF for processor number 8": elf(8),
    "a universal program for macOS, or a Java class": Buffer.from("cafebabe00000034", "hex"),
    "not a program": Buffer.alloc(0),
  };
  for (const [platform, bytes] of Object.entries(kinds)) assert.equal(platformOf(file(t, bytes)), platform);
  assert.equal(platformOf(WHYDLL_BIN), "linux-x64");
  assert.equal(platformOf(WHYDLL_EXE), "win32-x64");
});

function packed(t, target, program, ...more) {
  return execFileSync(process.execPath, [SCRIPT, target, program, "--out", temporaryFolder(t), ...more], { encoding: "utf8" }).trim();
}

function runs(t, vsix) {
  const folder = temporaryFolder(t);
  execFileSync("python3", ["-m", "zipfile", "-e", vsix, folder]);
  const program = join(folder, "extension", "bundled", "bin", "whydll");
  chmodSync(program, 0o755); // Python unpacks no modes.
  assert.match(execFileSync(program, ["--version"], { encoding: "utf8" }), /^whydll \d+\.\d+\.\d+\n$/);
}

/** The contents of a VSIX: the entries with their modes, the manifest, and what the marketplace reads. */
function look(vsix) {
  const program = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as vsix:
    entries = [{"path": e.filename[10:], "mode": e.external_attr >> 16} for e in vsix.infolist() if e.filename.startswith("extension/")]
    manifest = json.loads(vsix.read("extension/package.json"))
    texts = {"description": "extension.vsixmanifest", "notices": "extension/THIRD-PARTY-NOTICES.txt"}
    print(json.dumps({"entries": entries, "manifest": manifest, **{key: vsix.read(name).decode() for key, name in texts.items()}}))`;
  return JSON.parse(execFileSync("python3", ["-c", program, vsix], { encoding: "utf8" }));
}

/** The crates that cargo links into a program, as `name version`. */
function cratesOf(target) {
  const args = ["--package", "whydll", "--target", target, "--edges", "normal", "--prefix", "none", "--format", "{p}"];
  const tree = execFileSync("cargo", ["tree", "--locked", ...args], { cwd: ROOT, encoding: "utf8" });
  const lines = tree.trim().split("\n");
  const names = lines.map((line) => line.replace(/^(\S+) v(\S+).*$/, "$1 $2")).filter((name) => !name.startsWith("whydll "));
  assert.ok(names.length > 100, names.join(", "));
  return [...new Set(names)];
}

/** The npm packages in the extension's bundle, according to its source map. */
function bundledPackages() {
  const { sources } = JSON.parse(readFileSync(join(CLIENT, "dist", "extension.js.map"), "utf8"));
  const names = sources.map((source) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1]).filter(Boolean);
  assert.ok(names.includes("vscode-languageclient"), names.join(", "));
  const version = (name) => JSON.parse(readFileSync(join(CLIENT, "node_modules", name, "package.json"), "utf8")).version;
  return [...new Set(names)].map((name) => `${name} ${version(name)}`);
}

/** The works that share a license text, and that text. */
function* sections(notices) {
  for (const section of notices.split(/^={80}\n/m).slice(1)) {
    const [head, ...text] = section.split("\n\n");
    yield { names: head.split("\n").map((line) => line.split(" (")[0]), text: text.join("\n\n") };
  }
}

function isTold(notices, name) {
  return [...sections(notices)].some(({ names, text }) => names.includes(name) && text.length > 200);
}

function placeOf(path) {
  return CONTENTS.find((place) => path === place || path.startsWith(`${place}/`)) ?? path;
}

function file(t, bytes) {
  const path = join(temporaryFolder(t), "whydll");
  writeFileSync(path, bytes);
  return path;
}

function temporaryFolder(t) {
  const path = mkdtempSync(join(tmpdir(), "whydll-packaging-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function pe(machine) {
  const bytes = Buffer.alloc(256);
  bytes.write("MZ", "latin1");
  bytes.writeUInt32LE(128, 0x3c);
  bytes.write("PE\0\0", 128, "latin1");
  bytes.writeUInt16LE(machine, 132);
  return bytes;
}

function elf(machine) {
  const bytes = Buffer.alloc(64);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  bytes.writeUInt16LE(machine, 0x12);
  return bytes;
}

function machO(processor) {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE(0xfeedfacf, 0);
  bytes.writeUInt32LE(processor, 4);
  return bytes;
}

/** Bytes that cannot be compressed, the same on every run. */
function noise(length) {
  const bytes = Buffer.alloc(length);
  for (let at = 0, state = 1; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
