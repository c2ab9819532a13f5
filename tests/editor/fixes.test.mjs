/** Fixes that change the program: applied, and undone. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before } from "node:test";
import { Editor, test } from "./editor.mjs";
import { BARE, EQUIPPED, interpreter, project } from "./project.mjs";

/** The runtime is only on PATH, which Python 3.8 does not search. */
const EXTRA = join(process.env.WHYDLL_REAL, "on-path-only", "extra");
const UNDERLINED = [{ text: "tensorflow", line: "import tensorflow as tf" }];

let editor;
before(async () => {
  editor = await Editor.start({ env: { PATH: [EXTRA, process.env.PATH].join(delimiter) } });
});
after(() => editor?.stop());

test("a line is added, undone, and added again", async (t) => {
  const text = "import tensorflow as tf\n";
  const settings = { "whydll.host": BARE, "whydll.interpreter": interpreter("on-path-only") };
  const { folder, file } = project({ files: { "main.py": text }, settings });
  const window = await editor.openFor(t, folder, file("main.py"));
  assert.deepEqual(await window.underlined(), UNDERLINED);
  await window.focusEditor();
  await window.goTo(1, 10);

  const title = `Add ${EXTRA} with os.add_dll_directory before the import`;
  await window.quickFixes(title);
  await window.picture("edit");
  await window.fix(title);
  await window.notUnderlined();
  await window.picture("edited");
  const fixed = `import os\nos.add_dll_directory(r"${EXTRA}")\n${text}`;
  await window.reads(fixed);

  await window.page.keyboard.press("Control+z");
  await window.reads(text);
  assert.deepEqual(await window.underlined(), UNDERLINED);

  await window.page.keyboard.press("Control+Shift+z");
  await window.notUnderlined();
  await window.save();
  assert.equal(readFileSync(file("main.py"), "utf8"), fixed);
});

test("a file that hides a package is renamed, and the rename is undone", async (t) => {
  const settings = { "whydll.host": EQUIPPED, "whydll.interpreter": interpreter("complete") };
  const files = { "main.py": "import tensorflow as tf\n", "tensorflow.py": "import tensorflow as tf\n" };
  const { folder, file } = project({ files, settings });
  const window = await editor.openFor(t, folder, file("main.py"));
  assert.deepEqual(await window.underlined("warning"), UNDERLINED);
  await window.focusEditor();
  await window.goTo(1, 10);

  const title = "Rename the file tensorflow.py to my_tensorflow.py";
  await window.bulb.waitFor();
  assert.equal((await window.quickFixes(title))[0], title);
  await window.picture("rename");
  await window.fix(title);
  await window.notUnderlined("warning");
  assert.ok(existsSync(file("my_tensorflow.py")) && !existsSync(file("tensorflow.py")));

  // A rename is undone in the list of files.
  await window.page.locator(".explorer-folders-view .monaco-list-row").filter({ hasText: "my_tensorflow.py" }).click();
  await window.tab("my_tensorflow.py").waitFor();
  await window.page.locator(".explorer-folders-view .monaco-list-row").filter({ hasText: "my_tensorflow.py" }).click();
  await window.page.keyboard.press("Control+z");
  await window.until(() => existsSync(file("tensorflow.py")), () => "the file has not got its name back");
  await window.openFile("main.py");
  assert.deepEqual(await window.underlined("warning"), UNDERLINED);
});
