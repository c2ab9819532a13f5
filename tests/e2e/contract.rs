//! The JSON of `check`, schema 1, on which other programs rely.

use serde_json::{Value, json};

use crate::Report;

/// A name stands for a value of that type, with `?` if it may be null, and with `-` if it may also
/// be absent; `a|b` for one of these words; a list for a list of such values. More fields may be
/// added at any time.
fn shape() -> Value {
    let position = json!({ "line": "number", "character": "number" });
    json!({
        "schema": "number",
        "environment": {
            "interpreter": "text", "version": "text", "freeThreaded": "flag", "machine": "x86|x86_64|arm64",
            "kind": "text", "prefix": "text", "basePrefix": "text", "sitePackages": ["text"],
        },
        "host": {
            "kind": "text", "windows": "text?",
            "vcRuntimes": [{ "machine": "text", "version": "text", "path": "text" }],
        },
        "health": "healthy|degraded|broken|unknown",
        "packages": [{ "import": "text", "distribution": "text?", "version": "text?", "path": "text?" }],
        "findings": [{
            "code": "text", "severity": "error|warning|information|hint", "message": "text", "package": "text",
            "file-": "text", "cell-": "number", "range-": { "start": position, "end": position },
            "dll": "text?", "dlls": ["text"], "chain": ["text"], "searched": ["text"],
            "winError": "number?", "pythonError": "text?",
            "fixes": [{ "title": "text", "kind": "run|open|edit|rename|setting|steps", "value": "text", "preferred": "flag" }],
        }],
        "notes-": [{ "code": "text", "severity": "hint", "message": "text", "package": "text" }],
    })
}

/// Panics if a report breaks the contract.
pub fn check(report: &Report) {
    let Report { status, json } = report;
    let mut faults = Vec::new();
    compare(json, &shape(), "", &mut faults);
    assert!(faults.is_empty(), "{}\n{json:#}", faults.join("\n"));

    assert_eq!(json["schema"], 1);
    let severe = |severity| report.findings().iter().any(|finding| finding["severity"] == severity);
    let health = match (severe("error"), severe("warning")) {
        (true, _) => "broken",
        (false, true) => "degraded",
        (false, false) => "healthy",
    };
    assert_eq!(report.health(), health);
    assert_eq!(*status, i32::from(severe("error")), "the exit status says whether an import fails");
    for finding in report.findings() {
        let fixes = finding["fixes"].as_array().expect("its shape was compared");
        let cures = fixes.iter().any(|fix| fix["outcome"] == "cures");
        let is_right = |(at, fix): (usize, &Value)| (fix["preferred"] == true) == (cures && at == 0);
        assert!(
            fixes.iter().enumerate().all(is_right),
            "the first one is preferred if one cures: {finding:#}"
        );
        assert_eq!(finding["dll"], finding["dlls"][0], "`dll` is the first of `dlls`");
        assert_eq!(finding.get("file").is_some(), finding.get("range").is_some());
    }
}

fn compare(value: &Value, shape: &Value, at: &str, faults: &mut Vec<String>) {
    match (shape, value) {
        (Value::Object(shape), Value::Object(fields)) => {
            for (name, inner) in shape {
                let field = name.trim_end_matches('-');
                match fields.get(field) {
                    Some(value) => compare(value, inner, &format!("{at}.{field}"), faults),
                    None if name.ends_with('-') => {}
                    None => faults.push(format!("{at}.{field} is absent")),
                }
            }
        }
        (Value::Array(shape), Value::Array(items)) => {
            for (number, item) in items.iter().enumerate() {
                compare(item, &shape[0], &format!("{at}[{number}]"), faults);
            }
        }
        (Value::String(kind), value) if is(value, kind) => {}
        _ => faults.push(format!("{at} is {value}, not {shape}")),
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind.strip_suffix('?') {
        Some(kind) => value.is_null() || is(value, kind),
        None => match kind {
            "text" => value.as_str().is_some_and(|text| !text.is_empty()),
            "number" => value.is_u64(),
            "flag" => value.is_boolean(),
            words => value.as_str().is_some_and(|text| words.split('|').any(|word| word == text)),
        },
    }
}
