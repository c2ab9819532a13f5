//! `textDocument/didChange`

use tower_lsp::lsp_types::DidChangeTextDocumentParams;

use crate::lsp::convert;
use crate::lsp::session::Session;

pub fn apply(session: &mut Session, params: DidChangeTextDocumentParams) {
    let changes = params.content_changes.into_iter().map(convert::change).collect();
    session.change(&params.text_document.uri, params.text_document.version, changes);
}
