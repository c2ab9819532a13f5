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
mod code;
pub mod codes;
mod copies;
mod coverage;
mod cures;
mod diagnosed;
mod explain;
mod finding;
mod fix;
mod gpu;
mod import;
mod old_runtime;
mod origins;
mod package;
mod problem;
mod program;
mod proof;
mod record;
mod redistributable;
mod severity;
#[cfg(test)]
mod tests;
mod traceback;
mod wording;

use crate::environment::Environment;
use crate::host::Host;
use crate::source::STACK;

pub use cache::{DiagnosisCache, DiagnosisMemo};
pub use case::Case;
pub use chain::{Chain, ChainError, FailedLoad, chain, copies};
pub use code::{Code, Subject};
pub use coverage::{Coverage, Gap, NotReached};
pub use diagnosed::{Diagnosis, LoadedRuntime};
pub use finding::{ChainLink, FAILS_AND_IS_HANDLED, Finding, Health, Related, SearchedDirectory, Winner};
pub use fix::{Burden, Edit, Fix, FixEffect, FixOutcome};
pub use import::{ALWAYS_WATCHED, Import, ImportingDocument, PackageFilter, ReportScope};
pub use package::{DiagnosedPackage, package};
pub use problem::{Culprit, HiddenPackage, Problem};
pub use record::{Consent, UnsavedSnapshot, record};
pub use severity::{Severity, SeveritySettings};

/// Diagnoses each of `imports` and simulates the fixes. The imports of one document share a
/// process, see [`program`].
pub fn diagnose(host: &Host, environment: &Environment, imports: &[Import]) -> Diagnosis {
    // Python code is followed by recursion.
    stacker::grow(STACK, || DiagnosisCache::new(host, environment, None).diagnose_all(imports))
}
