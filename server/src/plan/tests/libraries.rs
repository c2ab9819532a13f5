//! Loads of libraries, and the directories that are searched for them.

use expect_test::expect;

use super::{answer, check, follow, init, init_does, python};

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
