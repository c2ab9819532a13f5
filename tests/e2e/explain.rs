//! `whydll explain`: a traceback is read, and the import that failed is diagnosed where it failed.

use std::fs::{self, File};

use end_to_end::{Answer, Report, answer_to, command, on, real, report, strings, text, whydll};
use tempfile::NamedTempFile;

const SAID: &str = "ImportError: DLL load failed while importing _pywrap_tensorflow_internal: Das angegebene Modul wurde nicht gefunden.";

/// What Python prints in a real environment.
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
fn the_traceback_tells_environment_and_import() {
    let report = in_json(traceback("complete", SAID).as_bytes(), &["--host", "windows-11"]);
    assert_eq!(report.status, 1);
    assert_eq!(report.json["environment"]["prefix"], text(&real("complete")));
    assert_eq!(report.finding()["code"], "missing-vc-runtime");
    let told = &report.json["traceback"];
    assert_eq!(told["exception"], "ImportError");
    assert_eq!(told["import"], "tensorflow");
    assert_eq!((&told["file"], &told["line"]), (&"train.py".into(), &3.into()));
    assert_eq!(told["module"], "_pywrap_tensorflow_internal");
    assert_eq!(told["winError"], 126);
    assert_eq!(told["environment"], text(&real("complete")));
    assert_eq!(strings(&told["differs"]), [""; 0]);
}

#[test]
fn what_windows_writes_is_read() {
    let lines = traceback("complete", SAID).replace('\n', "\r\n");
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(lines.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let report = in_json(&utf16, &["--host", "windows-11"]);
    assert_eq!(report.finding()["code"], "missing-vc-runtime");
    assert_eq!(report.json["traceback"]["winError"], 126);
}

#[test]
fn what_is_mended_is_told() {
    let answer = explained(traceback("complete", SAID).as_bytes(), &["--host", "windows-11+vcredist"]);
    assert_eq!(answer.status, 0);
    assert!(answer.out.starts_with(SAID), "{}", answer.out);
    for words in [
        "Windows error 126, by its words: ",
        "healthy: `import tensorflow` works",
        "it may have been fixed since",
    ] {
        assert!(answer.out.contains(words), "{words} in {}", answer.out);
    }
}

#[test]
fn a_module_s_name_is_enough_where_the_environment_is_named() {
    for (module, import) in [("_multiarray_umath", "numpy"), ("_pywrap_tensorflow_internal", "tensorflow")] {
        let said = format!("ImportError: DLL load failed while importing {module}: ?\n");
        let report = in_json(said.as_bytes(), &on("complete", "windows-11").each_ref().map(String::as_str));
        assert_eq!(report.json["traceback"]["import"], import);
        assert_eq!(report.json["packages"][0]["import"], import);
    }
}

#[test]
fn an_environment_that_is_not_here_is_told() {
    let elsewhere = traceback("complete", SAID).replace(&text(&real("complete")), r"Q:\nowhere\env");
    let python = text(&real("complete"));
    let report = in_json(elsewhere.as_bytes(), &["--host", "windows-11", "--python", &python]);
    assert_eq!(report.status, 1);
    let differs = strings(&report.json["traceback"]["differs"]).concat();
    assert!(differs.contains(r"Q:\nowhere\env") && differs.contains(&python), "{differs}");
}

#[test]
fn another_failure_than_the_one_of_today_is_told() {
    let said = traceback("complete", "OSError: [WinError 193] %1 n'est pas une application Win32 valide");
    let report = in_json(said.as_bytes(), &["--host", "windows-11"]);
    let differs = strings(&report.json["traceback"]["differs"]).concat();
    assert!(differs.contains("Windows error 193") && differs.contains("gives 126"), "{differs}");
}

#[test]
fn a_file_is_read_and_markdown_written() {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), traceback("complete", SAID)).unwrap();
    let told = whydll(["explain", &text(file.path()), "--host", "windows-11", "--format", "markdown"]);
    assert_eq!(told.status, 1);
    assert!(
        told.out.starts_with("# What the traceback says\n\n```text\nImportError: DLL load failed"),
        "{}",
        told.out
    );
    assert!(told.out.contains("\n# tensorflow: 2 DLLs missing\n"), "{}", told.out);
}

#[test]
fn what_says_nothing_is_refused_in_a_line() {
    let python = text(&real("complete"));
    for (input, words) in [
        (&b""[..], "there is no traceback in it"),
        (
            b"Traceback (most recent call last):\nValueError: no\n",
            "it is no failed import: what was raised is ValueError",
        ),
        (b"ImportError: DLL load failed: ?\n", "name its package with --import"),
        (&[0xa7; 5000], "there is no traceback in it"),
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
