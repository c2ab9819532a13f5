//! `whydll snapshot`: a recorded machine is diagnosed like the machine itself.

use std::fs;
use std::io::Read;
use std::path::Path;

use end_to_end::{Report, answer, check, command, link_tree, on, real, report, text, whydll};
use lzma_rust2::XzReader;
use serde_json::Value;
use world::World;

const RECORDED: [(&str, &str); 5] = [
    ("complete-2.21", "drive-with"),
    ("complete", "windows-11"),
    ("venv", "drive-with"),
    ("hdf5-deleted", "drive-with"),
    ("openblas-deleted", "windows-11+vcredist"),
];

fn record(environment: &str, machine: &str, file: &Path) {
    let mut arguments = vec!["snapshot".to_owned(), "-o".to_owned(), text(file)];
    arguments.extend(on(environment, machine));
    // They may lie in the home of whoever runs the tests.
    arguments.push("--keep-names".to_owned());
    let answer = whydll(arguments);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
}

/// The JSON of a check, without the kind of its host: what a replay and the machine itself must have in common.
fn told(mut report: Report) -> String {
    report.json["host"]["kind"] = Value::Null;
    report.json.to_string()
}

#[test]
fn a_recorded_machine_gets_the_same_diagnosis() {
    let folder = tempfile::tempdir().unwrap();
    for (environment, machine) in RECORDED {
        let file = folder.path().join(environment);
        record(environment, machine, &file);
        let replayed = report(&whydll(["check", "--format", "json", "--host", &text(&file)]));
        assert_eq!(replayed.json["host"]["kind"], "snapshot");
        assert_eq!(told(replayed), told(check(environment, machine, &[])), "{environment} on {machine}");
        // It is made to be attached to an issue.
        let size = fs::metadata(&file).unwrap().len();
        assert!(size < 1_000_000, "{environment} on {machine}: {size} bytes");
    }
}

/// What TensorFlow imports can be asked about by itself, and so can what is not there.
#[test]
fn a_replay_answers_for_other_imports_too() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, machine) = RECORDED[0];
    let file = folder.path().join("recorded");
    record(environment, machine, &file);
    for import in ["numpy", "scipy", "h5py", "keras", "google.protobuf", "flask"] {
        let about = ["--import", import];
        let replay = ["check", "--format", "json", "--host", &text(&file)];
        let mut replayed = report(&whydll(replay.into_iter().chain(about)));
        let mut direct = check(environment, machine, &about);
        // What TensorFlow leaves alone is not recorded, and the replay says so.
        for report in [&mut replayed, &mut direct] {
            for package in report.json["packages"].as_array_mut().unwrap() {
                package["coverage"] = Value::Null;
            }
        }
        assert_eq!(told(replayed), told(direct), "{import}");
    }
}

/// A machine on which a user has everything in her home.
const HOME: &str = r#"
/Windows/System32/kernel32.dll    version 10.0.19045.1
"/Users/NAME/python/python.exe"    imports python38.dll
"/Users/NAME/python/python38.dll"    version 3.8.10150.1013
"/Users/NAME/python/Lib/os.py"    text
"/Users/NAME/python/Lib/site-packages/pkg/__init__.py"    text
    import ctypes, os
    try:
        import extra
    except OSError:
        pass
    from . import native
"/Users/NAME/python/Lib/site-packages/pkg/native.pyd"    imports msvcp140.dll, helper.dll
"/Users/NAME/python/Lib/site-packages/linked.pth"    text
    C:\Users\NAME\python\Lib\users\python
"/Users/NAME/python/Lib/users/python/extra.py"    text
    import ctypes
    ctypes.CDLL("C:/Users/NAME/lib/needed.dll")
"/Users/NAME/lib/needed.dll"    imports gone.dll
"/Users/NAME/cuda/helper.dll"
"/Users/NAME/bin/"
"#;

/// The interpreter, the findings and the JSON of a snapshot of [`HOME`] and of the machine itself.
fn home(name: &str, more: &[&str]) -> (String, String, String) {
    let world = World::new(&HOME.replace("NAME", name)).unwrap();
    let python = text(&world.path(&format!("/Users/{name}/python")));
    let path = format!(r"C:\Users\{name}\bin;C:\Users\{name}\cuda");
    let file = world.root().join("recorded");
    let machine = ["--host", &text(world.root()), "--path", &path, "--python", &python];
    let recorded =
        whydll(["snapshot", "-o", &text(&file), "--import", "pkg"].iter().chain(&machine).chain(more));
    assert_eq!((recorded.status, recorded.err.as_str()), (0, ""));
    let about = ["check", "--format", "json", "--import", "pkg"];
    let direct = report(&whydll(about.iter().chain(&machine)));
    let replayed = report(&whydll(about.iter().chain(&["--host", &text(&file)])));
    assert_eq!(direct.json["findings"].as_array().unwrap().len(), 2, "{}", direct.json);
    (told(direct), told(replayed), unpacked(&file))
}

const NAMES: [&str; 6] = ["Anna", "Jürgen Müller", "李雷", "python", "lib", "O'Brien"];

/// A replay says what would be said if the user were really called so.
#[test]
fn users_have_other_names_in_a_snapshot() {
    for name in NAMES {
        let (_, replayed, recorded) = home(name, &[]);
        let other = replayed.split(r"C:\\Users\\").nth(1).and_then(|rest| rest.split('\\').next()).unwrap();
        assert!(other.starts_with("us"), "{name} is called {other}");
        assert_eq!(replayed, home(other, &[]).0);
        let recorded = recorded.to_lowercase();
        let [windows, slashes] =
            [r"c:\\users\\", "c:/users/"].map(|users| format!("{users}{}", name.to_lowercase()));
        assert!(!recorded.contains(&windows) && !recorded.contains(&slashes), "{name}");
        // Two of them have folders of that name, too.
        assert_eq!(recorded.contains(&name.to_lowercase()), ["python", "lib"].contains(&name), "{name}");
        assert!(recorded.contains(r"python\\lib\\users\\python"), "{recorded}");
    }
}

/// A machine with a package that is installed in place, below the project's folder.
const PROJECT: &str = r#"
/Windows/System32/kernel32.dll    version 10.0.19045.1
/Python/python.exe    imports python38.dll
/Python/python38.dll    version 3.8.10150.1013
/Python/Lib/os.py    text
/Python/Lib/site-packages/own.pth    text
    C:\work\src
/work/src/own/__init__.py    text
    import sys
    PLAN = 'a plan that stays at home'
    if sys.platform == 'win32':
        from . import native
/work/src/own/native.pyd    imports gone.dll
"#;

#[test]
fn own_modules_are_recorded_only_if_that_is_wanted() {
    let world = World::new(PROJECT).unwrap();
    let file = world.root().join("recorded");
    let machine =
        ["--host", &text(world.root()), "--python", &text(&world.path("/Python")), "--import", "own"];
    let record = |more: &[&str]| whydll(["snapshot"].iter().chain(&machine).chain(more));
    let refused = record(&["-o", &text(&file)]);
    assert_eq!((refused.status, refused.out.as_str()), (2, ""));
    let named = refused.err.contains(r"C:\work\src\own\__init__.py");
    assert!(named && refused.err.contains("--own-modules"), "{}", refused.err);
    assert!(!file.exists());
    let shown = record(&["--show", "--own-modules"]);
    assert_eq!((shown.status, shown.err.as_str()), (0, ""));
    assert!(
        shown.out.starts_with("Modules of your own") && shown.out.contains(r#"    "win32""#),
        "{}",
        shown.out
    );
    assert!(!file.exists());
    let written = record(&["-o", &text(&file), "--own-modules"]);
    assert_eq!((written.status, written.err.as_str()), (0, ""));
    assert!(!unpacked(&file).contains("a plan that stays at home"));
    let replayed = report(&whydll(["check", "--format", "json", "--host", &text(&file), "--import", "own"]));
    assert_eq!(replayed.finding()["code"], "missing-dll");
}

/// A report in Markdown is made to be pasted somewhere.
#[test]
fn a_report_for_others_has_no_names() {
    let world = World::new(&HOME.replace("NAME", "ada_l")).unwrap();
    let python = text(&world.path("/Users/ada_l/python"));
    let about = ["--import", "pkg", "--host", &text(world.root()), "--python", &python];
    let told = |format: &str| whydll(["check", "--format", format].iter().chain(&about)).out;
    assert!(told("text").contains("ada_l"));
    let markdown = told("markdown");
    assert!(
        !markdown.replace('\\', "").contains("ada_l") && markdown.contains(r"C:\Users\user0\python"),
        "{markdown}"
    );
}

#[test]
fn users_keep_their_names_if_that_is_wanted() {
    for name in NAMES {
        let (direct, replayed, recorded) = home(name, &["--keep-names"]);
        assert_eq!(replayed, direct);
        assert!(recorded.contains(&format!(r"C:\\Users\\{name}\\python")));
    }
}

/// As a home that an administrator put somewhere else.
#[cfg(unix)]
#[test]
fn a_home_that_lies_elsewhere_is_known() {
    let world = World::new(&HOME.replace("/Users/NAME", "/people/Anna")).unwrap();
    let file = world.root().join("recorded");
    let mut recording = command();
    recording.env("HOME", world.path("/people/Anna"));
    recording.args(["snapshot", "--host", "windows-11", "--import", "pkg", "-o"]).arg(&file);
    recording.arg("--python").arg(world.path("/people/Anna/python"));
    let answered = answer(recording);
    let told = format!(
        "{} records `import pkg`; names of users and servers are replaced (--keep-names keeps them)\n",
        file.display()
    );
    assert_eq!((answered.status, answered.out.as_str(), answered.err.as_str()), (0, told.as_str(), ""));
    let replayed = whydll(["check", "--host", &text(&file), "--import", "pkg"]);
    assert!(replayed.out.contains("/people/user/python"), "{replayed:?}");
    assert!(!unpacked(&file).contains("Anna"));
}

#[test]
fn a_replay_reads_the_record_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recorded");
    record("openblas-deleted", "drive-with", &file);
    // The same machine under a name that does not exist here.
    let moved = unpacked(&file).replace(&text(&real("")), "/there/is/no/such/folder/");
    fs::write(&file, moved).unwrap();
    let report = report(&whydll(["check", "--format", "json", "--host", &text(&file)]));
    assert_eq!(report.finding()["code"], "damaged-install");
    assert!(report.finding()["chain"][0].as_str().unwrap().starts_with("/there/is/no/such/folder/"));
}

const ACME: &str = "
PLAN = 'Project Nightingale, ends in May '.strip()
SERVERS = ['https://intranet.acme/a', 'https://intranet.acme/b']
if any(server.startswith('http:') for server in SERVERS) or len(PLAN) > 100:
    print(PLAN)
";

#[test]
fn a_snapshot_tells_nothing_else() {
    let original = real("complete");
    // Beside it, so that the files can be shared.
    let folder = tempfile::tempdir_in(original.parent().unwrap()).unwrap();
    let environment = folder.path().join("environment");
    link_tree(&original, &environment);
    // A company's package, which looks into texts and decides nothing. With TensorFlow there is no time for trying each text.
    let packages = environment.join("Lib/site-packages");
    fs::create_dir(packages.join("acme")).unwrap();
    fs::write(packages.join("acme/__init__.py"), ACME).unwrap();
    fs::write(packages.join("sitecustomize.py"), "import acme\n").unwrap();
    let file = folder.path().join("recorded");
    record(&text(&environment), "windows-11+vcredist", &file);
    let recorded = unpacked(&file);
    assert!(recorded.contains("acme"));
    let told = [
        ("a comment or docstring of the source", "Licensed under the Apache License"),
        ("the description in METADATA", "TensorFlow is an open source software library"),
        ("a hash from RECORD", "sha256="),
        ("a folder beside the environment", "openblas-deleted"),
        ("a company's address", "intranet.acme"),
        ("a company's plan", "Project Nightingale"),
    ];
    let told: Vec<&str> =
        told.iter().filter(|(_, text)| recorded.contains(text)).map(|(what, _)| *what).collect();
    assert!(told.is_empty(), "it tells {}", told.join(", "));
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    XzReader::new(fs::File::open(file).unwrap(), false).read_to_string(&mut text).unwrap();
    text
}
