#!/usr/bin/env node
/**
 * The license notices of the third-party code in the program and the extension:
 *
 *   packaging/notices.mjs [--check]
 *
 * writes those of the program's crates to THIRD-PARTY-NOTICES.txt, or checks whether it is up to
 * date. Run it again whenever Cargo.lock changes. Those of the extension's packages are added when
 * it is packed.
 */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const NOTICES = join(ROOT, "THIRD-PARTY-NOTICES.txt");
const TARGETS = [
  "x86_64-pc-windows-gnu",
  "x86_64-pc-windows-msvc",
  "aarch64-pc-windows-msvc",
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
];
const LICENSE_FILE = /^(licen[cs]e|copying|copyright|notice|unlicense)/i;
/** Licenses that are offered as alternatives to MIT. */
const INSTEAD_OF_MIT = /apache|unlicense|boost|bsd|zlib/i;
/** The terms of 0BSD, as SPDX lists them. */
const ZERO_BSD = `Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.`;
const OPENING = `THIRD-PARTY NOTICES

WhyDLL contains the work of others. Where they offer a choice of licenses, that of MIT is chosen. The standard
library of Rust (https://www.rust-lang.org), likewise MIT OR Apache-2.0, is in every program.
`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const content = OPENING + notices(crates());
  if (!process.argv.includes("--check")) writeFileSync(NOTICES, content);
  else if (!existsSync(NOTICES) || readFileSync(NOTICES, "utf8") !== content) {
    console.error("THIRD-PARTY-NOTICES.txt is not up to date: run packaging/notices.mjs");
    process.exitCode = 1;
  }
}

/**
 * The notices of the npm packages in a directory's node_modules, without development dependencies,
 * in the same form.
 */
export function noticesOfPackages(folder) {
  const list = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], {
    cwd: folder,
    encoding: "utf8",
    // On Windows npm is a script, which needs a shell.
    shell: process.platform === "win32",
  });
  const [, ...places] = list.trim().split(/\r?\n/);
  const packages = places.map((place) => {
    const { name, version, license, author, repository } = JSON.parse(
      readFileSync(join(place, "package.json"), "utf8"),
    );
    const address = typeof repository === "string" ? repository : repository?.url;
    return { name, version, license, authors: [author?.name ?? author].filter(Boolean), address, place };
  });
  return notices(packages);
}

/** The crates that are linked into the program on any platform. */
function crates() {
  const cargo = (...args) =>
    execFileSync("cargo", [...args, "--locked"], { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 28 });
  const targets = TARGETS.flatMap((target) => ["--target", target]);
  const tree = cargo(
    "tree",
    "--package",
    "whydll",
    ...targets,
    "--edges",
    "normal",
    "--prefix",
    "none",
    "--format",
    "{p}",
  );
  const linked = new Set(tree.split("\n").map((line) => line.split(" ", 2).join(" ")));
  const { packages } = JSON.parse(cargo("metadata", "--format-version", "1"));
  return packages
    .filter(({ name, version, source }) => source !== null && linked.has(`${name} v${version}`))
    .map(({ repository, manifest_path, ...one }) => ({
      ...one,
      address: repository,
      place: join(manifest_path, ".."),
    }));
}

/** Returns each license text once, below all works that have it. */
function notices(works) {
  const byText = new Map();
  const order = (one) => `${one.name} ${one.version}`;
  for (const work of works.toSorted((a, b) => (order(a) < order(b) ? -1 : 1))) {
    const text = licenseOf(work);
    byText.set(text, [
      ...(byText.get(text) ?? []),
      `${work.name} ${work.version} (${work.license}) ${work.address ?? ""}`.trim(),
    ]);
  }
  return [...byText].map(([text, names]) => `\n${"=".repeat(80)}\n${names.join("\n")}\n\n${text}\n`).join("");
}

function licenseOf({ name, version, license, authors, place }) {
  const files = readdirSync(place, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && LICENSE_FILE.test(entry.name),
  );
  const names = files.map((entry) => entry.name).sort();
  const chosen = names.some((file) => /mit/i.test(file))
    ? names.filter((file) => !INSTEAD_OF_MIT.test(file))
    : names;
  if (chosen.length > 0)
    return chosen.map((file) => cleaned(readFileSync(join(place, file), "utf8"))).join("\n\n");
  // Some lack the text.
  if (license === "0BSD") return `BSD Zero Clause License\n\nCopyright (c) ${authors.join(", ")}\n\n${ZERO_BSD}`;
  if (!/\bMIT\b/.test(license))
    throw new Error(`${name} ${version} (${license}) has no license text: ${basename(place)}`);
  const [, terms] = readFileSync(join(ROOT, "LICENSE-MIT"), "utf8").split(/^(?=Permission is)/m);
  return `MIT License\n\nCopyright (c) ${authors.join(", ") || `the authors of ${name}`}\n\n${cleaned(terms)}`;
}

function cleaned(text) {
  return text
    .replace(/^\uFEFF/, "")
    .replaceAll("\r\n", "\n")
    .replace(/[ \t]+$/gm, "")
    .trim();
}
