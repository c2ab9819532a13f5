//! `whydll snapshot`: a recorded machine gets the same diagnosis as the machine itself.

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
    // The environments may be in the home of the user who runs the tests.
    arguments.push("--keep-names".to_owned());
    let answer = whydll(arguments);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
}

/// Returns the JSON of a check without the kind of its host, which is all that may differ in a
/// replay.
fn without_kind(mut report: Report) -> String {
    report.json["host"]["kind"] = Value::Null;
    report.json.to_string()
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_recorded_machine_gets_the_same_diagnosis() {
    let folder = tempfile::tempdir().unwrap();
    for (environment, machine) in RECORDED {
        let file = folder.path().join(environment);
        record(environment, machine, &file);
        let replayed = report(&whydll(["check", "--format", "json", "--host", &text(&file)]));
        assert_eq!(replayed.json["host"]["kind"], "snapshot");
        assert_eq!(
            without_kind(replayed),
            without_kind(check(environment, machine, &[])),
            "{environment} on {machine}"
        );
        // Small enough to be attached to an issue.
        let size = fs::metadata(&file).unwrap().len();
        assert!(size < 1_000_000, "{environment} on {machine}: {size} bytes");
    }
}

/// The packages that TensorFlow imports can be checked alone, and so can a missing one.
#[test]
#[ignore = "needs tests/real/setup"]
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
        // Packages that TensorFlow doesn't import are not recorded, and the replay says so.
        for report in [&mut replayed, &mut direct] {
            for package in report.json["packages"].as_array_mut().unwrap() {
                package["coverage"] = Value::Null;
            }
        }
        assert_eq!(without_kind(replayed), without_kind(direct), "{import}");
    }
}

/// A machine on which a user has everything in the home directory.
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

/// Returns the interpreter, the findings, and the JSON of a snapshot of [`HOME`] and of the machine
/// itself.
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
    (without_kind(direct), without_kind(replayed), unpacked(&file))
}

const NAMES: [&str; 6] = ["Anna", "Jürgen Müller", "李雷", "python", "lib", "O'Brien"];

/// A replay says the same as if the user really had the other name.
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
        // Two of them also have folders of that name.
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
fn own_modules_are_recorded_only_on_request() {
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
        shown.out.starts_with("Your own modules") && shown.out.contains(r#"    "win32""#),
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

/// A report in Markdown is made to be shared.
#[test]
fn a_report_to_share_has_no_names() {
    let world = World::new(&HOME.replace("NAME", "ada_l")).unwrap();
    let python = text(&world.path("/Users/ada_l/python"));
    let about = ["--import", "pkg", "--host", &text(world.root()), "--python", &python];
    let checked = |format: &str| whydll(["check", "--format", format].iter().chain(&about)).out;
    assert!(checked("text").contains("ada_l"));
    let markdown = checked("markdown");
    assert!(
        !markdown.replace('\\', "").contains("ada_l") && markdown.contains(r"C:\Users\user0\python"),
        "{markdown}"
    );
}

#[test]
fn users_keep_their_names_on_request() {
    for name in NAMES {
        let (direct, replayed, recorded) = home(name, &["--keep-names"]);
        assert_eq!(replayed, direct);
        assert!(recorded.contains(&format!(r"C:\\Users\\{name}\\python")));
    }
}

/// A home directory that an administrator moved.
#[cfg(unix)]
#[test]
fn a_home_in_another_place_is_recognized() {
    let world = World::new(&HOME.replace("/Users/NAME", "/people/Anna")).unwrap();
    let file = world.root().join("recorded");
    let mut recording = command();
    recording.env("HOME", world.path("/people/Anna"));
    recording.args(["snapshot", "--host", "windows-11", "--import", "pkg", "-o"]).arg(&file);
    recording.arg("--python").arg(world.path("/people/Anna/python"));
    let answered = answer(recording);
    let expected = format!(
        "{} records `import pkg`; names of users and servers are replaced (--keep-names keeps them)\n",
        file.display()
    );
    assert_eq!((answered.status, answered.out.as_str(), answered.err.as_str()), (0, expected.as_str(), ""));
    let replayed = whydll(["check", "--host", &text(&file), "--import", "pkg"]);
    assert!(replayed.out.contains("/people/user/python"), "{replayed:?}");
    assert!(!unpacked(&file).contains("Anna"));
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_replay_reads_only_the_record() {
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
#[ignore = "needs tests/real/setup"]
fn a_snapshot_contains_nothing_else() {
    let original = real("complete");
    // On the same disk, so that the files can be shared.
    let folder = tempfile::tempdir_in(original.parent().unwrap()).unwrap();
    let environment = folder.path().join("environment");
    link_tree(&original, &environment);
    // A company's package, which looks into strings and decides nothing. With TensorFlow there is no
    // time to try each string.
    let packages = environment.join("Lib/site-packages");
    fs::create_dir(packages.join("acme")).unwrap();
    fs::write(packages.join("acme/__init__.py"), ACME).unwrap();
    fs::write(packages.join("sitecustomize.py"), "import acme\n").unwrap();
    let file = folder.path().join("recorded");
    record(&text(&environment), "windows-11+vcredist", &file);
    let recorded = unpacked(&file);
    assert!(recorded.contains("acme"));
    let leaked = [
        ("a comment or docstring of the source", "Licensed under the Apache License"),
        ("the description in METADATA", "TensorFlow is an open source software library"),
        ("a hash from RECORD", "sha256="),
        ("a folder next to the environment", "openblas-deleted"),
        ("a company's address", "intranet.acme"),
        ("a company's plan", "Project Nightingale"),
    ];
    let leaked: Vec<&str> =
        leaked.iter().filter(|(_, text)| recorded.contains(text)).map(|(what, _)| *what).collect();
    assert!(leaked.is_empty(), "it contains {}", leaked.join(", "));
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    XzReader::new(fs::File::open(file).unwrap(), false).read_to_string(&mut text).unwrap();
    text
}
