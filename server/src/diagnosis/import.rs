//! The imports to diagnose: an import, its context in the program, and whether its findings are
//! reported.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use crate::host::WinPath;
use crate::source::{self, Document, ImportPoint, ImportStatement, Name};

/// An import to diagnose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Import {
    /// The dotted name.
    pub name: String,
    /// The names that `from name import …` imports, which may be modules; empty for a plain import.
    pub names: Vec<Name>,
    /// Whether this is an attribute access on a module that was imported before: `name.names[0]`.
    pub is_access: bool,
    /// The syntax that the program needs: N of the first version 3.N that compiles it, and its
    /// name. Earlier versions don't make the import.
    pub needs: Option<(u16, String)>,
    /// The place of the import in its program.
    pub point: ImportPoint,
    /// The document that contains the import. Python is assumed to run it. `None` if its file is
    /// unknown.
    pub document: Option<ImportingDocument>,
    /// What is reported for the import.
    pub scope: ReportScope,
}

/// What is reported for an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReportScope {
    /// Everything. The user named the package.
    Named,
    /// The failures of an installed package with native code, whether its own or that of a package
    /// that it imports; nothing if the package isn't installed. For a module of the program itself,
    /// the failures of the native code that it imports.
    IfNative,
    /// For a module of the standard library: native code of Python itself that can't be loaded.
    Standard,
}

/// The packages whose imports are diagnosed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageFilter {
    /// All installed packages with native code, Python's own native modules, and [`ALWAYS_WATCHED`].
    Native,
    /// The packages with these top-level names.
    Named(Vec<String>),
}

/// The package that is always watched. Its absence is reported, too.
pub const ALWAYS_WATCHED: &str = "tensorflow";

/// Modules of the standard library that load nothing besides pythonXY.dll, in any version of
/// Python. Nearly every document imports some of them, so they are skipped.
const PLAIN: [&str; 45] = [
    "__future__",
    "abc",
    "argparse",
    "ast",
    "builtins",
    "calendar",
    "cmath",
    "collections",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "enum",
    "errno",
    "fnmatch",
    "functools",
    "gc",
    "glob",
    "heapq",
    "inspect",
    "io",
    "itertools",
    "json",
    "keyword",
    "locale",
    "math",
    "numbers",
    "operator",
    "os",
    "pathlib",
    "pickle",
    "pprint",
    "re",
    "stat",
    "string",
    "struct",
    "sys",
    "textwrap",
    "threading",
    "time",
    "traceback",
    "types",
    "typing",
    "warnings",
];

/// The maximum number of imports in a document of packages that the user didn't name. A document
/// with more of them is generated.
const MOST_OTHERS: usize = 1_000;

impl Import {
    /// Creates an import at the beginning of a program.
    pub fn first(name: &str) -> Import {
        Import {
            name: name.to_owned(),
            names: Vec::new(),
            is_access: false,
            needs: None,
            point: ImportPoint::default(),
            document: None,
            scope: ReportScope::Named,
        }
    }
}

impl PackageFilter {
    /// Returns the names of the packages that are reported even if no document imports them.
    pub fn always_reported(&self) -> Vec<&str> {
        match self {
            PackageFilter::Native => vec![ALWAYS_WATCHED],
            PackageFilter::Named(names) => names.iter().map(String::as_str).collect(),
        }
    }

    /// Returns what is reported for imports of a top-level name, or `None` if they are skipped.
    pub fn of(&self, top_level: &str) -> Option<ReportScope> {
        match self {
            PackageFilter::Named(names) => {
                names.iter().any(|name| name == top_level).then_some(ReportScope::Named)
            }
            PackageFilter::Native if top_level == ALWAYS_WATCHED => Some(ReportScope::Named),
            PackageFilter::Native if PLAIN.contains(&top_level) => None,
            PackageFilter::Native if source::is_standard(top_level) => Some(ReportScope::Standard),
            PackageFilter::Native => Some(ReportScope::IfNative),
        }
    }

    /// Removes the imports of a document that are skipped.
    pub fn apply(&self, document: &mut Document) {
        let mut others = 0;
        document.retain_wanted(|import| match self.of(import.top_level()) {
            None => false,
            Some(ReportScope::Named) => true,
            Some(ReportScope::IfNative | ReportScope::Standard) => {
                others += 1;
                others <= MOST_OTHERS
            }
        });
    }

    /// Converts an import statement of the document `path`. Returns `None` if the import is
    /// skipped.
    pub fn import(
        &self,
        statement: &ImportStatement,
        document: Option<&ImportingDocument>,
    ) -> Option<Import> {
        let scope = self.of(statement.top_level())?;
        Some(Import {
            name: statement.module.to_string(),
            names: statement.names.clone(),
            is_access: statement.is_access,
            needs: statement.required_syntax.as_ref().map(|newer| (newer.since, newer.what.clone())),
            point: statement.point.clone(),
            document: document.cloned(),
            scope,
        })
    }
}

/// A document as the program that makes an import. Equal values stand for documents whose imports
/// have the same diagnoses: they are in one directory and do the same before the same imports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportingDocument {
    /// The directory of the document.
    pub folder: WinPath,
    /// `__file__`, if the document uses it before an import.
    pub file: Option<WinPath>,
    /// The identity of its imports and of what it does before them.
    identity: u64,
}

impl ImportingDocument {
    /// Creates the program that the file `path` is, if it does nothing that is relevant besides its
    /// imports.
    pub fn of_file(path: &WinPath, uses_file: bool) -> Option<ImportingDocument> {
        let file = uses_file.then(|| path.clone());
        Some(ImportingDocument { folder: path.parent()?, file, identity: 0 })
    }

    /// Returns the program that a document or the cells of a notebook are. Returns `None` for a
    /// module of a package, which is only imported.
    pub fn of(parts: &[Document], path: Option<&WinPath>) -> Option<ImportingDocument> {
        if parts.iter().any(|part| part.is_in_package) {
            return None;
        }
        let all = || parts.iter().flat_map(|part| &part.imports);
        let uses_file = all().any(|import| import.point.uses_file());
        let mut identity = FxHasher::default();
        for import in all().filter(|import| !import.is_access) {
            (&import.module, &import.names, &import.point).hash(&mut identity);
        }
        let document = ImportingDocument::of_file(path?, uses_file)?;
        Some(ImportingDocument { identity: identity.finish(), ..document })
    }

    /// Returns the document with other paths, as on another machine.
    pub fn with_paths(&self, path: impl Fn(&WinPath) -> WinPath) -> ImportingDocument {
        let (folder, file) = (path(&self.folder), self.file.as_ref().map(&path));
        ImportingDocument { folder, file, identity: self.identity }
    }
}
