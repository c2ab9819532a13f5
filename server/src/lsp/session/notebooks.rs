//! Notebooks: each cell is a document, at its place among the others.

use std::collections::HashMap;
use std::sync::Arc;

use tower_lsp::lsp_types::{TextDocumentItem, Url};

use super::Session;
use crate::host::WinPath;
use crate::lsp::document::{Change, OpenDocument};
use crate::lsp::health::Health;
use crate::lsp::notebook::{Cell, Cells, Notebook, Place};
use crate::lsp::scope::path_of;

/// What changed in a notebook, in this order.
#[derive(Default)]
pub struct NotebookChange {
    /// From a cell on, so many were removed, and these put there.
    pub spliced: Option<(usize, usize, Vec<Cell>)>,
    /// Texts of cells that are new.
    pub opened: Vec<TextDocumentItem>,
    /// Texts of cells that are gone.
    pub closed: Vec<Url>,
    /// Cells that became another kind.
    pub altered: Vec<Cell>,
    /// Edits of cells, each with the version that it makes.
    pub edited: Vec<(Url, i32, Vec<Change>)>,
}

impl Session {
    /// A notebook was opened, with the texts of its cells.
    pub fn open_notebook(&mut self, uri: Url, cells: Vec<Cell>, texts: Vec<TextDocumentItem>) {
        let home = self.scope_at(&uri);
        if let Some(scope) = self.scopes.get_mut(home) {
            scope.in_use = true;
        }
        let path = path_of(&uri).map(|path| WinPath::from_native(&path));
        self.notebooks.insert(uri.clone(), Notebook { cells, path });
        self.open_cells(texts, home);
        self.arrange(&uri);
    }

    /// A notebook was edited: the cells below are looked at anew.
    pub fn change_notebook(&mut self, uri: &Url, change: NotebookChange) {
        let home = self.scope_at(uri);
        let Some(notebook) = self.notebooks.get_mut(uri) else { return };
        if let Some((start, removed, put)) = change.spliced {
            let start = start.min(notebook.cells.len());
            let end = start.saturating_add(removed).min(notebook.cells.len());
            notebook.cells.splice(start..end, put);
        }
        for altered in change.altered {
            if let Some(cell) = notebook.cells.iter_mut().find(|cell| cell.document == altered.document) {
                *cell = altered;
            }
        }
        change.closed.into_iter().for_each(|cell| self.close(cell));
        self.open_cells(change.opened, home);
        for (cell, version, changes) in change.edited {
            self.change(&cell, version, changes);
        }
        self.arrange(uri);
    }

    /// A notebook was closed, and every cell of it.
    pub fn close_notebook(&mut self, uri: &Url) {
        let is_in_it =
            |document: &OpenDocument| document.place.as_ref().is_some_and(|place| place.notebook == *uri);
        let cells = self.documents.iter().filter(|(_, document)| is_in_it(document));
        let cells: Vec<Url> = cells.map(|(cell, _)| cell.clone()).collect();
        cells.into_iter().for_each(|cell| self.close(cell));
        self.notebooks.remove(uri);
        self.kernel_selected(uri.clone(), None);
    }

    /// A notebook was saved. No document imports it, but whoever works on an environment that is ill wants to know whether it
    /// helped.
    pub fn saved_notebook(&mut self, uri: &Url) {
        let Some(notebook) = self.notebooks.get(uri) else { return };
        let mut views = notebook.cells.iter().filter_map(|cell| self.view(&cell.document));
        let ill = views
            .find(|view| view.scope.told.as_ref().is_some_and(Health::is_ill) && !view.imports().is_empty());
        if let Some(target) = ill.map(|view| view.scope.target.clone()) {
            self.stale.insert(target);
        }
    }

    /// Those of another language are none of ours.
    fn open_cells(&mut self, texts: Vec<TextDocumentItem>, home: usize) {
        for text in texts.into_iter().filter(|text| text.language_id == "python") {
            self.documents.insert(text.uri, OpenDocument::new(text.version, text.text, home, None));
        }
    }

    /// Gives each cell its place.
    fn arrange(&mut self, uri: &Url) {
        let Some(notebook) = self.notebooks.get(uri) else { return };
        let mut texts = Vec::new();
        let mut places: HashMap<&Url, Option<usize>> = HashMap::with_capacity(notebook.cells.len());
        for cell in &notebook.cells {
            let text = self.documents.get(&cell.document).filter(|_| cell.is_code());
            places.insert(&cell.document, text.map(|_| texts.len()));
            texts.extend(text.map(|text| text.text().to_owned()));
        }
        let cells = Arc::new(Cells::new(texts, notebook.path.clone()));
        for (cell, document) in &mut self.documents {
            let was_in_it = document.place.as_ref().is_some_and(|place| place.notebook == *uri);
            let at = places.get(cell);
            if was_in_it || at.is_some() {
                let (notebook, at) = (uri.clone(), at.copied().flatten());
                document.place = Some(Place { notebook, cells: cells.clone(), at });
                document.forget();
            }
        }
    }
}
