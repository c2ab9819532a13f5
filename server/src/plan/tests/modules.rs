//! Modules: how imports find and run them.

use expect_test::expect;

use super::{check, follow, init_does};

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
