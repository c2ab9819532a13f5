//! A compiled module (`.pyc`) as a [`Script`]: what an embeddable Python has of its standard library.
//!
//! Its top level is followed as far as imports and the conditions around them go, and so is its `__getattr__`. Other functions and classes
//! stay unknown, and so does whatever a handler of exceptions does. Python's compiler lays out `if` and `try` as they stand in the text: a jump over a block, and
//! at the block's end one over the other.

mod instructions;
mod lines;
mod marshal;

use std::borrow::Cow;
use std::sync::Arc;

use instructions::{Condition, Dialect, Instruction, Kind, guarded};
use lines::line_starts;
use marshal::{CodeObject, Object, Reader};

use super::script::{
    CompareOp, Expr, Function, Handler, Name, Parameter, ParameterKind, Script, Stmt, StmtKind, Try,
    top_level,
};

/// A magic number, flags, and two words about the source (`_code_to_timestamp_pyc`, PEP 552).
const HEADER: usize = 16;

/// Conditions within conditions are followed so deep.
const DEEPEST: u32 = 100;

/// A compiled module cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompiledError {
    /// It is of a version that this program does not know, with this magic number.
    #[error("it is compiled by a version of Python that is not known (magic number {0})")]
    UnknownVersion(u16),
    /// It does not begin as one, or what follows is damaged.
    #[error("it is damaged")]
    Damaged,
}

/// What importing a compiled module does.
///
/// # Errors
/// [`CompiledError`]; whatever the bytes are, there is no panic.
pub fn lower_compiled(bytes: &[u8]) -> Result<Script, CompiledError> {
    let [low, high, b'\r', b'\n', ..] = *bytes else { return Err(CompiledError::Damaged) };
    let magic = u16::from_le_bytes([low, high]);
    let dialect = Dialect::of(magic).ok_or(CompiledError::UnknownVersion(magic))?;
    let body = bytes.get(HEADER..).ok_or(CompiledError::Damaged)?;
    let Some(Object::Code(module)) = Reader::new(body, dialect >= Dialect::Of3_11).object() else {
        return Err(CompiledError::Damaged);
    };
    Ok(Script { body: Reading::of(dialect, &module, false).whole(), ..Script::default() })
}

/// Imports what a module is asked for and has not yet (PEP 562).
const GETTER: &str = "__getattr__";

/// A stretch of code.
#[derive(Default)]
struct Block {
    body: Vec<Stmt>,
    /// It leads beyond its end, to this offset.
    leads_to: Option<usize>,
    /// It ends the module.
    returns: bool,
}

struct Reading<'m> {
    dialect: Dialect,
    code: &'m CodeObject<'m>,
    is_function: bool,
    /// Where the code of each line begins.
    lines: Vec<(usize, u32)>,
    /// Ranges that have a handler and were not entered yet.
    guarded: Vec<(usize, usize)>,
    /// Values on Python's stack, as far as they are known.
    stack: Vec<Expr>,
    /// What the next function is made of.
    function: Option<&'m CodeObject<'m>>,
    depth: u32,
}

impl<'m> Reading<'m> {
    fn of(dialect: Dialect, code: &'m CodeObject<'m>, is_function: bool) -> Reading<'m> {
        Reading {
            dialect,
            code,
            is_function,
            lines: line_starts(dialect, code.first_line, code.lines),
            guarded: guarded(dialect, code.code, code.exceptions),
            stack: Vec::new(),
            function: None,
            depth: 0,
        }
    }

    fn whole(mut self) -> Vec<Stmt> {
        self.block(0, self.code.code.len()).body
    }

    /// Reads from one offset to before another.
    fn block(&mut self, mut at: usize, end: usize) -> Block {
        let mut block = Block::default();
        if self.depth >= DEEPEST {
            return block;
        }
        self.depth += 1;
        while at < end {
            if let Some(index) = self.guarded.iter().position(|(start, to)| *start == at && *to <= end) {
                // The longest that begins here comes first: those within it follow.
                let (_, to) = self.guarded.remove(self.longest(index));
                at = self.attempt(at, to, &mut block);
                continue;
            }
            let Some(instruction) = self.dialect.decode(self.code.code, at) else { break };
            at = match instruction.kind {
                Kind::Jump(target) if target >= end => {
                    block.leads_to = Some(target);
                    break;
                }
                Kind::Jump(target) if target > at => target,
                Kind::Returns | Kind::Raises => {
                    block.returns = instruction.kind == Kind::Returns;
                    if self.is_function {
                        let kind = self.end(instruction.kind);
                        block.body.push(self.statement(at, kind));
                    }
                    break;
                }
                Kind::Try(handler) if (instruction.next..=end).contains(&handler) => {
                    self.attempt(instruction.next, handler, &mut block)
                }
                Kind::JumpIf { value, target } if target > at => {
                    let test = unless(value, self.pop());
                    self.branch((at, test), instruction.next, target, end, &mut block)
                }
                Kind::Import { name, lazy } => {
                    let (import, next) = self.import(name, instruction.next);
                    let kind = if lazy { StmtKind::Lazy(Box::new(import)) } else { import };
                    block.body.push(self.statement(at, kind));
                    next
                }
                Kind::Store(_) | Kind::StoreLocal(_) => {
                    let name = self.stored(instruction.kind);
                    let kind = match self.function.take() {
                        Some(function) if name == GETTER && !self.is_function => self.getter(function),
                        _ => StmtKind::Assign { targets: vec![Expr::Name(name)], value: self.pop() },
                    };
                    self.stack.clear();
                    block.body.push(self.statement(at, kind));
                    instruction.next
                }
                kind => {
                    self.value(kind);
                    instruction.next
                }
            };
        }
        self.depth -= 1;
        block
    }

    /// How a function ends.
    fn end(&mut self, kind: Kind) -> StmtKind {
        match kind {
            // What else should a module raise that has no such name?
            Kind::Raises => StmtKind::Raise { exception: Some(Expr::Name("AttributeError".into())) },
            _ => StmtKind::Return(Some(self.pop())),
        }
    }

    fn getter(&self, function: &CodeObject<'_>) -> StmtKind {
        let parameter = function.locals.first().map(|name| Parameter {
            name: name.as_ref().into(),
            default: None,
            kind: ParameterKind::Usual,
        });
        StmtKind::Function(Arc::new(Function {
            name: GETTER.into(),
            parameters: parameter.into_iter().collect(),
            body: Some(Reading::of(self.dialect, function, true).whole()),
            decorators: Vec::new(),
            is_generator: false,
        }))
    }

    /// The name that a value is bound to.
    fn stored(&self, kind: Kind) -> Name {
        match kind {
            Kind::StoreLocal(index) => self.local(index),
            Kind::Store(index) => self.name(index),
            _ => Name::default(),
        }
    }

    /// The longest of the guarded ranges that begin where the one at `index` does.
    fn longest(&self, index: usize) -> usize {
        let start = self.guarded.get(index).map(|(start, _)| *start);
        let same = self.guarded.iter().enumerate().filter(|(_, (other, _))| Some(*other) == start);
        same.max_by_key(|(_, (_, to))| *to).map_or(index, |(index, _)| index)
    }

    /// A block whose exceptions are caught. Returns where the code goes on.
    fn attempt(&mut self, at: usize, end: usize, block: &mut Block) -> usize {
        self.stack.clear();
        let attempted = self.block(at, end);
        let caught = Handler { catches: None, name: None, body: Vec::new() };
        if !attempted.body.is_empty() {
            let attempt = Try {
                body: attempted.body,
                handlers: vec![caught],
                otherwise: Vec::new(),
                finally: Vec::new(),
            };
            block.body.push(self.statement(at, StmtKind::Try(Box::new(attempt))));
        }
        attempted.leads_to.unwrap_or(end)
    }

    /// What runs where a condition holds, and where it does not. Returns where the code goes on.
    fn branch(
        &mut self,
        (asked, test): (usize, Expr),
        at: usize,
        target: usize,
        end: usize,
        block: &mut Block,
    ) -> usize {
        self.stack.clear();
        let mut then = self.block(at, target.min(end));
        self.stack.clear();
        let (mut otherwise, next) = match then.leads_to {
            // One of several conditions: whoever asked the one before knows more.
            _ if target > end => {
                block.leads_to = Some(target);
                (Block::default(), end)
            }
            // `a or b`: the second condition jumps over what the first one jumps to.
            Some(beyond) if beyond <= end && is_condition(&then.body) => {
                let second = then.body.pop();
                let body = self.block(target, beyond);
                let test = second.map_or(Expr::Opaque, |second| either(test, second));
                let next = match body.leads_to {
                    Some(to) if (beyond..=end).contains(&to) => to,
                    None if body.returns => end,
                    _ => beyond,
                };
                let otherwise = self.block(beyond, next).body;
                block.body.push(self.conditional(asked, test, body.body, otherwise));
                return next;
            }
            Some(beyond) if beyond <= end => (self.block(target, beyond), beyond),
            Some(beyond) => {
                block.leads_to = Some(beyond);
                (self.block(target, end), end)
            }
            // All that follows is what runs otherwise.
            None if then.returns => (self.block(target, end), end),
            None => (Block::default(), target),
        };
        let otherwise = std::mem::take(&mut otherwise.body);
        if target > end || !then.body.is_empty() || !otherwise.is_empty() {
            block.body.push(self.conditional(asked, test, then.body, otherwise));
        }
        next
    }

    /// An import with the names that it binds, and where the code goes on.
    fn import(&mut self, name: usize, mut at: usize) -> (StmtKind, usize) {
        let (names, level) = (self.pop(), self.pop());
        self.stack.clear();
        let level = match level {
            Expr::Int(level) => u32::try_from(level).unwrap_or(0),
            _ => 0,
        };
        let module = self.name(name);
        let mut taken: Vec<(Name, Option<Name>)> = Vec::new();
        let mut whole = None;
        while let Some(Instruction { kind, next }) = self.dialect.decode(self.code.code, at) {
            match kind {
                Kind::ImportFrom(name) => taken.push((self.name(name), None)),
                Kind::ImportStar => taken.push(("*".into(), None)),
                Kind::Store(_) | Kind::StoreLocal(_) => match taken.last_mut() {
                    Some((_, bound @ None)) => *bound = Some(self.stored(kind)),
                    _ => whole = Some(self.stored(kind)),
                },
                // Values are turned on the stack, and the module is taken from it.
                Kind::Other if !taken.is_empty() => {}
                Kind::Passes => {}
                _ => break,
            }
            at = next;
            if whole.is_some() || kind == Kind::ImportStar {
                break;
            }
        }
        let kind = match names {
            Expr::Tuple(_) => {
                let renamed = |(name, bound): (Name, Option<Name>)| {
                    let alias = bound.filter(|bound| *bound != name);
                    (name, alias)
                };
                StmtKind::ImportFrom { level, module, names: taken.into_iter().map(renamed).collect() }
            }
            // Of `import a.b as c` the attribute is taken, and bound.
            _ => {
                let bound = whole.or_else(|| taken.pop().and_then(|(_, bound)| bound));
                let alias = bound.filter(|bound| bound != top_level(&module));
                StmtKind::Import { module, alias }
            }
        };
        (kind, at)
    }

    /// Follows values on the stack.
    fn value(&mut self, kind: Kind) {
        match kind {
            Kind::Constant(index) => {
                let code = self.code;
                let object = code.constants.get(index);
                if let Some(Object::Code(function)) = object {
                    self.function = Some(function);
                }
                self.stack.push(object.map_or(Expr::Opaque, constant));
            }
            Kind::CommonConstant(index) => self.stack.push(common_constant(index)),
            Kind::Int(value) => self.stack.push(Expr::Int(value.into())),
            Kind::Name(index) => self.stack.push(Expr::Name(self.name(index))),
            Kind::Local(index) => self.stack.push(Expr::Name(self.local(index))),
            Kind::Attribute(index) => {
                let object = self.pop();
                let attribute = self.name(index);
                self.stack.push(Expr::Attribute(Box::new(object), attribute));
            }
            Kind::Compare(operator) => {
                let right = self.pop();
                let left = self.pop();
                self.stack.push(compare(left, operator, right));
            }
            Kind::Not => {
                let value = self.pop();
                self.stack.push(Expr::Not(Box::new(value)));
            }
            Kind::Passes => {}
            _ => self.stack.clear(),
        }
    }

    fn pop(&mut self) -> Expr {
        self.stack.pop().unwrap_or(Expr::Opaque)
    }

    fn local(&self, index: usize) -> Name {
        name_at(&self.code.locals, index)
    }

    fn name(&self, index: usize) -> Name {
        name_at(&self.code.names, index)
    }

    fn statement(&self, at: usize, kind: StmtKind) -> Stmt {
        let next = self.lines.partition_point(|(start, _)| *start <= at);
        let line = next.checked_sub(1).and_then(|index| self.lines.get(index));
        Stmt { line: line.map_or(self.code.first_line, |(_, line)| *line), kind }
    }

    fn conditional(&self, at: usize, test: Expr, then: Vec<Stmt>, otherwise: Vec<Stmt>) -> Stmt {
        self.statement(at, StmtKind::If { test, then, otherwise })
    }
}

fn name_at(names: &[Cow<'_, str>], index: usize) -> Name {
    names.get(index).map_or_else(Name::default, |name| name.as_ref().into())
}

/// Whether a block does nothing but ask one more question.
fn is_condition(body: &[Stmt]) -> bool {
    matches!(body, [Stmt { kind: StmtKind::If { then, otherwise, .. }, .. }] if then.is_empty() && otherwise.is_empty())
}

/// That the first condition does not hold, or the second one does.
fn either(first: Expr, second: Stmt) -> Expr {
    let first = match first {
        Expr::Not(first) => *first,
        first => Expr::Not(Box::new(first)),
    };
    match second.kind {
        StmtKind::If { test, .. } => Expr::Or(vec![first, test]),
        _ => Expr::Opaque,
    }
}

/// That a jump is not taken.
fn unless(taken: Condition, value: Expr) -> Expr {
    match taken {
        Condition::False => value,
        Condition::True => Expr::Not(Box::new(value)),
        Condition::None => compare(value, CompareOp::IsNot, Expr::None),
        Condition::NotNone => compare(value, CompareOp::Is, Expr::None),
    }
}

fn compare(left: Expr, operator: CompareOp, right: Expr) -> Expr {
    match (&left, &right) {
        (Expr::Opaque, _) | (_, Expr::Opaque) => Expr::Opaque,
        _ => Expr::Compare(Box::new((left, operator, right))),
    }
}

fn constant(object: &Object<'_>) -> Expr {
    match object {
        Object::None => Expr::None,
        Object::Bool(value) => Expr::Bool(*value),
        Object::Int(value) => Expr::Int(*value),
        Object::Text(text) => Expr::Str(text.as_ref().into()),
        Object::Tuple(items) => Expr::Tuple(items.iter().map(constant).collect()),
        Object::Bytes(_) | Object::Code(_) | Object::Other => Expr::Opaque,
    }
}

/// `_common_constants` of `Lib/opcode.py` (3.15). The others are classes and functions.
fn common_constant(index: usize) -> Expr {
    match index {
        7 => Expr::None,
        8 => Expr::Str("".into()),
        9 => Expr::Bool(true),
        10 => Expr::Bool(false),
        11 => Expr::Int(-1),
        _ => Expr::Opaque,
    }
}

#[cfg(test)]
mod tests;
