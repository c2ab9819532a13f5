//! Finds the import that failed in a traceback, and the environment to diagnose it in.

use crate::diagnosis::{DiagnosisCache, Import};
use crate::environment::{InterpreterSpec, OpenTarget, Target, TargetError};
use crate::host::session::expand_home;
use crate::report::{Explanation, Report};
use crate::traceback::Traceback;

/// The import that failed in a traceback, and the environment in which it is diagnosed.
pub struct ExplainedImport<'t> {
    /// The opened environment.
    pub target: OpenTarget,
    traceback: &'t Traceback,
    import: Import,
    /// Whether the environment is the traceback's; `None` if the traceback doesn't name one.
    same_environment: Option<bool>,
}

/// The environment that takes precedence if the target and the traceback name different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// The target's, which the user named for this traceback.
    Target,
    /// The traceback's, if this machine has it.
    Traceback,
}

/// Why there is nothing to diagnose.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No environment can be opened.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The traceback doesn't name the package whose import failed.
    #[error("the traceback doesn't say which import failed")]
    NoImport,
}

impl<'t> ExplainedImport<'t> {
    /// Opens the environment, and finds the import, which is `named` if the user names it.
    ///
    /// # Errors
    /// The reason why there is nothing to diagnose.
    pub fn of(
        traceback: &'t Traceback,
        target: &Target,
        precedence: Precedence,
        named: Option<&str>,
    ) -> Result<ExplainedImport<'t>, ExplainError> {
        let (target, same_environment) = open(traceback, target, precedence)?;
        let import = match named {
            Some(name) => Import::first(name),
            None => Import::of_traceback(traceback, &target.environment, &*target.host.files)
                .ok_or(ExplainError::NoImport)?,
        };
        Ok(ExplainedImport { target, traceback, import, same_environment })
    }

    /// Diagnoses the import.
    pub fn report(&self, mut diagnoses: DiagnosisCache<'_>) -> Report<'_> {
        let OpenTarget { host, environment, assumed, .. } = &self.target;
        let diagnosis = diagnoses.diagnose_all(std::slice::from_ref(&self.import));
        Report::of(environment, host, assumed.clone(), diagnosis)
    }

    /// Returns the explanation of the traceback.
    pub fn explanation(&self) -> Explanation<'_> {
        let ExplainedImport { traceback, import, same_environment, .. } = self;
        Explanation { traceback, import: Some(&import.name), same_environment: *same_environment }
    }
}

/// Opens the environment, and returns it and whether it is the traceback's.
fn open(
    traceback: &Traceback,
    target: &Target,
    precedence: Precedence,
) -> Result<(OpenTarget, Option<bool>), TargetError> {
    let Some(named) = traceback.environment.as_deref().map(expand_home) else {
        return Ok((target.open()?, None));
    };
    if precedence == Precedence::Traceback {
        let interpreter = InterpreterSpec::Named(named.clone());
        return match (Target { interpreter, ..target.clone() }).open() {
            Ok(opened) => Ok((opened, Some(true))),
            Err(_) => Ok((target.open()?, Some(false))),
        };
    }
    let opened = target.open()?;
    let is_same = opened.host.path_of(&named) == opened.environment.prefix;
    Ok((opened, Some(is_same)))
}
