//! # wrong-architecture
//!
//! A DLL or extension module is for another kind of processor than this Python: 32-bit against 64-bit, or ARM64.
//!
//! ## What it means
//! A process can load only images of its own architecture. Windows refuses others with error 193, "%1 is
//! not a valid Win32 application". While it searches directories it passes over files of the wrong architecture, so
//! a good copy in a later directory would be taken.
//!
//! ## How we know
//! The architecture of Python is read from its `pythonXY.dll`, that of the file from its header.
//!
//! ## What to do
//! If Python itself is the odd one (a 32-bit Python on a 64-bit Windows), choose a 64-bit Python: TensorFlow exists for
//! that only. If a single file is wrong, install its package again.

use crate::diagnosis::{Case, Finding, Problem, redistributable};
use crate::fix::{Action, Fix};
use crate::image::Machine;
use crate::loader::Cause;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::WrongMachine { .. }))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    let Some(Cause::WrongMachine { path, machine, searched }) = problem.fault().map(|fault| &fault.cause)
    else {
        return;
    };
    let own = case.environment.machine;
    finding.what = format!(
        "{}: {} is {}, but this Python is {}.",
        case.consequence(finding.severity),
        case.short(path),
        machine.words(),
        own.words()
    );
    let nowhere_else = if searched.is_empty() { "" } else { ", and no other copy lies where it is searched" };
    finding.evidence = format!("The file's header says so{nowhere_else}; Windows refuses it (error 193).");
    let name = path.file_name();
    if redistributable::contains(name) {
        finding.advice = format!("Install the {}.", redistributable::name(own));
        finding.fixes.extend(redistributable::fixes(case.environment));
        return;
    }
    let choose =
        Fix::new(format!("Choose an interpreter that is {}", machine.words()), Action::ChooseInterpreter);
    match case.reinstall_owner(path) {
        // The file should be for this Python, so the file is wrong rather than the Python.
        Some(mut fix) => {
            finding.advice = "Install the package again with this Python.".to_owned();
            fix.preferred = true;
            finding.fixes.push(fix);
            if own == Machine::X86 {
                finding.fixes.push(choose);
            }
        }
        None => {
            finding.advice =
                format!("Choose a Python that is {} like it, or replace the file.", machine.words());
            finding.fixes.push(Fix { preferred: true, ..choose });
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_32_bit_module_in_a_64_bit_python() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     x86
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/native.pyd,,
            import pkg
            "#,
            expect![[r#"
                error wrong-architecture: native.pyd
                  `import pkg` will fail: pkg/native.pyd is 32-bit (x86), but this Python is 64-bit (x64).
                  The file's header says so; Windows refuses it (error 193).
                  Install the package again with this Python.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }

    #[test]
    fn a_64_bit_module_in_a_32_bit_python() {
        check(
            r#"
            /Python/python.exe       x86, imports python38.dll
            /Python/python38.dll     x86, version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports kernel32.dll
            import pkg
            "#,
            expect![[r#"
                error wrong-architecture: native.pyd
                  `import pkg` will fail: pkg/native.pyd is 64-bit (x64), but this Python is 32-bit (x86).
                  The file's header says so; Windows refuses it (error 193).
                  Choose a Python that is 64-bit (x64) like it, or replace the file.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
                  * Choose an interpreter that is 64-bit (x64) | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn an_arm64_dll_is_all_that_there_is() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports a.dll
            /Python/Lib/site-packages/pkg/a.dll          arm64
            /Python/a.dll         x86
            import pkg
            "#,
            expect![[r#"
                error wrong-architecture: a.dll
                  `import pkg` will fail: pkg/a.dll is ARM64, but this Python is 64-bit (x64).
                  The file's header says so; Windows refuses it (error 193).
                  Choose a Python that is ARM64 like it, or replace the file.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
                  * Choose an interpreter that is ARM64 | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn a_runtime_of_the_wrong_kind_is_cured_by_the_right_one() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd            imports msvcp140.dll
            /Python/msvcp140.dll  x86
            import pkg
            "#,
            expect![[r#"
                error wrong-architecture: msvcp140.dll
                  `import pkg` will fail: C:\Python\msvcp140.dll is 32-bit (x86), but this Python is 64-bit (x64).
                  The file's header says so, and no other copy lies where it is searched; Windows refuses it (error 193).
                  Install the Microsoft Visual C++ Redistributable 2015–2022 (x64).
                  Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
                  * Download the Microsoft Visual C++ Redistributable 2015–2022 (x64) | https://aka.ms/vs/17/release/vc_redist.x64.exe
                  - Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
            "#]],
        );
    }

    #[test]
    fn a_wrong_copy_says_nothing_where_a_right_one_follows() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd            imports a.dll
            /Python/Lib/site-packages/a.dll              x86
            /Python/a.dll
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }
}
