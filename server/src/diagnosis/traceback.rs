//! Converts a traceback into an import to diagnose.

use crate::environment::Environment;
use crate::host::{Files, WinPath};
use crate::source::top_level;
use crate::traceback::{Traceback, TracebackFailure};

use super::Import;

impl Import {
    /// Returns the import that failed. If the traceback names only an extension module, its package
    /// is looked up in the environment.
    pub fn of_traceback(
        traceback: &Traceback,
        environment: &Environment,
        files: &dyn Files,
    ) -> Option<Import> {
        if let Some(import) = &traceback.import {
            return Some(Import { names: import.names.clone(), ..Import::first(&import.module) });
        }
        let TracebackFailure::Extension { module: Some(module) } = &traceback.failure else { return None };
        package_of(top_level(module), environment, files).map(|package| Import::first(&package))
    }
}

/// Returns the package that contains an extension module of this name, or is it.
fn package_of(module: &str, environment: &Environment, files: &dyn Files) -> Option<String> {
    let is_it = |path: &WinPath| {
        let name = path.file_name();
        name.split('.').next() == Some(module) && path.has_extension("pyd")
    };
    environment.distributions.iter().find_map(|distribution| {
        let recorded = distribution.expected_files(files).ok()?;
        let found = recorded.into_iter().find(|row| is_it(&row.path))?.path;
        let below = found.below(&distribution.folder)?;
        let first = below.split(['/', '\\']).next()?;
        Some(first.split('.').next()?.to_owned())
    })
}
