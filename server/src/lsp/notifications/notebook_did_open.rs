//! `notebookDocument/didOpen`

use serde::Deserialize;
use tower_lsp::lsp_types::{TextDocumentItem, Url};

use crate::lsp::notebook::OpenCell;
use crate::lsp::session::Session;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidOpenNotebookParams {
    notebook_document: NotebookDocument,
    cell_text_documents: Vec<TextDocumentItem>,
}

#[derive(Deserialize)]
struct NotebookDocument {
    uri: Url,
    cells: Vec<OpenCell>,
}

impl DidOpenNotebookParams {
    /// Returns the URI of the notebook.
    pub fn uri(&self) -> &Url {
        &self.notebook_document.uri
    }
}

pub fn apply(session: &mut Session, params: DidOpenNotebookParams) {
    let NotebookDocument { uri, cells } = params.notebook_document;
    session.open_notebook(uri, cells, params.cell_text_documents);
}
