//! An open notebook: which cells it has, and what its code cells import one after the other.

use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use tower_lsp::lsp_types::Url;

use crate::diagnosis::run_as;
use crate::host::WinPath;
use crate::source::Document;

/// A notebook that is open in the editor. The texts of its cells are documents of the session.
#[derive(Default)]
pub struct Notebook {
    /// All of its cells that the editor tells of, in order.
    pub cells: Vec<Cell>,
    /// Its file, as this system names it; none if it is not on a disk.
    pub path: Option<WinPath>,
}

/// A cell, as the protocol has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Cell {
    /// 1 is text, 2 is code.
    kind: u32,
    /// The address of its text.
    pub document: Url,
}

impl Cell {
    /// Whether it is run.
    pub fn is_code(&self) -> bool {
        self.kind == 2
    }
}

/// The texts of a notebook's Python cells, in its order, at one moment.
pub struct Cells {
    texts: Vec<String>,
    path: Option<WinPath>,
    read: OnceLock<Program>,
}

/// What was read of all the cells together.
#[derive(Default)]
struct Program {
    documents: Vec<Document>,
    /// What they are run as, see [`run_as`].
    run_as: Option<WinPath>,
}

impl Cells {
    /// Of a notebook in this file.
    pub fn new(texts: Vec<String>, path: Option<WinPath>) -> Cells {
        Cells { texts, path, read: OnceLock::new() }
    }

    fn read(&self) -> &Program {
        self.read.get_or_init(|| {
            let texts: Vec<&str> = self.texts.iter().map(String::as_str).collect();
            let documents = catch_unwind(|| Document::of_cells(&texts)).unwrap_or_default();
            let run_as = run_as(&documents, self.path.clone());
            Program { documents, run_as }
        })
    }
}

/// Where a document has its place in a notebook.
pub struct Place {
    /// The notebook.
    pub notebook: Url,
    /// Its cells.
    pub cells: Arc<Cells>,
    /// Which of them it is; none if it is no code.
    pub at: Option<usize>,
}

impl Place {
    /// The imports of the cell, and what the notebook is run as.
    pub fn read(&self) -> (Document, Option<WinPath>) {
        let Some(at) = self.at else { return Default::default() };
        let program = self.cells.read();
        (program.documents.get(at).cloned().unwrap_or_default(), program.run_as.clone())
    }
}
