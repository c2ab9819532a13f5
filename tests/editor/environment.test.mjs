/** The environment changes, the window changes, the server ends: the editor follows. */

import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Editor, test } from "./editor.mjs";
import { BARE, EQUIPPED, copy, interpreter, place, project } from "./project.mjs";

const PROGRAM = "import os\nimport tensorflow as tf\n\nprint(tf.__version__)\n";

const UNDERLINED = [{ text: "tensorflow", line: "import tensorflow as tf" }];

let editor;
before(async () => {
  editor = await Editor.start({ settings: { "whydll.host": EQUIPPED, "python.defaultInterpreterPath": interpreter("internal-deleted") } });
});
after(() => editor?.stop());

test("another interpreter is chosen in the Python extension", async (t) => {
  const { folder, file } = project({ files: { "main.py": PROGRAM } });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("broken");
  await window.underlined();

  await choose(window, interpreter("complete"));
  await window.notUnderlined();
  await window.isHealth("healthy");
  assert.doesNotMatch(await window.health.getAttribute("class"), /error-kind/);
  await (await window.hover(window.health, interpreter("complete"))).waitFor();
  await window.picture("healthy");

  await choose(window, interpreter("internal-deleted"));
  await window.underlined();
  await window.isHealth("broken");
});

test("a DLL disappears and returns while the editor isn't used", async (t) => {
  const where = place();
  const python = copy("complete", join(where, "python"));
  const settings = { "whydll.interpreter": join(python, "python.exe") };
  const { folder, file } = project({ where, files: { "main.py": PROGRAM }, settings });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("healthy");
  assert.equal(await window.squiggles().count(), 0);

  const dll = join(python, "Lib/site-packages/tensorflow/python/_pywrap_tensorflow_internal.pyd");
  renameSync(dll, join(where, "away"));
  assert.deepEqual(await window.underlined(), UNDERLINED);
  await window.isHealth("broken");
  renameSync(join(where, "away"), dll);
  await window.notUnderlined();
  await window.isHealth("healthy");
});

test("two folders, each with its own environment", async (t) => {
  const where = place();
  const [broken, healthy] = ["internal-deleted", "complete"].map((name) =>
    project({ where, name: `with-${name}`, files: { [`${name}.py`]: PROGRAM }, settings: { "whydll.interpreter": interpreter(name) } }),
  );
  const workspace = join(where, "both.code-workspace");
  writeFileSync(workspace, JSON.stringify({ folders: [broken, healthy].map(({ folder }) => ({ path: folder })) }));

  const window = await editor.openFor(t, workspace, broken.file("internal-deleted.py"));
  await window.isHealth("broken");
  await window.underlined();
  await window.openFile("complete.py");
  await window.isHealth("healthy");
  assert.equal(await window.squiggles().count(), 0);
  await window.openFile("internal-deleted.py");
  await window.isHealth("broken");
  await window.underlined();

  const rows = await window.problems();
  await rows.filter({ hasText: "will fail" }).waitFor();
  await window.picture("two-folders");
  assert.equal(await rows.filter({ hasText: "will fail" }).count(), 1);
});

test("the DLL chain follows its environment, and never takes the keyboard focus", async (t) => {
  const where = place();
  const python = copy("complete", join(where, "python"));
  const broken = project({ where, name: "first", files: { "main.py": PROGRAM }, settings: { "whydll.interpreter": join(python, "python.exe") } });
  const other = project({ where, name: "second", files: { "other.py": PROGRAM }, settings: { "whydll.interpreter": interpreter("complete") } });
  const workspace = join(where, "both.code-workspace");
  writeFileSync(workspace, JSON.stringify({ folders: [broken, other].map(({ folder }) => ({ path: folder })) }));
  const window = await editor.openFor(t, workspace, broken.file("main.py"));
  await window.isHealth("healthy");
  await window.command("WhyDLL: Show DLL Chain");
  const chain = await window.preview("DLL Chain: tensorflow");
  await chain.locator("p.fine").first().waitFor();
  await window.command("View: Move Editor into Next Group");
  await chain.locator("p.fine").first().waitFor();

  // The environment breaks and is fixed while the user types.
  const dll = join(python, "Lib/site-packages/tensorflow/python/_pywrap_tensorflow_internal.pyd");
  await window.focusEditor();
  await window.page.keyboard.press("Control+End");
  const words = "x = 1 ".repeat(40);
  const typing = (async () => {
    for (const key of words) {
      await window.page.keyboard.type(key);
      await sleep(20);
    }
  })();
  renameSync(dll, join(where, "away"));
  await chain.locator("h2.failure").first().waitFor();
  await chain.getByText("_pywrap_tensorflow_internal").first().waitFor();
  await window.picture("chain-broken");
  await typing;
  await window.reads(`${PROGRAM}${words}`);
  // Events of another folder don't change it.
  await window.openFile("other.py");
  await window.isHealth("healthy");
  assert.ok((await chain.locator("h2.failure").count()) > 0);

  renameSync(join(where, "away"), dll);
  await chain.locator("p.fine").first().waitFor();
  assert.equal(await chain.locator("h2.failure").count(), 0);
  assert.equal(await window.notifications.count(), 0);
});

test("a deleted environment is reported as gone, without a notification", async (t) => {
  const where = place();
  const python = copy("complete", join(where, "python"));
  const { folder, file } = project({ where, files: { "main.py": PROGRAM }, settings: { "whydll.interpreter": join(python, "python.exe") } });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("healthy");
  await window.command("WhyDLL: Show DLL Chain");
  const chain = await window.preview("DLL Chain: tensorflow");
  await chain.locator("p.fine").first().waitFor();
  await window.openFile("main.py");
  renameSync(python, join(where, "gone"));
  await window.isHealth("Python is gone");
  await (await window.hover(window.health, "no longer exists")).waitFor();
  await window.picture("gone");
  assert.equal(await window.notifications.count(), 0);
  renameSync(join(where, "gone"), python);
  await window.isHealth("healthy");
});

test("a file outside of the folder and an untitled one have the window's Python", async (t) => {
  const where = place();
  const { folder } = project({ where, files: { "main.py": PROGRAM } });
  const outside = project({ where, name: "outside", files: { "out.py": PROGRAM } });
  const window = await editor.openFor(t, folder, outside.file("out.py"));
  await window.isHealth("broken");
  await (await window.hover(window.health, interpreter("internal-deleted"))).waitFor();
  await choose(window, interpreter("complete"));
  await window.isHealth("healthy");
  await (await window.hover(window.health, interpreter("complete"))).waitFor();
});

test("a notebook runs in the Python of its kernel", async (t) => {
  const cells = ["import os", "import tensorflow as tf"];
  const notebook = { cells: cells.map((source) => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source })), metadata: { language_info: { name: "python" } }, nbformat: 4, nbformat_minor: 4 };
  const files = { "main.py": PROGRAM, "train.ipynb": JSON.stringify(notebook), "kernel.txt": interpreter("complete") };
  const { folder, file, write } = project({ files });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("broken");
  await window.openFile("train.ipynb");
  await window.shows("import tensorflow");
  await window.lines.filter({ hasText: "import tensorflow" }).click();
  await window.isHealth("healthy");
  assert.equal(await window.squiggles().count(), 0);
  write("kernel.txt", interpreter("internal-deleted"));
  assert.deepEqual(await window.underlined(), UNDERLINED);
  await window.isHealth("broken");
});

test("all files of a folder are checked, including those that are not open", async (t) => {
  const files = { "main.py": "import os\n", "steps/train.py": "import os\n\nimport tensorflow\n", "steps/broken.ipynb": "{" };
  const { folder, file } = project({ files, settings: { "whydll.interpreter": interpreter("internal-deleted") } });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("tensorflow: damaged");
  await window.command("WhyDLL: Check All Files in the Folder");
  const page = await window.preview("WhyDLL Folder");
  await page.getByText(/2 files checked in .+, as saved on disk/).waitFor();
  await page.getByText("Not checked: ").waitFor();
  await window.picture("folder");
  await page.getByRole("link", { name: "steps/train.py:3" }).click();
  await window.tab("train.py").waitFor();
  await window.statusItem("status.editor.selection").filter({ hasText: "Ln 3" }).waitFor();
  assert.deepEqual(await window.underlined(), [{ text: "tensorflow", line: "import tensorflow" }]);
});

/** Python's message with Smart App Control. */
const message = "DLL load failed while importing etree: An Application Control policy has blocked this file.";
const traceback = `Traceback (most recent call last):\n  File "main.py", line 1, in <module>\n    import lxml.etree\nImportError: ${message}\n`;

test("a traceback of a debugged program is explained", async (t) => {
  const launch = { configurations: [{ type: "printing", request: "launch", name: "Print", program: "${workspaceFolder}/traceback.log" }] };
  const files = { "traceback.log": traceback, ".vscode/launch.json": JSON.stringify(launch), "main.py": "import os\n" };
  const { folder, file } = project({ files, settings: { "whydll.interpreter": interpreter("complete") } });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("healthy");
  await window.command("Debug: Start Without Debugging");
  const console = window.page.locator(".repl .monaco-list-row");
  await console.filter({ hasText: "has blocked this file" }).first().waitFor();
  await window.page.evaluate(() => navigator.clipboard.writeText(""));
  await window.focusEditor();
  await window.command("WhyDLL: Explain a Traceback");
  const page = await window.preview("WhyDLL Explanation");
  await page.getByText("Smart App Control").first().waitFor();
});

test("a traceback is explained where it is: in a terminal, below a cell, and in a window without Python", async (t) => {
  const output = { output_type: "error", ename: "ImportError", evalue: message, traceback: traceback.split("\n") };
  const cell = { cell_type: "code", execution_count: 1, metadata: {}, outputs: [output], source: "import lxml.etree" };
  const notebook = { cells: [cell], metadata: { language_info: { name: "python" } }, nbformat: 4, nbformat_minor: 4 };
  const files = { "traceback.log": traceback, "failed.ipynb": JSON.stringify(notebook) };
  const settings = { "whydll.interpreter": interpreter("complete") };
  const { folder, file } = project({ files, settings });
  const window = await editor.openFor(t, folder, file("traceback.log"));
  const explained = async () => {
    const page = await window.preview("WhyDLL Explanation");
    await page.getByText("Smart App Control").first().waitFor();
    await window.command("View: Close All Editors");
  };

  // No Python file is open: the command starts the extension.
  await window.shows("Application Control");
  await window.focusEditor();
  await window.page.keyboard.press("Control+a");
  await window.command("WhyDLL: Explain a Traceback");
  await explained();

  await window.openFile("failed.ipynb");
  await window.page.getByText("Why did this DLL load fail?").click();
  await explained();

  await window.command("Terminal: Create New Terminal");
  await window.until(async () => (await window.terminalText()) !== "", () => "no terminal has started");
  await window.page.keyboard.type(`cat ${file("traceback.log")}\n`);
  await window.until(async () => (await window.terminalText()).includes("has blocked this file"), () => window.terminalText());
  await window.command("Terminal: Select All");
  const menu = window.page.getByText("Explain Selected Traceback");
  await window.again(async () => {
    await window.page.locator(".terminal-wrapper.active .xterm-screen").click({ button: "right" });
    await menu.hover();
    // A menu ignores clicks at first.
    await sleep(500);
    await menu.click();
  }, window.tab("WhyDLL Explanation"));
  await explained();
  await window.command("Terminal: Kill All Terminals");
});

test("a missing program is only reported in the status bar", async (t) => {
  const { folder, file, write } = project({ files: { "main.py": PROGRAM }, settings: { "whydll.path": "/nowhere/whydll" } });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("WhyDLL: not running");
  await (await window.hover(window.health, "/nowhere/whydll")).waitFor();
  assert.equal(await window.notifications.count(), 0);
  write(".vscode/settings.json", "{}");
  await window.isHealth("broken");
});

test("a document's language changes to Python, and back", async (t) => {
  const { folder, file } = project({ files: { "main.py": PROGRAM, notes: PROGRAM } });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("broken");
  await window.openFile("notes");
  await window.health.waitFor({ state: "hidden" });
  await window.changeLanguage("Python");
  await window.isHealth("broken");
  assert.deepEqual(await window.underlined(), UNDERLINED);
  await window.changeLanguage("Plain Text");
  await window.health.waitFor({ state: "hidden" });
  await window.notUnderlined();
});

test("a setting changes the machine", async (t) => {
  const settings = { "whydll.interpreter": interpreter("complete"), "whydll.host": BARE };
  const { folder, file, write } = project({ files: { "main.py": PROGRAM }, settings });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.underlined();
  write(".vscode/settings.json", JSON.stringify({ ...settings, "whydll.host": EQUIPPED }));
  await window.notUnderlined();
  await window.isHealth("healthy");
});

test("the server is restarted after it is killed, and ends with the window", async (t) => {
  const { folder, file } = project({ files: { "main.py": PROGRAM } });
  // The servers of windows that other tests have closed.
  await noServer();
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("broken");
  assert.deepEqual(await window.underlined(), UNDERLINED);

  const [server, ...others] = editor.host.servers();
  assert.deepEqual(others, []);
  process.kill(server, "SIGKILL");
  await window.until(() => editor.host.servers().some((other) => other !== server), () => "no server came back");
  await window.isHealth("broken");
  assert.deepEqual(await window.underlined(), UNDERLINED);
  // The new server works.
  await choose(window, interpreter("complete"));
  await window.notUnderlined();
  await window.isHealth("healthy");
  assert.equal(await window.notifications.count(), 0, "no notification");

  await window.close();
  await noServer();
});

async function noServer() {
  for (const end = Date.now() + 60_000; editor.host.servers().length > 0; await sleep(50)) {
    assert.ok(Date.now() < end, "a server is left");
  }
}

/** Chooses an interpreter in the Python extension. */
async function choose(window, path) {
  await window.command("Python: Select Interpreter");
  await window.quickInput.fill(path);
  await window.page.keyboard.press("Enter");
}
