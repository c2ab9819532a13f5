//! Programs without end, and sources that cannot be read.

use expect_test::expect;

use super::{answer, check_changed, follow, init, init_does, python};

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
