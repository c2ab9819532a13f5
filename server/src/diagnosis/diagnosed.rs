//! The diagnosis of imports, as data.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Health};
use super::fix::FixOutcome;
use super::package::DiagnosedPackage;
use super::severity::SeveritySettings;
use crate::host::WinPath;
use crate::source::{Guard, ImportStatement};

/// The diagnosis of one or more imports in one environment on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// In the order of the imports; errors come first among the findings of one import.
    pub findings: Vec<Finding>,
    /// The diagnosed packages. Empty for imports that aren't reported, see
    /// [`ReportScope`](super::ReportScope).
    pub packages: Vec<DiagnosedPackage>,
    /// The summary of the findings.
    pub health: Health,
    /// The VC++ runtime that is loaded once the imports have been made.
    pub runtime: Option<LoadedRuntime>,
}

/// The copy of the VC++ runtime that a process has loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedRuntime {
    /// Full path of `msvcp140.dll`, or of `vcruntime140.dll` if the former isn't loaded.
    pub path: WinPath,
    /// The file version, if the file has one.
    pub version: Option<String>,
}

impl Diagnosis {
    /// Returns the findings that are shown on a statement of a document, with notes: those that
    /// neither a comment nor a setting hides, if the statement is run.
    pub fn shown_on<'a>(
        &'a self,
        settings: &SeveritySettings,
        statement: &ImportStatement,
    ) -> Vec<Cow<'a, Finding>> {
        if statement.guard == Guard::NotRun {
            return Vec::new();
        }
        let findings = self.findings.iter().filter(|finding| !finding.is_silenced_on(statement));
        findings.filter_map(|finding| finding.on(settings, statement)).collect()
    }

    /// Whether the diagnosis has fixes that haven't been simulated yet.
    pub fn is_unproven(&self) -> bool {
        let findings = self.findings.iter().filter(|finding| !finding.is_note);
        findings.into_iter().any(|finding| {
            finding.winner.is_some() || finding.fixes.iter().any(|fix| fix.outcome == FixOutcome::Untried)
        })
    }
}
