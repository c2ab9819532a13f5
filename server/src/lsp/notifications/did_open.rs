//! `textDocument/didOpen`

use tower_lsp::lsp_types::{DidOpenTextDocumentParams, TextDocumentItem};

use crate::lsp::session::Session;

pub fn apply(session: &mut Session, params: DidOpenTextDocumentParams) {
    let document = params.text_document;
    if is_python(&document) {
        session.open(document.uri, document.version, document.text);
    }
}

fn is_python(document: &TextDocumentItem) -> bool {
    let path = document.uri.path();
    document.language_id == "python" || [".py", ".pyw", ".pyi"].iter().any(|suffix| path.ends_with(suffix))
}
