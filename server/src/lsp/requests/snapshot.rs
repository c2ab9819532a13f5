//! `whydll.snapshot`: a snapshot of machine and environment, with other names for users. Without a `path` nothing is written, and the
//! answer is what it would have. `[{ scopeUri, path, ownModules }]`

use std::path::Path;

use serde::Serialize;
use tower_lsp::lsp_types::Url;

use super::chain::worst;
use crate::diagnosis::{ALWAYS, Consent, Import, Recorded, record};
use crate::host::snapshot::Recorder;
use crate::lsp::analysis::Target;
use crate::lsp::session::Session;
use crate::report::{self, markdown};

/// Where to look, and at the import of what.
pub fn asked(session: &Session, scope: Option<&Url>) -> (Target, String) {
    let outlook = session.outlook(scope);
    let package = worst(&outlook).unwrap_or_else(|| ALWAYS.to_owned());
    (outlook.scope.target.clone(), package)
}

/// What a snapshot would have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// In Markdown.
    text: String,
    /// So many modules lie outside of the environment.
    own_modules: usize,
}

/// What would be written.
pub fn previewed(target: &Target, package: &str) -> Result<Preview, String> {
    let recorded = recorded(target, package, true)?;
    let contents = report::contents(&recorded).map_err(|error| error.to_string())?;
    let text = format!(
        "# What a snapshot of `import {package}` would have\n\nIt is made to be sent to others: look whether everything below may be. \
         Nothing is written yet.\n\n{}\n",
        markdown::fenced(contents.trim_end())
    );
    Ok(Preview { text, own_modules: recorded.own_modules.len() })
}

/// Writes it, and says what was written.
pub fn written(target: &Target, package: &str, file: &Path, own_modules: bool) -> Result<String, String> {
    let recorded = recorded(target, package, own_modules)?;
    recorded.snapshot.write(file).map_err(|error| error.to_string())?;
    let names = if recorded.snapshot.renamed == 0 { "" } else { "; names of users and servers are replaced" };
    let exact =
        if recorded.is_exact { "" } else { "; a replay of it says something else: send the report along" };
    Ok(format!("{} records `import {package}`{names}{exact}", file.display()))
}

fn recorded(target: &Target, package: &str, own_modules: bool) -> Result<Recorded, String> {
    let mut recorder = None;
    let opened = target.open(|host| {
        let (recorded, over) = Recorder::over(&host);
        recorder = Some(over);
        recorded
    });
    let opened = opened.map_err(|why| why.to_string())?;
    let recorder = recorder.ok_or("the machine could not be recorded")?;
    let consent = Consent { names: false, own_modules };
    let imports = [Import::first(package)];
    record(&recorder, &opened.host, &opened.environment, &imports, consent, "`ownModules`")
        .map_err(|error| error.to_string())
}
