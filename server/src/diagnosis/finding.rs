//! A finding: one cause of failure, described for a reader who knows nothing about loaders.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::fix::Fix;
use super::severity::{Severity, SeveritySettings};
use crate::host::WinPath;
use crate::source::{Guard, ImportStatement, top_level};

/// One cause of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of cause.
    pub code: Code,
    /// What will happen at the import statement.
    pub severity: Severity,
    /// Nothing is known to fail because of it. It appears in reports only, not on the import
    /// statement.
    pub is_note: bool,
    /// The import fails, but the program catches the exception and continues.
    pub is_handled: bool,
    /// The dotted name of the diagnosed import.
    pub package: String,
    /// What is wrong, in one or two sentences.
    pub what: String,
    /// How we know.
    pub evidence: String,
    /// What to do, in one or more sentences.
    pub advice: String,
    /// A further precaution, whichever fix is chosen; empty for most findings.
    pub caution: String,
    /// The DLLs that cause the failure. The first one is the one that Windows reports.
    pub dlls: Vec<String>,
    /// The chain of dependencies from the module whose load fails to the first culprit.
    pub chain: Vec<ChainLink>,
    /// The directories in which the first culprit was searched, in order.
    pub searched: Vec<SearchedDirectory>,
    /// The Win32 error code, if Windows refuses a load.
    pub win_error: Option<u32>,
    /// The error message that Python prints.
    pub python_error: Option<String>,
    /// The statements in installed Python code that lead to the failure, innermost first.
    pub related: Vec<Related>,
    /// The copy of the first culprit that Windows uses because it is already loaded.
    pub winner: Option<Winner>,
    /// The fixes. The preferred one comes first, if one is known to cure.
    pub fixes: Vec<Fix>,
}

/// A copy of a DLL that Windows uses because it is already loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Winner {
    /// Full path of its file.
    pub path: WinPath,
    /// What to do if the import fails in every order of imports, as a sentence.
    pub advice_if_both_orders_fail: String,
}

/// The words with which a finding states that the program itself doesn't compile.
pub(super) const DOES_NOT_RUN: &str = "This code does not run";

/// The words with which a finding states that an import fails.
pub(super) const FAILS: &str = "will fail";
/// Replaces [`FAILS`] for a lazy import that is never used.
const FAILS_UNUSED: &str = "would fail, and nothing here uses it";
/// Replaces [`FAILS`] if the program handles the exception.
pub const FAILS_AND_IS_HANDLED: &str = "fails, and the program handles it";

/// The maximum length of a message's first sentence, in characters. Lists show no more.
const LONGEST_HEADLINE: usize = 120;

impl Finding {
    /// Returns what is wrong, in one sentence of at most 120 characters.
    pub fn headline(&self) -> String {
        let first = self.first_sentence();
        if first.chars().count() <= LONGEST_HEADLINE {
            return first.to_owned();
        }
        let becomes = match (self.severity, self.is_handled) {
            (_, true) => FAILS_AND_IS_HANDLED,
            (Severity::Error, _) => FAILS,
            _ => "uses something broken",
        };
        let text = format!("`import {}` {becomes}: {}.", top_level(&self.package), self.matter());
        match text.char_indices().nth(LONGEST_HEADLINE - 1) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }

    /// Returns what is wrong, how we know, and what to do, in that order and on separate lines.
    pub fn message(&self) -> String {
        let headline = self.headline();
        let rest = match self.what.strip_prefix(&headline) {
            Some(rest) => rest.trim(),
            None => self.what.as_str(),
        };
        let joined = |parts: [&str; 2]| parts.map(str::trim).join(" ").trim().to_owned();
        let lines = [headline, joined([rest, &self.evidence]), joined([&self.advice, &self.caution])];
        lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Returns a text for the status bar: `tensorflow: 2 DLLs missing`.
    pub fn brief(&self) -> String {
        format!("{}: {}", top_level(&self.package), self.matter())
    }

    /// Returns the finding in a few words: `2 DLLs missing`.
    fn matter(&self) -> String {
        let dll = self.dlls.first().map_or("a DLL", |dll| file_name(dll));
        match self.code {
            Code::MissingVcRuntime | Code::MissingDll | Code::MissingGpuLibrary | Code::NotOnSearchPath => {
                let matter = if self.code == Code::NotOnSearchPath { "not found" } else { "missing" };
                match self.dlls.len() {
                    0 => format!("DLLs {matter}"),
                    1 => format!("{dll} {matter}"),
                    number => format!("{number} DLLs {matter}"),
                }
            }
            Code::DamagedInstall => "damaged".to_owned(),
            Code::BadImage => format!("{dll} damaged"),
            Code::AccessDenied => format!("{dll} cannot be read"),
            Code::MissingExport => format!("{dll} incompatible"),
            Code::WrongArchitecture => "wrong architecture".to_owned(),
            Code::PathTooLong => "path too long".to_owned(),
            Code::UnsupportedCpu => "processor not supported".to_owned(),
            Code::UnsupportedWindows => "Windows not supported".to_owned(),
            Code::UnsupportedPython => "built for another Python".to_owned(),
            Code::ConflictingVcRuntime => "VC++ runtime conflict".to_owned(),
            Code::OutdatedVcRuntime => "VC++ runtime too old".to_owned(),
            Code::ShadowedModule => "hidden by another file".to_owned(),
            Code::NotInstalled => "not installed".to_owned(),
            Code::IncompatibleVersions => "incompatible versions".to_owned(),
            Code::MixedEnvironment => "mixed installation".to_owned(),
            Code::GpuNotSupported => "GPU not supported".to_owned(),
        }
    }

    fn first_sentence(&self) -> &str {
        match self.what.find(". ") {
            Some(end) => self.what.get(..=end).unwrap_or(&self.what),
            None => &self.what,
        }
    }

    /// Returns the severity on an import with this guard around it, or `None` if the user has hidden
    /// the finding.
    ///
    /// A diagnosis assumes an unguarded import. What the user configured for the code replaces its
    /// severity. A failure that the program survives is at most a hint.
    pub fn severity_under(&self, settings: &SeveritySettings, guard: Guard) -> Option<Severity> {
        let severity = settings.of_code(self.code.name(), self.severity)?;
        Some(if self.is_survived(guard) { severity.max(Severity::Hint) } else { severity })
    }

    /// Returns the finding as it is shown for an import with this guard around it: a program that
    /// handles the failure continues. Returns `None` if the user has hidden it.
    pub fn under(&self, settings: &SeveritySettings, guard: Guard) -> Option<Cow<'_, Finding>> {
        let severity = self.severity_under(settings, guard)?;
        let is_unused = guard == Guard::Unused;
        let is_handled = self.is_survived(guard) && !is_unused && self.severity == Severity::Error;
        if severity == self.severity && !is_handled {
            return Some(Cow::Borrowed(self));
        }
        let what = match (is_handled, is_unused) {
            (true, _) => self.what.replacen(FAILS, FAILS_AND_IS_HANDLED, 1),
            (false, true) => self.what.replacen(FAILS, FAILS_UNUSED, 1),
            (false, false) => self.what.clone(),
        };
        Some(Cow::Owned(Finding { severity, is_handled, what, ..self.clone() }))
    }

    /// Returns the finding as it is shown on a statement of a document. It mentions the line on
    /// which a lazy import is made, or the line of the syntax that doesn't compile. Returns `None`
    /// if the user has hidden it by a setting; see [`Finding::is_silenced_on`] for comments.
    pub fn on(&self, settings: &SeveritySettings, statement: &ImportStatement) -> Option<Cow<'_, Finding>> {
        let shown = self.under(settings, statement.guard)?;
        let (words, with_line) = match (&statement.required_syntax, statement.first_use) {
            (Some(syntax), _) if shown.what.starts_with(DOES_NOT_RUN) => {
                (syntax.what.as_str(), format!("{} (line {})", syntax.what, syntax.line))
            }
            (_, Some(first)) => {
                (FAILS, format!("{FAILS} when it is first used, on line {}", first.start.line + 1))
            }
            _ => return Some(shown),
        };
        let what = shown.what.replacen(words, &with_line, 1);
        Some(Cow::Owned(Finding { what, ..shown.into_owned() }))
    }

    /// Whether a comment at the statement silences the finding.
    pub fn is_silenced_on(&self, statement: &ImportStatement) -> bool {
        statement.ignores.covers(self.code.name())
    }

    /// Whether the program continues after a failed import with this guard around it.
    fn is_survived(&self, guard: Guard) -> bool {
        let is_absent = || {
            let sentence = self.python_error.as_deref().unwrap_or_default();
            self.code == Code::NotInstalled && sentence.starts_with("ModuleNotFoundError")
        };
        // No handler can catch the end of the process, or a program that doesn't compile.
        let ends = || {
            let error = self.python_error.as_deref().unwrap_or_default();
            error.starts_with("Windows fatal exception") || self.what.starts_with(DOES_NOT_RUN)
        };
        match guard {
            Guard::None => false,
            Guard::NotRun => true,
            Guard::Handled | Guard::Unused => !ends(),
            Guard::HandledIfAbsent => is_absent() && !ends(),
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// A module in the chain of dependencies that leads to the culprit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// Base name.
    pub name: String,
    /// Full path, if the module was found.
    pub path: Option<WinPath>,
    /// The problem with the module, if it is the culprit: "not found".
    pub remark: Option<String>,
}

/// A directory that was searched, and the rule that adds it to the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchedDirectory {
    /// Full path.
    pub directory: WinPath,
    /// The name of the rule.
    pub rule: String,
    /// The reason why a file of that name in the directory was passed over: "the file there is
    /// ARM64".
    pub remark: Option<String>,
}

/// A place in a Python file, and what happens there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// The file.
    pub file: WinPath,
    /// The line number, starting at 1.
    pub line: u32,
    /// What happens there.
    pub message: String,
}

/// The state of an environment, as a summary of its findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// No import fails.
    Healthy,
    /// There is at least one warning.
    Degraded,
    /// There is at least one error.
    Broken,
    /// The environment couldn't be analyzed.
    Unknown,
}

impl Health {
    /// Returns the name in JSON and in the status bar.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Broken => "broken",
            Health::Unknown => "unknown",
        }
    }

    /// Summarizes findings: an error means broken, a warning degraded.
    pub fn of(findings: &[Finding]) -> Health {
        match findings.iter().map(|finding| finding.severity).min() {
            Some(Severity::Error) => Health::Broken,
            Some(Severity::Warning) => Health::Degraded,
            _ => Health::Healthy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(what: &str) -> Finding {
        Finding {
            code: Code::MissingDll,
            severity: Severity::Error,
            is_note: false,
            is_handled: false,
            package: "pkg.part".to_owned(),
            what: what.to_owned(),
            evidence: "pkg/a.pyd imports b.dll.".to_owned(),
            advice: "Reinstall pkg.".to_owned(),
            caution: String::new(),
            dlls: vec!["b.dll".to_owned()],
            chain: Vec::new(),
            searched: Vec::new(),
            win_error: Some(126),
            python_error: None,
            related: Vec::new(),
            winner: None,
            fixes: Vec::new(),
        }
    }

    #[test]
    fn a_message_has_a_line_for_each_question() {
        let short = finding("`import pkg` will fail: b.dll is missing. It is part of nothing.");
        assert_eq!(
            short.message(),
            "`import pkg` will fail: b.dll is missing.\nIt is part of nothing. pkg/a.pyd imports b.dll.\nReinstall pkg."
        );
        assert_eq!(short.brief(), "pkg: b.dll missing");
    }

    #[test]
    fn a_headline_is_short_and_nothing_of_a_long_sentence_is_lost() {
        let folder = r"C:\Users\somebody\AppData\Local\Programs\a folder with a long name\and one more";
        let what = format!("`import pkg` will fail: b.dll is in {folder}, where Python 3.8 does not look.");
        let long = finding(&what);
        assert_eq!(long.headline(), "`import pkg` will fail: b.dll missing.");
        assert!(long.message().contains(&what));
        let name = "a".repeat(300);
        let longest = Finding { dlls: vec![name], ..finding(&what) };
        assert_eq!(longest.headline().chars().count(), LONGEST_HEADLINE);
    }

    #[test]
    fn a_handled_failure_is_shown_as_a_hint() {
        let known = finding("`import pkg` will fail: b.dll is missing.");
        let settings = |severity| SeveritySettings::from_iter([("missing-dll".to_owned(), severity)]);
        let under = |severity, guard| known.under(&settings(Some(severity)), guard).unwrap().into_owned();
        let shown = known.under(&SeveritySettings::default(), Guard::Handled).unwrap();
        assert_eq!(shown.what, "`import pkg` fails, and the program handles it: b.dll is missing.");
        assert!(shown.is_handled && shown.severity == Severity::Hint);
        // The severity that the user configured is never raised.
        assert_eq!(under(Severity::Warning, Guard::None).severity, Severity::Warning);
        assert_eq!(under(Severity::Warning, Guard::Handled).severity, Severity::Hint);
        assert!(under(Severity::Hint, Guard::Handled).is_handled);
        assert_eq!(under(Severity::Error, Guard::HandledIfAbsent).severity, Severity::Error);
        assert_eq!(known.under(&settings(None), Guard::None), None);
    }
}
