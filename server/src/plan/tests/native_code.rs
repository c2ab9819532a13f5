//! The imports in the code of native modules.

use expect_test::expect;

use super::{answer, follow, python};

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
