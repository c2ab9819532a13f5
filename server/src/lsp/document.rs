//! An open document: its content as the editor has it, and its watched imports.

use std::cell::OnceCell;
use std::ops::RangeInclusive;
use std::panic::catch_unwind;

use tower_lsp::lsp_types::Diagnostic;

use super::notebook::CellPlace;
use crate::diagnosis::{Import, ImportingDocument, PackageFilter};
use crate::host::WinPath;
use crate::source::{Document, Guard, ImportStatement, LineIndex, Position, Range};

/// A Python document that is open in the editor.
pub struct OpenDocument {
    /// The version number of the content in the editor.
    pub version: i32,
    /// The index of the session's scope that contains the document.
    pub scope: usize,
    /// The diagnostics that were published last, and the version that they are for.
    pub published: Option<(i32, Vec<Diagnostic>)>,
    /// Whether something has changed since, so that the diagnostics must be computed again.
    pub due: bool,
    /// The position in a notebook, if the document is a cell.
    pub place: Option<CellPlace>,
    /// Its file, as a native path; `None` if it isn't on a disk.
    path: Option<WinPath>,
    text: String,
    /// The lines of the last change, where a name may be incomplete.
    edited: Option<RangeInclusive<u32>>,
    parsed: OnceCell<ParsedDocument>,
}

/// The parsed content of a document.
#[derive(Default)]
struct ParsedDocument {
    document: Document,
    /// The program that it is.
    program: Option<ImportingDocument>,
}

/// A change of a document: of a range, or of its whole content.
#[derive(Debug)]
pub struct TextChange {
    pub range: Option<Range>,
    pub text: String,
}

impl OpenDocument {
    /// Creates a document that was just opened.
    pub fn new(version: i32, text: String, scope: usize, path: Option<WinPath>) -> OpenDocument {
        let (published, place, parsed) = Default::default();
        OpenDocument { version, scope, published, due: true, place, path, text, edited: None, parsed }
    }

    /// Returns its content.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Applies changes, each to the result of the one before. Positions outside the document are
    /// clamped to it.
    pub fn change(&mut self, version: i32, changes: Vec<TextChange>) {
        self.version = version;
        for TextChange { range, text } in changes {
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

    /// Discards the parsed content, because the content or the packages to watch have changed.
    pub fn forget(&mut self) {
        self.parsed.take();
        self.due = true;
    }

    /// Returns its imports of these packages. Each version of the content is parsed once.
    pub fn read(&self, packages: &PackageFilter) -> &Document {
        &self.parsed(packages).document
    }

    fn parsed(&self, packages: &PackageFilter) -> &ParsedDocument {
        self.parsed.get_or_init(|| {
            // Many documents don't mention any of the packages, and needn't be parsed.
            let may_import = match packages {
                PackageFilter::Native => self.text.contains("import"),
                PackageFilter::Named(names) => {
                    names.iter().any(|package| self.text.contains(package.as_str()))
                }
            };
            // The user only reads installed packages and doesn't change them.
            let is_installed = self.path.as_ref().is_some_and(|path| {
                path.as_str().split(['/', '\\']).any(|folder| folder.eq_ignore_ascii_case("site-packages"))
            });
            // Python doesn't run stub files.
            let is_stub = self.path.as_ref().is_some_and(|path| path.has_extension("pyi"));
            if !may_import || is_installed || is_stub {
                return ParsedDocument::default();
            }
            let watched = |mut document: Document| {
                packages.apply(&mut document);
                let is_edited = |import: &ImportStatement| {
                    self.edited.as_ref().is_some_and(|lines| lines.contains(&import.range.start.line))
                };
                document.imports.retain(|import| !(import.is_access && is_edited(import)));
                document.imports.shrink_to_fit();
                document
            };
            let text = self.text.as_str();
            if let Some(place) = &self.place {
                let (document, program) = place.read();
                return ParsedDocument { document: watched(document), program };
            }
            let document = watched(catch_unwind(|| Document::parse(text)).unwrap_or_default());
            let program = ImportingDocument::of(std::slice::from_ref(&document), self.path.as_ref());
            ParsedDocument { document, program }
        })
    }

    /// Returns the import of these packages whose name is at `position`.
    pub fn import_at(&self, position: Position, packages: &PackageFilter) -> Option<&ImportStatement> {
        let touches = |range: Range| range.start <= position && position <= range.end;
        self.read(packages).imports.iter().find(|import| touches(import.range))
    }

    /// Returns what to diagnose for one of its imports. For an import that isn't run, that is the
    /// package alone.
    pub fn import_to_diagnose(&self, import: &ImportStatement, packages: &PackageFilter) -> Option<Import> {
        if import.guard == Guard::NotRun {
            let scope = packages.of(import.top_level())?;
            return Some(Import { scope, ..Import::first(import.top_level()) });
        }
        packages.import(import, self.parsed(packages).program.as_ref())
    }

    /// Parses `text` as a document of the same kind, with no cells above it.
    pub fn parse(&self, text: &str) -> Document {
        match self.place {
            Some(_) => Document::parse_cells(&[text]).pop().unwrap_or_default(),
            None => Document::parse(text),
        }
    }

    /// Returns the line ending that the document uses.
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
        let changes = changes.iter().map(|&(start, end, text)| TextChange {
            range: Some(Range { start, end }),
            text: text.to_owned(),
        });
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
    fn positions_outside_the_document_are_clamped() {
        assert_eq!(changed("ab\r\ncd", &[(at(0, 99), at(0, 100), "!")]), "ab!\r\ncd");
        assert_eq!(changed("ab\ncd", &[(at(7, 7), at(9, 9), "!")]), "ab\ncd!");
        assert_eq!(changed("abcd", &[(at(0, 3), at(0, 1), "!")]), "a!d");
        // In the middle of a surrogate pair: the character stays whole.
        assert_eq!(changed("'😀'", &[(at(0, 2), at(0, 2), "!")]), "'😀!'");
    }

    #[test]
    fn only_watched_imports_are_kept() {
        let text = "import os, tensorflow.keras\nimport tensorflow_hub\n";
        let named = PackageFilter::Named(vec!["tensorflow".to_owned()]);
        let document = OpenDocument::new(1, text.to_owned(), 0, None);
        assert_eq!(document.read(&named).imports.len(), 1);
        assert!(document.import_at(at(0, 11), &named).is_some());
        assert!(document.import_at(at(0, 7), &named).is_none());
        // Everything outside the standard library, in case it has native code.
        let document = OpenDocument::new(1, text.to_owned(), 0, None);
        assert_eq!(document.read(&PackageFilter::Native).imports.len(), 2);
        assert!(document.import_at(at(0, 7), &PackageFilter::Native).is_none());
    }

    #[test]
    fn an_attribute_access_counts_after_its_line_is_finished() {
        let mut document = OpenDocument::new(1, "import numpy\nnumpy.random\nx = 1\n".to_owned(), 0, None);
        let accesses = |document: &OpenDocument| -> Vec<String> {
            let imports = document.read(&PackageFilter::Native).imports.iter();
            imports.filter(|import| import.is_access).map(|import| import.names.join(",")).collect()
        };
        assert_eq!(accesses(&document), ["random"]);
        let change = |start, end, text: &str| {
            vec![TextChange { range: Some(Range { start, end }), text: text.to_owned() }]
        };
        document.change(2, change(at(1, 6), at(1, 12), "lin"));
        assert_eq!(accesses(&document), [""; 0]);
        document.change(3, change(at(2, 4), at(2, 5), "2"));
        assert_eq!(accesses(&document), ["lin"]);
        document.change(4, change(at(u32::MAX, 0), at(u32::MAX, 0), "\n"));
        assert_eq!(accesses(&document), ["lin"]);
    }
}
