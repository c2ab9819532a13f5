//! The effect of importing a Python module, reduced to what can matter for loading native code.
//!
//! A [`Script`] is the module's top level as a small tree of statements and expressions. Anything
//! that can't be evaluated without running it is an [`Expr::Opaque`]. Most function bodies aren't
//! included, only their positions ([`LeftOut`]). They are read when the function is called. A
//! script is small, and so quick to walk, to cache on disk, and to record in a snapshot.

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::newer_syntax::NewerSyntax;

/// A Python identifier or dotted module name.
pub type Name = CompactString;

/// Returns the first component of a dotted name: `scipy` for `scipy.linalg`.
pub fn top_level(name: &str) -> &str {
    name.split_once('.').map_or(name, |(top, _)| top)
}

/// Whether a string is a dotted name, as in an import statement.
pub fn is_module_name(text: &str) -> bool {
    let is_identifier = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_')
    };
    text.split('.').all(is_identifier)
}

/// The top level of a module, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The statements in source order.
    pub body: Vec<Stmt>,
    /// The line (1-based) and message of the first syntax error. The statements around it are kept.
    pub syntax_error: Option<(u32, String)>,
    /// The syntax that older versions of Python don't compile, with the first use per version.
    /// Syntax in removed functions isn't included.
    #[serde(default)]
    pub newer_syntax: Vec<NewerSyntax>,
}

/// A statement and its line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stmt {
    /// The 1-based line.
    pub line: u32,
    /// The kind of statement.
    pub kind: StmtKind,
}

/// The statements that can take part in loading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StmtKind {
    /// `import module as alias`, one for each name of the statement.
    Import {
        module: Name,
        alias: Option<Name>,
    },
    /// `from ..module import a as b, c`, or `*`.
    ImportFrom {
        level: u32,
        module: Name,
        names: Vec<(Name, Option<Name>)>,
    },
    /// `lazy import …` or `lazy from … import …` (PEP 810). The import is made on the first use of
    /// a name that it binds.
    Lazy(Box<StmtKind>),
    Assign {
        targets: Vec<Expr>,
        value: Expr,
    },
    /// `target += value`. Other operators make the target opaque.
    Augment {
        target: Expr,
        value: Expr,
    },
    Expr(Expr),
    If {
        test: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    For {
        target: Expr,
        iter: Expr,
        body: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    While {
        test: Expr,
        body: Vec<Stmt>,
    },
    Try(Box<Try>),
    With {
        items: Vec<(Expr, Option<Expr>)>,
        body: Vec<Stmt>,
    },
    Function(Arc<Function>),
    /// Consecutive definitions that are read when they are called.
    LeftOut(Arc<Vec<LeftOut>>),
    Class {
        name: Name,
        bases: Vec<Expr>,
        body: Vec<Stmt>,
        decorators: Vec<Expr>,
    },
    Return(Option<Expr>),
    Raise {
        exception: Option<Expr>,
    },
    Global(Vec<Name>),
    Nonlocal(Vec<Name>),
    Delete(Vec<Expr>),
    Break,
    Continue,
}

/// `try: … except …: … else: … finally: …`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Try {
    pub body: Vec<Stmt>,
    pub handlers: Vec<Handler>,
    pub otherwise: Vec<Stmt>,
    pub finally: Vec<Stmt>,
}

/// `except catches as name: body`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handler {
    /// The exception class or a tuple of classes. `None` catches everything.
    pub catches: Option<Expr>,
    pub name: Option<Name>,
    pub body: Vec<Stmt>,
}

/// A function. Defining it has no effect; calling it runs its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    pub name: Name,
    pub parameters: Vec<Parameter>,
    /// The statements. `None` if the result can't be known, as for a coroutine, which runs later if
    /// at all.
    pub body: Option<Vec<Stmt>>,
    pub decorators: Vec<Expr>,
    /// Whether a call creates a generator.
    #[serde(default)]
    pub is_generator: bool,
}

/// A function whose body is read when it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    pub name: Name,
    pub at: Span,
    pub decoration: Decoration,
}

/// The decorator of a function, as far as it determines how the function behaves as an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decoration {
    /// No decorator, or one that is assumed to return the function.
    None,
    /// `@property`, `@cached_property`
    Property,
    /// `@staticmethod`
    Static,
    /// `@classmethod`
    Class,
    /// `@contextmanager`
    Context,
}

/// The range of a definition in the source of its module, including decorators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The start, in bytes.
    pub start: u32,
    /// The end, in bytes.
    pub end: u32,
    /// The 1-based line of the start.
    pub line: u32,
}

/// A named parameter with its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: Name,
    pub default: Option<Expr>,
    #[serde(default)]
    pub kind: ParameterKind,
}

/// The arguments that a parameter accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ParameterKind {
    /// The next positional argument, or the one of this name.
    #[default]
    Usual,
    /// The argument of this name.
    Keyword,
    /// `*args`
    Rest,
    /// `**kwargs`
    Keywords,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// A value that can't be known without running Python.
    Opaque,
    None,
    Bool(bool),
    Int(i64),
    Str(CompactString),
    Name(Name),
    Attribute(Box<Expr>, Name),
    Call(Box<Call>),
    Binary(Box<(Expr, BinaryOp, Expr)>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<(Expr, CompareOp, Expr)>),
    Subscript(Box<(Expr, Expr)>),
    /// `value[lower:upper]`, without a step.
    Slice(Box<(Expr, Option<Expr>, Option<Expr>)>),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// The parts of an f-string, concatenated.
    Joined(Vec<Expr>),
    Conditional(Box<(Expr, Expr, Expr)>),
    /// `[element for target in iter if conditions]`, or the set or generator.
    Comprehension(Box<Comprehension>),
    /// `(name := value)`
    Named(Name, Box<Expr>),
    /// `*values`, in arguments and elements.
    Starred(Box<Expr>),
    /// `lambda parameters: value`
    Lambda(Arc<Function>),
    /// `yield value`
    Yield(Option<Box<Expr>>),
    /// `yield from values`
    YieldFrom(Box<Expr>),
}

/// `function(arguments, name=value, **values)`. Unpacked keywords have an empty name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub function: Expr,
    pub arguments: Vec<Expr>,
    pub keywords: Vec<(Name, Expr)>,
}

/// A `for` clause of a comprehension. With several clauses, this is the first, and the element is
/// another comprehension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comprehension {
    pub element: Expr,
    pub target: Expr,
    pub iter: Expr,
    pub conditions: Vec<Expr>,
    /// The result.
    #[serde(default)]
    pub makes: ComprehensionResult,
}

/// The result of a comprehension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ComprehensionResult {
    /// A list, set, or generator.
    #[default]
    List,
    /// A dictionary. The elements are pairs.
    Dict,
    /// A list of the items of the elements, which are lists themselves.
    Flat,
}

/// Operators whose results on strings, numbers, and lists can matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryOp {
    Add,
    Subtract,
    /// Formats strings.
    Modulo,
    Multiply,
    Power,
    /// Joins paths.
    Divide,
    Other,
    /// Unites sets.
    Union,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompareOp {
    Eq,
    NotEq,
    Lt,
    LtE,
    Gt,
    GtE,
    Is,
    IsNot,
    In,
    NotIn,
}
