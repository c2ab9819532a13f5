#![doc = include_str!("../../../../docs/codes/outdated-vc-runtime.md")]

use crate::diagnosis::old_runtime::OldRuntime;
use crate::diagnosis::{Case, Finding, Problem, redistributable};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    OldRuntime::of(problem).is_some()
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(old) = problems.first().and_then(OldRuntime::of) else {
        return;
    };
    finding.advice = "Install a current runtime where this Python looks first.".to_owned();
    finding.fixes = redistributable::fixes(case);
    finding.fixes.extend(old.fixes_without(case));
    old.describe(case, None, finding);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn code_with_constexpr_mutexes_meets_an_older_runtime() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll                  version 14.29.30133.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports core.dll
            /Python/Lib/site-packages/pkg/core.dll       imports msvcp140.dll!_Mtx_lock, msvcp140.dll!_Mtx_unlock, calls its first import
            import pkg
            "#,
            expect![[r#"
                error outdated-vc-runtime: msvcp140.dll
                  `import pkg` will fail: pkg/core.dll needs msvcp140.dll 14.40 or newer, but gets 14.29.30133.0 and crashes in it.
                  It locks mutexes when it starts, as only code for msvcp140.dll 14.40 or newer does, and C:\Python\msvcp140.dll is older (Windows error 1114); this copy is found by the rule "application directory" (pkg/__init__.py:1 → pkg/native.pyd → pkg/core.dll).
                  Install the runtime into this Python with pip (no administrator needed).
                  Python: ImportError: DLL load failed while importing native: A dynamic link library (DLL) initialization routine failed.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
            "#]],
        );
    }

    #[test]
    fn older_code_and_newer_runtimes_are_healthy() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll             version 14.40.33810.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/a.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import
            /Python/Lib/site-packages/b.pyd  imports msvcp140.dll!_Mtx_lock, msvcp140.dll!_Mtx_init_in_situ, calls its first import
            import a
            import b
            "#,
            expect![[r#"
                healthy
                healthy
            "#]],
        );
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll             version 14.0.24210.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/b.pyd  imports msvcp140.dll!_Mtx_lock, msvcp140.dll!_Mtx_init_in_situ, calls its first import
            import b
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_newer_compiler_than_the_runtime_is_a_note() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll             version 14.16.27033.0
            /Python/Lib/site-packages/a.pyd  imports msvcp140.dll, linker 14.29
            /Python/Lib/site-packages/b.pyd  imports msvcp140.dll, linker 14.16
            /Python/Lib/site-packages/c.pyd  imports msvcp140.dll, linker 14.0
            import a
            import b
            import c
            machine windows-11+vcredist
            import a
            "#,
            expect![[r#"
                note outdated-vc-runtime: msvcp140.dll
                  a.pyd was built with a newer compiler (14.29) than the msvcp140.dll that it gets (14.16.27033.0).
                  The file's header and the version of C:\Python\msvcp140.dll show this; this copy is found by the rule "application directory" (a.pyd).
                  This usually works, but Microsoft guarantees it only if the runtime is at least as new. If something crashes: install a current runtime where this Python looks first.
                healthy
                healthy
                note conflicting-vc-runtime: msvcp140.dll
                  a.pyd was built with a newer compiler (14.29) than the msvcp140.dll that it gets (14.16.27033.0).
                  The file's header and the version of C:\Python\msvcp140.dll show this; this copy is found by the rule "application directory" (a.pyd). C:\Windows\System32\msvcp140.dll 14.51.36247.0 would do.
                  This usually works, but Microsoft guarantees it only if the runtime is at least as new. If something crashes: update or remove whatever installed the older copy, or load a newer one first.
            "#]],
        );
    }

    #[test]
    fn an_older_compiler_may_lock_what_another_module_has_initialized() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll             version 14.35.32217.1, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/a.pyd  imports msvcp140.dll!_Mtx_lock, linker 14.35, calls its first import
            import a
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    /// faiss-cpu 1.8 is like this: it uses an msvcp140.dll 14.16 and a module that was linked by
    /// 14.40, and Python imports it.
    #[test]
    fn code_that_locks_nothing_when_it_starts_is_imported() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140-b9d2f193.dll    version 14.16.27033.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/a.pyd  imports msvcp140-b9d2f193.dll!_Mtx_lock, linker 14.40
            /Python/Lib/site-packages/b.pyd  imports msvcp140-b9d2f193.dll!_Mtx_unlock, msvcp140-b9d2f193.dll!_Mtx_lock, calls its first import
            import a
            import b
            "#,
            expect![[r#"
                healthy
                healthy
            "#]],
        );
    }

    /// optree 0.19.0 is like this. Python calls the function after the load, and no handler can
    /// catch the crash.
    #[test]
    fn code_that_locks_when_python_initializes_it_ends_the_process() {
        check(
            r#"
            /Python/python.exe       imports python312.dll
            /Python/python312.dll    version 3.12.9150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll     version 14.29.30133.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/pkg/__init__.py    text
                try:
                    from . import native
                except Exception:
                    pass
            /Python/Lib/site-packages/pkg/native.pyd   imports msvcp140.dll!_Mtx_lock, calls its first import as it is initialized
            /Python/Lib/site-packages/old.pyd          imports msvcp140.dll!_Mtx_lock, linker 14.35, calls its first import as it is initialized
            /Python/Lib/site-packages/own.pyd          imports msvcp140.dll!_Mtx_lock, msvcp140.dll!_Mtx_init_in_situ, calls its first import as it is initialized
            import pkg
            import old
            import own
            "#,
            expect![[r#"
                error outdated-vc-runtime: msvcp140.dll
                  `import pkg` will end the process with an access violation, which cannot be caught: pkg/native.pyd needs msvcp140.dll 14.40 or newer, but gets 14.29.30133.0 and crashes in it.
                  Windows loads it, and it locks mutexes when Python initializes it (`PyInit_…`), as only code for msvcp140.dll 14.40 or newer does, and C:\Python\msvcp140.dll is older; this copy is found by the rule "application directory" (pkg/__init__.py:2 → pkg/native.pyd).
                  Install the runtime into this Python with pip (no administrator needed), or rename C:\Python\msvcp140.dll to msvcp140.dll.old.
                  Python: Windows fatal exception: access violation
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Rename C:\Python\msvcp140.dll to msvcp140.dll.old | Rename-Item -LiteralPath C:\Python\msvcp140.dll -NewName msvcp140.dll.old
                note outdated-vc-runtime: msvcp140.dll
                  old.pyd was built with a newer compiler (14.35) than the msvcp140.dll that it gets (14.29.30133.0).
                  The file's header and the version of C:\Python\msvcp140.dll show this; this copy is found by the rule "application directory" (old.pyd).
                  This usually works, but Microsoft guarantees it only if the runtime is at least as new. If something crashes: install a current runtime where this Python looks first.
                healthy
            "#]],
        );
    }

    #[test]
    fn a_runtime_that_lacks_a_function() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/vcruntime140_1.dll       version 14.20.27508.0, exports __CxxFrameHandler4
            /Python/Lib/site-packages/a.pyd  imports vcruntime140_1.dll!__CxxFrameHandler4, vcruntime140_1.dll!__NLG_Return2
            import a
            "#,
            expect![[r#"
                error outdated-vc-runtime: vcruntime140_1.dll
                  `import a` will fail: a.pyd needs a newer vcruntime140_1.dll than 14.20.27508.0.
                  It imports `__NLG_Return2`, which C:\Python\vcruntime140_1.dll does not export (Windows error 127); this copy is found by the rule "application directory" (a.pyd).
                  Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator, then rename C:\Python\vcruntime140_1.dll to vcruntime140_1.dll.old.
                  Python: ImportError: DLL load failed while importing a: The specified procedure could not be found.
                  * Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator, then rename C:\Python\vcruntime140_1.dll to vcruntime140_1.dll.old | https://aka.ms/vc14/vc_redist.x64.exe | Rename-Item -LiteralPath C:\Python\vcruntime140_1.dll -NewName vcruntime140_1.dll.old
            "#]],
        );
    }
}
