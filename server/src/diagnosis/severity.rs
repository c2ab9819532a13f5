//! How severe a finding is for the user.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// Returns the severity that the user configured for the code with this name, or else
    /// `otherwise`. Returns `None` if the user has hidden its findings.
    pub fn of_code(&self, name: &str, otherwise: Severity) -> Option<Severity> {
        self.0.get(name).copied().unwrap_or(Some(otherwise))
    }
}
