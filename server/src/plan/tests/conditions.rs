//! Conditions, known and unknown, and loops.

use expect_test::expect;

use super::{check, init, init_does, python};

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
