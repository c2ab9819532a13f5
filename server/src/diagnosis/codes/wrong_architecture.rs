#![doc = include_str!("../../../../docs/codes/wrong-architecture.md")]

use crate::action::Action;
use crate::cpython::{BuiltFor, System};
use crate::diagnosis::cures::UNKNOWN_UNTIL_INSTALLED;
use crate::diagnosis::wording::name_of;
use crate::diagnosis::{Case, Culprit, Finding, Fix, Problem, redistributable};
use crate::host::WinPath;
use crate::image::Machine;
use crate::loader::Cause;
use crate::plan::MissingModule;
use crate::source;

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    if let Culprit::Module(missing) = &problem.culprit {
        return is_for_another_system(case, missing);
    }
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::WrongMachine { .. }))
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    if let Culprit::Module(missing) = &problem.culprit {
        describe_other_system(case, missing, finding);
        return;
    }
    let Some(Cause::WrongMachine { path, machine, searched }) = problem.fault().map(|fault| &fault.cause)
    else {
        return;
    };
    let own = case.environment.machine;
    if *machine == own {
        describe_other_windows(case, path, finding);
        return;
    }
    finding.what = format!(
        "{}: {} is {}, but this Python is {}.",
        case.consequence(finding.severity),
        case.short(path),
        machine.words(),
        own.words()
    );
    let nowhere_else =
        if searched.is_empty() { "" } else { ", and no searched directory contains another copy" };
    finding.evidence = format!("The file's header shows this{nowhere_else}; Windows refuses it (error 193).");
    let name = path.file_name();
    if redistributable::contains(name) {
        finding.advice = format!("Install the {}.", redistributable::name(own));
        finding.fixes.extend(redistributable::fixes(case));
        return;
    }
    // An ARM64EC image is for x64 processes; an ARM64X image is at least for ARM64 processes.
    let program = match machine {
        Machine::Arm64Ec => Machine::X64,
        Machine::Arm64X => Machine::Arm64,
        machine => *machine,
    };
    // pip selects the files for this Python.
    finding.fixes.extend(case.reinstall_owner(path).map(|fix| case.restoring(fix, path)));
    finding.fixes.extend(case.other_interpreters(source::top_level(case.import)));
    if !case.host.machine.runs(program) {
        finding.advice =
            format!("Replace the file: this Windows does not run programs that are {}.", program.words());
        return;
    }
    finding.advice = format!("Choose a Python that is also {}, or replace the file.", program.words());
    finding.fixes.push(interpreter_for(program));
}

pub(super) fn interpreter_for(machine: Machine) -> Fix {
    let choose =
        Fix::new(format!("Choose an interpreter that is {}", machine.words()), Action::ChooseInterpreter);
    choose.untestable("the interpreter has not been chosen yet")
}

/// Describes a Python for an architecture whose programs this Windows doesn't run.
fn describe_other_windows(case: &Case<'_>, program: &WinPath, finding: &mut Finding) {
    let (own, windows) = (case.environment.machine, case.host.machine);
    finding.what = format!(
        "Python itself cannot start: {} is {}, and this Windows is {}.",
        program,
        own.words(),
        windows.words()
    );
    finding.evidence = "The file's header shows this; Windows refuses to start it (error 216).".to_owned();
    finding.advice = format!("Choose a Python that is {}.", windows.words());
    finding.fixes.push(interpreter_for(windows));
}

/// Whether the file that was found instead of a module is for another system than this Python's,
/// according to its name.
pub(super) fn is_for_another_system(case: &Case<'_>, missing: &MissingModule) -> bool {
    built_for(missing).is_some_and(|built| built.system != System::Windows(case.environment.machine))
}

/// Returns the module of a file: `x.cp38-win_amd64.pyd` → `x`.
pub(super) fn module_of(file: &WinPath) -> &str {
    file.file_name().split('.').next().unwrap_or_default()
}

fn built_for(missing: &MissingModule) -> Option<BuiltFor> {
    let file = missing.for_other_python.as_ref()?;
    BuiltFor::of(module_of(file), file.file_name())
}

fn describe_other_system(case: &Case<'_>, missing: &MissingModule, finding: &mut Finding) {
    let (Some(file), Some(built)) = (&missing.for_other_python, built_for(missing)) else { return };
    let files = &*case.host.files;
    let top_level = source::top_level(&missing.name);
    let owner = case.environment.owner_of(file, files);
    let owner = owner.or_else(|| case.environment.providers(top_level, files).into_iter().next());
    let name = owner.map_or_else(|| top_level.to_owned(), |owner| name_of(owner, files));
    finding.what = format!(
        "{}: the installed {name} is for {}, but this Python is for Windows, {}.",
        case.consequence(finding.severity),
        built.system,
        case.environment.machine.words(),
    );
    finding.evidence = format!(
        "The name of {} shows this, and there is no file for this Python next to it, so Python finds no \
         module {}.{}",
        case.short(file),
        missing.name,
        case.made_for(owner),
    );
    finding.advice = format!("Reinstall {name} with this Python: pip selects the right wheel.");
    if let Some(owner) = owner {
        finding.fixes.extend(case.reinstall(owner).map(|fix| fix.untestable(UNKNOWN_UNTIL_INSTALLED)));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::{answer, check};

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
                  The file's header shows this; Windows refuses it (error 193).
                  Reinstall pkg 1.0.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
                  ? Choose an interpreter that is 32-bit (x86) | whydll.interpreter
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
                  The file's header shows this; Windows refuses it (error 193).
                  Choose a Python that is also 64-bit (x64), or replace the file.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
                  ? Choose an interpreter that is 64-bit (x64) | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn the_only_copy_is_an_arm64_dll() {
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
                  The file's header shows this; Windows refuses it (error 193).
                  Replace the file: this Windows does not run programs that are ARM64.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
            "#]],
        );
    }

    /// An x64 Python is emulated on ARM64; an ARM64 Python doesn't start on x64.
    #[test]
    fn an_x64_module_in_an_arm64_python_and_the_reverse() {
        let world = |python: &str, module: &str| {
            format!(
                r#"
                machine windows-11-arm64
                /Python/python.exe       {python}, imports python313.dll, kernel32.dll
                /Python/python313.dll    {python}, imports kernel32.dll, version 3.13.2150.1013
                /Python/Lib/os.py        text
                /Python/Lib/site-packages/pkg.pyd   {module}, imports kernel32.dll, python313.dll
                import pkg
                "#
            )
        };
        for fitting in [("arm64", "arm64"), ("arm64", "arm64x"), ("x86_64", "x86_64"), ("x86_64", "arm64ec")]
        {
            assert_eq!(answer(&world(fitting.0, fitting.1)), "healthy\n", "{fitting:?}");
        }
        check(
            &world("arm64", "x86_64"),
            expect![[r#"
                error wrong-architecture: pkg.pyd
                  `import pkg` will fail: pkg.pyd is 64-bit (x64), but this Python is ARM64.
                  The file's header shows this; Windows refuses it (error 193).
                  Choose a Python that is also 64-bit (x64), or replace the file.
                  Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
                  ? Choose an interpreter that is 64-bit (x64) | whydll.interpreter
            "#]],
        );
        check(
            &world("x86_64", "arm64"),
            expect![[r#"
                error wrong-architecture: pkg.pyd
                  `import pkg` will fail: pkg.pyd is ARM64, but this Python is 64-bit (x64).
                  The file's header shows this; Windows refuses it (error 193).
                  Choose a Python that is also ARM64, or replace the file.
                  Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
                  ? Choose an interpreter that is ARM64 | whydll.interpreter
            "#]],
        );
        check(
            &world("arm64", "arm64ec"),
            expect![[r#"
                error wrong-architecture: pkg.pyd
                  `import pkg` will fail: pkg.pyd is ARM64EC (ARM64 code for x64 processes), but this Python is ARM64.
                  The file's header shows this; Windows refuses it (error 193).
                  Choose a Python that is also 64-bit (x64), or replace the file.
                  Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
                  ? Choose an interpreter that is 64-bit (x64) | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn a_python_for_arm64_does_not_start_on_x64() {
        check(
            r#"
            /Python/python.exe       arm64, imports python313.dll
            /Python/python313.dll    arm64, version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd   arm64
            import pkg
            machine windows-11-arm64
            import pkg
            "#,
            expect![[r#"
                error wrong-architecture: python.exe
                  Python itself cannot start: C:\Python\python.exe is ARM64, and this Windows is 64-bit (x64).
                  The file's header shows this; Windows refuses to start it (error 216).
                  Choose a Python that is 64-bit (x64).
                  ? Choose an interpreter that is 64-bit (x64) | whydll.interpreter
                healthy
            "#]],
        );
    }

    #[test]
    fn a_runtime_for_the_wrong_architecture_is_cured_by_the_right_one() {
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
                  The file's header shows this, and no searched directory contains another copy; Windows refuses it (error 193).
                  Install the runtime into this Python with pip (no administrator needed), or download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator.
                  Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }

    #[test]
    fn a_wrong_copy_is_not_reported_if_a_right_one_follows() {
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

    #[test]
    fn a_package_for_another_system_or_processor() {
        for file in [
            "native.cpython-313-x86_64-linux-gnu.so",
            "native.cpython-313-darwin.so",
            "native.cp313-win32.pyd",
        ] {
            let output = answer(&format!(
                r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                try:
                    from . import core
                except ImportError as error:
                    raise ImportError('something is wrong') from error
            /Python/Lib/site-packages/pkg/core.py        text
                from . import native
            /Python/Lib/site-packages/pkg/{file}         junk
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/WHEEL      text
                Wheel-Version: 1.0
                Tag: cp313-cp313-other
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/__init__.py,,
            watch
            import pkg
            "#
            ));
            assert!(output.starts_with("error wrong-architecture"), "{output}");
            assert!(output.contains(file) && output.contains("cp313-cp313-other"), "{output}");
        }
    }

    #[test]
    fn a_module_for_another_system_that_is_a_package_by_itself() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/one.cpython-313-aarch64-linux-gnu.so   junk
            /Python/Lib/site-packages/two.cp313-win_arm64.pyd                arm64
            watch
            import one
            import two
            "#,
            expect![[r#"
                error wrong-architecture: 
                  `import one` will fail: the installed one is for Linux (aarch64), but this Python is for Windows, 64-bit (x64).
                  The name of one.cpython-313-aarch64-linux-gnu.so shows this, and there is no file for this Python next to it, so Python finds no module one.
                  Reinstall one with this Python: pip selects the right wheel.
                  Python: ModuleNotFoundError: No module named 'one'
                error wrong-architecture: 
                  `import two` will fail: the installed two is for Windows, ARM64, but this Python is for Windows, 64-bit (x64).
                  The name of two.cp313-win_arm64.pyd shows this, and there is no file for this Python next to it, so Python finds no module two.
                  Reinstall two with this Python: pip selects the right wheel.
                  Python: ModuleNotFoundError: No module named 'two'
            "#]],
        );
    }

    /// A library that is loaded with ctypes has no tag, and a failure that the program handles
    /// isn't an error.
    #[test]
    fn unused_files_for_other_systems_are_healthy() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import lib
                try:
                    from . import fast
                except ImportError:
                    fast = None
                from . import native
            /Python/Lib/site-packages/pkg/lib.so                                   junk
            /Python/Lib/site-packages/pkg/fast.cpython-313-x86_64-linux-gnu.so     junk
            /Python/Lib/site-packages/pkg/native.cpython-313-x86_64-linux-gnu.so   junk
            /Python/Lib/site-packages/pkg/native.cp313-win_amd64.pyd
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }
}
