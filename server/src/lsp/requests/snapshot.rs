//! `whydll.snapshot`: writes a snapshot of machine and environment, in which user names are
//! replaced. The arguments are `[{ scopeUri, path, ownModules }]`. Without `path`, nothing is
//! written, and the answer is a preview of the contents.

use std::path::Path;

use serde::Serialize;
use tower_lsp::lsp_types::Url;

use super::chain::worst_package;
use crate::diagnosis::{ALWAYS_WATCHED, Consent, Import, UnsavedSnapshot, record};
use crate::environment::Target;
use crate::host::snapshot::Recorder;
use crate::lsp::analysis::Unavailable;
use crate::lsp::session::Session;
use crate::report::{self, markdown};

/// Returns the environment of a scope, and the package whose import to record.
pub fn query(session: &Session, scope: Option<&Url>) -> (Target, String) {
    let scope = session.scope_view(scope);
    let package = worst_package(&scope).unwrap_or_else(|| ALWAYS_WATCHED.to_owned());
    (scope.scope.target.clone(), package)
}

/// The contents that a snapshot would have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The contents in Markdown.
    text: String,
    /// The number of modules outside the environment.
    own_modules: usize,
}

/// Records a snapshot and returns its contents without writing it.
pub fn preview(target: &Target, package: &str) -> Result<Preview, String> {
    let recorded = record_import(target, package, true)?;
    let contents = report::contents(&recorded).map_err(|error| error.to_string())?;
    let text = format!(
        "# Contents of a snapshot of `import {package}`\n\nSnapshots are made for sharing: check that you \
         want to share everything below. Nothing has been written yet.\n\n{}\n",
        markdown::fenced(contents.trim_end())
    );
    Ok(Preview { text, own_modules: recorded.own_modules.len() })
}

/// Records and writes a snapshot, and returns a message about it.
pub fn write(target: &Target, package: &str, file: &Path, own_modules: bool) -> Result<String, String> {
    let recorded = record_import(target, package, own_modules)?;
    recorded.snapshot.write(file).map_err(|error| error.to_string())?;
    let names = if recorded.snapshot.renamed == 0 { "" } else { "; names of users and servers are replaced" };
    let exact = if recorded.is_exact {
        ""
    } else {
        "; a replay of it gives a different result, so attach the report as well"
    };
    Ok(format!("{} records `import {package}`{names}{exact}", file.display()))
}

fn record_import(target: &Target, package: &str, own_modules: bool) -> Result<UnsavedSnapshot, String> {
    let mut recorder = None;
    let opened = target.open_through(|host| {
        let (recorded, over) = Recorder::over(&host);
        recorder = Some(over);
        recorded
    });
    let opened = opened.map_err(|error| Unavailable::of(error, target).reason)?;
    let recorder = recorder.ok_or("the machine could not be recorded")?;
    let consent = Consent { names: false, own_modules };
    let imports = [Import::first(package)];
    record(&recorder, &opened.host, &opened.environment, &imports, consent, "`ownModules`")
        .map_err(|error| error.to_string())
}
