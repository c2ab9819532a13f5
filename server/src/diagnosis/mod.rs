//! What failed → findings: what is wrong, how we know, what to do.
//!
//! [`diagnose`] lets the [`plan`](crate::plan) follow the imports, takes the failures that come out, and
//! asks each of the [`codes`] in turn whether a failure is its own. A code never decides *that* something
//! fails; it only explains and cures.
//!
//! **Where does a new diagnosis go?** One file in `codes/`, listed in `codes/mod.rs`.

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
mod remembered;
#[cfg(test)]
mod tests;
mod traceback;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::host::{Host, WinPath};

pub use case::{Case, Culprit, Problem};
pub use chain::{Chain, ChainError, FailedLoad, chain, copies};
pub use codes::Code;
pub use coverage::{Coverage, Gap, NotReached};
pub use finding::{
    ChainLink, FAILS_AND_IS_HANDLED, Finding, Health, Related, SearchedDirectory, Severity, Winner,
};
pub use fix::{Burden, Edit, Effect, Fix, Outcome};
pub use import::{ALWAYS, Import, Watch, Watched, run_as};
pub use program::package;
pub use record::{Consent, Recorded, record};
pub use remembered::{Diagnoses, Known};

/// The answer for some imports in one environment on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// In order of the imports; errors first among those of one import.
    pub findings: Vec<Finding>,
    /// The packages that were asked about; none for imports of which nothing is told, see [`Watched`].
    pub packages: Vec<Package>,
    /// In one word.
    pub health: Health,
    /// The VC++ runtime that is loaded once the imports are made.
    pub runtime: Option<LoadedRuntime>,
}

/// The copy of the VC++ runtime that a process has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedRuntime {
    /// `msvcp140.dll`, or without it `vcruntime140.dll`.
    pub path: WinPath,
    /// Its file version, where it has one.
    pub version: Option<String>,
}

/// An import that was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its top-level name.
    pub import: String,
    /// Which distribution provides it, where that is known.
    pub distribution: Option<String>,
    /// That distribution's version.
    pub version: Option<String>,
    /// Where it lies: the package's folder, or the module's file.
    pub path: Option<WinPath>,
    /// How far its import was followed.
    pub coverage: Coverage,
}

impl Diagnosis {
    /// Whether it has fixes that were not tried.
    pub fn is_unproven(&self) -> bool {
        let findings = self.findings.iter().filter(|finding| !finding.is_note);
        findings.into_iter().any(|finding| {
            finding.winner.is_some() || finding.fixes.iter().any(|fix| fix.outcome == Outcome::Untried)
        })
    }
}

impl Package {
    /// `tensorflow-cpu 2.3.0`, or as much of it as is known.
    pub fn installed(&self) -> String {
        let name = self.distribution.as_deref().unwrap_or(&self.import);
        self.version.as_ref().map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
    }
}

/// Diagnoses each of `imports`, and tries the fixes. Those of one document go on in one process, see [`program`].
///
/// Run it on a thread with [`crate::source::STACK`] bytes of stack: Python is followed by recursion.
pub fn diagnose(host: &Host, environment: &Environment, imports: &[Import]) -> Diagnosis {
    Diagnoses::new(host, environment, None).of_all(imports)
}
