//! `whydll.predict` and `whydll.compare`: what will happen when a package is imported, and what did. The editor runs the interpreter in
//! between, since only it knows whether the user trusts the folder.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;
use tower_lsp::lsp_types::Url;

use super::chain::package_of;
use crate::diagnosis::{Finding, Import, Severity};
use crate::lsp::inquiry::text_in;
use crate::lsp::session::{Outlook, Session};
use crate::report::markdown::{code, escaped, fenced};
use crate::source::top_level;

/// What will happen. `whydll.predict [{ scopeUri, package }]`
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prediction {
    /// Full path of the `python.exe` to run.
    pub interpreter: String,
    /// What to import.
    pub package: String,
    /// Whether that will fail.
    pub fails: bool,
    /// In a sentence.
    pub summary: String,
}

/// Without a package, of the one that is worst off.
pub fn prediction(
    session: &Session,
    scope: Option<&Url>,
    package: Option<&str>,
) -> Result<Prediction, String> {
    let outlook = session.outlook(scope);
    let answer = outlook.answer.ok_or("the environment is still being checked")?;
    let examined = answer.environment.as_ref().map_err(|reason| reason.reason.clone())?;
    let package = package_of(&outlook, package.map(str::to_owned))?;
    let failure = failure(&outlook, &package);
    Ok(Prediction {
        interpreter: examined.interpreter.clone(),
        fails: failure.is_some(),
        summary: failure.map_or_else(|| format!("`import {package}` works."), |finding| finding.what.clone()),
        package,
    })
}

/// The finding by which the import of a package fails.
fn failure<'a>(outlook: &Outlook<'a>, package: &str) -> Option<&'a Finding> {
    let answer = outlook.answer?;
    let alone = answer.diagnosis(&Import::first(package));
    // Of what is imported only in documents: as it is there.
    let imported = || {
        let known = answer.diagnoses.iter().find(|(import, _)| top_level(&import.name) == package);
        known.map(|(_, diagnosis)| diagnosis)
    };
    let findings = &alone.or_else(imported)?.findings;
    findings.iter().find(|finding| finding.severity == Severity::Error)
}

/// What the interpreter did. `whydll.compare [{ scopeUri, package, exitCode, output }]`; `exitCode` is null if it did not end in time.
pub struct Seen {
    exit_code: Option<i64>,
    output: String,
}

impl Seen {
    /// As the editor tells it.
    pub fn of(argument: Option<&Value>) -> Seen {
        Seen {
            exit_code: argument.and_then(|argument| argument.get("exitCode")?.as_i64()),
            output: text_in(argument, "output").unwrap_or_default().to_owned(),
        }
    }

    fn failed(&self) -> Option<bool> {
        self.exit_code.map(|code| code != 0)
    }

    fn told(&self) -> String {
        match self.exit_code {
            None => "Python did not end in time, and was stopped.".to_owned(),
            Some(0) => "The import worked.".to_owned(),
            Some(1) => "The import failed.".to_owned(),
            // A program that Windows ends has an NTSTATUS as its code; some tell it as a negative number.
            Some(code @ (..=-1 | 0x8000_0000..)) => {
                format!("Python crashed: Windows ended it with {:#010X}.", code as u32)
            }
            Some(code) => format!("Python ended with exit code {code}."),
        }
    }
}

/// Whether it went as predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// None if it is not known how the import ended.
    pub agrees: Option<bool>,
    /// For people, in Markdown.
    pub markdown: String,
}

/// Holds the one against the other.
pub fn comparison(prediction: &Prediction, seen: &Seen) -> Comparison {
    let agrees = seen.failed().map(|failed| failed == prediction.fails);
    let statement = code(&format!("import {}", prediction.package));
    let title = match agrees {
        Some(true) if prediction.fails => format!("Confirmed: {statement} fails as predicted"),
        Some(true) => format!("Confirmed: {statement} works as predicted"),
        Some(false) if prediction.fails => {
            format!("Not confirmed: {statement} works, and WhyDLL said that it fails")
        }
        Some(false) => format!("Not confirmed: {statement} fails, and WhyDLL said that it works"),
        None => format!("Not known: {statement} did not end"),
    };
    let mut markdown = format!("# {title}\n\n");
    let _ = writeln!(markdown, "**Predicted.** {}\n", escaped(&prediction.summary));
    let _ =
        writeln!(markdown, "**Seen.** {} It was run with {}.", seen.told(), code(&prediction.interpreter));
    let output = last_lines(seen.output.trim_end());
    if !output.is_empty() {
        let _ = writeln!(markdown, "\n{}", fenced(&output));
    }
    if agrees == Some(false) {
        let _ = writeln!(
            markdown,
            "\nOne of the two is mistaken. Variables of the terminal such as PATH may differ from those of the editor; if they do \
             not, please report it with *WhyDLL: Copy Report*."
        );
    }
    Comparison { agrees, markdown }
}

/// The end of what Python printed: what went wrong stands there.
fn last_lines(output: &str) -> String {
    const MOST: usize = 60;
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(MOST);
    let cut = if from > 0 { "…\n" } else { "" };
    format!("{cut}{}", lines.get(from..).unwrap_or_default().join("\n"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(fails: bool, seen: Value, expected: Expect) {
        let prediction = Prediction {
            interpreter: r"C:\Python\python.exe".to_owned(),
            package: "tensorflow".to_owned(),
            fails,
            summary: "msvcp140.dll is missing.".to_owned(),
        };
        let comparison = comparison(&prediction, &Seen::of(Some(&seen)));
        expected.assert_eq(&format!("{:?}\n{}", comparison.agrees, comparison.markdown));
    }

    #[test]
    fn a_failure_that_was_predicted() {
        let output = "Traceback:\r\nImportError: DLL load failed\r\n";
        check(
            true,
            json!({ "exitCode": 1, "output": output }),
            expect![[r#"
            Some(true)
            # Confirmed: `import tensorflow` fails as predicted

            **Predicted.** msvcp140.dll is missing.

            **Seen.** The import failed. It was run with `C:\Python\python.exe`.

            ```text
            Traceback:
            ImportError: DLL load failed
            ```
        "#]],
        );
    }

    #[test]
    fn a_crash_that_was_not() {
        check(
            false,
            json!({ "exitCode": 0xC000_0005_u32, "output": "``` in it" }),
            expect![[r#"
            Some(false)
            # Not confirmed: `import tensorflow` fails, and WhyDLL said that it works

            **Predicted.** msvcp140.dll is missing.

            **Seen.** Python crashed: Windows ended it with 0xC0000005. It was run with `C:\Python\python.exe`.

            ````text
            ``` in it
            ````

            One of the two is mistaken. Variables of the terminal such as PATH may differ from those of the editor; if they do not, please report it with *WhyDLL: Copy Report*.
        "#]],
        );
        check(
            false,
            json!({ "exitCode": -1_073_741_819 }),
            expect![[r#"
            Some(false)
            # Not confirmed: `import tensorflow` fails, and WhyDLL said that it works

            **Predicted.** msvcp140.dll is missing.

            **Seen.** Python crashed: Windows ended it with 0xC0000005. It was run with `C:\Python\python.exe`.

            One of the two is mistaken. Variables of the terminal such as PATH may differ from those of the editor; if they do not, please report it with *WhyDLL: Copy Report*.
        "#]],
        );
    }

    #[test]
    fn a_run_without_end() {
        check(
            true,
            json!({ "exitCode": null, "output": "" }),
            expect![[r#"
            None
            # Not known: `import tensorflow` did not end

            **Predicted.** msvcp140.dll is missing.

            **Seen.** Python did not end in time, and was stopped. It was run with `C:\Python\python.exe`.
        "#]],
        );
    }
}
