//! Python text → what importing it does ([`Script`]), and which imports a document makes ([`Document`]).
//!
//! Knows Python's grammar, but neither files nor Windows.

mod accesses;
mod compiled;
mod ignores;
mod import_lines;
mod imports;
mod ipython;
mod lazy_uses;
mod lines;
mod lower;
mod newer_syntax;
mod notebook;
mod outline;
mod prelude;
mod script;
mod standard;
#[cfg(test)]
mod tests;
pub mod withheld;

pub use compiled::lower_compiled;
pub use ignores::Ignores;
pub use imports::{Document, Guard, ImportStatement};
pub use lines::{LineIndex, Position, Range};
pub use lower::{lower, lower_part, lower_whole};
pub use newer_syntax::{LAZY_IMPORTS, NewerSyntax};
pub use notebook::{Cell, NotebookError, code_cells};
pub use prelude::may_find_elsewhere;
pub use script::{
    BinaryOp, Call, CompareOp, Comprehension, Decoration, Expr, Function, Handler, LeftOut, Makes, Name,
    Parameter, ParameterKind, Script, Span, Stmt, StmtKind, Try, is_module_name, top_level,
};
pub use standard::is_standard;

/// Bytes of stack for a thread that reads Python: syntax trees are walked by recursion.
pub const STACK: usize = 256 << 20;

/// A longer module is not read; the longest in common use has 3 MB.
pub const LONGEST_MODULE: u64 = 32 << 20;
