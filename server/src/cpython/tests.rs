//! Extension modules, libraries, and finders, by the rules of each Python version.

use expect_test::{Expect, expect};

use world::World;

use crate::testing::{answer, answer_of, check, check_changed};

/// Checks a world under the rules of Python 3.7 and of 3.8.
fn check_both(world: &str, up_to_3_7: Expect, since_3_8: Expect) {
    let python = |minor: u32| {
        format!(
            "
            /Python/python.exe       imports python3{minor}.dll
            /Python/python3{minor}.dll    version 3.{minor}.9150.1013
            /Python/Lib/os.py        text
            "
        )
    };
    up_to_3_7.assert_eq(&answer(&format!("{}{world}", python(7))));
    since_3_8.assert_eq(&answer(&format!("{}{world}", python(8))));
}

#[test]
fn up_to_3_7_the_dlls_of_a_module_are_found_on_path_and_since_3_8_not() {
    check_both(
        "
            /env/pkg/_native.pyd   imports cudart64_101.dll
            /cuda/bin/cudart64_101.dll
            path /cuda/bin
            load /env/pkg/_native.pyd
        ",
        expect![[r#"
            C:\env\pkg\_native.pyd (full path)
            C:\cuda\bin\cudart64_101.dll (PATH)
        "#]],
        expect![[r#"
            126: _native.pyd > cudart64_101.dll: nowhere in C:\env\pkg, C:\Python, C:\Windows\System32
            ImportError: DLL load failed while importing _native: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_python_of_the_store_does_not_search_path() {
    let store =
        "/Program Files/WindowsApps/PythonSoftwareFoundation.Python.3.7_3.7.2544.0_x64__qbz5n2kfra8p0";
    check(
        &format!(
            r#"
            "{store}/python.exe"       imports python37.dll
            "{store}/python37.dll"     version 3.7.9150.1013
            "{store}/Lib/os.py"        text
            /env/pkg/_native.pyd   imports cudart64_101.dll
            /cuda/bin/cudart64_101.dll
            path /cuda/bin
            python {store}
            load /env/pkg/_native.pyd
            "#
        ),
        expect![[r#"
            126: _native.pyd > cudart64_101.dll: nowhere in C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.7_3.7.2544.0_x64__qbz5n2kfra8p0, C:\env\pkg, C:\Windows\System32
            ImportError: DLL load failed: The specified module could not be found.
        "#]],
    );
}

#[test]
fn up_to_3_7_the_application_directory_does_not_serve_modules() {
    check_both(
        "
            /env/pkg/_native.pyd   imports b.dll
            /Python/b.dll
            load /env/pkg/_native.pyd
        ",
        expect![[r#"
            126: _native.pyd > b.dll: nowhere in C:\env\pkg, C:\Windows\System32, C:\Windows\System, C:\Windows
            ImportError: DLL load failed: The specified module could not be found.
        "#]],
        expect![[r#"
            C:\env\pkg\_native.pyd (full path)
            C:\Python\b.dll (application directory)
        "#]],
    );
}

#[test]
fn up_to_3_7_ctypes_searches_path_and_since_3_8_not() {
    check_both(
        "
            /cuda/bin/cudart64_101.dll
            path /cuda/bin
            load cudart64_101.dll ctypes
        ",
        expect![[r#"
            C:\cuda\bin\cudart64_101.dll (PATH)
        "#]],
        expect![[r#"
            126: cudart64_101.dll: nowhere in C:\Python, C:\Windows\System32
            FileNotFoundError: Could not find module 'cudart64_101.dll' (or one of its dependencies). Try using the full path with constructor syntax.
        "#]],
    );
}

#[test]
fn up_to_3_7_dependencies_next_to_a_library_are_not_found() {
    check_both(
        "
            /env/pkg/a.dll   imports b.dll
            /env/pkg/b.dll
            load /env/pkg/a.dll ctypes
        ",
        expect![[r#"
            126: a.dll > b.dll: nowhere in C:\Python, C:\Windows\System32, C:\Windows\System, C:\Windows
            OSError: [WinError 126] The specified module could not be found
        "#]],
        expect![[r#"
            C:\env\pkg\a.dll (full path)
            C:\env\pkg\b.dll (the DLL's own directory)
        "#]],
    );
}

#[test]
fn messages_for_a_library_that_cannot_be_loaded() {
    check_both(
        "
            /env/bad.dll    junk
            /env/old.dll    x86
            /env/mine.dll
            denied /env/mine.dll
            load nowhere.dll ctypes
            load /env/bad.dll ctypes
            load /env/old.dll ctypes
            load /env/mine.dll ctypes
        ",
        expect![[r#"
            126: nowhere.dll: nowhere in C:\Python, C:\Windows\System32, C:\Windows\System, C:\Windows
            OSError: [WinError 126] The specified module could not be found
            193: bad.dll: the file is not a Windows program or DLL; it looks like a Git LFS pointer, not the file it stands for
            OSError: [WinError 193] %1 is not a valid Win32 application
            193: old.dll: C:\env\old.dll is for x86
            OSError: [WinError 193] %1 is not a valid Win32 application
            5: mine.dll: access is denied
            PermissionError: [WinError 5] Access is denied
        "#]],
        expect![[r#"
            126: nowhere.dll: nowhere in C:\Python, C:\Windows\System32
            FileNotFoundError: Could not find module 'nowhere.dll' (or one of its dependencies). Try using the full path with constructor syntax.
            193: bad.dll: the file is not a Windows program or DLL; it looks like a Git LFS pointer, not the file it stands for
            OSError: [WinError 193] %1 is not a valid Win32 application
            193: old.dll: C:\env\old.dll is for x86
            OSError: [WinError 193] %1 is not a valid Win32 application
            5: mine.dll: access is denied
            PermissionError: [WinError 5] Access is denied
        "#]],
    );
}

#[test]
fn messages_for_a_module_that_cannot_be_loaded() {
    check_both(
        "
            /env/pkg/lacks.pyd                   imports nowhere.dll
            /env/pkg/bad.cp38-win_amd64.pyd      empty
            /env/pkg/old.pyd                     x86
            /env/pkg/mine.pyd
            denied /env/pkg/mine.pyd
            load /env/pkg/lacks.pyd
            load /env/pkg/bad.cp38-win_amd64.pyd
            load /env/pkg/old.pyd
            load /env/pkg/mine.pyd
        ",
        expect![[r#"
            126: lacks.pyd > nowhere.dll: nowhere in C:\env\pkg, C:\Windows\System32, C:\Windows\System, C:\Windows
            ImportError: DLL load failed: The specified module could not be found.
            193: bad.cp38-win_amd64.pyd: the file is empty
            ImportError: DLL load failed: %1 is not a valid Win32 application.
            193: old.pyd: C:\env\pkg\old.pyd is for x86
            ImportError: DLL load failed: %1 is not a valid Win32 application.
            5: mine.pyd: access is denied
            ImportError: DLL load failed: Access is denied.
        "#]],
        expect![[r#"
            126: lacks.pyd > nowhere.dll: nowhere in C:\env\pkg, C:\Python, C:\Windows\System32
            ImportError: DLL load failed while importing lacks: The specified module could not be found.
            193: bad.cp38-win_amd64.pyd: the file is empty
            ImportError: DLL load failed while importing bad: %1 is not a valid Win32 application.
            193: old.pyd: C:\env\pkg\old.pyd is for x86
            ImportError: DLL load failed while importing old: %1 is not a valid Win32 application.
            5: mine.pyd: access is denied
            ImportError: DLL load failed while importing mine: Access is denied.
        "#]],
    );
}

#[test]
fn a_module_for_another_version_conflicts_if_that_versions_dll_is_found_at_all() {
    check_both(
        "
            /env/pkg/for37.pyd    imports python37.dll
            /env/pkg/for38.pyd    imports python38.dll
            /env/pkg/for39.pyd    imports python39.dll
            /env/pkg/python39.dll
            load /env/pkg/for37.pyd
            load /env/pkg/for38.pyd
            load /env/pkg/for39.pyd
        ",
        expect![[r#"
            C:\env\pkg\for37.pyd (full path)
            126: for38.pyd > python38.dll: nowhere in C:\env\pkg, C:\Windows\System32, C:\Windows\System, C:\Windows
            ImportError: DLL load failed: The specified module could not be found.
            ImportError: Module use of python39.dll conflicts with this version of Python.
        "#]],
        expect![[r#"
            126: for37.pyd > python37.dll: nowhere in C:\env\pkg, C:\Python, C:\Windows\System32
            ImportError: DLL load failed while importing for37: The specified module could not be found.
            C:\env\pkg\for38.pyd (full path)
            ImportError: Module use of python39.dll conflicts with this version of Python.
        "#]],
    );
}

#[test]
fn a_module_of_the_stable_abi_finds_python3_dll_next_to_the_versioned_one() {
    check_both(
        "
            /Python/python3.dll
            /env/pkg/stable.pyd   imports python3.dll
            load /env/pkg/stable.pyd
        ",
        expect![[r#"
            C:\Python\python3.dll (full path)
            C:\env\pkg\stable.pyd (full path)
        "#]],
        expect![[r#"
            C:\Python\python3.dll (full path)
            C:\env\pkg\stable.pyd (full path)
        "#]],
    );
}

#[test]
fn in_a_virtual_environment_the_application_directory_is_that_of_the_base() {
    check(
        "
        /Python38/python.exe        imports python38.dll
        /Python38/python38.dll      version 3.8.10150.1013
        /Python38/Lib/os.py         text
        /Python38/base.dll
        /venv/Scripts/python.exe
        /venv/Scripts/venv.dll
        /venv/pyvenv.cfg            text
            home = C:\\Python38
            version = 3.8.10
        /venv/Lib/site-packages/a.pyd   imports python38.dll, base.dll
        /venv/Lib/site-packages/b.pyd   imports python38.dll, venv.dll
        python /venv
        load /venv/Lib/site-packages/a.pyd
        load /venv/Lib/site-packages/b.pyd
        ",
        expect![[r#"
            C:\venv\Lib\site-packages\a.pyd (full path)
            C:\Python38\base.dll (application directory)
            126: b.pyd > venv.dll: nowhere in C:\venv\Lib\site-packages, C:\Python38, C:\Windows\System32
            ImportError: DLL load failed while importing b: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_copy_of_the_interpreter_in_scripts_is_its_own_application_directory() {
    check(
        "
        /Python38/python.exe        imports python38.dll
        /Python38/python38.dll      version 3.8.10150.1013
        /Python38/Lib/os.py         text
        /venv/Scripts/python.exe    imports python38.dll
        /venv/Scripts/python38.dll  version 3.8.10150.1013
        /venv/Scripts/venv.dll
        /venv/pyvenv.cfg            text
            home = C:\\Python38
        /venv/Lib/site-packages/b.pyd   imports python38.dll, venv.dll
        python /venv
        load /venv/Lib/site-packages/b.pyd
        ",
        expect![[r#"
            C:\venv\Lib\site-packages\b.pyd (full path)
            C:\venv\Scripts\venv.dll (application directory)
        "#]],
    );
}

/// Returns a conda prefix with Python 3.`minor`.
fn conda(minor: u32) -> String {
    format!(
        "
            /conda/python.exe       imports python3{minor}.dll
            /conda/python3{minor}.dll    version 3.{minor}.9150.1013
            /conda/Lib/os.py        text
            /conda/conda-meta/history   text
            /conda/Library/bin/mkl.dll
            /conda/Library/bin/twice.dll
            /conda/bin/twice.dll
            /conda/Library/other/far.dll
            /env/pkg/a.pyd          imports mkl.dll, twice.dll, far.dll
            python /conda
            load /env/pkg/a.pyd
        "
    )
}

#[test]
fn condas_python_adds_the_directories_of_its_prefix() {
    check(
        &conda(8).replace(", far.dll", ""),
        expect![[r#"
            C:\env\pkg\a.pyd (full path)
            C:\conda\Library\bin\mkl.dll (added by conda's Python)
            C:\conda\Library\bin\twice.dll (added by conda's Python)
        "#]],
    );
    check(
        &conda(8),
        expect![[r#"
            126: a.pyd > far.dll: nowhere in C:\env\pkg, C:\conda, C:\conda\Library\bin, C:\conda\bin, C:\Windows\System32
            ImportError: DLL load failed while importing a: The specified module could not be found.
        "#]],
    );
}

#[test]
fn condas_python_searches_path_where_that_is_enabled() {
    let world = "
            variable CONDA_DLL_SEARCH_MODIFICATION_ENABLE 1
            path /conda/Library/other;/conda/bin
            /conda/Library/other/twice.dll
    "
    .to_owned()
        + &conda(8);
    check(
        &world,
        expect![[r#"
        C:\env\pkg\a.pyd (full path)
        C:\conda\Library\bin\mkl.dll (added by conda's Python)
        C:\conda\Library\bin\twice.dll (added by conda's Python)
        C:\conda\Library\other\far.dll (added by conda's Python, from PATH)
    "#]],
    );
    check(
        &world.replace("ENABLE 1", "ENABLE 0"),
        expect![[r#"
        126: a.pyd > far.dll: nowhere in C:\env\pkg, C:\conda, C:\conda\Library\bin, C:\conda\bin, C:\Windows\System32
        ImportError: DLL load failed while importing a: The specified module could not be found.
    "#]],
    );
}

#[test]
fn up_to_3_7_condas_directories_serve_only_through_path() {
    check(
        &conda(7),
        expect![[r#"
            126: a.pyd > mkl.dll: nowhere in C:\env\pkg, C:\Windows\System32, C:\Windows\System, C:\Windows
            126: a.pyd > twice.dll: nowhere in C:\env\pkg, C:\Windows\System32, C:\Windows\System, C:\Windows
            126: a.pyd > far.dll: nowhere in C:\env\pkg, C:\Windows\System32, C:\Windows\System, C:\Windows
            ImportError: DLL load failed: The specified module could not be found.
        "#]],
    );
    check(
        &format!("            path /conda/Library/bin\n{}", conda(7).replace(", far.dll", "")),
        expect![[r#"
            C:\env\pkg\a.pyd (full path)
            C:\conda\Library\bin\mkl.dll (PATH)
            C:\conda\Library\bin\twice.dll (PATH)
        "#]],
    );
}

const PYTHON: &str = "
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
";

#[test]
fn a_tagged_module_precedes_an_untagged_one_and_both_precede_source() {
    check(
        &format!(
            "{PYTHON}
            /pkg/both.pyd
            /pkg/both.cp38-win_amd64.pyd
            /pkg/plain.pyd
            /pkg/plain.py           text
            /pkg/other.cp37-win_amd64.pyd
            /pkg/other.py           text
            /pkg/only.cp37-win_amd64.pyd
            /pkg/only.cp39-win_amd64.pyd
            /pkg/linux.cpython-38-x86_64-linux-gnu.so
            /pkg/abi.abi3.pyd
            /pkg/window.pyw         text
            /pkg/compiled.pyc       junk
            find both in /pkg
            find plain in /pkg
            find other in /pkg
            find only in /pkg
            find linux in /pkg
            find abi in /pkg
            find window in /pkg
            find compiled in /pkg
            "
        ),
        expect![[r#"
            native C:\pkg\both.cp38-win_amd64.pyd
            native C:\pkg\plain.pyd
            source C:\pkg\other.py
            nothing but C:\pkg\only.cp39-win_amd64.pyd
            nothing but C:\pkg\linux.cpython-38-x86_64-linux-gnu.so
            nothing
            source C:\pkg\window.pyw
            source C:\pkg\compiled.pyc
        "#]],
    );
}

#[test]
fn a_package_precedes_a_module_and_a_module_precedes_a_folder() {
    check(
        &format!(
            "{PYTHON}
            /pkg/a/__init__.py      text
            /pkg/a.py               text
            /pkg/a.pyd
            /pkg/b/x.txt            text
            /pkg/b.py               text
            /pkg/c/x.txt            text
            /pkg/d/__init__.pyd
            /pkg/e/__init__.cp38-win_amd64.pyd
            /pkg/e/__init__.py      text
            find a in /pkg
            find b in /pkg
            find c in /pkg
            find d in /pkg
            find e in /pkg
            "
        ),
        expect![[r#"
            package C:\pkg\a\__init__.py
            source C:\pkg\b.py
            namespace C:\pkg\c
            native package C:\pkg\d\__init__.pyd
            native package C:\pkg\e\__init__.cp38-win_amd64.pyd
        "#]],
    );
}

#[test]
fn a_namespace_package_has_a_portion_in_each_folder_but_a_module_later_on_wins() {
    check(
        &format!(
            "{PYTHON}
            /Python/Lib/site-packages/extra.pth   text
                C:\\more
            /Python/Lib/site-packages/google/one.py    text
            /more/google/two.py                        text
            /Python/Lib/site-packages/late/x.txt       text
            /more/late.py                              text
            find google
            find late
            "
        ),
        expect![[r#"
            namespace C:\Python\Lib\site-packages\google and C:\more\google
            source C:\more\late.py
        "#]],
    );
}

#[test]
fn module_names_are_case_sensitive_although_file_names_are_not() {
    check(
        &format!(
            "{PYTHON}
            /pkg/Name.py                text
            /pkg/Folder/__init__.py     text
            /pkg/Native.pyd
            find name in /pkg
            find Name in /pkg
            find folder in /pkg
            find native in /pkg
            find Name in /PKG
            "
        ),
        expect![[r#"
            nothing
            source C:\pkg\Name.py
            nothing
            nothing
            source C:\PKG\Name.py
        "#]],
    );
}

#[test]
fn the_standard_library_is_known_even_where_its_files_are_not() {
    check(
        &format!(
            "{PYTHON}
            /Python/Lib/site-packages/sys.py      text
            /Python/Lib/json.py                   text
            find sys
            find json
            find ctypes
            find tensorflow
            "
        ),
        expect![[r#"
            built in
            source C:\Python\Lib\json.py
            standard library
            nothing
        "#]],
    );
}

#[test]
fn a_file_that_is_not_an_archive_provides_no_modules() {
    check(
        &format!(
            "{PYTHON}
            /Python/python38.zip    junk
            /pkg/x.py               text
            find ctypes
            find numpy
            "
        ),
        expect![[r#"
            standard library
            nothing
        "#]],
    );
}

#[test]
fn a_folder_without_read_permission_hides_its_contents() {
    check(
        &format!(
            "{PYTHON}
            /pkg/a/__init__.py      text
            denied /pkg/a
            find a in /pkg
            "
        ),
        expect![[r#"
            C:\pkg\a withheld: access is denied
        "#]],
    );
}

#[test]
fn a_python_that_lacks_its_own_runtime_does_not_start() {
    check(
        "
        /Python/python.exe       imports python38.dll, vcruntime140.dll
        /Python/python38.dll     imports vcruntime140.dll, version 3.8.10150.1013
        /Python/Lib/os.py        text
        import numpy
        ",
        expect![[r#"
            error missing-vc-runtime: vcruntime140.dll
              Python itself cannot start: vcruntime140.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x64).
              C:\Python\python38.dll imports vcruntime140.dll; Python 3.8 looks for it in C:\Python, System32, C:\Windows\System and C:\Windows, and it is in none of them (Windows error 126).
              Install this runtime.
              ~ Repair Python 3.8.10 with its installer | https://www.python.org/downloads/release/python-3810/
              ~ Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
        "#]],
    );
}

#[test]
fn python_3_15_finds_the_stable_abi_of_both_builds() {
    let world = |module: &str, folder: &str| {
        format!(
            "
            /Python/python.exe       imports python315.dll
            /Python/python315.dll    version 3.15.150.1013
            /Python/Lib/os.py        text
            {folder}/python3t.dll
            /env/pkg/{module}.pyd   imports python3t.dll
            load /env/pkg/{module}.pyd
            "
        )
    };
    // The layouts of python.org's installer and of its install manager.
    for folder in ["/Python/abi3t-compat", "/Python"] {
        let output = answer(&world("stable", folder));
        assert!(!output.contains("126"), "{output}");
    }
    check(
        &world("stable", "/Python/elsewhere"),
        expect![[r#"
            126: stable.pyd > python3t.dll: nowhere in C:\env\pkg, C:\Python, C:\Windows\System32
            ImportError: DLL load failed while importing stable: The specified module could not be found.
        "#]],
    );
}

#[test]
fn the_redirector_of_a_virtual_environment_starts_the_free_threaded_build() {
    check(
        "
        /Python/python.exe         imports python314.dll
        /Python/python314.dll      version 3.14.2150.1013
        /Python/python3.14t.exe    imports python314t.dll, own.dll
        /Python/python314t.dll     version 3.14.2150.1013
        /Python/Lib/os.py          text
        /venv/Scripts/python.exe
        /venv/Scripts/python3.14t.exe
        /venv/pyvenv.cfg           text
            home = C:\\Python
        python /venv
        import numpy
        ",
        expect![[r#"
            error missing-dll: own.dll
              Python itself cannot start: own.dll is missing.
              C:\Python\python3.14t.exe imports own.dll; Python 3.14 free-threaded looks for it in C:\Python, System32, C:\Windows\System and C:\Windows, and it is in none of them (Windows error 126).
              It belongs to Python itself: repair this Python.
              ~ Repair Python 3.14.2 free-threaded with its installer | https://www.python.org/downloads/release/python-3142/
        "#]],
    );
}

#[test]
fn the_stable_abi_of_old_layouts_is_in_dlls() {
    let output = answer(
        "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/DLLs/python3.dll
        /env/pkg/stable.pyd   imports python3.dll
        load /env/pkg/stable.pyd
        ",
    );
    assert!(!output.contains("126"), "{output}");
}

/// A Python of the install manager, and an alias of it next to a DLL.
const MANAGED: &str = r"
    /U/Python/pythoncore-3.14-64/python.exe      imports python314.dll
    /U/Python/pythoncore-3.14-64/python3.dll     exports Py_Main=python314.Py_Main, Py_Version=python314.Py_Version
    /U/Python/pythoncore-3.14-64/python314.dll   version 3.14.2150.1013, exports Py_Main, Py_Version, imports vcruntime140.dll
    /U/Python/pythoncore-3.14-64/vcruntime140.dll
    /U/Python/pythoncore-3.14-64/of_python.dll
    /U/Python/pythoncore-3.14-64/Lib/os.py       text
    /U/Python/bin/python.exe
    /U/Python/bin/of_alias.dll
    /lib/on_path.dll
    /env/pkg/_native.pyd                         imports of_python.dll, of_alias.dll
    /env/pkg/_other.pyd                          imports on_path.dll
    path /lib
";

/// Checks the outcome of the directives if the alias is started, and if the interpreter itself is.
fn check_managed(directives: &str, by_alias: Expect, direct: Expect) {
    let target = |world: &World| {
        let file = world.path("/U/Python/bin/python.exe.__target__");
        std::fs::write(file, r"C:\U\Python\pythoncore-3.14-64\python.exe").unwrap();
    };
    let world = |python: &str| format!("{MANAGED}    python {python}\n{directives}");
    check_changed(&world("/U/Python/bin"), target, by_alias);
    check_changed(&world("/U/Python/pythoncore-3.14-64"), target, direct);
}

#[test]
fn an_alias_of_the_install_manager_loads_python_into_itself() {
    check_managed(
        "    loaded",
        expect![[r#"
        C:\U\Python\bin\python.exe (full path)
        C:\U\Python\pythoncore-3.14-64\python3.dll (added by the install manager's alias)
        C:\U\Python\pythoncore-3.14-64\python314.dll (added by the install manager's alias)
        C:\U\Python\pythoncore-3.14-64\vcruntime140.dll (added by the install manager's alias)
    "#]],
        expect![[r#"
        C:\U\Python\pythoncore-3.14-64\python.exe (full path)
        C:\U\Python\pythoncore-3.14-64\python314.dll (application directory)
        C:\U\Python\pythoncore-3.14-64\vcruntime140.dll (application directory)
    "#]],
    );
}

#[test]
fn in_an_alias_modules_find_dlls_next_to_the_alias_and_next_to_python() {
    check_managed(
        "    load /env/pkg/_native.pyd",
        expect![[r#"
        C:\env\pkg\_native.pyd (full path)
        C:\U\Python\pythoncore-3.14-64\of_python.dll (added by the install manager's alias)
        C:\U\Python\bin\of_alias.dll (application directory)
    "#]],
        expect![[r#"
        126: _native.pyd > of_alias.dll: nowhere in C:\env\pkg, C:\U\Python\pythoncore-3.14-64, C:\Windows\System32
        ImportError: DLL load failed while importing _native: The specified module could not be found.
    "#]],
    );
    check_managed(
        "    load /env/pkg/_other.pyd",
        expect![[r#"
        126: _other.pyd > on_path.dll: nowhere in C:\env\pkg, C:\U\Python\bin, C:\U\Python\pythoncore-3.14-64, C:\Windows\System32
        ImportError: DLL load failed while importing _other: The specified module could not be found.
    "#]],
        expect![[r#"
        126: _other.pyd > on_path.dll: nowhere in C:\env\pkg, C:\U\Python\pythoncore-3.14-64, C:\Windows\System32
        ImportError: DLL load failed while importing _other: The specified module could not be found.
    "#]],
    );
}

#[test]
fn in_an_alias_path_is_not_searched_for_loads_without_flags_either() {
    check_managed(
        "    load on_path.dll winmode 0",
        expect![[r#"
        126: on_path.dll: nowhere in C:\U\Python\pythoncore-3.14-64, C:\Windows\System32
        FileNotFoundError: Could not find module 'on_path.dll' (or one of its dependencies). Try using the full path with constructor syntax.
    "#]],
        expect![[r#"
        C:\lib\on_path.dll (PATH)
    "#]],
    );
    check_managed(
        "    load of_alias.dll winmode 0",
        expect![[r#"
        126: of_alias.dll: nowhere in C:\U\Python\pythoncore-3.14-64, C:\Windows\System32
        FileNotFoundError: Could not find module 'of_alias.dll' (or one of its dependencies). Try using the full path with constructor syntax.
    "#]],
        expect![[r#"
        126: of_alias.dll: nowhere in C:\U\Python\pythoncore-3.14-64, C:\Windows\System32, C:\Windows\System, C:\Windows, C:\lib
        FileNotFoundError: Could not find module 'of_alias.dll' (or one of its dependencies). Try using the full path with constructor syntax.
    "#]],
    );
    check_managed(
        "    load of_python.dll winmode 0",
        expect![[r#"
        C:\U\Python\pythoncore-3.14-64\of_python.dll (added by the install manager's alias)
    "#]],
        expect![[r#"
        C:\U\Python\pythoncore-3.14-64\of_python.dll (application directory)
    "#]],
    );
    check_managed(
        "    load of_alias.dll ctypes",
        expect![[r#"
        C:\U\Python\bin\of_alias.dll (application directory)
    "#]],
        expect![[r#"
        126: of_alias.dll: nowhere in C:\U\Python\pythoncore-3.14-64, C:\Windows\System32
        FileNotFoundError: Could not find module 'of_alias.dll' (or one of its dependencies). Try using the full path with constructor syntax.
    "#]],
    );
}

#[test]
fn an_alias_that_cannot_load_python_starts_it_as_another_process() {
    // The loader searches PATH for a program's own DLLs.
    let without = MANAGED.replace("pythoncore-3.14-64/vcruntime140.dll", "elsewhere/vcruntime140.dll");
    let world = |path: &str| {
        let world =
            World::new(&format!("{without}    path {path}\n    python /U/Python/bin\n    loaded")).unwrap();
        std::fs::write(
            world.path("/U/Python/bin/python.exe.__target__"),
            r"C:\U\Python\pythoncore-3.14-64\python.exe",
        )
        .unwrap();
        world
    };
    expect![[r#"
        C:\U\Python\pythoncore-3.14-64\python.exe (full path)
        C:\U\Python\pythoncore-3.14-64\python314.dll (application directory)
        C:\U\Python\elsewhere\vcruntime140.dll (PATH)
    "#]]
    .assert_eq(&answer_of(&world("/U/Python/elsewhere")));
    expect![[r#"
        126: python.exe > python314.dll > vcruntime140.dll: nowhere in C:\U\Python\pythoncore-3.14-64, C:\Windows\System32, C:\Windows\System, C:\Windows, C:\lib
    "#]].assert_eq(&answer_of(&world("/lib")));
}

#[test]
fn a_diagnosis_does_not_suggest_path_in_an_alias() {
    check_managed(
        "
    /env/loads/__init__.py    text
        import ctypes
        ctypes.WinDLL('on_path.dll', winmode=0)
    variable PYTHONPATH C:\\env
    import loads
",
        expect![[r#"
            error not-on-search-path: on_path.dll
              `import loads` will fail: on_path.dll is in C:\lib, where Python 3.14 does not look.
              C:\env\loads\__init__.py (line 2) loads on_path.dll; Python 3.14 looks for it in C:\U\Python\pythoncore-3.14-64 and System32, and it is in none of them (Windows error 126). It runs in C:\U\Python\bin\python.exe, an alias of the Python Install Manager, in which no load searches PATH.
              Add C:\lib with os.add_dll_directory before the import, or use C:\U\Python\pythoncore-3.14-64\python.exe itself instead of its alias.
              Python: FileNotFoundError: Could not find module 'on_path.dll' (or one of its dependencies). Try using the full path with constructor syntax.
              * Add C:\lib with os.add_dll_directory before the import | os.add_dll_directory(r"C:\lib")
              - Use C:\U\Python\pythoncore-3.14-64\python.exe itself instead of its alias | "whydll.interpreter": "C:\\U\\Python\\pythoncore-3.14-64\\python.exe"
        "#]],
        expect![[r#"
            healthy
        "#]],
    );
}
