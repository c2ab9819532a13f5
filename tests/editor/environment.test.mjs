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

test("a DLL disappears and comes back, and nobody touches the editor", async (t) => {
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

test("two folders, each with an environment of its own", async (t) => {
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

test("a text becomes Python, and something else again", async (t) => {
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

test("the machine is another by a setting", async (t) => {
  const settings = { "whydll.interpreter": interpreter("complete"), "whydll.host": BARE };
  const { folder, file, write } = project({ files: { "main.py": PROGRAM }, settings });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.underlined();
  write(".vscode/settings.json", JSON.stringify({ ...settings, "whydll.host": EQUIPPED }));
  await window.notUnderlined();
  await window.isHealth("healthy");
});

test("the server is killed and comes back by itself; with the window it goes", async (t) => {
  const { folder, file } = project({ files: { "main.py": PROGRAM } });
  // Those of windows that other tests have closed.
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
  // It is a living one.
  await choose(window, interpreter("complete"));
  await window.notUnderlined();
  await window.isHealth("healthy");
  assert.equal(await window.notifications.count(), 0, "nobody needs to do anything");

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
