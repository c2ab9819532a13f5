//! What can be wrong with a world.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a world could not be made. Lines count from 1.
#[derive(Debug, Error)]
pub enum WorldError {
    /// The text does not describe a world.
    #[error("line {line}: {mistake}")]
    Mistaken {
        /// Where.
        line: usize,
        /// What is wrong there.
        mistake: Mistake,
    },
    /// A file could not be written as declared.
    #[error("line {line}: cannot write {}", path.display())]
    Unwritable {
        /// The line that declares the file.
        line: usize,
        /// The file itself, or its folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no temporary folder to write into.
    #[error("cannot make a temporary folder")]
    NoFolder(#[source] io::Error),
}

/// What is wrong with a line of a world's text.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Mistake {
    /// The path is none that a file on Windows can have.
    #[error("no file can have the path {0:?}")]
    Path(String),
    /// The path is declared before, perhaps in other letter case.
    #[error("{path:?} is already declared in line {line}")]
    DeclaredTwice {
        /// The path.
        path: String,
        /// The line of the first declaration.
        line: usize,
    },
    /// A quotation mark has no partner.
    #[error("a quotation mark is not closed")]
    Unclosed,
    /// An item between commas is no attribute, and no list is there to continue.
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
    #[error("{0:?} is no import: expected x.dll, x.dll!symbol, x.dll!#ordinal or x.dll!")]
    Import(String),
    /// An item in a list of exports is malformed.
    #[error("{0:?} is no export: expected symbol, symbol@ordinal or @ordinal, or one with =dll.symbol")]
    Export(String),
    /// Two exports have one name or one ordinal.
    #[error("{0} is exported twice")]
    ExportedTwice(String),
    /// The indented lines belong to no text.
    #[error("only a text or a manifest is continued by indented lines")]
    Continuation,
    /// A line is indented, but not by four spaces.
    #[error("a line of a text is indented by four spaces")]
    Indentation,
    /// Nothing is left to cut off.
    #[error("cannot cut a file of {len} bytes to {cut}")]
    Cut {
        /// The wanted length.
        cut: u64,
        /// The length of the file without the attribute.
        len: u64,
    },
    /// The content is longer than the file is to be.
    #[error("a file of {len} bytes does not fit into size {size}")]
    Size {
        /// The wanted length.
        size: u64,
        /// The length of the file without the attribute.
        len: u64,
    },
}
