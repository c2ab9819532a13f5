//! Notebooks. Each cell is a document with its place among the others.

use std::collections::HashMap;
use std::sync::Arc;

use tower_lsp::lsp_types::{TextDocumentItem, Url};

use super::Session;
use crate::host::WinPath;
use crate::lsp::document::{OpenDocument, TextChange};
use crate::lsp::health::ScopeHealth;
use crate::lsp::notebook::{CellPlace, Cells, Notebook, OpenCell};
use crate::lsp::scope::path_of;

/// The changes of a notebook, applied in this order.
#[derive(Default)]
pub struct NotebookChange {
    /// A change of the list of cells: start, number of removed cells, inserted cells.
    pub spliced: Option<(usize, usize, Vec<OpenCell>)>,
    /// The documents of new cells.
    pub opened: Vec<TextDocumentItem>,
    /// The documents of removed cells.
    pub closed: Vec<Url>,
    /// Cells whose kind has changed.
    pub altered: Vec<OpenCell>,
    /// Edits of cells, each with the resulting version.
    pub edited: Vec<(Url, i32, Vec<TextChange>)>,
}

impl Session {
    /// Adds a notebook that was opened, with the documents of its cells.
    pub fn open_notebook(&mut self, uri: Url, cells: Vec<OpenCell>, documents: Vec<TextDocumentItem>) {
        let at = self.scope_at(&uri);
        if let Some(scope) = self.scopes.get_mut(at) {
            scope.in_use = true;
        }
        let path = path_of(&uri).map(|path| WinPath::from_native(&path));
        self.notebooks.insert(uri.clone(), Notebook { cells, path });
        self.open_cells(documents, at);
        self.arrange(&uri);
    }

    /// Applies changes of a notebook, after which its cells are diagnosed again.
    pub fn change_notebook(&mut self, uri: &Url, change: NotebookChange) {
        let at = self.scope_at(uri);
        let Some(notebook) = self.notebooks.get_mut(uri) else { return };
        if let Some((start, removed, inserted)) = change.spliced {
            let start = start.min(notebook.cells.len());
            let end = start.saturating_add(removed).min(notebook.cells.len());
            notebook.cells.splice(start..end, inserted);
        }
        for altered in change.altered {
            if let Some(cell) = notebook.cells.iter_mut().find(|cell| cell.document == altered.document) {
                *cell = altered;
            }
        }
        change.closed.into_iter().for_each(|cell| self.close(cell));
        self.open_cells(change.opened, at);
        for (cell, version, changes) in change.edited {
            self.change(&cell, version, changes);
        }
        self.arrange(uri);
    }

    /// Removes a notebook that was closed, and all of its cells.
    pub fn close_notebook(&mut self, uri: &Url) {
        let is_in_it =
            |document: &OpenDocument| document.place.as_ref().is_some_and(|place| place.notebook == *uri);
        let cells = self.documents.iter().filter(|(_, document)| is_in_it(document));
        let cells: Vec<Url> = cells.map(|(cell, _)| cell.clone()).collect();
        cells.into_iter().for_each(|cell| self.close(cell));
        self.notebooks.remove(uri);
        self.kernel_selected(uri.clone(), None);
    }

    /// Schedules an analysis after a notebook was saved while the environment is unhealthy, to find
    /// out whether the change helped. Unlike a module, a notebook is never imported.
    pub fn saved_notebook(&mut self, uri: &Url) {
        let Some(notebook) = self.notebooks.get(uri) else { return };
        let mut views = notebook.cells.iter().filter_map(|cell| self.view(&cell.document));
        let unhealthy = views.find(|view| {
            view.scope.sent_health.as_ref().is_some_and(ScopeHealth::is_unhealthy)
                && !view.imports().is_empty()
        });
        if let Some(target) = unhealthy.map(|view| view.scope.target.clone()) {
            self.stale.insert(target);
        }
    }

    /// Adds the documents of Python cells; cells in other languages are ignored.
    fn open_cells(&mut self, documents: Vec<TextDocumentItem>, scope: usize) {
        for document in documents.into_iter().filter(|document| document.language_id == "python") {
            let TextDocumentItem { uri, version, text, .. } = document;
            self.documents.insert(uri, OpenDocument::new(version, text, scope, None));
        }
    }

    /// Updates the place of each cell.
    fn arrange(&mut self, uri: &Url) {
        let Some(notebook) = self.notebooks.get(uri) else { return };
        let mut sources = Vec::new();
        let mut places: HashMap<&Url, Option<usize>> = HashMap::with_capacity(notebook.cells.len());
        for cell in &notebook.cells {
            let document = self.documents.get(&cell.document).filter(|_| cell.is_code());
            places.insert(&cell.document, document.map(|_| sources.len()));
            sources.extend(document.map(|document| document.text().to_owned()));
        }
        let cells = Arc::new(Cells::new(sources, notebook.path.clone()));
        for (cell, document) in &mut self.documents {
            let was_in_it = document.place.as_ref().is_some_and(|place| place.notebook == *uri);
            let at = places.get(cell);
            if was_in_it || at.is_some() {
                let (notebook, at) = (uri.clone(), at.copied().flatten());
                document.place = Some(CellPlace { notebook, cells: cells.clone(), at });
                document.forget();
            }
        }
    }
}
