//! A finding: one cause, told so that a person who knows no loader can act on it.

use serde::{Deserialize, Serialize};

use super::fix::Fix;
use crate::diagnosis::Code;
use crate::host::WinPath;
use crate::source::Guard;

/// One cause of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which kind of cause.
    pub code: Code,
    /// What will happen on the import line.
    pub severity: Severity,
    /// Nothing is known to fail of it: it is for a report, and not to be put on the import.
    pub is_note: bool,
    /// The import that was asked about, dotted.
    pub package: String,
    /// What is wrong, in one sentence or two.
    pub what: String,
    /// How we know.
    pub evidence: String,
    /// What to do.
    pub advice: String,
    /// What else to see to, whatever is done; mostly empty.
    pub caution: String,
    /// The culprits; the first one is what Windows reports.
    pub dlls: Vec<String>,
    /// From the module whose load fails down to the first culprit.
    pub chain: Vec<ChainLink>,
    /// Where the first culprit was searched, in order.
    pub searched: Vec<SearchedDirectory>,
    /// The Win32 code, if Windows refuses something.
    pub win_error: Option<u32>,
    /// What Python prints.
    pub python_error: Option<String>,
    /// Places in installed Python code which lead there, the innermost first.
    pub related: Vec<Related>,
    /// The copy of the first culprit that was loaded before, and that Windows takes for that reason.
    pub winner: Option<Winner>,
    /// What can be done: the preferred one first, if one is known to cure.
    pub fixes: Vec<Fix>,
}

/// A copy of a DLL that Windows takes because it is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Winner {
    /// Full path of its file.
    pub path: WinPath,
    /// What to do if the import fails in every order, in a sentence.
    pub apart: String,
}

impl Finding {
    /// What is wrong, how we know, and what to do, in that order.
    pub fn message(&self) -> String {
        [self.what.as_str(), self.evidence.as_str(), self.advice.as_str(), self.caution.as_str()]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// How severe it is where this stands around the import: a program that is ready for the failure goes on. `severity` is
    /// what it would be without, which a user may have chosen.
    pub fn severity_under(&self, severity: Severity, guard: Guard) -> Severity {
        let is_absent = || {
            let sentence = self.python_error.as_deref().unwrap_or_default();
            self.code == Code::NotInstalled && sentence.starts_with("ModuleNotFoundError")
        };
        // No handler sees that the process ends.
        let ends =
            || self.python_error.as_deref().is_some_and(|error| error.starts_with("Windows fatal exception"));
        match guard {
            Guard::Handled | Guard::HandledIfAbsent if ends() => severity,
            Guard::None => severity,
            Guard::HandledIfAbsent if !is_absent() => severity,
            Guard::HandledIfAbsent | Guard::Handled | Guard::NotRun => severity.max(Severity::Hint),
        }
    }
}

/// A module on the way to the culprit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// Base name.
    pub name: String,
    /// Where it lies, if it was found.
    pub path: Option<WinPath>,
    /// What is the matter with it, if it is the culprit: "not found".
    pub remark: Option<String>,
}

/// A directory that was searched, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchedDirectory {
    /// Where.
    pub directory: WinPath,
    /// By which rule.
    pub rule: String,
    /// What lay there and did not count: "is for ARM64".
    pub remark: Option<String>,
}

/// A place in a Python file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// The file.
    pub file: WinPath,
    /// 1-based.
    pub line: u32,
    /// What happens there.
    pub message: String,
}

/// What will happen on the import line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// The import fails.
    Error,
    /// It works, but something that it uses is broken.
    Warning,
    /// Worth knowing.
    Information,
    /// Hardly.
    Hint,
}

impl Severity {
    /// Its name in JSON and settings.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
            Severity::Hint => "hint",
        }
    }
}

/// An environment in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// Nothing that would fail.
    Healthy,
    /// Some warning.
    Degraded,
    /// Some error.
    Broken,
    /// It could not be looked at.
    Unknown,
}

impl Health {
    /// Its name in JSON and in the status bar.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Broken => "broken",
            Health::Unknown => "unknown",
        }
    }

    /// Broken by an error, degraded by a warning.
    pub fn of(findings: &[Finding]) -> Health {
        match findings.iter().map(|finding| finding.severity).min() {
            Some(Severity::Error) => Health::Broken,
            Some(Severity::Warning) => Health::Degraded,
            _ => Health::Healthy,
        }
    }
}
