//! Compares WhyDLL's predictions with what a real Python did under Wine (`tests/real/truth.json`):
//! whether the import works, Python's message, the culprit, and the file that needed it.

use std::fs;
use std::path::Path;

use end_to_end::{Report, check, file_name, real, strings, text};
use serde_json::Value;

/// Wine's messages, and those of Windows.
const TEXTS: [(&str, &str); 2] = [
    ("Module not found.", "The specified module could not be found."),
    ("Bad EXE format for %1.", "%1 is not a valid Win32 application."),
];

/// A place that WhyDLL names and the traceback doesn't: TensorFlow catches the OSError of this
/// load, collects it, and raises an ImportError of its own four lines below.
const CAUGHT: &str = "tensorflow/python/platform/self_check.py:50";

#[test]
#[ignore = "needs tests/real/setup"]
fn whydll_predicts_what_python_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("real/truth.json");
    let rows: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert!(rows.len() >= 15, "rows are missing from the table");
    let differences: Vec<String> = rows.iter().flat_map(differences).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn differences(row: &Value) -> Vec<String> {
    let [environment, host] = ["environment", "host"].map(|field| row[field].as_str().unwrap());
    let folders = strings(&row["path"]).into_iter().map(|folder| text(&real(environment).join(folder)));
    let path = folders.collect::<Vec<_>>().join(";");
    let report = check(environment, &format!("drive-{host}"), &["--path", &path]);
    let mut differences = Vec::new();
    let mut same = |what: &str, predicted: String, truth: String| {
        if predicted != truth {
            differences.push(format!(
                "{environment} on {host}: {what}\n  predicted {predicted}\n  truth     {truth}"
            ));
        }
    };
    let imports = row["imports"] == true;
    same("whether it imports", (report.status == 0).to_string(), imports.to_string());
    same("the culprit", culprit(&report), row["culprit"].as_str().map(file_name).unwrap_or_default());
    let importer = row["trace"][0]["needed_by"].as_str().map(file_name).unwrap_or_default();
    same("who needs it", needed_by(&report), importer);
    if imports {
        return differences;
    }

    let traceback = as_windows_says(environment, row["traceback"].as_str().unwrap());
    let finding = report.finding();
    let python_error = finding["pythonError"].as_str().unwrap_or_default();
    let exception = row["exception"].as_str().unwrap();
    let class = python_error.split(':').next().unwrap_or_default();
    same("the exception", class.to_owned(), exception.to_owned());
    // The relevant line, without what TensorFlow or numpy wrap around it.
    let message = as_windows_says(environment, row["message"].as_str().unwrap());
    let line = python_error.lines().find(|line| line.ends_with(&message)).map(|_| message.clone());
    same("the message", line.unwrap_or_else(|| python_error.to_owned()), message);
    // Everything that is predicted about the last exception is in it, in this order.
    let mut real_lines = traceback.lines();
    let unsaid =
        python_error.lines().filter(|line| *line != "  …").find(|line| !real_lines.any(|real| real == *line));
    same("what else Python says", unsaid.unwrap_or_default().to_owned(), String::new());
    // The statements of the trace are those of the traceback.
    for related in finding["related"].as_array().unwrap() {
        let [file, line] = [related["file"].as_str().unwrap().to_owned(), related["line"].to_string()];
        let frame = format!("File \"{file}\", line {line},").to_lowercase();
        if !traceback.to_lowercase().contains(&frame) && !format!("{file}:{line}").ends_with(CAUGHT) {
            same("a frame of the traceback", frame, "none such".to_owned());
        }
    }
    differences
}

/// Translates Wine's message into Windows' words, with the paths that WhyDLL sees.
fn as_windows_says(environment: &str, wine: &str) -> String {
    let line = |line: &str| {
        let Some((before, path)) = line.split_once("<env>") else {
            return TEXTS.iter().fold(line.to_owned(), |line, (wine, windows)| line.replace(wine, windows));
        };
        format!("{before}{}{}", text(&real(environment)), path.replace('\\', "/"))
    };
    wine.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn culprit(report: &Report) -> String {
    let finding = report.findings().first();
    finding.and_then(|finding| finding["dll"].as_str()).map(file_name).unwrap_or_default()
}

/// Returns the last but one entry of the chain.
fn needed_by(report: &Report) -> String {
    let chain = report.findings().first().map(|finding| strings(&finding["chain"])).unwrap_or_default();
    chain.iter().rev().nth(1).map(|path| file_name(path)).unwrap_or_default()
}
