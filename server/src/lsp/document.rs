//! An open document: its text as the editor has it, and the imports in it that are watched.

use std::cell::OnceCell;
use std::ops::RangeInclusive;
use std::panic::catch_unwind;

use tower_lsp::lsp_types::Diagnostic;

use super::notebook::Place;
use crate::diagnosis::{Import, Watch, run_as};
use crate::host::WinPath;
use crate::source::{Document, Guard, ImportStatement, LineIndex, Position, Range};

/// A Python document that is open in the editor.
pub struct OpenDocument {
    /// The editor's number of the text's state.
    pub version: i32,
    /// Which of the session's scopes it is in.
    pub scope: usize,
    /// What was published last, and of which version.
    pub published: Option<(i32, Vec<Diagnostic>)>,
    /// Something changed since, so its diagnostics are to be looked at anew.
    pub due: bool,
    /// Where it is in a notebook, if it is a cell.
    pub place: Option<Place>,
    /// Its file, as this system names it; none if it is not on a disk.
    path: Option<WinPath>,
    text: String,
    /// The lines that were changed last, where a name may be half written.
    edited: Option<RangeInclusive<u32>>,
    read: OnceCell<Read>,
}

/// What was read of a text.
#[derive(Default)]
struct Read {
    document: Document,
    /// What it is run as, see [`run_as`].
    run_as: Option<WinPath>,
}

/// A change of a text: of a part of it, or of all.
#[derive(Debug)]
pub struct Change {
    pub range: Option<Range>,
    pub text: String,
}

impl OpenDocument {
    /// As opened.
    pub fn new(version: i32, text: String, scope: usize, path: Option<WinPath>) -> OpenDocument {
        let (published, place, read) = Default::default();
        OpenDocument { version, scope, published, due: true, place, path, text, edited: None, read }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Applies changes, each to what the one before it made. One that makes no sense does what is
    /// nearest to it: places outside of the text are drawn into it.
    pub fn change(&mut self, version: i32, changes: Vec<Change>) {
        self.version = version;
        for Change { range, text } in changes {
            match range {
                None => {
                    self.text = text;
                    self.edited = None;
                }
                Some(Range { start, end }) => {
                    let first = start.line.min(end.line);
                    let lines = text.matches('\n').count() as u32;
                    self.edited = Some(first..=first.saturating_add(lines));
                    let lines = LineIndex::new(&self.text);
                    let start = lines.offset(&self.text, start);
                    let end = lines.offset(&self.text, end);
                    self.text.replace_range(start.min(end)..start.max(end), &text);
                }
            }
        }
        self.forget();
    }

    /// Forgets what was read, because the text or the packages to watch are others.
    pub fn forget(&mut self) {
        self.read.take();
        self.due = true;
    }

    /// Its imports of these packages. Read once for each state of the text.
    pub fn read(&self, packages: &Watch) -> &Document {
        &self.read_once(packages).document
    }

    fn read_once(&self, packages: &Watch) -> &Read {
        self.read.get_or_init(|| {
            // Many texts name none of them, and need no parser to say so.
            let may_import = match packages {
                Watch::Native => self.text.contains("import"),
                Watch::Named(names) => names.iter().any(|package| self.text.contains(package.as_str())),
            };
            // An installed package is read there, and its code is not the reader's to change.
            let is_installed = self.path.as_ref().is_some_and(|path| {
                path.as_str().split(['/', '\\']).any(|folder| folder.eq_ignore_ascii_case("site-packages"))
            });
            // Python runs no stub.
            let is_stub = self.path.as_ref().is_some_and(|path| path.has_extension("pyi"));
            if !may_import || is_installed || is_stub {
                return Read::default();
            }
            let watched = |mut document: Document| {
                packages.choose(&mut document);
                let is_edited = |import: &ImportStatement| {
                    self.edited.as_ref().is_some_and(|lines| lines.contains(&import.range.start.line))
                };
                document.imports.retain(|import| !(import.is_access && is_edited(import)));
                document.imports.shrink_to_fit();
                document
            };
            let text = self.text.as_str();
            if let Some(place) = &self.place {
                let (document, run_as) = place.read();
                return Read { document: watched(document), run_as };
            }
            let document = watched(catch_unwind(|| Document::parse(text)).unwrap_or_default());
            let run_as = run_as(std::slice::from_ref(&document), self.path.clone());
            Read { document, run_as }
        })
    }

    /// The import of these packages whose name is at `position`.
    pub fn import_at(&self, position: Position, packages: &Watch) -> Option<&ImportStatement> {
        let touches = |range: Range| range.start <= position && position <= range.end;
        self.read(packages).imports.iter().find(|import| touches(import.range))
    }

    /// What is to be diagnosed for one of its imports. For one that is not run its package alone will do.
    pub fn asked(&self, import: &ImportStatement, packages: &Watch) -> Option<Import> {
        if import.guard == Guard::NotRun {
            let watched = packages.of(import.top_level())?;
            return Some(Import { watched, ..Import::first(import.top_level()) });
        }
        packages.import(import, self.read_once(packages).run_as.as_ref())
    }

    /// Reads a text of the same kind, as if nothing were above it.
    pub fn parse(&self, text: &str) -> Document {
        match self.place {
            Some(_) => Document::of_cells(&[text]).pop().unwrap_or_default(),
            None => Document::parse(text),
        }
    }

    /// How its lines end.
    pub fn line_ending(&self) -> &'static str {
        match self.text.find(['\r', '\n']).and_then(|at| self.text.get(at..)) {
            Some(rest) if rest.starts_with("\r\n") => "\r\n",
            Some(rest) if rest.starts_with('\r') => "\r",
            _ => "\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    fn changed(text: &str, changes: &[(Position, Position, &str)]) -> String {
        let mut document = OpenDocument::new(1, text.to_owned(), 0, None);
        let changes = changes
            .iter()
            .map(|&(start, end, text)| Change { range: Some(Range { start, end }), text: text.to_owned() });
        document.change(2, changes.collect());
        document.text
    }

    #[test]
    fn changes_apply_one_after_the_other() {
        let changes =
            [(at(0, 0), at(0, 0), "import x\n"), (at(0, 7), at(0, 8), "y"), (at(1, 0), at(9, 0), "")];
        assert_eq!(changed("a = 1\nb = 2\n", &changes), "import y\n");
    }

    #[test]
    fn columns_count_utf_16_units() {
        assert_eq!(changed("s = '😀é'; x", &[(at(0, 11), at(0, 12), "y")]), "s = '😀é'; y");
        assert_eq!(
            changed("\u{feff}import x\r\ny\r\n", &[(at(0, 8), at(0, 9), "z")]),
            "\u{feff}import z\r\ny\r\n"
        );
    }

    #[test]
    fn places_outside_are_drawn_in() {
        assert_eq!(changed("ab\r\ncd", &[(at(0, 99), at(0, 100), "!")]), "ab!\r\ncd");
        assert_eq!(changed("ab\ncd", &[(at(7, 7), at(9, 9), "!")]), "ab\ncd!");
        assert_eq!(changed("abcd", &[(at(0, 3), at(0, 1), "!")]), "a!d");
        // Half of a surrogate pair: the whole character stays.
        assert_eq!(changed("'😀'", &[(at(0, 2), at(0, 2), "!")]), "'😀!'");
    }

    #[test]
    fn only_watched_imports_are_kept() {
        let text = "import os, tensorflow.keras\nimport tensorflow_hub\n";
        let named = Watch::Named(vec!["tensorflow".to_owned()]);
        let document = OpenDocument::new(1, text.to_owned(), 0, None);
        assert_eq!(document.read(&named).imports.len(), 1);
        assert!(document.import_at(at(0, 11), &named).is_some());
        assert!(document.import_at(at(0, 7), &named).is_none());
        // All but the standard library, if they turn out to have native code.
        let document = OpenDocument::new(1, text.to_owned(), 0, None);
        assert_eq!(document.read(&Watch::Native).imports.len(), 2);
        assert!(document.import_at(at(0, 7), &Watch::Native).is_none());
    }

    #[test]
    fn an_attribute_counts_once_its_line_is_left() {
        let mut document = OpenDocument::new(1, "import numpy\nnumpy.random\nx = 1\n".to_owned(), 0, None);
        let accesses = |document: &OpenDocument| -> Vec<String> {
            let imports = document.read(&Watch::Native).imports.iter();
            imports.filter(|import| import.is_access).map(|import| import.names.join(",")).collect()
        };
        assert_eq!(accesses(&document), ["random"]);
        let change = |start, end, text: &str| {
            vec![Change { range: Some(Range { start, end }), text: text.to_owned() }]
        };
        document.change(2, change(at(1, 6), at(1, 12), "lin"));
        assert_eq!(accesses(&document), [""; 0]);
        document.change(3, change(at(2, 4), at(2, 5), "2"));
        assert_eq!(accesses(&document), ["lin"]);
        document.change(4, change(at(u32::MAX, 0), at(u32::MAX, 0), "\n"));
        assert_eq!(accesses(&document), ["lin"]);
    }
}
