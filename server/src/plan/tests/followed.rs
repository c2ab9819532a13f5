//! Python features that are followed, one by one. In each source, the feature decides which native
//! module is imported.

use super::{answer, follow, init, init_does, python};
use expect_test::expect;

/// Asserts that a condition is known to hold. An unknown condition would let both branches run.
fn holds(before: &str, condition: &str) {
    let code = format!("{before}\nif {condition}:\n    from . import good\nelse:\n    from . import broken");
    let followed = answer(&python(8, &init(&code)));
    let is_known = followed.contains("native pkg.good") && !followed.contains("pkg.broken");
    assert!(is_known, "{before}\nif {condition}:\n{followed}");
}

#[test]
fn installation_paths_are_known() {
    for (before, condition) in [
        ("import sys", r"sys.base_exec_prefix == 'C:\\Python'"),
        ("import sysconfig", "sysconfig.get_config_var('py_version_short') == '3.8'"),
        ("import sysconfig", "sysconfig.get_platform() == 'win-amd64'"),
        ("import sysconfig", "sysconfig.get_path('purelib').endswith('site-packages')"),
        ("import sysconfig", "sysconfig.get_config_vars('EXE', 'prefix')[0] == '.exe'"),
        ("import site", "len(site.getsitepackages()) == 2"),
        ("from importlib.util import find_spec", "find_spec('pkg').origin == __file__"),
        ("from importlib.util import find_spec", "find_spec('pkg.good').origin.endswith('good.pyd')"),
        ("from importlib.util import find_spec", "find_spec('nothing') is None"),
        ("import importlib.util as u", "u.find_spec('pkg').submodule_search_locations == __path__"),
        ("from importlib.machinery import EXTENSION_SUFFIXES as s", "s[-1] == '.pyd'"),
        ("from importlib.resources import files", "(files('pkg') / 'good.pyd').is_file()"),
        (
            "import os\nfrom importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder\n\
             f = FileFinder(os.path.dirname(__file__), (ExtensionFileLoader, EXTENSION_SUFFIXES))",
            "f.find_spec('good').origin.endswith('good.pyd') and f.find_spec('nothing') is None",
        ),
        ("import pkgutil", "[m.name for m in pkgutil.iter_modules(__path__)] == ['broken', 'extra', 'good']"),
    ] {
        holds(before, condition);
    }
}

#[test]
fn the_spec_and_the_callers_frame_are_known() {
    for (before, condition) in [
        ("pass", "__spec__.parent == 'pkg' and __spec__.name == __name__"),
        ("import sys", "'pkg' in sys.modules and '__main__' in sys.modules and 'nobody' not in sys.modules"),
        ("import sys\ndef f(): return sys._getframe(1).f_globals['__name__']", "f() == 'pkg'"),
        (
            "import inspect\ndef f(): return inspect.currentframe().f_back.f_locals['__name__']",
            "f() == 'pkg'",
        ),
    ] {
        holds(before, condition);
    }
}

#[test]
fn tables_are_united_and_made_by_several_loops() {
    for (before, condition) in [
        ("t = {'a': 1, 'b': 2} | {'b': 3}", "t['a'] == 1 and t['b'] == 3 and len(t) == 2"),
        (
            "t = {k: v for v, ks in {'m': ['a', 'b'], 'n': ['c']}.items() for k in ks}",
            "t['b'] == 'm' and t['c'] == 'n'",
        ),
        ("t = {k: 1 for k in ['a', 'a']}", "len(t) == 1"),
    ] {
        holds(before, condition);
    }
}

/// A module that the plan implements itself is nevertheless imported, with its imports.
#[test]
fn an_implemented_module_is_imported_too() {
    let library = "
        /Python/Lib/importlib/__init__.py  text
        /Python/Lib/importlib/metadata.py  text
            import zipped
        /Python/Lib/site-packages/zipped.py  text
            from pkg import broken
        ";
    let followed = answer(&format!("{}{library}", python(8, &init("from importlib import metadata"))));
    assert!(followed.contains("native pkg.broken FAILS <- zipped.py:1"), "{followed}");
    let star = init(
        "from ctypes import *\nimport os\ncdll.LoadLibrary(os.path.join(os.path.dirname(__file__), 'gone.dll'))",
    );
    let library = "
        /Python/Lib/ctypes/__init__.py  text
            class CDLL: pass
        ";
    let followed = answer(&format!("{}{library}", python(8, &star)));
    assert!(followed.contains("gone.dll FAILS"), "{followed}");
}

#[test]
fn paths_are_known_even_if_they_are_empty() {
    for (before, condition) in [
        ("import os", "not os.path.exists('')"),
        ("import os", "list(filter(os.path.exists, ['', __file__])) == [__file__]"),
        ("import os", "os.path.relpath(__file__, os.path.dirname(__file__)) == '__init__.py'"),
        (
            "import os",
            "[f for _, _, files in os.walk(os.path.dirname(__file__)) for f in files][0] == 'broken.pyd'",
        ),
        ("import os\nos.environ['HERE'] = 'there'", "os.path.expandvars('%HERE%/a') == 'there/a'"),
        ("import os\nos.environ.setdefault('HERE', 'there')", "os.environ['HERE'] == 'there'"),
        ("import os", r"os.path.expanduser('~\\.pkg') == 'C:\\Users\\user\\.pkg'"),
        ("import os", r"not os.path.exists(os.path.join(os.path.expanduser('~'), '.pkg', 'pkg.json'))"),
        ("import os", r"os.access(os.path.expanduser('~'), os.W_OK) and not os.access('C:\\none', os.R_OK)"),
        ("import os", "os.path.isdir(os.environ['APPDATA']) and os.environ['SystemRoot'] == r'C:\\Windows'"),
        ("from pathlib import Path", "Path('~/.pkg').expanduser() == Path.home() / '.pkg'"),
        ("import json", r##"json.loads('{"a": [1, "b", null]}')['a'] == [1, 'b', None]"##),
        ("import shutil", "shutil.which('nothing-at-all') is None"),
        ("from pathlib import Path", "Path(__file__).with_name('good.pyd').exists()"),
        ("from pathlib import Path", "Path(__file__).parts[-2] == 'pkg'"),
        (
            "from pathlib import Path",
            "[p.name for p in Path(__file__).parent.rglob('g*.pyd')] == ['good.pyd']",
        ),
        (
            "from pathlib import Path",
            "Path(__file__).relative_to(Path(__file__).parent).name == '__init__.py'",
        ),
    ] {
        holds(before, condition);
    }
}

#[test]
fn files_in_the_user_profile_are_read() {
    let code = "import json, os
path = os.path.join(os.path.expanduser('~'), '.pkg', 'pkg.json')
choice = 'good'
if os.path.exists(path):
    with open(path) as file:
        choice = json.load(file).get('choice', choice)
if choice == 'good':
    from . import good
else:
    from . import extra";
    let before = init(code);
    follow(
        &before,
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:1
        native pkg.good <- __init__.py:8
    "#]],
    );
    let settings = "/Users/user/.pkg/pkg.json  text\n            {\"choice\": \"extra\"}";
    follow(
        &format!("{before}\n        {settings}"),
        expect![[r#"
        pkg <- line 1
        os <- __init__.py:1
        native pkg.extra <- __init__.py:10
    "#]],
    );
}

#[test]
fn iteration_over_values_is_followed() {
    for (before, condition) in [
        ("", "next(x for x in ['a', 'b'] if x > 'a') == 'b'"),
        ("", "next((x for x in []), 'none') == 'none'"),
        ("", "list(map(str.upper if False else lambda x: x + 'd', ['a'])) == ['ad']"),
        ("", "sorted(['bb', 'a'], key=lambda x: len(x))[0] == 'a'"),
        ("", "{k: v for k, v in [('a', 1)]}['a'] == 1"),
        ("", "[a + b for a in 'xy' for b in 'z'] == ['xz', 'yz']"),
        ("", "max(1, 3, 2) == 3"),
        ("", "{**{'a': 1}, 'c': 3, **{'a': 4}}['a'] == 4"),
        ("", "list({**{'a': 1}, **{'b': 2, 'a': 3}}.items()) == [('a', 3), ('b', 2)]"),
        (
            "import enum\nkept = 1\nclass E(enum.IntEnum):\n    A = 1\nglobals().update(E.__members__)",
            "kept == 1 and list(E.__members__) == ['A']",
        ),
        ("", "list(dict.fromkeys(x for x in 'aba')) == ['a', 'b']"),
        ("first, *rest = [1, 2, 3]", "rest == [2, 3]"),
        (
            "def f(*names, last='c', **more):\n    return [*names, last, *more]",
            "f('a', 'b', d=1) == ['a', 'b', 'c', 'd']",
        ),
        ("def f(a, b='b'):\n    return a + b", "f(*['x'], **{'b': 'y'}) == 'xy'"),
        ("def f():\n    yield 'a'\n    yield from ['b', 'c']", "list(f()) == ['a', 'b', 'c']"),
        ("def f():\n    yield 'a'\n    yield 'b'\ng = f()", "next(g) + next(g) == 'ab'"),
    ] {
        holds(before, condition);
    }
}

#[test]
fn classes_and_their_objects_are_followed() {
    let counted = "class A:\n    kind = 'a'\n    def __init__(self, name):\n        self.name = name\n    @property\n    def both(self):\n        return self.kind + self.name\n    @staticmethod\n    def plain(x):\n        return x\n    @classmethod\n    def of(cls, name):\n        return cls(name)\n    def __call__(self, x):\n        return self.name + x\n    def __getattr__(self, name):\n        return name + '?'\n    def __getitem__(self, key):\n        return key";
    let derived = "class B(A):\n    kind = 'b'\n    def __init__(self):\n        super().__init__('c')";
    for condition in [
        "A('x').name == 'x'",
        "A('x').both == 'ax'",
        "A.plain(1) == 1 and A('x').plain(2) == 2",
        "A.of('y').name == 'y'",
        "A('x')('z') == 'xz'",
        "A('x').missing == 'missing?'",
        "A('x')['k'] == 'k'",
        "B().both == 'bc'",
        "isinstance(B(), A) and not isinstance(A('x'), B)",
        "hasattr(A('x'), 'name')",
        "getattr(A('x'), 'name') == 'x'",
    ] {
        holds(&format!("{counted}\n{derived}"), condition);
    }
}

#[test]
fn a_library_that_an_object_loads_on_attribute_access_is_loaded() {
    init_does(
        "import ctypes
class Lazy:
    def __init__(self):
        self.handle = None
    @property
    def library(self):
        if not self.handle:
            self.handle = ctypes.CDLL('missing.dll')
        return self.handle
    def __getattr__(self, name):
        return getattr(self.library, name)
lazy = Lazy()
lazy.function.argtypes = []",
        expect![[r#"
            pkg <- line 1
            library missing.dll FAILS <- __init__.py:8
            => FileNotFoundError: Could not find module 'missing.dll' (or one of its dependencies). Try using the full path with constructor syntax.
        "#]],
    );
}

#[test]
fn a_function_is_followed_however_long_it_is() {
    let lines = "    value = compute(value) + 1\n".repeat(20);
    let code = format!(
        "from . import other\ndef compute(x):\n    return x\ndef load(value=0):\n{lines}    other.load()\nload()"
    );
    let files = format!(
        "{}\n        /s/pkg/other.py   text\n            def load():\n                from . import broken\n",
        init(&code)
    );
    let followed = answer(&python(8, &files));
    assert!(followed.contains("native pkg.broken FAILS <- other.py:2"), "{followed}");
}

/// A function in executed code has no file that it could be read from later.
#[test]
fn a_long_function_in_executed_code_is_followed() {
    let lines = "    value = compute(value) + 1\n".repeat(20);
    let text = format!("def load(value=0):\n{lines}    other.load()\nload()\n").replace('\n', "\\n");
    let files = format!(
        "{}\n        /s/pkg/other.py   text\n            def load():\n                from . import broken\n",
        init(&format!("from . import other\nexec('{text}')"))
    );
    let followed = answer(&python(8, &files));
    assert!(followed.contains("native pkg.broken FAILS <- other.py:2"), "{followed}");
}

/// As in Python: the top-level package, unless a list of names or a level is given.
#[test]
fn dunder_import_returns_the_top_level_package_or_the_module() {
    for (before, condition) in [
        ("m = __import__('pkg.good')", "m.__name__ == 'pkg'"),
        ("m = __import__('pkg.good', globals(), locals(), [], 0)", "m.__name__ == 'pkg'"),
        ("m = __import__('pkg.good', globals(), locals(), ['x'], 0)", "m.__name__ == 'pkg.good'"),
        ("m = __import__('good', globals(), locals(), [], 1)", "m.__name__ == 'pkg.good'"),
    ] {
        holds(before, condition);
    }
}

#[test]
fn the_block_of_a_with_runs_where_its_generator_yields() {
    init_does(
        "import contextlib, os
@contextlib.contextmanager
def tolerant():
    try:
        yield
    except ImportError:
        from . import good
with tolerant():
    from . import broken
from . import extra",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            native pkg.broken FAILS <- __init__.py:9
            native pkg.good <- __init__.py:7
            native pkg.extra <- __init__.py:10
        "#]],
    );
    init_does(
        "import contextlib, ctypes, os
with contextlib.ExitStack() as stack:
    here = stack.enter_context(contextlib.nullcontext(os.path.dirname(__file__)))
    stack.enter_context(os.add_dll_directory(here))
    from . import good
with contextlib.suppress(OSError):
    ctypes.CDLL('missing.dll')",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            directory C:\Python\Lib\site-packages\pkg <- __init__.py:4
            native pkg.good <- __init__.py:5
            library missing.dll FAILS <- __init__.py:7
        "#]],
    );
}

#[test]
fn ffi_of_cffi_loads() {
    init_does(
        "import os
from _cffi_backend import FFI, load_library
here = os.path.dirname(__file__)
load_library(os.path.join(here, 'good.pyd'), 0)
FFI('name', 1).dlopen('missing.dll', 0x1000)",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            unknown: no module _cffi_backend is found <- __init__.py:2
            library C:\Python\Lib\site-packages\pkg\good.pyd <- __init__.py:4
            library missing.dll FAILS <- __init__.py:5
            => OSError: cannot load library 'missing.dll': error 0x7e
        "#]],
    );
}

#[test]
fn isinstance_of_a_function_is_known() {
    init_does(
        "import functools, types, collections.abc
class Wrapped:
    pass
def f():
    pass
if isinstance(f, functools.partial) or isinstance(f, (Wrapped, types.MethodType, str)):
    from . import broken
if isinstance(f, types.FunctionType):
    from . import good
if isinstance(f, collections.abc.Callable):
    from . import good",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:9
        "#]],
    );
}

#[test]
fn an_unknown_condition_does_not_matter_if_both_branches_fail_alike() {
    init_does(
        "import random
if random.random() < 0.5:
    from . import broken
else:
    from .broken import f",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:3
            native pkg.broken FAILS <- __init__.py:5
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
    init_does(
        "import random
if random.random() < 0.5:
    from . import broken
elif random.random() < 0.7:
    import ctypes
    ctypes.CDLL('another.dll')
else:
    from . import broken
from . import good",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:3
            library another.dll FAILS <- __init__.py:6
            native pkg.broken FAILS <- __init__.py:8
            native pkg.good <- __init__.py:9
        "#]],
    );
}

#[test]
fn names_from_an_unknown_dictionary_are_unknown() {
    init_does(
        "import ctypes, random
name = 'good.pyd'
def load(names):
    names.update(random.choice([{}]))
load(globals())
ctypes.CDLL(__file__)
ctypes.CDLL(name)
ctypes.CDLL('missing.dll')",
        expect![[r#"
            pkg <- line 1
            unknown: the name of a library that ctypes loads can't be determined from the code <- __init__.py:6
            unknown: the name of a library that ctypes loads can't be determined from the code <- __init__.py:7
            library missing.dll FAILS <- __init__.py:8
            => FileNotFoundError: Could not find module 'missing.dll' (or one of its dependencies). Try using the full path with constructor syntax.
        "#]],
    );
}

#[test]
fn classes_are_subclasses_of_their_bases_and_functions_have_attributes() {
    init_does(
        "class A: pass
class B(A[int]): pass
def f():
    'documented'
if issubclass(B, A) and issubclass(A, (B, A)) and not issubclass(A, B):
    from . import good
if f.__doc__ is None:
    raise RuntimeError('no documentation')
from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:6
            native pkg.extra <- __init__.py:9
        "#]],
    );
}

#[test]
fn a_call_that_takes_too_long_is_abandoned_and_reported() {
    let followed = answer(&python(
        8,
        &init(
            "def forever(n):\n    for i in range(1000):\n        for j in range(1000):\n            n = n + len(str(i) + str(j))\n    return n\nforever(0)\nfrom . import good",
        ),
    ));
    assert!(followed.contains("unknown: this call takes too long to follow"), "{followed}");
    assert!(followed.contains("native pkg.good"), "{followed}");
}
