//! Reads a compiled module (`.pyc`) as a [`Script`]. An embeddable Python contains its standard
//! library in this form.
//!
//! The top level is followed for imports and the conditions around them, and so is `__getattr__`.
//! Other functions, classes, and exception handlers stay unknown. Python's compiler emits `if` and
//! `try` in source order: a jump over a block, and a jump at the end of the block over the
//! alternative.

mod instructions;
mod lines;
mod marshal;

use std::borrow::Cow;
use std::sync::Arc;

use instructions::{BytecodeInstruction, BytecodeOperation, Dialect, JumpCondition, guarded};
use lines::line_starts;
use marshal::{CodeObject, MarshalReader, Object};

use super::script::{
    CompareOp, Expr, Function, Handler, Name, Parameter, ParameterKind, Script, Stmt, StmtKind, Try,
    top_level,
};

/// The size of the header, in bytes: a magic number, flags, and two words about the source
/// (`_code_to_timestamp_pyc`, PEP 552).
const HEADER: usize = 16;

/// The maximum nesting depth of conditions.
const MAX_DEPTH: u32 = 100;

/// The reason why a compiled module can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompiledError {
    /// The module is of an unsupported version with this magic number.
    #[error("compiled by an unknown version of Python (magic number {0})")]
    UnknownVersion(u16),
    /// The header is invalid, or the rest is damaged.
    #[error("the file is damaged")]
    Damaged,
}

/// Lowers a compiled module to what importing it does.
///
/// # Errors
///
/// Returns a [`CompiledError`] if the bytes can't be read. No input panics.
pub fn lower_compiled(bytes: &[u8]) -> Result<Script, CompiledError> {
    let [low, high, b'\r', b'\n', ..] = *bytes else { return Err(CompiledError::Damaged) };
    let magic = u16::from_le_bytes([low, high]);
    let dialect = Dialect::of(magic).ok_or(CompiledError::UnknownVersion(magic))?;
    let body = bytes.get(HEADER..).ok_or(CompiledError::Damaged)?;
    let Some(Object::Code(module)) = MarshalReader::new(body, dialect >= Dialect::Of3_11).object() else {
        return Err(CompiledError::Damaged);
    };
    Ok(Script { body: ModuleReader::of(dialect, &module, false).whole(), ..Script::default() })
}

/// The function that provides names that a module lacks (PEP 562).
const GETTER: &str = "__getattr__";

/// A range of code.
#[derive(Default)]
struct Block {
    body: Vec<Stmt>,
    /// The offset beyond its end that it jumps to.
    leads_to: Option<usize>,
    /// Whether it ends the module.
    returns: bool,
}

struct ModuleReader<'m> {
    dialect: Dialect,
    code: &'m CodeObject<'m>,
    is_function: bool,
    /// The code offset where each line begins.
    lines: Vec<(usize, u32)>,
    /// Ranges with a handler that were not entered yet.
    guarded: Vec<(usize, usize)>,
    /// The values on Python's stack, as far as they are known.
    stack: Vec<Expr>,
    /// The code of the next function.
    function: Option<&'m CodeObject<'m>>,
    depth: u32,
}

impl<'m> ModuleReader<'m> {
    fn of(dialect: Dialect, code: &'m CodeObject<'m>, is_function: bool) -> ModuleReader<'m> {
        ModuleReader {
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

    /// Reads the code from one offset up to another.
    fn block(&mut self, mut at: usize, end: usize) -> Block {
        let mut block = Block::default();
        if self.depth >= MAX_DEPTH {
            return block;
        }
        self.depth += 1;
        while at < end {
            if let Some(index) = self.guarded.iter().position(|(start, to)| *start == at && *to <= end) {
                // Of several ranges that begin here, the longest is first. It contains the others.
                let (_, to) = self.guarded.remove(self.longest(index));
                at = self.attempt(at, to, &mut block);
                continue;
            }
            let Some(instruction) = self.dialect.decode(self.code.code, at) else { break };
            at = match instruction.kind {
                BytecodeOperation::Jump(target) if target >= end => {
                    block.leads_to = Some(target);
                    break;
                }
                BytecodeOperation::Jump(target) if target > at => target,
                BytecodeOperation::Return | BytecodeOperation::Raise => {
                    block.returns = instruction.kind == BytecodeOperation::Return;
                    if self.is_function {
                        let kind = self.end(instruction.kind);
                        block.body.push(self.statement(at, kind));
                    }
                    break;
                }
                BytecodeOperation::Try(handler) if (instruction.next..=end).contains(&handler) => {
                    self.attempt(instruction.next, handler, &mut block)
                }
                BytecodeOperation::JumpIf { value, target } if target > at => {
                    let test = not_taken(value, self.pop());
                    self.branch((at, test), instruction.next, target, end, &mut block)
                }
                BytecodeOperation::Import { name, lazy } => {
                    let (import, next) = self.import(name, instruction.next);
                    let kind = if lazy { StmtKind::Lazy(Box::new(import)) } else { import };
                    block.body.push(self.statement(at, kind));
                    next
                }
                BytecodeOperation::Store(_) | BytecodeOperation::StoreLocal(_) => {
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

    /// Returns the statement that ends a function.
    fn end(&mut self, kind: BytecodeOperation) -> StmtKind {
        match kind {
            // A `__getattr__` that doesn't return raises `AttributeError`.
            BytecodeOperation::Raise => {
                StmtKind::Raise { exception: Some(Expr::Name("AttributeError".into())) }
            }
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
            body: Some(ModuleReader::of(self.dialect, function, true).whole()),
            decorators: Vec::new(),
            is_generator: false,
        }))
    }

    /// Returns the name that a value is bound to.
    fn stored(&self, kind: BytecodeOperation) -> Name {
        match kind {
            BytecodeOperation::StoreLocal(index) => self.local(index),
            BytecodeOperation::Store(index) => self.name(index),
            _ => Name::default(),
        }
    }

    /// Returns the index of the longest guarded range that begins at the same offset as the one at
    /// `index`.
    fn longest(&self, index: usize) -> usize {
        let start = self.guarded.get(index).map(|(start, _)| *start);
        let same = self.guarded.iter().enumerate().filter(|(_, (other, _))| Some(*other) == start);
        same.max_by_key(|(_, (_, to))| *to).map_or(index, |(index, _)| index)
    }

    /// Reads a block whose exceptions are caught. Returns the offset where the code continues.
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

    /// Reads the two branches of a condition. Returns the offset where the code continues.
    fn branch(
        &mut self,
        (condition_at, test): (usize, Expr),
        at: usize,
        target: usize,
        end: usize,
        block: &mut Block,
    ) -> usize {
        self.stack.clear();
        let mut then = self.block(at, target.min(end));
        self.stack.clear();
        let (mut otherwise, next) = match then.leads_to {
            // One of several conditions. The caller handles the previous one.
            _ if target > end => {
                block.leads_to = Some(target);
                (Block::default(), end)
            }
            // For `a or b`, the second condition jumps over the target of the first.
            Some(after_else) if after_else <= end && is_condition(&then.body) => {
                let second = then.body.pop();
                let body = self.block(target, after_else);
                let test = second.map_or(Expr::Opaque, |second| either(test, second));
                let next = match body.leads_to {
                    Some(to) if (after_else..=end).contains(&to) => to,
                    None if body.returns => end,
                    _ => after_else,
                };
                let otherwise = self.block(after_else, next).body;
                block.body.push(self.conditional(condition_at, test, body.body, otherwise));
                return next;
            }
            Some(after_else) if after_else <= end => (self.block(target, after_else), after_else),
            Some(after_else) => {
                block.leads_to = Some(after_else);
                (self.block(target, end), end)
            }
            // The rest of the code is the alternative.
            None if then.returns => (self.block(target, end), end),
            None => (Block::default(), target),
        };
        let otherwise = std::mem::take(&mut otherwise.body);
        if target > end || !then.body.is_empty() || !otherwise.is_empty() {
            block.body.push(self.conditional(condition_at, test, then.body, otherwise));
        }
        next
    }

    /// Reads an import with the names that it binds. Returns the offset where the code continues.
    fn import(&mut self, name: usize, mut at: usize) -> (StmtKind, usize) {
        let (names, level) = (self.pop(), self.pop());
        self.stack.clear();
        let level = match level {
            Expr::Int(level) => u32::try_from(level).unwrap_or(0),
            _ => 0,
        };
        let module = self.name(name);
        let mut imported: Vec<(Name, Option<Name>)> = Vec::new();
        let mut whole = None;
        while let Some(BytecodeInstruction { kind, next }) = self.dialect.decode(self.code.code, at) {
            match kind {
                BytecodeOperation::ImportFrom(name) => imported.push((self.name(name), None)),
                BytecodeOperation::ImportStar => imported.push(("*".into(), None)),
                BytecodeOperation::Store(_) | BytecodeOperation::StoreLocal(_) => match imported.last_mut() {
                    Some((_, bound @ None)) => *bound = Some(self.stored(kind)),
                    _ => whole = Some(self.stored(kind)),
                },
                // Instructions that rotate the stack and pop the module.
                BytecodeOperation::Other if !imported.is_empty() => {}
                BytecodeOperation::Nop => {}
                _ => break,
            }
            at = next;
            if whole.is_some() || kind == BytecodeOperation::ImportStar {
                break;
            }
        }
        let kind = match names {
            Expr::Tuple(_) => {
                let renamed = |(name, bound): (Name, Option<Name>)| {
                    let alias = bound.filter(|bound| *bound != name);
                    (name, alias)
                };
                StmtKind::ImportFrom { level, module, names: imported.into_iter().map(renamed).collect() }
            }
            // `import a.b as c` loads the attribute and binds it.
            _ => {
                let bound = whole.or_else(|| imported.pop().and_then(|(_, bound)| bound));
                let alias = bound.filter(|bound| bound != top_level(&module));
                StmtKind::Import { module, alias }
            }
        };
        (kind, at)
    }

    /// Tracks the values on the stack.
    fn value(&mut self, kind: BytecodeOperation) {
        match kind {
            BytecodeOperation::Constant(index) => {
                let code = self.code;
                let object = code.constants.get(index);
                if let Some(Object::Code(function)) = object {
                    self.function = Some(function);
                }
                self.stack.push(object.map_or(Expr::Opaque, constant));
            }
            BytecodeOperation::CommonConstant(index) => self.stack.push(common_constant(index)),
            BytecodeOperation::Int(value) => self.stack.push(Expr::Int(value.into())),
            BytecodeOperation::Name(index) => self.stack.push(Expr::Name(self.name(index))),
            BytecodeOperation::Local(index) => self.stack.push(Expr::Name(self.local(index))),
            BytecodeOperation::Attribute(index) => {
                let object = self.pop();
                let attribute = self.name(index);
                self.stack.push(Expr::Attribute(Box::new(object), attribute));
            }
            BytecodeOperation::Compare(operator) => {
                let right = self.pop();
                let left = self.pop();
                self.stack.push(compare(left, operator, right));
            }
            BytecodeOperation::Not => {
                let value = self.pop();
                self.stack.push(Expr::Not(Box::new(value)));
            }
            BytecodeOperation::Nop => {}
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

/// Whether a block consists only of another condition.
fn is_condition(body: &[Stmt]) -> bool {
    match body {
        [Stmt { kind: StmtKind::If { then, otherwise, .. }, .. }] => then.is_empty() && otherwise.is_empty(),
        _ => false,
    }
}

/// Returns the condition that the first condition is false or the second one true.
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

/// Returns the condition that a jump isn't taken.
fn not_taken(jumps_if: JumpCondition, value: Expr) -> Expr {
    match jumps_if {
        JumpCondition::False => value,
        JumpCondition::True => Expr::Not(Box::new(value)),
        JumpCondition::None => compare(value, CompareOp::IsNot, Expr::None),
        JumpCondition::NotNone => compare(value, CompareOp::Is, Expr::None),
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

/// Returns an entry of `_common_constants` in `Lib/opcode.py` (3.15). The others are classes and
/// functions.
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
