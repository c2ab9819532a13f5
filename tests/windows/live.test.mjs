/**
 * The program for Windows on live machines under Wine, with real Windows Pythons and real
 * TensorFlow. WHYDLL_EXE names the program for Windows, WHYDLL_BIN the one for this system,
 * WHYDLL_REAL the directory of environments that tests/real/setup prints.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Machine } from "./machine.mjs";

const { WHYDLL_EXE, WHYDLL_BIN, WHYDLL_REAL: REAL } = process.env;
if (!WHYDLL_EXE || !WHYDLL_BIN || !REAL) throw new Error("WHYDLL_EXE, WHYDLL_BIN and WHYDLL_REAL must be set, see the top of this file");

const RUNTIMES = "HKLM\\SOFTWARE\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\x64";
const SESSION_MANAGER = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager";
const TENSORFLOW = ["--python", "E:\\complete-2.21"];

const some = (diagnostics) => diagnostics.length > 0;

test("the program has version information", () => {
  const bytes = readFileSync(WHYDLL_EXE);
  const { version } = JSON.parse(execFileSync("cargo", ["metadata", "--format-version=1", "--no-deps"])).packages.find(({ name }) => name === "whydll");
  for (const text of ["ProductVersion", "WhyDLL", version]) assert.ok(bytes.includes(Buffer.from(text, "utf16le")), text);
});

describe("a machine without the redistributable", () => {
  const machine = new Machine("without");
  after(() => machine.remove());

  test("is detected without --host", () => {
    const { status, host, findings } = machine.check(TENSORFLOW);
    assert.equal(status, 1);
    assert.equal(host.kind, "live");
    assert.match(host.windows, /^10\.0\.\d{5}/);
    assert.deepEqual(host.vcRuntimes, []);
    assert.equal(host.assumed, undefined);
    assert.deepEqual(findings.map(({ code }) => code), ["missing-vc-runtime"]);
    assert.ok(findings[0].dlls.includes("msvcp140.dll"));
    assert.ok(findings[0].searched.some((folder) => /^C:\\windows\\system32$/i.test(folder)), findings[0].searched);
  });

  test("PATH of the process counts", () => {
    const { findings } = machine.check(["--python", "E:\\on-path-only"], { WINEPATH: "E:\\on-path-only\\extra" });
    assert.deepEqual(findings.map(({ code }) => code), ["not-on-search-path"]);
    assert.match(findings[0].message, /E:\\on-path-only\\extra/);
  });

  test("a snapshot of it gives the same diagnosis elsewhere", () => {
    const recorded = machine.whydll(["snapshot", "-o", "C:\\machine.json.xz", "--keep-names", ...TENSORFLOW]);
    assert.equal(recorded.status, 0, JSON.stringify(recorded));
    const file = join(machine.prefix, "drive_c", "machine.json.xz");
    const replayed = spawnSync(WHYDLL_BIN, ["check", "--format", "json", "--host", file], { encoding: "utf8" });
    const { status, ...live } = machine.check(TENSORFLOW);
    live.host.kind = "snapshot";
    assert.deepEqual(JSON.parse(replayed.stdout), live);
    assert.equal(replayed.status, status);
  });

  test("is reported if its registry and its files disagree", () => {
    machine.register(RUNTIMES, "Installed", "REG_DWORD", "1");
    machine.register(RUNTIMES, "Version", "REG_SZ", "v14.44.35211.00");
    const { host, findings } = machine.check(TENSORFLOW);
    assert.deepEqual(host.registeredRuntimes, [{ machine: "x86_64", version: "14.44.35211.0" }]);
    assert.match(findings[0].message, /The registry says that the redistributable 14\.44\.35211\.0 is installed, but \S+msvcp140\.dll is gone\./i);
    const { out } = machine.whydll(["check", ...TENSORFLOW]);
    assert.match(out, /no VC\+\+ runtime in its system directory, although 14\.44\.35211\.0 \(x86_64\) is registered/);
  });
});

describe("a machine with the redistributable", () => {
  const machine = new Machine("with");
  after(() => machine.remove());

  test("is healthy, whether it is registered or not", () => {
    const healthy = ({ status, health, host }) => {
      assert.deepEqual([status, health], [0, "healthy"]);
      assert.deepEqual(host.vcRuntimes.map(({ machine, version }) => [machine, version]), [["x86_64", "14.44.35211.0"]]);
    };
    healthy(machine.check(TENSORFLOW));
    machine.register(RUNTIMES, "Installed", "REG_DWORD", "1");
    machine.register(RUNTIMES, "Version", "REG_SZ", "v14.44.35211.00");
    healthy(machine.check(TENSORFLOW));
    assert.doesNotMatch(machine.whydll(["check", ...TENSORFLOW]).out, /registered/);
  });

  test("KnownDLLs of the registry count", () => {
    const old = ["--python", "E:\\old-runtime-2.21"];
    assert.equal(machine.check(old).findings[0].code, "conflicting-vc-runtime");
    for (const name of ["kernel32", "msvcp140", "msvcp140_1"]) {
      machine.register(`${SESSION_MANAGER}\\KnownDLLs`, name, "REG_SZ", `${name}.dll`);
    }
    assert.deepEqual(machine.check(old).findings, []);
  });
});

describe("modules that Windows refuses to load", () => {
  const machine = new Machine("with");
  after(() => machine.remove());
  const numpy = (python) => machine.check(["--python", python, "--import", "numpy"]);

  test("a module that is not readable", () => {
    const core = join(machine.environment("complete", "env"), "Lib/site-packages/numpy/core");
    const file = join(core, "_multiarray_umath.cp38-win_amd64.pyd");
    copyFileSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
    assert.equal(numpy("C:\\env").status, 0);
    chmodSync(file, 0);
    const { findings } = numpy("C:\\env");
    assert.deepEqual(findings.map(({ code, winError }) => [code, winError]), [["access-denied", 5]]);
  });

  test("a path that is too long, whether long paths are on or off", () => {
    const deep = `${"d".repeat(100)}/${"e".repeat(90)}`;
    machine.environment("complete", deep);
    const python = `C:\\${deep.replace("/", "\\")}`;
    const found = () => numpy(python).findings.map(({ code, dll }) => `${code} ${dll.split(".")[0]}`);
    assert.deepEqual(found(), ["path-too-long libopenblas"]);
    // Then that one is loaded. A module with a manifest isn't.
    machine.register("HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem", "LongPathsEnabled", "REG_DWORD", "1");
    assert.deepEqual(found(), ["path-too-long _multiarray_umath"]);
  });
});

describe("the language server", () => {
  const machine = new Machine("without");
  after(() => machine.remove());
  // The same program, spelled in every way that editors and users write it.
  machine.environment("complete", "Umgebung für Übungen/complete");
  const project = machine.folder("Mein Projekt/größe");
  // A module of the project that adds the directory of one of the two missing DLLs.
  copyFileSync(join(REAL, "on-path-only/extra/msvcp140.dll"), join(machine.folder("Läufe"), "msvcp140.dll"));
  writeFileSync(join(project, "helper.py"), 'import os\nos.add_dll_directory(r"C:\\Läufe")\n');
  machine.share("nas", "team share", machine.folder(""));

  const cases = [
    ["as VS Code writes it", "file:///c%3A/Mein%20Projekt/gr%C3%B6%C3%9Fe", "C:\\Umgebung für Übungen\\complete"],
    ["as others write it", "file:///C:/Mein%20Projekt/gr%C3%B6%C3%9Fe", "C:/Umgebung für Übungen/complete/python.exe"],
    ["in other letter cases", "file:///c%3a/mein%20projekt/GR%C3%B6%C3%9FE", "c:\\UMGEBUNG für ÜBUNGEN\\Complete"],
    ["on a share", "file://nas/team%20share/Mein%20Projekt/gr%C3%B6%C3%9Fe", "\\\\nas\\team share\\Umgebung für Übungen\\complete"],
  ];
  for (const [name, folder, interpreter] of cases) {
    test(`a folder ${name}`, async (t) => {
      const client = machine.server();
      t.after(() => client.stop());
      await client.initialize({ settings: { interpreter }, folders: [folder], processId: null });
      const document = client.open(`${folder}/main.py`, "import tensorflow\n");
      const health = await client.health("broken");
      assert.equal(health.version, "3.8.10");
      const [diagnostic] = await client.diagnostics(document, some);
      assert.deepEqual(diagnostic.data.dlls, ["msvcp140.dll", "msvcp140_1.dll"]);
      assert.ok(diagnostic.relatedInformation.length > 0);
      for (const { location } of diagnostic.relatedInformation) assert.match(location.uri, /^file:\/\//);
      document.insert(0, "import helper\n");
      await client.diagnostics(document, (all) => all[0]?.data.dlls.join() === "msvcp140_1.dll");
    });
  }

  test("a drive is the same in any spelling", async (t) => {
    const client = machine.server();
    t.after(() => client.stop());
    const interpreter = "C:\\Umgebung für Übungen\\complete";
    await client.initialize({ settings: { interpreter }, folders: ["file:///c%3A/Mein%20Projekt"], processId: null });
    for (const uri of ["file:///C:/Mein%20Projekt/a.py", "file:///c%3A/mein%20projekt/b.py"]) {
      const [diagnostic] = await client.diagnostics(client.open(uri, "import tensorflow\n"), some);
      assert.equal(diagnostic.code, "missing-vc-runtime");
    }
    assert.deepEqual(client.received.filter(({ method, params }) => method === "whydll/health" && !params.scopeUri), []);
  });
});
