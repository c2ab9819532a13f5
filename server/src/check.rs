//! Checks Python files, notebooks, and directories of them in one environment, and the import that
//! failed in a traceback, for the terminal and for the editor's commands.

mod explain;

use std::fs;
use std::path::{Path, PathBuf};

use crate::diagnosis::{DiagnosisCache, Import, ImportingDocument, PackageFilter, SeveritySettings};
use crate::host::Host;
use crate::report::{CheckedDocument, Located, Report, Statement};
use crate::source::{Cell, Document, Guard, ImportStatement, NotebookError, code_cells};

pub use explain::{ExplainError, ExplainedImport, Precedence};

/// A file to check.
pub struct SourceFile {
    /// The source, or the Python cells of a notebook.
    pub parts: Vec<CheckedDocument>,
    /// The path, if the program is a file.
    pub path: Option<PathBuf>,
}

/// Files to check.
#[derive(Default)]
pub struct SourceFiles {
    /// The programs, sorted by name within each directory.
    pub files: Vec<SourceFile>,
    /// The notebooks in a directory that can't be read, and why.
    pub skipped: Vec<ReadError>,
}

/// The reason why a file can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file that can't be read.
    #[error("{path}: {reason}")]
    Document {
        /// The path of the file, as displayed.
        path: String,
        /// The message of the operating system, or that the file is too large.
        reason: String,
    },
    /// A file that isn't a notebook of a supported format.
    #[error("{path}: {error}")]
    Notebook {
        /// The path of the file, as displayed.
        path: String,
        /// The reason why the notebook can't be read.
        error: NotebookError,
    },
}

/// The maximum number of failing imports that are reported per file, in case a generated file
/// repeats one.
const MOST_PLACES: usize = 1_000;

/// The maximum size of a document, in bytes.
const LONGEST_DOCUMENT: u64 = 64 << 20;

/// Adds the findings on the watched imports of `programs` to `report`.
pub fn check_programs(
    report: &mut Report<'_>,
    host: &Host,
    diagnoses: &mut DiagnosisCache<'_>,
    programs: Vec<SourceFile>,
    filter: &PackageFilter,
    severity: &SeveritySettings,
) {
    for SourceFile { mut parts, path } in programs {
        let first = report.documents.len();
        let mut documents = read(&parts);
        documents.iter_mut().for_each(|document| filter.apply(document));
        let path = path.map(|path| host.path_of(&path));
        let program = ImportingDocument::of(&documents, path.as_ref());
        let imports = documents.iter().enumerate().flat_map(|(part, document)| {
            let run = document.imports.iter().filter(|import| import.guard != Guard::NotRun);
            run.map(move |import| (part, import))
        });
        let asked = imports
            .filter_map(|(part, import)| Some(((part, import), filter.import(import, program.as_ref())?)));
        let (places, asked): (Vec<(usize, &ImportStatement)>, Vec<Import>) = asked.unzip();
        let mut distinct = asked.clone();
        distinct.sort();
        distinct.dedup();
        distinct.truncate(MOST_PLACES);
        let known = diagnoses.diagnose_and_prove(&distinct);
        let mut reported = 0;
        for ((part, import), asked) in places.into_iter().zip(asked) {
            let Some(diagnosis) = distinct.binary_search(&asked).ok().and_then(|place| known.get(place))
            else {
                continue;
            };
            if diagnosis.packages.is_empty() {
                continue;
            }
            if let Some(checked) = parts.get_mut(part) {
                checked.watched_imports += 1;
            }
            reported += 1;
            if reported > MOST_PLACES {
                continue;
            }
            for package in &diagnosis.packages {
                if !report.packages.contains(package) {
                    report.packages.push(package.clone());
                }
            }
            for finding in diagnosis.shown_on(severity, import) {
                let finding = finding.into_owned();
                report.findings.push(Located { finding, at: Some((first + part, import.range)) });
            }
        }
        for (part, document) in parts.iter_mut().zip(&documents) {
            part.imports_os = document.imports_os;
            part.statements = document.imports.iter().map(Statement::from).collect();
        }
        report.documents.extend(parts);
    }
}

fn read(parts: &[CheckedDocument]) -> Vec<Document> {
    match parts {
        [text] if text.cell.is_none() => vec![Document::parse(&text.text)],
        cells => Document::parse_cells(&cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<&str>>()),
    }
}

impl SourceFiles {
    /// Reads a file, or the Python files and notebooks in a directory. Skips environments and files
    /// that `.gitignore` and the like exclude.
    pub fn add(&mut self, path: &Path) -> Result<(), ReadError> {
        if !path.is_dir() {
            self.files.push(read_program(path)?);
            return Ok(());
        }
        let walk = ignore::WalkBuilder::new(path)
            .require_git(false)
            .filter_entry(|entry| {
                let folder = entry.path();
                let name = entry.file_name();
                !(name == "site-packages" || name == "node_modules" || folder.join("pyvenv.cfg").is_file())
            })
            .sort_by_file_name(Ord::cmp)
            .build();
        for entry in walk {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if self.files.is_empty() && fs::read_dir(path).is_err() => {
                    return Err(unreadable(path, &error));
                }
                // A subdirectory that this user can't read contains none of their work.
                Err(_) => continue,
            };
            let is_program =
                entry.path().extension().is_some_and(|e| e == "py" || e == "pyw" || e == "ipynb");
            if is_program && entry.file_type().is_some_and(|kind| kind.is_file()) {
                match read_program(entry.path()) {
                    // The other files can still be checked. Only if it was named itself, it is an
                    // error.
                    Err(broken @ ReadError::Notebook { .. }) => self.skipped.push(broken),
                    read => self.files.push(read?),
                }
            }
        }
        Ok(())
    }
}

fn read_program(path: &Path) -> Result<SourceFile, ReadError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.len() > LONGEST_DOCUMENT {
        return Err(unreadable(path, &format!("it is too large ({} bytes)", metadata.len())));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let name = path.display().to_string();
    let whole = |text: &str| CheckedDocument::new(name.clone(), text.to_owned());
    let parts = if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ipynb")) {
        let cells = code_cells(text);
        let cells = cells.map_err(|error| ReadError::Notebook { path: name.clone(), error })?;
        let in_cell = |Cell { index, text }| CheckedDocument { cell: Some(index), ..whole(&text) };
        let cells: Vec<CheckedDocument> = cells.into_iter().map(in_cell).collect();
        // A notebook without Python is checked, too.
        if cells.is_empty() { vec![whole("")] } else { cells }
    } else {
        vec![whole(text)]
    };
    Ok(SourceFile { parts, path: Some(path.to_owned()) })
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> ReadError {
    ReadError::Document { path: path.display().to_string(), reason: error.to_string() }
}
