//! The effect of importing a Python module, reduced to what can matter for loading native code.
//!
//! A [`Script`] is the module's top level as a small tree of statements and expressions. Anything
//! that can't be evaluated without running it is an [`Expr::Opaque`]. Most function bodies aren't
//! included, only their positions ([`LeftOut`]). They are read when the function is called. A
//! script is small, and so quick to walk, to cache on disk, and to record in a snapshot.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
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

/// Returns the absolute name of the module in `from ..module` in a package, or `None` if it would be
/// above the top.
pub fn absolute_name<'a>(package: &'a str, level: u32, module: &'a str) -> Option<Cow<'a, str>> {
    if level == 0 {
        return Some(module.into());
    }
    let mut base = package;
    for _ in 1..level {
        base = base.rsplit_once('.')?.0;
    }
    if base.is_empty() {
        return None;
    }
    Some(if module.is_empty() { base.into() } else { [base, ".", module].concat().into() })
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stmt {
    /// The 1-based line.
    pub line: u32,
    /// The kind of statement.
    pub kind: StmtKind,
}

/// Statements that differ in their lines only have the same hash.
impl Hash for Stmt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

/// The statements that can take part in loading.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StmtKind {
    /// `import module as alias`, one for each name of the statement.
    Import {
        /// The dotted name of the module.
        module: Name,
        /// The name after `as`.
        alias: Option<Name>,
    },
    /// `from ..module import a as b, c`, or `*`.
    ImportFrom {
        /// The number of leading dots. 0 is an absolute import.
        level: u32,
        /// The dotted name without the leading dots. It is empty for `from . import a`.
        module: Name,
        /// The imported names, each with its name after `as`.
        names: Vec<(Name, Option<Name>)>,
    },
    /// `lazy import …` or `lazy from … import …` (PEP 810). The import is made on the first use of
    /// a name that it binds.
    Lazy(Box<StmtKind>),
    /// `target = other_target = value`
    Assign {
        /// The targets, from left to right.
        targets: Vec<Expr>,
        /// The assigned value.
        value: Expr,
    },
    /// `target += value`. Other operators make the target opaque.
    Augment {
        /// The target, which is read and then assigned.
        target: Expr,
        /// The added value.
        value: Expr,
    },
    /// An expression that is evaluated for its effects.
    Expr(Expr),
    /// `if test: then … else: otherwise`. An `elif` is a nested `if`.
    If {
        /// The condition.
        test: Expr,
        /// The statements that run if the condition is true.
        then: Vec<Stmt>,
        /// The statements that run if the condition is false.
        otherwise: Vec<Stmt>,
    },
    /// `for target in iter: body … else: otherwise`
    For {
        /// The target that each item is assigned to.
        target: Expr,
        /// The iterable.
        iter: Expr,
        /// The statements that run for each item.
        body: Vec<Stmt>,
        /// The statements after `else`.
        otherwise: Vec<Stmt>,
    },
    /// `while test: body`
    While {
        /// The condition.
        test: Expr,
        /// The statements of the loop.
        body: Vec<Stmt>,
    },
    /// A `try` statement.
    Try(Box<Try>),
    /// `with item as target: body`
    With {
        /// The context managers, each with its target after `as`.
        items: Vec<(Expr, Option<Expr>)>,
        /// The statements that run in the context.
        body: Vec<Stmt>,
    },
    /// `def`, with its body.
    Function(Arc<Function>),
    /// Consecutive definitions that are read when they are called.
    LeftOut(Arc<Vec<LeftOut>>),
    /// `class name(bases): body`
    Class {
        /// The name that the class is bound to.
        name: Name,
        /// The base classes.
        bases: Vec<Expr>,
        /// The statements of the class body.
        body: Vec<Stmt>,
        /// The decorators, without `@`.
        decorators: Vec<Expr>,
    },
    /// `return value`
    Return(Option<Expr>),
    /// `raise exception`
    Raise {
        /// The exception or its class. `None` raises the current exception again.
        exception: Option<Expr>,
    },
    /// `global`, with the names that it declares.
    Global(Vec<Name>),
    /// `nonlocal`, with the names that it declares.
    Nonlocal(Vec<Name>),
    /// `del`, with its targets.
    Delete(Vec<Expr>),
    /// `break`
    Break,
    /// `continue`
    Continue,
}

/// `try: … except …: … else: … finally: …`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Try {
    /// The statements after `try`.
    pub body: Vec<Stmt>,
    /// The `except` clauses, in order.
    pub handlers: Vec<Handler>,
    /// The statements after `else`.
    pub otherwise: Vec<Stmt>,
    /// The statements after `finally`.
    pub finally: Vec<Stmt>,
}

/// `except catches as name: body`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handler {
    /// The exception class or a tuple of classes. `None` catches everything.
    pub catches: Option<Expr>,
    /// The name after `as`, which the exception is bound to.
    pub name: Option<Name>,
    /// The statements that handle the exception.
    pub body: Vec<Stmt>,
}

/// A function. Defining it has no effect; calling it runs its body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Function {
    /// The name after `def`, or `<lambda>`.
    pub name: Name,
    /// The parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The statements. `None` if the result can't be known, as for a coroutine, which runs later if
    /// at all.
    pub body: Option<Vec<Stmt>>,
    /// The decorators, without `@`.
    pub decorators: Vec<Expr>,
    /// Whether a call creates a generator.
    #[serde(default)]
    pub is_generator: bool,
}

/// A function whose body is read when it is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeftOut {
    /// The name after `def`.
    pub name: Name,
    /// The range of the definition in the source of its module.
    pub at: Span,
    /// The decorator that determines how the function behaves as an attribute.
    pub decoration: Decoration,
}

/// The decorator of a function, as far as it determines how the function behaves as an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameter {
    /// The name, without `*` or `**`.
    pub name: Name,
    /// The default value, if there is one.
    pub default: Option<Expr>,
    /// The arguments that the parameter accepts.
    #[serde(default)]
    pub kind: ParameterKind,
}

/// The arguments that a parameter accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Expr {
    /// A value that can't be known without running Python.
    Opaque,
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer that fits into 64 bits. Others are opaque.
    Int(i64),
    /// A string.
    Str(CompactString),
    /// A variable.
    Name(Name),
    /// `value.name`
    Attribute(Box<Expr>, Name),
    /// A call.
    Call(Box<Call>),
    /// `left op right`
    Binary(Box<(Expr, BinaryOp, Expr)>),
    /// `not value`
    Not(Box<Expr>),
    /// `a and b and c`
    And(Vec<Expr>),
    /// `a or b or c`
    Or(Vec<Expr>),
    /// `left op right`. A chain of comparisons is an [`Expr::And`] of pairs.
    Compare(Box<(Expr, CompareOp, Expr)>),
    /// `value[index]`
    Subscript(Box<(Expr, Expr)>),
    /// `value[lower:upper]`, without a step.
    Slice(Box<(Expr, Option<Expr>, Option<Expr>)>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// `[a, b]`, or the set `{a, b}`.
    List(Vec<Expr>),
    /// `{key: value}`, as pairs of a key and its value.
    Dict(Vec<(Expr, Expr)>),
    /// The parts of an f-string, concatenated.
    Joined(Vec<Expr>),
    /// `then if test else otherwise`, in the order test, then, otherwise.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    /// The called expression.
    pub function: Expr,
    /// The positional arguments. `*values` is an [`Expr::Starred`].
    pub arguments: Vec<Expr>,
    /// The keyword arguments, each with its name.
    pub keywords: Vec<(Name, Expr)>,
}

/// A `for` clause of a comprehension. With several clauses, this is the first, and the element is
/// another comprehension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Comprehension {
    /// The expression that is evaluated for each item.
    pub element: Expr,
    /// The target that each item is assigned to.
    pub target: Expr,
    /// The iterable.
    pub iter: Expr,
    /// The conditions after `if`. All must be true.
    pub conditions: Vec<Expr>,
    /// The result.
    #[serde(default)]
    pub makes: ComprehensionResult,
}

/// The result of a comprehension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// Formats strings.
    Modulo,
    /// `*`
    Multiply,
    /// `**`
    Power,
    /// Joins paths.
    Divide,
    /// Another operator. Its result is unknown.
    Other,
    /// Unites sets.
    Union,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtE,
    /// `>`
    Gt,
    /// `>=`
    GtE,
    /// `is`
    Is,
    /// `is not`
    IsNot,
    /// `in`
    In,
    /// `not in`
    NotIn,
}
