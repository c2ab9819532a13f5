//! What is asked about: an import, where it stands, and whether anybody wants to hear of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use crate::host::WinPath;
use crate::source::{self, Document, ImportStatement, Name};

/// An import to be diagnosed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Import {
    /// Dotted name.
    pub name: String,
    /// What `from name import …` takes out of it, which may be modules; empty for a plain import.
    pub names: Vec<Name>,
    /// It is an attribute of a module that was imported before: `name.names[0]`.
    pub is_access: bool,
    /// It is not made by versions before 3.N, which do not know this syntax of the program: N, and what it is called.
    pub needs: Option<(u16, String)>,
    /// What the program does before, as Python text; mostly empty.
    pub before: Arc<str>,
    /// The file of the document that it stands in, which Python is taken to run; none where nobody knows it.
    pub document: Option<WinPath>,
    /// What is told of it.
    pub watched: Watched,
}

/// What is told of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Watched {
    /// Everything: somebody named its package.
    Named,
    /// What goes wrong if it is an installed package with native code, be it its own or that of what it imports. Nothing if it
    /// is not installed. Of a module of the program itself what goes wrong with the native code that it imports.
    IfNative,
    /// It is of the standard library: that native code of Python's own cannot be loaded.
    Standard,
}

/// The packages whose imports are diagnosed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watch {
    /// All that are installed with native code, or are Python's own, and [`ALWAYS`].
    Native,
    /// Those with these top-level names.
    Named(Vec<String>),
}

/// What it is all about: its absence is told too.
pub const ALWAYS: &str = "tensorflow";

/// Modules of the standard library that load nothing beside pythonXY.dll, in no version of Python. Nearly every text imports some of them, and
/// need not be looked at for that.
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

/// More imports of packages that nobody named are not looked at in a document: no person wrote it.
const MOST_OTHERS: usize = 1_000;

impl Import {
    /// An import that a program begins with.
    pub fn first(name: &str) -> Import {
        Import {
            name: name.to_owned(),
            names: Vec::new(),
            is_access: false,
            needs: None,
            before: Arc::default(),
            document: None,
            watched: Watched::Named,
        }
    }
}

impl Watch {
    /// The names of packages that are told of even if no document imports them.
    pub fn named(&self) -> Vec<&str> {
        match self {
            Watch::Native => vec![ALWAYS],
            Watch::Named(names) => names.iter().map(String::as_str).collect(),
        }
    }

    /// What is told of the imports of a top-level name; none if they are not even looked at.
    pub fn of(&self, top_level: &str) -> Option<Watched> {
        match self {
            Watch::Named(names) => names.iter().any(|name| name == top_level).then_some(Watched::Named),
            Watch::Native if top_level == ALWAYS => Some(Watched::Named),
            Watch::Native if PLAIN.contains(&top_level) => None,
            Watch::Native if source::is_standard(top_level) => Some(Watched::Standard),
            Watch::Native => Some(Watched::IfNative),
        }
    }

    /// Leaves those imports of a document that are looked at.
    pub fn choose(&self, document: &mut Document) {
        let mut others = 0;
        document.choose(|import| match self.of(import.top_level()) {
            None => false,
            Some(Watched::Named) => true,
            Some(Watched::IfNative | Watched::Standard) => {
                others += 1;
                others <= MOST_OTHERS
            }
        });
    }

    /// What is to be asked about an import of a document, which lies in the file `path`.
    pub fn import(&self, statement: &ImportStatement, path: Option<&WinPath>) -> Option<Import> {
        let watched = self.of(statement.top_level())?;
        Some(Import {
            name: statement.module.to_string(),
            names: statement.names.clone(),
            is_access: statement.is_access,
            needs: statement.needs.as_ref().map(|newer| (newer.since, newer.what.clone())),
            before: statement.before.clone(),
            document: path.cloned(),
            watched,
        })
    }
}

/// The file that a document is run as, or the cells of a notebook; none for a part of a package, which is only imported.
///
/// Documents of one folder that make the same imports are one and the same, but where they ask for `__file__`: one answer serves all. So the
/// file is called by what it imports.
pub fn run_as(document: &[Document], path: Option<WinPath>) -> Option<WinPath> {
    let path = path.filter(|_| !document.iter().any(|part| part.is_in_package))?;
    let all = || document.iter().flat_map(|part| &part.imports);
    if all().any(|import| import.before.contains("__file__")) {
        return Some(path);
    }
    let mut imports = FxHasher::default();
    for import in all().filter(|import| !import.is_access) {
        (&import.module, &import.names, &import.before).hash(&mut imports);
    }
    Some(path.parent()?.join(&format!("{:016x}.py", imports.finish())))
}
