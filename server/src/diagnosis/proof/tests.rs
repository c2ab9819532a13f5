//! Every fix that is reported as a cure really cures: on randomly generated machines, each is
//! carried out with real files, and the diagnosis is repeated (`carry_out` in `testing.rs`, which
//! is part of every test that uses a world).

use std::fmt::Write;

use proptest::prelude::*;

use crate::testing::answer;

/// A package, and how it may fail.
#[derive(Debug, Clone)]
enum PackageKind {
    /// Its module needs a current runtime.
    NeedsRuntime,
    /// It loads an old copy of the runtime.
    BringsOldRuntime { recorded: bool },
    /// Its module imports a function from a DLL that other packages also have, with other
    /// functions.
    SharesDll { takes: u8, has: u8 },
    /// Its module needs a DLL that is in this directory, or missing.
    NeedsDll { place: Option<&'static str> },
    /// A DLL in its RECORD is missing, has another size, or is for another architecture.
    Damaged { how: &'static str },
    /// A file next to the program has its name.
    Shadowed,
    /// It is installed only in another environment.
    Elsewhere,
}

fn package() -> impl Strategy<Value = PackageKind> {
    prop_oneof![
        3 => Just(PackageKind::NeedsRuntime),
        2 => any::<bool>().prop_map(|recorded| PackageKind::BringsOldRuntime { recorded }),
        3 => (0..3u8, 0..3u8).prop_map(|(takes, has)| PackageKind::SharesDll { takes, has }),
        2 => proptest::option::of(prop_oneof![Just("/tools"), Just("/Python/extra"), Just("/more")])
            .prop_map(|place| PackageKind::NeedsDll { place }),
        2 => prop_oneof![Just("gone"), Just("resized"), Just("x86")].prop_map(|how| PackageKind::Damaged { how }),
        1 => Just(PackageKind::Shadowed),
        1 => Just(PackageKind::Elsewhere),
    ]
}

/// Describes a machine with these packages, and a program that imports them in this order.
fn world(
    packages: &[PackageKind],
    order: &[usize],
    machine: &str,
    next_to_python: Option<&str>,
    python: (u8, bool),
) -> String {
    let (minor, has_pip) = python;
    let mut world = format!(
        "
        machine {machine}
        path /tools
        /Python/python.exe       imports python3{minor}.dll
        /Python/python3{minor}.dll    version 3.{minor}.2150.1013
        /Python/Lib/os.py        text
        /Python/Lib/ensurepip/__init__.py  text
        "
    );
    if has_pip {
        world += "/Python/Lib/site-packages/pip/__init__.py  text\n        ";
    }
    if let Some(version) = next_to_python {
        let _ = write!(world, "/Python/msvcp140.dll  version {version}, exports _Mtx_lock\n        ");
    }
    let site = "/Python/Lib/site-packages";
    for (number, package) in packages.iter().enumerate() {
        let name = format!("p{number}");
        let folder = format!("{site}/{name}");
        let init = "text\n            from . import core";
        let mut files = vec![format!("{name}/__init__.py,,"), format!("{name}/core.pyd,,")];
        let mut recorded = true;
        let body = match package {
            PackageKind::NeedsRuntime => format!(
                "{folder}/__init__.py  {init}
        {folder}/core.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import"
            ),
            PackageKind::BringsOldRuntime { recorded: has_record } => {
                recorded = *has_record;
                files.push(format!("{name}/msvcp140.dll,,"));
                format!(
                    "{folder}/__init__.py  text
            import ctypes, os
            ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'msvcp140.dll'))
            from . import core
        {folder}/core.pyd
        {folder}/msvcp140.dll  version 14.26.28720.3, exports _Mtx_lock"
                )
            }
            PackageKind::SharesDll { takes, has } => {
                files.push(format!("{name}/shared.dll,,"));
                format!(
                    "{folder}/__init__.py  {init}
        {folder}/core.pyd  imports shared.dll!f{takes}
        {folder}/shared.dll  exports f{has}, g"
                )
            }
            PackageKind::NeedsDll { place } => {
                let dll = place.map_or(String::new(), |place| format!("\n        {place}/{name}.dll"));
                format!(
                    "{folder}/__init__.py  {init}
        {folder}/core.pyd  imports {name}.dll{dll}"
                )
            }
            PackageKind::Damaged { how } => {
                files.push(format!("{name}/own.dll,sha256=x,4096"));
                let dll = match *how {
                    "gone" => String::new(),
                    "resized" => format!("\n        {folder}/own.dll  cut 100"),
                    _ => format!("\n        {folder}/own.dll  x86, size 4096"),
                };
                format!(
                    "{folder}/__init__.py  {init}
        {folder}/core.pyd  imports own.dll{dll}"
                )
            }
            PackageKind::Shadowed => format!(
                "{folder}/__init__.py  {init}
        {folder}/core.pyd
        {folder}/part.py  text
        /w/{name}.py  text
            x = 1"
            ),
            PackageKind::Elsewhere => {
                recorded = false;
                format!(
                    "/w/.venv/pyvenv.cfg  text
            home = C:\\Python
        /w/.venv/Scripts/python.exe
        /w/.venv/Lib/site-packages/{name}/__init__.py  {init}
        /w/.venv/Lib/site-packages/{name}/core.pyd"
                )
            }
        };
        // One other environment is enough.
        if matches!(package, PackageKind::Elsewhere) && world.contains("pyvenv.cfg") {
            continue;
        }
        let _ = write!(world, "{body}\n        ");
        if recorded {
            let rows = files.join("\n            ");
            let _ = write!(
                world,
                "{site}/{name}-1.0.dist-info/METADATA  text
            Name: {name}
            Version: 1.0
        {site}/{name}-1.0.dist-info/RECORD  text
            {rows}
            {name}-1.0.dist-info/RECORD,,
        "
            );
        }
    }
    let imports: Vec<String> = order
        .iter()
        .map(|number| match packages.get(*number) {
            Some(PackageKind::Shadowed) => format!("import p{number}.part"),
            _ => format!("import p{number}"),
        })
        .collect();
    let lines = imports.join("\n            ");
    let _ = write!(world, "/w/main.py  text\n            {lines}\n        program /w/main.py\n        ");
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fixes_that_cure_in_the_simulation_cure_with_real_files(
        packages in proptest::collection::vec(package(), 1..5),
        order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle(),
        machine in prop_oneof![Just("windows-11"), Just("windows-11+vcredist")],
        next_to_python in proptest::option::of(prop_oneof![Just("14.29.30133.0"), Just("14.44.35211.0")]),
        python in (prop_oneof![Just(8u8), Just(12u8)], any::<bool>()),
    ) {
        let order: Vec<usize> = order.into_iter().filter(|number| *number < packages.len()).collect();
        answer(&world(&packages, &order, machine, next_to_python, python));
    }
}

/// Ensures that not all of the worlds above are healthy.
#[test]
fn most_kinds_of_packages_have_a_cure() {
    let cured = |package: PackageKind| {
        let output = answer(&world(&[package], &[0], "windows-11", None, (12, true)));
        output.contains("\n  * ")
    };
    assert!(cured(PackageKind::NeedsRuntime));
    assert!(cured(PackageKind::NeedsDll { place: Some("/tools") }));
    assert!(cured(PackageKind::Damaged { how: "gone" }));
    assert!(cured(PackageKind::Shadowed));
    assert!(!cured(PackageKind::NeedsDll { place: None }));
    let both = [PackageKind::BringsOldRuntime { recorded: true }, PackageKind::NeedsRuntime];
    let output = answer(&world(&both, &[0, 1], "windows-11+vcredist", None, (12, true)));
    assert!(output.contains("* Import p1 before p0"), "{output}");
}
