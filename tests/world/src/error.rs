//! The errors of worlds.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a world could not be made. Lines are numbered from 1.
#[derive(Debug, Error)]
pub enum WorldError {
    /// The source does not describe a world.
    #[error("line {line}: {mistake}")]
    Mistaken {
        /// The number of the line.
        line: usize,
        /// The mistake.
        mistake: Mistake,
    },
    /// A file could not be written as declared.
    #[error("line {line}: cannot write {}", path.display())]
    Unwritable {
        /// The line that declares the file.
        line: usize,
        /// The file itself, or its directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// No temporary directory could be made.
    #[error("cannot make a temporary folder")]
    NoFolder(#[source] io::Error),
}

/// A mistake in a line of a world.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Mistake {
    /// No file on Windows can have the path.
    #[error("no file can have the path {0:?}")]
    Path(String),
    /// The path was declared before, possibly in other letter case.
    #[error("{path:?} is already declared in line {line}")]
    DeclaredTwice {
        /// The path.
        path: String,
        /// The line of the first declaration.
        line: usize,
    },
    /// A quotation mark is not closed.
    #[error("a quotation mark is not closed")]
    Unclosed,
    /// An item between commas is not an attribute, and there is no list to continue.
    #[error("unknown attribute {0:?}")]
    Attribute(String),
    /// Two attributes exclude each other.
    #[error("a file cannot be {0:?} and {1:?} at once")]
    Contradiction(String, String),
    /// A folder has attributes.
    #[error("a folder has no attributes")]
    FolderAttributes,
    /// A number or a version is malformed, too long or too large.
    #[error("{0:?} is not a number or version of the expected size")]
    Number(String),
    /// An item in a list of imports is malformed.
    #[error("{0:?} is not an import: expected x.dll, x.dll!symbol, x.dll!#ordinal or x.dll!")]
    Import(String),
    /// An item in a list of exports is malformed.
    #[error("{0:?} is not an export: expected symbol, symbol@ordinal or @ordinal, or one with =dll.symbol")]
    Export(String),
    /// Two exports have one name or one ordinal.
    #[error("{0} is exported twice")]
    ExportedTwice(String),
    /// Indented lines follow something that has none.
    #[error("only a text or a manifest is continued by indented lines")]
    Continuation,
    /// A line is indented, but not by four spaces.
    #[error("a line of a text is indented by four spaces")]
    Indentation,
    /// The file is not longer than the length that it is cut to.
    #[error("cannot cut a file of {len} bytes to {cut}")]
    Cut {
        /// The requested length.
        cut: u64,
        /// The length of the file without the attribute.
        len: u64,
    },
    /// The content is longer than the requested size.
    #[error("a file of {len} bytes does not fit into size {size}")]
    Size {
        /// The requested length.
        size: u64,
        /// The length of the file without the attribute.
        len: u64,
    },
}
