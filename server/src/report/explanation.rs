//! The explanation of a traceback: first what it says in plain words, then a check of its import,
//! and finally why the two may differ.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::markdown::{code, escaped, fenced};
use super::{Report, check_markdown, check_text, json};
use crate::diagnosis::Severity;
use crate::traceback::{Reported, Traceback, TracebackFailure, WinError, reported};
use crate::visible::{visible, visible_lines};

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
        if let Some(reported) = self.reported() {
            let _ = writeln!(out, "\n  {BLUE}what to do{BLUE:#}\n    {}", reported.remedy);
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
        if let Some(reported) = self.reported() {
            let _ = writeln!(out, "\n**What to do**\n\n{}", escaped(reported.remedy));
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
        if let Some(reported) = self.reported() {
            let _ = writeln!(out, "\n**What to do**\n\n{}", escaped(reported.remedy));
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

    fn reported(&self) -> Option<&'static Reported> {
        self.traceback.win_error.and_then(|error| reported(error.code))
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
                differs: self.notes(report),
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
            sentences.push(match (meaning(*code), reported(*code)) {
                (Some(meaning), _) => format!("Windows error {code}{source}: {meaning}."),
                (None, Some(Reported { symbol, meaning, .. })) => format!(
                    "Windows error {code} ({symbol}){source}: {meaning}. A check of the files can't predict \
                     this error."
                ),
                (None, None) => format!("Windows error {code}{source}."),
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
        let errors = report.findings.iter().map(|located| &located.finding);
        let errors: Vec<_> = errors.filter(|finding| finding.severity == Severity::Error).collect();
        if errors.is_empty() {
            let import = self.import.unwrap_or_default();
            notes.push(match self.reported() {
                Some(_) => format!(
                    "Nothing in the files makes `import {import}` fail: the cause that Windows reports is \
                     outside of them."
                ),
                None => format!(
                    "Nothing was found that makes `import {import}` fail: the problem may have been fixed \
                     since."
                ),
            });
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
        let found: Vec<u32> = errors.iter().filter_map(|finding| finding.win_error).collect();
        if let (Some(WinError { code, .. }), Some(first)) = (self.traceback.win_error, found.first())
            && !found.contains(&code)
        {
            notes.push(format!(
                "The traceback reports Windows error {code}, but the check predicts {first}: something may \
                 have changed since."
            ));
        }
        notes
    }
}

/// Returns what a code means when a DLL is loaded.
fn meaning(code: u32) -> Option<&'static str> {
    Some(match code {
        5 => "access to a file was denied",
        126 => "a file was not found, usually a DLL that another DLL needs",
        127 => {
            "a DLL lacks a function that another DLL imports: it is the wrong version, or another DLL with \
             the same name"
        }
        182 => {
            "a DLL lacks a function that another DLL imports by number: it is another DLL with the same name"
        }
        193 => "a file is damaged, or built for another architecture (32-bit, ARM64)",
        206 => "a path is too long",
        1114 => "a DLL was found, but failed to initialize",
        _ => return None,
    })
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
