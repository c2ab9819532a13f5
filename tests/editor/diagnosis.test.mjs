/** A broken import on a machine without the Visual C++ redistributable: what the user sees and can do. */

import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { Editor, test } from "./editor.mjs";
import { BARE, INSTALL, copy, place, project } from "./project.mjs";

const PROGRAM = "import os\nimport tensorflow as tf\n\nprint(tf.__version__)\n";
const FILES = {
  "main.py": PROGRAM,
  "notes.md": "# Notes\n",
  "traceback.txt": `Traceback (most recent call last):
  File "main.py", line 2, in <module>
    import tensorflow as tf
ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'. TensorFlow requires that these DLLs be installed
`,
  "train.ipynb": notebook("%pip install matplotlib\nimport os", "import tensorflow as tf", "print(tf.__version__)"),
};
const UNDERLINED = [{ text: "tensorflow", line: "import tensorflow as tf" }];
const FAILS = "`import tensorflow` will fail: msvcp140.dll and msvcp140_1.dll are missing";
const PAGE = /^https:\/\/.*missing-vc-runtime/;
const DOWNLOAD = "Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator";
const GO_ON = "Continue without tensorflow if its import fails (not a fix)";
const OTHERS = [
  "Show the DLL chain of tensorflow", "Show the whole report", "Copy this finding (missing-vc-runtime)",
  "Ignore missing-vc-runtime on this line", "Ignore missing-vc-runtime in this file", "Turn missing-vc-runtime off in the settings",
];
const LABEL = "tensorflow: 2 DLLs missing";

let editor;
let window;
let python;
let folder;
before(async () => {
  const where = place();
  python = join(copy("complete", join(where, "python38")), "python.exe");
  editor = await Editor.start({ settings: { "whydll.host": BARE, "python.defaultInterpreterPath": python } });
  const made = project({ where, files: FILES });
  folder = made.folder;
  window = await editor.open(folder, made.file("main.py"));
});
after(() => editor?.stop());

test("exactly the import is underlined, and the hover says why", async () => {
  assert.deepEqual(await window.underlined(), UNDERLINED);

  await window.focusEditor();
  await window.goTo(3);
  const hover = await window.hover(window.squiggles(), "tensorflow 2.3.0");
  const shown = await hover.textContent();
  for (const fact of ["msvcp140.dll", "msvcp140_1.dll", "Microsoft Visual C++ v14 Redistributable", "tensorflow 2.3.0", python, "3.8.10"]) {
    assert.ok(shown.includes(fact), `${fact} is missing in: ${shown}`);
  }
  assert.match(await hover.locator("a", { hasText: "missing-vc-runtime" }).getAttribute("href"), PAGE);
  await window.picture("squiggle", window.tabs, window.lines.first(), hover);
});

test("the Problems panel names the place, and links to the code's page", async () => {
  await window.backTo("main.py");
  const rows = await window.problems();
  const problem = rows.filter({ hasText: FAILS });
  await problem.waitFor();
  assert.match(await problem.getAttribute("aria-label"), /^Error: .* at line 2 and character 8/s);
  assert.ok((await problem.textContent()).includes("[Ln 2, Col 8]They are part of"), await problem.textContent());
  assert.match(await problem.locator("a", { hasText: "missing-vc-runtime" }).getAttribute("href"), PAGE);
  await window.picture("problems");

  // The place where the chain breaks is one line below, and links there.
  await rows.filter({ hasText: "loaded here with ctypes" }).dblclick();
  await window.tab("self_check.py").waitFor();
  await window.shows("ctypes.WinDLL");
  await window.command("View: Toggle Panel Visibility");
});

test("the quick fixes begin with the preferred one, and a page is only opened after a question", async () => {
  await window.backTo("main.py");
  await window.goTo(2, 10);
  await window.bulb.waitFor();
  assert.deepEqual(await window.quickFixes(DOWNLOAD), [INSTALL, DOWNLOAD, GO_ON, ...OTHERS]);
  await window.picture("quick-fix", window.tabs, window.lines.first(), window.fixMenu);

  await window.fix(DOWNLOAD);
  const question = window.dialog("Do you want code-server to open the external website?");
  await question.waitFor();
  assert.ok((await question.textContent()).includes("https://aka.ms/"), await question.textContent());
  await question.getByRole("button", { name: "Cancel" }).click();
  await question.waitFor({ state: "hidden" });
});

test("a command is typed into a terminal, and waits for Enter", async () => {
  await window.backTo("main.py");
  await window.goTo(2, 10);
  await window.quickFixes(INSTALL);
  await window.fix(INSTALL);
  const typed = `uv pip install --python ${python} msvc-runtime`;
  await window.until(
    async () => (await window.terminalText()).replaceAll(/\s/g, "").endsWith(typed.replaceAll(/\s/g, "")),
    async () => `the terminal shows ${await window.terminalText()}`,
  );
  await window.picture("terminal");
  await window.command("Terminal: Kill All Terminals");
});

test("the status bar shows the environment's health", async () => {
  await window.backTo("main.py");
  await window.isHealth(LABEL);
  assert.match(await window.health.getAttribute("class"), /error-kind/);
  const tooltip = await window.hover(window.health, "msvcp140");
  const shown = (await tooltip.textContent()).replaceAll("\u00a0", " ");
  for (const fact of [FAILS.replaceAll("`", ""), "Python 3.8.10", "tensorflow-cpu 2.3.0", python, "Show report", "Show DLL chain"]) {
    assert.ok(shown.includes(fact), `${fact} is missing in: ${shown}`);
  }
  await window.picture("health", window.health, tooltip);

  // Only for Python files.
  await window.openFile("notes.md");
  await window.health.waitFor({ state: "detached" });
});

test("a click on it opens the report", async () => {
  await window.backTo("main.py");
  await window.health.click();
  await window.quickPicks.filter({ hasText: "Choose interpreter" }).waitFor();
  assert.ok((await window.quickPicks.count()) <= 6);
  await window.picture("menu");
  await window.quickPicks.filter({ hasText: "Show report" }).click();

  const report = await window.preview("WhyDLL Report");
  await report.locator("h1", { hasText: LABEL }).waitFor();
  const text = await report.innerText();
  for (const fact of [FAILS.replaceAll("`", ""), "main.py:2", python, "tensorflow-cpu 2.3.0", DOWNLOAD, "msvc-runtime"]) {
    assert.ok(text.includes(fact), `${fact} is missing in: ${text}`);
  }
  await window.picture("report", window.editorArea);
});

test("the DLL chain begins with what fails, and can be used with the keyboard alone", async () => {
  await window.backTo("main.py");
  await window.command("WhyDLL: Show DLL Chain");
  const chain = await window.preview("DLL Chain: tensorflow");
  const failed = chain.locator("section").first();
  await failed.getByRole("heading", { name: "msvcp140.dll: not found (Windows error 126)" }).waitFor();
  await failed.getByRole("table", { name: "Where Windows looked for msvcp140.dll" }).getByText("System32").first().waitFor();
  await window.picture("chain", window.editorArea);

  // Loaded DLLs are collapsed.
  const itself = chain.locator("summary", { hasText: "Python itself" });
  const inner = chain.locator('details:has(> summary:has-text("Python itself"))').getByText("python.exe").first();
  assert.equal(await inner.isVisible(), false);
  await itself.focus();
  await window.page.keyboard.press("Enter");
  await inner.waitFor();
  await window.page.keyboard.press("Tab");
  await chain.locator("summary:focus", { hasText: "python.exe" }).waitFor();
});

test("a traceback is explained", async () => {
  await window.backTo("traceback.txt");
  await window.page.keyboard.press("Control+a");
  await window.command("WhyDLL: Explain a Traceback");
  const explanation = await window.preview("WhyDLL Explanation");
  await explanation.getByText("Visual C++ v14 Redistributable").first().waitFor();
  await window.picture("explanation");
});

test("an example is shown if nothing is broken", async () => {
  await window.backTo("main.py");
  await window.command("WhyDLL: Show a Broken Example");
  const example = await window.preview("WhyDLL Example");
  await example.locator("h1", { hasText: LABEL }).waitFor();
});

test("a finding is silenced in the line, in the file and in the settings", async () => {
  await window.backTo("main.py");
  await window.underlined();
  for (const [title, text] of [
    [OTHERS[3], PROGRAM.replace("as tf\n", "as tf  # whydll: ignore[missing-vc-runtime]\n")],
    [OTHERS[4], `# whydll: ignore-file[missing-vc-runtime]\n${PROGRAM}`],
  ]) {
    await window.focusEditor();
    await window.goTo(2, 10);
    await window.quickFixes(title);
    await window.fix(title);
    await window.notUnderlined();
    await window.isHealth("healthy");
    await window.reads(text);
    await window.page.keyboard.press("Control+z");
    await window.underlined();
  }
  await window.goTo(2, 10);
  await window.quickFixes(OTHERS[5]);
  await window.fix(OTHERS[5]);
  await window.notUnderlined();
  const settings = join(folder, ".vscode/settings.json");
  assert.deepEqual(JSON.parse(readFileSync(settings, "utf8"))["whydll.severity"], { "missing-vc-runtime": "off" });
  rmSync(settings);
  await window.underlined();
});

test("a snapshot is shown first, and saved where the user says; and the server shows its state", async () => {
  await window.backTo("main.py");
  await window.command("WhyDLL: Save Snapshot");
  const preview = await window.preview("WhyDLL Snapshot");
  await preview.getByText("Strings that a replay needs").first().waitFor();
  await window.picture("snapshot");
  const question = window.notification("Snapshots are made for sharing.");
  await question.getByText("Save…").click();
  await window.until(
    async () => (await window.quickInput.inputValue()).endsWith("whydll-snapshot.json.xz"),
    async () => `the name that is offered is ${await window.quickInput.inputValue()}`,
  );
  const file = await window.quickInput.inputValue();
  await window.page.keyboard.press("Enter");
  await window.until(
    () => Promise.resolve(statSync(file, { throwIfNoEntry: false })?.size > 10_000),
    () => Promise.resolve(`${file} is not written`),
  );

  await window.command("WhyDLL: Debug Information");
  const information = await window.preview("WhyDLL Debug Information");
  await information.getByText(python).first().waitFor();
});

test("the cell of a notebook is underlined, after the cells above it", async () => {
  await window.backTo("main.py");
  await window.openFile("train.ipynb");
  await window.shows("tf.__version__");
  assert.deepEqual(await window.underlined(), UNDERLINED);
  await (await window.hover(window.squiggles(), "will fail")).waitFor();
  await window.lines.filter({ hasText: "import tensorflow" }).click();
  await window.isHealth(LABEL);
  await window.picture("notebook");
});

test("a window without a folder says where to begin", async (t) => {
  const empty = await editor.openFor(t);
  await empty.command("View: Show Explorer");
  await empty.sideBar.getByText("WhyDLL says which DLL is missing").waitFor();
  await empty.picture("welcome");
  await empty.sideBar.getByRole("button", { name: "First Steps" }).click();
  await empty.page.getByText("See it before you run").first().waitFor();
});

test("the first steps have their pictures", async () => {
  await window.backTo("main.py");
  // A narrow page has no space for pictures.
  await window.page.keyboard.press("Control+b");
  await window.sideBar.waitFor({ state: "hidden" });
  await window.command("Welcome: Open Walkthrough...");
  await window.quickPicks.filter({ hasText: "DLL load failed" }).click();
  const steps = window.page.locator(".getting-started-step");
  await steps.filter({ hasText: "See it before you run" }).waitFor();
  for (const title of ["See an example", "See it before you run", "Fix it with one click", "Keep an eye on the environment", "Ask for help", "Look into the chain"]) {
    const step = steps.filter({ hasText: title });
    await step.click();
    await window.until(() => window.page.evaluate(pictureIsDrawn), () => `there is no picture next to "${title}"`, 10_000);
    await window.picture(`walkthrough ${title}`);
  }
});

function notebook(...cells) {
  const code = (source) => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source });
  const metadata = { language_info: { name: "python" } };
  return JSON.stringify({ cells: cells.map(code), metadata, nbformat: 4, nbformat_minor: 4 });
}

/** Runs in the window. */
function pictureIsDrawn() {
  const image = document.querySelector(".getting-started-media img");
  return image?.complete === true && image.naturalWidth > 100;
}
