//! Newer versions of Python. Their `python.exe` and its DLL are made by the tests, because no
//! package index has genuine ones for Windows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::{Report, link_tree, real, report, text, whydll};
use object::LittleEndian as LE;
use object::pe::ImageNtHeaders64;
use object::read::pe::{ImageThunkData, PeFile64};
use serde_json::Value;
use world::World;

/// Checks a program that runs in Python 3.`minor`, with `/s/` for its site-packages. Returns
/// severity, line, and first sentence of each finding.
fn findings_of(minor: u32, files: &str, program: &str) -> Vec<String> {
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
    let describe = |finding: &Value| {
        let word = |key: &str| finding[key].as_str().unwrap_or_default();
        let line = finding["range"]["start"]["line"].as_u64().map_or(0, |line| line + 1);
        let what = word("message").lines().next().unwrap_or_default();
        format!("{} {} {line}: {what}", word("severity"), word("code"))
    };
    report.findings().iter().map(describe).collect()
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
        findings_of(15, BROKEN, "import os\nlazy import broken\nprint('ready')\nbroken.run()"),
        [
            "error missing-dll 2: `import broken` will fail when it is first used, on line 4: gone.dll is missing."
        ]
    );
    assert_eq!(
        findings_of(15, BROKEN, "lazy from broken import run\ndef main():\n    run()"),
        [
            "error missing-dll 1: `import broken` will fail when it is first used, on line 3: gone.dll is missing."
        ]
    );
    assert_eq!(
        findings_of(15, BROKEN, "lazy import broken\ntry:\n    broken.run()\nexcept ImportError:\n    pass"),
        ["hint missing-dll 1: `import broken` fails, and the program handles it: gone.dll is missing."]
    );
}

#[test]
fn a_lazy_import_that_nothing_uses_is_a_hint() {
    assert_eq!(
        findings_of(15, BROKEN, "lazy import broken\nbroken = None\nprint(broken)"),
        ["hint missing-dll 1: `import broken` would fail, and nothing here uses it: gone.dll is missing."]
    );
}

#[test]
fn a_package_that_imports_lazily_works_until_the_name_is_used() {
    let none: [&str; 0] = [];
    assert_eq!(findings_of(15, BROKEN, "import ready"), none);
    assert_eq!(
        findings_of(15, BROKEN, "import ready\nready.native"),
        ["error missing-dll 2: `ready.native` will fail: gone.dll is missing."]
    );
    assert_eq!(
        findings_of(15, BROKEN, "from ready import native"),
        ["error missing-dll 1: `from ready import native` will fail: gone.dll is missing."]
    );
}

#[test]
fn an_older_python_does_not_compile_a_lazy_import() {
    assert_eq!(
        findings_of(14, BROKEN, "lazy import broken\nbroken"),
        [
            "error unsupported-python 1: This code does not run: Python 3.14 does not support `lazy import` (line 1), which is new in 3.15."
        ]
    );
    // Other syntax is reported on the first import that is checked.
    let template = "import os\nimport broken\ndef main():\n    return t'{broken}'\nimport broken.native";
    assert_eq!(
        findings_of(13, BROKEN, template)[0],
        "error unsupported-python 2: This code does not run: Python 3.13 does not support a template string (line 4), which is new in 3.14."
    );
    assert_eq!(findings_of(14, BROKEN, template).len(), 2);
    // Neither a handler around it helps, nor that nothing uses the name.
    let never_run = "lazy import broken\ntry:\n    broken\nexcept ImportError:\n    pass\nlazy import ready";
    let lines: Vec<String> =
        findings_of(14, BROKEN, never_run).iter().map(|one| one.chars().take(27).collect()).collect();
    assert_eq!(lines, ["error unsupported-python 1:", "error unsupported-python 6:"]);
    assert_eq!(
        findings_of(14, BROKEN, "import ready"),
        [
            "error unsupported-python 1: `import ready` will fail: it is written for Python 3.15 or newer, and this is 3.14."
        ]
    );
}

/// A package that is lazy through `__lazy_modules__`, like Pillow 13: 3.14 imports its native
/// modules at once.
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
    assert_eq!(findings_of(15, files, "import pkg"), none);
    assert_eq!(
        findings_of(14, files, "import pkg"),
        ["error missing-dll 1: `import pkg` will fail: gone.dll is missing."]
    );
}

/// A Python 3.`minor` whose DLL exports everything that real wheels import from it; CPython's real
/// exports aren't tested here.
fn with_wheels(name: &str, minor: u32, suffix: &str) -> World {
    let packages = real(name).join("Lib/site-packages");
    let dll = format!("python3{minor}{suffix}.dll");
    let (mut own, mut stable) = (BTreeSet::new(), BTreeSet::new());
    for image in images_in(&packages) {
        let bytes = fs::read(&image).unwrap();
        let file = PeFile64::parse(&*bytes).unwrap();
        let Some(table) = file.import_table().unwrap() else { continue };
        let mut imports = table.descriptors().unwrap();
        while let Some(import) = imports.next().unwrap() {
            let from = String::from_utf8_lossy(table.name(import.name.get(LE)).unwrap()).to_lowercase();
            let names = match from.as_str() {
                "python3.dll" | "python3t.dll" => &mut stable,
                _ if from == dll => &mut own,
                _ => continue,
            };
            let mut thunks = table.thunks(import.original_first_thunk.get(LE)).unwrap();
            while let Some(thunk) = thunks.next::<ImageNtHeaders64>().unwrap() {
                let (_, name) = table.hint_name(thunk.address()).unwrap();
                names.insert(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    assert!(own.len() > 300, "{name} imports {} functions of {dll}", own.len());
    let exports = |names: Vec<String>| match names.as_slice() {
        [] => String::new(),
        names => format!("exports {}, ", names.join(", ")),
    };
    let forwarded = stable.iter().map(|name| format!("{name}=python3{minor}{suffix}.{name}")).collect();
    own.extend(stable.clone());
    let machine = if name == "wheels-arm64" { "arm64" } else { "x86_64" };
    let version = format!("version 3.{minor}.2150.1013, {machine}");
    let world = World::new(&format!(
        "
        /Python/python.exe       imports {dll}, {machine}
        /Python/{dll}            {}{version}
        /Python/python3{suffix}.dll      {}{version}
        /Python/Lib/os.py        text
        ",
        exports(own.into_iter().collect()),
        exports(forwarded),
    ))
    .unwrap();
    link_tree(&packages, &world.path("/Python/Lib/site-packages"));
    world
}

fn images_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(images_in(&entry.path())),
            false if [".pyd", ".dll"].iter().any(|end| entry.path().to_str().unwrap().ends_with(end)) => {
                found.push(entry.path());
            }
            false => {}
        }
    }
    found
}

#[test]
#[ignore = "needs tests/real/packages"]
fn real_wheels_for_new_versions_are_healthy() {
    for (name, minor, suffix) in [("wheels-3.14", 14, ""), ("wheels-3.14t", 14, "t"), ("wheels-3.15", 15, "")]
    {
        let world = with_wheels(name, minor, suffix);
        for import in ["numpy", "numpy.random", "PIL.Image", "_cffi_backend", "filelock", "packaging.markers"]
        {
            assert_eq!(findings(&world, import), [] as [Value; 0], "{name}: {import}");
        }
    }
}

#[test]
#[ignore = "needs tests/real/packages"]
fn real_wheels_for_windows_on_arm_are_healthy_there() {
    let world = with_wheels("wheels-arm64", 14, "");
    let x64 = with_wheels("wheels-3.14", 14, "");
    for import in ["numpy", "numpy.random", "PIL.Image", "_cffi_backend"] {
        assert_eq!(findings_on("windows-11-arm64+vcredist", &world, import), [] as [Value; 0], "{import}");
        // Their machine code is followed as far as that for x64.
        let coverage = |machine: &str, world: &World| {
            checked(machine, &world.path("/Python"), import).json["packages"][0]["coverage"].clone()
        };
        let on_arm = coverage("windows-11-arm64+vcredist", &world);
        assert_eq!(on_arm, coverage("windows-11+vcredist", &x64), "{import}");
        assert!(on_arm["unknown"].is_array(), "{on_arm}");
    }
    // A program for ARM doesn't start elsewhere.
    assert_eq!(findings(&world, "numpy")[0]["code"], "wrong-architecture");
    // A program for x64 runs on ARM, too.
    let x64 = with_wheels("wheels-3.14", 14, "");
    assert_eq!(findings_on("windows-11-arm64+vcredist", &x64, "numpy"), [] as [Value; 0]);
}

/// The newest TensorFlow and torch work on a machine with the runtime, and fail on one without.
#[test]
#[ignore = "needs tests/real/packages"]
fn real_wheels_of_the_newest_tensorflow_and_torch() {
    let world = with_wheels("newest-3.14", 14, "");
    for python in [real("newest-3.13"), world.path("/Python")] {
        for import in ["tensorflow", "torch", "numpy"] {
            let equipped = checked("windows-11+vcredist", &python, import);
            assert_eq!(equipped.findings(), [] as [Value; 0], "{}: {import}", python.display());
            if import != "numpy" {
                let bare = checked("windows-11", &python, import);
                assert_eq!(bare.finding()["code"], "missing-vc-runtime", "{}: {import}", python.display());
            }
        }
    }
}

/// A Python with these names, and the packages of `name`.
fn python_with(program: &str, dll: &str, name: &str) -> World {
    let world = World::new(&format!(
        "
        /Python/{program}       imports {dll}
        /Python/{dll}       version 3.14.2150.1013
        /Python/Lib/os.py   text
        "
    ))
    .unwrap();
    link_tree(&real(name).join("Lib/site-packages"), &world.path("/Python/Lib/site-packages"));
    world
}

/// Returns the findings of an import.
fn findings(world: &World, import: &str) -> Vec<Value> {
    findings_on("windows-11+vcredist", world, import)
}

fn findings_on(machine: &str, world: &World, import: &str) -> Vec<Value> {
    checked(machine, &world.path("/Python"), import).findings().to_vec()
}

fn checked(machine: &str, python: &Path, import: &str) -> Report {
    let about = ["--host", machine, "--python", &text(python), "--import", import];
    report(&whydll(["check", "--format", "json"].iter().chain(&about)))
}

#[test]
#[ignore = "needs tests/real/packages"]
fn real_wheels_for_the_other_build_are_not_for_this_python() {
    let gil_enabled = python_with("python.exe", "python314.dll", "wheels-3.14t");
    let free_threaded = python_with("python3.14t.exe", "python314t.dll", "wheels-3.14");
    let both = ("Python 3.14", "Python 3.14 free-threaded");
    for (world, import, built_for, own) in [
        (&gil_enabled, "numpy", both.1, both.0),
        (&gil_enabled, "PIL.Image", both.1, both.0),
        (&gil_enabled, "_cffi_backend", both.1, both.0),
        (&free_threaded, "numpy", both.0, both.1),
        (&free_threaded, "PIL.Image", both.0, both.1),
        (&free_threaded, "_cffi_backend", both.0, both.1),
        // It uses the stable ABI, and imports `python3.dll`.
        (&free_threaded, "cryptography.hazmat.bindings._rust", "GIL-enabled Python", both.1),
    ] {
        let [finding] = &findings(world, import)[..] else { panic!("{import}") };
        assert_eq!(finding["code"], "unsupported-python", "{import}");
        let message = finding["message"].as_str().unwrap();
        let expected = format!("are built for {built_for}, but this environment runs {own}.");
        assert!(message.contains(&expected), "{import}: {message}");
    }
}

/// cryptography 50.0.2 for Python 3.15 imports `python3t.dll`, which a GIL-enabled build has in a
/// separate folder (PEP 803).
#[test]
#[ignore = "needs tests/real/packages"]
fn real_wheels_for_the_stable_abi_suit_both_builds() {
    let import = "cryptography.hazmat.bindings._rust";
    let world = with_wheels("wheels-3.15", 15, "");
    let [missing] = &findings(&world, import)[..] else { panic!() };
    assert_eq!((&missing["code"], &missing["dll"]), (&"missing-dll".into(), &"python3t.dll".into()));
    let fixes = missing["fixes"].as_array().unwrap();
    let titles: Vec<&str> = fixes.iter().filter_map(|fix| fix["title"].as_str()).collect();
    assert_eq!(titles, ["Repair Python 3.15.2 with its installer"], "the package is intact");
    let folder = world.path("/Python/abi3t-compat");
    fs::create_dir(&folder).unwrap();
    fs::copy(world.path("/Python/python3.dll"), folder.join("python3t.dll")).unwrap();
    assert_eq!(findings(&world, import), [] as [Value; 0]);
}
