//! The results of imports.

use crate::cpython::Inaccessible;
use crate::host::WinPath;
use crate::source::NewerSyntax;

/// The result of an import.
#[derive(Debug, Clone)]
pub struct ImportOutcome {
    /// The failure, or `None` if the import works as far as is known.
    pub error: Option<ImportFailure>,
}

/// An import that fails.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportFailure {
    /// The last line that Python prints: `ImportError: …`.
    pub sentence: String,
    /// A native file that its distribution installed, and that the program looked for without
    /// finding it.
    pub missing_recorded_file: Option<WinPath>,
    /// Distributions that the program refuses to be installed together, if that is the reason.
    pub conflicting_distributions: Vec<String>,
    /// The syntax that this Python is too old to compile.
    pub newer_syntax: Option<NewerSyntax>,
    /// The loads that caused the failure, root cause first: indices into
    /// [`Trace::failures`](super::trace::Trace::failures).
    pub loads: Vec<usize>,
    /// The module that was not found, if that caused the failure.
    pub missing: Option<MissingModule>,
    /// The files and lines from the statement that failed up to the requested import.
    pub trace: Vec<(WinPath, u32)>,
}

/// A missing module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingModule {
    /// The dotted name.
    pub name: String,
    /// The file that would provide the module in another version of Python.
    pub for_other_python: Option<WinPath>,
    /// The missing file that a distribution records as installed.
    pub recorded: Option<WinPath>,
    /// The module's file or directory that Python can't access.
    pub inaccessible: Option<Inaccessible>,
}

impl MissingModule {
    /// Whether nothing indicates where the module should be.
    pub fn is_unknown(&self) -> bool {
        self.for_other_python.is_none() && self.recorded.is_none() && self.inaccessible.is_none()
    }
}

/// The value of a module attribute after the module has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// `True`, `False`
    Bool(bool),
    /// A string.
    Str(String),
}
