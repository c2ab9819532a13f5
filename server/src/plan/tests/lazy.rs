//! Lazy imports. Each case was tried with CPython 3.15.2.

use expect_test::{Expect, expect};

use super::{answer, init, python};

/// Follows the import of a package in Python 3.15.
fn does(code: &str, expected: Expect) {
    does_in(15, code, expected);
}

fn does_in(minor: u32, code: &str, expected: Expect) {
    let world = format!(
        "{}
        /s/other/__init__.py    text
            VALUE = 1
        /s/other/one.pyd
        /s/other/two.pyd        imports missing.dll
        /s/postponed.py         text
            lazy from other import one, two
            lazy import other
        ",
        init(code)
    );
    expected.assert_eq(&answer(&python(minor, &world)));
}

#[test]
fn a_lazy_import_is_made_where_its_name_is_used() {
    does(
        "lazy from . import broken, extra
lazy import pkg.good as renamed
extra
def use():
    return renamed
use()
use()",
        expect![[r#"
            pkg <- line 1
            native pkg.extra <- __init__.py:3
            native pkg.good <- __init__.py:5
        "#]],
    );
}

#[test]
fn an_unused_lazy_import_is_not_made() {
    does(
        "lazy from . import broken
lazy import nowhere, pkg.broken
lazy from nowhere import nothing",
        expect![[r#"
            pkg <- line 1
        "#]],
    );
}

#[test]
fn a_failure_occurs_at_each_use_of_the_name() {
    does(
        "lazy from . import broken
try:
    broken.function()
except ImportError:
    from . import good
broken",
        expect![[r#"
            pkg <- line 1
            native pkg.broken FAILS <- __init__.py:3
            native pkg.good <- __init__.py:5
            native pkg.broken FAILS <- __init__.py:6
            => ImportError: DLL load failed while importing broken: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_submodule_is_imported_on_access_to_its_package() {
    does(
        "lazy import other.one
lazy import other.two
other.VALUE
other.one
other.two",
        expect![[r#"
            pkg <- line 1
            other <- __init__.py:3
            native other.one <- __init__.py:4
            native other.two FAILS <- __init__.py:5
            => ImportError: DLL load failed while importing two: The specified module could not be found.
        "#]],
    );
}

#[test]
fn attributes_stars_and_from_imports_resolve_lazy_imports() {
    does(
        "import postponed
postponed.one
from postponed import other",
        expect![[r#"
            pkg <- line 1
            postponed <- __init__.py:1
            other <- __init__.py:2
            native other.one <- __init__.py:2
        "#]],
    );
    does(
        "from postponed import *",
        expect![[r#"
        pkg <- line 1
        postponed <- __init__.py:1
        other <- __init__.py:1
        native other.one <- __init__.py:1
        native other.two FAILS <- __init__.py:1
        => ImportError: DLL load failed while importing two: The specified module could not be found.
    "#]],
    );
    does(
        "import postponed\nhasattr(postponed, 'one')\ngetattr(postponed, 'two')",
        expect![[r#"
            pkg <- line 1
            postponed <- __init__.py:1
            other <- __init__.py:2
            native other.one <- __init__.py:2
            native other.two FAILS <- __init__.py:3
            => ImportError: DLL load failed while importing two: The specified module could not be found.
        "#]],
    );
}

#[test]
fn namespaces_hold_lazy_imports_as_they_are() {
    does(
        "lazy from . import broken
globals()['broken']
import postponed
postponed.__dict__['two']
del broken",
        expect![[r#"
            pkg <- line 1
            postponed <- __init__.py:3
        "#]],
    );
}

#[test]
fn modules_in_lazy_modules_are_imported_lazily() {
    let code = "__lazy_modules__ = {'pkg', 'other.two', 'other'}
import pkg.good
import other.two
from pkg import extra, broken
try:
    from pkg import good
except ImportError:
    pass
def function():
    from other import one
function()
class Class:
    from pkg import good as of_class
with open('x'):
    import other
if extra:
    pass";
    does(
        code,
        expect![[r#"
        pkg <- line 1
        native pkg.good <- __init__.py:2
        other <- __init__.py:10
        native other.one <- __init__.py:10
        native pkg.extra <- __init__.py:16
    "#]],
    );
    does_in(
        14,
        code,
        expect![[r#"
        pkg <- line 1
        native pkg.good <- __init__.py:2
        other <- __init__.py:3
        native other.two FAILS <- __init__.py:3
        => ImportError: DLL load failed while importing two: The specified module could not be found.
    "#]],
    );
}

#[test]
fn all_imports_may_be_lazy() {
    does(
        "import sys
if hasattr(sys, 'set_lazy_imports'):
    sys.set_lazy_imports('all')
from . import broken, good
sys.set_lazy_imports('normal')
from . import extra",
        expect![[r#"
            pkg <- line 1
            native pkg.extra <- __init__.py:6
        "#]],
    );
    does_in(
        14,
        "import sys
if hasattr(sys, 'set_lazy_imports'):
    sys.set_lazy_imports('all')
from . import good",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:4
        "#]],
    );
}

#[test]
fn an_import_that_may_be_lazy_may_not_fail() {
    does(
        "import os
__lazy_modules__ = unknown()
from . import good
from . import broken",
        expect![[r#"
            pkg <- line 1
            os <- __init__.py:1
            native pkg.good <- __init__.py:3
            native pkg.broken FAILS <- __init__.py:4
        "#]],
    );
}

#[test]
fn attributes_of_imported_modules_are_bound_at_once() {
    does(
        "from . import good\nlazy from . import good as again\nlazy import other\nimport other\nother",
        expect![[r#"
            pkg <- line 1
            native pkg.good <- __init__.py:1
            other <- __init__.py:4
        "#]],
    );
}

#[test]
fn a_module_with_newer_syntax_does_not_compile() {
    let code = "try:
    from . import newer
except Exception:
    from . import good
import third";
    for minor in [13, 14] {
        let world = format!(
            "{}
        /s/pkg/newer.py      text
            from . import extra
            try:
                pass
            except OSError, ValueError:
                pass
        /s/third.py          text
            from pkg import extra
            lazy import os
            def function():
                match extra:
                    case 1: return
        ",
            init(code)
        );
        let expected = match minor {
            13 => expect![[r#"
                pkg <- line 1
                pkg.newer <- __init__.py:2
                native pkg.good <- __init__.py:4
                third <- __init__.py:5
                => SyntaxError: invalid syntax
            "#]],
            _ => expect![[r#"
                pkg <- line 1
                pkg.newer <- __init__.py:2
                native pkg.extra <- newer.py:1
                third <- __init__.py:5
                => SyntaxError: invalid syntax
            "#]],
        };
        expected.assert_eq(&answer(&python(minor, &world)));
    }
}
