//! How severe a finding is for the user.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::source::Guard;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// The import fails.
    Error,
    /// The import works, but something that it uses is broken.
    Warning,
    /// The user should know about it.
    Information,
    /// Of minor interest, such as a failure that the program handles.
    Hint,
}

impl Severity {
    /// All severities, the most severe first.
    const ALL: [Severity; 4] = [Severity::Error, Severity::Warning, Severity::Information, Severity::Hint];

    /// Returns the name in JSON and settings.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
            Severity::Hint => "hint",
        }
    }

    /// Returns the severity with this name.
    pub fn named(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// The severities that the user configured, by the name of the code; `None` hides findings. By
/// default, none is configured.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SeveritySettings(BTreeMap<String, Option<Severity>>);

impl FromIterator<(String, Option<Severity>)> for SeveritySettings {
    fn from_iter<I: IntoIterator<Item = (String, Option<Severity>)>>(codes: I) -> SeveritySettings {
        SeveritySettings(codes.into_iter().collect())
    }
}

impl fmt::Debug for SeveritySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SeveritySettings {
    /// Returns the severity of a finding on an import with this guard around it, or `None` if the
    /// user has hidden it.
    ///
    /// A diagnosis assumes an unguarded import. What the user configured for the code replaces its
    /// severity. A failure that the program survives is at most a hint.
    pub fn severity(&self, finding: &Finding, guard: Guard) -> Option<Severity> {
        let severity = match self.0.get(finding.code.name()) {
            Some(configured) => (*configured)?,
            None => finding.severity,
        };
        Some(if finding.is_survived(guard) { severity.max(Severity::Hint) } else { severity })
    }
}
