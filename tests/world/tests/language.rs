//! The files that a world creates, and its errors.

use std::error::Error;
use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use world::World;

/// Compares the directory of a world, file by file, and its directives with an expectation.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let world = World::new(text).unwrap();
    let mut found = Vec::new();
    list(&world, world.root(), &mut found);
    found.sort();
    found.extend(world.directives().iter().map(|line| format!("> {line}\n")));
    expected.assert_eq(&found.concat());
}

/// Compares the errors of wrong worlds with an expectation.
#[track_caller]
fn check_errors(texts: &[&str], expected: Expect) {
    let errors = texts.iter().map(|text| {
        let error = World::new(text).unwrap_err();
        format!("{text}\n^ {error}\n")
    });
    expected.assert_eq(&errors.collect::<String>());
}

fn list(world: &World, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let shown = world.hide_root(path.to_str().unwrap()).replace('\\', "/");
        if path.is_dir() {
            found.push(format!("{shown}/\n"));
            list(world, &path, found);
            continue;
        }
        let permissions = fs::metadata(&path).unwrap().permissions();
        let readonly = if permissions.readonly() { " readonly" } else { "" };
        let bytes = fs::read(&path).unwrap();
        let start = bytes[..bytes.len().min(60)].escape_ascii();
        let content = if bytes.starts_with(b"MZ") { "image".to_owned() } else { format!("\"{start}\"") };
        found.push(format!("{shown}{readonly} {} {content}\n", bytes.len()));
    }
}

#[test]
fn an_empty_world() {
    check("", expect![""]);
}

#[test]
fn a_machine() {
    check(
        r#"
        # Python without its redistributable
        machine windows-10 x86_64, no redistributable

        /Python38/python.exe        exe, imports python38.dll
        /env/pkg/__init__.py        text

            from . import _native

            if _native:
                # indented more
                pass

        # not part of it
        /env/pkg/_native.pyd        imports python38.dll!Py_Initialize
        /env/data.txt
        "/Program Files/a b.txt"    text
            spaces
        /env/emptydir/
        path /x;/y
        load /env/pkg/_native.pyd like CPython 3.8
        "#,
        expect![[r#"
            /Program Files/
            /Program Files/a b.txt 7 "spaces\n"
            /Python38/
            /Python38/python.exe 2048 image
            /env/
            /env/data.txt 0 ""
            /env/emptydir/
            /env/pkg/
            /env/pkg/__init__.py 65 "\nfrom . import _native\n\nif _native:\n    # indented more\n    "
            /env/pkg/_native.pyd 2048 image
            > machine windows-10 x86_64, no redistributable
            > path /x;/y
            > load /env/pkg/_native.pyd like CPython 3.8
        "#]],
    );
}

#[test]
fn files_that_are_not_images() {
    check(
        "
        /a.dll  empty
        /b.dll  junk
        /c.dll  html
        /d.dll  zip
        /e.dll  text
            not a DLL
        ",
        expect![[r#"
            /a.dll 0 ""
            /b.dll 132 "version https://git-lfs.github.com/spec/v1\noid sha256:e3b0c4"
            /c.dll 93 "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></he"
            /d.dll 100 "PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00aPK\x01\x02\x14\x00\x14\x00\x00\x00\x00\x00\x00\x00!\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
            /e.dll 10 "not a DLL\n"
        "#]],
    );
}

#[test]
fn lengths_and_permissions() {
    check(
        "
        /a.dll  imports b.dll, cut 0x400
        /b.dll  size 10000
        /c.txt  text, cut 3, size 6, readonly
            content
        ",
        expect![[r#"
            /a.dll 1024 image
            /b.dll 10000 image
            /c.txt readonly 6 "con\x00\x00\x00"
        "#]],
    );
}

#[cfg(unix)]
#[test]
fn unreadable() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new("/a.dll  unreadable").unwrap();
    let mode = fs::metadata(world.path("/a.dll")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0);
}

#[test]
fn an_existing_directory_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::at("/a/b.txt", folder.path()).unwrap();
    assert_eq!(world.root(), folder.path());
    drop(world);
    assert!(folder.path().join("a").join("b.txt").is_file());
}

#[test]
fn a_temporary_directory_is_removed() {
    let world = World::new("/a/b.dll").unwrap();
    let root = world.root().to_owned();
    assert!(root.exists());
    drop(world);
    assert!(!root.exists());
}

#[test]
fn the_root_is_hidden_in_every_spelling() {
    let world = World::new("").unwrap();
    let root = world.root().to_str().unwrap();
    let slashes = root.replace('\\', "/");
    let backslashes = root.replace('/', r"\");
    let escaped = backslashes.replace('\\', r"\\");
    let uri = format!("file:///{}", slashes.trim_start_matches('/'));
    let text =
        format!(r"{root} {slashes}/a {backslashes}\a {escaped}\\a {uri}/a {}", world.path("a").display());
    let hidden = world.hide_root(&text);
    let separator = std::path::MAIN_SEPARATOR;
    assert_eq!(hidden, format!(r" /a \a \\a file:///a {separator}a"));
}

#[cfg(unix)]
#[test]
fn the_root_is_hidden_behind_links_and_in_escaped_uris() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("the real one");
    let link = folder.path().join("link");
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let world = World::at("", &link).unwrap();
    let uri = real.to_str().unwrap().replace(' ', "%20");
    let text = format!("{}/a {}/b file://{uri}/c", link.display(), real.display());
    assert_eq!(world.hide_root(&text), "/a /b file:///c");
}

#[test]
fn wrong_paths() {
    check_errors(
        &[
            "/",
            "/a/../b",
            "/a//b",
            r"/a\b",
            r#""env/a.dll""#,
            r#""/a b.dll"#,
            "one\n/a.dll\n/b.dll\n/A.DLL  x86",
        ],
        expect![[r#"
            /
            ^ line 1: no file can have the path ""
            /a/../b
            ^ line 1: no file can have the path "/a/../b"
            /a//b
            ^ line 1: no file can have the path "/a//b"
            /a\b
            ^ line 1: no file can have the path "/a\\b"
            "env/a.dll"
            ^ line 1: no file can have the path "env/a.dll"
            "/a b.dll
            ^ line 1: a quotation mark is not closed
            one
            /a.dll
            /b.dll
            /A.DLL  x86
            ^ line 4: "/A.DLL" is already declared in line 2
        "#]],
    );
}

#[test]
fn wrong_attributes() {
    check_errors(
        &[
            "/a.dll  import b.dll",
            "/a.dll  x86,, clr",
            "/a.dll  imports b.dll,",
            "/a.dll  imports",
            "/a.dll  junk, version 1.0",
            "/a.dll  x86, empty",
            "/a.dll  text, empty",
            "/a/  readonly",
            "/a.dll  version 1.2.3.4.5",
            "/a.dll  version 1.70000",
            "/a.dll  linker 300.0",
            "/a.dll  dependent load flags x",
            "/a.dll  manifest \"<a>, x86",
            "/a.dll  manifest <a>",
            "/a.txt  text, cut 3\n    ab",
            "/a.dll  size 10",
        ],
        expect![[r#"
            /a.dll  import b.dll
            ^ line 1: unknown attribute "import b.dll"
            /a.dll  x86,, clr
            ^ line 1: unknown attribute ""
            /a.dll  imports b.dll,
            ^ line 1: unknown attribute ""
            /a.dll  imports
            ^ line 1: unknown attribute "imports"
            /a.dll  junk, version 1.0
            ^ line 1: a file cannot be "junk" and "version 1.0" at once
            /a.dll  x86, empty
            ^ line 1: a file cannot be "empty" and "x86" at once
            /a.dll  text, empty
            ^ line 1: a file cannot be "text" and "empty" at once
            /a/  readonly
            ^ line 1: a folder has no attributes
            /a.dll  version 1.2.3.4.5
            ^ line 1: "1.2.3.4.5" is not a number or version of the expected size
            /a.dll  version 1.70000
            ^ line 1: "70000" is not a number or version of the expected size
            /a.dll  linker 300.0
            ^ line 1: "300.0" is not a number or version of the expected size
            /a.dll  dependent load flags x
            ^ line 1: "x" is not a number or version of the expected size
            /a.dll  manifest "<a>, x86
            ^ line 1: a quotation mark is not closed
            /a.dll  manifest <a>
            ^ line 1: unknown attribute "manifest <a>"
            /a.txt  text, cut 3
                ab
            ^ line 1: cannot cut a file of 3 bytes to 3
            /a.dll  size 10
            ^ line 1: a file of 2048 bytes does not fit into size 10
        "#]],
    );
}

#[test]
fn wrong_imports_and_exports() {
    check_errors(
        &[
            "/a.dll  imports b.dll c.dll",
            "/a.dll  imports !f",
            "/a.dll  imports b.dll!#x",
            "/a.dll  delay imports b.dll!#70000",
            "/a.dll  exports f=",
            "/a.dll  exports f=g",
            "/a.dll  exports =c.g",
            "/a.dll  exports f@0",
            "/a.dll  exports f@40000",
            "/a.dll  exports f, g, f=c.f",
            "/a.dll  exports f@2, @2",
        ],
        expect![[r#"
            /a.dll  imports b.dll c.dll
            ^ line 1: "b.dll c.dll" is not an import: expected x.dll, x.dll!symbol, x.dll!#ordinal or x.dll!
            /a.dll  imports !f
            ^ line 1: "!f" is not an import: expected x.dll, x.dll!symbol, x.dll!#ordinal or x.dll!
            /a.dll  imports b.dll!#x
            ^ line 1: "b.dll!#x" is not an import: expected x.dll, x.dll!symbol, x.dll!#ordinal or x.dll!
            /a.dll  delay imports b.dll!#70000
            ^ line 1: "b.dll!#70000" is not an import: expected x.dll, x.dll!symbol, x.dll!#ordinal or x.dll!
            /a.dll  exports f=
            ^ line 1: "f=" is not an export: expected symbol, symbol@ordinal or @ordinal, or one with =dll.symbol
            /a.dll  exports f=g
            ^ line 1: "f=g" is not an export: expected symbol, symbol@ordinal or @ordinal, or one with =dll.symbol
            /a.dll  exports =c.g
            ^ line 1: "=c.g" is not an export: expected symbol, symbol@ordinal or @ordinal, or one with =dll.symbol
            /a.dll  exports f@0
            ^ line 1: "f@0" is not an export: expected symbol, symbol@ordinal or @ordinal, or one with =dll.symbol
            /a.dll  exports f@40000
            ^ line 1: "f@40000" is not an export: expected symbol, symbol@ordinal or @ordinal, or one with =dll.symbol
            /a.dll  exports f, g, f=c.f
            ^ line 1: f is exported twice
            /a.dll  exports f@2, @2
            ^ line 1: @2 is exported twice
        "#]],
    );
}

#[test]
fn wrong_indentation() {
    check_errors(
        &[
            "/a.txt  text\n  two",
            "/a.txt  text\n\ttab",
            "\nload\n\n    more",
            "/a.dll\n    more",
            "/a/\n    more",
            "    /a.txt\n        more\n    /b.txt  text\n       three",
        ],
        expect![[r#"
            /a.txt  text
              two
            ^ line 2: a line of a text is indented by four spaces
            /a.txt  text
            	tab
            ^ line 2: a line of a text is indented by four spaces

            load

                more
            ^ line 4: only a text or a manifest is continued by indented lines
            /a.dll
                more
            ^ line 2: only a text or a manifest is continued by indented lines
            /a/
                more
            ^ line 2: only a text or a manifest is continued by indented lines
                /a.txt
                    more
                /b.txt  text
                   three
            ^ line 4: a line of a text is indented by four spaces
        "#]],
    );
}

#[test]
fn a_file_that_cannot_be_written() {
    let error = World::new("/a\n\n/a/b").unwrap_err();
    assert!(error.to_string().starts_with("line 3: cannot write "));
    assert!(error.source().is_some());
}
