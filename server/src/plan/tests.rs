//! Packages whose import is followed, with the events of each.

use expect_test::{Expect, expect};

use crate::testing::{answer, check, check_changed};

mod followed;
mod lazy;

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

/// LightGBM and XGBoost do this: a function in another module returns the path of the library.
#[test]
fn a_function_that_composes_the_path_of_a_dll_is_followed() {
    follow(
        r#"
        /s/pkg/lib/pkg.dll      imports kernel32.dll
        /s/pkg/libpath.py       text
            import os
            from pathlib import Path
            from platform import system

            def find_lib_path():
                """Returns the paths of the library, in the package's directory or in the build tree, for each system."""
                here = os.path.dirname(os.path.abspath(os.path.expanduser(__file__)))
                candidates = [os.path.join(here, "Release"), os.path.join(here, "lib")]
                if system() in ("Windows", "Microsoft"):
                    candidates = [os.path.join(folder, "pkg.dll") for folder in candidates]
                else:
                    candidates = [os.path.join(folder, "pkg.so") for folder in candidates]
                found = [path for path in candidates if os.path.exists(path) and os.path.isfile(path)]
                if not found:
                    listed = "\n".join(candidates)
                    raise RuntimeError(f"Cannot find it in:\n{listed}")
                return found
        /s/pkg/__init__.py      text
            import ctypes
            from .libpath import find_lib_path
            _LIB = ctypes.cdll.LoadLibrary(find_lib_path()[0])
        "#,
        expect![[r#"
            pkg <- line 1
            pkg.libpath <- __init__.py:2
            os <- libpath.py:1
            library C:\Python\Lib\site-packages\pkg\lib\pkg.dll <- __init__.py:3
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

#[test]
fn branches_of_other_platforms_and_versions_do_not_run() {
    init_does(
        "import os, sys, platform
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from . import broken
if sys.platform == 'linux' or sys.platform.startswith('darwin'):
    from . import broken
elif os.name == 'nt':
    from . import good
else:
    from . import broken
if sys.version_info < (3, 8) or sys.version_info[0] == 2 or sys.version_info.minor > 9:
    from . import broken
if sys.version_info[:2] >= (3, 8) and platform.system() == 'Windows':
    from . import extra
if sys.maxsize <= 2**32 or 'linux' in sys.platform or not sys.platform == 'win32':
    from . import broken",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            native pkg.good <- __init__.py:8
            native pkg.extra <- __init__.py:14
        "#]],
    );
}

#[test]
fn an_unknown_condition_lets_both_branches_run_and_proves_nothing() {
    let code = "import random
if random.random() < 0.5:
    from . import broken
else:
    from . import good
while random.random() < 0.5:
    from . import broken
for _ in random.sample():
    from . import broken
random.random() and __import__('pkg.broken')";
    init_does(
        code,
        expect![[r#"
        pkg <- line 1
        native pkg.broken FAILS <- __init__.py:3
        native pkg.good <- __init__.py:5
        native pkg.broken FAILS <- __init__.py:7
        native pkg.broken FAILS <- __init__.py:9
        native pkg.broken FAILS <- __init__.py:10
    "#]],
    );
    check(
        &python(8, &init(code)).replace("follow pkg", "import pkg"),
        expect![[r#"
            healthy
        "#]],
    );
}

#[test]
fn exceptions_and_returns_in_an_unknown_branch_are_uncertain() {
    init_does(
        "import random
def choose():
    if random.random() < 0.5:
        return
    from . import good
choose()
if random.random() < 0.5:
    raise ImportError('perhaps')
name = 'broken'
if random.random() < 0.5:
    name = 'good'
if name == 'broken':
    from . import broken
from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:5
            native pkg.broken FAILS <- __init__.py:13
            native pkg.extra <- __init__.py:14
        "#]],
    );
}

#[test]
fn code_after_an_uncertain_return_or_continue_proves_nothing_either() {
    let code = "import random
def is_wanted():
    if random.random() < 0.5:
        return True
    return False
def load():
    if random.random() < 0.5:
        return
    from . import broken
load()
for name in ['good', 'broken']:
    if random.random() < 0.5:
        continue
    __import__('pkg.' + name)
if not is_wanted():
    raise ImportError('not wanted')
from . import extra";
    init_does(
        code,
        expect![[r#"
        pkg <- line 1
        native pkg.broken FAILS <- __init__.py:9
        native pkg.good <- __init__.py:14
        native pkg.broken FAILS <- __init__.py:14
        native pkg.extra <- __init__.py:17
    "#]],
    );
    check(
        &python(8, &init(code)).replace("follow pkg", "import pkg"),
        expect![[r#"
            healthy
        "#]],
    );
}

#[test]
fn under_an_unknown_condition_values_are_known_but_afterwards_they_may_be_the_old_ones() {
    init_does(
        "import random
def module(name):
    return 'pkg.' + name
last = 'broken'
if random.random() < 0.5:
    for name in ['good', 'extra']:
        __import__(module(name))
        last = name
    if last == 'extra':
        import pkg.second
if last == 'broken':
    import pkg.third
else:
    import pkg.fourth",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:7
            native pkg.extra <- __init__.py:7
            unknown: no module pkg.second is found <- __init__.py:10
            unknown: no module pkg.third is found <- __init__.py:12
            unknown: no module pkg.fourth is found <- __init__.py:14
        "#]],
    );
}

#[test]
fn certain_failures_after_an_unknown_branch_are_reported() {
    init_does(
        "import random
if random.random() < 0.5:
    from . import broken
from . import broken",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:3
            native pkg.broken FAILS <- __init__.py:4
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn relative_imports_start_at_their_package() {
    follow(
        "
        /s/pkg/__init__.py           text
            from .sub.deep import leaf
        /s/pkg/top.pyd
        /s/pkg/sub/__init__.py       text
            from .. import top
        /s/pkg/sub/side.py           text
        /s/pkg/sub/deep/__init__.py  text
            from ..side import nothing
        /s/pkg/sub/deep/leaf.py      text
            from ... import top
            from ...sub import side as other
            from .... import beyond
        ",
        expect![[r#"
            pkg <- line 1
            pkg.sub <- __init__.py:1
            native pkg.top <- __init__.py:1
            pkg.sub.deep <- __init__.py:1
            pkg.sub.side <- __init__.py:1
            pkg.sub.deep.leaf <- __init__.py:1
            unknown: ignored as a probable analysis error: ImportError: attempted relative import beyond top-level package <- leaf.py:3
        "#]],
    );
}

#[test]
fn modules_that_import_each_other_run_once() {
    follow(
        "
        /s/pkg/__init__.py   text
            from . import a
        /s/pkg/a.py          text
            from . import b
            from . import native
        /s/pkg/b.py          text
            from . import a
            import pkg.a
            from pkg.a import later
        /s/pkg/native.pyd
        ",
        expect![[r#"
            pkg <- line 1
            pkg.a <- __init__.py:1
            pkg.b <- a.py:1
            native pkg.native <- a.py:2
        "#]],
    );
}

#[test]
fn a_submodule_is_imported_by_from_only_if_the_package_has_no_such_name() {
    follow(
        "
        /s/pkg/__init__.py       text
            from pkg.sub import one, two
        /s/pkg/sub/__init__.py   text
            one = 1
        /s/pkg/sub/one.pyd       imports missing.dll
        /s/pkg/sub/two.pyd
        ",
        expect![[r#"
            pkg <- line 1
            pkg.sub <- __init__.py:1
            native pkg.sub.two <- __init__.py:1
        "#]],
    );
}

#[test]
fn a_module_that_is_imported_again_is_not_bound_in_its_package_again() {
    init_does(
        "from . import good
del good
import pkg.good
try:
    good
except NameError:
    from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:1
            native pkg.extra <- __init__.py:7
        "#]],
    );
}

#[test]
fn a_star_takes_all_that_all_names_even_submodules() {
    follow(
        "
        /s/pkg/__init__.py         text
            from .listed import *
            from .unlisted import *
            from .native import *
            name
            _hidden
            if word == 'from unlisted':
                from . import good
        /s/pkg/good.pyd
        /s/pkg/native.pyd
        /s/pkg/listed/__init__.py  text
            __all__ = ['name', 'sub']
            name = 1
            word = 'from listed'
        /s/pkg/listed/sub.pyd
        /s/pkg/listed/unnamed.pyd  imports missing.dll
        /s/pkg/unlisted/__init__.py  text
            word = 'from unlisted'
            _hidden = 1
        /s/pkg/unlisted/sub.pyd    imports missing.dll
        ",
        expect![[r#"
            pkg <- line 1
            pkg.listed <- __init__.py:1
            native pkg.listed.sub <- __init__.py:1
            pkg.unlisted <- __init__.py:2
            native pkg.native <- __init__.py:3
            native pkg.good <- __init__.py:7
        "#]],
    );
}

/// NumPy 2 does this. The real order depends on the strings' hashes and differs between processes.
#[test]
fn names_in_a_union_of_sets_are_known() {
    follow(
        "
        /s/pkg/__init__.py         text
            from .listed import *
        /s/pkg/listed/__init__.py  text
            from . import part
            submodules = {'one', 'two'}
            __all__ = list(submodules | set(part.__all__) | {'two', 'absent'})
            def __getattr__(name):
                if name == 'one':
                    import pkg.listed.one as one
                    return one
        /s/pkg/listed/part.py      text
            __all__ = ['three']
        /s/pkg/listed/one.pyd
        /s/pkg/listed/two.pyd
        /s/pkg/listed/three.pyd
        /s/pkg/listed/unnamed.pyd
        ",
        expect![[r#"
            pkg <- line 1
            pkg.listed <- __init__.py:1
            pkg.listed.part <- __init__.py:1
            native pkg.listed.one <- __init__.py:1
            native pkg.listed.two <- __init__.py:1
            native pkg.listed.three <- __init__.py:1
        "#]],
    );
}

/// SciPy takes all names of NumPy in this way and then imports parts of itself by its package's
/// name.
#[test]
fn executed_code_imports() {
    follow(
        r#"
        /s/pkg/__init__.py         text
            from .clone import clone
            clone('pkg.listed')
            exec("import pkg.one\nname = 'two'")
            __import__(__package__ + '.' + name)
            exec(input())
            try:
                exec("from . import broken")
            except ImportError:
                exec("from . import three")
        /s/pkg/clone.py            text
            import importlib
            def clone(name):
                module = importlib.import_module(name)
                names = {}
                exec(f"from {module.__name__} import *", names)
                return list(names)
        /s/pkg/listed/__init__.py  text
            __all__ = ['part']
        /s/pkg/listed/part.pyd
        /s/pkg/one.pyd
        /s/pkg/two.pyd
        /s/pkg/three.pyd
        /s/pkg/broken.pyd          imports missing.dll
        "#,
        expect![[r#"
            pkg <- line 1
            pkg.clone <- __init__.py:1
            pkg.listed <- clone.py:3
            native pkg.listed.part <- clone.py:5
            native pkg.one <- __init__.py:3
            native pkg.two <- __init__.py:4
            unknown: the argument of exec can't be determined from the code <- __init__.py:5
            native pkg.broken FAILS <- __init__.py:7
            native pkg.three <- __init__.py:9
        "#]],
    );
}

/// Code that executes itself doesn't end in Python either.
#[test]
fn code_that_executes_itself_ends() {
    follow(
        r#"
        /s/pkg/__init__.py  text
            def again():
                import pkg.one
                exec("again()")
                exec("again()", {})
            again()
        /s/pkg/one.pyd
        "#,
        expect![[r#"
            pkg <- line 1
            native pkg.one <- __init__.py:2
        "#]],
    );
}

#[test]
fn import_functions_import() {
    init_does(
        "import importlib
from importlib import import_module as load
importlib.import_module('pkg.good')
load('.extra', package=__name__)
__import__('pkg.second')
try:
    load('.broken', __name__)
except ImportError:
    pass
load(input())",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:3
            native pkg.extra <- __init__.py:4
            unknown: no module pkg.second is found <- __init__.py:5
            native pkg.broken FAILS <- __init__.py:7
            unknown: the name of a module that import_module imports can't be determined from the code <- __init__.py:10
        "#]],
    );
}

#[test]
fn libraries_that_a_glob_finds_are_loaded_in_the_order_of_the_folder() {
    follow(
        "
        /s/pkg/.libs/b.dll      imports a.dll
        /s/pkg/.libs/a.dll
        /s/pkg/.libs/notes.txt  text
        /s/pkg/native.pyd       imports a.dll, b.dll
        /s/pkg/__init__.py      text
            import os, glob
            from ctypes import WinDLL
            basedir = os.path.dirname(__file__)
            libs = os.path.abspath(os.path.join(basedir, '.libs'))
            if os.path.isdir(libs):
                for filename in glob.glob(os.path.join(libs, '*.dll')):
                    WinDLL(os.path.abspath(filename))
            from . import native
        ",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            library C:\Python\Lib\site-packages\pkg\.libs\a.dll <- __init__.py:7
            library C:\Python\Lib\site-packages\pkg\.libs\b.dll <- __init__.py:7
            native pkg.native <- __init__.py:8
        "#]],
    );
}

#[test]
fn an_added_directory_is_searched_and_one_added_by_with_only_inside() {
    follow(
        "
        /libs/c.dll
        /more/d.dll
        /s/pkg/one.pyd    imports c.dll
        /s/pkg/two.pyd    imports d.dll
        /s/pkg/three.pyd  imports d.dll
        /s/pkg/__init__.py  text
            import os
            try:
                from . import one
            except ImportError:
                pass
            os.add_dll_directory(r'C:\\libs')
            from . import one
            with os.add_dll_directory(r'C:\\more'):
                import time
            try:
                from . import two
            except ImportError:
                pass
            handle = os.add_dll_directory(r'C:\\more')
            handle.close()
            try:
                from . import two
            except ImportError:
                pass
            with os.add_dll_directory(r'C:\\more'):
                from . import three
            from . import two
        ",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            native pkg.one FAILS <- __init__.py:3
            directory C:\libs <- __init__.py:6
            native pkg.one <- __init__.py:7
            directory C:\more <- __init__.py:8
            native pkg.two FAILS <- __init__.py:11
            directory C:\more <- __init__.py:14
            native pkg.two FAILS <- __init__.py:17
            directory C:\more <- __init__.py:20
            native pkg.three <- __init__.py:21
            native pkg.two <- __init__.py:22
        "#]],
    );
}

#[test]
fn adding_a_directory_that_does_not_exist_is_an_error() {
    init_does(
        "import os
try:
    os.add_dll_directory(r'C:\\nowhere')
except OSError:
    from . import good
try:
    os.add_dll_directory('relative')
except OSError:
    from . import extra
os.add_dll_directory(r'C:\\nowhere')",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            native pkg.good <- __init__.py:5
            unknown: a directory given to os.add_dll_directory can't be determined from the code <- __init__.py:7
            unknown: ignored as a probable analysis error: FileNotFoundError: [WinError 2] The system cannot find the file specified: 'C:\\nowhere' <- __init__.py:10
        "#]],
    );
}

#[test]
fn before_3_8_nothing_adds_a_directory() {
    let files = init(
        "import os
if hasattr(os, 'add_dll_directory'):
    os.add_dll_directory(r'C:\\nowhere')
else:
    from . import good
add = getattr(os, 'add_dll_directory', None)
if add:
    from . import extra",
    );
    check(
        &python(7, &files),
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:1
        native pkg.good <- __init__.py:5
    "#]],
    );
}

/// The patch of `__init__.py` by delvewheel 1.5.
const DELVEWHEEL: &str = r#"
        /s/pkg.libs/helper-0123.dll    imports other-4567.dll
        /s/pkg.libs/other-4567.dll
        /s/pkg.libs/.load-order-pkg-1.0   text
            other-4567.dll
            helper-0123.dll
        /s/pkg/native.pyd    imports helper-0123.dll
        /s/pkg/__init__.py   text
            def _delvewheel_patch_1_5_2():
                import ctypes
                import os
                import platform
                import sys
                libs_dir = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, 'pkg.libs'))
                is_conda_cpython = platform.python_implementation() == 'CPython' and (hasattr(ctypes.pythonapi, 'Anaconda_GetVersion') or 'packaged by conda-forge' in sys.version)
                if sys.version_info[:2] >= (3, 8) and not is_conda_cpython or sys.version_info[:2] >= (3, 10):
                    if os.path.isdir(libs_dir):
                        os.add_dll_directory(libs_dir)
                else:
                    load_order_filepath = os.path.join(libs_dir, '.load-order-pkg-1.0')
                    if os.path.isfile(load_order_filepath):
                        with open(os.path.join(libs_dir, '.load-order-pkg-1.0')) as file:
                            load_order = file.read().split()
                        for lib in load_order:
                            lib_path = os.path.join(os.path.join(libs_dir, lib))
                            kernel32 = ctypes.windll.kernel32
                            if os.path.isfile(lib_path) and not kernel32.LoadLibraryExW(ctypes.c_wchar_p(lib_path), None, 0x00000008):
                                raise OSError('Error loading {}; {}'.format(lib, ctypes.FormatError()))


            _delvewheel_patch_1_5_2()
            del _delvewheel_patch_1_5_2
            from . import native
"#;

#[test]
fn directories_added_by_delvewheel_are_searched() {
    for minor in [7, 8, 9, 10, 12] {
        let followed = answer(&python(minor, DELVEWHEEL));
        assert!(followed.contains("native pkg.native <- "), "3.{minor}: {followed}");
    }
    follow(
        DELVEWHEEL,
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:3
        directory C:\Python\Lib\site-packages\pkg.libs <- __init__.py:10
        library C:\Python\Lib\site-packages\pkg.libs\other-4567.dll <- __init__.py:19
        library C:\Python\Lib\site-packages\pkg.libs\helper-0123.dll <- __init__.py:19
        native pkg.native <- __init__.py:25
    "#]],
    );
    check(
        &python(7, DELVEWHEEL),
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:3
        library C:\Python\Lib\site-packages\pkg.libs\other-4567.dll <- __init__.py:19
        library C:\Python\Lib\site-packages\pkg.libs\helper-0123.dll <- __init__.py:19
        native pkg.native <- __init__.py:25
    "#]],
    );
}

#[test]
fn loadlibrary_called_by_hand_returns_null_instead_of_raising() {
    follow(
        "
        /s/pkg/libs/a.dll       imports b.dll
        /s/pkg/libs/b.dll
        /s/pkg/__init__.py      text
            import ctypes, os
            kernel32 = ctypes.WinDLL('kernel32.dll', use_last_error=True)
            here = os.path.dirname(__file__)
            if kernel32.LoadLibraryW(os.path.join(here, 'libs', 'a.dll')) is None:
                import pkg.plain_search_fails
            res = kernel32.LoadLibraryExW(os.path.join(here, 'libs', 'a.dll'), None, 0x00001100)
            if res is None:
                raise OSError('not here')
            if kernel32.LoadLibraryExW('missing.dll', None, 0x00001100) is None:
                err = ctypes.WinError(ctypes.get_last_error())
                err.strerror += ' Error loading'
                raise err
        ",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            library kernel32.dll <- __init__.py:2
            library C:\Python\Lib\site-packages\pkg\libs\a.dll FAILS <- __init__.py:4
            unknown: no module pkg.plain_search_fails is found <- __init__.py:5
            library C:\Python\Lib\site-packages\pkg\libs\a.dll <- __init__.py:6
            library missing.dll FAILS <- __init__.py:9
            => OSError: [WinError 87] The parameter is incorrect. Error loading
        "#]],
    );
}

#[test]
fn a_config_module_like_numpys_adds_its_directory() {
    follow(
        r#"
        /s/pkg/.libs/openblas.dll
        /s/pkg/core.pyd          imports openblas.dll
        /s/pkg/__init__.py       text
            try:
                from pkg.__config__ import show as show_config
            except ImportError:
                raise ImportError("Error importing pkg: you should not try to import it from its source")
            from . import core
        /s/pkg/__config__.py     text
            __all__ = ["get_info", "show"]
            import os
            import sys
            extra_dll_dir = os.path.join(os.path.dirname(__file__), '.libs')
            if sys.platform == 'win32' and os.path.isdir(extra_dll_dir):
                if sys.version_info >= (3, 8):
                    os.add_dll_directory(extra_dll_dir)
                else:
                    os.environ.setdefault('PATH', '')
                    os.environ['PATH'] += os.pathsep + extra_dll_dir
            def show():
                print('built')
        "#,
        expect![[r#"
            pkg <- line 1
            pkg.__config__ <- __init__.py:2
            os <- __config__.py:2
            directory C:\Python\Lib\site-packages\pkg\.libs <- __config__.py:7
            native pkg.core <- __init__.py:5
        "#]],
    );
}

#[test]
fn before_3_8_a_directory_appended_to_path_is_searched() {
    let world = r#"
        /s/pkg/.libs/openblas.dll
        /s/pkg/core.pyd          imports openblas.dll
        /s/pkg/__init__.py       text
            import os
            os.environ.setdefault('PATH', '')
            os.environ['PATH'] += os.pathsep + os.path.join(os.path.dirname(__file__), '.libs')
            from . import core
    "#;
    check(
        &python(7, world),
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:1
        native pkg.core <- __init__.py:4
    "#]],
    );
    check(
        &python(8, world),
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:1
        native pkg.core FAILS <- __init__.py:4
        => ImportError: DLL load failed while importing core: The specified module could not be found.
    "#]],
    );
}

#[test]
fn suppress_catches() {
    init_does(
        "import contextlib
from contextlib import suppress
with contextlib.suppress(ImportError):
    from . import broken
    from . import extra
with suppress(OSError, AttributeError):
    from . import good
with suppress(OSError):
    from . import broken",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:4
            native pkg.good <- __init__.py:7
            native pkg.broken FAILS <- __init__.py:9
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn lazy_code_does_not_run() {
    init_does(
        "import importlib
def __getattr__(name):
    if name == 'broken':
        return importlib.import_module('.broken', __name__)
    raise AttributeError(name)
def unused():
    from . import broken
class Lazy:
    def method(self):
        from . import broken
async def later():
    from . import broken
def generator():
    from . import broken
    yield 1
generator()
later()
call = lambda: __import__('pkg.broken')
from . import good",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:19
        "#]],
    );
}

#[test]
fn a_lazy_module_is_imported_where_it_is_used_as_in_numpy() {
    let world = "
        /s/lazy/good.pyd
        /s/lazy/extra.pyd
        /s/lazy/broken.pyd    imports missing.dll
        /s/lazy/__init__.py   text
            import importlib
            def __getattr__(name):
                if name in ('good', 'extra', 'broken'):
                    return importlib.import_module('.' + name, __name__)
                raise AttributeError(name)
        /s/pkg/__init__.py    text
            import lazy
            Alias = int | lazy.good.Thing
            from lazy import extra
            lazy.unknown
            class Table(lazy.broken.Base): pass
    ";
    follow(
        world,
        expect![[r#"
        pkg <- line 1
        lazy <- __init__.py:1
        native lazy.good <- __init__.py:4
        native lazy.extra <- __init__.py:4
        native lazy.broken FAILS <- __init__.py:4
        => ImportError: DLL load failed while importing broken: The specified module could not be found.
    "#]],
    );
}

#[test]
fn decorators_defaults_and_class_bodies_run() {
    init_does(
        "def register():
    from . import good
    return lambda function: function
@register()
def decorated(default=__import__('pkg.second')):
    from . import broken
class Table:
    from . import extra
    def method(self):
        from . import broken
",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:2
            unknown: no module pkg.second is found <- __init__.py:4
            native pkg.extra <- __init__.py:8
        "#]],
    );
}

#[test]
fn functions_that_are_called_run_and_return_what_they_return() {
    init_does(
        "def name(of, suffix='d'):
    return of + suffix
def load(module):
    return __import__('pkg.' + module)
def fail():
    from . import broken
if name('goo') == 'good':
    load(name(suffix='ra', of='ext'))
try:
    fail()
except ImportError:
    load('good')",
        expect![[r#"
            pkg <- line 1
            native pkg.extra <- __init__.py:4
            native pkg.broken FAILS <- __init__.py:6
            native pkg.good <- __init__.py:4
        "#]],
    );
}

#[test]
fn a_missing_optional_package_is_not_an_error_where_it_is_expected() {
    init_does(
        "try:
    import optional
except ImportError:
    optional = None
try:
    import optional.part
except ModuleNotFoundError:
    pass
try:
    from .absent import thing
except ImportError:
    pass
if optional is None:
    from . import good
import made_by_an_import_hook",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:14
            unknown: no module made_by_an_import_hook is found <- __init__.py:15
        "#]],
    );
}

#[test]
fn a_module_that_fails_is_tried_again_by_the_next_import() {
    follow(
        "
        /s/pkg/__init__.py   text
            try:
                from . import part
            except ImportError:
                pass
            import pkg.part
        /s/pkg/part.py       text
            from . import good
            from . import broken
        /s/pkg/good.pyd
        /s/pkg/broken.pyd    imports missing.dll
        ",
        expect![[r#"
            pkg <- line 1
            pkg.part <- __init__.py:2
            native pkg.good <- part.py:1
            native pkg.broken FAILS <- part.py:2
            pkg.part <- __init__.py:5
            native pkg.broken FAILS <- part.py:2
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_name_of_a_partial_module_is_missing_where_that_is_expected() {
    let circle = |first: [&str; 2], caught: &str, second: &str| {
        let [begins, ends] = first;
        format!(
            "
        /s/pkg/__init__.py   text
            try:
                import pkg.first
            except ImportError:
                from . import {caught}
        /s/pkg/first.py      text
            {begins}
            {ends}
        /s/pkg/second.py     text
            from pkg.first import name
            from . import {second}
        /s/pkg/good.pyd
        /s/pkg/broken.pyd    imports missing.dll
        "
        )
    };
    follow(
        &circle(["import pkg.second", "name = 1"], "good", "broken"),
        expect![[r#"
            pkg <- line 1
            pkg.first <- __init__.py:2
            pkg.second <- first.py:1
            native pkg.good <- __init__.py:4
        "#]],
    );
    // An import that comes later gets the name.
    follow(
        &circle(["name = 1", "import pkg.second"], "broken", "good"),
        expect![[r#"
            pkg <- line 1
            pkg.first <- __init__.py:2
            pkg.second <- first.py:2
            native pkg.good <- second.py:2
        "#]],
    );
}

#[test]
fn the_program_itself_is_a_module_that_is_always_there() {
    init_does(
        "try:
    import __main__
    from . import good
except ImportError:
    from . import broken",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:3
        "#]],
    );
}

#[test]
fn a_missing_name_is_an_error_where_the_program_expects_that() {
    init_does(
        "try:
    undefined_name
except NameError:
    from . import good
try:
    {'a': 1}['b']
except KeyError:
    from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:4
            native pkg.extra <- __init__.py:8
        "#]],
    );
}

#[test]
fn loops_break_continue_and_have_an_else() {
    init_does(
        "names = ['broken', 'good', 'extra']
for name in names:
    if name == 'broken':
        continue
    __import__('pkg.' + name)
    break
else:
    __import__('pkg.broken')
n = 0
while n < 3:
    n += 1
    if n == 2:
        from . import extra
for name in []:
    pass
else:
    import pkg.second",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:5
            native pkg.extra <- __init__.py:13
            unknown: no module pkg.second is found <- __init__.py:17
        "#]],
    );
}

#[test]
fn paths_of_pathlib_lead_to_libraries() {
    follow(
        "
        /s/pkg.libs/a.dll
        /s/pkg/native.pyd    imports a.dll
        /s/pkg/__init__.py   text
            import ctypes, os
            from pathlib import Path
            libs = Path(__file__).parent.parent / 'pkg.libs'
            if libs.is_dir():
                for path in libs.glob('*.dll'):
                    ctypes.CDLL(str(path))
                os.add_dll_directory(str(libs))
            from . import native
        ",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            library C:\Python\Lib\site-packages\pkg.libs\a.dll <- __init__.py:6
            directory C:\Python\Lib\site-packages\pkg.libs <- __init__.py:7
            native pkg.native <- __init__.py:8
        "#]],
    );
}

#[test]
fn sys_path_can_be_changed() {
    follow(
        "
        /vendor/vendored.pyd
        /s/pkg/__init__.py   text
            import sys
            sys.path.insert(0, r'C:\\vendor')
            try:
                import vendored
            except ImportError:
                from . import fallback
        /s/pkg/fallback.pyd
        ",
        expect![[r#"
            pkg <- line 1
            native vendored <- __init__.py:4
        "#]],
    );
}

/// Asserts that the import of `pkg` ends.
fn ends(code: &str) {
    let started = std::time::Instant::now();
    let followed = answer(&python(8, &init(code)));
    let lines = followed.lines().count();
    assert!(started.elapsed().as_secs() < 120 && lines < 2_000_000, "{:?}, {lines} lines", started.elapsed());
}

#[test]
fn recursion_ends() {
    ends("def f():\n    f()\n    import time\nf()");
    ends("def f():\n    import time\n    f()\n    f()\nf()");
    ends("def f(x):\n    import time\n    return f((x, x)) + f([x])\nf(1)");
    ends("class A(A):\n    import pkg\n");
}

#[test]
fn loops_without_end_end() {
    ends("while True:\n    while True:\n        while True:\n            x = 1");
    ends(
        "import ctypes\nwhile True:\n  while True:\n    try:\n        ctypes.WinDLL('missing.dll')\n    except OSError:\n        pass",
    );
    ends("import ctypes\nwhile True:\n  while True:\n        ctypes.WinDLL('kernel32.dll')");
    ends(
        "while True:\n  while True:\n    try:\n        from . import broken\n    except ImportError:\n        pass",
    );
}

#[test]
fn values_that_grow_without_end_end() {
    ends("a = 'ab'\nb = ['ab']\nc = [1]\nwhile True:\n    a += a\n    b += c\n    c += b\n    b = b + b");
    ends("a = []\nwhile True:\n  while True:\n    a.append('x')");
    ends("t = ()\nwhile True:\n  while True:\n    t = (t,)");
    ends(
        "t = ()\nu = ()\nfor i in range(1000):\n    t = (t, t)\n    u = (u, u)\nt == u\nt < u\nx = '%r' % (t,)\ny = f'{t}'\ntry:\n    pass\nexcept t:\n    pass",
    );
    ends("t = 'x'\nwhile True:\n  while True:\n    t = t.upper");
    ends(
        "class A: pass\nfor i in range(1000):\n    class A(A, A): pass\ntry:\n    raise A()\nexcept A:\n    pass",
    );
    ends(
        "e = ImportError('x')\nwhile True:\n  try:\n    raise e\n  except ImportError as f:\n    try:\n        raise ImportError('y')\n    except ImportError as g:\n        e = g",
    );
}

#[test]
fn a_list_may_be_given_to_its_own_methods() {
    ends(
        "a = [[1]]\na.extend(a)\na.append(a)\na.remove(a)\na.insert(0, a)\nb = a == a\nc = str(a)\nd = {}\nd['d'] = d\nstr(d)",
    );
}

#[test]
fn imports_nested_a_thousand_deep_end() {
    let mut files = String::from("\n        /s/pkg/__init__.py  text\n            import m0\n");
    for at in 0..1000 {
        files += &format!("        /s/m{at}.py  text\n            import m{}\n", at + 1);
    }
    let followed = answer(&python(8, &files));
    assert!(followed.contains("unknown: imports are nested too deeply to follow"), "{followed}");
}

#[test]
fn a_module_that_is_not_utf_8_is_read_as_far_as_possible() {
    check_changed(
        &python(8, &init("from . import latin\nfrom . import good")),
        |world| {
            let folder = world.path("/Python/Lib/site-packages/pkg");
            std::fs::write(
                folder.join("latin.py"),
                b"# -*- coding: latin-1 -*-\n# caf\xe9\nname = '\xff\xfe'\nfrom . import extra\n",
            )
            .unwrap();
        },
        expect![[r#"
            pkg <- line 1
            pkg.latin <- __init__.py:1
            native pkg.extra <- latin.py:4
            native pkg.good <- __init__.py:2
        "#]],
    );
}

#[test]
fn a_module_with_a_syntax_error_keeps_what_can_be_read() {
    follow(
        "
        /s/pkg/__init__.py   text
            from . import good
            print 'Python 2'
            from . import extra
        /s/pkg/good.pyd
        /s/pkg/extra.pyd
        ",
        expect![[r#"
            pkg <- line 1
            unknown: the module cannot be read in full: Simple statements must be separated by newlines or semicolons <- __init__.py:2
            native pkg.good <- __init__.py:1
            native pkg.extra <- __init__.py:3
        "#]],
    );
}

#[test]
fn bytecode_of_an_unknown_version_is_not_followed() {
    check_changed(
        &python(8, &init("from . import inner")),
        |world| {
            let inner = world.path("/Python/Lib/site-packages/pkg/inner.pyc");
            std::fs::write(inner, b"\x74\x0e\r\nof 3.16").unwrap();
        },
        expect![[r#"
            pkg <- line 1
            pkg.inner <- __init__.py:1
            unknown: C:\Python\Lib\site-packages\pkg\inner.pyc cannot be read: compiled by an unknown version of Python (magic number 3700) <- __init__.py:1
        "#]],
    );
}

#[cfg(unix)]
#[test]
fn links_that_lead_in_a_circle_end() {
    check_changed(
        &python(
            8,
            &init(
                "from . import good\ntry:\n    from . import circle\nexcept ImportError:\n    pass\ntry:\n    from . import native\nexcept ImportError:\n    pass",
            ),
        ),
        |world| {
            use std::os::unix::fs::symlink;
            let folder = world.path("/Python/Lib/site-packages/pkg");
            symlink(folder.join("circle.py"), folder.join("circle.py")).unwrap();
            symlink(folder.join("native.pyd"), folder.join("native.pyd")).unwrap();
        },
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:1
            pkg.circle <- __init__.py:3
            unknown: C:\Python\Lib\site-packages\pkg\circle.py cannot be read: Too many levels of symbolic links (os error 40) <- __init__.py:3
            native pkg.native FAILS <- __init__.py:7
        "#]],
    );
}

#[test]
fn a_name_may_be_bound_within_a_condition() {
    check(
        r#"
        /Python/python.exe       imports python313.dll
        /Python/python313.dll    version 3.13.2150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.libs/b.dll
        /Python/Lib/site-packages/pkg/native.pyd     imports b.dll
        /Python/Lib/site-packages/pkg/__init__.py    text
            def _delvewheel_patch():
                import os
                if os.path.isdir(libs := os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, 'pkg.libs'))):
                    os.add_dll_directory(libs)
            _delvewheel_patch()
            from . import native
        import pkg
        "#,
        expect![[r#"
            healthy
        "#]],
    );
}

#[test]
fn an_unknown_directory_may_contain_whatever_is_missing() {
    let world = r#"
        /Python/python.exe       imports python313.dll
        /Python/python313.dll    version 3.13.2150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/native.pyd     imports b.dll
        /Python/Lib/site-packages/pkg/__init__.py    text
            import os
            os.add_dll_directory(os.path.join(some_setting(), 'bin'))
            from . import native
        import pkg
        "#;
    check(
        world,
        expect![[r#"
            error missing-dll: b.dll
              `import pkg` will fail: b.dll is missing.
              pkg/native.pyd imports b.dll; Python 3.13 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
        "#]],
    );
    // An image that is found and broken is certain to fail.
    let broken =
        world.replace("import pkg\n", "/Python/Lib/site-packages/pkg/b.dll  junk\n        import pkg\n");
    check(
        &broken,
        expect![[r#"
            error bad-image: b.dll
              `import pkg` will fail: pkg/b.dll is damaged.
              Windows refuses the file (error 193): the file is not a Windows program or DLL; it looks like a Git LFS pointer, not the file it stands for.
              Replace C:\Python\Lib\site-packages\pkg\b.dll with an intact copy from its original source.
              Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
        "#]],
    );
}

#[test]
fn a_failing_native_module_within_nested_handlers() {
    init_does(
        "import os, sys, ctypes, traceback
_can_set = (hasattr(sys, 'getdlopenflags') and hasattr(sys, 'setdlopenflags'))
try:
    if _can_set:
        sys.setdlopenflags(1)
    try:
        ModuleNotFoundError
    except NameError:
        ModuleNotFoundError = ImportError
    try:
        from pkg.broken import *
    except ModuleNotFoundError:
        pass
except ImportError as exc:
    if os.name == 'nt':
        try:
            from pkg import diagnostics
        except (ImportError, RuntimeError, OSError):
            pass
    raise ImportError(f'{traceback.format_exc()}\\n\\nFailed to load.') from exc",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            native pkg.broken FAILS <- __init__.py:11
            => ImportError: Traceback (most recent call last):
              …
            ImportError: DLL load failed while importing broken: The specified module could not be found.

            Failed to load.
        "#]],
    );
}

#[test]
fn isinstance_is_known() {
    init_does(
        "def load(what):
    if isinstance(what, (dict, tuple)):
        import pkg.never
    elif isinstance(what, str):
        import pkg.text
    elif isinstance(what, int):
        import pkg.never
    else:
        import pkg.list
load('x')
load([])",
        expect![[r#"
            pkg <- line 1
            unknown: no module pkg.text is found <- __init__.py:5
            unknown: no module pkg.list is found <- __init__.py:9
        "#]],
    );
}

#[test]
fn tables_of_names_are_known() {
    init_does(
        "import collections, ctypes
info = collections.OrderedDict([('cuda', False), ('names', 'kernel32.dll,missing.dll')])
missing = []
if 'names' in info:
    for name in info['names'].split(','):
        try:
            ctypes.WinDLL(name)
        except OSError:
            missing.append(name)
if missing:
    raise ImportError('Could not find %r' % ' or '.join(missing))",
        expect![[r#"
            pkg <- line 1
            library kernel32.dll <- __init__.py:7
            library missing.dll FAILS <- __init__.py:7
            => ImportError: Could not find 'missing.dll'
        "#]],
    );
}

#[test]
fn a_recursion_with_an_unknown_end_ends() {
    init_does(
        "def look(path, depth=0):
    while True:
        while True:
            if not read(path):
                break
        if not read(path):
            break
    for name in names_in(path):
        for folder in folders_of(name):
            if exists(folder, name):
                look(folder, depth + 1)
                break
        for other in siblings(name):
            look(other, depth + 1)
try:
    from . import broken
except ImportError:
    look(unknown())
    raise",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:16
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn code_in_pth_files_runs_first() {
    let world = r#"
        /Python/python.exe       imports python313.dll
        /Python/python313.dll    version 3.13.2150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/win.pth            text
            win32
            import win_bootstrap
        /Python/Lib/site-packages/win32/win_bootstrap.py   text
            try:
                import win_system32
            except ImportError:
                pass
            else:
                import os
                for path in win_system32.__path__:
                    if os.path.isdir(path):
                        os.add_dll_directory(path)
                        break
        /Python/Lib/site-packages/win32/api.pyd            imports types.dll
        /Python/Lib/site-packages/win_system32/types.dll
        import api
        "#;
    check(
        world,
        expect![[r#"
        healthy
    "#]],
    );
}

#[test]
fn an_exception_without_a_failed_load_ends_nothing() {
    init_does(
        "from contextlib import contextmanager
options = {}
def register(name):
    import sys
    if name in options:
        raise KeyError(name)
    options[name] = sys
register('reader')
with prefix('more'):
    register('reader')
from . import good
try:
    register('reader')
except KeyError:
    from . import extra",
        expect![[r#"
            pkg <- line 1
            unknown: ignored as a probable analysis error: KeyError: reader <- __init__.py:10
            native pkg.good <- __init__.py:11
            native pkg.extra <- __init__.py:15
        "#]],
    );
}

#[test]
fn library_functions_are_implemented_even_if_their_code_was_followed() {
    let world = "
        /Python/Lib/pathlib.py              text
            class Path: pass
        /Python/Lib/importlib/__init__.py   text
            def import_module(name, package=None):
                return _gcd_import(name)
        /s/pkg/lib/native.dll
        /s/pkg/good.pyd
        /s/pkg/__init__.py                  text
            import ctypes
            from importlib import import_module
            from pathlib import Path
            import_module('pkg.good')
            ctypes.CDLL(str(Path(__file__).parent / 'lib' / 'native.dll'))
    ";
    follow(
        world,
        expect![[r#"
        pkg <- line 1
        importlib <- __init__.py:2
        pathlib <- __init__.py:3
        native pkg.good <- __init__.py:4
        library C:\Python\Lib\site-packages\pkg\lib\native.dll <- __init__.py:5
    "#]],
    );
}

#[test]
fn a_path_that_another_module_finds_is_loaded_as_in_lightgbm() {
    let world = "
        /s/pkg/lib/native.dll
        /s/pkg/found.py      text
            from pathlib import Path
            def find_library():
                \"\"\"Where it may lie.\"\"\"
                here = Path(__file__).resolve()
                candidates = [here.parents[1], here.parents[0] / 'bin', here.parents[0] / 'lib']
                candidates = [folder / 'native.dll' for folder in candidates]
                found = [str(path) for path in candidates if path.is_file()]
                if not found:
                    raise Exception('cannot find it')
                return found
        /s/pkg/__init__.py   text
            import ctypes
            from .found import find_library
            library = ctypes.cdll.LoadLibrary(find_library()[0])
    ";
    follow(
        world,
        expect![[r#"
        pkg <- line 1
        pkg.found <- __init__.py:2
        library C:\Python\Lib\site-packages\pkg\lib\native.dll <- __init__.py:3
    "#]],
    );
}

#[test]
fn a_package_that_puts_its_native_module_in_its_own_place_as_opencv_does() {
    let world = "
        /s/pkg/pkg.pyd       imports bundled.dll
        /s/pkg/bin/bundled.dll
        /s/pkg/wrapper.py    text
            def run(path, names, values):
                with open(path) as f:
                    code = compile(f.read(), path, 'exec')
                    exec(code, names, values)
        /s/pkg/config.py     text
            import os
            BINARIES = [os.path.join(HERE, 'bin')] + BINARIES
            EXTENSIONS = [HERE] + EXTENSIONS
        /s/pkg/__init__.py   text
            import importlib
            import os
            import sys
            def bootstrap():
                import copy
                saved = copy.copy(sys.path)
                if hasattr(sys, 'Pkg_LOADER'):
                    raise ImportError('recursion')
                sys.Pkg_LOADER = True
                HERE = os.path.dirname(os.path.abspath(__file__))
                BINARIES = []
                EXTENSIONS = []
                names = globals()
                values = locals().copy()
                from .wrapper import run
                def load(files):
                    for file in files:
                        path = os.path.join(HERE, file)
                        if not os.path.exists(path):
                            continue
                        run(path, names, values)
                        return True
                load(['missing.py', 'config.py'])
                for folder in reversed(values['EXTENSIONS']):
                    sys.path.insert(1, folder)
                for folder in values['BINARIES']:
                    os.add_dll_directory(folder)
                own = sys.modules.pop('pkg')
                native = importlib.import_module('pkg')
                sys.modules['pkg'] = own
                sys.path = saved
            bootstrap()
    ";
    follow(
        world,
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:2
        pkg.wrapper <- __init__.py:15
        directory C:\Python\Lib\site-packages\pkg\bin <- __init__.py:27
        native pkg <- __init__.py:29
    "#]],
    );
}

#[test]
fn an_analysis_error_is_not_reported_because_of_an_unrelated_handler() {
    let world = "
        /s/other/__init__.py   text
            options = {}
            def register(key):
                import sys
                if key in options:
                    raise KeyError(key)
                options[key] = sys
            register('reader')
            with prefixed('excel'):
                register('reader')
            from . import native
        /s/other/native.pyd
        /s/pkg/__init__.py     text
            try:
                import other
            except ImportError:
                other = None
    ";
    follow(
        world,
        expect![[r#"
            pkg <- line 1
            other <- __init__.py:2
            unknown: ignored as a probable analysis error: KeyError: reader <- __init__.py:9
            native other.native <- __init__.py:10
        "#]],
    );
}

#[test]
fn find_spec_reports_a_missing_module() {
    init_does(
        "import importlib.util
if importlib.util.find_spec('nowhere') is None:
    from . import good
if importlib.util.find_spec('pkg') is not None:
    from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:3
            native pkg.extra <- __init__.py:5
        "#]],
    );
}

#[test]
fn editable_installs_of_setuptools_are_found() {
    let world = r#"
        /s/__editable__.pkg-1.0.pth              text
            import __editable___pkg_1_0_finder; __editable___pkg_1_0_finder.install()
        /s/__editable___pkg_1_0_finder.py        text
            import sys
            MAPPING: dict[str, str] = {'pkg': 'C:\\project\\src\\pkg', 'single': 'C:\\project\\src\\single'}
            def install():
                if not any(finder == _EditableFinder for finder in sys.meta_path):
                    sys.meta_path.append(_EditableFinder)
        /project/src/single.pyd
        /project/src/pkg/native.pyd
        /project/src/pkg/__init__.py             text
            from . import native
            import single
    "#;
    follow(
        world,
        expect![[r#"
        pkg <- line 1
        native pkg.native <- __init__.py:1
        native single <- __init__.py:2
    "#]],
    );
}

#[test]
fn a_library_of_operations_is_next_to_the_module_that_loads_it() {
    let loads = |library: &str| {
        format!(
            r#"
        /s/pkg/core.pyd
        /s/pkg/broken_ops.so     imports gone.dll
        /s/pkg/good_ops.so
        /s/pkg/loading.py        text
            import inspect as _inspect
            import os as _os
            import sys as _sys
            from pkg import core
            def path_to(path):
                """This docstring is long, so that the body of the function isn't kept only because it is short:
                bodies of up to 200 bytes are kept, and this one has more than that even without its code."""
                return _os.path.join(_os.path.dirname(_inspect.getfile(_sys._getframe(1))), path)
            def load(path):
                handle = core.TF_LoadLibrary(path)
                return handle
        /s/pkg/ops/__init__.py   text
            from pkg import loading
            loading.load(loading.path_to("../{library}"))
        /s/pkg/__init__.py       text
            from pkg import ops
        "#
        )
    };
    follow(
        &loads("good_ops.so"),
        expect![[r#"
            pkg <- line 1
            pkg.ops <- __init__.py:1
            pkg.loading <- __init__.py:1
            os <- loading.py:2
            native pkg.core <- loading.py:4
            library C:\Python\Lib\site-packages\pkg\ops\..\good_ops.so <- loading.py:10
        "#]],
    );
    follow(
        &loads("broken_ops.so"),
        expect![[r#"
            pkg <- line 1
            pkg.ops <- __init__.py:1
            pkg.loading <- __init__.py:1
            os <- loading.py:2
            native pkg.core <- loading.py:4
            library C:\Python\Lib\site-packages\pkg\ops\..\broken_ops.so FAILS <- loading.py:10
            => NotFoundError: C:\Python\Lib\site-packages\pkg\ops\..\broken_ops.so not found
        "#]],
    );
}

/// Returns a package with a Cython module that imports others.
fn cython(files: &str) -> String {
    format!(
        "
        /Python/python3.dll  exports PyImport_AddModule, PyImport_ImportModule
        /s/pkg/__init__.py   text
            from . import a
        /s/pkg/a.pyd         cimports pkg.b, numpy, pkg.c
        {files}
        "
    )
}

#[test]
fn the_code_of_a_cython_module_imports_modules() {
    follow(
        &cython("/s/pkg/b.pyd  cimports pkg.c\n        /s/pkg/c.pyd  cimports pkg.a"),
        expect![[r#"
            pkg <- line 1
            native pkg.a <- __init__.py:1
            native pkg.b <- __init__.py:1
            native pkg.c <- __init__.py:1
            unknown: no module numpy is found <- __init__.py:1
        "#]],
    );
}

#[test]
fn imports_of_code_for_32_bits_are_unknown() {
    let world = |machine: &str| {
        answer(&format!(
            "
            machine windows-11-arm64
            /Python/python.exe       {machine}, imports python313.dll
            /Python/python313.dll    {machine}, version 3.13.9150.1013
            /Python/python3.dll      {machine}, exports PyErr_Clear, PyImport_ImportModule
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py   text
                from . import a, b
            /Python/Lib/site-packages/pkg/a.pyd   {machine}, exports PyInit_a, imports python3.dll!PyImport_ImportModule
            /Python/Lib/site-packages/pkg/b.pyd   {machine}, exports PyInit_b, imports python3.dll!PyErr_Clear
            follow pkg
            "
        ))
    };
    let output = expect![[r#"
        pkg <- line 1
        native pkg.a <- __init__.py:1
        unknown: the code of pkg.a isn't analyzed and may import modules <- __init__.py:1
        native pkg.b <- __init__.py:1
    "#]];
    output.assert_eq(&world("x86"));
    assert!(!world("arm64").contains("unknown"), "{}", world("arm64"));
}

/// Modeled on cryptography 50's module for `abi3t`, which exports other functions, too (PEP 793).
#[test]
fn imports_in_the_slots_of_a_module_are_unknown() {
    let output = answer(&python(
        15,
        "
        /Python/python3t.dll    exports PyErr_Clear, PyImport_ImportModule
        /s/pkg/__init__.py      text
            from . import a, b
        /s/pkg/a.pyd  exports PyModExport_a, PyInit__other, imports python3t.dll!PyImport_ImportModule
        /s/pkg/b.pyd  exports PyModExport_b, imports python3t.dll!PyErr_Clear
        ",
    ));
    expect![[r#"
        pkg <- line 1
        native pkg.a <- __init__.py:1
        unknown: the code of pkg.a isn't analyzed and may import modules <- __init__.py:1
        native pkg.b <- __init__.py:1
    "#]]
    .assert_eq(&output);
}

#[test]
fn a_module_that_a_cython_module_imports_fails_to_load() {
    follow(
        &cython("/s/pkg/b.pyd  imports gone.dll\n        /s/pkg/c.pyd"),
        expect![[r#"
            pkg <- line 1
            native pkg.a <- __init__.py:1
            native pkg.b FAILS <- __init__.py:1
            => ImportError: DLL load failed while importing b: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_cython_module_may_work_without_a_missing_module() {
    follow(
        &cython("/s/pkg/c.pyd"),
        expect![[r#"
            pkg <- line 1
            native pkg.a <- __init__.py:1
            unknown: no module pkg.b is found <- __init__.py:1
            unknown: no module numpy is found <- __init__.py:1
            native pkg.c <- __init__.py:1
        "#]],
    );
}

#[test]
fn native_code_imports_a_fallback_module() {
    follow(
        "
        /Python/python3.dll     exports PyImport_AddModule, PyImport_ImportModule
        /s/pkg/__init__.py      text
            from . import a
        /s/pkg/a.pyd            cimports pkg.new.core|pkg.old.core, pkg.b|pkg.old.other, ?, pkg.c
        /s/pkg/old/__init__.py  text
        /s/pkg/old/core.pyd
        /s/pkg/b.pyd
        /s/pkg/c.pyd
        ",
        expect![[r#"
            pkg <- line 1
            native pkg.a <- __init__.py:1
            pkg.old <- __init__.py:1
            native pkg.old.core <- __init__.py:1
            native pkg.b <- __init__.py:1
            unknown: the code of pkg.a imports a module whose name is unknown <- __init__.py:1
            native pkg.c <- __init__.py:1
        "#]],
    );
}

#[test]
fn native_code_that_calls_uname_imports_socket() {
    follow(
        "
        /Python/python3.dll       exports PyImport_AddModule, PyImport_ImportModule
        /Python/Lib/socket.py     text
            import _socket
        /Python/DLLs/_socket.pyd
        /s/pkg/__init__.py        text
            from . import h5t
        /s/pkg/h5t.pyd            cimports platform.architecture(), platform.machine(), platform.node()
        ",
        expect![[r#"
            pkg <- line 1
            native pkg.h5t <- __init__.py:1
            socket <- __init__.py:1
            native _socket <- socket.py:1
        "#]],
    );
}

/// Before 3.12, an emulated x64 Python didn't detect ARM64. A 32-bit one always does.
#[test]
fn platform_returns_the_machine_of_windows() {
    let output = |windows: &str, machine: &str, minor: u32| {
        let answer = answer(&format!(
            "
            machine {windows}
            /Python/python.exe           {machine}, imports python3{minor}.dll
            /Python/python3{minor}.dll   {machine}, version 3.{minor}.9150.1013
            /Python/Lib/os.py            text
            /Python/Lib/site-packages/pkg/__init__.py   text
                import platform
                if platform.machine() == 'ARM64':
                    from . import arm
                elif platform.machine() == 'AMD64':
                    from . import amd
            /Python/Lib/site-packages/pkg/arm.pyd       {machine}
            /Python/Lib/site-packages/pkg/amd.pyd       {machine}
            follow pkg
            "
        ));
        let native = answer.lines().find_map(|line| line.strip_prefix("native pkg.")?.split(' ').next());
        native.unwrap_or_default().to_owned()
    };
    assert_eq!(output("windows-11-arm64", "arm64", 13), "arm");
    assert_eq!(output("windows-11-arm64", "x86_64", 13), "arm");
    assert_eq!(output("windows-11-arm64", "x86_64", 11), "amd");
    assert_eq!(output("windows-11-arm64", "x86", 11), "arm");
    assert_eq!(output("windows-11", "x86", 11), "amd");
    assert_eq!(output("windows-11", "x86_64", 11), "amd");
}

/// `platform.uname` gets the machine's name from `socket`, if available.
#[test]
fn python_code_that_calls_uname_imports_socket() {
    let world = |socket: &str| {
        format!(
            "
        /Python/Lib/platform.py   text
            import sys
        /Python/Lib/socket.py     text
            import _socket
        /Python/DLLs/_socket.pyd  imports {socket}
        /s/pkg/good.pyd
        /s/pkg/__init__.py        text
            import platform
            if platform.system() == 'Windows':
                from . import good
            platform.machine()
        "
        )
    };
    follow(
        &world("kernel32.dll"),
        expect![[r#"
        pkg <- line 1
        platform <- __init__.py:1
        socket <- __init__.py:2
        native _socket <- socket.py:1
        native pkg.good <- __init__.py:3
    "#]],
    );
    follow(
        &world("gone.dll"),
        expect![[r#"
        pkg <- line 1
        platform <- __init__.py:1
        socket <- __init__.py:2
        native _socket FAILS <- socket.py:1
        native pkg.good <- __init__.py:3
    "#]],
    );
}

/// Modules that six creates from its tables, in a vendored copy.
#[test]
fn modules_of_six_moves_are_imported_from_their_new_location() {
    follow(
        r#"
        /Python/Lib/queue.py             text
            import _queue
        /Python/DLLs/_queue.pyd
        /Python/Lib/urllib/__init__.py   text
        /Python/Lib/urllib/request.py    text
            import _ssl
        /Python/DLLs/_ssl.pyd            imports gone.dll
        /s/pkg/six.py                    text
            _moved_attributes = [
                MovedAttribute("filter", "itertools", "builtins", "ifilter", "filter"),
                MovedModule("queue", "Queue"),
                MovedModule("urllib", __name__ + ".moves.urllib", __name__ + ".moves.urllib"),
            ]
            _urllib_request_moved_attributes = [MovedAttribute("urlopen", "urllib2", "urllib.request")]
        /s/pkg/broken.pyd                imports gone.dll
        /s/pkg/__init__.py               text
            from pkg.six.moves import filter, urllib
            try:
                from .six.moves import queue as Queue
            except ImportError:
                from . import broken
            try:
                import pkg.six.moves.urllib.request
            except ImportError:
                from . import broken
            from pkg.six.moves.urllib.request import urlopen
        "#,
        expect![[r#"
            pkg <- line 1
            pkg.six <- __init__.py:1
            queue <- __init__.py:3
            native _queue <- queue.py:1
            urllib <- __init__.py:10
            urllib.request <- __init__.py:10
            native _ssl FAILS <- request.py:1
            => ImportError: DLL load failed while importing _ssl: The specified module could not be found.
        "#]],
    );
}

/// An extension module whose source imports others, possibly in a `try`.
#[test]
fn imports_in_the_source_of_a_cython_module_may_fail() {
    follow(
        "
        /Python/python3.dll  exports PyImport_AddModule, PyImport_ImportModule
        /s/pkg/__init__.py   text
            from . import a
        /s/pkg/a.pyd         cimports 0:pkg.b, 0:gone, 1:c, 1:gone, -1:d, -1:top
        /s/pkg/b.pyd         imports gone.dll
        /s/pkg/c.py          text
            import other
        /s/pkg/d.pyd
        /s/d.pyd
        /s/top.pyd
        /s/other.pyd
        ",
        expect![[r#"
            pkg <- line 1
            native pkg.a <- __init__.py:1
            native pkg.b FAILS <- __init__.py:1
            pkg.c <- __init__.py:1
            native other <- c.py:1
            native pkg.d <- __init__.py:1
            native top <- __init__.py:1
        "#]],
    );
}
