//! `whydll.snapshot`: writes a snapshot of machine and environment, with the names of users replaced. `[{ scopeUri, path }]`

use std::path::Path;

use tower_lsp::lsp_types::Url;

use super::chain::worst;
use crate::diagnosis::{ALWAYS, Import, record};
use crate::host::snapshot::Recorder;
use crate::lsp::analysis::Target;
use crate::lsp::session::Session;

/// Where to look, and at the import of what.
pub fn asked(session: &Session, scope: Option<&Url>) -> (Target, String) {
    let outlook = session.outlook(scope);
    let package = worst(&outlook).unwrap_or_else(|| ALWAYS.to_owned());
    (outlook.scope.target.clone(), package)
}

/// Writes it, and says what was written.
pub fn written(target: &Target, package: &str, file: &Path) -> Result<String, String> {
    let mut recorder = None;
    let opened = target.open(|host| {
        let (recorded, over) = Recorder::over(&host);
        recorder = Some(over);
        recorded
    });
    let opened = opened.map_err(|why| why.to_string())?;
    let recorder = recorder.ok_or("the machine could not be recorded")?;
    let imports = [Import::first(package)];
    record(&recorder, &opened.host, &opened.environment, &imports, false, file)
        .map_err(|error| error.to_string())?;
    Ok(format!("{} records `import {package}`; the names of users are replaced", file.display()))
}
