//! `workspace/didChangeWatchedFiles`: of the files that [`initialized`](super::initialized) asked for.

use tower_lsp::lsp_types::DidChangeWatchedFilesParams;

use crate::lsp::session::Session;

pub fn apply(session: &mut Session, params: &DidChangeWatchedFilesParams) {
    if !params.changes.is_empty() {
        session.files_changed();
    }
}
