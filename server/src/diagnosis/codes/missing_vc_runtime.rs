#![doc = include_str!("../../../../docs/codes/missing-vc-runtime.md")]

use super::wrong_architecture::interpreter_for;
use crate::action::Action;
use crate::diagnosis::origins::OlderRuntime;
use crate::diagnosis::wording::list;
use crate::diagnosis::{Case, Finding, Problem, redistributable};
use crate::image::Machine;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.not_found().is_some_and(|fault| {
        redistributable::contains(fault.culprit()) || OlderRuntime::of(fault.culprit()).is_some()
    })
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    let (is, part) = match finding.dlls.len() {
        1 => ("is missing", "It is part"),
        _ => ("are missing", "They are part"),
    };
    let package = match problem.loaded_by {
        Some(_) => case.consequence(finding.severity),
        None => "Python itself cannot start".to_owned(),
    };
    let machine = case.environment.machine;
    let older = finding.dlls.iter().find_map(|dll| OlderRuntime::of(dll));
    let name = match older {
        Some(older) => older.redistributable(machine),
        None => redistributable::name(machine),
    };
    finding.what = format!("{package}: {} {is}. {part} of the {name}.", list(&finding.dlls, "and"));
    let registry = case.registry_mismatch();
    finding.evidence =
        format!("{}; {}.{registry}", case.describe_request(problem), case.where_searched(problem));
    let mut fixes = match older {
        Some(older) => vec![redistributable::older(case, older)],
        None => redistributable::fixes(case),
    };
    // Python itself includes a copy of these.
    let own = ["vcruntime140.dll", "vcruntime140_1.dll"];
    let is_own = |dll: &String| own.iter().any(|own| dll.eq_ignore_ascii_case(own));
    if let (true, Some(folder)) = (finding.dlls.iter().all(is_own), case.environment.python_dll.parent()) {
        fixes.extend(finding.dlls.first().map(|dll| case.repair_python(&folder.join(dll))));
    }
    if problem.loaded_by.is_none() {
        // If Python can't start, it can't run pip.
        fixes.retain(|fix| !matches!(fix.action, Action::Run(_)));
    }
    finding.advice = "Install this runtime.".to_owned();
    if machine == Machine::Arm64 && older.is_some() {
        finding.advice =
            "Microsoft released this runtime for x86 and x64 only: choose a Python for x64.".to_owned();
        fixes = vec![interpreter_for(Machine::X64)];
    }
    finding.fixes = fixes;
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::{answer, check};

    #[test]
    fn a_runtime_that_a_module_imports_is_not_on_this_machine() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports msvcp140.dll, vcruntime140_1.dll, kernel32.dll
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: msvcp140.dll, vcruntime140_1.dll
                  `import pkg` will fail: msvcp140.dll and vcruntime140_1.dll are missing. They are part of the Microsoft Visual C++ v14 Redistributable (x64).
                  pkg/native.pyd imports msvcp140.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }

    #[test]
    fn a_runtime_that_is_registered_but_missing() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd            imports msvcp140.dll
            registered 14.38.33130.0
            import pkg
            registered 14.44.35211.0
            machine windows-11+vcredist
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: msvcp140.dll
                  `import pkg` will fail: msvcp140.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x64).
                  pkg.pyd imports msvcp140.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). The registry says that the redistributable 14.38.33130.0 is installed, but C:\Windows\System32\msvcp140.dll is gone.
                  Install the runtime into this Python with pip (no administrator needed), or download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator.
                  Python: ImportError: DLL load failed while importing pkg: The specified module could not be found.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
                healthy
            "#]],
        );
    }

    #[test]
    fn a_self_check_names_the_runtime_that_no_import_table_names() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import ctypes
                missing = []
                for name in "msvcp140.dll,msvcp140_1.dll".split(","):
                    try:
                        ctypes.WinDLL(name)
                    except OSError:
                        missing.append(name)
                if missing:
                    raise ImportError("Could not find the DLL(s) %r." % " or ".join(missing))
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: msvcp140.dll, msvcp140_1.dll
                  `import pkg` will fail: msvcp140.dll and msvcp140_1.dll are missing. They are part of the Microsoft Visual C++ v14 Redistributable (x64).
                  pkg/__init__.py (line 5) loads msvcp140.dll; Python 3.8 looks for it in C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the runtime into this Python with pip (no administrator needed), or download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator.
                  Python: ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }

    #[test]
    fn a_package_may_blame_the_wrong_dll_but_the_finding_does_not() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import ctypes
                try:
                    ctypes.WinDLL("msvcp140.dll")
                except OSError:
                    raise ImportError("Could not find 'msvcp140.dll'.")
            /Python/msvcp140.dll  imports vcruntime140_1.dll
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: vcruntime140_1.dll
                  `import pkg` will fail: vcruntime140_1.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x64).
                  C:\Python\msvcp140.dll imports vcruntime140_1.dll; Python 3.8 looks for it in C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the runtime into this Python with pip (no administrator needed), or repair Python 3.8.10 with its installer.
                  Python: ImportError: Could not find 'msvcp140.dll'.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Repair Python 3.8.10 with its installer | https://www.python.org/downloads/release/python-3810/
                  - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }

    #[test]
    fn with_the_redistributable_it_is_healthy() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            machine windows-11+vcredist
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports msvcp140.dll, vcruntime140_1.dll, vcruntime140_threads.dll
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_private_copy_in_another_package_does_not_help() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports msvcp140.dll
            /Python/Lib/site-packages/scipy/.libs/msvcp140.dll
            /Python/Lib/site-packages/numpy.libs/msvcp140-0123456789abcdef.dll
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: msvcp140.dll
                  `import pkg` will fail: msvcp140.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x64).
                  pkg/native.pyd imports msvcp140.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the runtime into this Python with pip (no administrator needed), or download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }

    #[test]
    fn a_copy_that_was_loaded_before_helps() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import scipy
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports msvcp140.dll
            /Python/Lib/site-packages/scipy/.libs/msvcp140.dll
            /Python/Lib/site-packages/scipy/__init__.py  text
                import os
                from ctypes import WinDLL
                WinDLL(os.path.join(os.path.dirname(__file__), '.libs', 'msvcp140.dll'))
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_32_bit_python_needs_the_32_bit_runtime() {
        check(
            r#"
            /Python/python.exe       x86, imports python38.dll
            /Python/python38.dll     x86, version 3.8.10150.1013
            /Python/Lib/os.py        text
            machine windows-11+vcredist
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     x86, imports msvcp140.dll
            import pkg
            machine windows-11
            import pkg
            "#,
            expect![[r#"
                healthy
                error missing-vc-runtime: msvcp140.dll
                  `import pkg` will fail: msvcp140.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x86).
                  pkg/native.pyd imports msvcp140.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Download and install the Microsoft Visual C++ v14 Redistributable (x86), as an administrator.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Download and install the Microsoft Visual C++ v14 Redistributable (x86), as an administrator | https://aka.ms/vc14/vc_redist.x86.exe
            "#]],
        );
    }

    /// The installer for x64 includes DLLs for both kinds of processes on ARM64.
    #[test]
    fn each_python_on_arm64_needs_the_runtime_for_its_own_kind() {
        let world = |machine: &str, windows: &str| {
            format!(
                r#"
                machine {windows}
                /Python/python.exe       {machine}, imports python313.dll
                /Python/python313.dll    {machine}, version 3.13.2150.1013
                /Python/Lib/os.py        text
                /Python/Lib/site-packages/pkg.pyd   {machine}, imports msvcp140.dll, mfc140u.dll
                import pkg
                "#
            )
        };
        for machine in ["arm64", "x86_64"] {
            assert_eq!(answer(&world(machine, "windows-11-arm64+vcredist")), "healthy\n", "{machine}");
        }
        check(
            &world("arm64", "windows-11-arm64"),
            expect![[r#"
            error missing-vc-runtime: msvcp140.dll, mfc140u.dll
              `import pkg` will fail: msvcp140.dll and mfc140u.dll are missing. They are part of the Microsoft Visual C++ v14 Redistributable (arm64).
              pkg.pyd imports msvcp140.dll; Python 3.13 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Download and install the Microsoft Visual C++ v14 Redistributable (arm64), as an administrator.
              Python: ImportError: DLL load failed while importing pkg: The specified module could not be found.
              * Download and install the Microsoft Visual C++ v14 Redistributable (arm64), as an administrator | https://aka.ms/vc14/vc_redist.arm64.exe
        "#]],
        );
        check(
            &world("x86_64", "windows-11-arm64"),
            expect![[r#"
            error missing-vc-runtime: msvcp140.dll, mfc140u.dll
              `import pkg` will fail: msvcp140.dll and mfc140u.dll are missing. They are part of the Microsoft Visual C++ v14 Redistributable (x64).
              pkg.pyd imports msvcp140.dll; Python 3.13 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator.
              Python: ImportError: DLL load failed while importing pkg: The specified module could not be found.
              * Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
        "#]],
        );
    }

    #[test]
    fn there_is_no_older_runtime_for_arm64() {
        check(
            r#"
            machine windows-11-arm64+vcredist
            /Python/python.exe       arm64, imports python313.dll
            /Python/python313.dll    arm64, version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd   arm64, imports msvcr120.dll
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: msvcr120.dll
                  `import pkg` will fail: msvcr120.dll is missing. It is part of the Visual C++ 2013 Redistributable.
                  pkg.pyd imports msvcr120.dll; Python 3.13 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
                  Microsoft released this runtime for x86 and x64 only: choose a Python for x64.
                  Python: ImportError: DLL load failed while importing pkg: The specified module could not be found.
                  ? Choose an interpreter that is 64-bit (x64) | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn conda_has_a_package_of_it() {
        check(
            r#"
            /conda/python.exe       imports python38.dll
            /conda/python38.dll     version 3.8.10150.1013
            /conda/Lib/os.py        text
            /conda/conda-meta/history   text
            /conda/Lib/site-packages/pkg.pyd   imports vcruntime140_1.dll
            python /conda
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: vcruntime140_1.dll
                  `import pkg` will fail: vcruntime140_1.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x64).
                  pkg.pyd imports vcruntime140_1.dll; Python 3.8 looks for it in C:\conda\Lib\site-packages, C:\conda and System32, and it is in none of them (Windows error 126).
                  Install the current runtime into this environment with conda, or install the runtime into this Python with pip (no administrator needed).
                  Python: ImportError: DLL load failed while importing pkg: The specified module could not be found.
                  * Install the current runtime into this environment with conda | conda install -p C:\conda -c conda-forge vc14_runtime
                  - Install the runtime into this Python with pip (no administrator needed) | C:\conda\python.exe -m pip install msvc-runtime
                  - Reinstall Python in this environment with conda | conda install --force-reinstall -p C:\conda python
                  - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }

    #[test]
    fn pip_is_not_offered_to_a_python_that_cannot_start() {
        check(
            r#"
            /Python/python.exe       imports python38.dll, vcruntime140.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            import pkg
            "#,
            expect![[r#"
                error missing-vc-runtime: vcruntime140.dll
                  Python itself cannot start: vcruntime140.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x64).
                  C:\Python\python.exe imports vcruntime140.dll; Python 3.8 looks for it in C:\Python, System32, C:\Windows\System and C:\Windows, and it is in none of them (Windows error 126).
                  Install this runtime.
                  ~ Repair Python 3.8.10 with its installer | https://www.python.org/downloads/release/python-3810/
                  ~ Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }
}
