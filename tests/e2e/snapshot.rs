//! `whydll snapshot`: a recorded machine is diagnosed like the machine itself.

use std::fs;
use std::io::Read;
use std::path::Path;

use end_to_end::{check, on, real, report, text, whydll};
use flate2::read::GzDecoder;
use serde_json::Value;

const RECORDED: [(&str, &str); 4] = [
    ("complete", "windows-11"),
    ("venv", "drive-with"),
    ("hdf5-deleted", "drive-with"),
    ("openblas-deleted", "windows-11+vcredist"),
];

fn record(environment: &str, machine: &str, file: &Path) {
    let mut arguments = vec!["snapshot".to_owned(), "-o".to_owned(), text(file)];
    arguments.extend(on(environment, machine));
    let answer = whydll(arguments);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
}

#[test]
fn a_recorded_machine_gets_the_same_diagnosis() {
    let folder = tempfile::tempdir().unwrap();
    for (environment, machine) in RECORDED {
        let file = folder.path().join(environment);
        record(environment, machine, &file);
        let mut replayed = report(&whydll(["check", "--format", "json", "--host", &text(&file)]));
        let mut direct = check(environment, machine, &[]);
        assert_eq!(replayed.json["host"]["kind"], "snapshot");
        for report in [&mut replayed, &mut direct] {
            report.json["host"]["kind"] = Value::Null;
        }
        assert_eq!(replayed.json.to_string(), direct.json.to_string(), "{environment} on {machine}");
    }
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

/// It is made to be attached to an issue.
#[test]
fn a_snapshot_is_small() {
    let folder = tempfile::tempdir().unwrap();
    for (environment, machine) in RECORDED {
        let file = folder.path().join(environment);
        record(environment, machine, &file);
        let size = fs::metadata(&file).unwrap().len();
        assert!(size < 1_000_000, "{environment} on {machine}: {size} bytes");
    }
}

#[test]
fn a_snapshot_tells_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recorded");
    record("complete", "windows-11+vcredist", &file);
    let recorded = unpacked(&file);
    let told = [
        ("a comment or docstring of the source", "Licensed under the Apache License"),
        ("the description in METADATA", "TensorFlow is an open source software library"),
        ("a hash from RECORD", "sha256="),
        ("a folder beside the environment", "openblas-deleted"),
    ];
    let told: Vec<&str> =
        told.iter().filter(|(_, text)| recorded.contains(text)).map(|(what, _)| *what).collect();
    assert!(told.is_empty(), "it tells {}", told.join(", "));
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}
