//! `whydll environments`: the Pythons of a machine, which of them is selected in a folder, and its use.

use std::fs;
use std::path::Path;

use end_to_end::{real, report, text, whydll};
use serde_json::{Value, json};
use world::World;

/// A Windows drive with Pythons from a dozen sources, and TensorFlow in two of them.
const DRIVE: &str = r#"
/Windows/System32/kernel32.dll    version 10.0.19045.1
/Windows/py.ini  text
    [defaults]
    python=3.11
PYTHON "/Program Files/Python39" 9
PYTHON /Users/me/AppData/Local/Programs/Python/Python311 11
PYTHON /Users/me/AppData/Local/Python/pythoncore-3.14-64 14
PYTHON "/Program Files/WindowsApps/PythonSoftwareFoundation.Python.3.12_3.12.2544.0_x64__qbz5n2kfra8p0" 12
/Users/me/AppData/Local/Microsoft/WindowsApps/python.exe    empty
PYTHON /Users/me/miniconda3 12
/Users/me/miniconda3/conda-meta/history    text
PYTHON /Users/me/miniconda3/envs/tf 10
/Users/me/miniconda3/envs/tf/conda-meta/history    text
/Users/me/miniconda3/envs/tf/Lib/site-packages/tensorflow/__init__.py    text
/Users/me/miniconda3/envs/tf/Lib/site-packages/tensorflow_intel-2.12.0.dist-info/METADATA    text
    Name: tensorflow-intel
/Users/me/miniconda3/envs/tf/Lib/site-packages/tensorflow_intel-2.12.0.dist-info/RECORD    text
    tensorflow/__init__.py,,
PYTHON /Users/me/AppData/Roaming/uv/python/cpython-3.13.4-windows-x86_64-none 13
PYTHON /Users/me/.pyenv/pyenv-win/versions/3.8.4 8
VENV "/Users/me/AppData/Local/pypoetry/Cache/virtualenvs/app-AbCdEfGh-py3.11"
VENV /Users/me/.virtualenvs/app-AbCdEfGh
PYTHON /WPy64-31150/python-3.11.5.amd64 11
PYTHON /python-3.10.4-embed-amd64 10
/python-3.10.4-embed-amd64/python310._pth    text
    python310.zip
PYTHON /Users/me/.pixi/envs/tool 12
/Users/me/.pixi/envs/tool/conda-meta/pixi    text
VENV /work/.venv
VENV /work/with-tf
/work/with-tf/Lib/site-packages/tensorflow/__init__.py    text
/work/with-tf/Lib/site-packages/tensorflow-2.3.0.dist-info/METADATA    text
    Name: tensorflow
/work/with-tf/Lib/site-packages/tensorflow-2.3.0.dist-info/RECORD    text
    tensorflow/__init__.py,,
/broken/.venv/pyvenv.cfg    text
    home = C:\gone
/broken/.venv/Scripts/python.exe
/nothing/main.py    text
"#;

fn drive() -> World {
    let mut text = String::new();
    for line in DRIVE.lines() {
        if let Some((folder, minor)) = line.strip_prefix("PYTHON ").and_then(|line| line.rsplit_once(' ')) {
            let file = |name: &str| match folder.strip_suffix('"') {
                Some(quoted) => format!("{quoted}/{name}\""),
                None => format!("{folder}/{name}"),
            };
            text += &format!("{}    imports python3{minor}.dll\n", file("python.exe"));
            text += &format!("{}    version 3.{minor}.4150.1013\n", file(&format!("python3{minor}.dll")));
            text += &format!("{}    text\n", file("Lib/os.py"));
        } else if let Some(folder) = line.strip_prefix("VENV ") {
            let folder = folder.trim_matches('"');
            text += &format!("{folder}/Scripts/python.exe\n{folder}/pyvenv.cfg    text\n");
            text += "    home = C:\\Users\\me\\AppData\\Local\\Programs\\Python\\Python311\n";
        } else {
            text += &format!("{line}\n");
        }
    }
    World::new(&text).unwrap()
}

fn listed(root: &Path, folder: &Path) -> Value {
    let answer = whydll(["environments", "--format", "json", "--host", &text(root), &text(folder)]);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
    answer.json()
}

/// Returns the entry of an interpreter.
fn entry<'a>(answer: &'a Value, interpreter: &str) -> &'a Value {
    let all = answer["environments"].as_array().unwrap();
    let found = all.iter().find(|one| one["interpreter"].as_str().unwrap().eq_ignore_ascii_case(interpreter));
    found.unwrap_or_else(|| panic!("{interpreter} is not in {answer:#}"))
}

#[test]
fn every_kind_of_environment_is_found() {
    let world = drive();
    let answer = listed(world.root(), &world.path("/work"));
    assert_eq!((&answer["schema"], &answer["folder"]), (&json!(1), &json!(r"C:\work")));
    let seen: Vec<String> = answer["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let words = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let source = words(&one["found"][0]["source"]);
            let (kind, version) = (words(&one["kind"]), words(&one["version"]));
            let interpreter = words(&one["interpreter"]).trim_end_matches(r"\python.exe").to_owned();
            format!("{source} {kind} {version} {} {interpreter}", words(&one["tensorflow"]["version"]))
        })
        .collect();
    let store =
        r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.12_3.12.2544.0_x64__qbz5n2kfra8p0";
    let expected = [
        r"folder venv 3.11.4 - C:\work\.venv\Scripts".to_owned(),
        r"folder venv 3.11.4 2.3.0 C:\work\with-tf\Scripts".to_owned(),
        format!("store store 3.12.4 - {store}"),
        r"uv installed 3.13.4 - C:\Users\me\AppData\Roaming\uv\python\cpython-3.13.4-windows-x86_64-none".to_owned(),
        r"pyenv installed 3.8.4 - C:\Users\me\.pyenv\pyenv-win\versions\3.8.4".to_owned(),
        r"poetry venv 3.11.4 - C:\Users\me\AppData\Local\pypoetry\Cache\virtualenvs\app-AbCdEfGh-py3.11\Scripts"
            .to_owned(),
        r"virtualenvs venv 3.11.4 - C:\Users\me\.virtualenvs\app-AbCdEfGh\Scripts".to_owned(),
        r"conda conda 3.12.4 - C:\Users\me\miniconda3".to_owned(),
        r"conda conda 3.10.4 2.12.0 C:\Users\me\miniconda3\envs\tf".to_owned(),
        r"pixi conda 3.12.4 - C:\Users\me\.pixi\envs\tool".to_owned(),
        r"place embeddable 3.10.4 - C:\python-3.10.4-embed-amd64".to_owned(),
        r"place installed 3.11.4 - C:\WPy64-31150\python-3.11.5.amd64".to_owned(),
        r"place installed 3.9.4 - C:\Program Files\Python39".to_owned(),
        r"pymanager installed 3.14.4 - C:\Users\me\AppData\Local\Python\pythoncore-3.14-64".to_owned(),
        r"place installed 3.11.4 - C:\Users\me\AppData\Local\Programs\Python\Python311".to_owned(),
    ];
    for line in &expected {
        assert!(seen.contains(line), "{line:?} is not in {seen:#?}");
    }
    assert_eq!(seen.len(), expected.len(), "{seen:#?}");
    let tensorflow = &entry(&answer, r"C:\Users\me\miniconda3\envs\tf\python.exe")["tensorflow"];
    assert_eq!(*tensorflow, json!({ "distribution": "tensorflow-intel", "version": "2.12.0" }));
    assert_eq!(
        answer["chosen"],
        json!({ "interpreter": r"C:\work\.venv\Scripts\python.exe", "source": "folder", "reason": r".venv in C:\work" })
    );
}

/// As python.org's installer leaves both builds of a version in one folder.
#[test]
fn a_free_threaded_python_is_listed_next_to_the_other_in_its_folder() {
    let world = World::new(
        "
        /Windows/System32/kernel32.dll    version 10.0.26100.1
        /Python314/python.exe         imports python314.dll
        /Python314/python314.dll      version 3.14.2150.1013
        /Python314/python3.14t.exe    imports python314t.dll
        /Python314/python314t.dll     version 3.14.2150.1013
        /Python314/Lib/os.py          text
        ",
    )
    .unwrap();
    let answer = listed(world.root(), world.root());
    let build = |program: &str| {
        let one = entry(&answer, &format!(r"C:\Python314\{program}"));
        (one["version"].clone(), one["freeThreaded"].clone())
    };
    assert_eq!(build("python.exe"), (json!("3.14.2"), json!(false)));
    assert_eq!(build("python3.14t.exe"), (json!("3.14.2"), json!(true)));
    assert_eq!(answer["environments"].as_array().unwrap().len(), 2, "{answer:#}");
    let told = whydll(["environments", "--host", &text(world.root()), &text(world.root())]).out;
    assert!(told.contains("\n    Python 3.14.2 free-threaded, x86_64, installed\n"), "{told}");
}

#[test]
fn broken_and_absent_environments_are_reported() {
    let world = drive();
    let answer = listed(world.root(), &world.path("/broken"));
    let broken = entry(&answer, r"C:\broken\.venv");
    assert!(broken["error"].as_str().unwrap().contains(r"C:\gone does not exist"), "{broken:#}");
    assert_eq!(answer["chosen"]["interpreter"], r"C:\broken\.venv");
    // The registry of a mounted drive cannot be read: of the rest, `py` starts the Store's package.
    let answer = listed(world.root(), &world.path("/nothing"));
    assert_eq!(answer["chosen"]["source"], "store");
    let empty = World::new("/Windows/System32/kernel32.dll").unwrap();
    let answer = listed(empty.root(), empty.root());
    assert_eq!((&answer["chosen"], &answer["environments"]), (&Value::Null, &json!([])));
    let answer = whydll(["environments", "/there/is/no/such/folder"]);
    assert_eq!((answer.status, answer.out.as_str()), (2, ""));
    let told = whydll(["environments", "--host", &text(world.root()), &text(&world.path("/work"))]).out;
    assert!(
        told.starts_with(
            "* C:\\work\\.venv\\Scripts\\python.exe\n    Python 3.11.4, x86_64, venv of installed\n"
        ),
        "{told}"
    );
    assert!(told.contains("15 Pythons on directory; * is selected in C:\\work: .venv in C:\\work"), "{told}");
}

#[test]
fn a_missing_package_names_environments_that_have_it_also_from_a_snapshot() {
    let world = drive();
    let python = text(&world.path("/work/.venv"));
    let host = text(world.root());
    let direct = report(&whydll(["check", "--format", "json", "--host", &host, "--python", &python]));
    let finding = direct.finding();
    assert_eq!(finding["code"], "not-installed");
    assert!(
        finding["message"]
            .as_str()
            .unwrap()
            .contains(r"envs\tf\python.exe (Python 3.10.4, tensorflow-intel 2.12.0)")
    );
    assert_eq!(
        finding["fixes"][0],
        json!({
            "title": r"Use C:\Users\me\miniconda3\envs\tf\python.exe, which has tensorflow-intel 2.12.0",
            "kind": "setting", "preferred": true, "outcome": "cures",
            "value": r#""whydll.interpreter": "C:\\Users\\me\\miniconda3\\envs\\tf\\python.exe""#,
        })
    );
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(world.path("/Users/me/secret")).unwrap();
    let file = text(&folder.path().join("recorded"));
    let answer = whydll(["snapshot", "-o", &file, "--host", &host, "--python", &python, "--keep-names"]);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
    let replayed = report(&whydll(["check", "--format", "json", "--host", &file]));
    assert_eq!(replayed.json["findings"], direct.json["findings"]);
    // Nothing else about the user's environments is in it.
    let mut recorded = String::new();
    let packed = fs::File::open(&file).unwrap();
    std::io::Read::read_to_string(&mut lzma_rust2::XzReader::new(packed, false), &mut recorded).unwrap();
    assert!(!recorded.contains("secret"));
    // The user's environments are found although the name was replaced.
    let answer = whydll(["snapshot", "-o", &file, "--host", &host, "--python", &python]);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
    let nameless = report(&whydll(["check", "--format", "json", "--host", &file]));
    let expected = direct.json["findings"].to_string().replace(r"\me\", r"\us\");
    assert_eq!(nameless.json["findings"].to_string(), expected);
}

/// A Python of the install manager with a module that loads a DLL from PATH, an alias of it, and one of a
/// Python that is gone.
const MANAGED: &str = r#"
/Windows/System32/kernel32.dll    version 10.0.19045.1
/U/Python/pythoncore-3.14-64/python.exe      imports python314.dll
/U/Python/pythoncore-3.14-64/python3.dll     exports Py_Main=python314.Py_Main, Py_Version=python314.Py_Version
/U/Python/pythoncore-3.14-64/python314.dll   version 3.14.2150.1013, exports Py_Main, Py_Version
/U/Python/pythoncore-3.14-64/Lib/os.py       text
/U/Python/pythoncore-3.14-64/Lib/site-packages/loads/__init__.py    text
    import ctypes
    ctypes.WinDLL("on_path.dll", winmode=0)
/U/Python/bin/python.exe
/U/Python/bin/python3.exe
/lib/on_path.dll
"#;

fn managed() -> World {
    let world = World::new(MANAGED).unwrap();
    for (alias, version) in [("python.exe", "3.14"), ("python3.exe", "3.13")] {
        let target = format!(r"C:\U\Python\pythoncore-{version}-64\python.exe");
        fs::write(world.path(&format!("/U/Python/bin/{alias}.__target__")), target).unwrap();
    }
    world
}

#[test]
fn an_alias_of_the_install_manager_is_listed_with_what_it_starts() {
    let world = managed();
    let options = ["--path", r"C:\U\Python\bin", "--host", &text(world.root()), &text(world.root())];
    let told = whydll([&["environments"], &options[..]].concat()).out;
    assert_eq!(
        told,
        "* C:\\U\\Python\\bin\\python.exe
    Python 3.14.2, x86_64, installed, starts C:\\U\\Python\\pythoncore-3.14-64\\python.exe
    on PATH
  C:\\U\\Python\\bin\\python3.exe
    C:\\U\\Python\\bin\\python3.exe cannot start: the Python that it starts is gone: \
C:\\U\\Python\\pythoncore-3.13-64\\python.exe does not exist
    on PATH

2 Pythons on directory; * is selected in C:\\: on PATH
"
    );
    let answer = whydll([&["environments", "--format", "json"], &options[..]].concat()).json();
    let listed = entry(&answer, r"C:\U\Python\bin\python.exe");
    assert_eq!(listed["starts"], r"C:\U\Python\pythoncore-3.14-64\python.exe");
    assert_eq!(answer["chosen"]["interpreter"], r"C:\U\Python\bin\python.exe");
}

#[test]
fn a_check_distinguishes_an_alias_from_its_target_also_from_a_snapshot() {
    let world = managed();
    let check = |python: &str| {
        let (host, python) = (text(world.root()), text(&world.path(python)));
        let target = ["--host", &host, "--python", &python, "--path", r"C:\lib"];
        report(&whydll([&["check", "--format", "json", "--import", "loads"], &target[..]].concat()))
    };
    let direct = check("/U/Python/pythoncore-3.14-64/python.exe");
    assert_eq!(
        (&direct.json["health"], &direct.json["environment"]["launcher"]),
        (&json!("healthy"), &Value::Null)
    );
    let by_alias = check("/U/Python/bin/python.exe");
    assert_eq!(by_alias.finding()["code"], "not-on-search-path");
    assert_eq!(by_alias.json["environment"]["launcher"], r"C:\U\Python\bin\python.exe");
    assert_eq!(by_alias.json["environment"]["interpreter"], direct.json["environment"]["interpreter"]);
    let (host, python) = (text(world.root()), text(&world.path("/U/Python/bin/python.exe")));
    for (format, told) in [
        ("text", r", started by C:\U\Python\bin\python.exe)"),
        ("markdown", r", started by `C:\U\Python\bin\python.exe`)"),
    ] {
        let answer = whydll(["check", "--format", format, "--host", &host, "--python", &python]);
        assert!(answer.out.contains(told), "{}", answer.out);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = text(&folder.path().join("recorded"));
    let target = ["--host", &host, "--python", &python, "--path", r"C:\lib", "--import", "loads"];
    let answer = whydll([&["snapshot", "-o", &file], &target[..]].concat());
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
    let replayed = report(&whydll(["check", "--format", "json", "--import", "loads", "--host", &file]));
    assert_eq!(replayed.json["findings"], by_alias.json["findings"]);
    assert_eq!(replayed.json["environment"], by_alias.json["environment"]);
    // An alias that cannot start is refused at once.
    let gone =
        whydll(["check", "--host", &host, "--python", &text(&world.path("/U/Python/bin/python3.exe"))]);
    assert_eq!(gone.status, 2);
    assert!(gone.err.contains("the Python that it starts is gone"), "{}", gone.err);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn the_real_environments_are_described() {
    let folder = real("");
    let answer = whydll(["environments", "--host", "windows-11", "--format", "json", &text(&folder)]).json();
    for (name, version, tensorflow) in [
        ("complete/python.exe", "3.8.10", json!({ "distribution": "tensorflow-cpu", "version": "2.3.0" })),
        ("complete-2.21/python.exe", "3.13", json!({ "distribution": "tensorflow", "version": "2.21.0" })),
        ("not-installed/python.exe", "3.8.10", Value::Null),
        ("python39/python.exe", "3.9", json!({ "distribution": "tensorflow-cpu", "version": "2.3.0" })),
        (
            "venv/Scripts/python.exe",
            "3.8.10",
            json!({ "distribution": "tensorflow-cpu", "version": "2.3.0" }),
        ),
    ] {
        let one = entry(&answer, &text(&folder.join(name)));
        assert!(one["version"].as_str().unwrap().starts_with(version), "{one:#}");
        assert_eq!(one["tensorflow"], tensorflow, "{one:#}");
    }
}
