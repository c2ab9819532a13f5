//! What holds for all codes.

use std::collections::BTreeSet;

use expect_test::expect;
use world::World;

use super::{Code, Finding, Health, Severity};
use crate::testing::{check, diagnosed, told_in_full};

/// A world for each way to fail; `pkg` is what is imported.
const BROKEN: &[&str] = &[
    "/s/pkg.pyd  imports nowhere.dll",
    "/s/pkg.pyd  imports nowhere.dll, msvcp140.dll, a.dll, b.dll, python39.dll\n/s/a.dll  x86\n/s/b.dll  junk",
    "/s/pkg.pyd  imports msvcp140.dll, vcruntime140_1.dll",
    "/s/pkg.pyd  imports a.dll, msvcp140.dll\n/path/a.dll\n/path/msvcp140.dll\npath /path",
    "/s/pkg.pyd  x86",
    "/s/pkg.pyd  arm64",
    "/s/pkg.pyd  imports msvcp140.dll\n/s/msvcp140.dll  x86",
    "/s/pkg.pyd  imports a.dll!gone\n/s/a.dll  exports f",
    "/s/pkg.pyd  imports msvcp140.dll!_Mtx_lock\n/Python/msvcp140.dll  version 14.29.0.0, exports _Mtx_lock",
    "machine windows-11+vcredist\n/s/pkg.pyd  imports msvcp140.dll!_Mtx_lock\n/Python/msvcp140.dll  version 14.29.0.0, exports _Mtx_lock",
    "machine windows-11+vcredist\n/s/pkg.pyd  imports msvcp140.dll!_Mtx_lock\n/Python/msvcp140.dll  x86, version 14.29.0.0, exports _Mtx_lock",
    "machine windows-10\n/s/pkg.pyd  imports api-ms-win-core-future-l1-1-0.dll",
    "/s/pkg.pyd  manifest \"<assembly><dependency><dependentAssembly><assemblyIdentity name='parts' version='1.0.0.0'/></dependentAssembly></dependency></assembly>\"",
    "/s/pkg.pyd  empty",
    "/s/pkg.pyd  imports a.dll\n/s/a.dll  html",
    "/s/pkg.pyd\ndenied /s/pkg.pyd",
    "/s/pkg.cp39-win_amd64.pyd",
    "/s/pkg.pyd  imports python39.dll",
    "/s/pkg.pyd  imports python39.dll\n/s/python39.dll",
    "/s/other.pyd",
    "/s/pkg/other.pyd\nimport pkg.sub",
    "/s/pkg/__init__.py  text\n    from . import a\n/s/pkg-1.dist-info/METADATA  text\n    Name: pkg\n/s/pkg-1.dist-info/RECORD  text\n    pkg/a.pyd,,9",
    "/s/pkg.py  text\n/s/pkg-1.dist-info/METADATA  text\n    Name: pkg\n/s/pkg-1.dist-info/RECORD  text\n    pkg.py,,\n    a.pyd,,9",
    "/s/pkg.py  text\n    try:\n        import other\n    except ImportError:\n        pass\n/s/other.pyd  imports nowhere.dll",
];

/// Their findings, with and without a PATH, in 64 and 32 bits, in an old and a newer Python.
fn all_findings() -> Vec<Finding> {
    let mut findings = Vec::new();
    for (minor, machine) in [(7, ""), (8, ""), (8, "x86, "), (12, "")] {
        let python = format!(
            "/Python/python.exe  {machine}imports python3{minor}.dll\n\
             /Python/python3{minor}.dll  {machine}version 3.{minor}.9150.1013\n/Python/Lib/os.py  text\n"
        );
        for broken in BROKEN {
            let text = format!("{python}import pkg\n{broken}\n").replace("/s/", "/Python/Lib/site-packages/");
            let world = World::new(&text).unwrap();
            let (_, _, diagnosis) = diagnosed(&world);
            assert_eq!(diagnosis.health, Health::of(&diagnosis.findings));
            findings.extend(diagnosis.findings);
        }
    }
    findings
}

#[test]
fn every_finding_says_what_is_wrong_how_we_know_and_what_to_do() {
    let findings = all_findings();
    findings.iter().for_each(told_in_full);
    let met: BTreeSet<Code> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(met, Code::ALL.iter().copied().collect());
}

#[test]
fn whoever_is_to_blame_stands_at_the_end_of_the_chain() {
    for finding in all_findings() {
        if let (Some(dll), Some(last)) = (finding.dlls.first(), finding.chain.last()) {
            assert!(dll.eq_ignore_ascii_case(&last.name), "{finding:#?}");
        }
        assert!(finding.message().len() < 1000, "{}", finding.message());
    }
}

#[test]
fn several_causes_are_several_findings_with_the_first_that_windows_reports_first() {
    check(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.pyd   imports b.dll, msvcp140.dll, a.dll, nowhere.dll
        /Python/Lib/site-packages/a.dll     x86
        /Python/Lib/site-packages/b.dll     junk
        import pkg
        "#,
        expect![[r#"
            error bad-image: b.dll
              `import pkg` will fail: b.dll is damaged.
              Windows refuses the file (error 193): the file is not a Windows program or DLL; it looks like a Git LFS pointer, not the file it stands for.
              Replace C:\Python\Lib\site-packages\b.dll by a good copy from where it came.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
              * Choose another interpreter | whydll.interpreter
            error missing-vc-runtime: msvcp140.dll
              `import pkg` will fail: msvcp140.dll is missing. It is part of the Microsoft Visual C++ Redistributable 2015–2022 (x64).
              pkg.pyd imports msvcp140.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install it, or put the DLLs beside this Python with `pip install msvc-runtime`.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
              * Download the Microsoft Visual C++ Redistributable 2015–2022 (x64) | https://aka.ms/vs/17/release/vc_redist.x64.exe
              - Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
            error wrong-architecture: a.dll
              `import pkg` will fail: a.dll is 32-bit (x86), but this Python is 64-bit (x64).
              The file's header says so, and no other copy lies where it is searched; Windows refuses it (error 193).
              Choose a Python that is 32-bit (x86) like it, or replace the file.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
              * Choose an interpreter that is 32-bit (x86) | whydll.interpreter
            error missing-dll: nowhere.dll
              `import pkg` will fail: nowhere.dll is missing.
              pkg.pyd imports nowhere.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
              * Choose another interpreter | whydll.interpreter
        "#]],
    );
}

#[test]
fn an_error_and_a_warning_of_one_cause_are_one_error() {
    check(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.py      text
            try:
                import one
            except ImportError:
                pass
            import two
        /Python/Lib/site-packages/one.pyd     imports nowhere.dll, also_nowhere.dll
        /Python/Lib/site-packages/two.pyd     imports nowhere.dll
        import pkg
        "#,
        expect![[r#"
            error missing-dll: nowhere.dll
              `import pkg` will fail: nowhere.dll is missing.
              two.pyd imports nowhere.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing two: The specified module could not be found.
              * Choose another interpreter | whydll.interpreter
            warning missing-dll: also_nowhere.dll
              A part of what `import pkg` uses is broken: also_nowhere.dll is missing.
              one.pyd imports also_nowhere.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing one: The specified module could not be found.
              * Choose another interpreter | whydll.interpreter
        "#]],
    );
}

#[test]
fn a_part_of_the_package_is_broken_only_if_the_import_runs_into_it() {
    check(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py     text
            def later():
                from . import gpu
        /Python/Lib/site-packages/pkg/gpu.pyd         imports cudart64_101.dll
        import pkg
        import pkg.gpu
        "#,
        expect![[r#"
            healthy
            error missing-dll: cudart64_101.dll
              `import pkg.gpu` will fail: cudart64_101.dll is missing.
              pkg/gpu.pyd imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing gpu: The specified module could not be found.
              * Choose another interpreter | whydll.interpreter
        "#]],
    );
}

#[test]
fn health_is_the_worst_of_all() {
    let world = World::new(
        "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.py      text
            try:
                import one
            except ImportError:
                pass
        /Python/Lib/site-packages/one.pyd     imports nowhere.dll
        import pkg
        ",
    );
    let (_, _, diagnosis) = diagnosed(&world.unwrap());
    assert_eq!(diagnosis.health, Health::Degraded);
    let severities: Vec<Severity> = diagnosis.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Warning]);
    assert_eq!(Health::of(&[]), Health::Healthy);
}
