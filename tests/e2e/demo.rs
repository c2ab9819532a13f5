//! `whydll demo`, which new users run first, on any system.

use end_to_end::{report, strings, whydll};

#[test]
fn the_demo_shows_the_main_job() {
    let answer = whydll(["demo"]);
    assert_eq!((answer.status, answer.err.as_str()), (1, ""));
    let parts = [
        "error[missing-vc-runtime]",
        "--> train.py:3:8",
        "import tensorflow as tf\n",
        "^^^^^^^^^^\n",
        "how we know",
        "chain",
        "searched for msvcp140.dll in",
        r"C:\Windows\System32",
        "Python says",
        "ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'.",
        "what to do",
        "https://aka.ms/vc14/vc_redist.x64.exe",
        "broken: 1 error",
    ];
    let mut rest = answer.out.as_str();
    for part in parts {
        let at = rest
            .find(part)
            .unwrap_or_else(|| panic!("{part:?} is not where it should be in\n{}", answer.out));
        rest = &rest[at..];
    }
}

#[test]
fn the_import_is_underlined() {
    let out = whydll(["demo"]).out;
    let lines: Vec<&str> = out.lines().collect();
    let at = lines.iter().position(|line| line.contains("import tensorflow as tf")).unwrap();
    assert_eq!(
        lines[at].find("tensorflow"),
        lines[at + 1].find("^^^^^^^^^^"),
        "{}\n{}",
        lines[at],
        lines[at + 1]
    );
}

#[test]
fn the_demo_prints_the_same_each_time() {
    assert_eq!(whydll(["demo"]).out, whydll(["demo"]).out);
    let json = || whydll(["demo", "--format", "json"]);
    let [first, second] = [json(), json()];
    assert_eq!(first.out, second.out);
    let report = report(&first);
    let finding = report.finding();
    assert_eq!(finding["code"], "missing-vc-runtime");
    assert_eq!(strings(&finding["dlls"]), ["msvcp140.dll", "msvcp140_1.dll"]);
    assert_eq!(finding["file"], "train.py");
}

/// Nothing of the machine it runs on shows.
#[test]
fn the_demo_is_about_a_windows_machine() {
    for format in ["text", "json"] {
        let out = whydll(["demo", "--format", format]).out;
        for foreign in ["/work", "/home", "/root", "/tmp", "Lib/site-packages"] {
            assert!(!out.contains(foreign), "{foreign} is in\n{out}");
        }
        assert!(out.contains(r"C:\") || out.contains(r"C:\\"), "{out}");
    }
}
