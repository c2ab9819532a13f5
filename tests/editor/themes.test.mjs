/**
 * WhyDLL's own user interface in each theme: its appearance and accessibility. `run --pictures`
 * takes the screenshots of the extension's page and of its first steps here. The environment is on
 * a Windows drive, so that its paths are in them. WHYDLL_THEMES restricts it to some themes, by the
 * names below, separated by commas.
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Editor, test } from "./editor.mjs";
import { copy, place, project } from "./project.mjs";

const THEMES = {
  dark: "Default Dark Modern",
  light: "Default Light Modern",
  hc: "Default High Contrast",
  "hc-light": "Default High Contrast Light",
};
const CHOSEN = (process.env.WHYDLL_THEMES ?? Object.keys(THEMES).join()).split(",");
for (const name of CHOSEN) assert.ok(name in THEMES, `WHYDLL_THEMES names ${name}, which isn't a theme`);

const PROGRAM = "import numpy as np\nimport tensorflow as tf\n\nmodel = tf.keras.Sequential([tf.keras.layers.Dense(1)])\n";
const LABEL = "tensorflow: 2 DLLs missing";
const AXE = readFileSync(join(process.env.WHYDLL_EDITOR, "node_modules/axe-core/axe.min.js"), "utf8");

const drive = copy("drive-without", join(place(), "laptop"));
const home = join(drive, "Users", "ada");
mkdirSync(home, { recursive: true });
const python = join(copy("complete", join(home, "tensorflow-env")), "python.exe");

for (const suffix of CHOSEN) {
  const theme = THEMES[suffix];
  test(`in the theme ${theme}`, async (t) => {
    const editor = await Editor.start({ settings: { "whydll.host": drive, "whydll.interpreter": python, "workbench.colorTheme": theme } });
    t.after(() => editor.stop());
    const { folder, file } = project({ where: join(place()), files: { "train.py": PROGRAM } });
    const window = await editor.open(folder, file("train.py"));
    const picture = (name, ...elements) => window.picture(`${name}-${suffix}`, ...elements);
    await window.isHealth(LABEL);
    assert.deepEqual(await window.violations('[id="whydll.whydll.health"]', AXE), []);

    await window.focusEditor();
    await window.goTo(4);
    const hover = await window.hover(window.squiggles(), "Install the runtime");
    await picture("squiggle", window.tabs, window.lines.first(), hover);

    await window.backTo("train.py");
    await window.goTo(2, 10);
    await window.quickFixes("Download and install");
    await picture("quick-fix", window.tabs, window.lines.first(), window.fixMenu);
    await window.page.keyboard.press("Escape");

    const tooltip = await window.hover(window.health, "msvcp140");
    await picture("health", window.health, tooltip);

    await window.backTo("train.py");
    await window.command("WhyDLL: Show DLL Chain");
    const chain = await window.preview("DLL Chain: tensorflow");
    await chain.locator("section").first().waitFor();
    await picture("chain", window.editorArea);
    assert.deepEqual(await window.violationsOf(chain, AXE), []);

    await window.backTo("train.py");
    await window.command("WhyDLL: Show Report");
    await (await window.preview("WhyDLL Report")).locator("h1", { hasText: LABEL }).waitFor();
    await picture("report", window.editorArea);
  });
}
