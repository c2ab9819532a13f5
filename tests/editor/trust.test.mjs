/** Restricted Mode: reading works, running something is refused with a reason. */

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Editor, test } from "./editor.mjs";
import { BARE, EQUIPPED, INSTALL, interpreter, project } from "./project.mjs";

let editor;
before(async () => {
  const settings = { "whydll.host": BARE, "python.defaultInterpreterPath": interpreter("complete") };
  editor = await Editor.start({ trusted: false, settings });
});
after(() => editor?.stop());

test("an untrusted folder is diagnosed with the user's settings alone", async (t) => {
  const settings = { "whydll.host": EQUIPPED, "whydll.path": "/bin/false", "whydll.interpreter": interpreter("not-installed") };
  const { folder, file } = project({ files: { "main.py": "import tensorflow as tf\n" }, settings });
  const window = await editor.openFor(t, folder, file("main.py"));
  await window.statusItem("status.workspaceTrust").filter({ hasText: "Restricted Mode" }).waitFor();
  assert.deepEqual(await window.underlined(), [{ text: "tensorflow", line: "import tensorflow as tf" }]);
  await window.isHealth("broken");
  await (await window.hover(window.health, "msvcp140")).waitFor();

  await window.command("WhyDLL: Confirm by Importing");
  await window.notification("Trust this workspace to let WhyDLL run its interpreter.").waitFor();
  await window.focusEditor();
  await window.goTo(1, 10);
  await window.quickFixes(INSTALL);
  await window.fix(INSTALL);
  const refusal = window.notification("Trust this workspace to let WhyDLL type commands into a terminal.");
  await refusal.waitFor();
  await window.picture("restricted");
  assert.equal(await window.terminals.count(), 0);

  await refusal.getByRole("button", { name: "Manage Workspace Trust" }).click();
  await window.page.getByRole("button", { name: "Trust", exact: true }).click();
  // Now the folder's own settings count.
  await window.notUnderlined();
});
