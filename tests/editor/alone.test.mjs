/** A window without a Python extension. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { Editor, test } from "./editor.mjs";
import { BARE, copy, place, project } from "./project.mjs";

let editor;
before(async () => {
  editor = await Editor.start({ alone: true, settings: { "whydll.host": BARE } });
});
after(() => editor?.stop());

test("an environment above the folder is found, and another one is chosen from a list", async (t) => {
  const where = place();
  const above = copy("complete", join(where, ".venv"));
  const { folder, file } = project({ where, files: { "main.py": "import tensorflow as tf\n" } });
  const other = copy("not-installed", join(folder, "other"));
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.isHealth("tensorflow: 2 DLLs missing");
  await (await window.hover(window.health, join(above, "python.exe"))).waitFor();

  await window.command("WhyDLL: Choose Interpreter");
  await window.quickPicks.filter({ hasText: join(above, "python.exe") }).filter({ hasText: "Python 3.8.10" }).waitFor();
  await window.picture("interpreters");
  await window.narrow("other", join(other, "python.exe"));
  await window.page.keyboard.press("Enter");
  await window.isHealth("tensorflow: not installed");
  assert.equal(existsSync(file(".vscode/settings.json")), false, "a path of this machine is in the folder's settings");

  await window.command("WhyDLL: Choose Interpreter");
  await window.quickPicks.filter({ hasText: "Let WhyDLL find it" }).click();
  await window.isHealth("tensorflow: 2 DLLs missing");
});
