/** Fixes that change the program: applied, and undone. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { Editor } from "./editor.mjs";
import { BARE, EQUIPPED, interpreter, project } from "./project.mjs";

/** Only PATH leads to the runtime here, where Python 3.8 does not look. */
const EXTRA = join(process.env.WHYDLL_REAL, "on-path-only", "extra");

let editor;
before(async () => {
  editor = await Editor.start({ env: { PATH: [EXTRA, process.env.PATH].join(delimiter) } });
});
after(() => editor?.stop());

test("a line that is added, undone and added for good", async (t) => {
  const text = "import tensorflow as tf\n";
  const settings = { "whydll.host": BARE, "whydll.interpreter": interpreter("on-path-only") };
  const { folder, file } = project(t, { files: { "main.py": text }, settings });
  const window = await editor.open(t, folder, file("main.py"));
  await window.underlined();
  await window.focusEditor();
  await window.goTo(1, 10);

  const title = `Add ${EXTRA} with os.add_dll_directory before the import`;
  assert.equal((await window.quickFixes(title))[0], title);
  await window.fix(title);
  await window.notUnderlined();
  await window.isHealth("healthy");
  await window.picture("added");
  const mended = `import os\nos.add_dll_directory(r"${EXTRA}")\n${text}`;
  await window.reads(mended);

  await window.page.keyboard.press("Control+z");
  await window.reads(text);
  assert.deepEqual(await window.underlined(), [{ text: "tensorflow", line: "import tensorflow as tf" }]);

  await window.page.keyboard.press("Control+Shift+z");
  await window.notUnderlined();
  await window.save();
  assert.equal(readFileSync(file("main.py"), "utf8"), mended);
});

test("a file that is renamed, and gets its name back", async (t) => {
  const settings = { "whydll.host": EQUIPPED, "whydll.interpreter": interpreter("complete") };
  const files = { "main.py": "import tensorflow as tf\n", "tensorflow.py": "import tensorflow as tf\n" };
  const { folder, file } = project(t, { files, settings });
  const window = await editor.open(t, folder, file("main.py"));
  assert.deepEqual(await window.underlined("warning"), [{ text: "tensorflow", line: "import tensorflow as tf" }]);
  await window.isHealth("degraded");
  await window.focusEditor();
  await window.goTo(1, 10);

  const title = "Rename the file tensorflow.py to my_tensorflow.py";
  await window.bulb("auto-fix").waitFor();
  assert.equal((await window.quickFixes(title))[0], title);
  await window.picture("rename");
  await window.fix(title);
  await window.notUnderlined("warning");
  assert.ok(existsSync(file("my_tensorflow.py")) && !existsSync(file("tensorflow.py")));
  await window.isHealth("healthy");
});
