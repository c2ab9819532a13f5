//! What newer versions of Python do otherwise. Their `python.exe` and its DLL are made by the tests: no package index has genuine ones
//! for Windows.

use end_to_end::{report, text, whydll};
use serde_json::Value;
use world::World;

/// What `check` says of a program that runs in Python 3.`minor`, with `/s/` for its site-packages: severity, line and first sentence of
/// each finding.
fn said(minor: u32, files: &str, program: &str) -> Vec<String> {
    let mut world = format!(
        "
        /Windows/System32/kernel32.dll  version 10.0.26100.1
        /Python/python.exe          imports python3{minor}.dll
        /Python/python3{minor}.dll  version 3.{minor}.2150.1013
        /Python/Lib/os.py           text
        {}
        /project/main.py  text
        ",
        files.replace("/s/", "/Python/Lib/site-packages/")
    );
    world.extend(program.lines().map(|line| format!("            {line}\n")));
    let world = World::new(&world).unwrap();
    let (python, drive) = (text(&world.path("/Python")), text(world.root()));
    let file = text(&world.path("/project/main.py"));
    let report = report(&whydll(["check", "--format", "json", "--python", &python, "--host", &drive, &file]));
    let said = |finding: &Value| {
        let word = |key: &str| finding[key].as_str().unwrap_or_default();
        let line = finding["range"]["start"]["line"].as_u64().map_or(0, |line| line + 1);
        let what = word("message").lines().next().unwrap_or_default();
        format!("{} {} {line}: {what}", word("severity"), word("code"))
    };
    report.findings().iter().map(said).collect()
}

const BROKEN: &str = "
        /s/broken/__init__.py    text
            from . import native
        /s/broken/native.pyd     imports gone.dll
        /s/ready/__init__.py     text
            lazy from . import native
            def use():
                return native
        /s/ready/native.pyd      imports gone.dll
";

#[test]
fn a_lazy_import_fails_where_it_is_used() {
    assert_eq!(
        said(15, BROKEN, "import os\nlazy import broken\nprint('ready')\nbroken.run()"),
        [
            "error missing-dll 2: `import broken` will fail when it is first used, on line 4: gone.dll is missing."
        ]
    );
    assert_eq!(
        said(15, BROKEN, "lazy from broken import run\ndef main():\n    run()"),
        [
            "error missing-dll 1: `import broken` will fail when it is first used, on line 3: gone.dll is missing."
        ]
    );
    assert_eq!(
        said(15, BROKEN, "lazy import broken\ntry:\n    broken.run()\nexcept ImportError:\n    pass"),
        ["hint missing-dll 1: `import broken` fails, and the program handles it: gone.dll is missing."]
    );
}

#[test]
fn a_lazy_import_that_nothing_uses_is_a_hint() {
    assert_eq!(
        said(15, BROKEN, "lazy import broken\nbroken = None\nprint(broken)"),
        ["hint missing-dll 1: `import broken` would fail, and nothing here uses it: gone.dll is missing."]
    );
}

#[test]
fn a_package_that_imports_lazily_works_until_somebody_asks() {
    let none: [&str; 0] = [];
    assert_eq!(said(15, BROKEN, "import ready"), none);
    assert_eq!(
        said(15, BROKEN, "import ready\nready.native"),
        ["error missing-dll 2: `ready.native` will fail: gone.dll is missing."]
    );
    assert_eq!(
        said(15, BROKEN, "from ready import native"),
        ["error missing-dll 1: `from ready import native` will fail: gone.dll is missing."]
    );
}

#[test]
fn an_older_python_does_not_compile_it() {
    assert_eq!(
        said(14, BROKEN, "lazy import broken\nbroken"),
        [
            "error unsupported-python 1: This file does not run: Python 3.14 does not know `lazy import`, which is new in 3.15."
        ]
    );
    assert_eq!(
        said(14, BROKEN, "import ready"),
        [
            "error unsupported-python 1: `import ready` will fail: it is written for Python 3.15 or newer, and this is 3.14."
        ]
    );
}

/// A package that its author made lazy by a list, as Pillow 13 did: 3.14 imports its native modules at once.
#[test]
fn modules_that_a_package_names_are_lazy_from_3_15_on() {
    let files = "
        /s/pkg/__init__.py       text
            __lazy_modules__ = ['pkg.inner']
            from .inner import function
            from . import good
        /s/pkg/inner.py          text
            from . import native
            function = native.function
        /s/pkg/good.pyd
        /s/pkg/native.pyd        imports gone.dll
    ";
    let none: [&str; 0] = [];
    assert_eq!(said(15, files, "import pkg"), none);
    assert_eq!(
        said(14, files, "import pkg"),
        ["error missing-dll 1: `import pkg` will fail: gone.dll is missing."]
    );
}
