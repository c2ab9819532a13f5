//! From failures to findings: what is wrong, how we know, and what to do.
//!
//! [`diagnose`] lets the [`plan`](crate::plan) follow the imports, collects the failures, and asks
//! each of the [`codes`] in turn whether it recognizes a failure. A code never decides *that*
//! something fails; it only explains the failure and proposes fixes.
//!
//! **Where does a new diagnosis go?** One file in `codes/`, listed in `codes/mod.rs`.

mod cache;
mod case;
mod chain;
pub mod codes;
mod copies;
mod coverage;
mod cures;
mod finding;
mod fix;
mod gpu;
mod import;
mod old_runtime;
mod origins;
mod program;
mod proof;
mod record;
mod redistributable;
mod severity;
#[cfg(test)]
mod tests;
mod traceback;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::host::{Host, WinPath};
use crate::source::{Guard, ImportStatement, STACK};

pub use cache::{DiagnosisCache, DiagnosisMemo};
pub use case::{Case, Culprit, Problem};
pub use chain::{Chain, ChainError, FailedLoad, chain, copies};
pub use codes::Code;
pub use coverage::{Coverage, Gap, NotReached};
pub use finding::{ChainLink, FAILS_AND_IS_HANDLED, Finding, Health, Related, SearchedDirectory, Winner};
pub use fix::{Burden, Edit, Fix, FixEffect, FixOutcome};
pub use import::{ALWAYS_WATCHED, Import, PackageFilter, ReportScope, program_path};
pub use program::package;
pub use record::{Consent, UnsavedSnapshot, record};
pub use severity::{Severity, SeveritySettings};

/// The diagnosis of one or more imports in one environment on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// In the order of the imports; errors come first among the findings of one import.
    pub findings: Vec<Finding>,
    /// The diagnosed packages. Empty for imports that aren't reported, see [`ReportScope`].
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

/// The top-level package or module of a diagnosed import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosedPackage {
    /// The top-level name.
    pub import: String,
    /// The distribution that provides it, if known.
    pub distribution: Option<String>,
    /// The version of that distribution.
    pub version: Option<String>,
    /// The package's directory or the module's file.
    pub path: Option<WinPath>,
    /// The extent to which its import could be followed.
    pub coverage: Coverage,
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

impl DiagnosedPackage {
    /// Returns `tensorflow-cpu 2.3.0`, or as much of it as is known.
    pub fn installed(&self) -> String {
        let name = self.distribution.as_deref().unwrap_or(&self.import);
        self.version.as_ref().map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
    }
}

/// Diagnoses each of `imports` and simulates the fixes. The imports of one document share a
/// process, see [`program`].
pub fn diagnose(host: &Host, environment: &Environment, imports: &[Import]) -> Diagnosis {
    // Python code is followed by recursion.
    stacker::grow(STACK, || DiagnosisCache::new(host, environment, None).diagnose_all(imports))
}
