//! Functions, decorators, and objects.

use expect_test::expect;

use super::{answer, follow, init_does};

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
