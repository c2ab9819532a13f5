//! What importing a Python module does, reduced to what can matter for loading native code.
//!
//! A [`Script`] is the module's top level as a small tree of statements and expressions. Whatever
//! cannot be evaluated without running it became [`Expr::Opaque`]. The bodies of most functions are not in it, but where
//! they stand is ([`LeftOut`]): they are read when the function is called. Being small, it is quick to walk, to cache on
//! disk and to record in a snapshot.

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::newer_syntax::NewerSyntax;

/// A Python identifier or dotted module name.
pub type Name = CompactString;

/// The package or module that a dotted name begins with: `scipy` of `scipy.linalg`.
pub fn top_level(name: &str) -> &str {
    name.split_once('.').map_or(name, |(top, _)| top)
}

/// Whether it is a dotted name, as an import statement has it.
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
    /// Statements in source order.
    pub body: Vec<Stmt>,
    /// Line (1-based) and message of the first syntax error; the statements around it are kept.
    pub syntax_error: Option<(u32, String)>,
    /// What older versions of Python do not compile, of each version the first use. What stands in functions that are left out is not
    /// in it.
    #[serde(default)]
    pub newer_syntax: Vec<NewerSyntax>,
}

/// A statement and the line that it stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stmt {
    /// 1-based.
    pub line: u32,
    /// What it does.
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
    /// `lazy import …`, `lazy from … import …` (PEP 810): the import is made where a name that it binds is used first.
    Lazy(Box<StmtKind>),
    Assign {
        targets: Vec<Expr>,
        value: Expr,
    },
    /// `target += value`; other operators make the target opaque.
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
    /// Definitions that follow each other and are read when they are called.
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
    /// Exception class or tuple of classes; none catches everything.
    pub catches: Option<Expr>,
    pub name: Option<Name>,
    pub body: Vec<Stmt>,
}

/// A function; defining it does nothing, calling it runs its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    pub name: Name,
    pub parameters: Vec<Parameter>,
    /// None: its result cannot be known, as of a coroutine, which runs later if ever.
    pub body: Option<Vec<Stmt>>,
    pub decorators: Vec<Expr>,
    /// Calling it makes a generator.
    #[serde(default)]
    pub is_generator: bool,
}

/// A function that is not read before it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    pub name: Name,
    pub at: Span,
    pub decoration: Decoration,
}

/// What decorates a function, as far as it decides how the function is found as an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decoration {
    /// Nothing, or something that is taken for returning the function.
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

/// Where a definition stands in the text of its module, decorators included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// In bytes.
    pub start: u32,
    /// In bytes.
    pub end: u32,
    /// The line of the start, 1-based.
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

/// Which arguments a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ParameterKind {
    /// The next one, or the one of its name.
    #[default]
    Usual,
    /// The one of its name.
    Keyword,
    /// `*args`
    Rest,
    /// `**kwargs`
    Keywords,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// Cannot be known without running Python.
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
    /// `value[lower:upper]`, without step.
    Slice(Box<(Expr, Option<Expr>, Option<Expr>)>),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// The parts of an f-string, joined.
    Joined(Vec<Expr>),
    Conditional(Box<(Expr, Expr, Expr)>),
    /// `[element for target in iter if conditions]`, also as set or generator.
    Comprehension(Box<Comprehension>),
    /// `(name := value)`
    Named(Name, Box<Expr>),
    /// `*values`, among arguments and elements.
    Starred(Box<Expr>),
    /// `lambda parameters: value`
    Lambda(Arc<Function>),
    /// `yield value`
    Yield(Option<Box<Expr>>),
    /// `yield from values`
    YieldFrom(Box<Expr>),
}

/// `function(arguments, name=value, **values)`: what the latter unpacks has an empty name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub function: Expr,
    pub arguments: Vec<Expr>,
    pub keywords: Vec<(Name, Expr)>,
}

/// One `for` of a comprehension, the first one; the element of one that has more is a comprehension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comprehension {
    pub element: Expr,
    pub target: Expr,
    pub iter: Expr,
    pub conditions: Vec<Expr>,
    /// What it makes.
    #[serde(default)]
    pub makes: Makes,
}

/// What becomes of the elements of a comprehension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Makes {
    /// A list, set or generator.
    #[default]
    List,
    /// A table; the elements are pairs.
    Dict,
    /// The elements are lists, whose elements it lists.
    Flat,
}

/// Operators whose result on text, numbers and lists is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryOp {
    Add,
    Subtract,
    /// Of strings it formats.
    Modulo,
    Multiply,
    Power,
    /// Of paths it joins.
    Divide,
    Other,
    /// Of sets: all of both.
    Union,
}

/// Comparisons.
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
