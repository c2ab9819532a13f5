//! Machines with Pythons of every kind, described by disks in strings, and the Pythons that are
//! found on them.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;
use crate::host::{MemoryFiles, RegisteredPython, Registration};

/// Creates a machine from its disk and from lines with its registry (`user PythonCore 3.11
/// C:\…\python.exe`) and its variables (`NAME=value`).
fn machine(disk: &str, facts: &str) -> Host {
    let mut host = Host::named("windows-11", Arc::default()).unwrap();
    host.files = Arc::new(MemoryFiles::new(disk));
    let mut registered = Vec::new();
    for line in facts.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once('=') {
            host = host.with_variable(name, value);
            continue;
        }
        let [registration, company, tag, executable] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let registration = match registration {
            "user" => Registration::User,
            "machine" => Registration::Machine,
            "machine32" => Registration::Machine32,
            "package" => Registration::Package,
            _ => panic!("{line}"),
        };
        let (company, tag, executable) = (company.to_owned(), tag.to_owned(), WinPath::new(executable));
        registered.push(RegisteredPython { registration, company, tag, executable });
    }
    host.with_registered_pythons(registered)
}

/// Checks everything that is found for the folder `C:\work`. The selected Python has a star.
fn check(disk: &str, facts: &str, expected: Expect) {
    let host = machine(disk, facts);
    let search = Search::on(&host).in_folder(Some(r"C:\work".into())).thorough();
    let mut out = String::new();
    for (at, found) in search.all().iter().enumerate() {
        let star = if at == 0 && search.selected().is_some() { "* " } else { "" };
        let _ = match &found.environment {
            Ok(environment) => {
                writeln!(
                    out,
                    "{star}{} {} {}",
                    found.interpreter,
                    environment.kind,
                    environment.full_version()
                )
            }
            Err(error) => writeln!(out, "{star}{error}"),
        };
        for candidate in &found.candidates {
            let _ = writeln!(out, "    {}: {}", candidate.source.name(), candidate.reason);
        }
    }
    expected.assert_eq(&out);
}

/// Checks which Python is selected for `C:\work`, and why.
fn check_chosen(disk: &str, facts: &str, expected: Expect) {
    let host = machine(disk, facts);
    let search = Search::on(&host).in_folder(Some(r"C:\work".into()));
    let chosen = search.selected();
    expected.assert_eq(&chosen.map_or("none\n".to_owned(), |one| format!("{}\n{}\n", one.path, one.reason)));
}

/// Returns the files of a Python of this version in a directory.
fn python(folder: &str, minor: u32) -> String {
    format!(
        "
{folder}\\python.exe          imports python3{minor}.dll
{folder}\\python3{minor}.dll    version 3.{minor}.4150.1013
{folder}\\Lib\\os.py           text
"
    )
}

/// Returns the files of a free-threaded Python of this version in a directory.
fn free_threaded(folder: &str, minor: u32) -> String {
    format!(
        "
{folder}\\python3.{minor}t.exe     imports python3{minor}t.dll
{folder}\\python3{minor}t.dll      version 3.{minor}.4150.1013
{folder}\\Lib\\os.py             text
"
    )
}

/// Returns the files of a virtual environment of the Python in `home`.
fn venv(folder: &str, home: &str) -> String {
    format!("\n{folder}\\Scripts\\python.exe\n{folder}\\pyvenv.cfg  text\n    home = {home}\n")
}

const ME: &str = r"C:\Users\me";

/// This behaviour was reported for 3.13.0 and 3.14.3.
#[test]
fn the_launcher_starts_the_free_threaded_build_of_a_version() {
    let both = r"C:\Python314";
    let disk = [python(both, 14), free_threaded(both, 14), python(r"C:\Python313", 13)].concat();
    let registered = r"
        user PythonCore 3.13 C:\Python313\python.exe
        user PythonCore 3.14 C:\Python314\python.exe
        user PythonCore 3.14t C:\Python314\python3.14t.exe";
    check_chosen(
        &disk,
        registered,
        expect![[r#"
            C:\Python314\python3.14t.exe
            started by py (HKEY_CURRENT_USER\Software\Python\PythonCore\3.14t)
        "#]],
    );
    check_chosen(
        &disk,
        &format!("{registered}\nPY_PYTHON=3.14"),
        expect![[r#"
        C:\Python314\python.exe
        PY_PYTHON says 3.14
    "#]],
    );
    // The launcher of the install manager prefers the other build.
    let managed = format!("{disk}{both}\\__install__.json  text\n    {{}}\n");
    check_chosen(
        &managed,
        registered,
        expect![[r#"
            C:\Python314\python.exe
            started by py (HKEY_CURRENT_USER\Software\Python\PythonCore\3.14)
        "#]],
    );
}

#[test]
fn registered_pythons_are_found() {
    let disk = [python(r"C:\Py311", 11), python(r"C:\Py39", 9), python(r"C:\Conda", 12)].concat();
    let facts = r"
        machine PythonCore 3.9 C:\Py39\python.exe
        machine32 PythonCore 3.12-32 C:\Gone\python.exe
        user ContinuumAnalytics Anaconda312-64 C:\Conda\python.exe
        user PythonCore 3.11 C:\Py311\python.exe
    ";
    check(
        &disk,
        facts,
        expect![[r#"
            * C:\Py311\python.exe installed 3.11.4
                registry: started by py (HKEY_CURRENT_USER\Software\Python\PythonCore\3.11)
                registry: HKEY_CURRENT_USER\Software\Python\PythonCore\3.11
            C:\Gone\python.exe does not exist
                registry: HKEY_LOCAL_MACHINE\Software\WOW6432Node\Python\PythonCore\3.12-32
            C:\Py39\python.exe installed 3.9.4
                registry: HKEY_LOCAL_MACHINE\Software\Python\PythonCore\3.9
            C:\Conda\python.exe installed 3.12.4
                registry: HKEY_CURRENT_USER\Software\Python\ContinuumAnalytics\Anaconda312-64
        "#]],
    );
    check_chosen(
        &disk,
        &format!("{facts}PY_PYTHON=3.9"),
        expect![[r#"
        C:\Py39\python.exe
        PY_PYTHON says 3.9
    "#]],
    );
    let ini = format!(
        "{disk}\nC:\\Windows\\py.ini  text\n    [commands]\n    python=x\n    [defaults]\n    python = 3.9\n"
    );
    check_chosen(
        &ini,
        facts,
        expect![[r#"
        C:\Py39\python.exe
        C:\Windows\py.ini says 3.9
    "#]],
    );
    let none = format!("{disk}\nC:\\Windows\\py.ini  text\n    [defaults]\n    python=2\n");
    check_chosen(
        &none,
        facts,
        expect![[r#"
            C:\Py311\python.exe
            started by py (HKEY_CURRENT_USER\Software\Python\PythonCore\3.11)
        "#]],
    );
}

#[test]
fn the_environment_of_the_folder_takes_precedence() {
    let disk =
        [python(r"C:\Py39", 9), venv(r"C:\work\env", r"C:\Py39"), venv(r"C:\work\.tox-env", r"C:\Py39")]
            .concat();
    let facts = r"user PythonCore 3.9 C:\Py39\python.exe";
    check(
        &disk,
        facts,
        expect![[r#"
        * C:\work\env\Scripts\python.exe venv 3.9.4
            folder: env in C:\work
        C:\work\.tox-env\Scripts\python.exe venv 3.9.4
            folder: .tox-env in C:\work
        C:\Py39\python.exe installed 3.9.4
            registry: HKEY_CURRENT_USER\Software\Python\PythonCore\3.9
    "#]],
    );
    let host = machine(
        &[disk.clone(), venv(r"C:\work\.venv", r"C:\Gone"), venv(r"C:\other", r"C:\Py39")].concat(),
        facts,
    );
    let search = || Search::on(&host).in_folder(Some(r"C:\work".into()));
    // It is selected even if it is broken, so that its problem gets reported.
    assert_eq!(search().selected().unwrap().path.as_str(), r"C:\work\.venv");
    let activated = search().with_activated(Some(r"C:\other".into()));
    assert_eq!(activated.selected().unwrap().path.as_str(), r"C:\other");
}

#[test]
fn packages_of_the_store_are_found_behind_their_aliases() {
    let apps = r"C:\Program Files\WindowsApps";
    let package = format!(r"{apps}\PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0");
    let aliases = format!(r"{ME}\AppData\Local\Microsoft\WindowsApps");
    let disk = [
        python(&package, 11),
        format!("\n{aliases}\\python.exe  size 0\n{aliases}\\python3.11.exe  size 0\n"),
        format!("{aliases}\\PythonSoftwareFoundation.Python.3.11_qbz5n2kfra8p0\\python.exe  size 0\n"),
        format!("{ME}\\AppData\\Local\\Packages\\PythonSoftwareFoundation.Python.3.11_qbz5n2kfra8p0\\LocalCache\\local-packages\\Python311\\site-packages\\six.py  text\n"),
    ]
    .concat();
    check(
        &disk,
        &format!("PATH={aliases}"),
        expect![[r#"
            * C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0\python.exe store 3.11.4
                store: started by py (Microsoft Store package PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0)
                store: Microsoft Store package PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0
                path: on PATH
        "#]],
    );
    let host = machine(&disk, "");
    let of = |alias: &str| Environment::on(&format!(r"{aliases}\{alias}").as_str().into(), &host);
    let python = of("python3.11.exe").unwrap();
    assert_eq!(python.interpreter.as_str(), format!(r"{package}\python.exe"));
    assert_eq!(python.user_site.unwrap().file_name(), "site-packages");
    assert!(of("python.exe").is_ok());
    assert!(of("python3.12.exe").is_err());
    // If the packages cannot be listed, the registry contains the directory of each.
    let denied = format!("{disk}\n{apps}\\  denied\n");
    check(
        &denied,
        "",
        expect![[r#"
            C:\Users\me\AppData\Local\Microsoft\WindowsApps\PythonSoftwareFoundation.Python.3.11_qbz5n2kfra8p0\python.exe is only an alias for the Python from the Microsoft Store: use the python.exe itself (`py -0p` lists it)
                store: Microsoft Store package PythonSoftwareFoundation.Python.3.11_qbz5n2kfra8p0
        "#]],
    );
    check(
        &denied,
        &format!(
            r"package PythonSoftwareFoundation PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0 {package}\python.exe"
        ),
        expect![[r#"
            * C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0\python.exe store 3.11.4
                store: started by py (Microsoft Store package PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0)
                store: Microsoft Store package PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0
        "#]],
    );
}

#[test]
fn environments_of_conda_mamba_and_pixi_are_found() {
    let disk = [
        python(r"C:\Users\me\miniforge3", 12),
        python(r"C:\Users\me\miniforge3\envs\tf", 10),
        python(r"D:\far\away", 11),
        python(r"E:\envs\listed", 11),
        python(r"C:\Users\me\.pixi\envs\tool", 12),
        python(r"C:\work\.pixi\envs\default", 12),
        r"
C:\Users\me\miniforge3\conda-meta\history  text
C:\Users\me\miniforge3\envs\tf\conda-meta\history  text
C:\Users\me\miniforge3\envs\without-python\conda-meta\history  text
C:\Users\me\.pixi\envs\tool\conda-meta\pixi  text
C:\work\.pixi\envs\default\conda-meta\pixi  text
D:\far\away\conda-meta\history  text
E:\envs\listed\conda-meta\history  text
C:\Users\me\.conda\environments.txt  text
    C:\Users\me\miniforge3
    C:\removed
    D:\far\away
C:\Users\me\.condarc  text
    channels:
      - conda-forge
    envs_dirs:
      - E:\envs
    auto_activate_base: false
"
        .to_owned(),
    ]
    .concat();
    check(
        &disk,
        "",
        expect![[r#"
            * C:\work\.pixi\envs\default\python.exe conda 3.12.4
                pixi: .pixi\envs\default in C:\work
                pixi: in C:\work\.pixi\envs
            C:\Users\me\miniforge3\python.exe conda 3.12.4
                conda: listed in C:\Users\me\.conda\environments.txt
                conda: a conda installation
            D:\far\away\python.exe conda 3.11.4
                conda: listed in C:\Users\me\.conda\environments.txt
            C:\Users\me\miniforge3\envs\tf\python.exe conda 3.10.4
                conda: in C:\Users\me\miniforge3\envs
            E:\envs\listed\python.exe conda 3.11.4
                conda: in E:\envs
            C:\Users\me\.pixi\envs\tool\python.exe conda 3.12.4
                pixi: in C:\Users\me\.pixi\envs
        "#]],
    );
    let hinted = disk.replace(r"C:\work\.pixi\envs\default", r"C:\elsewhere")
        + "\nC:\\work\\environment.yml  text\n    name: tf # ours\n    dependencies: [tensorflow]\n";
    check_chosen(
        &hinted,
        "",
        expect![[r#"
        C:\Users\me\miniforge3\envs\tf
        C:\work\environment.yml names the environment tf
    "#]],
    );
}

#[test]
fn pythons_of_uv_and_pyenv_are_found() {
    let disk = [
        python(&format!(r"{ME}\AppData\Roaming\uv\python\cpython-3.12.4-windows-x86_64-none"), 12),
        python(&format!(r"{ME}\AppData\Roaming\uv\python\cpython-3.12-windows-x86_64-none"), 12),
        python(&format!(r"{ME}\.pyenv\pyenv-win\versions\3.10.4"), 10),
        python(&format!(r"{ME}\.pyenv\pyenv-win\versions\3.9.4"), 9),
    ]
    .concat();
    check(
        &disk,
        "",
        expect![[r#"
        C:\Users\me\AppData\Roaming\uv\python\cpython-3.12.4-windows-x86_64-none\python.exe installed 3.12.4
            uv: in C:\Users\me\AppData\Roaming\uv\python
        C:\Users\me\.pyenv\pyenv-win\versions\3.10.4\python.exe installed 3.10.4
            pyenv: in C:\Users\me\.pyenv\pyenv-win\versions
        C:\Users\me\.pyenv\pyenv-win\versions\3.9.4\python.exe installed 3.9.4
            pyenv: in C:\Users\me\.pyenv\pyenv-win\versions
    "#]],
    );
    let file =
        |version: &str| format!("{disk}\nC:\\work\\.python-version  text\n    # ours\n    {version}\n");
    check_chosen(
        &file("3.9"),
        "",
        expect![[r#"
        C:\Users\me\.pyenv\pyenv-win\versions\3.9.4
        C:\work\.python-version says 3.9 (in C:\Users\me\.pyenv\pyenv-win\versions)
    "#]],
    );
    check_chosen(
        &file("cpython-3.12.4-windows"),
        "",
        expect![[r#"
        C:\Users\me\AppData\Roaming\uv\python\cpython-3.12.4-windows-x86_64-none
        C:\work\.python-version says cpython-3.12.4-windows (in C:\Users\me\AppData\Roaming\uv\python)
    "#]],
    );
    check_chosen(
        &file("3.8"),
        "",
        expect![[r#"
        none
    "#]],
    );
    let project = "\nC:\\work\\pyproject.toml  text\n    [project]\n    name = \"x\"\n    requires-python = \">=3.9,<3.12\"\n";
    check_chosen(
        &(disk.clone() + project),
        "",
        expect![[r#"
        C:\Users\me\.pyenv\pyenv-win\versions\3.10.4
        C:\work\pyproject.toml requires Python >=3.9,<3.12 (in C:\Users\me\.pyenv\pyenv-win\versions)
    "#]],
    );
}

#[test]
fn environments_of_poetry_and_pipenv_are_found() {
    let above = format!(r"{ME}\AppData\Local\pypoetry\Cache\virtualenvs");
    let disk = [
        python(r"C:\Py39", 9),
        // The hash is of `c:\work`.
        venv(&format!(r"{above}\my_app-GUwnu2WK-py3.9"), r"C:\Py39"),
        venv(&format!(r"{above}\my_app-Another1-py3.9"), r"C:\Py39"),
        venv(&format!(r"{ME}\.virtualenvs\work-AbCdEfGh"), r"C:\Py39"),
        format!("\n{ME}\\.virtualenvs\\work-AbCdEfGh\\.project  text\n    C:\\Work\n"),
    ]
    .concat();
    check(
        &disk,
        "",
        expect![[r#"
            * C:\Users\me\.virtualenvs\work-AbCdEfGh\Scripts\python.exe venv 3.9.4
                hint: created for C:\work
                virtualenvs: in C:\Users\me\.virtualenvs
            C:\Users\me\AppData\Local\pypoetry\Cache\virtualenvs\my_app-Another1-py3.9\Scripts\python.exe venv 3.9.4
                poetry: in C:\Users\me\AppData\Local\pypoetry\Cache\virtualenvs
            C:\Users\me\AppData\Local\pypoetry\Cache\virtualenvs\my_app-GUwnu2WK-py3.9\Scripts\python.exe venv 3.9.4
                poetry: in C:\Users\me\AppData\Local\pypoetry\Cache\virtualenvs
        "#]],
    );
    let project = "\nC:\\work\\pyproject.toml  text\n    [tool.poetry]\n    name = \"My App\"\n";
    check_chosen(
        &(disk.clone() + project),
        "",
        expect![[r#"
            C:\Users\me\AppData\Local\pypoetry\Cache\virtualenvs\my_app-GUwnu2WK-py3.9
            created by Poetry for C:\work
        "#]],
    );
}

#[test]
fn unregistered_pythons_are_found() {
    let disk = [
        python(r"C:\Python27-embed", 8),
        python(r"C:\WPy64-31150\python-3.11.5.amd64", 11),
        python(r"C:\Users\me\AppData\Local\Programs\Python\Python310", 10),
        python(r"C:\Users\me\AppData\Local\Python\pythoncore-3.14-64", 14),
        python(r"C:\Program Files\Python39", 9),
        python(r"C:\Program Files (x86)\Microsoft Visual Studio\Shared\Python39_64", 9),
        python(r"D:\on path", 13),
        python(r"C:\Users\Public\python", 8),
    ]
    .concat();
    check(
        &disk,
        r"PATH=C:\nothing;D:\on path\;relative",
        expect![[r#"
            * D:\on path\python.exe installed 3.13.4
                path: on PATH
            C:\Users\me\AppData\Local\Python\pythoncore-3.14-64\python.exe installed 3.14.4
                pymanager: in C:\Users\me\AppData\Local\Python
            C:\Program Files (x86)\Microsoft Visual Studio\Shared\Python39_64\python.exe installed 3.9.4
                place: in C:\Program Files (x86)\Microsoft Visual Studio\Shared
            C:\Python27-embed\python.exe installed 3.8.4
                place: in C:\
            C:\WPy64-31150\python-3.11.5.amd64\python.exe installed 3.11.4
                place: in C:\
            C:\Program Files\Python39\python.exe installed 3.9.4
                place: in C:\Program Files
            C:\Users\me\AppData\Local\Programs\Python\Python310\python.exe installed 3.10.4
                place: in C:\Users\me\AppData\Local\Programs\Python
        "#]],
    );
}

#[test]
fn free_threaded_builds_are_found() {
    let both = r"C:\Users\me\AppData\Local\Programs\Python\Python314";
    let managed = r"C:\Users\me\AppData\Local\Python\pythoncore-3.15t-64";
    let disk = [
        python(both, 14),
        free_threaded(both, 14),
        free_threaded(managed, 15),
        format!(
            "{managed}\\__install__.json  text\n    {}\n",
            description("PythonCore", "3.15", r".\\python3.15t.exe")
        ),
        free_threaded(r"C:\on path", 13),
        free_threaded(r"C:\work\.venv", 13),
        // One Python with two names.
        free_threaded(r"C:\Users\me\AppData\Roaming\uv\python\cpython-3.14.4+freethreaded-x", 14),
        r"
C:\Users\me\AppData\Roaming\uv\python\cpython-3.14.4+freethreaded-x\python.exe  imports python314t.dll
"
        .to_owned(),
        venv(r"C:\work\of both", both),
        "C:\\work\\of both\\Scripts\\python3.14t.exe\n".to_owned(),
    ]
    .concat();
    check(
        &disk,
        r"PATH=C:\on path",
        expect![[r#"
            * C:\work\.venv\python3.13t.exe installed 3.13.4 free-threaded
                folder: .venv in C:\work
            C:\work\of both\Scripts\python.exe venv 3.14.4 free-threaded
                folder: of both in C:\work
            C:\Users\me\AppData\Local\Python\pythoncore-3.15t-64\python3.15t.exe installed 3.15.4 free-threaded
                pymanager: in C:\Users\me\AppData\Local\Python
            C:\Users\me\AppData\Roaming\uv\python\cpython-3.14.4+freethreaded-x\python.exe installed 3.14.4 free-threaded
                uv: in C:\Users\me\AppData\Roaming\uv\python
            C:\Users\me\AppData\Local\Programs\Python\Python314\python.exe installed 3.14.4
                place: in C:\Users\me\AppData\Local\Programs\Python
            C:\on path\python3.13t.exe installed 3.13.4 free-threaded
                path: on PATH
            C:\Users\me\AppData\Local\Programs\Python\Python314\python3.14t.exe installed 3.14.4 free-threaded
                place: in C:\Users\me\AppData\Local\Programs\Python
        "#]],
    );
}

#[test]
fn the_build_that_a_file_requires_is_selected() {
    let uv = |name: &str| format!(r"C:\Users\me\AppData\Roaming\uv\python\cpython-{name}");
    let disk = [
        python(&uv("3.13.4-x"), 13),
        python(&uv("3.14.4-x"), 14),
        free_threaded(&uv("3.14.4+freethreaded-x"), 14),
        free_threaded(&uv("3.13.4+freethreaded-x"), 13),
    ]
    .concat();
    let selected = |version: &str| {
        let disk = format!("{disk}\nC:\\work\\.python-version  text\n    {version}\n");
        let host = machine(&disk, "");
        let chosen = Search::on(&host).in_folder(Some(r"C:\work".into())).selected();
        chosen.unwrap().path.file_name().to_owned()
    };
    assert_eq!(selected("3.14"), "cpython-3.14.4-x");
    assert_eq!(selected("3.14t"), "cpython-3.14.4+freethreaded-x");
    assert_eq!(selected("cpython-3.13+freethreaded"), "cpython-3.13.4+freethreaded-x");
    assert_eq!(selected("3.13.4t"), "cpython-3.13.4+freethreaded-x");
}

#[test]
fn nothing_is_found_on_a_machine_without_a_python() {
    check("C:\\Windows\\System32\\kernel32.dll", "", expect![[r#""#]]);
    check_chosen(
        "C:\\work\\pyproject.toml  text\n    [broken",
        "PATH=;;",
        expect![[r#"
        none
    "#]],
    );
}

#[test]
fn the_directories_of_a_known_user_are_taken_from_the_variables() {
    let disk = [
        python(r"E:\data\roaming\uv\python\cpython-3.12.4-x", 12),
        python(r"C:\Users\other\AppData\Roaming\uv\python\cpython-3.11.4-x", 11),
    ]
    .concat();
    check(
        &disk,
        "USERPROFILE=E:\\me\nAPPDATA=E:\\data\\roaming",
        expect![[r#"
        E:\data\roaming\uv\python\cpython-3.12.4-x\python.exe installed 3.12.4
            uv: in E:\data\roaming\uv\python
    "#]],
    );
}

/// Returns the files of an install of the manager, with its description.
fn install(folder: &str, name: &str, minor: u32, description: &str) -> String {
    let folder = format!(r"{folder}\{name}");
    format!("{}\n{folder}\\__install__.json  text\n    {description}\n", python(&folder, minor))
}

/// Returns a description with the fields that are read.
fn description(company: &str, version: &str, executable: &str) -> String {
    format!(
        r#"{{"schema": 1, "id": "x", "company": "{company}", "sort-version": "{version}", "executable": "{executable}"}}"#
    )
}

const LOCAL: &str = r"C:\Users\me\AppData\Local\Python";

/// Returns the files of the manager's Pythons and their aliases, one of them without its target.
fn managed() -> String {
    let core = |version: &str| description("PythonCore", version, r".\\python.exe");
    let without_gil = format!(r"{LOCAL}\pythoncore-3.14t-64");
    [
        install(LOCAL, "pythoncore-3.15-64", 15, &core("3.15.0a2")),
        install(LOCAL, "pythoncore-3.13-64", 13, &core("3.13.9")),
        install(LOCAL, "pythoncore-3.14-64", 14, &core("3.14.4")),
        install(LOCAL, "someone-3.16", 16, &description("Someone", "3.16", "python.exe")),
        format!(
            "
{}
{without_gil}\\__install__.json  text
    {}
{LOCAL}\\_cache\\x.zip
{LOCAL}\\pythoncore-3.14-64\\python3.dll  exports Py_Main=python314.Py_Main Py_Version=python314.x
{LOCAL}\\bin\\python.exe
{LOCAL}\\bin\\python.exe.__target__  exact
    {LOCAL}\\pythoncore-3.14-64\\python.exe
{LOCAL}\\bin\\python3.exe
{LOCAL}\\bin\\python3.exe.__target__  exact
    {LOCAL}\\pythoncore-3.12-64\\python.exe
",
            free_threaded(&without_gil, 14),
            description("PythonCore", "3.14.4", r".\\python3.14t.exe")
        ),
    ]
    .concat()
}

#[test]
fn pythons_of_the_install_manager_are_found() {
    let facts = format!(r"PATH={LOCAL}\bin");
    check(
        &managed(),
        &facts,
        expect![[r#"
            * C:\Users\me\AppData\Local\Python\pythoncore-3.14-64\python.exe installed 3.14.4
                pymanager: started by py (in C:\Users\me\AppData\Local\Python)
                pymanager: in C:\Users\me\AppData\Local\Python
                path: on PATH, as C:\Users\me\AppData\Local\Python\bin\python.exe
            C:\Users\me\AppData\Local\Python\pythoncore-3.14t-64\python3.14t.exe installed 3.14.4 free-threaded
                pymanager: in C:\Users\me\AppData\Local\Python
            C:\Users\me\AppData\Local\Python\pythoncore-3.13-64\python.exe installed 3.13.4
                pymanager: in C:\Users\me\AppData\Local\Python
            C:\Users\me\AppData\Local\Python\someone-3.16\python.exe installed 3.16.4
                pymanager: in C:\Users\me\AppData\Local\Python
            C:\Users\me\AppData\Local\Python\pythoncore-3.15-64\python.exe installed 3.15.4
                pymanager: in C:\Users\me\AppData\Local\Python
            C:\Users\me\AppData\Local\Python\bin\python3.exe cannot start: the Python that it starts is gone: C:\Users\me\AppData\Local\Python\pythoncore-3.12-64\python.exe does not exist
                path: on PATH
        "#]],
    );
    // A registered install is the same Python.
    let registered = format!(r"user PythonCore 3.14 {LOCAL}\pythoncore-3.14-64\python.exe");
    check_chosen(
        &managed(),
        &registered,
        expect![[r#"
            C:\Users\me\AppData\Local\Python\pythoncore-3.14-64\python.exe
            started by py (HKEY_CURRENT_USER\Software\Python\PythonCore\3.14)
        "#]],
    );
    check_chosen(
        &managed(),
        &format!("{registered}\nPYTHON_MANAGER_DEFAULT=3.14"),
        expect![[r#"
        C:\Users\me\AppData\Local\Python\pythoncore-3.14-64\python.exe
        PYTHON_MANAGER_DEFAULT says 3.14
    "#]],
    );
}

#[test]
fn an_alias_on_path_is_selected_if_there_is_nothing_else() {
    // If the manager keeps its installs in another place, its aliases are there too.
    let elsewhere = managed().replace(LOCAL, r"D:\tools\Python");
    check(
        &elsewhere,
        r"PATH=D:\tools\Python\bin",
        expect![[r#"
            * D:\tools\Python\bin\python.exe installed 3.14.4
                path: on PATH
            D:\tools\Python\bin\python3.exe cannot start: the Python that it starts is gone: D:\tools\Python\pythoncore-3.12-64\python.exe does not exist
                path: on PATH
        "#]],
    );
    let settings = |folder: &str| {
        format!(
            "{elsewhere}\n{ME}\\AppData\\Roaming\\Python\\PyManager.json  text\n    {{\"install_dir\": \"{folder}\"}}\n"
        )
    };
    check_chosen(
        &settings(r"D:\\tools\\Python"),
        "",
        expect![[r#"
            D:\tools\Python\pythoncore-3.14-64\python.exe
            started by py (in D:\tools\Python)
        "#]],
    );
    let at_home = settings(r"%UserProfile%\\Pythons").replace(r"D:\tools\Python", &format!(r"{ME}\Pythons"));
    check_chosen(
        &at_home,
        "",
        expect![[r#"
            C:\Users\me\Pythons\pythoncore-3.14-64\python.exe
            started by py (in C:\Users\me\Pythons)
        "#]],
    );
    for folder in ["relative", r"\\\\server\\share", r"%TEMP%\\x", ""] {
        check_chosen(
            &settings(folder),
            "",
            expect![[r#"none
"#]],
        );
    }
}

#[test]
fn malformed_descriptions_are_ignored() {
    let one = |description: &str| install(LOCAL, "x-3.14", 14, description);
    let of = |executable: &str| one(&description("PythonCore", "3.14.4", executable));
    let elsewhere = python(r"C:\Elsewhere", 14);
    let disks = [
        one("{"),
        one("[]"),
        one(r#"{"schema": 2, "company": "PythonCore", "sort-version": "3.14", "executable": "python.exe"}"#),
        of(r"..\\..\\..\\..\\..\\..\\Elsewhere\\python.exe"),
        of(r"C:\\Elsewhere\\python.exe"),
        of(r"\\\\server\\share\\python.exe"),
        of("."),
        of(""),
    ];
    for disk in disks {
        let host = machine(&[disk.clone(), elsewhere.clone()].concat(), "");
        assert_eq!(Search::on(&host).all().len(), 0, "{disk}");
    }
    let long = of("python.exe").replace("\"id\"", &format!("{}\"id\"", " ".repeat(1 << 20)));
    assert_eq!(Search::on(&machine(&long, "")).all().len(), 0);
    assert_eq!(Search::on(&machine(&of("python.exe"), "")).all().len(), 1);
    // A described Python that is gone is reported.
    check(
        &of("python3.exe"),
        "",
        expect![[r#"
        C:\Users\me\AppData\Local\Python\x-3.14\python3.exe does not exist
            pymanager: in C:\Users\me\AppData\Local\Python
    "#]],
    );
}

#[test]
fn links_of_uv_are_listed_as_their_targets() {
    let folder = format!(r"{ME}\AppData\Roaming\uv\python");
    let disk = |names: &[&str]| {
        names.iter().map(|name| python(&format!(r"{folder}\{name}"), 13)).collect::<String>()
            + &format!("{folder}\\.lock  text\n")
    };
    let listed = |names: &[&str]| -> Vec<String> {
        let host = machine(&disk(names), "");
        let found = Search::on(&host).all().into_iter();
        found.map(|one| one.interpreter.parent().unwrap().file_name().to_owned()).collect()
    };
    let installs = [
        "cpython-3.13.5+freethreaded-windows-x86_64-none",
        "cpython-3.13.5-windows-x86_64-none",
        "cpython-3.14.0rc2-windows-x86_64-none",
    ];
    let links = [
        "cpython-3.13+freethreaded-windows-x86_64-none",
        "cpython-3.13-windows-x86_64-none",
        "cpython-3.14-windows-x86_64-none",
    ];
    assert_eq!(listed(&[installs, links].concat()), installs);
    // These link to installs that aren't found otherwise.
    assert_eq!(listed(&links), links);
    let others = ["cpython-3.1-windows-x86_64-none", "cpython-3.13.5-windows-aarch64-none"];
    assert_eq!(listed(&[&others[..], &links[1..2]].concat()).len(), 3);
    // `python` is a trampoline to the link; all of these Pythons are 3.13.4.
    let names = ["cpython-3.13.4-windows-x86_64-none", links[1]];
    let trampoline = format!("{ME}\\.local\\bin\\python.exe  starts {folder}\\{}\\python.exe\n", links[1]);
    check(
        &(disk(&names) + &trampoline),
        &format!(r"PATH={ME}\.local\bin"),
        expect![[r#"
        * C:\Users\me\.local\bin\python.exe installed 3.13.4
            path: on PATH
            uv: in C:\Users\me\AppData\Roaming\uv\python
    "#]],
    );
}
