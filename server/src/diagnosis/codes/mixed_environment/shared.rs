//! What the mixtures have in common.

use std::collections::BTreeMap;

use crate::diagnosis::wording::name_of;
use crate::diagnosis::{Case, Code, Finding, Severity};
use crate::environment::Distribution;

/// The maximum number of packages or files that a sentence names.
pub(super) const MOST_NAMED: usize = 3;

/// The distributions that provide the executed top-level packages and modules, in the order of
/// `sys.path`.
pub(super) type Providers<'a> = BTreeMap<String, Vec<&'a Distribution>>;

/// Creates a finding without messages: a warning if the mixture may be why something fails.
pub(super) fn finding(case: &Case<'_>, is_suspect: bool, otherwise: Severity) -> Finding {
    let severity = if is_suspect { Code::MixedEnvironment.default_severity() } else { otherwise };
    case.finding(Code::MixedEnvironment, &[], severity, None)
}

/// Returns a name with its version: `numpy 2.0.1`.
pub(super) fn with_version(case: &Case<'_>, distribution: &Distribution) -> String {
    let name = name_of(distribution, &*case.host.files);
    distribution.version.as_ref().map_or_else(|| name.clone(), |version| format!("{name} {version}"))
}
