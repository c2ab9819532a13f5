/**
 * The language server as an editor uses it: real Windows environments, real TensorFlow, messages
 * over stdio. WHYDLL_BIN names the server's program, WHYDLL_REAL the directory of environments that
 * tests/real/setup prints.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Client } from "./client.mjs";

const REAL = process.env.WHYDLL_REAL;
if (!process.env.WHYDLL_BIN || !REAL) throw new Error("WHYDLL_BIN and WHYDLL_REAL must be set, see the top of this file");

const BARE = "windows-11"; // a machine without the Visual C++ redistributable
const EQUIPPED = "windows-11+vcredist";
const CLIENT_COMMANDS = ["whydll.runInTerminal", "whydll.chooseInterpreter"];

/** An environment with the Visual C++ libraries in one of its folders, which only PATH names. */
const ON_PATH_ONLY = { name: "on-path-only", folder: join(REAL, "on-path-only", "extra") };

const environment = (name) => join(REAL, name);
const interpreter = (name) => join(REAL, name, "python.exe");

describe("a healthy environment", () => {
  test("has no diagnostics, and its health says so", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: EQUIPPED });
    const document = open("import tensorflow as tf\n");

    const health = await client.health("healthy");
    assert.deepEqual(await client.diagnostics(document), []);
    assert.equal(health.scopeUri, folder.uri);
    assert.equal(health.interpreter, interpreter("complete"));
    assert.equal(health.version, "3.8.10");
    assert.equal(health.findings, 0);
    assert.ok(health.summary);
    for (const fact of ["Python 3.8.10", "2.3.0", interpreter("complete")]) assert.ok(health.details.includes(fact), health.details);
  });

  test("explains itself on hover", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: EQUIPPED });
    const document = open("import os\nimport tensorflow as tf\n");
    await client.health("healthy");

    const hover = await client.hover(document, document.rangeOf("tensorflow").start);
    assert.equal(hover.contents.kind, "markdown");
    const shown = hover.contents.value;
    const installed = join(environment("complete"), "Lib", "site-packages", "tensorflow");
    for (const fact of ["2.3.0", installed, interpreter("complete"), "healthy"]) {
      assert.ok(shown.includes(fact), `${fact} is missing in: ${shown}`);
    }
    assert.equal(await client.hover(document, document.rangeOf("os").start), null);
  });
});

describe("a machine without the Visual C++ redistributable", () => {
  test("is reported on the import", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE });
    const document = open("import os\n\nimport tensorflow as tf\n");

    const [diagnostic, ...more] = await client.diagnostics(document, some);
    assert.deepEqual(more, []);
    assert.equal(diagnostic.code, "missing-vc-runtime");
    assert.equal(diagnostic.severity, 1);
    assert.equal(diagnostic.source, "WhyDLL");
    assert.match(diagnostic.message, /msvcp140\.dll/i);
    assert.deepEqual(diagnostic.range, document.rangeOf("tensorflow"));
    assert.match(diagnostic.codeDescription.href, /^https?:.*missing-vc-runtime/);
    assert.ok(diagnostic.relatedInformation.length > 0);
    for (const { location, message } of diagnostic.relatedInformation) {
      assert.match(location.uri, /^file:/);
      assert.ok(message);
    }
    const health = await client.health("broken");
    assert.equal(health.findings, 1);
  });

  test("is offered the installer and a command for the editor's terminal", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE, clientCommands: CLIENT_COMMANDS });
    const actions = await quickFixes(client, open("import tensorflow\n"));

    const run = command(actions, "whydll.runInTerminal");
    const { title, program, args, lines } = run.arguments[0];
    assert.ok(title);
    for (const shell of ["powershell", "pwsh", "cmd", "posix"]) assert.ok(lines[shell].includes("msvc-runtime"), shell);
    // The embeddable package has no pip.
    assert.equal(program, "uv");
    assert.deepEqual(args, ["pip", "install", "--python", interpreter("complete"), "msvc-runtime"]);
    assert.deepEqual(actions.map((action) => Boolean(action.isPreferred)), [true, ...actions.slice(1).map(() => false)]);
    assert.deepEqual(actions.slice(3).map(({ title }) => title), ["Ignore missing-vc-runtime on this line", "Ignore missing-vc-runtime in this file"]);
    assert.ok(!actions.some((action) => action.command?.command === "whydll.showCommand"));

    const [address] = command(actions, "whydll.openAddress").arguments;
    const shown = client.next("window/showDocument");
    await client.execute(command(actions, "whydll.openAddress"));
    assert.deepEqual({ uri: address, external: true }, pick(await shown, "uri", "external"));
    assert.match(address, /^https:/);
  });

  test("is shown the command if the editor has no terminal for it", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE, clientCommands: [] });
    const actions = await quickFixes(client, open("import tensorflow\n"));
    assert.ok(!actions.some((action) => action.command?.command === "whydll.runInTerminal"));

    const shown = client.next("window/showMessage");
    await client.execute(command(actions, "whydll.showCommand"));
    const { message } = await shown;
    assert.ok(message.includes("python.exe") && message.includes("msvc-runtime"), message);
  });

  test("is cured by a setting that names another machine", async (t) => {
    const { client, open, settings } = await editor(t, { python: "complete", host: BARE });
    const document = open("import tensorflow\n");
    await client.diagnostics(document, some);
    client.configure({ ...settings, host: EQUIPPED });
    await client.diagnostics(document, none);
    await client.health("healthy");
  });
});

describe("a damaged environment", () => {
  const damages = [
    { python: "internal-deleted", code: "damaged-install", names: /_pywrap_tensorflow_internal/ },
    { python: "internal-emptied", code: "bad-image", names: /_pywrap_tensorflow_internal/ },
    { python: "openblas-deleted", code: "damaged-install", names: /openblas/ },
    { python: "not-installed", code: "not-installed", names: /tensorflow/ },
    { python: "python39", code: "unsupported-python", names: /3\.9/ },
  ];
  for (const { python, code, names } of damages) {
    test(`${python}: ${code}`, async (t) => {
      const { client, open } = await editor(t, { python, host: EQUIPPED });
      const document = open("import tensorflow\n");
      const errors = (await client.diagnostics(document, some)).filter(({ severity }) => severity === 1);
      assert.equal(errors.length, 1);
      assert.equal(errors[0].code, code);
      assert.match(errors[0].message, names);
      assert.deepEqual(errors[0].range, document.rangeOf("tensorflow"));
      await client.health("broken");
    });
  }
});

describe("the imports of a file", () => {
  /** A diagnostic is expected at «…». */
  const texts = {
    "plain": "import «tensorflow»\n",
    "renamed": "import «tensorflow» as tf\n",
    "a submodule": "import «tensorflow.keras» as k\n",
    "from": "from «tensorflow» import keras\n",
    "from a submodule": "from «tensorflow.keras» import layers\n",
    "one of several": "import os, «tensorflow», sys\n",
    "in parentheses": "from «tensorflow» import (\n    keras,\n    data,\n)\n",
    "on a continued line": "import \\\n    «tensorflow»\n",
    "guarded": "try:\n    import «tensorflow»\nexcept ImportError:\n    tensorflow = None\n",
    "in a function": "def train():\n    import «tensorflow» as tf\n    return tf\n",
    "in a class": "class Model:\n    if True:\n        import «tensorflow»\n",
    "without a last line break": "import «tensorflow»",
    "after Windows line breaks": "import os\r\n\r\nimport «tensorflow»\r\n",
    "after a byte order mark": "\ufeffimport «tensorflow»\n",
    "behind a surrogate pair": 's = "😀"; import «tensorflow»\n',
    "behind many of them": '# 😀\ns = "𝒯𝓕😀é"; t = "👩‍🔬"; from «tensorflow» import keras; u = "😀"\n',
    "only for the type checker": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tensorflow\n\nimport «tensorflow»\n",
    "only for the type checker, in full": "import typing\nif typing.TYPE_CHECKING:\n    from tensorflow import keras\nimport «tensorflow»\n",
    "relative": "from . import tensorflow\nfrom .tensorflow import keras\nfrom ..tensorflow import data\nimport «tensorflow»\n",
    "in comments and strings": '# import tensorflow\ns = "import tensorflow"\nt = """\nimport tensorflow\n"""\nimport «tensorflow»\n',
    "of similar names": "import tensorflow_hub_, nottensorflow, os.tensorflow\nfrom keras import tensorflow\nimport «tensorflow»\n",
  };
  for (const [name, marked] of Object.entries(texts)) {
    test(name, async (t) => {
      const { client, open } = await editor(t, { python: "complete", host: BARE });
      const { text, ranges } = unmark(marked);
      const found = await client.diagnostics(open(text), some);
      assert.deepEqual(found.map(({ range }) => range), ranges);
    });
  }
});

describe("editing", () => {
  test("a diagnostic moves, disappears, and returns with its import", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE });
    const document = open("import tensorflow\n");
    const isAt = async (line) => {
      const [diagnostic, ...more] = await client.diagnostics(document, some);
      assert.deepEqual(more, []);
      assert.deepEqual(diagnostic.range, document.rangeOf("tensorflow"));
      assert.equal(diagnostic.range.start.line, line);
    };
    await isAt(0);

    document.insert(0, "# 😀\n");
    await isAt(1);
    document.insert(document.text.indexOf("import"), 's = "😀"; ');
    await isAt(1);

    const at = document.text.indexOf("import");
    document.replace(at, document.text.length, "");
    assert.deepEqual(await client.diagnostics(document), []);

    for (const char of "import tensorflow") document.insert(document.text.length, char);
    await isAt(1);
  });

  test("several changes in one message are applied in order", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE });
    const document = open("x = 1\n");
    const start = { line: 0, character: 0 };
    document.change(
      { text: "pass\n" },
      { range: { start, end: start }, text: "import tensorflow\n" },
      { range: { start, end: start }, text: 'y = "😀"\n' },
      { range: { start: { line: 1, character: 7 }, end: { line: 1, character: 7 } }, text: "os, " },
    );
    const [{ range }] = await client.diagnostics(document, some);
    assert.deepEqual(range, document.rangeOf("tensorflow"));
  });

  test("many quick edits end in the right state", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE });
    const document = open("");
    const harmless = ["", "x = 1", 's = "😀"', "# import tensorflow", "import os"];
    const random = generator(20230);
    const hostile = "import tensorflow\n";
    const remove = (at, length) => document.replace(at, at + length, "");
    const position = () => /(?:^|\n)import tensorflow\n/.exec(document.text);
    const toggle = () => {
      const found = position();
      if (found) remove(document.text.indexOf("import tensorflow", found.index), hostile.length);
      else document.insert(someLine(document.text, random), hostile);
    };
    for (let edit = 0; edit < 500; edit++) {
      if (random(4) === 0) toggle();
      else document.insert(someLine(document.text, random), `${harmless[random(harmless.length)]}\n`);
    }
    if (!position()) toggle();

    const expected = document.text.split("\n").indexOf("import tensorflow");
    const range = { start: { line: expected, character: 7 }, end: { line: expected, character: 17 } };
    const ranges = async (wanted) => (await client.diagnostics(document, wanted)).map((diagnostic) => diagnostic.range);
    assert.deepEqual(await ranges(some), [range]);
    // An answer to an older version must not come after that to the last. The same finding may come again,
    // with the fixes that were tried meanwhile.
    await sleep(500);
    assert.deepEqual(await ranges(), [range]);
  });

  test("a closed document has no diagnostics", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE });
    const document = open("import tensorflow\n");
    await client.diagnostics(document, some);
    const cleared = client.next("textDocument/publishDiagnostics");
    document.close();
    assert.deepEqual(pick(await cleared, "uri", "diagnostics"), { uri: document.uri, diagnostics: [] });
  });
});

describe("the interpreter", () => {
  test("is the setting's, else the editor's choice, unless the user chose one by a command", async (t) => {
    const { client, open, folder, settings } = await editor(t, { host: EQUIPPED });
    const select = (path) => client.notify("whydll/interpreterChanged", { scopeUri: folder.uri, path });
    const use = (path) => client.request("workspace/executeCommand", { command: "whydll.useInterpreter", arguments: [{ scopeUri: folder.uri, path }] });
    const document = open("import tensorflow\n");

    select(interpreter("complete"));
    await client.diagnostics(document, none);
    assert.equal((await client.health("healthy")).interpreter, interpreter("complete"));

    select(interpreter("internal-deleted"));
    await client.diagnostics(document, some);
    await client.health("broken");

    select(environment("complete")); // the environment's folder stands for its interpreter
    await client.diagnostics(document, none);
    assert.equal((await client.health("healthy")).interpreter, interpreter("complete"));

    client.configure({ ...settings, interpreter: interpreter("internal-deleted") });
    await client.diagnostics(document, some);
    assert.equal((await client.health("broken")).interpreter, interpreter("internal-deleted"));

    await use(interpreter("complete"));
    await client.diagnostics(document, none);
    assert.equal((await client.health("healthy")).interpreter, interpreter("complete"));

    select(null); // so the user's word counts no more, but the setting does
    await client.diagnostics(document, some);
    assert.equal((await client.health("broken")).interpreter, interpreter("internal-deleted"));
  });

  test("is selected separately for each folder", async (t) => {
    const { client, folder, folders } = await editor(t, { host: EQUIPPED, folderCount: 2 });
    const [healthy, broken] = folders.map(({ uri }) => client.open(`${uri}/main.py`, "import tensorflow\n"));
    client.notify("whydll/interpreterChanged", { scopeUri: folder.uri, path: interpreter("complete") });
    client.notify("whydll/interpreterChanged", { scopeUri: folders[1].uri, path: interpreter("internal-deleted") });
    await client.diagnostics(broken, some);
    await client.health("broken", folders[1].uri);
    await client.health("healthy", folder.uri);
    assert.deepEqual(await client.diagnostics(healthy), []);
  });

  test("serves a file outside of any folder", async (t) => {
    const { client, open } = await editor(t, { host: BARE, folderCount: 0 });
    const document = open("import tensorflow\n");
    client.notify("whydll/interpreterChanged", { scopeUri: null, path: interpreter("complete") });
    const [{ code }] = await client.diagnostics(document, (found) => found.some(({ code }) => code === "missing-vc-runtime"));
    assert.equal(code, "missing-vc-runtime");
    await client.health("broken", null);
  });

  for (const name of ["complete", "venv"]) {
    test(`is that of .venv without any setting (${name})`, { skip: !existsSync(environment(name)) }, async (t) => {
      const folder = temporaryFolder(t);
      symlinkSync(environment(name), join(folder.path, ".venv"), "junction");
      const { client, open } = await editor(t, { host: BARE, folder });
      const document = open("import tensorflow\n");
      const [{ code }] = await client.diagnostics(document, some);
      assert.equal(code, "missing-vc-runtime");
      const health = await client.health("broken");
      assert.ok(health.interpreter.startsWith(join(folder.path, ".venv")), health.interpreter);
    });
  }
});

describe("libraries that are only on PATH", () => {
  const call = `os.add_dll_directory(${JSON.stringify(ON_PATH_ONLY.folder).replaceAll('"', "'")})`;
  const texts = {
    "an import alone": { text: "import tensorflow as tf\n", becomes: ["import os", call, "import tensorflow as tf"] },
    "os is there": { text: "import os\nimport tensorflow\n", becomes: ["import os", call, "import tensorflow"] },
    "only a part of os is there": {
      text: "from os import path\nimport tensorflow\n",
      becomes: ["from os import path", "import os", call, "import tensorflow"],
    },
    "behind docstring and future": {
      text: '#!/usr/bin/env python3\n"""What it does."""\nfrom __future__ import annotations\nimport tensorflow\n',
      becomes: ["'What it does.'", "from __future__ import annotations", "import os", call, "import tensorflow"],
    },
    "in a function": {
      text: "def train():\n    import tensorflow\n    return tensorflow\n",
      becomes: ["import os", call, "import tensorflow"],
    },
    "behind another statement": { text: "x = 1; import tensorflow\n", becomes: ["import os", call, "import tensorflow"] },
  };
  for (const [name, { text, becomes }] of Object.entries(texts)) {
    test(name, async (t) => {
      const env = { PATH: [ON_PATH_ONLY.folder, process.env.PATH].join(delimiter) };
      const { client, open } = await editor(t, { python: ON_PATH_ONLY.name, host: BARE, env });
      const document = open(text);
      const [diagnostic] = await client.diagnostics(document, some);
      assert.equal(diagnostic.code, "not-on-search-path");
      const { edit } = (await client.codeActions(document, diagnostic)).find((action) => action.edit);
      const fixed = document.applyEdit(edit);
      assert.deepEqual(statements(fixed), becomes);
      // The statement that the fix adds runs before the import, so nothing is left to report.
      document.change({ text: fixed });
      await client.diagnostics(document, none);
    });
  }
});

describe("a notebook", () => {
  const env = { PATH: [ON_PATH_ONLY.folder, process.env.PATH].join(delimiter) };
  const add = `import os\nos.add_dll_directory(r"${ON_PATH_ONLY.folder}")\n`;

  async function notebook(t, cells, options = { python: ON_PATH_ONLY.name, host: BARE, env }) {
    const { client, folder, ...others } = await editor(t, options);
    const opened = client.openNotebook(`${folder.uri}/train.ipynb`, cells);
    return { client, folder, opened, documents: opened.cells.map(({ document }) => document), ...others };
  }

  test("is diagnosed in the cell of the import, with or without magics", async (t) => {
    const cells = ["# Training\n%pip install tensorflow\n!nvidia-smi", { kind: 1, text: "import tensorflow" }];
    cells.push("%%time\ngpus = !nvidia-smi -L\ns = '😀'; import tensorflow as tf\ntf?", "%%bash\nimport tensorflow\n");
    const { client, documents } = await notebook(t, cells);
    const [magics, markdown, importing, bash] = documents;
    const [diagnostic, ...more] = await client.diagnostics(importing, some);
    assert.deepEqual(more, []);
    assert.equal(diagnostic.code, "not-on-search-path");
    assert.deepEqual(diagnostic.range, importing.rangeOf("tensorflow"));
    for (const other of [magics, markdown, bash]) assert.deepEqual(await client.diagnostics(other), []);

    const hover = await client.hover(importing, importing.rangeOf("tensorflow").start);
    assert.ok(hover.contents.value.includes("2.3.0"), hover.contents.value);
    assert.deepEqual(hover.range, importing.rangeOf("tensorflow"));
    const { edit } = (await client.codeActions(importing, diagnostic)).find((action) => action.edit);
    const fixed = importing.applyEdit(edit);
    const lines = fixed.split("\n");
    assert.deepEqual([lines[0], lines[1], lines[2]], ["%%time", "gpus = !nvidia-smi -L", "import os"]);
    assert.match(lines[3], /^os\.add_dll_directory\(/);
    importing.change({ text: fixed });
    await client.diagnostics(importing, none);
  });

  test("has each cell diagnosed after those above it", async (t) => {
    const { client, opened, documents } = await notebook(t, ["x = 1\n", "import tensorflow\n"]);
    const [above, importing] = documents;
    const [diagnostic] = await client.diagnostics(importing, some);
    // The fix adds the import that the cells above lack.
    const { edit } = (await client.codeActions(importing, diagnostic)).find((action) => action.edit);
    assert.match(importing.applyEdit(edit), /^import os\nos\.add_dll_directory/);

    above.change({ text: add });
    await client.diagnostics(importing, none);
    above.change({ text: "import os" });
    await client.diagnostics(importing, some);
    const action = (await client.codeActions(importing, diagnostic)).find((action) => action.edit);
    assert.match(importing.applyEdit(action.edit), /^os\.add_dll_directory/);

    // A cell that is inserted above counts; one that is moved below or removed doesn't.
    opened.splice(1, 0, add);
    await client.diagnostics(importing, none);
    const [adding] = opened.splice(1, 1);
    await client.diagnostics(importing, some);
    opened.splice(1, 0, adding);
    await client.diagnostics(importing, none);
    opened.splice(1, 2, opened.cells[2], adding);
    await client.diagnostics(importing, some);
  });

  test("that is closed has no diagnostics", async (t) => {
    const { client, opened, documents } = await notebook(t, ["import tensorflow\n"]);
    await client.diagnostics(documents[0], some);
    const cleared = client.next("textDocument/publishDiagnostics");
    opened.close();
    const { uri, diagnostics } = await cleared;
    assert.deepEqual({ uri, diagnostics }, { uri: documents[0].uri, diagnostics: [] });
  });

  test("belongs to its folder", async (t) => {
    const { client, folders: [one, other] } = await editor(t, { host: EQUIPPED, folderCount: 2 });
    client.notify("whydll/interpreterChanged", { scopeUri: one.uri, path: interpreter("complete") });
    client.notify("whydll/interpreterChanged", { scopeUri: other.uri, path: interpreter("not-installed") });
    const cellIn = (folder) => client.openNotebook(`${folder.uri}/n.ipynb`, ["import tensorflow"]).cells[0].document;
    const [healthy, broken] = [cellIn(one), cellIn(other)];
    const [{ code }] = await client.diagnostics(broken, some);
    assert.equal(code, "not-installed");
    await client.diagnostics(healthy, none);
  });

  test("is only supported for an editor that has notebooks", async (t) => {
    const offered = async (notebooks) => {
      const client = new Client();
      t.after(() => client.stop());
      return (await client.initialize({ notebooks })).capabilities.notebookDocumentSync;
    };
    assert.equal(await offered(false), undefined);
    assert.deepEqual(await offered(true), { notebookSelector: [{ notebook: "*", cells: [{ language: "python" }] }], save: true });
  });
});

describe("a traceback", () => {
  const explain = (client, argument) => client.execute({ command: "whydll.explain", arguments: [argument] });

  test("is explained with the diagnosis of its import", async (t) => {
    const { client, folder } = await editor(t, { python: "complete", host: BARE });
    const text = [
      "Traceback (most recent call last):",
      '  File "<stdin>", line 1, in <module>',
      "ImportError: DLL load failed while importing _pywrap_tensorflow_internal: Не найден указанный модуль.",
    ].join("\r\n");
    const explanation = await explain(client, { scopeUri: folder.uri, text });
    for (const words of ["Не найден указанный модуль.", "Windows error 126", "# tensorflow: 2 DLLs missing", "vc_redist.x64.exe"]) {
      assert.ok(explanation.includes(words), `${words} is missing in: ${explanation}`);
    }
  });

  test("leads to the environment that it comes from", async (t) => {
    const { client } = await editor(t, { python: "complete", host: EQUIPPED });
    const file = join(environment("not-installed"), "Lib", "site-packages", "numpy", "__init__.py");
    const text = `  File "main.py", line 1, in <module>\n    import tensorflow\n  File "${file}", line 1, in <module>\nModuleNotFoundError: No module named 'tensorflow'`;
    const explanation = await explain(client, { scopeUri: null, text });
    assert.ok(explanation.includes(interpreter("not-installed")), explanation);
  });

  test("that isn't one is refused with a reason", async (t) => {
    const { client } = await editor(t, { python: "complete", host: EQUIPPED });
    await assert.rejects(explain(client, { scopeUri: null, text: "All is well." }), /no traceback/);
    await assert.rejects(explain(client, { scopeUri: null }), /`text`/);
  });
});

describe("the folder of a program", () => {
  const CREATED = 1;
  const hidesTensorFlow = "import tensorflow as tf\nmodel = tf.keras.Sequential()\n";

  test("may contain a file that hides TensorFlow, which the editor renames", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: EQUIPPED });
    const hiding = join(folder.path, "tensorflow.py");
    writeFileSync(hiding, hidesTensorFlow);
    const document = open("import os\nimport tensorflow as tf\n");
    const [diagnostic, ...more] = await client.diagnostics(document, some);
    assert.deepEqual(more, []);
    assert.equal(diagnostic.code, "shadowed-module");
    assert.equal(diagnostic.severity, 2);
    assert.ok(diagnostic.message.includes("tensorflow.py"), diagnostic.message);
    assert.deepEqual(diagnostic.range, document.rangeOf("tensorflow"));

    const [{ edit, command }] = (await client.codeActions(document, diagnostic)).filter((action) => action.isPreferred);
    assert.equal(command, undefined);
    const [rename, ...others] = edit.documentChanges;
    assert.deepEqual(others, []);
    assert.equal(rename.kind, "rename");
    assert.equal(rename.oldUri, pathToFileURL(hiding).href);
    assert.equal(rename.newUri, pathToFileURL(join(folder.path, "my_tensorflow.py")).href);

    renameSync(hiding, join(folder.path, "my_tensorflow.py"));
    client.notify("workspace/didChangeWatchedFiles", { changes: [{ uri: rename.newUri, type: CREATED }] });
    await client.diagnostics(document, none);
  });

  test("may contain it if the editor can't rename: then the user sees how", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: EQUIPPED, resourceOperations: ["create"] });
    writeFileSync(join(folder.path, "tensorflow.py"), "");
    const document = open("import tensorflow\n");
    const actions = await quickFixes(client, document);
    const shown = client.next("window/showMessage");
    await client.execute(command(actions, "whydll.showCommand"));
    const { message } = await shown;
    assert.ok(message.includes("Rename-Item") && message.includes("my_tensorflow.py"), message);
  });

  test("may be hidden by the open document itself", async (t) => {
    const { client, folder } = await editor(t, { python: "complete", host: EQUIPPED });
    writeFileSync(join(folder.path, "tensorflow.py"), hidesTensorFlow);
    const document = client.open(`${folder.uri}/tensorflow.py`, hidesTensorFlow);
    const [{ code, message }] = await client.diagnostics(document, some);
    assert.equal(code, "shadowed-module");
    assert.match(message, /partially initialized/);
    // An unsaved document doesn't hide anything yet.
    const unsaved = client.open("untitled:Untitled-1", hidesTensorFlow);
    assert.deepEqual(await client.diagnostics(unsaved), []);
  });

  test("contains modules that run before what is imported next, as they are saved", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: EQUIPPED });
    const settings = join(folder.path, "settings.py");
    // A DLL with the runtime's name that isn't the runtime: it is loaded first, and TensorFlow
    // finds none of its functions.
    copyFileSync(join(environment("complete"), "python3.dll"), join(folder.path, "msvcp140.dll"));
    const loads = 'import ctypes, os\nctypes.WinDLL(os.path.join(os.path.dirname(__file__), "msvcp140.dll"))\n';
    writeFileSync(settings, loads);
    const module = client.open(`${folder.uri}/settings.py`, loads);
    const document = open("import settings\nimport tensorflow\n");
    const [{ code, message, range }] = await client.diagnostics(document, some);
    assert.equal(code, "conflicting-vc-runtime");
    assert.match(message, /_pywrap_tensorflow_internal/);
    assert.deepEqual(range, document.rangeOf("tensorflow"));

    module.change({ text: "x = 1\n" });
    await sleep(300);
    assert.equal((await client.diagnostics(document)).length, 1, "nothing is saved");
    writeFileSync(settings, "x = 1\n");
    client.save(module);
    await client.diagnostics(document, none);
  });
});

describe("packages that are not named", () => {
  const text = "import numpy\nimport h5py\ntry:\n    import h5py.h5f\nexcept ImportError:\n    pass\nimport nowhere\n";

  test("are checked if they have native code", async (t) => {
    const { client, open } = await editor(t, { python: "hdf5-deleted", host: EQUIPPED });
    const document = open(text);
    const found = await client.diagnostics(document, some);
    assert.deepEqual(found.map(({ severity, range }) => [severity, range.start.line]), [[1, 1], [4, 3]]);
    for (const { code, message } of found) {
      assert.equal(code, "damaged-install");
      assert.match(message, /hdf5\.dll/);
    }
    const health = await client.health("broken");
    assert.match(health.summary, /h5py/);
    const hover = await client.hover(document, document.rangeOf("numpy").start);
    assert.ok(hover.contents.value.includes("numpy"), hover.contents.value);
    assert.equal(await client.hover(document, document.rangeOf("nowhere").start), null);
  });

  test("are not checked if the user named others", async (t) => {
    const { client, open, settings } = await editor(t, { python: "hdf5-deleted", host: EQUIPPED });
    const document = open(text);
    await client.diagnostics(document, some);
    client.configure({ ...settings, packages: ["numpy"] });
    await client.diagnostics(document, none);
    await client.health("healthy");
    client.configure({ ...settings, packages: null });
    await client.diagnostics(document, some);
  });
});

describe("unusual input", () => {
  test("a file with syntax errors is read as far as it can be", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE });
    const document = open('def broken(:\n    pass\nimport tensorflow\nx = = 3\ns = "open\nclass\n');
    const [{ range }] = await client.diagnostics(document, some);
    assert.deepEqual(range, document.rangeOf("tensorflow"));
  });

  test("10 MB of imports are answered in time", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: BARE });
    const lines = Array.from({ length: 10_000_000 / 20 }, (_, n) => `import module${String(n).padStart(6, "0")}\n`);
    const document = open(`${lines.join("")}import tensorflow\n`);
    assert.ok(document.text.length > 9_900_000);
    const [{ range }] = await client.diagnostics(document, some);
    assert.deepEqual(range.start, { line: lines.length, character: 7 });
  });

  test("an interpreter that does not exist", async (t) => {
    const { client, open, settings } = await editor(t, { python: "nowhere", host: BARE });
    const document = open("import tensorflow\n");
    const health = await client.health("unknown");
    assert.ok(health.summary);
    assert.deepEqual(await client.diagnostics(document), []);
    client.configure({ ...settings, interpreter: interpreter("complete") });
    await client.diagnostics(document, some);
  });
});

const some = (diagnostics) => diagnostics.length > 0;
const none = (diagnostics) => diagnostics.length === 0;

describe("commands", () => {
  const ask = (client, name, argument) => client.execute({ command: name, arguments: [argument] });

  test("the report, as a document to paste", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: BARE });
    open("import tensorflow as tf\n");
    const { summary } = await client.health("broken");
    const report = await ask(client, "whydll.report", { scopeUri: folder.uri });
    const facts = ["# tensorflow: 2 DLLs missing", "`main.py:1`", "msvcp140.dll", "3.8.10", "tensorflow-cpu 2.3.0", interpreter("complete"), summary.split(":")[0]];
    for (const fact of facts) assert.ok(report.includes(fact), `${fact} is missing in:\n${report}`);
  });

  test("the report on all files of the folder, with links to them", async (t) => {
    const { client, folder, write } = await editor(t, { python: "complete", host: BARE });
    mkdirSync(join(folder.path, "steps"));
    const files = { "steps/train it.py": "import os\n\nimport tensorflow as tf\n", "main.py": "import os\n", "notes.ipynb": "{" };
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder.path, path), text);
    const report = await ask(client, "whydll.checkFolder", { scopeUri: folder.uri });
    const link = `[\`${join("steps", "train it.py")}:3\`](</steps/train%20it.py#L3>)`;
    const facts = ["# tensorflow: 2 DLLs missing", link, "2 files checked", "notes.ipynb"];
    for (const fact of facts) assert.ok(report.includes(fact), `${fact} is missing in:\n${report}`);
    client.configure({ interpreter: interpreter("complete"), host: BARE, severity: { "missing-vc-runtime": "off" } });
    const again = () => ask(client, "whydll.checkFolder", { scopeUri: folder.uri });
    while (!(await again()).startsWith("# No problems found")) await sleep(20);
  });

  test("the tree of DLLs, down to the missing one", async (t) => {
    const { client, open, folder } = await editor(t, { python: "internal-deleted", host: EQUIPPED });
    open("import tensorflow as tf\n");
    await client.health("broken");
    const tree = await ask(client, "whydll.chain", { scopeUri: folder.uri });
    assert.equal(tree.package, "tensorflow");
    const all = (nodes) => nodes.flatMap((node) => [node, ...all(node.children ?? [])]);
    const nodes = all(tree.nodes);
    assert.ok(nodes.some(({ state }) => state === "missing"), JSON.stringify(nodes.map(({ name, state }) => [name, state])));
    const runtime = nodes.find(({ name, state }) => /^msvcp140\.dll$/i.test(name) && state !== "missing");
    assert.match(runtime.version, /^14\./);
    assert.ok(nodes.every(({ name, rule }) => name && rule));
  });

  test("the same as a page without scripts, also if there is nothing to draw", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: BARE });
    const document = open("import tensorflow as tf\n");
    await client.health("broken");
    const { package: name, scopeUri, html } = await ask(client, "whydll.chainPage", { scopeUri: document.uri });
    assert.equal(name, "tensorflow");
    assert.equal(scopeUri, folder.uri);
    assert.ok(html.startsWith("<!DOCTYPE html>") && !/<script| on\w+=|src=|href="(?!command:whydll\.revealFile\?)/i.test(html));
    for (const fact of ["msvcp140.dll: not found", "System32", "self_check.py", "Python 3.8.10"]) assert.ok(html.includes(fact), fact);
    const healthy = await editor(t, { python: "nowhere", host: BARE });
    healthy.open("import tensorflow as tf\n");
    await healthy.client.health("unknown");
    const nothing = await ask(healthy.client, "whydll.chainPage", { scopeUri: healthy.folder.uri });
    assert.equal(nothing.package, null);
    assert.match(nothing.html, /no longer exists/);
  });

  test("the Pythons that can be chosen, and an example", async (t) => {
    const { client, folder, open } = await editor(t, { python: undefined, host: BARE });
    open("import tensorflow as tf\n");
    const found = await ask(client, "whydll.environments", { scopeUri: folder.uri });
    assert.ok(Array.isArray(found));
    for (const one of found) assert.deepEqual(Object.keys(one).sort(), ["label", "path", "reason", "usable"]);
    const example = await ask(client, "whydll.example", {});
    assert.ok(example.startsWith("# tensorflow: 2 DLLs missing") && example.includes("msvc-runtime"), example);
  });

  test("errors that no file shows are explained, also without an environment", async (t) => {
    const { client, folder, open } = await editor(t, { python: "nowhere", host: BARE });
    open("import tensorflow as tf\n");
    await client.health("unknown");
    const text = "ImportError: DLL load failed while importing etree: An Application Control policy has blocked this file.\n";
    const told = await ask(client, "whydll.explain", { scopeUri: folder.uri, text });
    for (const fact of ["4551", "Smart App Control", "What was not checked", "no longer exists"]) assert.ok(told.includes(fact), `${fact} is missing in\n${told}`);
    await assert.rejects(ask(client, "whydll.explain", { scopeUri: folder.uri, text: "all is well" }), /no traceback/);
  });

  test("the predicted and the actual result of an import", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: BARE });
    open("import tensorflow as tf\n");
    await client.health("broken");
    const scope = { scopeUri: folder.uri };
    const prediction = await ask(client, "whydll.predict", scope);
    assert.equal(prediction.interpreter, interpreter("complete"));
    assert.equal(prediction.package, "tensorflow");
    assert.equal(prediction.fails, true);
    const compare = (exitCode) => ask(client, "whydll.compare", { ...scope, package: "tensorflow", exitCode, output: "DLL load failed" });
    assert.equal((await compare(1)).agrees, true);
    assert.equal((await compare(0)).agrees, false);
    assert.match((await compare(1)).markdown, /DLL load failed/);
    await assert.rejects(ask(client, "whydll.predict", { ...scope, package: "os; import evil" }), /valid module name/);
  });

  test("a snapshot that gives the same diagnosis elsewhere, and the server's state", async (t) => {
    const { client, open, folder } = await editor(t, { python: "complete", host: BARE });
    open("import tensorflow as tf\n");
    await client.health("broken");
    const path = join(folder.path, "machine.json.xz");
    const preview = await ask(client, "whydll.snapshot", { scopeUri: folder.uri });
    assert.equal(preview.ownModules, 0);
    assert.match(preview.text, /^# Contents of a snapshot of `import tensorflow`\n[^]*Python modules \(only/);
    assert.equal(existsSync(path), false);
    const answer = await ask(client, "whydll.snapshot", { scopeUri: folder.uri, path });
    assert.match(answer, /tensorflow/);
    let checked;
    try {
      checked = execFileSync(process.env.WHYDLL_BIN, ["check", "--host", path, "--format", "json"], { encoding: "utf8" });
    } catch ({ status, stdout }) {
      assert.equal(status, 1);
      checked = stdout;
    }
    assert.deepEqual(JSON.parse(checked).findings.map(({ code }) => code), ["missing-vc-runtime"]);
    await assert.rejects(ask(client, "whydll.snapshot", { scopeUri: folder.uri, path: "relative" }), /full path/);

    const state = await ask(client, "whydll.state", {});
    for (const fact of [folder.uri, interpreter("complete"), BARE]) assert.ok(state.includes(fact), `${fact} is missing in:\n${state}`);
  });

  test("a reason, for an environment that does not exist", async (t) => {
    const { client, open, folder } = await editor(t, { python: "nowhere", host: BARE });
    open("import tensorflow as tf\n");
    await client.health("unknown");
    for (const name of ["whydll.report", "whydll.chain", "whydll.predict"]) {
      await assert.rejects(ask(client, name, { scopeUri: folder.uri, package: "tensorflow" }), /nowhere/, name);
    }
  });

  test("health has the packages and the runtime that they load", async (t) => {
    const { client, open } = await editor(t, { python: "complete", host: EQUIPPED });
    open("import tensorflow as tf\n");
    const { packages, vcRuntime } = await client.health("healthy");
    assert.deepEqual(packages, [{ import: "tensorflow", distribution: "tensorflow-cpu", version: "2.3.0" }]);
    assert.match(vcRuntime.version, /^14\./);
    assert.match(vcRuntime.path, /msvcp140\.dll$/i);
  });
});

/** An editor with a running server and, by default, one empty workspace folder. */
async function editor(
  t,
  { python, host = BARE, clientCommands, folder, folderCount = 1, env, resourceOperations } = {},
) {
  const folders = folder ? [folder] : Array.from({ length: folderCount }, () => temporaryFolder(t));
  // Neither a virtual environment nor PYTHONPATH of the caller is used.
  const client = new Client({ env: { VIRTUAL_ENV: undefined, CONDA_PREFIX: undefined, PYTHONPATH: undefined, ...env } });
  t.after(() => client.stop());
  const settings = { host, ...(python && { interpreter: interpreter(python) }) };
  await client.initialize({
    settings,
    clientCommands,
    resourceOperations,
    folders: folders.length > 0 ? folders.map(({ uri }) => uri) : null,
  });
  const home = folders[0] ?? temporaryFolder(t);
  return { client, settings, folders, folder: home, open: (text) => client.open(`${home.uri}/main.py`, text) };
}

function temporaryFolder(t) {
  const path = join(mkdtempSync(join(tmpdir(), "whydll-lsp-")), "project");
  mkdirSync(path);
  t.after(() => rmSync(join(path, ".."), { recursive: true }));
  return { path, uri: pathToFileURL(path).href };
}

/** The quick fixes of the document's only finding. Exactly one of them is preferred. */
async function quickFixes(client, document) {
  const [diagnostic] = await client.diagnostics(document, some);
  const actions = await client.codeActions(document, diagnostic);
  for (const action of actions) {
    assert.equal(action.kind, "quickfix");
    assert.ok(action.title);
    assert.deepEqual(action.diagnostics?.map(({ code }) => code), [diagnostic.code]);
    assert.ok((action.edit === undefined) !== (action.command === undefined), "an edit or a command, not both");
  }
  assert.equal(actions.filter(({ isPreferred }) => isPreferred).length, 1);
  return actions;
}

function command(actions, name) {
  const found = actions.map((action) => action.command).filter((candidate) => candidate?.command === name);
  assert.equal(found.length, 1, `one quick fix by ${name} among ${actions.map(({ title }) => title).join(", ")}`);
  return found[0];
}

function unmark(marked) {
  const ranges = [];
  let text = "";
  for (const [part] of marked.matchAll(/[«»]|[^«»]+/g)) {
    const line = text.split("\n").length - 1;
    const position = { line, character: text.length - (text.lastIndexOf("\n") + 1) };
    if (part === "«") ranges.push({ start: position });
    else if (part === "»") ranges.at(-1).end = position;
    else text += part;
  }
  return { text, ranges };
}

/**
 * Imports, calls, and docstrings in the order of the source. Also compiled, because only that
 * rejects a misplaced `__future__`.
 */
function statements(text) {
  const program = `
import ast, json, sys
text = sys.stdin.read()
compile(text, "edited", "exec")
nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.Import, ast.ImportFrom, ast.Expr))]
print(json.dumps([ast.unparse(n) for n in sorted(nodes, key=lambda n: (n.lineno, n.col_offset))]))`;
  const python = process.platform === "win32" ? "python" : "python3";
  return JSON.parse(execFileSync(python, ["-X", "utf8", "-c", program], { input: text, encoding: "utf8" }));
}

function pick(object, ...names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

/** Numbers that are the same on every run. */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

/** The offset of the start of a random line. */
function someLine(text, random) {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return starts[random(starts.length)];
}
