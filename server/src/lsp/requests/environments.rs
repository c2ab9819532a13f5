//! `whydll.environments`: the Pythons that are found on the machine of a folder, to choose from.
//! The arguments are `[{ scopeUri }]`.

use std::path::Path;

use serde::Serialize;

use crate::environment::{InterpreterSpec, Target};
use crate::visible::visible;

/// A Python that can be chosen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedPython {
    /// The value for the setting `whydll.interpreter`.
    pub path: String,
    /// `Python 3.11.4 (venv)`, or why it can't be used.
    pub label: String,
    /// Where it was found.
    pub reason: String,
    /// Whether it can be started, according to its files.
    pub usable: bool,
}

/// Returns all Pythons, first the one that is used by default in `folder`.
pub fn list(target: &Target, folder: Option<&Path>) -> Result<Vec<ListedPython>, String> {
    let interpreter = InterpreterSpec::Search(folder.map(Path::to_owned));
    let target = Target { interpreter, ..target.clone() };
    let (host, _) = target.host().map_err(|error| error.to_string())?;
    let found = target.search(&host).thorough().all();
    let listed = found.into_iter().map(|found| {
        let native = host.native_of(&found.interpreter);
        let path = native.map_or_else(|| found.interpreter.to_string(), |path| path.display().to_string());
        let (label, usable) = match &found.environment {
            Ok(environment) => {
                (format!("Python {} ({})", environment.full_version(), environment.kind), true)
            }
            Err(error) => (error.to_string(), false),
        };
        let reason = found.candidates.first().map_or_else(String::new, |candidate| candidate.reason.clone());
        let (label, reason) = (visible(&label).into_owned(), visible(&reason).into_owned());
        ListedPython { path, label, reason, usable }
    });
    Ok(listed.collect())
}
