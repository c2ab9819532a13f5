/** A broken import: what is seen of it. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Editor } from "./editor.mjs";
import { BARE, interpreter, project } from "./project.mjs";

const PROGRAM = "import os\nimport tensorflow as tf\n\nprint(tf.__version__)\n";
const DOWNLOAD = "Download the Microsoft Visual C++ Redistributable 2015–2022 (x64)";
const INSTALL = "Install the runtime into this Python with pip (no administrator needed)";

let editor;
before(async () => {
  editor = await Editor.start({ settings: { "whydll.host": BARE, "python.defaultInterpreterPath": interpreter("complete") } });
});
after(() => editor?.stop());

test("the import is underlined, exactly, and the hover says why", async (t) => {
  const { folder, file } = project(t, { files: { "main.py": PROGRAM } });
  const window = await editor.open(t, folder, file("main.py"));
  assert.deepEqual(await window.underlined(), [{ text: "tensorflow", line: "import tensorflow as tf" }]);

  const hover = await window.hover(window.squiggles(), "will fail");
  await window.picture("hover");
  const shown = await hover.textContent();
  for (const fact of ["msvcp140.dll", "msvcp140_1.dll", "Microsoft Visual C++ Redistributable", "tensorflow 2.3.0", interpreter("complete"), "3.8.10"]) {
    assert.ok(shown.includes(fact), `${fact} is missing in: ${shown}`);
  }
  assert.match(await hover.locator("a", { hasText: "missing-vc-runtime" }).getAttribute("data-href"), PAGE);
});

const PAGE = /^https:\/\/.*missing-vc-runtime/;

test("the Problems panel names the place and links to the code's page", async (t) => {
  const { folder, file } = project(t, { files: { "main.py": PROGRAM } });
  const window = await editor.open(t, folder, file("main.py"));
  await window.underlined();
  const rows = await window.problems();
  const problem = rows.filter({ hasText: "msvcp140.dll and msvcp140_1.dll are missing" });
  await problem.waitFor();
  assert.ok((await problem.textContent()).endsWith("WhyDLL(missing-vc-runtime)[Ln 2, Col 8]"), await problem.textContent());
  const link = problem.getByRole("link", { name: "missing-vc-runtime" });
  assert.match(await link.getAttribute("href"), PAGE);
  // Where the chain breaks is one line below, and a click leads there.
  await rows.filter({ hasText: "self_check.py" }).dblclick();
  await window.shows("ctypes.WinDLL");
  await window.picture("problems");
});

test("the quick fixes begin with the preferred one, and the page is opened only after a question", async (t) => {
  const { folder, file } = project(t, { files: { "main.py": PROGRAM } });
  const window = await editor.open(t, folder, file("main.py"));
  await window.underlined();
  await window.focusEditor();
  await window.goTo(2, 10);
  // The bulb of an editor that knows which fix it would take.
  await window.bulb("auto-fix").waitFor();
  assert.deepEqual(await window.quickFixes(DOWNLOAD), [DOWNLOAD, INSTALL]);
  await window.picture("fixes");

  await window.fix(DOWNLOAD);
  const question = window.dialog("Do you want code-server to open the external website?");
  await question.waitFor();
  assert.ok((await question.textContent()).includes("https://aka.ms/"), await question.textContent());
  await question.getByRole("button", { name: "Cancel" }).click();
  await question.waitFor({ state: "hidden" });
});

test("the status bar tells the environment's health, and a click leads on", async (t) => {
  const { folder, file } = project(t, { files: { "main.py": PROGRAM, "notes.md": "# Notes\n" } });
  const window = await editor.open(t, folder, file("main.py"));
  await window.isHealth("broken");
  assert.match(await window.health.getAttribute("class"), /error-kind/);

  const tooltip = await window.hover(window.health, "msvcp140");
  const shown = await tooltip.textContent();
  for (const fact of ["`import tensorflow` will fail: msvcp140.dll and msvcp140_1.dll are missing", "3.8.10", interpreter("complete")]) {
    assert.ok(shown.includes(fact), `${fact} is missing in: ${shown}`);
  }
  await window.picture("health");

  await window.health.click();
  await window.quickPicks.filter({ hasText: "Choose interpreter" }).waitFor();
  await window.picture("menu");
  await window.page.keyboard.press("Escape");

  // It speaks of Python files only.
  await window.openFile("notes.md");
  await window.health.waitFor({ state: "detached" });
});
