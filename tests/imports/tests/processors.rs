//! Compares what native modules import according to their x64 and ARM64 machine code. The wheels
//! of one release are compiled from the same source, so the modules import the same.
//!
//! ```text
//! tests/real/packages       # downloads them; the last line is the directory
//! WHYDLL_REAL=DIRECTORY cargo test -p imports --test processors -- --include-ignored
//! ```
//!
//! The x64 code is compared with real Pythons by `tests/census`. This shows that the decoder for
//! ARM64 says the same without a Windows on ARM.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use whydll::image::{Image, Machine};

/// The beginnings of the names of modules of which less is found in the x64 code. Each must differ.
const LESS_IN_X64: [&str; 10] = [
    "h5py/h5a.",
    "h5py/h5ds.",
    "h5py/h5l.",
    "h5py/h5o.",
    "h5py/h5z.",
    "pandas/_libs/join.",
    "pandas/_libs/sas.",
    "pandas/_libs/tslibs/conversion.",
    "pandas/_libs/tslibs/fields.",
    "pandas/_libs/window/aggregations.",
];

/// What each native module imports, by its path without the name of the processor.
fn imports(environment: &str, machine: Machine) -> BTreeMap<String, BTreeSet<String>> {
    let real =
        env::var_os("WHYDLL_REAL").expect("WHYDLL_REAL names the directory that tests/real/packages prints");
    let packages = PathBuf::from(real).join(environment).join("Lib/site-packages");
    let mut found = BTreeMap::new();
    add_modules(&packages, &packages, machine, &mut found);
    found
}

fn add_modules(
    folder: &Path,
    packages: &Path,
    machine: Machine,
    found: &mut BTreeMap<String, BTreeSet<String>>,
) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_modules(&path, packages, machine, found);
        } else if path.extension().is_some_and(|extension| extension == "pyd") {
            let bytes = fs::read(&path).unwrap();
            let image = Image::parse(&bytes).unwrap();
            assert_eq!(image.machine(), machine, "{}", path.display());
            let name = path.strip_prefix(packages).unwrap().to_str().unwrap();
            let name = name.replace("win_arm64", "").replace("win_amd64", "");
            found.insert(name, without_echoes(image.module_imports().unwrap()));
        }
    }
}

/// Leaves out `0:pkg.module` next to `1:module`: Cython's helper asks whether the module is there
/// already before it imports it, and compilers inline that or don't.
fn without_echoes(imports: Vec<String>) -> BTreeSet<String> {
    let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
    let relative: BTreeSet<_> = imports
        .iter()
        .filter_map(|import| import.split_once(':'))
        .filter(|(level, _)| *level != "0" && *level != "-1")
        .filter_map(|(_, name)| last(name))
        .collect();
    let is_echo = |import: &String| {
        import.strip_prefix("0:").and_then(last).is_some_and(|name| relative.contains(&name))
    };
    imports.into_iter().filter(|import| !is_echo(import)).collect()
}

#[test]
#[ignore = "needs tests/real/packages"]
fn modules_for_arm64_import_what_those_for_x64_do() {
    let x64 = imports("processors-x64", Machine::X64);
    let arm64 = imports("processors-arm64", Machine::Arm64);
    let mut less = BTreeSet::new();
    let (mut modules, mut names) = (0, 0);
    for (name, in_arm64) in &arm64 {
        let Some(in_x64) = x64.get(name) else { continue };
        modules += 1;
        names += in_x64.len();
        if let Some(known) = LESS_IN_X64.iter().find(|known| name.starts_with(**known)) {
            assert!(in_arm64.is_superset(in_x64), "{name}: {in_x64:?} on x64, {in_arm64:?} on ARM64");
            less.extend((in_arm64 != in_x64).then_some(*known));
        } else {
            assert_eq!(in_arm64, in_x64, "{name}");
        }
    }
    assert_eq!(less, LESS_IN_X64.into(), "the modules that differ");
    assert!(modules > 150 && names > 1_000, "{modules} modules import {names} others");
}
