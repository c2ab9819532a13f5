//! `textDocument/didClose`

use tower_lsp::lsp_types::DidCloseTextDocumentParams;

use crate::lsp::session::Session;

pub fn apply(session: &mut Session, params: DidCloseTextDocumentParams) {
    session.close(params.text_document.uri);
}
