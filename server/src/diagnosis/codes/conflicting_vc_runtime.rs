//! # conflicting-vc-runtime
//!
//! A good Visual C++ runtime is installed, but an older copy of it wins.
//!
//! ## What it means
//! Windows keeps one `msvcp140.dll` for the whole process: the first that anybody loads, wherever it lies. Packages that bring an
//! own copy (older SciPy, PyQt5, some conda packages) can so decide what every other package gets, and which one it is depends on
//! the order of the imports. A copy beside `python.exe` wins over System32 too.
//!
//! ## How we know
//! The load was simulated. The message says which copy wins, by which rule, who brought it in, and where the better one lies.
//!
//! ## What to do
//! Update the package that brings the old copy. If it must stay, import the package that needs the newer runtime first.

use crate::diagnosis::case::name_of;
use crate::diagnosis::old_runtime::OldRuntime;
use crate::diagnosis::{Case, Finding, Problem, redistributable};
use crate::fix::{Action, Command, Fix};
use crate::loader::Provider;

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    OldRuntime::of(problem).is_some_and(|old| old.better_copy(case).is_some())
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(old) = problems.first().and_then(OldRuntime::of) else {
        return;
    };
    cure(case, old.provider, finding);
    old.tell(case, old.better_copy(case), finding);
}

/// Ways to have the better copy win.
fn cure(case: &Case<'_>, provider: &Provider, finding: &mut Finding) {
    let files = &*case.host.files;
    if let Some(owner) = case.environment.owner_of(&provider.path, files) {
        let name = name_of(owner, files);
        let command = case.pip(&["install", "--upgrade", &name]);
        let mut upgrade = Fix::new(format!("Update {name}, which brings the older copy"), command);
        upgrade.preferred = true;
        finding.fixes.push(upgrade);
        let order = if provider.was_loaded { ", or import this one before it" } else { "" };
        finding.advice = format!("Update {name}{order}.");
    } else if case.is_conda() {
        let command = Command::new("conda", ["install", "-c", "conda-forge", "vc14_runtime"]);
        let mut update = Fix::new("Update the runtime in this environment with conda", Action::Run(command));
        update.preferred = true;
        finding.fixes.push(update);
        finding.advice = "Update the runtime that the environment brings.".to_owned();
    } else if provider.path.parent().as_ref() == Some(&case.environment.application_directory) {
        // A newer copy beside Python takes the old one's place.
        let beside = redistributable::fixes(case.environment).into_iter();
        finding.fixes = beside.filter(|fix| matches!(fix.action, Action::Run(_))).collect();
        if let Some(first) = finding.fixes.first_mut() {
            first.preferred = true;
        }
        finding.advice = "Replace or remove the older copy beside Python.".to_owned();
    } else {
        finding.advice =
            "Update the package that brings the older copy, or import this one before it.".to_owned();
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_package_loads_an_older_copy_first() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            machine windows-11+vcredist
            /Python/Lib/site-packages/pkg/__init__.py    text
                import scipy
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports msvcp140.dll!_Mtx_lock, calls its first import
            /Python/Lib/site-packages/scipy/.libs/msvcp140.dll    version 14.0.24210.0, exports _Mtx_lock, _Mtx_init_in_situ
            /Python/Lib/site-packages/scipy/__init__.py  text
                import os
                from ctypes import WinDLL
                WinDLL(os.path.join(os.path.dirname(__file__), '.libs', 'msvcp140.dll'))
            /Python/Lib/site-packages/scipy-1.4.1.dist-info/METADATA   text
                Name: scipy
                Version: 1.4.1
            /Python/Lib/site-packages/scipy-1.4.1.dist-info/RECORD     text
                scipy/.libs/msvcp140.dll,,
                scipy/__init__.py,,
            import pkg
            "#,
            expect![[r#"
                error conflicting-vc-runtime: msvcp140.dll
                  `import pkg` will fail: pkg/native.pyd needs msvcp140.dll 14.40 or newer, but gets 14.0.24210.0 and crashes in it.
                  It locks mutexes as it starts, and as only code for msvcp140.dll from 14.40 on does, and C:\Python\Lib\site-packages\scipy\.libs\msvcp140.dll is older (Windows error 1114); this copy was loaded first by the rule "full path" (scipy/__init__.py:3), and Windows takes a DLL that is loaded wherever it lies. C:\Windows\System32\msvcp140.dll 14.44.35211.0 would do.
                  Update scipy, or import this one before it.
                  Python: ImportError: DLL load failed while importing native: A dynamic link library (DLL) initialization routine failed.
                  * Update scipy, which brings the older copy | C:\Python\python.exe -m pip install --upgrade scipy
            "#]],
        );
    }

    #[test]
    fn an_older_copy_beside_python_wins_over_system32() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            machine windows-11+vcredist
            /Python/msvcp140.dll             version 14.29.30133.0, exports _Mtx_lock, _Mtx_init_in_situ
            /Python/Lib/site-packages/a.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import
            import a
            "#,
            expect![[r#"
                error conflicting-vc-runtime: msvcp140.dll
                  `import a` will fail: a.pyd needs msvcp140.dll 14.40 or newer, but gets 14.29.30133.0 and crashes in it.
                  It locks mutexes as it starts, and as only code for msvcp140.dll from 14.40 on does, and C:\Python\msvcp140.dll is older (Windows error 1114); this copy is taken by the rule "application directory" (a.pyd). C:\Windows\System32\msvcp140.dll 14.44.35211.0 would do.
                  Replace or remove the older copy beside Python.
                  Python: ImportError: DLL load failed while importing a: A dynamic link library (DLL) initialization routine failed.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
            "#]],
        );
    }

    #[test]
    fn an_older_copy_of_a_dependency_comes_with_another_extension() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            machine windows-11+vcredist
            /Python/Lib/site-packages/pkg/__init__.py    text
                import qt
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports msvcp140.dll!_Mtx_lock, calls its first import
            /Python/Lib/site-packages/qt/__init__.py     text
                from . import core
            /Python/Lib/site-packages/qt/core.pyd        imports qt5.dll
            /Python/Lib/site-packages/qt/qt5.dll         imports msvcp140.dll
            /Python/Lib/site-packages/qt/msvcp140.dll    version 14.26.28720.3, exports _Mtx_lock, _Mtx_init_in_situ
            import pkg
            "#,
            expect![[r#"
                error conflicting-vc-runtime: msvcp140.dll
                  `import pkg` will fail: pkg/native.pyd needs msvcp140.dll 14.40 or newer, but gets 14.26.28720.3 and crashes in it.
                  It locks mutexes as it starts, and as only code for msvcp140.dll from 14.40 on does, and C:\Python\Lib\site-packages\qt\msvcp140.dll is older (Windows error 1114); this copy was loaded first by the rule "the DLL's own directory" (qt/__init__.py:1 → qt/core.pyd → qt/qt5.dll), and Windows takes a DLL that is loaded wherever it lies. C:\Windows\System32\msvcp140.dll 14.44.35211.0 would do.
                  Update the package that brings the older copy, or import this one before it.
                  Python: ImportError: DLL load failed while importing native: A dynamic link library (DLL) initialization routine failed.
                  * Choose another interpreter | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn the_order_of_a_programs_imports_decides() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            machine windows-11+vcredist
            /Python/Lib/site-packages/pkg.pyd     imports msvcp140.dll!_Mtx_lock, calls its first import
            /Python/Lib/site-packages/scipy/.libs/msvcp140.dll    version 14.0.24210.0, exports _Mtx_lock, _Mtx_init_in_situ
            /Python/Lib/site-packages/scipy/__init__.py  text
                import os
                from ctypes import WinDLL
                WinDLL(os.path.join(os.path.dirname(__file__), '.libs', 'msvcp140.dll'))
            import pkg
            before import scipy
            import pkg
            "#,
            expect![[r#"
                healthy
                error conflicting-vc-runtime: msvcp140.dll
                  `import pkg` will fail: pkg.pyd needs msvcp140.dll 14.40 or newer, but gets 14.0.24210.0 and crashes in it.
                  It locks mutexes as it starts, and as only code for msvcp140.dll from 14.40 on does, and C:\Python\Lib\site-packages\scipy\.libs\msvcp140.dll is older (Windows error 1114); this copy was loaded first by the rule "full path" (scipy/__init__.py:3), and Windows takes a DLL that is loaded wherever it lies. C:\Windows\System32\msvcp140.dll 14.44.35211.0 would do.
                  Update the package that brings the older copy, or import this one before it.
                  Python: ImportError: DLL load failed while importing pkg: A dynamic link library (DLL) initialization routine failed.
                  * Choose another interpreter | whydll.interpreter
            "#]],
        );
    }
}
