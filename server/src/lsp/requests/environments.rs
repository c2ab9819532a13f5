//! `whydll.environments`: the Pythons that are found on the machine of a folder, to choose from.
//! The arguments are `[{ scopeUri }]`.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::environment::discovery::Search;
use crate::host::session;
use crate::lsp::analysis::Target;
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
    let (host, _) = target.machine(folder, Arc::default()).map_err(|error| error.to_string())?;
    let activated = session::activated().filter(|_| !host.kind.is_snapshot());
    let activated = activated.map(|activated| host.path_of(&activated));
    let folder = folder.map(|folder| host.path_of(folder));
    let found = Search::on(&host).in_folder(folder).with_activated(activated).thorough().all();
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
