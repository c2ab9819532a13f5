#![doc = include_str!("../../../../docs/codes/unsupported-python.md")]

use super::wrong_architecture;
use crate::action::Action;
use crate::cpython::{BuiltFor, StableAbi, is_of_other_python};
use crate::diagnosis::cures::UNKNOWN_UNTIL_INSTALLED;
use crate::diagnosis::finding::DOES_NOT_RUN;
use crate::diagnosis::{Case, Code, Culprit, Finding, Fix, Problem, Severity};
use crate::environment::{DllName, with_build};
use crate::plan::ImportFailure;
use crate::source::{self, NewerSyntax};

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    match &problem.culprit {
        Culprit::OtherPython { .. } => true,
        Culprit::Module(missing) => {
            missing.for_other_python.is_some() && !wrong_architecture::is_for_another_system(case, missing)
        }
        Culprit::HiddenPackage(_) => false,
        Culprit::Image(_) => {
            problem.not_found().is_some_and(|fault| is_of_other_python(fault.culprit(), case.environment))
        }
    }
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let (module, built_for) = match problems.first().map(|problem| &problem.culprit) {
        Some(Culprit::OtherPython { module, dll }) => (case.short(module), python_of_dll(dll)),
        Some(Culprit::Module(missing)) => {
            let file = missing.for_other_python.as_ref();
            (
                file.map_or_else(String::new, |file| case.short(file)),
                file.and_then(|file| {
                    BuiltFor::of(wrong_architecture::module_of(file), file.file_name())?.python()
                }),
            )
        }
        Some(Culprit::Image(fault)) => {
            let importer = fault.importer();
            let path = importer.and_then(|link| link.path.as_ref());
            (path.map_or_else(String::new, |path| case.short(path)), python_of_dll(fault.culprit()))
        }
        Some(Culprit::HiddenPackage(_)) | None => return,
    };
    let built_for = built_for.unwrap_or_else(|| "another Python".to_owned());
    finding.what = format!(
        "{}: its native modules are built for {built_for}, but this environment runs Python {}.",
        case.consequence(finding.severity),
        case.environment.series()
    );
    finding.advice = format!(
        "Choose an interpreter with {built_for}, or reinstall {} with this one.",
        source::top_level(case.import)
    );
    let top_level = source::top_level(case.import);
    finding.fixes.extend(case.other_interpreters(top_level));
    let files = &*case.host.files;
    let file = match problems.first().map(|problem| &problem.culprit) {
        Some(Culprit::OtherPython { module, .. }) => Some(module),
        Some(Culprit::Module(missing)) => missing.for_other_python.as_ref(),
        Some(Culprit::Image(fault)) => fault.importer().and_then(|link| link.path.as_ref()),
        Some(Culprit::HiddenPackage(_)) | None => None,
    };
    let owner = file.and_then(|file| case.owner_of(file));
    finding.evidence = format!(
        "{module} is for {built_for}; {} is Python {}.{}",
        case.environment.python_dll,
        case.environment.full_version(),
        case.made_for(owner)
    );
    if let Some(owner) = owner.or_else(|| case.environment.providers(top_level, files).into_iter().next()) {
        finding.fixes.extend(case.reinstall(owner).map(|fix| fix.untestable(UNKNOWN_UNTIL_INSTALLED)));
    }
    let choose = Fix::new(format!("Choose an interpreter with {built_for}"), Action::ChooseInterpreter);
    finding.fixes.push(choose.untestable("the interpreter has not been chosen yet"));
}

/// Returns the finding for a module of a package with syntax that this Python doesn't support.
pub(in crate::diagnosis) fn of_syntax(
    case: &Case<'_>,
    NewerSyntax { since, line, what }: &NewerSyntax,
    error: &ImportFailure,
) -> Finding {
    let mut finding = case.finding(Code::UnsupportedPython, &[], Severity::Error, Some(error));
    let own = case.environment.version.series();
    let consequence = case.consequence(Severity::Error);
    finding.what = format!("{consequence}: it is written for Python 3.{since} or newer, and this is {own}.");
    if let Some((file, _)) = error.trace.first() {
        finding.evidence =
            format!("{}, line {line}, has {what}, which Python {own} does not support.", case.short(file));
    }
    let package = source::top_level(case.import);
    finding.advice = format!(
        "Install a version of {package} for Python {own}, or choose an interpreter with Python 3.{since}."
    );
    finding.fixes.extend(case.other_interpreters(package));
    finding.fixes.push(choose_since(*since));
    finding
}

/// Returns the finding for a program with such syntax.
pub(in crate::diagnosis) fn of_program(case: &Case<'_>, since: u16, what: &str) -> Finding {
    let mut finding = case.finding(Code::UnsupportedPython, &[], Severity::Error, None);
    let own = case.environment.version.series();
    finding.what =
        format!("{DOES_NOT_RUN}: Python {own} does not support {what}, which is new in 3.{since}.");
    let version = case.environment.full_version();
    finding.evidence = format!("{} is Python {version}.", case.environment.python_dll);
    finding.advice = format!("Choose an interpreter with Python 3.{since}, or avoid {what}.");
    finding.fixes.push(choose_since(since));
    finding
}

fn choose_since(since: u16) -> Fix {
    let choose = Fix::new(format!("Choose an interpreter with Python 3.{since}"), Action::ChooseInterpreter);
    choose.untestable("the interpreter has not been chosen yet")
}

/// Returns the Python of a DLL: `python38.dll` → "Python 3.8", `python314t.dll` → "Python 3.14
/// free-threaded".
fn python_of_dll(dll: &str) -> Option<String> {
    match StableAbi::of(dll) {
        Some(StableAbi::Abi3) => Some("GIL-enabled Python".to_owned()),
        Some(StableAbi::Abi3t) => Some("Python 3.15 or later".to_owned()),
        None => {
            DllName::parse(dll).map(|name| format!("Python {}", with_build(name.version, name.free_threaded)))
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::testing::check;

    #[test]
    fn modules_for_another_version_only() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.cp37-win_amd64.pyd   imports python37.dll
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/__init__.py,,
                pkg/native.cp37-win_amd64.pyd,,
            import pkg
            "#,
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.7, but this environment runs Python 3.8.
                  pkg/native.cp37-win_amd64.pyd is for Python 3.7; C:\Python\python38.dll is Python 3.8.10.
                  Choose an interpreter with Python 3.7, or reinstall pkg with this one.
                  Python: ModuleNotFoundError: No module named 'pkg.native'
                  ? Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
                  ? Choose an interpreter with Python 3.7 | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn a_module_that_is_written_for_a_newer_python() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from .newer import function
                from . import native
            /Python/Lib/site-packages/pkg/newer.py    text
                function: list[*Types] = []
                match function:
                    case []: pass
            /Python/Lib/site-packages/pkg/native.pyd
            import pkg
            "#,
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: it is written for Python 3.11 or newer, and this is 3.8.
                  pkg/newer.py, line 1, has `*` in an index, which Python 3.8 does not support.
                  Install a version of pkg for Python 3.8, or choose an interpreter with Python 3.11.
                  Python: SyntaxError: invalid syntax
                  ? Choose an interpreter with Python 3.11 | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn an_untagged_module_that_imports_another_versions_dll() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports python310.dll
            import pkg
            "#,
            expect![[r#"
                error unsupported-python: python310.dll
                  `import pkg` will fail: its native modules are built for Python 3.10, but this environment runs Python 3.8.
                  pkg/native.pyd is for Python 3.10; C:\Python\python38.dll is Python 3.8.10.
                  Choose an interpreter with Python 3.10, or reinstall pkg with this one.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Choose an interpreter with Python 3.10 | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn a_module_that_conflicts_because_the_other_versions_dll_is_found() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports python37.dll
            /Python/Lib/site-packages/pkg/python37.dll
            import pkg
            "#,
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.7, but this environment runs Python 3.8.
                  pkg/native.pyd is for Python 3.7; C:\Python\python38.dll is Python 3.8.10.
                  Choose an interpreter with Python 3.7, or reinstall pkg with this one.
                  Python: ImportError: Module use of python37.dll conflicts with this version of Python.
                  ? Choose an interpreter with Python 3.7 | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn the_other_versions_dll_on_path_changes_nothing() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports python37.dll
            /Python37/python37.dll
            path /Python37
            import pkg
            "#,
            expect![[r#"
                error unsupported-python: python37.dll
                  `import pkg` will fail: its native modules are built for Python 3.7, but this environment runs Python 3.8.
                  pkg/native.pyd is for Python 3.7; C:\Python\python38.dll is Python 3.8.10.
                  Choose an interpreter with Python 3.7, or reinstall pkg with this one.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Choose an interpreter with Python 3.7 | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn modules_for_several_versions_in_one_folder_are_healthy() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.cp37-win_amd64.pyd   imports python37.dll
            /Python/Lib/site-packages/pkg/native.cp38-win_amd64.pyd   imports python38.dll
            /Python/Lib/site-packages/pkg/native.cp39-win_amd64.pyd   imports python39.dll
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    /// Checks a package with this native module file, in a Python with these files.
    fn check_build(python: &str, module: &str, expected: Expect) {
        check(
            &format!(
                r#"
            {python}
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/{module}
            import pkg
            "#
            ),
            expected,
        );
    }

    const FREE_THREADED: &str = "/Python/python3.14t.exe  imports python314t.dll
            /Python/python314t.dll   version 3.14.2150.1013
            /Python/python3t.dll";

    const GIL_ENABLED: &str = "/Python/python.exe       imports python314.dll
            /Python/python314.dll    version 3.14.2150.1013
            /Python/python3.dll";

    /// Both builds in one directory, as python.org's installer puts them there.
    fn both() -> String {
        format!("{GIL_ENABLED}\n            {FREE_THREADED}")
    }

    fn free_threaded_of_both() -> String {
        format!("{}\n            python /Python/python3.14t.exe", both())
    }

    #[test]
    fn modules_for_gil_enabled_pythons_in_a_free_threaded_one() {
        check_build(
            FREE_THREADED,
            "native.cp314-win_amd64.pyd  imports python314.dll",
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.14, but this environment runs Python 3.14 free-threaded.
                  pkg/native.cp314-win_amd64.pyd is for Python 3.14; C:\Python\python314t.dll is Python 3.14.2 free-threaded.
                  Choose an interpreter with Python 3.14, or reinstall pkg with this one.
                  Python: ModuleNotFoundError: No module named 'pkg.native'
                  ? Choose an interpreter with Python 3.14 | whydll.interpreter
            "#]],
        );
        check_build(
            FREE_THREADED,
            "native.pyd  imports python314.dll",
            expect![[r#"
                error unsupported-python: python314.dll
                  `import pkg` will fail: its native modules are built for Python 3.14, but this environment runs Python 3.14 free-threaded.
                  pkg/native.pyd is for Python 3.14; C:\Python\python314t.dll is Python 3.14.2 free-threaded.
                  Choose an interpreter with Python 3.14, or reinstall pkg with this one.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Choose an interpreter with Python 3.14 | whydll.interpreter
            "#]],
        );
        check_build(
            FREE_THREADED,
            "native.pyd  imports python3.dll",
            expect![[r#"
                error unsupported-python: python3.dll
                  `import pkg` will fail: its native modules are built for GIL-enabled Python, but this environment runs Python 3.14 free-threaded.
                  pkg/native.pyd is for GIL-enabled Python; C:\Python\python314t.dll is Python 3.14.2 free-threaded.
                  Choose an interpreter with GIL-enabled Python, or reinstall pkg with this one.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Choose an interpreter with GIL-enabled Python | whydll.interpreter
            "#]],
        );
        check_build(
            &free_threaded_of_both(),
            "native.pyd  imports python314.dll",
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.14, but this environment runs Python 3.14 free-threaded.
                  pkg/native.pyd is for Python 3.14; C:\Python\python314t.dll is Python 3.14.2 free-threaded.
                  Use C:\Python\python.exe, which has pkg.
                  Python: Windows fatal exception: access violation
                  * Use C:\Python\python.exe, which has pkg | "whydll.interpreter": "C:\\Python\\python.exe"
                  ? Choose an interpreter with Python 3.14 | whydll.interpreter
            "#]],
        );
        check_build(
            &free_threaded_of_both(),
            "native.pyd  imports python3.dll",
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for GIL-enabled Python, but this environment runs Python 3.14 free-threaded.
                  pkg/native.pyd is for GIL-enabled Python; C:\Python\python314t.dll is Python 3.14.2 free-threaded.
                  Use C:\Python\python.exe, which has pkg.
                  Python: Windows fatal exception: access violation
                  * Use C:\Python\python.exe, which has pkg | "whydll.interpreter": "C:\\Python\\python.exe"
                  ? Choose an interpreter with GIL-enabled Python | whydll.interpreter
            "#]],
        );
        check_build(
            &free_threaded_of_both(),
            "native.pyd  imports python313.dll\n            /Python/python313.dll",
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.13, but this environment runs Python 3.14 free-threaded.
                  pkg/native.pyd is for Python 3.13; C:\Python\python314t.dll is Python 3.14.2 free-threaded.
                  Choose an interpreter with Python 3.13, or reinstall pkg with this one.
                  Python: ImportError: Module use of python313.dll conflicts with this version of Python.
                  ? Choose an interpreter with Python 3.13 | whydll.interpreter
                  ~ Use C:\Python\python.exe, which has pkg | "whydll.interpreter": "C:\\Python\\python.exe"
            "#]],
        );
    }

    #[test]
    fn modules_for_the_free_threaded_build_in_the_other() {
        check_build(
            GIL_ENABLED,
            "native.cp314t-win_amd64.pyd  imports python314t.dll",
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.14 free-threaded, but this environment runs Python 3.14.
                  pkg/native.cp314t-win_amd64.pyd is for Python 3.14 free-threaded; C:\Python\python314.dll is Python 3.14.2.
                  Choose an interpreter with Python 3.14 free-threaded, or reinstall pkg with this one.
                  Python: ModuleNotFoundError: No module named 'pkg.native'
                  ? Choose an interpreter with Python 3.14 free-threaded | whydll.interpreter
            "#]],
        );
        check_build(
            GIL_ENABLED,
            "native.pyd  imports python314t.dll",
            expect![[r#"
                error unsupported-python: python314t.dll
                  `import pkg` will fail: its native modules are built for Python 3.14 free-threaded, but this environment runs Python 3.14.
                  pkg/native.pyd is for Python 3.14 free-threaded; C:\Python\python314.dll is Python 3.14.2.
                  Choose an interpreter with Python 3.14 free-threaded, or reinstall pkg with this one.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Choose an interpreter with Python 3.14 free-threaded | whydll.interpreter
            "#]],
        );
        check_build(
            &both(),
            "native.pyd  imports python314t.dll",
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.14 free-threaded, but this environment runs Python 3.14.
                  pkg/native.pyd is for Python 3.14 free-threaded; C:\Python\python314.dll is Python 3.14.2.
                  Use C:\Python\python3.14t.exe, which has pkg.
                  Python: Windows fatal exception: access violation
                  * Use C:\Python\python3.14t.exe, which has pkg | "whydll.interpreter": "C:\\Python\\python3.14t.exe"
                  ? Choose an interpreter with Python 3.14 free-threaded | whydll.interpreter
            "#]],
        );
        check_build(
            &both(),
            "native.pyd  imports python3t.dll, exports PyInit_native",
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.15 or later, but this environment runs Python 3.14.
                  pkg/native.pyd is for Python 3.15 or later; C:\Python\python314.dll is Python 3.14.2.
                  Use C:\Python\python3.14t.exe, which has pkg.
                  Python: Windows fatal exception: access violation
                  * Use C:\Python\python3.14t.exe, which has pkg | "whydll.interpreter": "C:\\Python\\python3.14t.exe"
                  ? Choose an interpreter with Python 3.15 or later | whydll.interpreter
            "#]],
        );
    }

    /// A module for both builds need not define the function that earlier versions of Python call
    /// (PEP 793).
    #[test]
    fn modules_for_the_stable_abi_of_both_builds_in_earlier_versions() {
        let module = "native.pyd  imports python3t.dll, exports PyModExport_native";
        check_build(
            GIL_ENABLED,
            module,
            expect![[r#"
                error unsupported-python: python3t.dll
                  `import pkg` will fail: its native modules are built for Python 3.15 or later, but this environment runs Python 3.14.
                  pkg/native.pyd is for Python 3.15 or later; C:\Python\python314.dll is Python 3.14.2.
                  Choose an interpreter with Python 3.15 or later, or reinstall pkg with this one.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Choose an interpreter with Python 3.15 or later | whydll.interpreter
            "#]],
        );
        check_build(
            &both(),
            module,
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.15 or later, but this environment runs Python 3.14.
                  pkg/native.pyd is for Python 3.15 or later; C:\Python\python314.dll is Python 3.14.2.
                  Choose an interpreter with Python 3.15 or later, or reinstall pkg with this one.
                  Python: ImportError: dynamic module does not define module export function (PyInit_native)
                  ? Choose an interpreter with Python 3.15 or later | whydll.interpreter
                  ~ Use C:\Python\python3.14t.exe, which has pkg | "whydll.interpreter": "C:\\Python\\python3.14t.exe"
            "#]],
        );
        check_build(
            FREE_THREADED,
            module,
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.15 or later, but this environment runs Python 3.14 free-threaded.
                  pkg/native.pyd is for Python 3.15 or later; C:\Python\python314t.dll is Python 3.14.2 free-threaded.
                  Choose an interpreter with Python 3.15 or later, or reinstall pkg with this one.
                  Python: ImportError: dynamic module does not define module export function (PyInit_native)
                  ? Choose an interpreter with Python 3.15 or later | whydll.interpreter
            "#]],
        );
        let with_both = "native.pyd  imports python3t.dll, exports PyInit_native";
        check_build(FREE_THREADED, with_both, expect!["healthy\n"]);
    }

    #[test]
    fn modules_for_the_build_that_runs() {
        for (python, module) in [
            (FREE_THREADED.to_owned(), "native.cp314t-win_amd64.pyd  imports python314t.dll"),
            (free_threaded_of_both(), "native.pyd  imports python314t.dll"),
            (both(), "native.cp314-win_amd64.pyd  imports python314.dll"),
            (both(), "native.pyd  imports python3.dll"),
        ] {
            check_build(&python, module, expect!["healthy\n"]);
        }
        // Wheels with the modules for both builds.
        let two = "native.cp314-win_amd64.pyd  imports python314.dll
            /Python/Lib/site-packages/pkg/native.cp314t-win_amd64.pyd  imports python314t.dll";
        check_build(&both(), two, expect!["healthy\n"]);
        check_build(&free_threaded_of_both(), two, expect!["healthy\n"]);
    }

    #[test]
    fn the_tags_of_the_wheel_are_reported() {
        check_build(
            FREE_THREADED,
            "native.pyd  imports python3.dll
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/WHEEL      text
                Tag: cp38-abi3-win_amd64
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/__init__.py,,
                pkg/native.pyd,,",
            expect![[r#"
                error unsupported-python: python3.dll
                  `import pkg` will fail: its native modules are built for GIL-enabled Python, but this environment runs Python 3.14 free-threaded.
                  pkg/native.pyd is for GIL-enabled Python; C:\Python\python314t.dll is Python 3.14.2 free-threaded. Its wheel was made for cp38-abi3-win_amd64.
                  Choose an interpreter with GIL-enabled Python, or reinstall pkg with this one.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Reinstall pkg 1.0 | C:\Python\python3.14t.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
                  ? Choose an interpreter with GIL-enabled Python | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn modules_for_the_free_threaded_build() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.cp313t-win_amd64.pyd
            /Python/Lib/site-packages/pkg/native.cpython-313-x86_64-linux-gnu.so   junk
            watch
            import pkg
            "#,
            expect![[r#"
                error unsupported-python: 
                  `import pkg` will fail: its native modules are built for Python 3.13 free-threaded, but this environment runs Python 3.13.
                  pkg/native.cp313t-win_amd64.pyd is for Python 3.13 free-threaded; C:\Python\python313.dll is Python 3.13.2.
                  Choose an interpreter with Python 3.13 free-threaded, or reinstall pkg with this one.
                  Python: ModuleNotFoundError: No module named 'pkg.native'
                  ? Choose an interpreter with Python 3.13 free-threaded | whydll.interpreter
            "#]],
        );
    }
}
