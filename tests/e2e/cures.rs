//! The first fix for failures that users reported, in small worlds: what is recommended, and what
//! is only mentioned because it cannot be tried.

use end_to_end::{report, strings, text, whydll};
use expect_test::{Expect, expect};
use world::World;

/// Checks the findings and fixes for a program in a world: `*` is recommended, `-` cures too, `?`
/// could not be tried.
#[track_caller]
fn check(machine: &str, python: &str, files: &str, program: &str, expected: Expect) {
    let mut world = files.replace("/s/", &format!("{python}/Lib/site-packages/"));
    world += "\n/project/main.py  text\n";
    world.extend(program.lines().map(|line| format!("    {line}\n")));
    let world = World::new(&world).unwrap();
    let (python, drive) = (text(&world.path(python)), text(world.root()));
    let file = text(&world.path("/project/main.py"));
    let host = if machine == "drive" { drive.as_str() } else { machine };
    let mut arguments = vec!["check", "--format", "json", "--python", &python, "--host", host];
    if host != drive {
        arguments.extend(["--drive", &drive]);
    }
    for directive in world.directives() {
        arguments.extend(directive.split_once(' ').map(|(key, value)| [key, value]).into_iter().flatten());
    }
    arguments.push(&file);
    let report = report(&whydll(arguments));
    let mut out = String::new();
    for finding in report.findings() {
        let word = |key: &str| finding[key].as_str().unwrap_or_default();
        out += &format!("{} {} {}\n", word("severity"), word("code"), strings(&finding["dlls"]).join(" "));
        let fixes = finding["fixes"].as_array().unwrap();
        if !fixes.iter().any(|fix| fix["preferred"] == true) {
            out += &format!("  {}\n", word("message").replace('\n', " "));
        }
        for fix in fixes {
            let mark = match (fix["preferred"] == true, fix["outcome"].as_str()) {
                (true, _) => '*',
                (false, Some("cures")) => '-',
                (false, Some("fails")) => '~',
                _ => '?',
            };
            let value = fix["value"].as_str().unwrap().replace('\n', " | ");
            out += &format!("  {mark} {} | {value}\n", fix["title"].as_str().unwrap());
        }
    }
    if out.is_empty() {
        out = format!("{}\n", report.health());
    }
    expected.assert_eq(&world.hide_root(&out));
}

/// A Python from python.org, with pip.
fn installed(version: &str) -> String {
    format!(
        "
/Python/python.exe       imports python{0}.dll
/Python/python{0}.dll    version 3.{1}.4150.1013
/Python/Lib/os.py        text
/Python/Lib/site-packages/pip/__init__.py  text
",
        version,
        &version[1..]
    )
}

/// A conda environment, with this command as the last one in its history.
fn conda(version: &str, command: &str) -> String {
    format!(
        "
/conda/python.exe       imports python{0}.dll
/conda/python{0}.dll    version 3.{1}.4150.1013
/conda/Lib/os.py        text
/conda/conda-meta/history  text
    # cmd: {command}
",
        version,
        &version[1..]
    )
}

/// A distribution whose RECORD lists these files.
fn distribution(name: &str, version: &str, requires: &str, files: &[&str]) -> String {
    let rows: String = files.iter().map(|file| format!("    {file},sha256=x,\n")).collect();
    let requires =
        if requires.is_empty() { String::new() } else { format!("    Requires-Dist: {requires}\n") };
    let folder = name.replace('-', "_");
    format!(
        "
/s/{folder}-{version}.dist-info/METADATA  text
    Name: {name}
    Version: {version}
{requires}/s/{folder}-{version}.dist-info/RECORD  text
{rows}    {folder}-{version}.dist-info/RECORD,,
"
    )
}

/// Qt's copy of the runtime is loaded before the module that needs a newer one (StoManager1#50,
/// with PyQt5 5.15.2 and torch 2.9.0).
fn an_old_runtime_first() -> String {
    let packages = "
/s/qt/__init__.py  text
    import ctypes, os
    ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'msvcp140.dll'))
/s/qt/msvcp140.dll  version 14.26.28720.3, exports _Mtx_lock
/s/new/__init__.py  text
    from . import core
/s/new/core.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import
";
    installed("312")
        + packages
        + &distribution("qt-bin", "5.15.2", "", &["qt/__init__.py", "qt/msvcp140.dll"])
        + &distribution("new", "2.9", "", &["new/__init__.py", "new/core.pyd"])
}

#[test]
fn the_import_is_made_before_the_one_that_brings_an_old_runtime() {
    let machine = "windows-11+vcredist";
    check(
        machine,
        "/Python",
        &an_old_runtime_first(),
        "import os\nimport qt\n\nimport new",
        expect![[r#"
            error conflicting-vc-runtime msvcp140.dll
              * Import new before qt | import new
              ? Update qt-bin | C:\Python\python.exe -m pip install --upgrade qt-bin
        "#]],
    );
    check(
        machine,
        "/Python",
        &an_old_runtime_first(),
        "import new\nimport qt",
        expect![[r#"
        healthy
    "#]],
    );
}

/// No order helps: two packages include different DLLs of the same name (sumo#17324, with libsumo
/// and pyarrow).
#[test]
fn two_packages_that_cannot_be_in_one_process() {
    let files = installed("312")
        + "
/s/one/__init__.py  text
    from . import core
/s/one/core.pyd    imports arrow.dll!first
/s/one/arrow.dll   exports first
/s/two/__init__.py  text
    from . import core
/s/two/core.pyd    imports arrow.dll!second
/s/two/arrow.dll   exports second
" + &distribution("one", "1.24", "", &["one/core.pyd", "one/arrow.dll"])
        + &distribution("two", "22.0", "", &["two/core.pyd", "two/arrow.dll"]);
    check(
        "windows-11",
        "/Python",
        &files,
        "import one\nimport two",
        expect![[r#"
            error missing-export arrow.dll
              `import two` will fail: one/arrow.dll has no `second`, which two/core.pyd imports from it. The exports of C:\Python\Lib\site-packages\one\arrow.dll were read (Windows error 127); this copy was loaded first by the rule "the DLL's own directory" (one/__init__.py:1 → one/core.pyd), and Windows reuses a DLL that is already loaded, wherever it is. one and two bring different DLLs named arrow.dll, and the import fails in either order: use them in separate processes.
              ? Update one | C:\Python\python.exe -m pip install --upgrade one
              ? Update two | C:\Python\python.exe -m pip install --upgrade two
        "#]],
    );
}

/// triton-windows#58: msvc-runtime is installed, and old.
#[test]
fn an_old_copy_of_the_runtime_next_to_python() {
    let old = installed("312")
        + "
/s/new.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import
/Python/msvcp140.dll  version 14.34.31931.0, exports _Mtx_lock
";
    let of_pypi = distribution("msvc-runtime", "14.34.31931", "", &["../../msvcp140.dll"]);
    check(
        "windows-11+vcredist",
        "/Python",
        &(old.clone() + &of_pypi),
        "import new",
        expect![[r#"
            error conflicting-vc-runtime msvcp140.dll
              * Update the runtime of this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir msvc-runtime
              - Rename C:\Python\msvcp140.dll to msvcp140.dll.old | Rename-Item -LiteralPath C:\Python\msvcp140.dll -NewName msvcp140.dll.old
        "#]],
    );
    check(
        "windows-11",
        "/Python",
        &(old.clone() + &of_pypi),
        "import new",
        expect![[r#"
            error outdated-vc-runtime msvcp140.dll
              * Update the runtime of this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir msvc-runtime
        "#]],
    );
    // Its origin is unknown, and there is no pip.
    let embeddable = old.replace(
        "/Python/Lib/site-packages/pip/__init__.py  text",
        "/Python/python312._pth  text\n    .\n    Lib/site-packages\n/Python/python312.zip  zip",
    );
    check(
        "windows-11+vcredist",
        "/Python",
        &embeddable,
        "import new",
        expect![[r#"
            error conflicting-vc-runtime msvcp140.dll
              * Install the runtime into this Python with uv, which has to be installed first (no administrator needed) | https://docs.astral.sh/uv/getting-started/installation/ | uv pip install --python C:\Python\python.exe msvc-runtime
              - Rename C:\Python\msvcp140.dll to msvcp140.dll.old | Rename-Item -LiteralPath C:\Python\msvcp140.dll -NewName msvcp140.dll.old
        "#]],
    );
    check(
        "windows-11",
        "/Python",
        &embeddable,
        "import new",
        expect![[r#"
            error outdated-vc-runtime msvcp140.dll
              * Install the runtime into this Python with uv, which has to be installed first (no administrator needed) | https://docs.astral.sh/uv/getting-started/installation/ | uv pip install --python C:\Python\python.exe msvc-runtime
        "#]],
    );
}

/// triton-windows#58 with uv, whose Pythons refuse pip.
#[test]
fn an_environment_of_uv() {
    let files = "
/uv/python/cpython-3.12/python.exe       imports python312.dll
/uv/python/cpython-3.12/python312.dll    version 3.12.4150.1013
/uv/python/cpython-3.12/Lib/os.py        text
/uv/python/cpython-3.12/Lib/EXTERNALLY-MANAGED  text
    [externally-managed]
/project/.venv/pyvenv.cfg  text
    home = C:\\uv\\python\\cpython-3.12
    implementation = CPython
    uv = 0.13.9
    version_info = 3.12.4
/project/.venv/Scripts/python.exe
/project/.venv/Lib/site-packages/new.pyd  imports msvcp140.dll
/project/.venv/Lib/site-packages/hurt/__init__.py  text
    from . import core
/project/.venv/Lib/site-packages/hurt-1.0.dist-info/RECORD  text
    hurt/core.pyd,sha256=x,4096
    hurt/__init__.py,sha256=x,
";
    check(
        "windows-11",
        "/project/.venv",
        files,
        "import new\nimport hurt\nimport numpy",
        expect![[r#"
            error missing-vc-runtime msvcp140.dll
              * Install the runtime into the Python that this environment was created with (C:\uv\python\cpython-3.12) with uv (no administrator needed) | uv pip install --python C:\uv\python\cpython-3.12\python.exe --break-system-packages msvc-runtime
              - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            error damaged-install core.pyd
              * Reinstall hurt 1.0 with uv | uv pip install --python C:\project\.venv\Scripts\python.exe --reinstall --no-deps --no-cache hurt==1.0
        "#]],
    );
}

/// onnxruntime#28812: conda's runtime is old.
#[test]
fn an_environment_of_conda() {
    let files = |more: &str| {
        let runtime = "
/conda/conda-meta/vs2015_runtime-14.29.30139-h1.json  text
    {\"name\": \"vs2015_runtime\", \"version\": \"14.29.30139\", \"files\": [\"msvcp140.dll\"]}
/conda/msvcp140.dll  version 14.29.30139.0, exports _Mtx_lock
/s/new.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import
";
        conda("310", "conda create -n work python") + runtime + more
    };
    check(
        "windows-11",
        "/conda",
        &files(""),
        "import new",
        expect![[r#"
        error outdated-vc-runtime msvcp140.dll
          * Install the current runtime into this environment with conda | conda install -p C:\conda -c conda-forge vc14_runtime
          - Install the runtime into this Python with pip (no administrator needed) | C:\conda\python.exe -m pip install msvc-runtime
          ? Update vs2015_runtime with conda | conda update -p C:\conda vs2015_runtime
    "#]],
    );
    let pixi = "/conda/conda-meta/pixi  text\n    {\"manifest_path\": \"C:\\\\work\\\\pixi.toml\"}\n";
    check(
        "windows-11",
        "/conda",
        &files(pixi),
        "import new",
        expect![[r#"
        error outdated-vc-runtime msvcp140.dll
          * Install the current runtime into this environment with pixi | pixi add --manifest-path C:\work\pixi.toml vc14_runtime
          - Install the runtime into this Python with pip (no administrator needed) | C:\conda\python.exe -m pip install msvc-runtime
          ? Update vs2015_runtime with pixi | pixi upgrade --manifest-path C:\work\pixi.toml vs2015_runtime
    "#]],
    );
}

/// rasterio-feedstock#240 and vscode-jupyter#15518: a conda environment with Python 3.7 that is not
/// activated.
#[test]
fn an_environment_of_conda_that_is_not_activated() {
    let files = |more: &str| {
        let library = "
/conda/Library/bin/gdal.dll  exports new
/s/geo.pyd  imports gdal.dll!new
";
        conda("37", "conda create -n work python=3.7") + library + more
    };
    check(
        "windows-11",
        "/conda",
        &files(""),
        "import geo",
        expect![[r#"
            error not-on-search-path gdal.dll
              * Activate the environment with conda, and run the program in that terminal | conda activate C:\conda
              - Put C:\conda\Library\bin on PATH before the import | import os | os.environ["PATH"] = r"C:\conda\Library\bin;" + os.environ["PATH"]
        "#]],
    );
    let foreign = "/QGIS/bin/gdal.dll  exports old\n--path C:\\QGIS\\bin\n";
    check(
        "windows-11",
        "/conda",
        &files(foreign),
        "import geo",
        expect![[r#"
            error missing-export gdal.dll
              * Activate the environment with conda, and run the program in that terminal | conda activate C:\conda
              - Load C:\conda\Library\bin\gdal.dll before the import | import ctypes; ctypes.WinDLL(r"C:\conda\Library\bin\gdal.dll")
        "#]],
    );
}

/// arrow#43126: the DLL that wins belongs to a conda package that pip doesn't have.
#[test]
fn a_library_of_conda_that_does_not_fit() {
    let files = conda("312", r"C:\tools\micromamba.exe create -n work pyarrow")
        + "
/conda/conda-meta/libarrow-22.0.0-h1.json  text
    {\"name\": \"libarrow\", \"version\": \"22.0.0\", \"files\": [\"Library/bin/arrow.dll\"]}
/conda/Library/bin/arrow.dll  exports new
/s/pyarrow/__init__.py  text
    from . import lib
/s/pyarrow/lib.pyd  imports arrow.dll!old
/s/pyarrow-18.1.0.dist-info/RECORD  text
    pyarrow/lib.pyd,,
    pyarrow/__init__.py,,
";
    check(
        "windows-11",
        "/conda",
        &files,
        "import pyarrow",
        expect![[r#"
            error missing-export arrow.dll
              `import pyarrow` will fail: C:\conda\Library\bin\arrow.dll has no `old`, which pyarrow/lib.pyd imports from it. The exports of C:\conda\Library\bin\arrow.dll were read (Windows error 127); this copy is found by the rule "added by conda's Python" (pyarrow/__init__.py:1 → pyarrow/lib.pyd). Update or remove whatever installed this copy, or install a compatible version of the package that needs it.
              ? Update libarrow with micromamba | micromamba update -p C:\conda libarrow
              ? Update pyarrow | C:\conda\python.exe -m pip install --upgrade pyarrow
        "#]],
    );
}

/// A Python that was installed for all users.
#[test]
fn a_folder_that_only_an_administrator_changes() {
    let files = (installed("312")
        + "/s/pkg.pyd  imports own.dll\n/s/new.pyd  imports msvcp140.dll\n"
        + &distribution("pkg", "1.0", "", &["pkg.pyd", "own.dll"]))
        .replace("/Python/", "/Program Files/Python/")
        .replace("/s/", "/Program Files/Python/Lib/site-packages/");
    let quoted = |line: &str| match line.split_once("  ") {
        Some((path, rest)) if path.starts_with("/Program") => format!("\"{path}\"  {}\n", rest.trim_start()),
        _ => format!("{line}\n"),
    };
    let files: String = files.lines().map(quoted).collect();
    check(
        "windows-11",
        "/Program Files/Python",
        &files,
        "import pkg\nimport new",
        expect![[r#"
            error damaged-install own.dll
              * Reinstall pkg 1.0, as an administrator | & 'C:\Program Files\Python\python.exe' -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            error missing-vc-runtime msvcp140.dll
              * Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
              - Install the runtime into this Python with pip, as an administrator | & 'C:\Program Files\Python\python.exe' -m pip install msvc-runtime
        "#]],
    );
}

/// A distribution that was not installed from PyPI isn't available there: PyTorch has an index of
/// its own for each build.
#[test]
fn a_distribution_that_pypi_does_not_have() {
    let files = installed("312")
        + "/s/torch.pyd  imports c10.dll\n/s/geo.pyd  imports gdal.dll\n/s/mine.pyd  imports own.dll\n"
        + &distribution("torch", "2.15.0+cu126", "", &["torch.pyd", "c10.dll"])
        + &distribution("geo", "3.8+fork", "", &["geo.pyd", "gdal.dll"])
        + &distribution("mine", "1.0", "", &["mine.pyd", "own.dll"])
        + "/s/mine-1.0.dist-info/direct_url.json  text\n    {\"url\": \"https://example.org/mine\", \"vcs_info\": {}}\n";
    check(
        "windows-11",
        "/Python",
        &files,
        "import torch\nimport geo\nimport mine",
        expect![[r#"
            error damaged-install c10.dll
              * Reinstall torch 2.15.0+cu126 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir torch==2.15.0+cu126 --index-url https://download.pytorch.org/whl/cu126
            error damaged-install gdal.dll
              `import geo` will fail: gdal.dll has disappeared. geo installed it, according to its RECORD, but it is gone; geo.pyd imports gdal.dll (Windows error 126). Reinstall the package. If the file disappears again, check your antivirus program's quarantine.
              ? Reinstall geo 3.8+fork | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir geo==3.8+fork
            error damaged-install own.dll
              `import mine` will fail: own.dll has disappeared. mine installed it, according to its RECORD, but it is gone; mine.pyd imports own.dll (Windows error 126). Reinstall the package. If the file disappears again, check your antivirus program's quarantine.
              ? Reinstall mine 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir mine==1.0
        "#]],
    );
}

/// Commands are those of the manager: conda's for what conda installed, and the project tool's for
/// what its lock file names.
#[test]
fn the_tool_that_manages_the_environment() {
    let conda = conda("312", "conda create -n work pkg")
        + "
/s/pip/__init__.py  text
/s/pkg.pyd  imports own.dll
/s/pkg-1.0.dist-info/INSTALLER  text
    conda
" + &distribution("pkg", "1.0", "", &["pkg.pyd", "own.dll"]);
    check(
        "windows-11",
        "/conda",
        &conda,
        "import pkg",
        expect![[r#"
        error damaged-install own.dll
          * Reinstall pkg 1.0 with conda | conda install --force-reinstall -p C:\conda pkg=1.0
    "#]],
    );
    let project = |mark: &str| {
        installed("312").replace(
            "/Python/Lib/site-packages/pip/__init__.py  text\n",
            "/Python/Lib/ensurepip/__init__.py  text\n/Python/Lib/site-packages/pip/__init__.py  text\n",
        ) + &format!(
            "
/project/{mark}  text
/project/.venv/pyvenv.cfg  text
    home = C:\\Python
/project/.venv/Scripts/python.exe
/s/pkg.pyd  imports own.dll
"
        ) + &distribution("pkg", "1.0", "", &["pkg.pyd", "own.dll"])
    };
    let program = "import pkg";
    check(
        "windows-11",
        "/project/.venv",
        &project("poetry.lock"),
        program,
        expect![[r#"
        error damaged-install own.dll
          * Reinstall pkg 1.0 with the pip of its base | C:\Python\python.exe -m pip --python C:\project\.venv\Scripts\python.exe install --force-reinstall --no-deps --no-cache-dir pkg==1.0
    "#]],
    );
    check(
        "windows-11",
        "/project/.venv",
        &project("Pipfile"),
        program,
        expect![[r#"
        error damaged-install own.dll
          * Reinstall pkg 1.0 with the pip of its base | C:\Python\python.exe -m pip --python C:\project\.venv\Scripts\python.exe install --force-reinstall --no-deps --no-cache-dir pkg==1.0
    "#]],
    );
    check(
        "windows-11",
        "/project/.venv",
        &project("uv.lock"),
        program,
        expect![[r#"
        error damaged-install own.dll
          * Reinstall pkg 1.0 with uv | uv sync --project C:\project --reinstall-package pkg
    "#]],
    );
}

/// A DLL that another package lost isn't the missing one; a folder that distributions share belongs
/// to none of them; and the end of the process isn't caught.
#[test]
fn files_that_are_not_to_blame() {
    let files = installed("312")
        + "/s/pkg.pyd  imports msvcp140.dll\n/s/shared/one/__init__.py  text\n"
        + &distribution("other", "1.0", "", &["other/__init__.py", "other/msvcp140.dll"])
        + "--import pkg\n--import shared.two\n";
    check(
        "windows-11",
        "/Python",
        &files,
        "import pkg\nimport shared.two",
        expect![[r#"
            error missing-vc-runtime msvcp140.dll
              * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
              - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            error not-installed 
              `import shared.two` will fail: shared is installed, but it does not contain shared.two. Several distributions share the folder shared, and none of the installed ones contains it. Install the distribution that provides shared.two.
        "#]],
    );
    let crashes = installed("312")
        + "
/Python/msvcp140.dll  version 14.29.30133.0, exports _Mtx_lock
/s/new.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import as it is initialized
";
    let program = "try:\n    import new\nexcept ImportError:\n    new = None";
    check(
        "windows-11",
        "/Python",
        &crashes,
        program,
        expect![[r#"
        error outdated-vc-runtime msvcp140.dll
          * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
    "#]],
    );
}

/// The same two imports in a block, and in a function.
#[test]
fn the_order_in_a_block() {
    let block = "if __name__ == '__main__':\n    import qt\n    import new";
    check(
        "windows-11+vcredist",
        "/Python",
        &an_old_runtime_first(),
        block,
        expect![[r#"
        error conflicting-vc-runtime msvcp140.dll
          * Import new before qt | import new
          ? Update qt-bin | C:\Python\python.exe -m pip install --upgrade qt-bin
    "#]],
    );
    let function = "def main():\n    import qt\n    import new\n\nmain()";
    check(
        "windows-11+vcredist",
        "/Python",
        &an_old_runtime_first(),
        function,
        expect![[r#"
        error conflicting-vc-runtime msvcp140.dll
          * Import new before qt | import new
          ? Update qt-bin | C:\Python\python.exe -m pip install --upgrade qt-bin
    "#]],
    );
    let branches = "import sys\nif sys.argv:\n    import qt\nelse:\n    import new";
    check(
        "windows-11+vcredist",
        "/Python",
        &an_old_runtime_first(),
        branches,
        expect![[r#"
        healthy
    "#]],
    );
}

/// A foreign ICU next to Python, and a foreign OpenMP in System32 that LoadLibrary without flags
/// finds first (llama#156).
#[test]
fn a_foreign_copy_that_wins() {
    let files = installed("312")
        + "
/Python/icuuc.dll  exports old
/s/qt/__init__.py  text
    from . import core
/s/qt/core.pyd   imports icuuc.dll!new
/Windows/System32/icuuc.dll  exports old, new
/Windows/System32/kernel32.dll  version 10.0.22631.1
/Windows/System32/libomp140.x86_64.dll  exports old
/s/llama/__init__.py  text
    import ctypes, os
    ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'base.dll'), winmode=0)
/s/llama/base.dll  imports libomp140.x86_64.dll!new
/s/llama/libomp140.x86_64.dll  exports old, new
" + &distribution("qt", "6.8", "", &["qt/__init__.py", "qt/core.pyd"])
        + &distribution("llama", "0.3", "", &["llama/base.dll", "llama/libomp140.x86_64.dll"]);
    check(
        "drive",
        "/Python",
        &files,
        "import qt\nimport llama",
        expect![[r#"
            error missing-export icuuc.dll
              * Rename C:\Python\icuuc.dll to icuuc.dll.old | Rename-Item -LiteralPath C:\Python\icuuc.dll -NewName icuuc.dll.old
              ? Update qt | C:\Python\python.exe -m pip install --upgrade qt
            error missing-export libomp140.x86_64.dll
              * Load C:\Python\Lib\site-packages\llama\libomp140.x86_64.dll before the import | import ctypes; ctypes.WinDLL(r"C:\Python\Lib\site-packages\llama\libomp140.x86_64.dll")
        "#]],
    );
    let without = files.replace("/Windows/System32/libomp140.x86_64.dll  exports old\n", "");
    check(
        "drive",
        "/Python",
        &without,
        "import llama",
        expect![[r#"
            error not-on-search-path libomp140.x86_64.dll
              * Put C:\Python\Lib\site-packages\llama on PATH before the import | import os | os.environ["PATH"] = r"C:\Python\Lib\site-packages\llama;" + os.environ["PATH"]
        "#]],
    );
}

/// PyQt6 6.6.0 with Qt 6.6.1 (pyqt-tools#105).
#[test]
fn the_pair_that_fits_is_named() {
    let files = installed("312")
        + "
/s/PyQt6/__init__.py  text
/s/PyQt6/QtCore.pyd  imports Qt6Core.dll!old
/s/PyQt6/Qt6Core.dll  exports new
" + &distribution(
        "PyQt6",
        "6.6.0",
        "PyQt6-Qt6 (>=6.6.0)",
        &["PyQt6/__init__.py", "PyQt6/QtCore.pyd"],
    ) + &distribution("PyQt6-Qt6", "6.6.1", "", &["PyQt6/Qt6Core.dll"]);
    check(
        "windows-11",
        "/Python",
        &files,
        "from PyQt6 import QtCore",
        expect![[r#"
            error missing-export Qt6Core.dll
              `from PyQt6 import QtCore` will fail: PyQt6/Qt6Core.dll has no `old`, which PyQt6/QtCore.pyd imports from it. The exports of C:\Python\Lib\site-packages\PyQt6\Qt6Core.dll were read (Windows error 127); this copy is found by the rule "the DLL's own directory" (PyQt6/QtCore.pyd). Update or remove whatever installed this copy, or install a compatible version of the package that needs it.
              ? Install PyQt6-Qt6 6.6.0, the version of PyQt6 | C:\Python\python.exe -m pip install PyQt6-Qt6==6.6.0
              ? Update PyQt6-Qt6 | C:\Python\python.exe -m pip install --upgrade PyQt6-Qt6
              ? Update PyQt6 | C:\Python\python.exe -m pip install --upgrade PyQt6
        "#]],
    );
}

/// pyblish#368 and bcrypt#835: python3.dll is missing, or from a release that lacks what the module
/// imports.
#[test]
fn files_of_python_are_repaired_with_python() {
    let files = |python3: &str| {
        installed("39")
            + python3
            + "/s/pkg.pyd  imports python3.dll!PyCMethod_New\n"
            + &distribution("pkg", "1.0", "", &["pkg.pyd"])
    };
    check(
        "windows-11",
        "/Python",
        &files(""),
        "import pkg",
        expect![[r#"
        error missing-dll python3.dll
          * Repair Python 3.9.4 with its installer | https://www.python.org/downloads/release/python-394/
    "#]],
    );
    let old = "/Python/python3.dll  exports old\n";
    check(
        "windows-11",
        "/Python",
        &files(old),
        "import pkg",
        expect![[r#"
            error missing-export python3.dll
              `import pkg` will fail: C:\Python\python3.dll has no `PyCMethod_New`, which pkg.pyd imports from it. The exports of C:\Python\python3.dll were read (Windows error 127); this copy was loaded first by the rule "full path", and Windows reuses a DLL that is already loaded, wherever it is. It belongs to Python itself: update this Python to its newest release.
              ? Update Python 3.9.4 to the newest release of 3.9 | https://www.python.org/downloads/windows/
        "#]],
    );
}

/// onnxruntime before Windows 10 2004, opencv on an N edition (opencv-python#185), and Zeal's ICU
/// (zeal#1920).
#[test]
fn components_that_windows_lacks() {
    let files = |needs: &str| {
        installed("312")
            + &format!("/Windows/System32/kernel32.dll  version 10.0.18363.1\n/s/pkg.pyd  imports {needs}\n")
            + &distribution("pkg", "1.0", "", &["pkg.pyd"])
    };
    check(
        "drive",
        "/Python",
        &files("dxcore.dll"),
        "import pkg",
        expect![[r#"
            error unsupported-windows dxcore.dll
              `import pkg` will fail: pkg.pyd needs dxcore.dll, which this Windows (10.0.18363) lacks. pkg.pyd imports dxcore.dll; Python 3.12 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). It is included in Windows 10, version 2004 (build 19041) and later. Use a Windows that has it, or a version of its package that does not need it.
        "#]],
    );
    check(
        "drive",
        "/Python",
        &files("mf.dll, mfplat.dll, mfreadwrite.dll"),
        "import pkg",
        expect![[r#"
            error unsupported-windows mf.dll mfplat.dll mfreadwrite.dll
              `import pkg` will fail: pkg.pyd needs mf.dll, mfplat.dll and mfreadwrite.dll, which this Windows (10.0.18363) lacks. pkg.pyd imports mf.dll; Python 3.12 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). It belongs to Media Foundation, which N editions of Windows lack: add the Media Feature Pack under Optional features in Settings. On Windows Server, install the feature Server-Media-Foundation. Use a Windows that has it, or a version of its package that does not need it.
        "#]],
    );
    let forwards =
        files("icuuc.dll!ucnv_open") + "/Windows/System32/icuuc.dll  exports ucnv_open=icu.ucnv_open\n";
    check(
        "drive",
        "/Python",
        &forwards,
        "import pkg",
        expect![[r#"
            error unsupported-windows icuuc.dll
              `import pkg` will fail: pkg.pyd needs icu.dll, which this Windows (10.0.18363) lacks. It imports `ucnv_open`, which C:\Windows\System32\icuuc.dll does not export: that is in icu.dll, which does not exist (Windows error 126). It is included in Windows 10, version 1903 (build 18362) and later. Use a Windows that has it, or a version of its package that does not need it.
        "#]],
    );
}

/// meshpy#150, jq.py#20, llama-cpp-python#208, pytorch#131662 and pyzbar#93.
#[test]
fn the_product_that_a_dll_belongs_to() {
    let files = |needs: &str| {
        installed("312")
            + &format!("/s/pkg.pyd  imports {needs}\n")
            + &distribution("pkg", "1.0", "", &["pkg.pyd"])
    };
    let machine = "windows-11+vcredist";
    check(
        machine,
        "/Python",
        &files("libstdc++-6.dll, libgcc_s_seh-1.dll"),
        "import pkg",
        expect![[r#"
            error missing-dll libstdc++-6.dll libgcc_s_seh-1.dll
              `import pkg` will fail: libstdc++-6.dll and libgcc_s_seh-1.dll are missing. pkg.pyd imports libstdc++-6.dll; Python 3.12 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). They belong to the runtime of GCC for Windows (MinGW-w64). The wheel should have included it: install another version of the package, or install MSYS2 and add its folder mingw64\bin with os.add_dll_directory.
              ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
        "#]],
    );
    check(
        machine,
        "/Python",
        &files("libpython3.12.dll"),
        "import pkg",
        expect![[r#"
        error missing-dll libpython3.12.dll
          `import pkg` will fail: libpython3.12.dll is missing. pkg.pyd imports libpython3.12.dll; Python 3.12 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). It belongs to the Python of MSYS2. The module was built for the Python of MSYS2, and cannot be used with this one: install a wheel that was built for this Python.
          ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
    "#]],
    );
    check(
        machine,
        "/Python",
        &files("cudart64_12.dll"),
        "import pkg",
        expect![[r#"
            error missing-dll cudart64_12.dll
              `import pkg` will fail: cudart64_12.dll is missing. pkg.pyd imports cudart64_12.dll; Python 3.12 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). It belongs to CUDA 12.x. Install CUDA 12.x (other versions of CUDA use other names) and add its bin folder with os.add_dll_directory before the import, or install the package's build without GPU support.
              ? Open NVIDIA's archive for CUDA 12.x | https://developer.nvidia.com/cuda-toolkit-archive
        "#]],
    );
    check(
        machine,
        "/Python",
        &files("libomp140.x86_64.dll"),
        "import pkg",
        expect![[r#"
            error missing-dll libomp140.x86_64.dll
              `import pkg` will fail: libomp140.x86_64.dll is missing. pkg.pyd imports libomp140.x86_64.dll; Python 3.12 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). It belongs to Visual Studio's LLVM OpenMP runtime, which its redistributable does not include. Install another version of the package: Microsoft does not allow that DLL to be redistributed, so its wheel cannot contain it.
              ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
        "#]],
    );
    check(
        machine,
        "/Python",
        &files("msvcr120.dll"),
        "import pkg",
        expect![[r#"
        error missing-vc-runtime msvcr120.dll
          * Download and install the Visual C++ 2013 Redistributable (x64), as an administrator | https://aka.ms/highdpimfc2013x64enu
    "#]],
    );
    check(
        machine,
        "/Python",
        &files("vcruntime140d.dll"),
        "import pkg",
        expect![[r#"
            error missing-dll vcruntime140d.dll
              `import pkg` will fail: vcruntime140d.dll is missing. pkg.pyd imports vcruntime140d.dll; Python 3.12 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). It belongs to the debug runtime of Visual Studio, which may not be redistributed. The module is a debug build: install a release build of its package.
              ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
        "#]],
    );
}

/// FreeCAD#28894: packages of the account take precedence.
#[test]
fn packages_of_the_account_in_the_way() {
    let files = installed("312")
        + "
/Windows/System32/kernel32.dll  version 10.0.22631.1
/Users/me/AppData/Roaming/Python/Python312/site-packages/pkg/__init__.py  text
    from . import core
/Users/me/AppData/Roaming/Python/Python312/site-packages/pkg/core.pyd  imports absent.dll
/Users/me/AppData/Roaming/Python/Python312/site-packages/pkg-6.10.dist-info/METADATA  text
    Name: pkg
    Version: 6.10
/Users/me/AppData/Roaming/Python/Python312/site-packages/pkg-6.10.dist-info/RECORD  text
    pkg/__init__.py,,
    pkg/core.pyd,,
    pkg-6.10.dist-info/METADATA,,
    pkg-6.10.dist-info/RECORD,,
/s/pkg/__init__.py  text
    from . import core
/s/pkg/core.pyd
" + &distribution("pkg", "6.8", "", &["pkg/__init__.py", "pkg/core.pyd"]);
    check(
        "drive",
        "/Python",
        &files,
        "import pkg",
        expect![[r#"
            error missing-dll absent.dll
              * Uninstall pkg from your user site-packages | C:\Python\python.exe -m pip uninstall -y pkg
              ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
            warning mixed-environment 
              * Uninstall pkg from your user site-packages | C:\Python\python.exe -m pip uninstall -y pkg
        "#]],
    );
}

/// A name that is in no table is not offered to pip; a misspelt one is recognized.
#[test]
fn an_unknown_name_is_never_offered_to_pip() {
    let files = installed("312") + "/s/numpy/__init__.py  text\n/s/numpy/core.pyd\n";
    let names = ["company_secret", "nunpy", "cv2"];
    let directives: String = names.iter().map(|name| format!("--import {name}\n")).collect();
    let program: Vec<String> = names.iter().map(|name| format!("import {name}")).collect();
    check(
        "windows-11",
        "/Python",
        &(files + &directives),
        &program.join("\n"),
        expect![[r#"
            error not-installed 
              company_secret is not installed in the selected environment, so `import company_secret` will fail. company_secret is not in C:\Python\Lib\site-packages. WhyDLL does not know which package provides company_secret: look it up before you install one.
              ? Choose another interpreter | whydll.interpreter
            error not-installed 
              nunpy is not installed in the selected environment, so `import nunpy` will fail. nunpy is not in C:\Python\Lib\site-packages. Did you mean numpy? WhyDLL knows no package that provides nunpy.
              ? Choose another interpreter | whydll.interpreter
            error not-installed 
              cv2 is not installed in the selected environment, so `import cv2` will fail. cv2 is not in C:\Python\Lib\site-packages. Choose the environment that has it, or install it into this one.
              ? Install opencv-python into this environment | C:\Python\python.exe -m pip install opencv-python
              ? Choose another interpreter | whydll.interpreter
        "#]],
    );
}
