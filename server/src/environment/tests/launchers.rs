//! Programs that start a Python elsewhere: aliases of the Python Install Manager and trampolines of
//! uv.

use expect_test::expect;

use super::*;

/// An install of the manager, and its aliases under the manager's names.
const MANAGED: &str = r"
    C:\U\Python\pythoncore-3.14-64\python.exe      imports python314.dll
    C:\U\Python\pythoncore-3.14-64\python3.dll     exports Py_Main=python314.Py_Main Py_Version=python314.Py_Version
    C:\U\Python\pythoncore-3.14-64\python314.dll   version 3.14.2150.1013
    C:\U\Python\pythoncore-3.14-64\Lib\os.py       text
    C:\U\Python\pythoncore-3.14-64\DLLs\_ctypes.pyd
    C:\U\Python\bin\python.exe
    C:\U\Python\bin\python.exe.__target__          exact
        C:\U\Python\pythoncore-3.14-64\python.exe
    C:\U\Python\bin\python3.14-64.exe
    C:\U\Python\bin\python3.14-64.exe.__target__   exact
        C:\U\Python\pythoncore-3.14-64\python.exe
";

const ALIAS: &str = r"C:\U\Python\bin\python.exe";

fn managed() -> MemoryFiles {
    MemoryFiles::new(MANAGED)
}

fn at(path: &str, files: &MemoryFiles) -> Result<Environment, EnvironmentError> {
    Environment::at(&path.into(), files)
}

fn described(path: &str, files: &MemoryFiles) -> String {
    at(path, files).map_or_else(|error| format!("{error}\n"), |environment| description_of(&environment))
}

/// Describes the install with one alias that has this target.
fn with_target(target: &str) -> String {
    let disk = managed().without(r"C:\U\Python\bin");
    let alias = format!("{ALIAS}\n{ALIAS}.__target__  exact\n    {target}\n");
    described(ALIAS, &disk.and(&alias))
}

#[test]
fn an_alias_runs_python_in_its_own_process() {
    expect![[r#"
        installed 3.14.2 x86_64
        C:\U\Python\pythoncore-3.14-64\python314.dll in C:\U\Python\bin
        prefix C:\U\Python\pythoncore-3.14-64, base C:\U\Python\pythoncore-3.14-64
          C:\U\Python\pythoncore-3.14-64\python314.zip  zip
          C:\U\Python\pythoncore-3.14-64\DLLs  extension-modules
          C:\U\Python\pythoncore-3.14-64\Lib  standard-library
          C:\U\Python\bin  application-directory
          C:\U\Python\pythoncore-3.14-64  prefix
    "#]]
    .assert_eq(&described(ALIAS, &managed()));
    for path in [r"C:\U\Python\bin", r"C:\U\Python\bin\python3.14-64.exe"] {
        let environment = at(path, &managed()).unwrap();
        assert_eq!(environment.interpreter.as_str(), r"C:\U\Python\pythoncore-3.14-64\python.exe");
        assert_eq!(environment.program, environment.selected);
        assert_eq!(environment.launcher(), Some(&environment.selected));
        assert_eq!(environment.launcher_directory, environment.python_dll.parent());
    }
    // Without the alias, the application directory is that of the interpreter.
    let direct = at(r"C:\U\Python\pythoncore-3.14-64", &managed()).unwrap();
    assert_eq!(direct.application_directory, direct.prefix);
    assert_eq!((direct.launcher(), &direct.launcher_directory), (None, &None));
}

#[test]
fn an_alias_starts_another_process_where_it_cannot_load_python3_dll() {
    let directory = |disk: MemoryFiles| {
        let environment = at(ALIAS, &disk).unwrap();
        assert!(environment.launcher_directory.is_none() && environment.launcher().is_some());
        environment.application_directory
    };
    let install = r"C:\U\Python\pythoncore-3.14-64";
    let stable = format!(r"{install}\python3.dll");
    // Builds without the global lock only have `python3t.dll`.
    assert_eq!(directory(managed().without(&stable)).as_str(), install);
    // Python 3.10 has no `Py_Version`.
    let old = format!("{stable}  exports Py_Main=python314.Py_Main");
    assert_eq!(directory(managed().and(&old)).as_str(), install);
    let for_other =
        format!("{stable}  machine x86, exports Py_Main=python314.Py_Main Py_Version=python314.x");
    assert_eq!(directory(managed().and(&for_other)).as_str(), install);
    // The target of the forwarder doesn't exist.
    let other = format!("{stable}  exports Py_Main=python315.Py_Main Py_Version=python315.Py_Version");
    assert_eq!(directory(managed().and(&other)).as_str(), install);
}

#[test]
fn an_interpreter_with_a_target_file_is_not_an_alias() {
    let install = r"C:\U\Python\pythoncore-3.14-64";
    let disk = managed().and(&format!("{install}\\python.exe.__target__  text\n    C:\\gone"));
    let environment = at(install, &disk).unwrap();
    assert_eq!(environment.selected, environment.interpreter);
}

#[test]
fn an_alias_that_cannot_start_is_reported() {
    let long = |length| format!(r"C:\{}\python.exe", "x".repeat(length));
    let targets = [
        r"C:\U\Python\pythoncore-3.13-64\python.exe",
        r"..\pythoncore-3.14-64\python.exe",
        r"\U\Python\pythoncore-3.14-64\python.exe",
        "C:python.exe",
        "/U/Python/pythoncore-3.14-64/python.exe",
        "",
        r"\\server\share\python.exe",
        r"//server/share/python.exe",
        r"\\?\C:\U\Python\pythoncore-3.14-64\python.exe",
        r"\\.\pipe\python.exe",
        r"C:\U\Python\bin\python.exe",
        r"C:\U\Python\pythoncore-3.14-64",
        "\u{feff}C:\\U\\Python\\pythoncore-3.14-64\\python.exe",
        &long(40_000),
        &long(30_000),
    ];
    let output: String = targets.iter().map(|target| with_target(target)).collect();
    expect![[r#"
        C:\U\Python\bin\python.exe cannot start: the Python that it starts is gone: C:\U\Python\pythoncore-3.13-64\python.exe does not exist
        C:\U\Python\bin\python.exe cannot start: its target is not a full path: "..\pythoncore-3.14-64\python.exe"
        C:\U\Python\bin\python.exe cannot start: its target is not a full path: "\U\Python\pythoncore-3.14-64\python.exe"
        C:\U\Python\bin\python.exe cannot start: its target is not a full path: "C:python.exe"
        C:\U\Python\bin\python.exe cannot start: its target is not a full path: "/U/Python/pythoncore-3.14-64/python.exe"
        C:\U\Python\bin\python.exe cannot start: its target is not a full path: ""
        C:\U\Python\bin\python.exe cannot start: its target is on another computer or device, which is not contacted: \\server\share\python.exe
        C:\U\Python\bin\python.exe cannot start: its target is not a full path: "//server/share/python.exe"
        C:\U\Python\bin\python.exe cannot start: its target is on another computer or device, which is not contacted: \\?\C:\U\Python\pythoncore-3.14-64\python.exe
        C:\U\Python\bin\python.exe cannot start: its target is on another computer or device, which is not contacted: \\.\pipe\python.exe
        C:\U\Python\bin\python.exe cannot start: it only starts other launchers
        C:\U\Python\bin\python.exe cannot start: the Python that it starts is gone: C:\U\Python\pythoncore-3.14-64 does not exist
        C:\U\Python\bin\python.exe cannot start: its target is not a full path: "﻿C:\U\Python\pythoncore-3.14-64\python.exe"
        C:\U\Python\bin\python.exe cannot start: C:\U\Python\bin\python.exe.__target__, which names the program to start, is too long
        C:\U\Python\bin\python.exe cannot start: the Python that it starts is gone: C:\xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx does not exist
    "#]].assert_eq(&output);
    let lost = managed().without(&format!("{ALIAS}.__target__"));
    expect![[r#"
        C:\U\Python\bin\python.exe cannot start: C:\U\Python\bin\python.exe.__target__, which names the program to start, is missing
    "#]].assert_eq(&super::launchers::described(ALIAS, &lost));
    let denied = managed().and(&format!("{ALIAS}.__target__  denied"));
    expect![[r#"
        C:\U\Python\bin\python.exe cannot start: C:\U\Python\bin\python.exe.__target__, which names the program to start, cannot be read: access is denied
    "#]].assert_eq(&super::launchers::described(ALIAS, &denied));
}

#[test]
fn a_target_ends_at_its_nul() {
    assert!(
        with_target("C:\\U\\Python\\pythoncore-3.14-64\\python.exe\0\\nothing")
            .starts_with("installed 3.14.2")
    );
    // The alias derives the directory of `python3.dll` from the last backslash, so with slashes it
    // finds none; Windows starts the target all the same.
    let slashes = with_target("C:/U/Python/pythoncore-3.14-64/python.exe");
    assert!(slashes.contains(r"python314.dll in C:\U\Python\pythoncore-3.14-64"), "{slashes}");
}

#[test]
fn a_launcher_on_a_server_may_have_a_target_there() {
    let disk = MANAGED.replace(r"C:\U", r"\\server\share");
    let environment = at(r"\\server\share\Python\bin\python.exe", &MemoryFiles::new(&disk)).unwrap();
    assert_eq!(environment.interpreter.as_str(), r"\\server\share\Python\pythoncore-3.14-64\python.exe");
}

#[test]
fn a_venv_of_a_managed_python_can_start_its_alias() {
    let venv = |home: &str| {
        let files = managed().and(&format!(
            "C:\\venv\\Scripts\\python.exe\nC:\\venv\\pyvenv.cfg  text\n    home = {home}\n    version = 3.14.2\n"
        ));
        at(r"C:\venv", &files).unwrap()
    };
    // As venv writes it: Python reports its own directory, even in an alias.
    let usual = venv(r"C:\U\Python\pythoncore-3.14-64");
    assert_eq!(usual.application_directory.as_str(), r"C:\U\Python\pythoncore-3.14-64");
    assert_eq!(usual.launcher_directory, None);
    // The redirector starts the alias, which runs Python.
    let by_alias = venv(r"C:\U\Python\bin");
    assert_eq!(by_alias.application_directory.as_str(), r"C:\U\Python\bin");
    assert_eq!(by_alias.launcher_directory.unwrap().as_str(), r"C:\U\Python\pythoncore-3.14-64");
    assert_eq!(by_alias.base_prefix, usual.base_prefix);
    assert_eq!((by_alias.kind, by_alias.interpreter), (usual.kind, usual.interpreter));
}

/// A Python of uv behind its link for the minor version, a user's trampoline, and an environment.
const OF_UV: &str = r"
    C:\uv\cpython-3.13.5-windows-x86_64-none\python.exe      imports python313.dll
    C:\uv\cpython-3.13.5-windows-x86_64-none\python313.dll   version 3.13.5150.1013
    C:\uv\cpython-3.13.5-windows-x86_64-none\Lib\os.py       text
    C:\uv\cpython-3.13-windows-x86_64-none\python.exe        imports python313.dll
    C:\uv\cpython-3.13-windows-x86_64-none\python313.dll     version 3.13.5150.1013
    C:\uv\cpython-3.13-windows-x86_64-none\Lib\os.py         text
    C:\me\.local\bin\python3.13.exe      starts C:\uv\cpython-3.13-windows-x86_64-none\python.exe
    C:\proj\.venv\Scripts\python.exe     starts C:\uv\cpython-3.13-windows-x86_64-none\python.exe
    C:\proj\.venv\Lib\site-packages\
    C:\proj\.venv\pyvenv.cfg             text
        home = C:\uv\cpython-3.13-windows-x86_64-none
        implementation = CPython
        uv = 0.9.30
        version_info = 3.13
        include-system-site-packages = false
        relocatable = true
        prompt = proj
";

#[test]
fn a_trampoline_of_uv_starts_the_python_that_it_names() {
    let disk = MemoryFiles::new(OF_UV);
    expect![[r#"
        installed 3.13.5 x86_64
        C:\uv\cpython-3.13-windows-x86_64-none\python313.dll in C:\uv\cpython-3.13-windows-x86_64-none
        prefix C:\uv\cpython-3.13-windows-x86_64-none, base C:\uv\cpython-3.13-windows-x86_64-none
          C:\uv\cpython-3.13-windows-x86_64-none\python313.zip  zip
          C:\uv\cpython-3.13-windows-x86_64-none  extension-modules
          C:\uv\cpython-3.13-windows-x86_64-none\Lib  standard-library
    "#]]
    .assert_eq(&described(r"C:\me\.local\bin\python3.13.exe", &disk));
    let linked = r"C:\uv\cpython-3.13-windows-x86_64-none";
    let environment = at(r"C:\me\.local\bin\python3.13.exe", &disk).unwrap();
    assert_eq!(environment.application_directory.as_str(), linked);
    assert_eq!(environment.launcher().unwrap().as_str(), r"C:\me\.local\bin\python3.13.exe");
    // uv leaves the trampoline behind if the Python is removed manually.
    let gone = MemoryFiles::new(OF_UV).without(linked);
    expect![[r#"
        C:\me\.local\bin\python3.13.exe cannot start: the Python that it starts is gone: C:\uv\cpython-3.13-windows-x86_64-none\python.exe does not exist
    "#]].assert_eq(&described(r"C:\me\.local\bin\python3.13.exe", &gone));
    let on_server = r"C:\me\bin\python.exe  starts \\server\python.exe";
    expect![[r#"
        C:\me\bin\python.exe cannot start: its target is on another computer or device, which is not contacted: \\server\python.exe
    "#]].assert_eq(&described(r"C:\me\bin\python.exe", &MemoryFiles::new(on_server)));
}

#[test]
fn a_venv_of_uv_starts_the_target_of_its_trampoline() {
    let disk = MemoryFiles::new(OF_UV);
    expect![[r#"
        venv 3.13.5 x86_64, of installed
        C:\uv\cpython-3.13-windows-x86_64-none\python313.dll in C:\uv\cpython-3.13-windows-x86_64-none
        prefix C:\proj\.venv, base C:\uv\cpython-3.13-windows-x86_64-none
          C:\uv\cpython-3.13-windows-x86_64-none\python313.zip  zip
          C:\uv\cpython-3.13-windows-x86_64-none  extension-modules
          C:\uv\cpython-3.13-windows-x86_64-none\Lib  standard-library
          C:\proj\.venv  prefix
          C:\proj\.venv\Lib\site-packages  site-packages
    "#]]
    .assert_eq(&described(r"C:\proj\.venv", &disk));
    let environment = at(r"C:\proj\.venv", &disk).unwrap();
    assert_eq!(environment.launcher(), None);
    assert_eq!(environment.program.as_str(), r"C:\uv\cpython-3.13-windows-x86_64-none\python.exe");
    // The link was removed together with the Python.
    let gone = MemoryFiles::new(OF_UV).without(r"C:\uv");
    expect![[r#"
        C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: the Python 3.13 that it was made with is gone: C:\uv\cpython-3.13-windows-x86_64-none does not exist
    "#]].assert_eq(&described(r"C:\proj\.venv", &gone));
    // After a manual change of `home`, the trampoline still starts its own target.
    let edited = OF_UV.replace("home = C:\\uv\\cpython-3.13-w", "home = C:\\uv\\cpython-3.13.5-w");
    let gone = MemoryFiles::new(&edited).without(r"C:\uv\cpython-3.13-windows-x86_64-none");
    expect![[r#"
        C:\proj\.venv\pyvenv.cfg: this virtual environment is broken: its python.exe cannot start: the Python that it starts is gone: C:\uv\cpython-3.13-windows-x86_64-none\python.exe does not exist
    "#]].assert_eq(&described(r"C:\proj\.venv", &gone));
}

#[test]
fn a_relocatable_environment_works_wherever_it_is() {
    let moved = OF_UV
        .replace(r"C:\proj\.venv", r"D:\elsewhere\env")
        .replace(r"Scripts\python.exe     starts C:\uv", r"Scripts\python.exe     starts ..\..\..\..\uv");
    let disk = moved.replace(r"C:\uv", r"D:\uv").replace(r"..\..\..\..\uv", r"..\..\..\uv");
    let environment = at(r"D:\elsewhere\env", &MemoryFiles::new(&disk)).unwrap();
    assert_eq!(environment.prefix.as_str(), r"D:\elsewhere\env");
    assert_eq!(environment.program.as_str(), r"D:\uv\cpython-3.13-windows-x86_64-none\python.exe");
}

#[test]
fn the_version_in_the_configuration_is_read() {
    let broken = |lines: &str| {
        let config =
            format!("C:\\v\\Scripts\\python.exe\nC:\\v\\pyvenv.cfg  text\n    home = C:\\gone\n{lines}\n");
        described(r"C:\v", &MemoryFiles::new(&config))
            .replace("C:\\v\\pyvenv.cfg: this virtual environment is ", "")
    };
    let texts = [
        "    version = 3.12.1",
        "    version_info = 3.13",
        "    version_info = 3.11.4.final.0",
        "    version_info = 3.14.0rc2",
        "    version = 3.12.1\n    version_info = new",
        "    version_info = 99999999999999999999.1",
        "",
    ];
    expect![[r#"
        broken: the Python 3.12.1 that it was made with is gone: C:\gone does not exist
        broken: the Python 3.13 that it was made with is gone: C:\gone does not exist
        broken: the Python 3.11.4 that it was made with is gone: C:\gone does not exist
        broken: the Python 3.14.0 that it was made with is gone: C:\gone does not exist
        broken: the Python 3.12.1 that it was made with is gone: C:\gone does not exist
        broken: the Python that it was made with is gone: C:\gone does not exist
        broken: the Python that it was made with is gone: C:\gone does not exist
    "#]]
    .assert_eq(&texts.map(broken).concat());
    // A DLL without a version resource.
    let unversioned = OF_UV.replace("  version 3.13.5150.1013", "");
    let version = |text: &str| at(r"C:\proj\.venv", &MemoryFiles::new(text)).unwrap().version.to_string();
    assert_eq!(version(&unversioned), "3.13");
    assert_eq!(version(&unversioned.replace("version_info = 3.13", "version_info = 3.13.5")), "3.13.5");
    assert_eq!(version(&unversioned.replace("version_info = 3.13", "version_info = 3.12.1")), "3.13");
    assert_eq!(version(&OF_UV.replace("version_info = 3.13", "version_info = 3.13.9")), "3.13.5");
}

#[test]
fn an_environment_of_another_implementation_is_not_reported_as_broken() {
    let pypy = OF_UV.replace("implementation = CPython", "implementation = PyPy");
    expect![[r#"
        C:\proj\.venv\pyvenv.cfg: this virtual environment was made with PyPy, and only CPython is simulated
    "#]]
    .assert_eq(&described(r"C:\proj\.venv", &MemoryFiles::new(&pypy)));
}
