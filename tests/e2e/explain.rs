//! `whydll explain`: reads a traceback, and diagnoses the import that failed where it failed.

use std::fs::{self, File};

use end_to_end::{Answer, Report, answer_to, command, on, real, report, strings, text, whydll};
use tempfile::NamedTempFile;

const LAST_LINE: &str = "ImportError: DLL load failed while importing _pywrap_tensorflow_internal: Das angegebene Modul wurde nicht gefunden.";

/// The output of Python in a real environment.
fn traceback(environment: &str, last: &str) -> String {
    let packages = text(&real(environment).join("Lib/site-packages"));
    format!(
        "Traceback (most recent call last):\n  File \"train.py\", line 3, in <module>\n    from tensorflow import keras\n  \
         File \"{packages}/tensorflow/__init__.py\", line 41, in <module>\n    from tensorflow.python import x\n{last}\n"
    )
}

fn explained(input: &[u8], options: &[&str]) -> Answer {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), input).unwrap();
    let mut command = command();
    command.arg("explain").args(options);
    answer_to(command, File::open(file.path()).unwrap())
}

fn in_json(input: &[u8], options: &[&str]) -> Report {
    report(&explained(input, &[&["--format", "json"], options].concat()))
}

#[test]
#[ignore = "needs tests/real/setup"]
fn the_traceback_gives_environment_and_import() {
    let report = in_json(traceback("complete", LAST_LINE).as_bytes(), &["--host", "windows-11"]);
    assert_eq!(report.status, 1);
    assert_eq!(report.json["environment"]["prefix"], text(&real("complete")));
    assert_eq!(report.finding()["code"], "missing-vc-runtime");
    let traceback_json = &report.json["traceback"];
    assert_eq!(traceback_json["exception"], "ImportError");
    assert_eq!(traceback_json["import"], "tensorflow");
    assert_eq!((&traceback_json["file"], &traceback_json["line"]), (&"train.py".into(), &3.into()));
    assert_eq!(traceback_json["module"], "_pywrap_tensorflow_internal");
    assert_eq!(traceback_json["winError"], 126);
    assert_eq!(traceback_json["environment"], text(&real("complete")));
    assert_eq!(strings(&traceback_json["differs"]), [""; 0]);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn the_encoding_of_powershell_is_read() {
    let lines = traceback("complete", LAST_LINE).replace('\n', "\r\n");
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(lines.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let report = in_json(&utf16, &["--host", "windows-11"]);
    assert_eq!(report.finding()["code"], "missing-vc-runtime");
    assert_eq!(report.json["traceback"]["winError"], 126);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_problem_that_is_fixed_is_reported_as_such() {
    let answer = explained(traceback("complete", LAST_LINE).as_bytes(), &["--host", "windows-11+vcredist"]);
    assert_eq!(answer.status, 0);
    assert!(answer.out.starts_with(LAST_LINE), "{}", answer.out);
    for words in [
        "Windows error 126, inferred from the message: ",
        "healthy: `import tensorflow` works",
        "the problem may have been fixed since",
    ] {
        assert!(answer.out.contains(words), "{words} in {}", answer.out);
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_module_s_name_is_enough_where_the_environment_is_named() {
    for (module, import) in [("_multiarray_umath", "numpy"), ("_pywrap_tensorflow_internal", "tensorflow")] {
        let input = format!("ImportError: DLL load failed while importing {module}: ?\n");
        let report = in_json(input.as_bytes(), &on("complete", "windows-11").each_ref().map(String::as_str));
        assert_eq!(report.json["traceback"]["import"], import);
        assert_eq!(report.json["packages"][0]["import"], import);
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn an_environment_that_does_not_exist_is_reported() {
    let elsewhere = traceback("complete", LAST_LINE).replace(&text(&real("complete")), r"Q:\nowhere\env");
    let python = text(&real("complete"));
    let report = in_json(elsewhere.as_bytes(), &["--host", "windows-11", "--python", &python]);
    assert_eq!(report.status, 1);
    let differs = strings(&report.json["traceback"]["differs"]).concat();
    assert!(differs.contains(r"Q:\nowhere\env") && differs.contains(&python), "{differs}");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_failure_that_differs_from_todays_is_reported() {
    let input = traceback("complete", "OSError: [WinError 193] %1 n'est pas une application Win32 valide");
    let report = in_json(input.as_bytes(), &["--host", "windows-11"]);
    let differs = strings(&report.json["traceback"]["differs"]).concat();
    assert!(differs.contains("Windows error 193") && differs.contains("predicts 126"), "{differs}");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_file_is_read_and_markdown_written() {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), traceback("complete", LAST_LINE)).unwrap();
    let answer = whydll(["explain", &text(file.path()), "--host", "windows-11", "--format", "markdown"]);
    assert_eq!(answer.status, 1);
    assert!(
        answer.out.starts_with("# What the traceback says\n\n```text\nImportError: DLL load failed"),
        "{}",
        answer.out
    );
    assert!(answer.out.contains("\n# tensorflow: 2 DLLs missing\n"), "{}", answer.out);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn input_without_a_traceback_is_refused_in_one_line() {
    let python = text(&real("complete"));
    for (input, words) in [
        (&b""[..], "no traceback found"),
        (
            b"Traceback (most recent call last):\nValueError: no\n",
            "not a failed import: the exception is ValueError",
        ),
        (b"ImportError: DLL load failed: ?\n", "name the package with --import"),
        (&[0xa7; 5000], "no traceback found"),
    ] {
        let refused = explained(input, &["--host", "windows-11", "--python", &python]);
        assert_eq!((refused.status, refused.out.as_str()), (2, ""), "{refused:?}");
        assert!(
            refused.err.starts_with("whydll: standard input: ") && refused.err.contains(words),
            "{refused:?}"
        );
        assert_eq!(refused.err.lines().count(), 1, "{refused:?}");
    }
    let named = explained(
        b"ImportError: DLL load failed: ?\n",
        &["--host", "windows-11", "--python", &python, "--import", "numpy"],
    );
    assert_eq!(named.status, 0, "{named:?}");
}
