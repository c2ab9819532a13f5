//! `notebookDocument/didSave`

use serde::Deserialize;
use tower_lsp::lsp_types::TextDocumentIdentifier;

use crate::lsp::session::Session;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    notebook_document: TextDocumentIdentifier,
}

pub fn apply(session: &mut Session, params: &Params) {
    session.saved_notebook(&params.notebook_document.uri);
}
