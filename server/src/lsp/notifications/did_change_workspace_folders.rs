//! `workspace/didChangeWorkspaceFolders`

use tower_lsp::lsp_types::{DidChangeWorkspaceFoldersParams, Url};

use crate::lsp::session::Session;

pub fn apply(session: &mut Session, params: DidChangeWorkspaceFoldersParams) {
    let removed: Vec<Url> = params.event.removed.into_iter().map(|folder| folder.uri).collect();
    session.folders_changed(params.event.added.into_iter().map(|folder| folder.uri).collect(), &removed);
}
