//! Reports on small machines in all formats.

use expect_test::{Expect, expect};
use serde_json::Value;
use world::World;

use super::*;
use crate::diagnosis::chain;
use crate::environment::Assumption;
use crate::source::Document;
use crate::testing::{diagnosed, on_large_stack};

pub(super) const BROKEN: &str = r"
    /Python/python.exe       imports python38.dll
    /Python/python38.dll     version 3.8.10150.1013
    /Python/Lib/os.py        text
    /Python/Lib/site-packages/pkg/__init__.py   text
        from . import native
    /Python/Lib/site-packages/pkg/native.pyd    imports helper.dll
    /Python/Lib/site-packages/pkg/helper.dll    imports cudart64_101.dll
    /cuda/cudart64_101.dll
    path /cuda
    import pkg
";

/// Renders the report on a world, and on a document in it that imports `pkg`.
pub(super) fn reported(
    world: &str,
    document: Option<&str>,
    report: impl FnOnce(&Report<'_>) -> String,
) -> String {
    let world = World::new(world).unwrap();
    let (host, environment, diagnosis) = diagnosed(&world);
    let mut documents = Vec::new();
    let mut places = vec![None];
    if let Some(text) = document {
        let imports = Document::parse(text).imports;
        let imports: Vec<_> = imports.iter().filter(|import| import.top_level() == "pkg").collect();
        places = imports.iter().map(|import| Some((0, import.range))).collect();
        let checked = CheckedDocument::new("main.py".to_owned(), text.to_owned());
        documents.push(CheckedDocument { watched_imports: places.len(), ..checked });
    }
    let located = places.iter().flat_map(|at| {
        diagnosis.findings.iter().map(|finding| Located { finding: finding.clone(), at: *at })
    });
    report(&Report {
        environment: &environment,
        host: &host,
        assumed: None,
        packages: diagnosis.packages.clone(),
        findings: located.collect(),
        documents,
    })
}

fn check(world: &str, document: Option<&str>, expected: Expect) {
    expected.assert_eq(&plain(&reported(world, document, check_text)));
}

/// Strips the escape sequences of the colours.
pub(super) fn plain(styled: &str) -> String {
    let mut parts = styled.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// Checks the excerpt of the document in which the import is underlined.
fn underlined(document: &str, expected: Expect) {
    let text = plain(&reported(BROKEN, Some(document), check_text));
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("-->")).take(4).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn files_that_may_be_loaded_by_an_unknown_name_are_tried() {
    let world = "
        /Python/python.exe  imports python38.dll
        /Python/python38.dll  version 3.8.10150.1013
        /Python/Lib/os.py  text
        /Python/Lib/site-packages/pkg/__init__.py  text
            import ctypes, os, random
            from . import good
            ctypes.WinDLL(os.path.join(os.path.dirname(__file__), random.choice(['a.dll', 'b.dll'])))
        /Python/Lib/site-packages/pkg/good.pyd
        /Python/Lib/site-packages/pkg/a.dll
        /Python/Lib/site-packages/pkg/b.dll  imports nowhere.dll
        /Python/Lib/site-packages/pkg/c.dll  imports a.dll!gone
        /Python/Lib/site-packages/pkg-1.dist-info/METADATA  text
            Name: pkg
            Version: 1.0
        /Python/Lib/site-packages/pkg-1.dist-info/RECORD  text
            pkg/__init__.py,,
            pkg/good.pyd,,
            pkg/a.dll,,
            pkg/b.dll,,
            pkg/c.dll,,
        import pkg
    ";
    check(
        world,
        None,
        expect![[r#"
            healthy: `import pkg` works, as far as it could be followed: 1 step in pkg/__init__.py is not known (pkg 1)

              unknown about `import pkg`
                pkg/__init__.py line 3: the name of a library that ctypes loads can't be determined from the
                code
                not reached: 3 native files of pkg
                may fail: pkg/b.dll: nowhere.dll, which b.dll needs, is not found
                may fail: pkg/c.dll: C:\Python\Lib\site-packages\pkg\a.dll does not export gone

              package      pkg 1 in C:\Python\Lib\site-packages\pkg
              interpreter  C:\Python\python.exe (Python 3.8.10, 64-bit (x64), installed)
              machine      windows-11 (Windows 10.0.22631, no VC++ runtime in its system directory)
        "#]],
    );
    let json = reported(world, None, |report| {
        let value: Value = serde_json::from_str(&check_json(report)).unwrap();
        serde_json::to_string_pretty(&value["packages"][0]["coverage"]).unwrap()
    });
    expect![[r#"
        {
          "full": false,
          "notReached": [
            {
              "count": 3,
              "distribution": "pkg",
              "failing": [
                {
                  "file": "C:\\Python\\Lib\\site-packages\\pkg\\b.dll",
                  "why": "nowhere.dll, which b.dll needs, is not found"
                },
                {
                  "file": "C:\\Python\\Lib\\site-packages\\pkg\\c.dll",
                  "why": "C:\\Python\\Lib\\site-packages\\pkg\\a.dll does not export gone"
                }
              ],
              "files": [
                "C:\\Python\\Lib\\site-packages\\pkg\\a.dll",
                "C:\\Python\\Lib\\site-packages\\pkg\\b.dll",
                "C:\\Python\\Lib\\site-packages\\pkg\\c.dll"
              ]
            }
          ],
          "unknown": [
            {
              "file": "C:\\Python\\Lib\\site-packages\\pkg\\__init__.py",
              "line": 3,
              "what": "the name of a library that ctypes loads can't be determined from the code"
            }
          ]
        }"#]]
    .assert_eq(&json);
}

#[test]
fn an_import_is_underlined_and_explained() {
    check(
        BROKEN,
        Some("import os\nimport pkg.data as d\n"),
        expect![[r#"
            error[not-on-search-path]: `import pkg` will fail: cudart64_101.dll is in C:\cuda, where Python
            3.8 does not look.
              --> main.py:2:8
              |
            2 | import pkg.data as d
              |        ^^^^^^^^

              how we know
                pkg/helper.dll imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\Python and
                System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not
                search PATH for DLLs.

              chain
                pkg/__init__.py line 1
                └─ pkg/native.pyd
                   └─ pkg/helper.dll
                      └─ cudart64_101.dll  not found

              searched for cudart64_101.dll in
                1. C:\Python\Lib\site-packages\pkg  the DLL's own directory
                2. C:\Python                        application directory
                3. C:\Windows\System32              System32

              Python says
                ImportError: DLL load failed while importing native: The specified module could not be
                found.

              what to do
                * Add C:\cuda with os.add_dll_directory before the import
                  import os
                  os.add_dll_directory(r"C:\cuda")

              more: https://github.com/whydll/whydll/blob/main/docs/codes/not-on-search-path.md

            broken: 1 error, 0 warnings
              package      pkg in C:\Python\Lib\site-packages\pkg
              interpreter  C:\Python\python.exe (Python 3.8.10, 64-bit (x64), installed)
              machine      windows-11 (Windows 10.0.22631, no VC++ runtime in its system directory)
        "#]],
    );
}

#[test]
fn the_underline_is_below_the_import_whatever_precedes_it() {
    underlined(
        "\tx = 1; import pkg\n".trim_start(),
        expect![[r#"
          --> main.py:1:15
          |
        1 | x = 1; import pkg
          |               ^^^"#]],
    );
    underlined(
        "if 1:\n\timport pkg\n",
        expect![[r#"
          --> main.py:2:9
          |
        2 | 	import pkg
          | 	       ^^^"#]],
    );
    underlined(
        "s = '😀😀é'; import pkg\n",
        expect![[r#"
          --> main.py:1:19
          |
        1 | s = '😀😀é'; import pkg
          |                   ^^^"#]],
    );
    underlined(
        "if 1:\n\ts = '𝒳';\timport pkg.sub # 😀\n",
        expect![[r#"
          --> main.py:2:18
          |
        2 | 	s = '𝒳';	import pkg.sub # 😀
          | 	        	       ^^^^^^^"#]],
    );
    underlined(
        "\n\n\n\n\n\n\n\n\nfrom pkg import x\r\n",
        expect![[r#"
           --> main.py:10:6
           |
        10 | from pkg import x
           |      ^^^"#]],
    );
    underlined(
        "a = 1\rimport pkg\rb = 2\r",
        expect![[r#"
          --> main.py:2:8
          |
        2 | import pkg
          |        ^^^"#]],
    );
}

#[test]
fn without_a_document_there_is_nothing_to_underline() {
    check(
        BROKEN,
        None,
        expect![[r#"
            error[not-on-search-path]: `import pkg` will fail: cudart64_101.dll is in C:\cuda, where Python
            3.8 does not look.

              how we know
                pkg/helper.dll imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\Python and
                System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not
                search PATH for DLLs.

              chain
                pkg/__init__.py line 1
                └─ pkg/native.pyd
                   └─ pkg/helper.dll
                      └─ cudart64_101.dll  not found

              searched for cudart64_101.dll in
                1. C:\Python\Lib\site-packages\pkg  the DLL's own directory
                2. C:\Python                        application directory
                3. C:\Windows\System32              System32

              Python says
                ImportError: DLL load failed while importing native: The specified module could not be
                found.

              what to do
                * Add C:\cuda with os.add_dll_directory before the import
                  import os
                  os.add_dll_directory(r"C:\cuda")

              more: https://github.com/whydll/whydll/blob/main/docs/codes/not-on-search-path.md

            broken: 1 error, 0 warnings
              package      pkg in C:\Python\Lib\site-packages\pkg
              interpreter  C:\Python\python.exe (Python 3.8.10, 64-bit (x64), installed)
              machine      windows-11 (Windows 10.0.22631, no VC++ runtime in its system directory)
        "#]],
    );
}

#[test]
fn a_healthy_environment_says_so() {
    let healthy = BROKEN.replace(" imports cudart64_101.dll", "");
    check(
        &healthy,
        None,
        expect![[r#"
        healthy: `import pkg` works (pkg)
          package      pkg in C:\Python\Lib\site-packages\pkg
          interpreter  C:\Python\python.exe (Python 3.8.10, 64-bit (x64), installed)
          machine      windows-11 (Windows 10.0.22631, no VC++ runtime in its system directory)
    "#]],
    );
    check(
        &healthy,
        Some("import pkg\n"),
        expect![[r#"
        healthy: `import pkg` works (pkg)
          package      pkg in C:\Python\Lib\site-packages\pkg
          interpreter  C:\Python\python.exe (Python 3.8.10, 64-bit (x64), installed)
          machine      windows-11 (Windows 10.0.22631, no VC++ runtime in its system directory)
    "#]],
    );
    check(
        &healthy,
        Some("import os\n"),
        expect![[r#"
            1 file checked: no watched package is imported
              package      pkg in C:\Python\Lib\site-packages\pkg
              interpreter  C:\Python\python.exe (Python 3.8.10, 64-bit (x64), installed)
              machine      windows-11 (Windows 10.0.22631, no VC++ runtime in its system directory)
        "#]],
    );
}

#[test]
fn json_has_all_documented_fields() {
    let json = reported(BROKEN, Some("x = '😀'; import pkg\n"), check_json);
    let json: Value = serde_json::from_str(&json).unwrap();
    expect![[r#"
        {
          "environment": {
            "basePrefix": "C:\\Python",
            "freeThreaded": false,
            "interpreter": "C:\\Python\\python.exe",
            "kind": "installed",
            "machine": "x86_64",
            "prefix": "C:\\Python",
            "sitePackages": [
              "C:\\Python\\Lib\\site-packages"
            ],
            "version": "3.8.10"
          },
          "findings": [
            {
              "chain": [
                "C:\\Python\\Lib\\site-packages\\pkg\\native.pyd",
                "C:\\Python\\Lib\\site-packages\\pkg\\helper.dll",
                "cudart64_101.dll"
              ],
              "code": "not-on-search-path",
              "dll": "cudart64_101.dll",
              "dlls": [
                "cudart64_101.dll"
              ],
              "file": "main.py",
              "fixes": [
                {
                  "kind": "edit",
                  "outcome": "cures",
                  "preferred": true,
                  "title": "Add C:\\cuda with os.add_dll_directory before the import",
                  "value": "import os\nos.add_dll_directory(r\"C:\\cuda\")"
                }
              ],
              "help": "https://github.com/whydll/whydll/blob/main/docs/codes/not-on-search-path.md",
              "message": "`import pkg` will fail: cudart64_101.dll is in C:\\cuda, where Python 3.8 does not look.\npkg/helper.dll imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\\Python and System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not search PATH for DLLs.\nAdd C:\\cuda with os.add_dll_directory before the import.",
              "package": "pkg",
              "pythonError": "ImportError: DLL load failed while importing native: The specified module could not be found.",
              "range": {
                "end": {
                  "character": 20,
                  "line": 0
                },
                "start": {
                  "character": 17,
                  "line": 0
                }
              },
              "related": [
                {
                  "file": "C:\\Python\\Lib\\site-packages\\pkg\\__init__.py",
                  "line": 1,
                  "message": "native.pyd is imported here"
                }
              ],
              "searched": [
                "C:\\Python\\Lib\\site-packages\\pkg",
                "C:\\Python",
                "C:\\Windows\\System32"
              ],
              "severity": "error",
              "winError": 126
            }
          ],
          "health": "broken",
          "host": {
            "kind": "windows-11",
            "vcRuntimes": [],
            "windows": "10.0.22631"
          },
          "packages": [
            {
              "coverage": {
                "full": true,
                "notReached": [],
                "unknown": []
              },
              "distribution": null,
              "import": "pkg",
              "path": "C:\\Python\\Lib\\site-packages\\pkg",
              "version": null
            }
          ],
          "schema": 1
        }"#]]
    .assert_eq(&format!("{json:#}"));
}

#[test]
fn json_of_a_healthy_environment_has_empty_lists_instead_of_null() {
    let json = reported(&BROKEN.replace(" imports cudart64_101.dll", ""), None, check_json);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["health"], &json["findings"]),
        (&Value::from("healthy"), &Value::from(Vec::<u8>::new()))
    );
    assert_eq!(json["schema"], 1);
    assert_eq!(json["packages"][0]["path"], r"C:\Python\Lib\site-packages\pkg");
}

#[test]
fn json_escapes_special_characters_in_names() {
    let world = BROKEN.replace("cudart64_101.dll", "größe'😀.dll");
    let json = reported(&world, Some("import pkg\n"), check_json);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["dll"], "größe'😀.dll");
}

/// Draws the chain of space-separated targets.
fn chained(world: &str, target: &str, draw: impl FnOnce(&crate::diagnosis::Chain) -> String) -> String {
    let world = World::new(world).unwrap();
    let (host, environment, _) = diagnosed(&world);
    let targets: Vec<&str> = target.split(' ').collect();
    draw(&on_large_stack(|| chain(&host, &environment, &targets)))
}

#[test]
fn a_chain_shows_passed_over_files_delay_imports_and_forwarders() {
    const WORLD: &str = "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/both.dll         exports f=version.GetFileVersionInfoA
        /Python/late.dll
        /Python/Lib/site-packages/both.dll    x86
        /Python/Lib/site-packages/pkg.pyd     imports both.dll!f, delay imports late.dll, never.dll
        import pkg
    ";
    expect![[r#"
        Python itself: 2 modules
        pkg.pyd  C:\Python\Lib\site-packages\pkg.pyd [full path]
           both.dll  C:\Python\both.dll [application directory]
              passed over: C:\Python\Lib\site-packages\both.dll is 32-bit (x86)
           version.dll  C:\Windows\System32\version.dll [System32]
           late.dll (delay import)  C:\Python\late.dll [application directory], at the first call
           never.dll (delay import)  not found
        loaded: 3 modules besides Python's own
    "#]]
    .assert_eq(&plain(&chained(WORLD, "pkg", chain_text)));
}

/// The module's own directory is searched when the module is loaded, but PATH isn't. At the first
/// call, it is the other way round.
#[test]
fn a_delay_import_is_searched_for_like_a_plain_load() {
    const WORLD: &str = "
        path /tools
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /tools/early.dll
        /tools/late.dll
        /Python/Lib/site-packages/early.dll
        /Python/Lib/site-packages/late.dll
        /Python/Lib/site-packages/never.dll
        /Python/Lib/site-packages/pkg.pyd     imports early.dll, delay imports early.dll, late.dll, never.dll
        import pkg
    ";
    expect![[r#"
        Python itself: 2 modules
        pkg.pyd  C:\Python\Lib\site-packages\pkg.pyd [full path]
           early.dll  C:\Python\Lib\site-packages\early.dll [the DLL's own directory]
           early.dll (delay import)  already loaded
           late.dll (delay import)  C:\tools\late.dll [PATH], at the first call
           never.dll (delay import)  not found
        loaded: 2 modules besides Python's own
    "#]]
    .assert_eq(&plain(&chained(WORLD, "pkg", chain_text)));
}

#[test]
fn a_chain_is_drawn_as_a_tree() {
    expect![[r#"
        Python itself: 2 modules
        native.pyd  C:\Python\Lib\site-packages\pkg\native.pyd [full path by pkg/__init__.py:1] (unloaded again)
           helper.dll  C:\Python\Lib\site-packages\pkg\helper.dll [the DLL's own directory] (unloaded again)
              cudart64_101.dll  fails

        cudart64_101.dll  Windows error 126
          C:\Python\Lib\site-packages\pkg\native.pyd
             C:\Python\Lib\site-packages\pkg\helper.dll
                cudart64_101.dll
          not in C:\Python\Lib\site-packages\pkg (the DLL's own directory)
          not in C:\Python (application directory)
          not in C:\Windows\System32 (System32)

        ImportError: DLL load failed while importing native: The specified module could not be found.
    "#]]
    .assert_eq(&plain(&chained(BROKEN, "pkg", chain_text)));
    let healthy = BROKEN.replace(" imports cudart64_101.dll", " imports kernel32.dll");
    expect![[r#"
        Python itself: 2 modules
        native.pyd  C:\Python\Lib\site-packages\pkg\native.pyd [full path by pkg/__init__.py:1]
           helper.dll  C:\Python\Lib\site-packages\pkg\helper.dll [the DLL's own directory]
              kernel32.dll  C:\Windows\System32\kernel32.dll [KnownDLLs]
        loaded: 3 modules besides Python's own
    "#]]
    .assert_eq(&plain(&chained(&healthy, "pkg", chain_text)));
}

#[test]
fn several_targets_share_one_process_until_one_fails() {
    let both = r"C:\cuda\cudart64_101.dll pkg C:\Python\Lib\site-packages\pkg\helper.dll";
    expect![[r#"
        Python itself: 2 modules
        cudart64_101.dll  C:\cuda\cudart64_101.dll [full path]
        native.pyd  C:\Python\Lib\site-packages\pkg\native.pyd [full path by pkg/__init__.py:1]
           helper.dll  C:\Python\Lib\site-packages\pkg\helper.dll [the DLL's own directory]
              cudart64_101.dll  already loaded
        loaded: 3 modules besides Python's own
    "#]]
    .assert_eq(&plain(&chained(BROKEN, both, chain_text)));
    let last = r"C:\Python\Lib\site-packages\pkg\helper.dll C:\cuda\cudart64_101.dll";
    expect![[r#"
        Python itself: 2 modules
        helper.dll  C:\Python\Lib\site-packages\pkg\helper.dll [full path] (unloaded again)
           cudart64_101.dll  fails

        cudart64_101.dll  Windows error 126
          C:\Python\Lib\site-packages\pkg\helper.dll
             cudart64_101.dll
          not in C:\Python\Lib\site-packages\pkg (the DLL's own directory)
          not in C:\Python (application directory)
          not in C:\Windows\System32 (System32)

        FileNotFoundError: Could not find module 'C:\Python\Lib\site-packages\pkg\helper.dll' (or one of its dependencies). Try using the full path with constructor syntax.
    "#]]
    .assert_eq(&plain(&chained(BROKEN, last, chain_text)));
}

#[test]
fn the_json_of_a_chain_has_all_documented_fields() {
    let json: Value =
        serde_json::from_str(&chained(BROKEN, r"C:\Python\Lib\site-packages\pkg\native.pyd", chain_json))
            .unwrap();
    expect![[r#"
        {
          "chain": [
            "C:\\Python\\Lib\\site-packages\\pkg\\native.pyd",
            "C:\\Python\\Lib\\site-packages\\pkg\\helper.dll",
            "cudart64_101.dll"
          ],
          "culprit": "cudart64_101.dll",
          "loaded": false,
          "modules": [
            {
              "dependencies": [
                {
                  "kind": "import",
                  "name": "python38.dll",
                  "path": "C:\\Python\\python38.dll",
                  "reason": "application directory"
                }
              ],
              "name": "python.exe",
              "path": "C:\\Python\\python.exe",
              "reason": "full path",
              "requiredBy": null
            },
            {
              "dependencies": [],
              "name": "python38.dll",
              "path": "C:\\Python\\python38.dll",
              "reason": "application directory",
              "requiredBy": "C:\\Python\\python.exe"
            }
          ],
          "pythonError": "ImportError: DLL load failed while importing native: The specified module could not be found.",
          "schema": 1,
          "steps": [],
          "winError": 126
        }"#]]
    .assert_eq(&format!("{json:#}"));
    let json: Value =
        serde_json::from_str(&chained(BROKEN, r"C:\cuda\cudart64_101.dll", chain_json)).unwrap();
    assert_eq!(
        (&json["loaded"], &json["culprit"], &json["winError"]),
        (&Value::from(true), &Value::Null, &Value::Null)
    );
    let json: Value = serde_json::from_str(&chained(BROKEN, "absent", chain_json)).unwrap();
    assert_eq!(json["pythonError"], "ModuleNotFoundError: No module named 'absent'");
}

#[test]
fn a_report_in_markdown_for_a_bug_report() {
    expect![[r##"
        # pkg: cudart64\_101.dll not found

        - Interpreter: `C:\Python\python.exe` (Python 3.8.10, 64-bit (x64), installed)
        - Machine: windows-11, Windows 10.0.22631
        - VC++ runtime: no VC++ runtime in its system directory
        - `import pkg`: pkg in `C:\Python\Lib\site-packages\pkg`
        - WhyDLL: 0.2.0

        ## Error: `import pkg` will fail: cudart64\_101.dll is in C:\\cuda, where Python 3.8 does not look.

        - `main.py:1`
        - `main.py:2`

        **How we know**

        pkg/helper.dll imports cudart64\_101.dll; Python 3.8 looks for it in pkg, C:\\Python and System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not search PATH for DLLs.

        ```text
        pkg/__init__.py line 1
        └─ pkg/native.pyd
           └─ pkg/helper.dll
              └─ cudart64_101.dll  not found
        ```

        `cudart64_101.dll` was searched for in

        1. `C:\Python\Lib\site-packages\pkg`, the DLL's own directory
        2. `C:\Python`, application directory
        3. `C:\Windows\System32`, System32

        **Python says**

        ```text
        ImportError: DLL load failed while importing native: The specified module could not be found.
        ```

        **What to do**

        - Add C:\\cuda with os.add\_dll\_directory before the import (recommended)

          ```python
          import os
          os.add_dll_directory(r"C:\cuda")
          ```


        More: [not-on-search-path](https://github.com/whydll/whydll/blob/main/docs/codes/not-on-search-path.md)
    "##]].assert_eq(&reported(BROKEN, Some("import pkg\nimport pkg.sub\n"), check_markdown));
    let healthy = BROKEN.replace("path /cuda", "").replace("/cuda/cuda", "/Python/cuda");
    expect![[r#"
        # No problems found

        - Interpreter: `C:\Python\python.exe` (Python 3.8.10, 64-bit (x64), installed)
        - Machine: windows-11, Windows 10.0.22631
        - VC++ runtime: no VC++ runtime in its system directory
        - `import pkg`: pkg in `C:\Python\Lib\site-packages\pkg`
        - WhyDLL: 0.2.0

        No problems were found with `import pkg`.
    "#]]
    .assert_eq(&reported(&healthy, None, check_markdown));
}

/// Checks the nodes of the tree, which are indented.
fn tree(world: &str, targets: &[&str], expected: Expect) {
    fn draw(out: &mut String, nodes: &[Node], depth: usize) {
        for node in nodes {
            let path = node.path.as_ref().map_or(String::new(), |path| format!(" {path}"));
            let version = node.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
            let indent = "  ".repeat(depth);
            *out += &format!("{indent}{:?} {}{path}{version} [{}]\n", node.state, node.name, node.rule);
            draw(out, &node.children, depth + 1);
        }
    }
    let world = World::new(world).unwrap();
    let (host, environment, _) = diagnosed(&world);
    let nodes = on_large_stack(|| chain_tree(&chain(&host, &environment, targets), &host));
    let mut out = String::new();
    draw(&mut out, &nodes, 0);
    expected.assert_eq(&out);
}

#[test]
fn a_tree_shows_loaded_missing_and_skipped_files() {
    let world = format!("{BROKEN}\n    /Python/Lib/site-packages/pkg/aside.dll    imports version.dll");
    let world = world.replace("imports helper.dll", "imports aside.dll, helper.dll");
    tree(
        &world,
        &["pkg"],
        expect![[r#"
        System Python itself [2 modules]
          Loaded python.exe C:\Python\python.exe [full path]
            Loaded python38.dll C:\Python\python38.dll 3.8.10150.1013 [application directory]
        Unloaded native.pyd C:\Python\Lib\site-packages\pkg\native.pyd [full path, loaded by pkg/__init__.py:1]
          Unloaded aside.dll C:\Python\Lib\site-packages\pkg\aside.dll [the DLL's own directory]
            Unloaded version.dll C:\Windows\System32\version.dll 10.0.22631.0 [System32]
          Unloaded helper.dll C:\Python\Lib\site-packages\pkg\helper.dll [the DLL's own directory]
            Missing cudart64_101.dll [not found: Windows error 126]
              Skipped C:\Python\Lib\site-packages\pkg [the DLL's own directory, not there]
              Skipped C:\Python [application directory, not there]
              Skipped C:\Windows\System32 [System32, not there]
    "#]],
    );
}

#[test]
fn a_tree_shows_a_missing_dll_that_the_program_itself_requested() {
    let world = BROKEN.replace("from . import native", "import ctypes; ctypes.WinDLL('nowhere.dll')");
    tree(
        &world,
        &["pkg"],
        expect![[r#"
        System Python itself [2 modules]
          Loaded python.exe C:\Python\python.exe [full path]
            Loaded python38.dll C:\Python\python38.dll 3.8.10150.1013 [application directory]
        Missing nowhere.dll [not found: Windows error 126]
          Skipped C:\Python [application directory, not there]
          Skipped C:\Windows\System32 [System32, not there]
    "#]],
    );
}

#[test]
fn a_cell_is_named_by_its_number() {
    let location = |cell, link: Option<&str>| {
        let document = CheckedDocument::new("main.ipynb".to_owned(), String::new());
        let document = CheckedDocument { cell, link: link.map(str::to_owned), ..document };
        let location = document.location(Position { line: 1, character: 7 });
        (location.name, location.link)
    };
    let link = Some("/steps/main.ipynb");
    assert_eq!(location(None, None), ("main.ipynb:2".to_owned(), None));
    assert_eq!(location(Some(2), None), ("main.ipynb, cell 3, line 2".to_owned(), None));
    assert_eq!(location(None, link).1.as_deref(), Some("/steps/main.ipynb#L2"));
    assert_eq!(location(Some(2), link).1.as_deref(), link);
}

/// Draws the page of `import pkg`, with `package` as its name.
fn drawn(host: &Host, environment: &Environment, package: &str, findings: &[String]) -> String {
    let chain = on_large_stack(|| chain(host, environment, &["pkg"]));
    chain_page(&chain, host, environment, package, findings)
}

/// Checks the body of the page, with links replaced by their names in brackets.
fn page(world: &str, expected: Expect) {
    let world = World::new(world).unwrap();
    let (host, environment, diagnosis) = diagnosed(&world);
    let findings: Vec<String> = diagnosis.findings.iter().map(|finding| finding.what.clone()).collect();
    let html = drawn(&host, &environment, "pkg", &findings);
    let body = html.split_once("<main>").unwrap().1.split_once("</main>").unwrap().0;
    // Every link reveals a file, whose path is its argument.
    let mut out = String::new();
    let mut rest = body;
    while let Some((before, link)) = rest.split_once("<a href=\"command:whydll.revealFile?") {
        out += before;
        let (argument, after) = link.split_once("\" title=\"").unwrap();
        let (title, after) = after.split_once("\">").unwrap();
        assert!(argument.chars().all(|c| c.is_ascii_alphanumeric() || "%-._~".contains(c)), "{argument}");
        assert!(!title.contains('"'));
        let (name, after) = after.split_once("</a>").unwrap();
        out += &format!("[{name}]");
        rest = after;
    }
    out += rest;
    expected.assert_eq(out.trim());
}

#[test]
fn the_page_of_a_chain_begins_with_what_failed() {
    page(
        BROKEN,
        expect![[r#"
            <h1>DLL chain of <code>import pkg</code></h1>
            <p class="failure">The import fails.</p>
            <p><code>import pkg</code> will fail: cudart64_101.dll is in C:\cuda, where Python 3.8 does not look.</p>
            <h2>Python says</h2>
            <pre>ImportError: DLL load failed while importing native: The specified module could not be found.</pre>
            <p class="quiet">Python 3.8.10: [C:\Python\python.exe]</p>
            <section><h2 class="failure">cudart64_101.dll: not found (Windows error 126)</h2>
            <ol class="way" aria-label="From the statement to the culprit">
            <li>[pkg/__init__.py], line 1</li>
            <li>[pkg/native.pyd]</li>
            <li>[pkg/helper.dll]</li>
            <li><strong class="failure">cudart64_101.dll</strong> not found (Windows error 126)</li>
            </ol>
            <table><caption>Where Windows looked for cudart64_101.dll</caption>
            <tr><th scope="col">Folder</th><th scope="col">Rule</th><th scope="col">What is there</th></tr>
            <tr><td>[C:\Python\Lib\site-packages\pkg]</td><td>the DLL&#39;s own directory</td><td>nothing of that name</td></tr>
            <tr><td>[C:\Python]</td><td>application directory</td><td>nothing of that name</td></tr>
            <tr><td>[C:\Windows\System32]</td><td>System32</td><td>nothing of that name</td></tr>
            </table>
            <table><caption>The copies of cudart64_101.dll</caption>
            <tr><th scope="col">Copy</th><th scope="col">Version</th><th scope="col">Used</th></tr>
            <tr><td>[C:\cuda\cudart64_101.dll]</td><td>none</td><td>no</td></tr>
            </table>
            </section>
            <section><h2>Loaded, in this order</h2>
            <ul class="tree">
            <li><details><summary>Python itself <span class="quiet">2 modules</span></summary><ul>
            <li><details><summary>python.exe <span class="quiet">loaded · full path</span></summary><ul>
            <li>[C:\Python\python.exe]</li>
            <li>[python38.dll] <span class="quiet">loaded · 3.8.10150.1013 · application directory</span></li>
            </ul></details></li>
            </ul></details></li>
            <li><details open><summary>native.pyd <span class="quiet">unloaded again · full path, loaded by pkg/__init__.py:1</span></summary><ul>
            <li>[C:\Python\Lib\site-packages\pkg\native.pyd]</li>
            <li><details open><summary>helper.dll <span class="quiet">unloaded again · the DLL&#39;s own directory</span></summary><ul>
            <li>[C:\Python\Lib\site-packages\pkg\helper.dll]</li>
            <li><details open><summary>cudart64_101.dll <span class="quiet">failed · not found: Windows error 126</span></summary><ul>
            <li>C:\Python\Lib\site-packages\pkg <span class="quiet">the DLL&#39;s own directory, not there</span></li>
            <li>C:\Python <span class="quiet">application directory, not there</span></li>
            <li>C:\Windows\System32 <span class="quiet">System32, not there</span></li>
            </ul></details></li>
            </ul></details></li>
            </ul></details></li>
            </ul></section>"#]],
    );
}

#[test]
fn the_page_shows_handled_failures_and_a_table_of_copies() {
    let world = "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py   text
            from . import first
            try:
                from . import second
            except ImportError:
                pass
        /Python/Lib/site-packages/pkg/first.pyd     imports zlib.dll
        /Python/Lib/site-packages/pkg/zlib.dll      version 1.2.0.0, exports deflate
        /Python/Lib/site-packages/pkg/second.pyd    imports zlib.dll!inflate
        /tools/zlib.dll                             version 1.3.0.0, exports deflate, inflate
        path /tools
        import pkg
    ";
    page(
        world,
        expect![[r#"
            <h1>DLL chain of <code>import pkg</code></h1>
            <p class="fine">The import works: the program handles 1 failed load.</p>
            <p>A part of what <code>import pkg</code> uses is broken: pkg/zlib.dll has no <code>inflate</code>, which pkg/second.pyd imports from it.</p>
            <p class="quiet">Python 3.8.10: [C:\Python\python.exe]</p>
            <section><h2>Failed, and handled by the program</h2>
            <details><summary><span class="failure">zlib.dll</span>: lacks inflate, which is imported from it (Windows error 127)</summary>
            <ol class="way" aria-label="From the statement to the culprit">
            <li>[pkg/__init__.py], line 3</li>
            <li>[pkg/second.pyd]</li>
            <li><strong class="failure">[pkg/zlib.dll]</strong> lacks inflate, which is imported from it (Windows error 127)</li>
            </ol>
            <table><caption>The copies of zlib.dll</caption>
            <tr><th scope="col">Copy</th><th scope="col">Version</th><th scope="col">Used</th></tr>
            <tr><td>[C:\Python\Lib\site-packages\pkg\zlib.dll]</td><td>1.2.0.0</td><td>yes: loaded first, the DLL&#39;s own directory</td></tr>
            <tr><td>[C:\tools\zlib.dll]</td><td>1.3.0.0</td><td>no</td></tr>
            </table>
            <pre>ImportError: DLL load failed while importing second: The specified procedure could not be found.</pre></details>
            </section>
            <section><h2>Loaded, in this order</h2>
            <ul class="tree">
            <li><details><summary>Python itself <span class="quiet">2 modules</span></summary><ul>
            <li><details><summary>python.exe <span class="quiet">loaded · full path</span></summary><ul>
            <li>[C:\Python\python.exe]</li>
            <li>[python38.dll] <span class="quiet">loaded · 3.8.10150.1013 · application directory</span></li>
            </ul></details></li>
            </ul></details></li>
            <li><details><summary>first.pyd <span class="quiet">loaded · full path, loaded by pkg/__init__.py:1</span></summary><ul>
            <li>[C:\Python\Lib\site-packages\pkg\first.pyd]</li>
            <li>[zlib.dll] <span class="quiet">loaded · 1.2.0.0 · the DLL&#39;s own directory</span></li>
            </ul></details></li>
            </ul></section>"#]],
    );
}

#[test]
fn names_are_escaped_in_html() {
    let world = BROKEN.replace("cudart64_101.dll", "a&b'c.dll");
    let world = World::new(&world).unwrap();
    let (host, environment, _) = diagnosed(&world);
    let html = drawn(&host, &environment, "<b>", &["`<i>` is <u>wrong</u>".to_owned()]);
    assert!(
        !html.contains("<b>")
            && !html.contains("<i>")
            && !html.contains("<u>")
            && html.contains("a&amp;b&#39;c.dll")
    );
    assert!(empty_page("<s>").contains("&lt;s&gt;"));
}

/// Hostile names of files and packages. Each has at most as many bytes as [`STAND_IN`].
const HOSTILE: &[&str] = &[
    "$(calc)&calc&%PATH%`calc`!x!;|calc<>'.dll",
    "\u{1b}]8;;http://example.com\u{7}a\u{1b}]8;;\u{7}\u{1b}[45m.dll",
    "`](command:workbench.action.terminal.new).dll",
    "<img src=x onerror=alert(1)>`<b>`&lt;.dll",
    "a\n\n# b\n```\n[x](https://example.com).dll",
    "\u{202e}lld.nohtyp\u{2066}\u{9b}2J\u{85}\r.dll",
    "--index-url=https://example.com -r x.dll",
    "\"; import os; os.system(\"calc\") #.dll",
];
const STAND_IN: &str = "a-name-that-is-to-be-another-one-in-the-image.dll";

/// Creates a machine on which a DLL and a package's metadata contain this name.
fn hostile_world(hostile: &str) -> World {
    let world = World::new(
        &BROKEN
            .replace("imports cudart64_101.dll", &format!("imports {STAND_IN}"))
            .replace(
                "    /cuda/",
                "    /Python/Lib/site-packages/pkg-1.dist-info/METADATA  text\n        Name: pkg\n    \
                     /Python/Lib/site-packages/pkg-1.dist-info/RECORD  text\n        pkg/native.pyd,,\n        pkg/helper.dll,,\n    /cuda/",
            ),
    )
    .unwrap();
    let helper = world.path("/Python/Lib/site-packages/pkg/helper.dll");
    let mut image = std::fs::read(&helper).unwrap();
    let at = image.windows(STAND_IN.len()).position(|bytes| bytes == STAND_IN.as_bytes()).unwrap();
    let mut name = hostile.as_bytes().to_vec();
    assert!(name.len() <= STAND_IN.len(), "{hostile}");
    name.resize(STAND_IN.len(), 0);
    image[at..at + name.len()].copy_from_slice(&name);
    std::fs::write(helper, image).unwrap();
    let metadata = format!("Name: {hostile}\nVersion: {hostile}\n");
    std::fs::write(world.path("/Python/Lib/site-packages/pkg-1.dist-info/METADATA"), metadata).unwrap();
    world
}

/// Fails if a terminal would do more than display the text.
fn assert_only_displayed(styled: &str) {
    assert!(!styled.contains("\u{1b}[45m"), "{styled:?}");
    let plain = anstream::adapter::strip_str(styled).to_string();
    let styles = styled.matches('\u{1b}').count();
    assert_eq!(styles, styled.matches("\u{1b}[").count(), "{styled:?}");
    assert!(!plain.contains(|c| crate::visible::is_interpreted(c) && c != '\n'), "{plain:?}");
}

/// Fails if the Markdown contains a foreign link, an image, or HTML.
fn assert_harmless_markdown(markdown: &str) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    assert!(!markdown.contains(|c| crate::visible::is_interpreted(c) && c != '\n'), "{markdown:?}");
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Image { .. } | Tag::HtmlBlock) => {
                panic!("{event:?} in {markdown}")
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("https://") && !dest_url.contains("example.com"), "{dest_url}");
            }
            Event::Start(Tag::Heading { .. }) => {}
            _ => {}
        }
    }
    let headings = markdown.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!(headings, 2, "{markdown}");
}

#[test]
fn untrusted_names_are_displayed_and_never_interpreted() {
    for hostile in HOSTILE {
        let world = hostile_world(hostile);
        let (host, environment, diagnosis) = diagnosed(&world);
        let text = format!("import pkg  # {}\n", hostile.replace(['\n', '\r'], ""));
        let imports = Document::parse(&text).imports;
        let document = CheckedDocument::new(format!("{hostile}.py"), text.clone());
        let located = diagnosis.findings.iter().map(|finding| Located {
            finding: finding.clone(),
            at: Some((0, imports.first().unwrap().range)),
        });
        let report = Report {
            packages: diagnosis.packages.clone(),
            findings: located.collect(),
            documents: vec![document],
            ..Report::new(&environment, &host, Some(Assumption::Drive(hostile.into())))
        };
        let finding = &report.findings.first().unwrap().finding;
        assert!(!finding.dlls.contains(&STAND_IN.to_owned()), "{finding:?}");
        assert_only_displayed(&check_text(&report));
        assert_harmless_markdown(&check_markdown(&report));
        let json: Value = serde_json::from_str(&check_json(&report)).unwrap();
        assert_eq!(json["findings"][0]["dll"], **finding.dlls.first().unwrap());
        let found = on_large_stack(|| chain(&host, &environment, &["pkg"]));
        assert_only_displayed(&chain_text(&found));
        serde_json::from_str::<Value>(&chain_json(&found)).unwrap();
        let page = chain_page(&found, &host, &environment, "pkg", &[finding.message()]);
        assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
        let commands = page.split("href=\"").skip(1);
        assert!(commands.clone().all(|link| link.starts_with("command:whydll.revealFile?")), "{page}");
    }
}
