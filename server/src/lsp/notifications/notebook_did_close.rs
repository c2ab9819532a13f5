//! `notebookDocument/didClose`

use serde::Deserialize;
use tower_lsp::lsp_types::{TextDocumentIdentifier, Url};

use crate::lsp::session::Session;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidCloseNotebookParams {
    notebook_document: TextDocumentIdentifier,
}

impl DidCloseNotebookParams {
    /// Returns the URI of the notebook.
    pub fn uri(&self) -> &Url {
        &self.notebook_document.uri
    }
}

pub fn apply(session: &mut Session, params: &DidCloseNotebookParams) {
    session.close_notebook(&params.notebook_document.uri);
}
