//! `whydll.predict` and `whydll.compare`: the predicted and the actual result of an import. In
//! between, the editor runs the interpreter, because only the editor knows whether the user trusts
//! the folder.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;
use tower_lsp::lsp_types::Url;

use super::chain::package_of;
use crate::diagnosis::{Finding, Import, Severity};
use crate::lsp::inquiry::string_in;
use crate::lsp::session::{ScopeView, Session};
use crate::report::markdown::{code, escaped, fenced};
use crate::source::top_level;

/// The answer of `whydll.predict [{ scopeUri, package }]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prediction {
    /// Full path of the `python.exe` to run.
    pub interpreter: String,
    /// The package to import.
    pub package: String,
    /// Whether the import will fail.
    pub fails: bool,
    /// The prediction, in one sentence.
    pub summary: String,
}

/// Predicts the import of a package, by default the one with the most severe finding.
pub fn prediction(
    session: &Session,
    scope: Option<&Url>,
    package: Option<&str>,
) -> Result<Prediction, String> {
    let scope = session.scope_view(scope);
    let answer = scope.answer.ok_or("the environment is still being checked")?;
    let examined = answer.environment.as_ref().map_err(|reason| reason.reason.clone())?;
    let package = package_of(&scope, package.map(str::to_owned))?;
    let failure = failure(&scope, &package);
    Ok(Prediction {
        interpreter: examined.interpreter.clone(),
        fails: failure.is_some(),
        summary: failure.map_or_else(|| format!("`import {package}` works."), |finding| finding.what.clone()),
        package,
    })
}

/// Returns the finding that makes the import of a package fail.
fn failure<'a>(scope: &ScopeView<'a>, package: &str) -> Option<&'a Finding> {
    let answer = scope.answer?;
    let alone = answer.diagnosis(&Import::first(package));
    // A package that only documents import has no diagnosis of its own.
    let imported = || {
        let known = answer.diagnoses.iter().find(|(import, _)| top_level(&import.name) == package);
        known.map(|(_, diagnosis)| diagnosis)
    };
    let findings = &alone.or_else(imported)?.findings;
    findings.iter().find(|finding| finding.severity == Severity::Error)
}

/// The actual result of an import: the arguments of
/// `whydll.compare [{ scopeUri, package, exitCode, output }]`. `exitCode` is `null` if the
/// interpreter didn't exit in time.
pub struct RunResult {
    exit_code: Option<i64>,
    output: String,
}

impl RunResult {
    /// Reads the result from the argument of the command.
    pub fn of(argument: Option<&Value>) -> RunResult {
        RunResult {
            exit_code: argument.and_then(|argument| argument.get("exitCode")?.as_i64()),
            output: string_in(argument, "output").unwrap_or_default().to_owned(),
        }
    }

    fn failed(&self) -> Option<bool> {
        self.exit_code.map(|code| code != 0)
    }

    fn description(&self) -> String {
        match self.exit_code {
            None => "Python didn't exit in time and was stopped.".to_owned(),
            Some(0) => "The import worked.".to_owned(),
            Some(1) => "The import failed.".to_owned(),
            // The exit code of a program that Windows terminates is an NTSTATUS, for some a negative number.
            Some(code @ (..=-1 | 0x8000_0000..)) => {
                format!("Python crashed: Windows terminated it with {:#010X}.", code as u32)
            }
            Some(code) => format!("Python exited with code {code}."),
        }
    }
}

/// The answer of `whydll.compare`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Whether the prediction was right; `None` if the result of the import is unknown.
    pub agrees: Option<bool>,
    /// The comparison for the user, in Markdown.
    pub markdown: String,
}

/// Compares the prediction with the actual result.
pub fn comparison(prediction: &Prediction, actual: &RunResult) -> Comparison {
    let agrees = actual.failed().map(|failed| failed == prediction.fails);
    let statement = code(&format!("import {}", prediction.package));
    let title = match agrees {
        Some(true) if prediction.fails => format!("Confirmed: {statement} fails as predicted"),
        Some(true) => format!("Confirmed: {statement} works as predicted"),
        Some(false) if prediction.fails => {
            format!("Not confirmed: {statement} works, but WhyDLL predicted that it fails")
        }
        Some(false) => format!("Not confirmed: {statement} fails, but WhyDLL predicted that it works"),
        None => format!("Unknown: {statement} didn't finish"),
    };
    let mut markdown = format!("# {title}\n\n");
    let _ = writeln!(markdown, "**Predicted.** {}\n", escaped(&prediction.summary));
    let _ = writeln!(
        markdown,
        "**Actual.** {} It was run with {}.",
        actual.description(),
        code(&prediction.interpreter)
    );
    let output = last_lines(actual.output.trim_end());
    if !output.is_empty() {
        let _ = writeln!(markdown, "\n{}", fenced(&output));
    }
    if agrees == Some(false) {
        let _ = writeln!(
            markdown,
            "\nOne of the two is wrong. Environment variables such as PATH may differ between the terminal \
             and the editor. If they don't, please report it with *WhyDLL: Copy Report*."
        );
    }
    Comparison { agrees, markdown }
}

/// Returns the end of Python's output, where the error is.
fn last_lines(output: &str) -> String {
    const MAX_LINES: usize = 60;
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(MAX_LINES);
    let cut = if from > 0 { "…\n" } else { "" };
    format!("{cut}{}", lines.get(from..).unwrap_or_default().join("\n"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(fails: bool, actual: Value, expected: Expect) {
        let prediction = Prediction {
            interpreter: r"C:\Python\python.exe".to_owned(),
            package: "tensorflow".to_owned(),
            fails,
            summary: "msvcp140.dll is missing.".to_owned(),
        };
        let comparison = comparison(&prediction, &RunResult::of(Some(&actual)));
        expected.assert_eq(&format!("{:?}\n{}", comparison.agrees, comparison.markdown));
    }

    #[test]
    fn a_predicted_failure_is_confirmed() {
        let output = "Traceback:\r\nImportError: DLL load failed\r\n";
        check(
            true,
            json!({ "exitCode": 1, "output": output }),
            expect![[r#"
                Some(true)
                # Confirmed: `import tensorflow` fails as predicted

                **Predicted.** msvcp140.dll is missing.

                **Actual.** The import failed. It was run with `C:\Python\python.exe`.

                ```text
                Traceback:
                ImportError: DLL load failed
                ```
            "#]],
        );
    }

    #[test]
    fn an_unpredicted_crash_is_not_confirmed() {
        check(
            false,
            json!({ "exitCode": 0xC000_0005_u32, "output": "``` in it" }),
            expect![[r#"
                Some(false)
                # Not confirmed: `import tensorflow` fails, but WhyDLL predicted that it works

                **Predicted.** msvcp140.dll is missing.

                **Actual.** Python crashed: Windows terminated it with 0xC0000005. It was run with `C:\Python\python.exe`.

                ````text
                ``` in it
                ````

                One of the two is wrong. Environment variables such as PATH may differ between the terminal and the editor. If they don't, please report it with *WhyDLL: Copy Report*.
            "#]],
        );
        check(
            false,
            json!({ "exitCode": -1_073_741_819 }),
            expect![[r#"
                Some(false)
                # Not confirmed: `import tensorflow` fails, but WhyDLL predicted that it works

                **Predicted.** msvcp140.dll is missing.

                **Actual.** Python crashed: Windows terminated it with 0xC0000005. It was run with `C:\Python\python.exe`.

                One of the two is wrong. Environment variables such as PATH may differ between the terminal and the editor. If they don't, please report it with *WhyDLL: Copy Report*.
            "#]],
        );
    }

    #[test]
    fn a_run_that_timed_out_is_unknown() {
        check(
            true,
            json!({ "exitCode": null, "output": "" }),
            expect![[r#"
                None
                # Unknown: `import tensorflow` didn't finish

                **Predicted.** msvcp140.dll is missing.

                **Actual.** Python didn't exit in time and was stopped. It was run with `C:\Python\python.exe`.
            "#]],
        );
    }
}
