//! Exceptions: what raises them, and what catches them.

use expect_test::expect;

use super::{answer, check, follow, init, init_does, python};

#[test]
fn importerror_catches_a_failing_module_and_the_program_continues() {
    init_does(
        "try:
    from . import broken
except ImportError:
    from . import good
from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:2
            native pkg.good <- __init__.py:4
            native pkg.extra <- __init__.py:5
        "#]],
    );
}

#[test]
fn modulenotfounderror_does_not_catch_a_failing_module() {
    init_does(
        "try:
    from . import broken
except ModuleNotFoundError:
    from . import good",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:2
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn oserror_does_not_catch_a_failing_module_but_a_failing_library() {
    init_does(
        "import ctypes
try:
    ctypes.WinDLL('missing.dll')
except OSError:
    from . import extra
try:
    from . import broken
except OSError:
    from . import good",
        expect![[r#"
            pkg <- line 1
            library missing.dll FAILS <- __init__.py:3
            native pkg.extra <- __init__.py:5
            native pkg.broken FAILS <- __init__.py:7
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn importerror_does_not_catch_a_failing_library() {
    init_does(
        "from ctypes import CDLL
try:
    CDLL('missing.dll')
except ImportError:
    from . import good",
        expect![[r#"
            pkg <- line 1
            library missing.dll FAILS <- __init__.py:3
            => FileNotFoundError: Could not find module 'missing.dll' (or one of its dependencies). Try using the full path with constructor syntax.
        "#]],
    );
}

#[test]
fn tuples_bases_and_bare_handlers_catch() {
    init_does(
        "try:
    from . import broken
except (OSError, ImportError):
    from . import good
try:
    from . import broken
except Exception:
    pass
try:
    from . import broken
except:
    pass
class Mine(ImportError):
    pass
try:
    from . import broken
except Mine:
    pass",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:2
            native pkg.good <- __init__.py:4
            native pkg.broken FAILS <- __init__.py:6
            native pkg.broken FAILS <- __init__.py:10
            native pkg.broken FAILS <- __init__.py:16
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn the_first_handler_that_fits_runs_and_then_finally() {
    init_does(
        "try:
    from . import broken
except OSError:
    from . import extra
except ImportError:
    from . import good
except Exception:
    from . import extra
else:
    from . import extra
finally:
    import ctypes
    ctypes.WinDLL('kernel32')",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:2
            native pkg.good <- __init__.py:6
            library kernel32 <- __init__.py:13
        "#]],
    );
}

#[test]
fn else_runs_if_nothing_fails() {
    init_does(
        "try:
    from . import good
except ImportError:
    from . import broken
else:
    from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:2
            native pkg.extra <- __init__.py:6
        "#]],
    );
}

#[test]
fn nested_handlers_pass_on_what_they_do_not_catch() {
    init_does(
        "try:
    try:
        from . import broken
    except OSError:
        from . import extra
    finally:
        from . import good
except ImportError:
    import pkg.second
",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:3
            native pkg.good <- __init__.py:7
            unknown: no module pkg.second is found <- __init__.py:9
        "#]],
    );
}

#[test]
fn a_bare_raise_raises_what_is_handled() {
    init_does(
        "try:
    from . import broken
except ImportError:
    from . import good
    raise",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:2
            native pkg.good <- __init__.py:4
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn an_exception_raised_by_a_handler_has_its_own_message() {
    init_does(
        "try:
    from . import broken
except ImportError as e:
    raise ImportError('Install the thing. Original error was: %s' % e) from e",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:2
            => ImportError: Install the thing. Original error was: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn an_exception_with_an_unknown_message_falls_back_to_the_cause() {
    init_does(
        "import secrets
try:
    from . import broken
except ImportError as e:
    raise RuntimeError(secrets.token_hex()) from e",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:3
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn an_exception_that_is_kept_and_raised_later_is_the_same() {
    init_does(
        "error = None
try:
    from . import broken
except ImportError as e:
    error = e
if error is not None:
    raise error",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:3
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_finally_that_raises_hides_what_came_before() {
    init_does(
        "try:
    from . import broken
finally:
    raise ValueError('hidden')",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:2
            => ValueError: hidden
        "#]],
    );
}

/// From `tensorflow/python/platform/self_check.py`, since 2.1.
const SELF_CHECK: &str = r#"
        /s/pkg/__init__.py   text
            from pkg import self_check
            self_check.preload_check()
            from pkg import native
        /s/pkg/native.pyd    imports msvcp140.dll
        /s/pkg/build_info.py  text
            build_info = {'msvcp_dll_names': 'msvcp140.dll,msvcp140_1.dll'}
        /s/pkg/self_check.py   text
            import os
            from pkg import build_info
            def preload_check():
                if os.name == "nt":
                    if "msvcp_dll_names" in build_info.build_info:
                        import ctypes
                        missing = []
                        for dll_name in build_info.build_info["msvcp_dll_names"].split(","):
                            try:
                                ctypes.WinDLL(dll_name)
                            except OSError:
                                missing.append(dll_name)
                        if missing:
                            raise ImportError(
                                "Could not find the DLL(s) %r. TensorFlow requires that these DLLs be "
                                "installed." % " or ".join(missing))
"#;

#[test]
fn a_self_check_raises_because_of_the_libraries_that_it_tried() {
    follow(
        SELF_CHECK,
        expect![[r#"
        pkg <- line 1
        pkg.self_check <- __init__.py:1
        os <- self_check.py:1
        pkg.build_info <- self_check.py:2
        library msvcp140.dll FAILS <- self_check.py:10
        library msvcp140_1.dll FAILS <- self_check.py:10
        => ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'. TensorFlow requires that these DLLs be installed.
    "#]],
    );
}

#[test]
fn a_self_check_passes_with_the_runtime() {
    follow(
        &format!("{SELF_CHECK}\n        machine windows-11+vcredist"),
        expect![[r#"
        pkg <- line 1
        pkg.self_check <- __init__.py:1
        os <- self_check.py:1
        pkg.build_info <- self_check.py:2
        library msvcp140.dll <- self_check.py:10
        library msvcp140_1.dll <- self_check.py:10
        native pkg.native <- __init__.py:3
    "#]],
    );
}

/// The same since 2.22: it searches the folders of PATH itself, where a runtime next to python.exe
/// doesn't count.
#[test]
fn a_self_check_looks_for_the_runtime_on_path() {
    let tries = "                            try:\n                                ctypes.WinDLL(dll_name)\n                            \
                 except OSError:\n                                missing.append(dll_name)\n";
    let looks = "                            for folder in os.environ.get('PATH', '').split(';'):\n                                \
                 if os.path.isfile(os.path.join(folder, dll_name)):\n                                    break\n                            \
                 else:\n                                missing.append(dll_name)\n";
    let check = SELF_CHECK.replace(tries, looks);
    assert_ne!(check, SELF_CHECK);
    let check = format!("{check}\n        /path/other.dll\n        path /path");
    let with_runtime = format!("{check}\n        /Python/msvcp140.dll\n        /Python/msvcp140_1.dll");
    for world in [check.as_str(), with_runtime.as_str()] {
        let followed = answer(&python(8, world));
        let sentence = "=> ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'.";
        assert!(followed.contains(sentence), "{followed}");
    }
    let whole = format!(
        "{check}\n        /path/msvcp140.dll\n        /path/msvcp140_1.dll\n        machine windows-11+vcredist"
    );
    let followed = answer(&python(8, &whole));
    assert!(followed.contains("native pkg.native <- "), "{followed}");
}

#[test]
fn a_failure_swallowed_by_a_helper_is_the_cause_of_its_callers_exception() {
    init_does(
        "import ctypes
def has(name):
    try:
        ctypes.WinDLL(name)
        return True
    except OSError:
        return False
if not has('missing.dll'):
    raise ImportError('missing.dll is needed')",
        expect![[r#"
            pkg <- line 1
            library missing.dll FAILS <- __init__.py:4
            => ImportError: missing.dll is needed
        "#]],
    );
    check(
        &python(
            8,
            &init(
                "import ctypes
def has(name):
    try:
        ctypes.WinDLL(name)
        return True
    except OSError:
        return False
if not has('missing.dll'):
    raise ImportError('missing.dll is needed')",
            ),
        )
        .replace("follow pkg", "import pkg"),
        expect![[r#"
            error missing-dll: missing.dll
              `import pkg` will fail: missing.dll is missing.
              pkg/__init__.py (line 4) loads missing.dll; Python 3.8 looks for it in C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: missing.dll is needed
        "#]],
    );
}
