//! Parses Python source: what importing a module does ([`Script`]), and which imports a document
//! contains ([`Document`]).
//!
//! This layer depends on Python's grammar, but neither on files nor on Windows.

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
pub mod placeholders;
mod prelude;
mod program;
mod script;
pub mod standard;
#[cfg(test)]
mod tests;

pub use compiled::lower_compiled;
pub use ignores::Ignores;
pub use imports::{Document, Guard, ImportStatement};
pub use lines::{LineIndex, Position, Range};
pub use lower::{lower, lower_part, lower_whole};
pub use newer_syntax::{LAZY_IMPORTS, NewerSyntax};
pub use notebook::{Cell, NotebookError, code_cells};
pub use program::ImportPoint;
pub use script::{
    BinaryOp, Call, CompareOp, Comprehension, ComprehensionResult, Decoration, Expr, Function, Handler,
    LeftOut, Name, Parameter, ParameterKind, Script, Span, Stmt, StmtKind, Try, absolute_name,
    is_module_name, top_level,
};
pub use standard::is_standard;

/// The stack size, in bytes, of a thread that reads Python. Syntax trees are walked by recursion.
pub const STACK: usize = 256 << 20;

/// The maximum size of a module, in bytes. The largest one in common use has 3 MB.
pub const MAX_MODULE_BYTES: u64 = 32 << 20;
