//! The explanation of a traceback: first what it says in plain words, then a check of its import,
//! and finally why the two may differ.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::markdown::{code, escaped, fenced};
use super::{Report, check_markdown, check_text, json};
use crate::diagnosis::{Finding, Severity};
use crate::traceback::{Traceback, TracebackFailure, WinError};
use crate::visible::{visible, visible_lines};
use crate::win32::{Predictability, Win32Error};

/// The explanation of a traceback, without the check.
pub struct Explanation<'a> {
    /// The parsed traceback.
    pub traceback: &'a Traceback,
    /// The import that was checked; `None` if the traceback doesn't name one.
    pub import: Option<&'a str>,
    /// Whether the environment of the traceback is the one that was checked; `None` if the
    /// traceback doesn't name its environment.
    pub same_environment: Option<bool>,
}

const BOLD: Style = Style::new().bold();
const BLUE: Style = AnsiColor::Blue.on_default().bold();

impl Explanation<'_> {
    /// Renders the explanation for a terminal.
    pub fn text(&self, report: &Report<'_>) -> String {
        let quoted = self.quoted();
        let mut out = format!("{BOLD}{}{BOLD:#}\n\n", visible_lines(&quoted));
        let _ = writeln!(out, "  {BLUE}what the traceback says{BLUE:#}");
        for sentence in self.sentences() {
            let _ = writeln!(out, "    {}", visible(&sentence));
        }
        if let Some(remedy) = self.remedy(Some(report)) {
            let _ = writeln!(out, "\n  {BLUE}what to do{BLUE:#}\n    {remedy}");
        }
        if let Some(unrelated) = self.other_problem(report) {
            let _ = writeln!(out, "\n  {BLUE}what the check found{BLUE:#}\n    {unrelated}");
        }
        let _ = write!(out, "\n{}", check_text(report));
        let notes = self.notes(report);
        if !notes.is_empty() {
            let _ = writeln!(out, "\n  {BLUE}what may differ{BLUE:#}");
            for note in notes {
                let _ = writeln!(out, "    - {}", visible(&note));
            }
        }
        out
    }

    /// Renders the explanation as Markdown, for an editor or a bug report.
    pub fn markdown(&self, report: &Report<'_>) -> String {
        let mut out = self.opening();
        if let Some(remedy) = self.remedy(Some(report)) {
            let _ = writeln!(out, "\n**What to do**\n\n{}", escaped(remedy));
        }
        if let Some(unrelated) = self.other_problem(report) {
            let _ = writeln!(out, "\n**What the check found**\n\n{}", escaped(&unrelated));
        }
        let _ = write!(out, "\n{}", check_markdown(report));
        let notes = self.notes(report);
        if !notes.is_empty() {
            let _ = writeln!(out, "\n**What may differ**\n");
            for note in notes {
                let _ = writeln!(out, "- {}", escaped(&note));
            }
        }
        out
    }

    /// Renders the explanation as Markdown if no environment was checked. `reason` is a sentence
    /// that says why.
    pub fn markdown_alone(&self, reason: &str) -> String {
        let mut out = self.opening();
        let _ =
            writeln!(out, "\n**What was not checked**\n\nNo environment was checked: {}.", escaped(reason));
        if let Some(remedy) = self.remedy(None) {
            let _ = writeln!(out, "\n**What to do**\n\n{}", escaped(remedy));
        } else {
            out.push_str(
                "\n**What to do**\n\nSelect the Windows Python that the traceback comes from and explain it \
                 again, to find out which DLL is missing. Or run `whydll check` on the machine where the \
                 import failed.\n",
            );
        }
        out
    }

    /// Returns the beginning of the document: what the traceback says.
    fn opening(&self) -> String {
        let mut out = format!("# What the traceback says\n\n{}\n\n", fenced(&self.quoted()));
        for sentence in self.sentences() {
            let _ = writeln!(out, "- {}", escaped(&sentence));
        }
        out
    }

    /// Returns the reported error, if it is a known one.
    fn error(&self) -> Option<&'static Win32Error> {
        self.traceback.win_error.and_then(|error| Win32Error::of(error.code))
    }

    /// Whether the check predicts the reported error.
    fn is_predicted(&self, report: &Report<'_>) -> bool {
        let code = self.traceback.win_error.map(|error| error.code);
        errors(report).any(|finding| finding.win_error.is_some() && finding.win_error == code)
    }

    /// Returns what to do about the reported error, unless the check predicts it: then the finding
    /// has its cures.
    fn remedy(&self, report: Option<&Report<'_>>) -> Option<&'static str> {
        let error = self.error()?;
        if report.is_some_and(|report| self.is_predicted(report)) {
            return None;
        }
        error.remedy()
    }

    /// Returns a sentence that says that the check found another problem than the reported one, if
    /// the files can't show the reported one.
    fn other_problem(&self, report: &Report<'_>) -> Option<String> {
        let Win32Error { code, predictability, .. } = self.error()?;
        let is_in_files = *predictability == Predictability::Complete;
        if is_in_files || self.is_predicted(report) || errors(report).next().is_none() {
            return None;
        }
        Some(format!(
            "Another problem. It does not explain Windows error {code}, but makes the import fail as well."
        ))
    }

    /// Renders the JSON of a check, with an additional field for the traceback.
    pub fn json(&self, report: &Report<'_>) -> String {
        let Traceback { exception, message, failure, win_error, import, environment } = self.traceback;
        let at = import.as_ref().and_then(|import| import.at.as_ref());
        let (module, dlls) = match failure {
            TracebackFailure::Extension { module } => (module.as_deref(), &[][..]),
            TracebackFailure::NoModule { module } | TracebackFailure::Part { module } => {
                (Some(module.as_str()), &[][..])
            }
            TracebackFailure::Dlls { names } => (None, names.as_slice()),
            TracebackFailure::Other => (None, &[][..]),
        };
        json::check_json_with(
            report,
            Some(&JsonTraceback {
                exception: exception.as_deref(),
                message,
                import: self.import.unwrap_or_default(),
                file: at.map(|(file, _)| file.as_str()),
                line: at.and_then(|(_, line)| *line),
                module,
                dlls,
                win_error: win_error.map(|error| error.code),
                environment: environment.as_deref(),
                said: self.sentences(),
                differs: self.other_problem(report).into_iter().chain(self.notes(report)).collect(),
            }),
        )
    }

    fn quoted(&self) -> String {
        let message = &self.traceback.message;
        match &self.traceback.exception {
            Some(exception) => format!("{exception}: {message}"),
            None => message.clone(),
        }
    }

    /// Returns what the traceback says, in sentences.
    fn sentences(&self) -> Vec<String> {
        let Traceback { failure, win_error, import, environment, .. } = self.traceback;
        let mut sentences = Vec::new();
        let at = import.as_ref().and_then(|import| import.at.as_ref()).map(|(file, line)| match line {
            Some(line) => format!(" in {file}, line {line},"),
            None => format!(" in {file}"),
        });
        let import =
            self.import.map_or_else(|| "An import".to_owned(), |name| code(&format!("import {name}")));
        sentences.push(format!("{import}{} failed.", at.unwrap_or_default()));
        sentences.push(match failure {
            TracebackFailure::Extension { module: Some(module) } => {
                format!("Windows could not load the extension module {module}, or a DLL that it needs.")
            }
            TracebackFailure::Extension { module: None } => {
                "Windows could not load an extension module, or a DLL that it needs. The message doesn't say \
                 which one."
                    .to_owned()
            }
            TracebackFailure::Dlls { names } => match names.as_slice() {
                [] => "A DLL could not be loaded. The message doesn't say which one.".to_owned(),
                [name] => format!("{name}, or a DLL that it needs, could not be loaded."),
                names => format!("These DLLs could not be loaded: {}.", names.join(", ")),
            },
            TracebackFailure::NoModule { module } => format!("Python found no module named {module}."),
            TracebackFailure::Part { module } => {
                format!(
                    "{module} could not be loaded. The reason is further up in the traceback, if it is \
                     complete."
                )
            }
            TracebackFailure::Other => "This doesn't look like a DLL load failure.".to_owned(),
        });
        if let Some(WinError { code, printed }) = win_error {
            let source = if *printed { "" } else { ", inferred from the message" };
            sentences.push(match self.error() {
                Some(Win32Error { symbol, meaning, predictability, .. }) => match predictability {
                    Predictability::Complete => format!("Windows error {code}{source}: {meaning}."),
                    Predictability::Partial { .. } => format!(
                        "Windows error {code} ({symbol}){source}: {meaning}. A check of the files predicts \
                         some of its causes."
                    ),
                    Predictability::Impossible { .. } => format!(
                        "Windows error {code} ({symbol}){source}: {meaning}. A check of the files can't \
                         predict this error."
                    ),
                },
                None => format!(
                    "Windows error {code}. WhyDLL doesn't know this code; `net helpmsg {code}` prints its \
                     message."
                ),
            });
        }
        if let Some(environment) = environment {
            sentences.push(format!("It ran in {environment}."));
        }
        sentences
    }

    /// Returns the reasons why the check may differ from the traceback.
    fn notes(&self, report: &Report<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        let prefix = &report.environment.prefix;
        if self.same_environment == Some(false) {
            let theirs = self.traceback.environment.as_deref().unwrap_or_default();
            notes.push(format!(
                "The traceback comes from {theirs}, but {prefix} was checked, which may be another Python."
            ));
        }
        let mut found = errors(report).peekable();
        if found.peek().is_none() {
            let import = self.import.unwrap_or_default();
            let why = match (self.traceback.win_error, self.error().map(|error| error.predictability)) {
                (None, _) | (_, Some(Predictability::Complete)) => format!(
                    "Nothing was found that makes `import {import}` fail: the problem may have been fixed \
                     since."
                ),
                (_, Some(Predictability::Impossible { .. })) => format!(
                    "Nothing in the files makes `import {import}` fail: the cause that Windows reports is \
                     outside of them."
                ),
                (_, Some(Predictability::Partial { .. }) | None) => format!(
                    "Nothing was found that makes `import {import}` fail: its cause isn't visible in the \
                     files, or was fixed since."
                ),
            };
            notes.push(why);
            if self.same_environment.is_none() {
                notes.push(format!(
                    "The traceback doesn't say which Python it comes from: {prefix} was checked, which may \
                     be another one."
                ));
            }
            notes.push(
                "The process that failed may have had another PATH, other environment variables, another \
                 current directory, or other imports before this one."
                    .to_owned(),
            );
            return notes;
        }
        let predicted = found.find_map(|finding| finding.win_error);
        if let (Some(WinError { code, .. }), Some(first)) = (self.traceback.win_error, predicted)
            && !self.is_predicted(report)
            && self.other_problem(report).is_none()
        {
            notes.push(format!(
                "The traceback reports Windows error {code}, but the check predicts {first}: something may \
                 have changed since."
            ));
        }
        notes
    }
}

/// Returns the findings because of which the import fails.
fn errors<'a>(report: &'a Report<'_>) -> impl Iterator<Item = &'a Finding> {
    let findings = report.findings.iter().map(|located| &located.finding);
    findings.filter(|finding| finding.severity == Severity::Error)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonTraceback<'a> {
    exception: Option<&'a str>,
    message: &'a str,
    import: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    dlls: &'a [String],
    win_error: Option<u32>,
    environment: Option<&'a str>,
    said: Vec<String>,
    differs: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::Explanation;
    use crate::report::tests::{BROKEN, plain, reported};
    use crate::traceback;

    /// Explains the traceback of `import pkg` on a world: the terminal's text without the check.
    fn explained(world: &str, message: &str) -> String {
        let traceback = traceback::read(&format!("ImportError: DLL load failed{message}")).unwrap();
        let explanation =
            Explanation { traceback: &traceback, import: Some("pkg"), same_environment: Some(true) };
        let text = plain(&reported(world, None, |report| explanation.text(report)));
        let check = plain(&reported(world, None, super::check_text));
        assert!(text.contains(&check), "{text}");
        text.replace(&check, "THE CHECK\n")
    }

    fn assert_contains(text: &str, words: &[&str], absent: &[&str]) {
        for words in words {
            assert!(text.contains(words), "{words} is missing in\n{text}");
        }
        for words in absent {
            assert!(!text.contains(words), "{words} in\n{text}");
        }
    }

    const BLOCKED: &str = ": An Application Control policy has blocked this file.";

    #[test]
    fn a_finding_is_not_offered_as_the_cause_of_an_error_that_it_does_not_explain() {
        let text = explained(BROKEN, BLOCKED);
        let remedy = text.find("Smart App Control. It has no exceptions").unwrap();
        let lead = text.find("Another problem. It does not explain Windows error 4551").unwrap();
        assert!(remedy < lead && lead < text.find("THE CHECK").unwrap(), "{text}");
        assert_contains(&text, &["can't predict this error"], &["something may have changed since"]);
    }

    #[test]
    fn an_error_that_no_file_shows_is_explained_where_the_check_finds_nothing() {
        let healthy = BROKEN.replace(" imports cudart64_101.dll", "");
        assert_contains(
            &explained(&healthy, BLOCKED),
            &["Windows error 4551 (ERROR_SYSTEM_INTEGRITY_POLICY_VIOLATION)", "is outside of them"],
            &["Another problem", "fixed since"],
        );
        assert_contains(
            &explained(&healthy, ": A dynamic link library (DLL) initialization routine failed."),
            &["predicts some of its causes", "Visual C++ Redistributable", "isn't visible in the files"],
            &["Another problem"],
        );
        assert_contains(
            &explained(&healthy, " with error code 1392 while importing native"),
            &["Windows error 1392. WhyDLL doesn't know this code", "`net helpmsg 1392`"],
            &["what to do"],
        );
    }

    #[test]
    fn a_predicted_error_has_the_cures_of_the_finding_only() {
        assert_contains(
            &explained(BROKEN, ": The specified module could not be found."),
            &["Windows error 126, inferred from the message: a file was not found"],
            &["what to do", "Another problem", "something may have changed since"],
        );
        assert_contains(
            &explained(BROKEN, ": %1 is not a valid Win32 application."),
            &["The traceback reports Windows error 193, but the check predicts 126"],
            &["Another problem"],
        );
    }
}
