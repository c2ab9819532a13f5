/** Projects to open: a folder with a program, and the real Windows environment that it runs in. */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const { WHYDLL_REAL } = process.env;

export const BARE = "windows-11"; // a machine without the Visual C++ redistributable
export const EQUIPPED = "windows-11+vcredist";

/** The preferred fix if the Visual C++ runtime is missing: these environments have no pip. */
export const INSTALL = "Install the runtime into this Python with uv, which has to be installed first (no administrator needed)";

/**
 * A folder that is removed at the end. It has the same name each time if that is free, because
 * screenshots show it.
 */
export function place() {
  const path = made(join(tmpdir(), "data-science")) ?? mkdtempSync(join(tmpdir(), "whydll-"));
  process.once("exit", () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

function made(path) {
  try {
    mkdirSync(path);
    return path;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return undefined;
  }
}

/** A project with these files, by path, and workspace settings. */
export function project({ where = place(), name = "project", files = {}, settings } = {}) {
  const folder = join(where, name);
  mkdirSync(folder);
  const write = (path, content) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  };
  for (const [path, content] of Object.entries(files)) write(path, content);
  if (settings) write(".vscode/settings.json", JSON.stringify(settings, undefined, 2));
  return { where, folder, file: (path) => join(folder, path), write };
}

/** The interpreter of one of the environments that tests/real/setup makes. */
export function interpreter(name) {
  return join(WHYDLL_REAL, name, "python.exe");
}

/** A copy with hard links, which may be damaged: files may be removed and added, but never written to. */
export function copy(name, to) {
  execFileSync("cp", ["-al", realpathSync(join(WHYDLL_REAL, name)), to]);
  return to;
}
