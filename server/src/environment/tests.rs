//! Environments as found in practice, each described by a disk in a string and the expected result.

mod launchers;

use expect_test::{Expect, expect};

use super::*;
use crate::host::{Files, MemoryFiles};

const INSTALLED: &str = r"
    C:\Python38\python.exe          imports python38.dll
    C:\Python38\pythonw.exe         imports python38.dll
    C:\Python38\python3.dll         version 3.8.10150.1013
    C:\Python38\python38.dll        version 3.8.10150.1013
    C:\Python38\Lib\os.py           text
    C:\Python38\Lib\site-packages\
    C:\Python38\DLLs\_ctypes.pyd
";

const VENV: &str = r"
    C:\proj\.venv\Scripts\python.exe
    C:\proj\.venv\Lib\site-packages\
    C:\proj\.venv\pyvenv.cfg        text
        home = C:\Python38
        include-system-site-packages = false
        version = 3.8.10
";

/// Checks the description of the environment at `path`.
fn check(disk: &str, path: &str, expect: Expect) {
    check_within(disk, path, &Surroundings::default(), expect);
}

fn check_within(disk: &str, path: &str, surroundings: &Surroundings, expect: Expect) {
    expect.assert_eq(&described(disk, path, surroundings));
}

fn described(disk: &str, path: &str, surroundings: &Surroundings) -> String {
    match Environment::within(&path.into(), surroundings, &MemoryFiles::new(disk)) {
        Ok(environment) => description_of(&environment),
        Err(error) => format!("error: {error}\n"),
    }
}

fn description_of(environment: &Environment) -> String {
    let Environment { kind, base_kind, version, machine, .. } = environment;
    let mut words = format!("{kind} {version} {machine}");
    if base_kind != kind {
        words += &format!(", of {base_kind}");
    }
    if environment.isolated {
        words += ", isolated";
    }
    words += &format!(
        "\n{} in {}\nprefix {}, base {}\n",
        environment.python_dll,
        environment.application_directory,
        environment.prefix,
        environment.base_prefix
    );
    for PathEntry { path, origin } in &environment.sys_path {
        words += &format!("  {path}  ");
        words += &match origin {
            Origin::PathFile { file, line } | Origin::Pth { file, line } => {
                format!("{}:{line}", file.file_name())
            }
            origin => serde_json::to_value(origin).unwrap().as_str().unwrap().to_owned(),
        };
        words.push('\n');
    }
    for distribution in &environment.distributions {
        let version = distribution.version.as_deref().unwrap_or("?");
        words += &format!("{} {version} ({:?})\n", distribution.normalized, distribution.kind);
    }
    for note in &environment.notes {
        words += &format!("note: {note}\n");
    }
    words
}

fn concatenated(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn a_python_from_the_installer_is_described() {
    check(
        INSTALLED,
        r"C:\Python38\python.exe",
        expect![[r#"
        installed 3.8.10 x86_64
        C:\Python38\python38.dll in C:\Python38
        prefix C:\Python38, base C:\Python38
          C:\Python38\python38.zip  zip
          C:\Python38\DLLs  extension-modules
          C:\Python38\Lib  standard-library
          C:\Python38  application-directory
          C:\Python38\Lib\site-packages  site-packages
    "#]],
    );
    let of = |path: &str| described(INSTALLED, path, &Surroundings::default());
    assert_eq!(of(r"C:\Python38\"), of(r"C:\Python38\python.exe"));
}

#[test]
fn case_and_separators_are_interpreted_as_on_windows() {
    check(
        INSTALLED,
        "c:/PYTHON38/Python.EXE",
        expect![[r#"
            installed 3.8.10 x86_64
            c:\PYTHON38\python38.dll in c:\PYTHON38
            prefix c:\PYTHON38, base c:\PYTHON38
              c:\PYTHON38\python38.zip  zip
              c:\PYTHON38\DLLs  extension-modules
              c:\PYTHON38\Lib  standard-library
              c:\PYTHON38  application-directory
              c:\PYTHON38\Lib\site-packages  site-packages
        "#]],
    );
}

#[test]
fn since_3_11_the_prefix_replaces_a_missing_dlls_folder() {
    check(
        r"
        C:\uv\python.exe       imports python312.dll
        C:\uv\python312.dll    version 3.12.4150.1013
        C:\uv\Lib\os.py        text
        C:\uv\Lib\site-packages\
        ",
        r"C:\uv",
        expect![[r#"
            installed 3.12.4 x86_64
            C:\uv\python312.dll in C:\uv
            prefix C:\uv, base C:\uv
              C:\uv\python312.zip  zip
              C:\uv  extension-modules
              C:\uv\Lib  standard-library
              C:\uv\Lib\site-packages  site-packages
        "#]],
    );
}

const EMBEDDABLE: &str = r"
    /x/python.exe      imports python38.dll
    /x/python3.dll
    /x/python38.dll    version 3.8.10150.1013
    /x/python38.zip    archive os site encodings/utf_8
    /x/Lib/site-packages/numpy-1.18.5.dist-info/METADATA  text
";

#[test]
fn an_embeddable_python_without_import_site_has_no_site_packages() {
    check(
        &concatenated(&[
            EMBEDDABLE,
            r"
    /x/python38._pth   text
        python38.zip
        .

        # Uncomment to run site.main() automatically
        #import site
",
        ]),
        "/x",
        expect![[r#"
            embeddable 3.8.10 x86_64, isolated
            /x/python38.dll in /x
            prefix /x, base /x
              /x/python38.zip  python38._pth:1
              /x  python38._pth:2
            note: /x/python38._pth has no `import site`, so site-packages and .pth files are not used
        "#]],
    );
}

#[test]
fn an_embeddable_python_with_import_site_has_site_packages() {
    check(
        &concatenated(&[
            EMBEDDABLE,
            r"
    /x/python38._pth   text
        python38.zip
        .
        ..\shared
        import numpy
        import site
",
        ]),
        "/x/python.exe",
        expect![[r#"
            embeddable 3.8.10 x86_64, isolated
            /x/python38.dll in /x
            prefix /x, base /x
              /x/python38.zip  python38._pth:1
              /x  python38._pth:2
              /shared  python38._pth:3
              /x/Lib/site-packages  site-packages
            numpy 1.18.5 (DistInfo)
            note: /x/python38._pth:4: a ._pth file may only import site
        "#]],
    );
}

#[test]
fn comments_in_a_path_file_are_understood_since_3_11() {
    let disk = |tag: &str| {
        format!(
            "/x/python.exe  imports python{tag}.dll\n/x/python{tag}.dll\n/x/python{tag}.zip\n\
             /x/python{tag}._pth  text\n    python{tag}.zip # the library\n     import site\n"
        )
    };
    check(
        &disk("311"),
        "/x",
        expect![[r#"
        embeddable 3.11 x86_64, isolated
        /x/python311.dll in /x
        prefix /x, base /x
          /x/python311.zip  python311._pth:1
          /x  prefix
    "#]],
    );
    check(
        &disk("310"),
        "/x",
        expect![[r#"
            embeddable 3.10 x86_64, isolated
            /x/python310.dll in /x
            prefix /x, base /x
              /x/python310.zip # the library  python310._pth:1
              /x/ import site  python310._pth:2
            note: /x/python310._pth has no `import site`, so site-packages and .pth files are not used
        "#]],
    );
}

#[test]
fn an_embeddable_python_without_a_path_file_follows_the_usual_rules() {
    check(
        EMBEDDABLE,
        "/x",
        expect![[r#"
            embeddable 3.8.10 x86_64
            /x/python38.dll in /x
            prefix /x, base /x
              /x/python38.zip  zip
              /x/DLLs  extension-modules
              /x/Lib  standard-library
              /x  application-directory
              /x/Lib/site-packages  site-packages
            numpy 1.18.5 (DistInfo)
        "#]],
    );
}

#[test]
fn a_venv_runs_the_interpreter_of_its_base() {
    check(
        &concatenated(&[INSTALLED, VENV]),
        r"C:\proj\.venv",
        expect![[r#"
            venv 3.8.10 x86_64, of installed
            C:\Python38\python38.dll in C:\Python38
            prefix C:\proj\.venv, base C:\Python38
              C:\Python38\python38.zip  zip
              C:\Python38\DLLs  extension-modules
              C:\Python38\Lib  standard-library
              C:\Python38  application-directory
              C:\proj\.venv  prefix
              C:\proj\.venv\Lib\site-packages  site-packages
        "#]],
    );
}

#[test]
fn a_venv_can_have_the_packages_of_its_base() {
    let venv = VENV.replace("= false", "= TRUE");
    let packages = r"
    C:\Python38\Lib\site-packages\Markdown-3.2.2.dist-info\
    C:\proj\.venv\Lib\site-packages\tensorflow_cpu-2.3.0.dist-info\
";
    check(
        &concatenated(&[INSTALLED, &venv, packages]),
        r"C:\proj\.venv\Scripts\python.exe",
        expect![[r#"
            venv 3.8.10 x86_64, of installed
            C:\Python38\python38.dll in C:\Python38
            prefix C:\proj\.venv, base C:\Python38
              C:\Python38\python38.zip  zip
              C:\Python38\DLLs  extension-modules
              C:\Python38\Lib  standard-library
              C:\Python38  application-directory
              C:\proj\.venv  prefix
              C:\proj\.venv\Lib\site-packages  site-packages
              C:\Python38\Lib\site-packages  site-packages
            tensorflow-cpu 2.3.0 (DistInfo)
            markdown 3.2.2 (DistInfo)
        "#]],
    );
}

#[test]
fn a_venv_without_the_setting_has_the_packages_of_its_base() {
    let disk =
        concatenated(&[INSTALLED, &VENV.replace("include-system-site-packages = false", "prompt = x")]);
    let environment = Environment::at(&r"C:\proj\.venv".into(), &MemoryFiles::new(&disk)).unwrap();
    assert_eq!(environment.site_packages.len(), 2);
}

#[test]
fn a_virtualenv_can_contain_a_copy_of_the_interpreter() {
    let copy = r"
    C:\proj\.venv\Scripts\python.exe     imports python38.dll
    C:\proj\.venv\Scripts\python38.dll   version 3.8.6150.1013
";
    check(
        &concatenated(&[INSTALLED, VENV, copy]),
        r"C:\proj\.venv",
        expect![[r#"
            venv 3.8.6 x86_64, of installed
            C:\proj\.venv\Scripts\python38.dll in C:\proj\.venv\Scripts
            prefix C:\proj\.venv, base C:\Python38
              C:\proj\.venv\Scripts\python38.zip  zip
              C:\Python38\DLLs  extension-modules
              C:\Python38\Lib  standard-library
              C:\Python38  application-directory
              C:\proj\.venv  prefix
              C:\proj\.venv\Lib\site-packages  site-packages
        "#]],
    );
}

#[test]
fn a_virtualenv_older_than_20_names_its_base_in_a_file() {
    check(
        &concatenated(&[
            INSTALLED,
            r"
    C:\env\Scripts\python.exe     imports python38.dll
    C:\env\Scripts\python38.dll   version 3.8.1150.1013
    C:\env\Lib\os.py              text
    C:\env\Lib\orig-prefix.txt    text
        C:\Python38
    C:\env\Lib\site-packages\
",
        ]),
        r"C:\env",
        expect![[r#"
            venv 3.8.1 x86_64, of installed
            C:\env\Scripts\python38.dll in C:\env\Scripts
            prefix C:\env, base C:\Python38
              C:\env\Scripts\python38.zip  zip
              C:\env\DLLs  extension-modules
              C:\env\Lib  standard-library
              C:\env\Scripts  application-directory
              C:\Python38\Lib  standard-library
              C:\Python38\DLLs  extension-modules
              C:\env  prefix
              C:\env\Lib\site-packages  site-packages
        "#]],
    );
}

#[test]
fn a_venv_of_an_embeddable_python_inherits_its_isolation() {
    check(
        &concatenated(&[
            EMBEDDABLE,
            r"
    /x/python38._pth   text
        python38.zip
        .
    /env/Scripts/python.exe
    /env/Lib/site-packages/
    /env/pyvenv.cfg    text
        home = /x
",
        ]),
        "/env",
        expect![[r#"
            venv 3.8.10 x86_64, of embeddable, isolated
            /x/python38.dll in /x
            prefix /env, base /x
              /x/python38.zip  python38._pth:1
              /x  python38._pth:2
            note: /x/python38._pth has no `import site`, so site-packages and .pth files are not used
        "#]],
    );
}

#[test]
fn a_broken_venv_is_an_error_with_its_reason() {
    let broken = |disk: &str, expect: Expect| check(disk, r"C:\proj\.venv", expect);
    broken(
        VENV,
        expect![[r#"
            error: C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: the Python 3.8.10 that it was made with is gone: C:\Python38 does not exist
        "#]],
    );
    broken(
        &concatenated(&[VENV, "    C:\\Python38\\Lib\\\n"]),
        expect![[r#"
        error: C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: the Python that it was made with is gone: no python.exe with its pythonXY.dll in C:\Python38
    "#]],
    );
    broken(
        &VENV.replace("home =", "homes ="),
        expect![[r#"
            error: C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: it has no `home` line
        "#]],
    );
    broken(
        &concatenated(&[VENV, "    C:\\Python38  denied\n"]),
        expect![[r#"
        error: C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: the Python that it was made with cannot be read: C:\Python38: access is denied
    "#]],
    );
    broken(
        r"C:\proj\.venv\pyvenv.cfg  text",
        expect![[r#"
        error: C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: C:\proj\.venv\Scripts\python.exe is missing
    "#]],
    );
    broken(
        r"C:\proj\.venv\Scripts\python.exe",
        expect![[r#"
            error: C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: that file is missing, so its python.exe cannot determine which Python to start
        "#]],
    );
}

const CONDA: &str = r#"
    C:\conda\envs\tf\python.exe      imports python39.dll
    C:\conda\envs\tf\python39.dll    version 3.9.18150.1013
    C:\conda\envs\tf\Lib\os.py       text
    C:\conda\envs\tf\Lib\site-packages\numpy-1.26.4.dist-info\
    C:\conda\envs\tf\DLLs\
    C:\conda\envs\tf\Library\bin\cudart64_110.dll   size 5
    C:\conda\envs\tf\conda-meta\history  text
    C:\conda\envs\tf\conda-meta\numpy-1.26.4-py39h055cbcc_0.json  text
        {}
    C:\conda\envs\tf\conda-meta\cuda-toolkit-11.2.2-h9f8a_10.json  text
        {"name": "x", "paths_data": {"paths": [
          {"_path": "Library/bin/cudart64_110.dll", "sha256": "ab", "size_in_bytes": 7},
          {"_path": "Library/bin/cudnn64_8.dll", "sha256_in_prefix": "cd", "size_in_bytes": 9},
          {"_path": "Library/include/cudnn.h"}]}, "files": ["Library/bin/cublas64_11.dll"]}
    C:\conda\envs\tf\conda-meta\odd-1-0.json  text
        no JSON
"#;

#[test]
fn a_conda_prefix_is_described() {
    check(
        CONDA,
        r"C:\conda\envs\tf",
        expect![[r#"
            conda 3.9.18 x86_64
            C:\conda\envs\tf\python39.dll in C:\conda\envs\tf
            prefix C:\conda\envs\tf, base C:\conda\envs\tf
              C:\conda\envs\tf\python39.zip  zip
              C:\conda\envs\tf\DLLs  extension-modules
              C:\conda\envs\tf\Lib  standard-library
              C:\conda\envs\tf  application-directory
              C:\conda\envs\tf\Lib\site-packages  site-packages
            numpy 1.26.4 (DistInfo)
            cuda-toolkit 11.2.2 (Conda)
            numpy 1.26.4 (Conda)
            odd 1 (Conda)
        "#]],
    );
}

#[test]
fn the_dlls_of_conda_packages_are_compared_with_their_records() {
    let disk = MemoryFiles::new(CONDA);
    let environment = Environment::at(&r"C:\conda\envs\tf".into(), &disk).unwrap();
    let cuda = environment.find("CUDA_toolkit").unwrap();
    assert_eq!(
        missing(cuda, &disk),
        "Library\\bin\\cudart64_110.dll is 5 bytes long, not 7\n\
         Library\\bin\\cudnn64_8.dll is missing (9)\n\
         Library\\bin\\cublas64_11.dll is missing\n"
    );
    let dll = r"C:\conda\envs\tf\Library\bin\CUDNN64_8.dll".into();
    assert_eq!(environment.owner_of(&dll, &disk).map(|d| &*d.name), Some("cuda-toolkit"));
    assert!(environment.find("odd").unwrap().missing_files(&disk).is_err());
}

#[test]
fn a_venv_does_not_have_the_distributions_of_its_conda_base() {
    let disk = concatenated(&[CONDA, &VENV.replace(r"C:\Python38", r"C:\conda\envs\tf")]);
    let environment = Environment::at(&r"C:\proj\.venv".into(), &MemoryFiles::new(&disk)).unwrap();
    assert_eq!((environment.kind, environment.base_kind), (EnvironmentKind::Venv, EnvironmentKind::Conda));
    assert_eq!(environment.distributions.len(), 0, "conda's packages are not its own");
}

#[test]
fn a_python_from_the_store_is_recognized() {
    let store =
        r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0";
    let disk = format!(
        "C:\\Program Files\\WindowsApps\\  denied\n\
         {store}\\python.exe  imports python311.dll\n\
         {store}\\python311.dll  version 3.11.9150.1013\n\
         {store}\\Lib\\os.py  text\n\
         C:\\Users\\me\\AppData\\Local\\Microsoft\\WindowsApps\\python.exe  not an image, size 0\n"
    );
    let environment = Environment::at(&store.into(), &MemoryFiles::new(&disk)).unwrap();
    assert_eq!(environment.kind, EnvironmentKind::Store);
    check(
        &disk,
        r"C:\Users\me\AppData\Local\Microsoft\WindowsApps\python.exe",
        expect![[r#"
            error: C:\Users\me\AppData\Local\Microsoft\WindowsApps\python.exe is only an alias for the Python from the Microsoft Store: use the python.exe itself (`py -0p` lists it)
        "#]],
    );
}

#[test]
fn paths_without_a_python_for_windows_are_refused() {
    let disk = r"
        /env/bin/python3        not an image
        /env/lib/python3.11/
        /env/pyvenv.cfg         text
            home = /usr/bin
        /empty/
        /project/main.py        text
        /secret/                denied
    ";
    let refused = |path: &str, expect: Expect| check(disk, path, expect);
    for path in ["/env", "/env/bin", "/env/bin/python3"] {
        let error = Environment::at(&path.into(), &MemoryFiles::new(disk)).unwrap_err();
        assert_eq!(error, EnvironmentError::Linux { prefix: "/env".into() });
    }
    refused(
        "/empty",
        expect![[r#"
            error: /empty isn't a Python environment: it contains neither python.exe nor Scripts\python.exe
        "#]],
    );
    refused(
        "/project/main.py",
        expect![[r#"
            error: /project/main.py isn't a Python interpreter for Windows: use a python.exe or the folder of an environment
        "#]],
    );
    refused(
        "/nowhere/python.exe",
        expect![[r#"
        error: /nowhere/python.exe does not exist
    "#]],
    );
    refused(
        "/secret",
        expect![[r#"
            error: /secret: access is denied
        "#]],
    );
}

#[test]
fn the_dll_is_the_imported_one() {
    check(
        r"
        C:\Python38\python.exe    imports KERNEL32.dll PYTHON38.dll
        C:\Python38\python39.dll
        ",
        r"C:\Python38",
        expect![[r#"
            error: C:\Python38\python.exe cannot start: PYTHON38.dll is not next to it
        "#]],
    );
    check(
        r"
        C:\Python38\python.exe    not an image
        C:\Python38\python3.dll
        ",
        r"C:\Python38",
        expect![[r#"
            error: C:\Python38\python.exe cannot start: pythonXY.dll is not next to it
        "#]],
    );
    // The executable imports one of them.
    let several = r"
        C:\P\python.exe     imports python38.dll
        C:\P\python3.dll
        C:\P\python38.dll
        C:\P\python310.dll
        C:\P\python313t.dll
        C:\P\Lib\os.py      text
    ";
    let version = |disk: &str| {
        let environment = Environment::at(&r"C:\P".into(), &MemoryFiles::new(disk)).unwrap();
        (environment.version.to_string(), environment.free_threaded, environment.notes.len())
    };
    assert_eq!(version(several), ("3.8".into(), false, 0));
    // An executable that imports none of them: the newest is used, and there is a note.
    assert_eq!(version(&several.replace("imports python38.dll", "")), ("3.13".into(), true, 1));
}

/// Both builds in one directory, as python.org's installer leaves them.
const BOTH_BUILDS: &str = r"
    C:\Py\python.exe         imports python314.dll
    C:\Py\python3.dll
    C:\Py\python314.dll      version 3.14.2150.1013
    C:\Py\python3.14t.exe    imports python314t.dll
    C:\Py\python3t.dll
    C:\Py\python314t.dll     version 3.14.2150.1013
    C:\Py\Lib\os.py         text
";

/// A free-threaded build as the install manager unpacks it.
const FREE_THREADED: &str = r"
    C:\Py\python3.14t.exe    imports python314t.dll
    C:\Py\python3t.dll
    C:\Py\python314t.dll     version 3.14.2150.1013
    C:\Py\Lib\os.py         text
";

/// Returns the interpreter at the path, its build, and the program that runs.
fn build(disk: &str, path: &str) -> String {
    let environment = Environment::at(&path.into(), &MemoryFiles::new(disk)).unwrap();
    format!("{} {} {}", environment.interpreter, environment.full_version(), environment.program)
}

#[test]
fn a_free_threaded_build_is_recognized_alone_and_next_to_the_other() {
    let alone = r"C:\Py\python3.14t.exe 3.14.2 free-threaded C:\Py\python3.14t.exe";
    assert_eq!(build(FREE_THREADED, r"C:\Py"), alone);
    assert_eq!(build(BOTH_BUILDS, r"C:\Py"), r"C:\Py\python.exe 3.14.2 C:\Py\python.exe");
    assert_eq!(build(BOTH_BUILDS, r"C:\Py\python3.14t.exe"), alone);
    // uv, conda-forge, and NuGet have a copy of the program under the usual name.
    let copied = concatenated(&[FREE_THREADED, r"    C:\Py\python.exe  imports python314t.dll"]);
    assert_eq!(build(&copied, r"C:\Py"), r"C:\Py\python.exe 3.14.2 free-threaded C:\Py\python.exe");
    // If a program cannot be read, its name determines which of the two DLLs it uses.
    let damaged = BOTH_BUILDS.replace("imports python314t.dll", "not an image");
    assert_eq!(build(&damaged, r"C:\Py\python3.14t.exe"), alone);
    let damaged = BOTH_BUILDS.replace("imports python314.dll", "not an image");
    assert_eq!(build(&damaged, r"C:\Py"), r"C:\Py\python.exe 3.14.2 C:\Py\python.exe");
}

#[test]
fn a_venv_runs_the_build_that_it_was_made_with() {
    let made = |base: &str, files: &str, config: &str| {
        let venv = r"
    C:\v\Scripts\python.exe
    C:\v\pyvenv.cfg        text
        home = C:\Py
        ";
        let disk = format!("{base}\n{files}\n{venv}{config}\n");
        build(&disk, r"C:\v").replace(r"C:\v\Scripts\python.exe ", "")
    };
    let gil_enabled = r"3.14.2 C:\Py\python.exe";
    let free_threaded = r"3.14.2 free-threaded C:\Py\python3.14t.exe";
    let redirector = r"    C:\v\Scripts\python3.14t.exe";
    assert_eq!(made(BOTH_BUILDS, "", ""), gil_enabled);
    assert_eq!(made(BOTH_BUILDS, redirector, ""), free_threaded);
    assert_eq!(made(BOTH_BUILDS, "", r"executable = C:\Py\python3.14t.exe"), free_threaded);
    assert_eq!(made(BOTH_BUILDS, "", r"base-executable = C:\Py\python3.14t.exe"), free_threaded);
    assert_eq!(made(FREE_THREADED, "", ""), free_threaded);
    // The redirector belongs to an earlier environment in the same directory.
    assert_eq!(made(BOTH_BUILDS, redirector, r"executable = C:\Py\python.exe"), gil_enabled);
    // Created from within another virtual environment, which isn't the base.
    assert_eq!(made(BOTH_BUILDS, redirector, r"executable = C:\w\Scripts\python.exe"), free_threaded);
}

#[test]
fn a_damaged_dll_is_noted() {
    let damaged = INSTALLED.replace("version 3.8.10150.1013", "not an image");
    let environment = Environment::at(&r"C:\Python38".into(), &MemoryFiles::new(&damaged)).unwrap();
    assert_eq!(environment.version.to_string(), "3.8");
    expect![[r#"
        [
            "C:\\Python38\\python38.dll cannot be read: the file is empty",
        ]
    "#]]
    .assert_debug_eq(&environment.notes.iter().map(Note::to_string).collect::<Vec<_>>());
    check(
        &damaged.replace("imports python38.dll", "not an image"),
        r"C:\Python38",
        expect![[r#"
        error: C:\Python38\python38.dll: the file is empty
    "#]],
    );
}

#[test]
fn a_python_without_its_library_cannot_start() {
    check(
        "/x/python.exe  imports python38.dll\n/x/python38.dll",
        "/x",
        expect![[r#"
            installed 3.8 x86_64
            /x/python38.dll in /x
            prefix /x, base /x
              /x/python38.zip  zip
              /x/DLLs  extension-modules
              /x/Lib  standard-library
              /x  application-directory
            note: this Python cannot start: no standard library in /x or above
        "#]],
    );
}

#[test]
fn extension_suffixes_depend_on_the_build() {
    let suffixes = |dll: &str, words: &str| {
        let disk = format!("/x/python.exe  imports {dll}\n/x/{dll}  {words}");
        let environment = Environment::at(&"/x".into(), &MemoryFiles::new(&disk)).unwrap();
        environment.extension_suffixes().join(" ")
    };
    assert_eq!(suffixes("python38.dll", ""), ".cp38-win_amd64.pyd .pyd");
    assert_eq!(suffixes("python37.dll", "machine x86"), ".cp37-win32.pyd .pyd");
    assert_eq!(suffixes("python311.dll", "machine arm64"), ".cp311-win_arm64.pyd .pyd");
    assert_eq!(suffixes("python313t.dll", ""), ".cp313t-win_amd64.pyd .pyd");
    assert_eq!(suffixes("python312_d.dll", ""), "_d.cp312-win_amd64.pyd _d.pyd");
}

#[test]
fn path_files_extend_the_search_path() {
    check(
        &concatenated(&[
            INSTALLED,
            r"
    C:\src\one\setup.py     text
    C:\Python38\Lib\site-packages\foo-1.0-py3.8.egg\EGG-INFO\PKG-INFO  text
    C:\Python38\Lib\site-packages\Upper.PTH    text
        C:\src
    C:\Python38\Lib\site-packages\b.pth    text
        # a comment
        C:\src\one
        C:\SRC\ONE
        C:\src\gone

        ./foo-1.0-py3.8.egg
    C:\Python38\Lib\site-packages\a.pth    text
        import os; os.add_dll_directory('C:/cuda')
        ..
    C:\Python38\Lib\site-packages\protobuf-3.20.3-py3.8-nspkg.pth  text
        import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'], 'google')
    C:\Python38\Lib\site-packages\locked.pth  denied
    C:\Python38\Lib\site-packages\~ensorflow\
    C:\Python38\Lib\site-packages\sitecustomize.py  text
    C:\Python38\extra.pth  text
        Lib\lib2to3
    C:\Python38\Lib\lib2to3\
",
        ]),
        r"C:\Python38",
        expect![[r#"
            installed 3.8.10 x86_64
            C:\Python38\python38.dll in C:\Python38
            prefix C:\Python38, base C:\Python38
              C:\Python38\python38.zip  zip
              C:\Python38\DLLs  extension-modules
              C:\Python38\Lib  standard-library
              C:\Python38  application-directory
              C:\Python38\Lib\lib2to3  extra.pth:1
              C:\Python38\Lib\site-packages  site-packages
              C:\src\one  b.pth:2
              C:\Python38\Lib\site-packages\foo-1.0-py3.8.egg  b.pth:6
            foo 1.0 (EggInfo)
            note: C:\Python38\Lib\site-packages\a.pth:1 runs code when Python starts
            note: C:\Python38\Lib\site-packages\locked.pth cannot be read: access is denied
            note: C:\Python38\Lib\site-packages\protobuf-3.20.3-py3.8-nspkg.pth:1 runs code when Python starts
            note: C:\Python38\Lib\site-packages\sitecustomize.py runs when Python starts
            note: C:\Python38\Lib\site-packages\~ensorflow is left over from an interrupted installation
        "#]],
    );
}

#[test]
fn the_user_site_is_searched_if_it_is_known() {
    let disk = INSTALLED.replace(r"C:\Python38", r"C:\Users\Me\Python38");
    let disk =
        concatenated(&[&disk, "    C:\\Users\\Me\\AppData\\Roaming\\Python\\Python38\\site-packages\\\n"]);
    let python = r"C:\Users\Me\Python38";
    let environment = Environment::at(&python.into(), &MemoryFiles::new(&disk)).unwrap();
    assert_eq!(
        environment.notes.iter().map(Note::to_string).collect::<Vec<_>>(),
        [
            r"packages in C:\Users\Me\AppData\Roaming\Python\Python38\site-packages take precedence over those of the environment if that user runs Python"
        ]
    );
    let surroundings = Surroundings {
        python_path: vec![r"D:\lib".into()],
        user_base: Some(r"C:\Users\Me\AppData\Roaming\Python".into()),
        ..Surroundings::default()
    };
    check_within(
        &disk,
        python,
        &surroundings,
        expect![[r#"
        installed 3.8.10 x86_64
        C:\Users\Me\Python38\python38.dll in C:\Users\Me\Python38
        prefix C:\Users\Me\Python38, base C:\Users\Me\Python38
          D:\lib  python-path
          C:\Users\Me\Python38\python38.zip  zip
          C:\Users\Me\Python38\DLLs  extension-modules
          C:\Users\Me\Python38\Lib  standard-library
          C:\Users\Me\Python38  application-directory
          C:\Users\Me\AppData\Roaming\Python\Python38\site-packages  user-site
          C:\Users\Me\Python38\Lib\site-packages  site-packages
    "#]],
    );
}

#[test]
fn distributions_are_named_after_their_folders() {
    let disk = concatenated(&[
        INSTALLED,
        r"
    C:\Python38\Lib\site-packages\Keras_Preprocessing-1.1.2.dist-info\
    C:\Python38\Lib\site-packages\zope.interface-5.0-py3.8-win-amd64.egg-info\
    C:\Python38\Lib\site-packages\old-1.0-py3.8.egg-info  text
        Name: old
        Version: 1.0.0
    C:\Python38\Lib\site-packages\mine.egg-info\
    C:\Python38\Lib\site-packages\odd.dist-info\
    C:\Python38\Lib\site-packages\-1.dist-info\
    C:\Python38\Lib\site-packages\file-1.dist-info  text
",
    ]);
    let disk = MemoryFiles::new(&disk);
    let environment = Environment::at(&r"C:\Python38".into(), &disk).unwrap();
    let names =
        environment.distributions.iter().map(|d| (&*d.normalized, d.version.as_deref().unwrap_or("-")));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            ("keras-preprocessing", "1.1.2"),
            ("mine", "-"),
            ("odd", "-"),
            ("old", "1.0"),
            ("zope-interface", "5.0")
        ]
    );
    assert_eq!(environment.find("keras.PREPROCESSING").unwrap().name, "Keras_Preprocessing");
    let metadata = environment.find("old").unwrap().metadata(&disk).unwrap();
    assert_eq!(metadata.version.as_deref(), Some("1.0.0"));
    assert_eq!(normalized("A__b-._c"), "a-b-c");
}

#[test]
fn an_environment_is_stored_and_read_again() {
    let environment = Environment::at(&r"C:\Python38".into(), &MemoryFiles::new(INSTALLED)).unwrap();
    let json = serde_json::to_value(&environment).unwrap();
    assert_eq!((&json["kind"], &json["version"]), (&"installed".into(), &"3.8.10".into()));
    let again: Environment = serde_json::from_value(json).unwrap();
    assert_eq!(description_of(&again), description_of(&environment));
}

/// Checks the damaged files of one distribution in a site-packages below `/x`.
fn check_record(name: &str, record: &str, disk: &str, expect: Expect) {
    let (disk, environment) = with_record(name, record, disk);
    expect.assert_eq(&missing(environment.find(name).unwrap(), &disk));
}

fn with_record(name: &str, record: &str, disk: &str) -> (MemoryFiles, Environment) {
    let site = "/x/Lib/site-packages";
    let mut text = format!(
        "/x/python.exe  imports python38.dll\n/x/python38.dll\n/x/python38.zip\n\
         {site}/{}-2.0.dist-info/RECORD  text\n",
        name.replace('-', "_")
    );
    for row in record.lines() {
        text += &format!("    {}\n", row.trim());
    }
    for file in disk.lines().filter(|line| !line.trim().is_empty()) {
        text += &format!("{site}/{}\n", file.trim());
    }
    let disk = MemoryFiles::new(&text);
    let environment = Environment::at(&"/x".into(), &disk).unwrap();
    (disk, environment)
}

fn missing(distribution: &Distribution, disk: &MemoryFiles) -> String {
    let describe = |file: DamagedFile| {
        let path = file.path.below(&distribution.folder).unwrap_or(file.path.as_str());
        let expected = file.expected.map_or(String::new(), |size| format!(" ({size})"));
        match file.found {
            FileState::Missing => format!("{path} is missing{expected}\n"),
            FileState::Size(size) => {
                format!("{path} is {size} bytes long, not {}\n", file.expected.unwrap_or_default())
            }
        }
    };
    distribution.missing_files(disk).unwrap().into_iter().map(describe).collect()
}

#[test]
fn native_files_are_compared_with_the_record() {
    check_record(
        "pkg",
        r#"
        pkg/__init__.py,sha256=aa,10
        pkg/_a.pyd,sha256=aa,10
        pkg/_b.pyd,sha256=bb,20
        pkg/gone/_c.so,sha256=cc,30
        PKG\d.DLL,sha256=dd,40
        "pkg/with, comma.dll",sha256=ee,50
        pkg/unquoted, comma.dll,sha256=ff,60
        pkg/no_size.dll,sha256=ff,
        pkg/launcher.exe,sha256=ff,70
        pkg-2.0.data/data/e.dll,sha256=ff,80
        ../../Scripts/tool.dll,sha256=ff,90
        ../../Scripts/pkg.exe,sha256=ff,90
        pkg-2.0.dist-info/RECORD,,
        "#,
        "
        pkg/_a.pyd  size 10
        pkg/_B.PYD  size 21
        pkg/d.dll   size 0
        pkg/no_size.dll
        ",
        expect![[r#"
            pkg/_b.pyd is 21 bytes long, not 20
            pkg/gone/_c.so is missing (30)
            PKG/d.DLL is 0 bytes long, not 40
            pkg/with, comma.dll is missing (50)
            pkg/unquoted, comma.dll is missing (60)
        "#]],
    );
}

#[test]
fn files_in_an_unreadable_folder_are_not_reported() {
    check_record(
        "pkg",
        "pkg/_a.pyd,sha256=aa,10\npkg/sub/_b.pyd,sha256=aa,10",
        "pkg/_a.pyd  denied\npkg/sub/  denied",
        expect![[""]],
    );
}

/// The rows that pip leaves after installing tensorflow-gpu 2.3.0 (three of 45).
const RENAMED: &str = "
    tensorflow/python/_pywrap_tensorflow_internal.pyd,,
    tensorflow/python/_pywrap_utils.pyd,,
    tensorflow/python/_tf_stack.pyd,,
    tensorflow_gpu/python/_pywrap_tensorflow_gpu_internal.pyd,sha256=s9bapEBW97n9mNHmw4LPhoMiqcl,711209984
    tensorflow_gpu/python/_pywrap_utils.pyd,sha256=Rgxz763ZU9lvupBRrtXo8vQdB,103424
    tensorflow_gpu/python/_tf_stack.pyd,sha256=3ocPT4RkZ8m4g0fcUiiFLlS0q,170496
    tensorflow_gpu-2.3.0.dist-info/RECORD,,
";

const RENAMED_BY_UV: &str = "
    tensorflow/python/_pywrap_tensorflow_internal.pyd,,711209984
    tensorflow/python/_pywrap_utils.pyd,,103424
    tensorflow/python/_tf_stack.pyd,,170496
";

/// Returns the rows without those that pip appends.
fn renamed_in_the_wheel() -> String {
    let rows = RENAMED.lines().filter(|row| !row.ends_with("pyd,,"));
    rows.map(|row| format!("{row}\n")).collect()
}

#[test]
fn a_renamed_wheel_without_damage_is_accepted() {
    let healthy = "
        tensorflow/python/_pywrap_tensorflow_internal.pyd  size 711209984
        tensorflow/python/_pywrap_utils.pyd  size 103424
        tensorflow/python/_tf_stack.pyd  size 170496
    ";
    check_record("tensorflow-gpu", RENAMED, healthy, expect![[""]]);
    check_record("tensorflow-gpu", &renamed_in_the_wheel(), healthy, expect![[""]]);
    check_record("tensorflow-gpu", RENAMED_BY_UV, healthy, expect![[""]]);

    let (disk, environment) = with_record("tensorflow-gpu", RENAMED, healthy);
    let gpu = environment.find("tensorflow-gpu").unwrap();
    assert!(gpu.record(&disk).unwrap().inconsistent);
    let expected = gpu.expected_files(&disk).unwrap();
    let files: &dyn Files = &disk;
    assert!(expected.iter().all(|row| row.sha256.is_some() && files.size(&row.path).ok() == row.size));
}

#[test]
fn damage_of_a_renamed_wheel_is_reported() {
    let damaged = "
        tensorflow/python/_pywrap_utils.pyd  size 103424
        tensorflow/python/_tf_stack.pyd  size 1
    ";
    for record in [RENAMED, &renamed_in_the_wheel(), RENAMED_BY_UV] {
        let (disk, environment) = with_record("tensorflow-gpu", record, damaged);
        assert_eq!(
            missing(environment.find("tensorflow-gpu").unwrap(), &disk),
            "tensorflow/python/_pywrap_tensorflow_internal.pyd is missing (711209984)\n\
             tensorflow/python/_tf_stack.pyd is 1 bytes long, not 170496\n"
        );
    }
}

#[test]
fn a_name_with_two_words_is_not_a_renaming() {
    check_record(
        "grpc-tools",
        "grpc_tools/_a.pyd,sha256=aa,10\ngrpc_tools/_b.pyd,sha256=bb,20",
        "grpc/_a.pyd  size 11\ngrpc_tools/_b.pyd  size 20",
        expect![[r#"
            grpc_tools/_a.pyd is missing (10)
        "#]],
    );
}

#[test]
fn moved_files_in_an_inconsistent_record_are_excused() {
    let record = "old/_a.pyd,sha256=aa,10\nold/_b.pyd,sha256=bb,20\nnew/_a.pyd,,\nnew/_b.pyd,,";
    check_record("pkg", record, "new/_a.pyd  size 10\nnew/_b.pyd  size 20", expect![[""]]);
    check_record(
        "pkg",
        record,
        "new/_a.pyd  size 10",
        expect![[r#"
        old/_b.pyd is missing (20)
        new/_b.pyd is missing
    "#]],
    );
}

#[test]
fn malformed_records_are_read_as_far_as_possible() {
    for record in
        ["", ",,,,,,", "\"", "\"pkg/_a.pyd,sha256=aa,10", "\u{fffd}\u{0}", "/,/,/", "..,..,..", "pkg/_a.pyd"]
    {
        let (disk, environment) = with_record("pkg", record, "");
        let record = environment.find("pkg").unwrap().record(&disk).unwrap();
        assert!(record.rows.len() <= 1);
    }
    let (disk, environment) =
        with_record("pkg", "pkg/_a.pyd,sha256=aa,many\npkg/_b.pyd,md5=aa,1", "pkg/_b.pyd  size 1");
    assert_eq!(missing(environment.find("pkg").unwrap(), &disk), "pkg/_a.pyd is missing\n");
    let disk = disk.without("/x/Lib/site-packages/pkg-2.0.dist-info/RECORD");
    let environment = Environment::at(&"/x".into(), &disk).unwrap();
    assert_eq!(environment.find("pkg").unwrap().missing_files(&disk), Err(FileError::NotFound));
}

const TENSORFLOW: &str = r"
    /x/python.exe      imports python310.dll
    /x/python310.dll
    /x/python310.zip
    /x/Lib/site-packages/tensorflow-2.12.0.dist-info/METADATA  text
        Name: tensorflow
        Version: 2.12.0
        Requires-Dist: tensorflow-cpu-aws (==2.12.0) ; platform_system == 'Linux' and platform_machine == 'arm64'
        Requires-Dist: tensorflow-intel (==2.12.0) ; platform_system == 'Windows'
    /x/Lib/site-packages/tensorflow-2.12.0.dist-info/RECORD  text
        tensorflow-2.12.0.dist-info/METADATA,sha256=aa,2469
        tensorflow-2.12.0.dist-info/RECORD,,
    /x/Lib/site-packages/tensorflow-2.12.0.dist-info/top_level.txt  text

    /x/Lib/site-packages/tensorflow_intel-2.12.0.dist-info/METADATA  text
        Name: tensorflow-intel
        Version: 2.12.0
        Requires-Dist: tensorflow-estimator (<2.13,>=2.12.0)
    /x/Lib/site-packages/tensorflow_intel-2.12.0.dist-info/RECORD  text
        ../../Scripts/toco.exe,sha256=aa,100
        tensorflow/__init__.py,sha256=aa,100
        tensorflow/python/_pywrap_tensorflow_internal.pyd,sha256=aa,100
        tensorflow/python/x.dll,sha256=aa,100
    /x/Lib/site-packages/six-1.16.0.dist-info/RECORD  text
        six.py,sha256=aa,100
        __pycache__/six.cpython-310.pyc,,
        _sixth.cp310-win_amd64.pyd,sha256=aa,100
    /x/Lib/site-packages/google_auth-1.0.dist-info/top_level.txt  text
        google
    /x/Lib/site-packages/protobuf-3.20.3.dist-info/RECORD  text
        google/protobuf/pyext/_message.cp310-win_amd64.pyd,sha256=aa,100
        google/_upb/_message.pyd,sha256=aa,100
";

#[test]
fn distributions_provide_modules_and_own_files() {
    let disk = MemoryFiles::new(TENSORFLOW);
    let environment = Environment::at(&"/x".into(), &disk).unwrap();
    let providers = |name: &str| {
        let found = environment.providers(name, &disk);
        found.iter().map(|d| d.normalized.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(providers("tensorflow"), "tensorflow-intel");
    assert_eq!(providers("google"), "google-auth protobuf");
    assert_eq!((providers("six"), providers("_sixth")), ("six".into(), "six".into()));
    assert_eq!(providers("keras"), "");

    let owner = |path: &str| {
        let path = WinPath::new("/x/Lib/site-packages").join(path);
        environment.owner_of(&path, &disk).map_or("nobody", |d| d.normalized.as_str())
    };
    assert_eq!(owner(r"tensorflow\python\X.dll"), "tensorflow-intel");
    assert_eq!(owner("tensorflow/not/listed.dll"), "tensorflow-intel");
    assert_eq!(owner("google/_upb/_message.pyd"), "protobuf");
    assert_eq!(owner("google/unknown.pyd"), "nobody");
    assert_eq!(owner("/elsewhere/x.dll"), "nobody");
}

#[test]
fn an_empty_wheel_is_a_shim_for_another() {
    let disk = MemoryFiles::new(TENSORFLOW);
    let environment = Environment::at(&"/x".into(), &disk).unwrap();
    let shim_for = |name: &str| environment.find(name).unwrap().shim_for(&disk);
    assert_eq!(shim_for("tensorflow").as_deref(), Some("tensorflow-intel"));
    assert_eq!(shim_for("tensorflow-intel"), None);
    assert_eq!(shim_for("six"), None);
}
