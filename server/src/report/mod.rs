//! Findings as text for a terminal and as JSON for programs. Knows nothing of editors.

mod chain;
mod environments;
mod json;
#[cfg(test)]
mod tests;
mod text;

use crate::diagnosis::{Finding, Health, Package, Severity};
use crate::environment::Environment;
use crate::host::Host;
use crate::source::Range;

pub use chain::{chain_json, chain_text};
pub use environments::{Environments, Listed, environments_json, environments_text};
pub use json::check_json;
pub use text::check_text;

/// The answer of a check.
pub struct Report<'a> {
    /// The environment that was looked at.
    pub environment: &'a Environment,
    /// The machine.
    pub host: &'a Host,
    /// What was assumed without being told, for people.
    pub assumed: Option<String>,
    /// The packages that were asked about.
    pub packages: Vec<Package>,
    /// What was found, in order.
    pub findings: Vec<Located>,
    /// The documents that were read; none if none were given.
    pub documents: Vec<CheckedDocument>,
}

/// A finding, and the import statement that it belongs to.
pub struct Located {
    /// The finding.
    pub finding: Finding,
    /// Where: an index into [`Report::documents`], and the module's name there.
    pub at: Option<(usize, Range)>,
}

/// A Python file that was checked.
pub struct CheckedDocument {
    /// As it was given.
    pub name: String,
    /// Its text.
    pub text: String,
    /// How many imports in it are of packages that are watched.
    pub watched_imports: usize,
}

impl Report<'_> {
    /// In one word.
    pub fn health(&self) -> Health {
        let findings: Vec<Finding> = self.findings.iter().map(|located| located.finding.clone()).collect();
        Health::of(&findings)
    }

    /// Whether some import fails.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|located| located.finding.severity == Severity::Error)
    }
}
