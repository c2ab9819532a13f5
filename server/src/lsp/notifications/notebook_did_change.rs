//! `notebookDocument/didChange`

use serde::Deserialize;
use tower_lsp::lsp_types::{
    TextDocumentContentChangeEvent, TextDocumentIdentifier, TextDocumentItem, Url,
    VersionedTextDocumentIdentifier,
};

use crate::lsp::convert;
use crate::lsp::notebook::OpenCell;
use crate::lsp::session::{NotebookChange, Session};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidChangeNotebookParams {
    notebook_document: TextDocumentIdentifier,
    change: Change,
}

#[derive(Deserialize)]
struct Change {
    cells: Option<Cells>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cells {
    structure: Option<Structure>,
    /// Changes of the kind or metadata of cells.
    data: Option<Vec<OpenCell>>,
    text_content: Option<Vec<TextContent>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structure {
    array: Array,
    did_open: Option<Vec<TextDocumentItem>>,
    did_close: Option<Vec<TextDocumentIdentifier>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Array {
    start: usize,
    delete_count: usize,
    cells: Option<Vec<OpenCell>>,
}

#[derive(Deserialize)]
struct TextContent {
    document: VersionedTextDocumentIdentifier,
    changes: Vec<TextDocumentContentChangeEvent>,
}

impl DidChangeNotebookParams {
    /// Returns the URI of the notebook.
    pub fn uri(&self) -> &Url {
        &self.notebook_document.uri
    }
}

pub fn apply(session: &mut Session, params: DidChangeNotebookParams) {
    let Some(Cells { structure, data, text_content }) = params.change.cells else { return };
    let mut change = NotebookChange { altered: data.unwrap_or_default(), ..NotebookChange::default() };
    if let Some(Structure { array, did_open, did_close }) = structure {
        change.spliced = Some((array.start, array.delete_count, array.cells.unwrap_or_default()));
        change.opened = did_open.unwrap_or_default();
        change.closed = did_close.into_iter().flatten().map(|closed| closed.uri).collect();
    }
    let edited = text_content.into_iter().flatten().map(|TextContent { document, changes }| {
        (document.uri, document.version, changes.into_iter().map(convert::change).collect())
    });
    change.edited = edited.collect();
    session.change_notebook(&params.notebook_document.uri, change);
}
