/**
 * Windows machines under Wine: copies of those that tests/real/setup makes, each with its own
 * registry and Wine server.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Client } from "../lsp/client.mjs";

const CACHE = process.env.WHYDLL_TEST_CACHE ?? join(homedir(), ".cache", "whydll-tests");

/** Makes Wine's server respect the modes of files, even if the tests are run by root. */
const DROPPED = "-dac_override,-dac_read_search";
const UNPRIVILEGED = process.getuid() === 0 ? ["setpriv", "--bounding-set", DROPPED, "--inh-caps", DROPPED] : [];

const [WINE, SERVER] = [
  ["wine64", "wine"],
  ["wineserver64", "wineserver"],
].map(found);

export class Machine {
  /**
   * Copies the machine `name`, with the program in it. Its drive E: is the directory of the real
   * environments.
   */
  constructor(name) {
    const template = join(CACHE, "wine", name);
    this.prefix = mkdtempSync(join(CACHE, "wine-"));
    // Files are shared by hard links, except those that Wine writes in place.
    execFileSync("cp", ["--archive", "--link", `${template}/.`, this.prefix]);
    for (const file of readdirSync(template).filter((file) => file.endsWith(".reg"))) {
      rmSync(join(this.prefix, file));
      copyFileSync(join(template, file), join(this.prefix, file));
    }
    rmSync(join(this.prefix, "dosdevices", "e:"), { force: true });
    symlinkSync(process.env.WHYDLL_REAL, join(this.prefix, "dosdevices", "e:"));
    const home = this.folder("whydll");
    copyFileSync(process.env.WHYDLL_EXE, join(home, "whydll.exe"));
    // Rust's standard library takes random numbers from it, and Wine before version 9 lacks it.
    copyFileSync(join(CACHE, "windows", "bin", "bcryptprimitives.dll"), join(home, "bcryptprimitives.dll"));
    // Processes that the first program starts inherit its pipes and keep them open, so its output
    // must not matter.
    this.#quietly(SERVER, "-p");
    this.#quietly(WINE, "cmd", "/c", "exit");
  }

  /** The real path of a directory on its drive C:, which is created if necessary. */
  folder(path) {
    const folder = join(this.prefix, "drive_c", path);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Copies a real environment to a directory there, with hard links: replace files to change them. */
  environment(name, path) {
    const folder = this.folder(path);
    execFileSync("cp", ["--archive", "--link", `${process.env.WHYDLL_REAL}/${name}/.`, folder]);
    return folder;
  }

  /** Makes a share `\\server\share` of a directory. */
  share(server, share, folder) {
    const shares = join(this.prefix, "dosdevices", "unc", server);
    mkdirSync(shares, { recursive: true });
    symlinkSync(folder, join(shares, share));
  }

  /**
   * Writes a value into the registry. Wine's `reg` fails once in hundreds of times, and succeeds a
   * moment later.
   */
  register(key, name, type, value) {
    const add = () => this.#quietly(WINE, "reg", "add", key, "/v", name, "/t", type, "/d", value, "/f");
    try {
      add();
    } catch (error) {
      console.error(`trying again: ${error.message}`);
      add();
    }
  }

  /** Runs `whydll.exe`. Returns its exit status and output. */
  whydll(args, env = {}) {
    const [program, ...rest] = [...UNPRIVILEGED, WINE, "C:\\whydll\\whydll.exe", ...args];
    const { status, stdout, stderr, error } = spawnSync(program, rest, {
      env: this.#environment(env),
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
      timeout: 120_000,
    });
    if (error) throw error;
    return { status, out: stdout, err: stderr };
  }

  check(args, env) {
    const answer = this.whydll(["check", "--format", "json", ...args], env);
    if (answer.err !== "" || !answer.out.startsWith("{")) throw new Error(JSON.stringify(answer));
    return { status: answer.status, ...JSON.parse(answer.out) };
  }

  /** Starts the language server with a client. */
  server() {
    const [program, ...args] = [...UNPRIVILEGED, WINE, "C:\\whydll\\whydll.exe", "server", "--stdio"];
    return new Client({ program, args, env: this.#environment() });
  }

  remove() {
    this.#quietly(SERVER, "-k");
    rmSync(this.prefix, { recursive: true, force: true });
  }

  #environment(more = {}) {
    const nothing = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
    return {
      ...nothing,
      PATH: "/usr/bin:/bin",
      // File names are UTF-8, for Wine too.
      LC_ALL: "C.UTF-8",
      // Wine links the user's real directories into the drive.
      HOME: this.prefix,
      WINEPREFIX: this.prefix,
      WINEARCH: "win64",
      WINESERVER: SERVER,
      WINEDEBUG: "-all",
      WINEDLLOVERRIDES: "winemenubuilder.exe=d;mscoree=d;mshtml=d;winedbg.exe=d",
      WHYDLL_CACHE_DIR: "C:\\whydll\\cache",
      ...more,
    };
  }

  #quietly(...command) {
    const [program, ...args] = [...UNPRIVILEGED, ...command];
    const { status, error } = spawnSync(program, args, { env: this.#environment(), stdio: "ignore", timeout: 120_000 });
    if (error) throw error;
    if (status !== 0 && command[1] !== "-k") throw new Error(`${command.join(" ")}: ${status}`);
  }
}

/** Debian keeps Wine's own programs out of PATH. */
function found(names) {
  const folders = ["/usr/lib/wine", ...process.env.PATH.split(":")];
  const places = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  const place = places.find((place) => existsSync(place));
  if (!place) throw new Error(`${names[0]} is missing: apt-get install --no-install-recommends wine wine64`);
  return place;
}
