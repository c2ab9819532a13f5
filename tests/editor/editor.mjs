/** A running VS Code and a browser in front of it. Windows are opened in it, and used like a user would. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as runnerTest } from "node:test";
import { Host } from "./host.mjs";
import { Outside } from "./outside.mjs";
import { Workbench } from "./workbench.mjs";

const { WHYDLL_EDITOR, WHYDLL_PICTURES } = process.env;
const { chromium } = createRequire(join(WHYDLL_EDITOR, "package.json"))("playwright-core");

/** The time limit for anything to happen, on a busy machine. */
const PATIENCE = 60_000;

/** The open windows, each with the VS Code that serves it. */
const windows = new Map();

/**
 * A test of Node's. If it fails, takes screenshots of all open windows, and prints their contents
 * and our extension's log.
 */
export function test(name, run) {
  runnerTest(name, async (t) => {
    try {
      await run(t);
    } catch (error) {
      for (const [window, host] of windows) {
        await window.picture(`failed ${name}`).catch(() => {});
        const report = [await window.visibleText().catch(String), host.log()].join("\n");
        for (const line of report.split("\n")) t.diagnostic(line);
      }
      throw error;
    }
  });
}

export class Editor {
  /** See Host.start. */
  static async start(options) {
    const editor = new Editor();
    try {
      editor.outside = await Outside.start();
      [editor.host, editor.browser] = await Promise.all([
        Host.start({ outside: editor.outside, ...options }),
        launch(editor.profile),
      ]);
      editor.outside.watch(editor.browser);
    } catch (error) {
      await editor.stop();
      throw error;
    }
    return editor;
  }

  profile = mkdtempSync(join(tmpdir(), "chromium-"));

  /** A window on a folder or a .code-workspace file, or on none, with files open. */
  async open(workspace, ...files) {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    const window = new Workbench(page, WHYDLL_PICTURES);
    windows.set(window, this.host);
    page.once("close", () => windows.delete(window));
    await page.goto(this.host.address(workspace, files), { waitUntil: "domcontentloaded" });
    await window.ready();
    // VS Code (code-server 4.139.1) sometimes shows a workspace of several folders without any
    // folder until the window is reloaded: it read the file before its connection to the machine
    // was open, and doesn't read it again.
    const hasFolders = () => window.hasFolders().then(() => true, () => false);
    for (let round = 1; workspace?.endsWith(".code-workspace") && !(await hasFolders()); round++) {
      if (round === 3) throw new Error(`VS Code does not read the folders of ${workspace}`);
      await page.reload({ waitUntil: "domcontentloaded" });
      await window.ready();
    }
    return window;
  }

  /** The same for one test: it is closed after it. */
  async openFor(t, workspace, ...files) {
    const window = await this.open(workspace, ...files);
    t.after(() => window.close());
    return window;
  }

  /** Ends everything. Nothing may have requested anything outside of this machine. */
  async stop() {
    await this.browser?.close();
    await this.host?.stop();
    await this.outside?.stop();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
    assert.deepEqual(this.outside?.requests, []);
  }
}

function launch(profile) {
  mkdirSync(WHYDLL_PICTURES, { recursive: true });
  return chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    permissions: ["clipboard-read", "clipboard-write"],
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-proxy-server"],
      // Chromium's own requests, which fail here.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}
