//! Packages whose import is followed, with the events of each.

use expect_test::Expect;

use crate::testing::{answer, check, check_changed};

mod conditions;
mod exceptions;
mod followed;
mod functions;
mod lazy;
mod libraries;
mod limits;
mod modules;
mod native_code;

/// Follows the import of `pkg` with Python 3.8 and the files of `world` in its site-packages. In
/// the result, `/s/` stands for that folder, and `/sN.dll` is removed.
fn follow(world: &str, expected: Expect) {
    expected.assert_eq(&answer(&python(8, world)));
}

/// Returns a machine with Python 3.`minor`, these files in its site-packages, and the request to
/// import `pkg`.
fn python(minor: u32, files: &str) -> String {
    let files = files.replace(" /s/", " /Python/Lib/site-packages/");
    format!(
        "
        /Python/python.exe           imports python3{minor}.dll
        /Python/python3{minor}.dll   version 3.{minor}.9150.1013
        /Python/Lib/os.py            text
        {files}
        follow pkg
        "
    )
}

/// Returns a package whose `__init__.py` has this code, with a broken native module next to it and
/// others that work.
fn init(code: &str) -> String {
    let code: String = code.lines().map(|line| format!("            {line}\n")).collect();
    format!(
        "
        /s/pkg/broken.pyd    imports missing.dll
        /s/pkg/good.pyd      imports kernel32.dll
        /s/pkg/extra.pyd
        /s/pkg/__init__.py   text\n{code}"
    )
}

fn init_does(code: &str, expected: Expect) {
    follow(&init(code), expected);
}
