//! `whydll.environments`: the Pythons that are found on the machine of a folder, for a list to choose from. `[{ scopeUri }]`

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
pub struct Found {
    /// What the setting `whydll.interpreter` takes.
    pub path: String,
    /// `Python 3.11.4 (venv)`; why it cannot be used, if it cannot.
    pub label: String,
    /// Why it was found.
    pub reason: String,
    /// It can be started, as far as its files tell.
    pub usable: bool,
}

/// All of them, the one that is used without a choice first. `folder` is the one that somebody works in.
pub fn told(target: &Target, folder: Option<&Path>) -> Result<Vec<Found>, String> {
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
        let reason = found.sightings.first().map_or_else(String::new, |sighting| sighting.reason.clone());
        let (label, reason) = (visible(&label).into_owned(), visible(&reason).into_owned());
        Found { path, label, reason, usable }
    });
    Ok(listed.collect())
}
