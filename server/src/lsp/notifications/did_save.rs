//! `textDocument/didSave`

use tower_lsp::lsp_types::DidSaveTextDocumentParams;

use crate::lsp::session::Session;

pub fn apply(session: &mut Session, params: &DidSaveTextDocumentParams) {
    session.saved(&params.text_document.uri);
}
