//! An open notebook: its cells, and the imports of its code cells in order.

use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use tower_lsp::lsp_types::Url;

use crate::diagnosis::ImportingDocument;
use crate::host::WinPath;
use crate::source::Document;

/// A notebook that is open in the editor. The contents of its cells are documents of the session.
#[derive(Default)]
pub struct Notebook {
    /// All cells that the editor reports, in order.
    pub cells: Vec<OpenCell>,
    /// Its file, as a native path; `None` if it isn't on a disk.
    pub path: Option<WinPath>,
}

/// A cell (`NotebookCell` of the protocol).
#[derive(Debug, Clone, Deserialize)]
pub struct OpenCell {
    /// 1 for markup, 2 for code.
    kind: u32,
    /// The URI of its document.
    pub document: Url,
}

impl OpenCell {
    /// Whether it is a code cell.
    pub fn is_code(&self) -> bool {
        self.kind == 2
    }
}

/// A snapshot of the sources of a notebook's Python cells, in order.
pub struct Cells {
    sources: Vec<String>,
    path: Option<WinPath>,
    parsed: OnceLock<ParsedCells>,
}

/// The result of parsing all cells together.
#[derive(Default)]
struct ParsedCells {
    documents: Vec<Document>,
    /// The program that they are.
    program: Option<ImportingDocument>,
}

impl Cells {
    /// Creates the cells of a notebook in the file `path`.
    pub fn new(sources: Vec<String>, path: Option<WinPath>) -> Cells {
        Cells { sources, path, parsed: OnceLock::new() }
    }

    fn parsed(&self) -> &ParsedCells {
        self.parsed.get_or_init(|| {
            let sources: Vec<&str> = self.sources.iter().map(String::as_str).collect();
            let documents = catch_unwind(|| Document::parse_cells(&sources)).unwrap_or_default();
            let program = ImportingDocument::of(&documents, self.path.as_ref());
            ParsedCells { documents, program }
        })
    }
}

/// The place of a document in a notebook.
pub struct CellPlace {
    /// The notebook.
    pub notebook: Url,
    /// Its cells.
    pub cells: Arc<Cells>,
    /// Its index among them; `None` if it isn't code.
    pub at: Option<usize>,
}

impl CellPlace {
    /// Returns the imports of the cell, and the program that the notebook is.
    pub fn read(&self) -> (Document, Option<ImportingDocument>) {
        let Some(at) = self.at else { return Default::default() };
        let parsed = self.cells.parsed();
        (parsed.documents.get(at).cloned().unwrap_or_default(), parsed.program.clone())
    }
}
