#![doc = include_str!("../../../../docs/codes/conflicting-vc-runtime.md")]

use crate::diagnosis::old_runtime::OldRuntime;
use crate::diagnosis::{Case, Finding, Problem, redistributable};

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    OldRuntime::of(problem).is_some_and(|old| old.better_copy(case).is_some())
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(old) = problems.first().and_then(OldRuntime::of) else {
        return;
    };
    finding.advice =
        "Update or remove whatever installed the older copy, or load a newer one first.".to_owned();
    finding.fixes = old.fixes_without(case);
    finding.fixes.extend(redistributable::fixes(case));
    finding.winner = old.winner(case);
    old.describe(case, old.better_copy(case), finding);
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
                  It locks mutexes when it starts, as only code for msvcp140.dll 14.40 or newer does, and C:\Python\Lib\site-packages\scipy\.libs\msvcp140.dll is older (Windows error 1114); this copy was loaded first by the rule "full path" (scipy/__init__.py:3), and Windows reuses a DLL that is already loaded, wherever it is. C:\Windows\System32\msvcp140.dll 14.51.36247.0 would do.
                  Update or remove whatever installed the older copy, or load a newer one first.
                  Python: ImportError: DLL load failed while importing native: A dynamic link library (DLL) initialization routine failed.
                  ? Update scipy | C:\Python\python.exe -m pip install --upgrade scipy
            "#]],
        );
    }

    #[test]
    fn an_older_copy_next_to_python_takes_precedence_over_system32() {
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
                  It locks mutexes when it starts, as only code for msvcp140.dll 14.40 or newer does, and C:\Python\msvcp140.dll is older (Windows error 1114); this copy is found by the rule "application directory" (a.pyd). C:\Windows\System32\msvcp140.dll 14.51.36247.0 would do.
                  Install the runtime into this Python with pip (no administrator needed), or rename C:\Python\msvcp140.dll to msvcp140.dll.old.
                  Python: ImportError: DLL load failed while importing a: A dynamic link library (DLL) initialization routine failed.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Rename C:\Python\msvcp140.dll to msvcp140.dll.old | Rename-Item -LiteralPath C:\Python\msvcp140.dll -NewName msvcp140.dll.old
            "#]],
        );
    }

    #[test]
    fn another_extension_loads_an_older_copy_of_a_dependency() {
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
                  It locks mutexes when it starts, as only code for msvcp140.dll 14.40 or newer does, and C:\Python\Lib\site-packages\qt\msvcp140.dll is older (Windows error 1114); this copy was loaded first by the rule "the DLL's own directory" (qt/__init__.py:1 → qt/core.pyd → qt/qt5.dll), and Windows reuses a DLL that is already loaded, wherever it is. C:\Windows\System32\msvcp140.dll 14.51.36247.0 would do.
                  Rename C:\Python\Lib\site-packages\qt\msvcp140.dll to msvcp140.dll.old.
                  Python: ImportError: DLL load failed while importing native: A dynamic link library (DLL) initialization routine failed.
                  * Rename C:\Python\Lib\site-packages\qt\msvcp140.dll to msvcp140.dll.old | Rename-Item -LiteralPath C:\Python\Lib\site-packages\qt\msvcp140.dll -NewName msvcp140.dll.old
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
                  It locks mutexes when it starts, as only code for msvcp140.dll 14.40 or newer does, and C:\Python\Lib\site-packages\scipy\.libs\msvcp140.dll is older (Windows error 1114); this copy was loaded first by the rule "full path" (scipy/__init__.py:3), and Windows reuses a DLL that is already loaded, wherever it is. C:\Windows\System32\msvcp140.dll 14.51.36247.0 would do.
                  Rename C:\Python\Lib\site-packages\scipy\.libs\msvcp140.dll to msvcp140.dll.old.
                  Python: ImportError: DLL load failed while importing pkg: A dynamic link library (DLL) initialization routine failed.
                  * Rename C:\Python\Lib\site-packages\scipy\.libs\msvcp140.dll to msvcp140.dll.old | Rename-Item -LiteralPath C:\Python\Lib\site-packages\scipy\.libs\msvcp140.dll -NewName msvcp140.dll.old
            "#]],
        );
    }
}
