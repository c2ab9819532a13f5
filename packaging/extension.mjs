#!/usr/bin/env node
/**
 * The extension for VS Code, with the server's program in it, for one platform:
 *
 *   packaging/extension.mjs TARGET PROGRAM [--pre-release] [--out FOLDER] [--any-size]
 *
 * TARGET is win32-x64, win32-arm64, linux-x64, linux-arm64, darwin-x64, or darwin-arm64; PROGRAM is
 * the whydll that was built for it. Prints the path of the VSIX. Refuses one that is too large to
 * publish, unless --any-size is given. Run `npm ci` in client-vscode first. Downloads nothing, and
 * only leaves dist/ in client-vscode.
 */

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { NOTICES, noticesOfPackages } from "./notices.mjs";
import { platformOf } from "./program.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const CLIENT = join(ROOT, "client-vscode");
const TARGETS = ["win32-x64", "win32-arm64", "linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];
const MAX_BYTES = 8 * 1024 * 1024;

try {
  console.log(pack(parse(process.argv.slice(2))));
} catch (error) {
  console.error(`packaging/extension.mjs: ${error.message}`);
  process.exitCode = 1;
}

function parse(args) {
  const flag = { type: "boolean", default: false };
  const options = { "pre-release": flag, "any-size": flag, out: { type: "string", default: "." } };
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [target, program, ...more] = positionals;
  if (!program || more.length > 0) throw new Error("expected a target and its program: TARGET PROGRAM [--pre-release] [--out FOLDER] [--any-size]");
  if (!TARGETS.includes(target)) throw new Error(`unknown target ${target}, expected one of ${TARGETS.join(", ")}`);
  if (!existsSync(program)) throw new Error(`${program} does not exist`);
  const platform = platformOf(program);
  if (platform !== target) throw new Error(`${program} is for another target than ${target}: ${platform}`);
  return { target, program, preRelease: values["pre-release"], anySize: values["any-size"], out: values.out };
}

function pack({ target, program, preRelease, anySize, out }) {
  const vsce = join(CLIENT, "node_modules", "@vscode", "vsce", "vsce");
  if (!existsSync(vsce)) throw new Error(`${vsce} is missing: run npm ci in client-vscode`);
  npm("run", "--silent", "build");

  const manifest = JSON.parse(readFileSync(join(CLIENT, "package.json"), "utf8"));
  mkdirSync(out, { recursive: true });
  const vsix = resolve(out, `${manifest.name}-${target}-${manifest.version}.vsix`);
  const stage = mkdtempSync(join(tmpdir(), "whydll-vsix-"));
  try {
    fill(stage, manifest, target, program);
    const args = ["package", "--target", target, "--out", vsix, "--no-dependencies", "--allow-missing-repository"];
    // Relative links point to files that are packed too, so they need no URL of the repository.
    args.push("--no-rewrite-relative-links", ...(preRelease ? ["--pre-release"] : []));
    const said = execFileSync(process.execPath, [vsce, ...args], { cwd: stage, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    if (/warning/i.test(said)) console.error(said);
  } finally {
    rmSync(stage, { recursive: true });
  }
  const { size } = statSync(vsix);
  if (size >= MAX_BYTES && !anySize) throw new Error(`${vsix} has ${size} bytes, more than ${MAX_BYTES}`);
  return vsix;
}

/** Collects the files of the extension: those that .vscodeignore allows, and those from elsewhere. */
function fill(stage, manifest, target, program) {
  for (const name of ["README.md", ".vscodeignore", "package.nls.json", "l10n", "assets", "dist"]) {
    cpSync(join(CLIENT, name), join(stage, name), { recursive: true });
  }
  // Without what is only needed to build the extension.
  const { scripts: _, dependencies: __, devDependencies: ___, ...kept } = manifest;
  writeFileSync(join(stage, "package.json"), `${JSON.stringify(kept, null, 2)}\n`);
  copyFileSync(join(ROOT, "CHANGELOG.md"), join(stage, "CHANGELOG.md"));
  const licenses = ["MIT", "APACHE"].map((name) => readFileSync(join(ROOT, `LICENSE-${name}`), "utf8"));
  const choice = "WhyDLL is licensed under the MIT license or the Apache license, version 2.0, at your option. Both follow.\n";
  writeFileSync(join(stage, "LICENSE.txt"), [choice, ...licenses].join("\n----\n\n"));
  writeFileSync(join(stage, basename(NOTICES)), readFileSync(NOTICES, "utf8") + noticesOfPackages(CLIENT));

  const place = join(stage, "bundled", "bin");
  mkdirSync(place, { recursive: true });
  const file = join(place, target.startsWith("win32") ? "whydll.exe" : "whydll");
  copyFileSync(program, file);
  chmodSync(file, 0o755);
}

function npm(...args) {
  // On Windows npm is a script, which needs a shell.
  execFileSync("npm", args, { cwd: CLIENT, stdio: ["ignore", "ignore", "pipe"], shell: process.platform === "win32" });
}
