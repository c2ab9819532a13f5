//! Python text → [`Script`], by ruff's error-tolerant parser.
//!
//! Only what can matter for loading is kept. [`outline`](super::outline) has already left out the bodies
//! of functions that compute values which nobody here needs; of the others a body is kept unless calling the
//! function makes a generator or coroutine.

use std::sync::Arc;

use ruff_python_ast as ast;
use ruff_python_ast::PySourceType;
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::lines::{Cut, LineCounter};
use super::outline::{self, Outline, Read};
use super::prune;
use super::script::{
    BinaryOp, Call, CompareOp, Comprehension, Expr, Function, Handler, Name, Parameter, Script, Stmt,
    StmtKind, Try,
};

/// Longer text and literals are data, not names of modules or DLLs.
const LONGEST_TEXT: usize = 1024;
const LONGEST_LITERAL: usize = 4096;

/// A table of more numbers than this is data: versions have fewer.
const MOST_NUMBERS: usize = 32;

/// Expressions nested deeper than this are opaque, so that no input can exhaust the stack.
const DEEPEST: u32 = 100;

/// Above this many bytes a text gets a thread of its own, with a stack that its deepest possible nesting
/// cannot exhaust.
const OWN_THREAD: usize = 128 << 10;

/// Bytes of stack that a level of nesting costs at most, when a syntax tree is walked or dropped. A level
/// needs at least one byte of text.
const STACK_PER_LEVEL: usize = 256;

/// Lowers a module. Never fails: where the text is no Python, the statements that can be read remain
/// and `syntax_error` says where reading stumbled first.
///
/// Callers run this on a thread with [`super::STACK`] bytes of stack.
pub fn lower(text: &str) -> Script {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(Outline { text, cuts, statements }) = outline::outline(text) {
        let script = parse(&text, &cuts, statements);
        // Otherwise perhaps the outline was misunderstood: what the text itself says is what counts.
        if script.syntax_error.is_none() {
            return script;
        }
    }
    parse(text, &[], Vec::new())
}

/// Lowers a text as it stands; `cuts` are the lines that were left out of it, and `statements` those of its top level
/// that were read already.
pub(super) fn parse(text: &str, cuts: &[Cut], statements: Vec<Read>) -> Script {
    with_stack_for(text, || {
        let parsed = parse_unchecked_source(text, PySourceType::Python);
        let lines = LineCounter::new(text, cuts);
        let syntax_error = parsed.errors().first().map(|error| {
            let line = lines.line_of(error.location.start().to_usize()) + 1;
            (line, error.error.to_string())
        });
        let lowering = Lowering { text, lines: &lines };
        let body = lowering.top_level(&parsed.syntax().body, statements);
        let mut script = Script { body, syntax_error };
        prune::prune(&mut script);
        script
    })
}

/// Runs `work` where a syntax tree of `text` can be built and dropped, however deep it is.
pub(super) fn with_stack_for<T: Send>(text: &str, work: impl FnOnce() -> T + Send) -> T {
    if text.len() <= OWN_THREAD {
        return work();
    }
    std::thread::scope(|scope| {
        let stack = super::STACK + text.len() * STACK_PER_LEVEL;
        match std::thread::Builder::new().stack_size(stack).spawn_scoped(scope, work) {
            Ok(thread) => match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Err(error) => std::panic::resume_unwind(Box::new(error)),
        }
    })
}

struct Lowering<'a> {
    text: &'a str,
    lines: &'a LineCounter<'a>,
}

impl Lowering<'_> {
    fn line(&self, at: TextSize) -> u32 {
        self.lines.line_of(at.to_usize()) + 1
    }

    /// All statements of a module, in order.
    fn top_level(&self, body: &[ast::Stmt], statements: Vec<Read>) -> Vec<Stmt> {
        let mut block = Vec::with_capacity(body.len() + statements.len());
        let mut statements = statements.into_iter().peekable();
        for stmt in body {
            let start = stmt.start().to_usize();
            while let Some(read) = statements.next_if(|read| read.at <= start) {
                block.push(read.stmt);
            }
            self.stmt(stmt, &mut block);
        }
        block.extend(statements.map(|read| read.stmt));
        block
    }

    fn block(&self, body: &[ast::Stmt]) -> Vec<Stmt> {
        let mut block = Vec::with_capacity(body.len());
        for stmt in body {
            self.stmt(stmt, &mut block);
        }
        block
    }

    fn stmt(&self, stmt: &ast::Stmt, block: &mut Vec<Stmt>) {
        let line = self.line(stmt.start());
        let kind = match stmt {
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    block.push(Stmt {
                        line,
                        kind: StmtKind::Import {
                            module: name(&alias.name),
                            alias: alias.asname.as_ref().map(name),
                        },
                    });
                }
                return;
            }
            ast::Stmt::ImportFrom(import) => StmtKind::ImportFrom {
                level: import.level,
                module: import.module.as_ref().map(name).unwrap_or_default(),
                names: import
                    .names
                    .iter()
                    .map(|alias| (name(&alias.name), alias.asname.as_ref().map(name)))
                    .collect(),
            },
            ast::Stmt::Assign(assign) => StmtKind::Assign {
                targets: assign.targets.iter().map(|t| self.expr(t, 0)).collect(),
                value: self.expr(&assign.value, 0),
            },
            ast::Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => StmtKind::Assign {
                    targets: vec![self.expr(&assign.target, 0)],
                    value: self.expr(value, 0),
                },
                None => return,
            },
            ast::Stmt::AugAssign(assign) => {
                let target = self.expr(&assign.target, 0);
                match assign.op {
                    ast::Operator::Add => StmtKind::Augment { target, value: self.expr(&assign.value, 0) },
                    _ => StmtKind::Assign { targets: vec![target], value: Expr::Opaque },
                }
            }
            ast::Stmt::Expr(expr) => match self.expr(&expr.value, 0) {
                // A docstring or a bare value does nothing.
                // A bare name is kept: where it is not defined, that is a NameError to be caught.
                Expr::Str(_) | Expr::Opaque | Expr::None | Expr::Int(_) => return,
                value => StmtKind::Expr(value),
            },
            ast::Stmt::If(branch) => {
                let mut otherwise = Vec::new();
                for clause in branch.elif_else_clauses.iter().rev() {
                    let then = self.block(&clause.body);
                    otherwise = match &clause.test {
                        Some(test) => vec![Stmt {
                            line: self.line(clause.range.start()),
                            kind: StmtKind::If { test: self.expr(test, 0), then, otherwise },
                        }],
                        None => then,
                    };
                }
                StmtKind::If { test: self.expr(&branch.test, 0), then: self.block(&branch.body), otherwise }
            }
            ast::Stmt::For(each) => StmtKind::For {
                target: self.expr(&each.target, 0),
                iter: self.expr(&each.iter, 0),
                body: self.block(&each.body),
                otherwise: self.block(&each.orelse),
            },
            ast::Stmt::While(repeat) => {
                StmtKind::While { test: self.expr(&repeat.test, 0), body: self.block(&repeat.body) }
            }
            ast::Stmt::Try(attempt) => StmtKind::Try(Box::new(Try {
                body: self.block(&attempt.body),
                handlers: attempt
                    .handlers
                    .iter()
                    .map(|ast::ExceptHandler::ExceptHandler(handler)| Handler {
                        catches: handler.type_.as_ref().map(|class| self.expr(class, 0)),
                        name: handler.name.as_ref().map(name),
                        body: self.block(&handler.body),
                    })
                    .collect(),
                otherwise: self.block(&attempt.orelse),
                finally: self.block(&attempt.finalbody),
            })),
            ast::Stmt::With(with) => StmtKind::With {
                items: with
                    .items
                    .iter()
                    .map(|item| {
                        let target = item.optional_vars.as_ref();
                        (self.expr(&item.context_expr, 0), target.map(|target| self.expr(target, 0)))
                    })
                    .collect(),
                body: self.block(&with.body),
            },
            ast::Stmt::FunctionDef(def) => match self.function(def) {
                function if function.body.is_none() => prune::opaque(function.name),
                function => StmtKind::Function(Arc::new(function)),
            },
            ast::Stmt::ClassDef(class) => StmtKind::Class {
                name: name(&class.name),
                bases: class.bases().iter().map(|base| self.expr(base, 0)).collect(),
                body: self.class_body(&class.body),
            },
            ast::Stmt::Return(result) => {
                StmtKind::Return(result.value.as_ref().map(|value| self.expr(value, 0)))
            }
            ast::Stmt::Raise(raise) => {
                StmtKind::Raise { exception: raise.exc.as_ref().map(|exception| self.expr(exception, 0)) }
            }
            ast::Stmt::Global(global) => StmtKind::Global(global.names.iter().map(name).collect()),
            ast::Stmt::Delete(delete) => {
                StmtKind::Delete(delete.targets.iter().map(|t| self.expr(t, 0)).collect())
            }
            ast::Stmt::Match(choice) => {
                // Which case is taken is not known: each may run.
                let mut otherwise = Vec::new();
                for case in choice.cases.iter().rev() {
                    otherwise = vec![Stmt {
                        line: self.line(case.start()),
                        kind: StmtKind::If { test: Expr::Opaque, then: self.block(&case.body), otherwise },
                    }];
                }
                block.append(&mut otherwise);
                return;
            }
            ast::Stmt::Break(_) => StmtKind::Break,
            ast::Stmt::Continue(_) => StmtKind::Continue,
            ast::Stmt::Pass(_)
            | ast::Stmt::Assert(_)
            | ast::Stmt::Nonlocal(_)
            | ast::Stmt::TypeAlias(_)
            | ast::Stmt::IpyEscapeCommand(_) => return,
        };
        block.push(Stmt { line, kind });
    }

    /// Nobody asks for a member of a class here; what counts is what its body does while it runs.
    fn class_body(&self, body: &[ast::Stmt]) -> Vec<Stmt> {
        let mut block = self.block(body);
        block.retain(|stmt| match &stmt.kind {
            StmtKind::Function(_) => false,
            StmtKind::Assign { value, .. } => has_call(value),
            _ => true,
        });
        block
    }

    fn function(&self, def: &ast::StmtFunctionDef) -> Function {
        let body = match def.body.as_slice() {
            // What is left of a body; whoever writes this by hand loads nothing either.
            [ast::Stmt::Expr(only)] if only.value.is_number_literal_expr() => None,
            // Calling it makes a generator or coroutine, which runs later if ever.
            _ if def.is_async
                || memchr::memmem::find(self.slice(def.range()).as_bytes(), b"yield").is_some() =>
            {
                None
            }
            body => Some(self.block(body)),
        };
        if body.is_none() {
            return prune::without_body(name(&def.name));
        }
        let parameters = &def.parameters;
        Function {
            name: name(&def.name),
            parameters: parameters
                .posonlyargs
                .iter()
                .chain(&parameters.args)
                .chain(&parameters.kwonlyargs)
                .map(|parameter| Parameter {
                    name: name(&parameter.parameter.name),
                    default: parameter.default.as_ref().map(|value| self.expr(value, 0)),
                })
                .collect(),
            body,
            decorators: def
                .decorator_list
                .iter()
                .map(|decorator| self.expr(&decorator.expression, 0))
                .collect(),
        }
    }

    fn slice(&self, range: TextRange) -> &str {
        self.text.get(range.to_std_range()).unwrap_or_default()
    }

    fn exprs<'a>(&self, exprs: impl IntoIterator<Item = &'a ast::Expr>, depth: u32) -> Vec<Expr> {
        exprs.into_iter().map(|expr| self.expr(expr, depth + 1)).collect()
    }

    fn expr(&self, expr: &ast::Expr, depth: u32) -> Expr {
        if depth > DEEPEST {
            return Expr::Opaque;
        }
        let deeper = depth + 1;
        let one = |expr: &ast::Expr| self.expr(expr, deeper);
        match expr {
            ast::Expr::NoneLiteral(_) => Expr::None,
            ast::Expr::BooleanLiteral(literal) => Expr::Bool(literal.value),
            ast::Expr::NumberLiteral(literal) => match &literal.value {
                ast::Number::Int(int) => int.as_i64().map_or(Expr::Opaque, Expr::Int),
                _ => Expr::Opaque,
            },
            ast::Expr::StringLiteral(literal) => {
                let text = literal.value.to_str();
                if text.len() > LONGEST_TEXT { Expr::Opaque } else { Expr::Str(text.into()) }
            }
            ast::Expr::Name(id) => Expr::Name(id.id.as_str().into()),
            ast::Expr::Attribute(attribute) => {
                Expr::Attribute(Box::new(one(&attribute.value)), attribute.attr.as_str().into())
            }
            ast::Expr::Call(call) => {
                if call.arguments.args.len() > LONGEST_LITERAL {
                    return Expr::Opaque;
                }
                Expr::Call(Box::new(Call {
                    function: one(&call.func),
                    arguments: self.exprs(&call.arguments.args, depth),
                    keywords: self.keywords(&call.arguments.keywords, deeper),
                }))
            }
            ast::Expr::BinOp(binary) => {
                let op = match binary.op {
                    ast::Operator::Add => BinaryOp::Add,
                    ast::Operator::Sub => BinaryOp::Subtract,
                    ast::Operator::Mod => BinaryOp::Modulo,
                    ast::Operator::Mult => BinaryOp::Multiply,
                    ast::Operator::Pow => BinaryOp::Power,
                    ast::Operator::Div => BinaryOp::Divide,
                    ast::Operator::BitOr => BinaryOp::Union,
                    _ => BinaryOp::Other,
                };
                Expr::Binary(Box::new((one(&binary.left), op, one(&binary.right))))
            }
            ast::Expr::UnaryOp(unary) => match (unary.op, one(&unary.operand)) {
                (ast::UnaryOp::Not, operand) => Expr::Not(Box::new(operand)),
                (ast::UnaryOp::USub, Expr::Int(value)) => value.checked_neg().map_or(Expr::Opaque, Expr::Int),
                _ => Expr::Opaque,
            },
            ast::Expr::BoolOp(op) => {
                let values = self.exprs(&op.values, depth);
                match op.op {
                    ast::BoolOp::And => Expr::And(values),
                    ast::BoolOp::Or => Expr::Or(values),
                }
            }
            ast::Expr::Compare(compare) => self.comparison(compare, depth),
            ast::Expr::Subscript(subscript) => {
                let value = one(&subscript.value);
                match &*subscript.slice {
                    ast::Expr::Slice(slice) if slice.step.is_none() => Expr::Slice(Box::new((
                        value,
                        slice.lower.as_ref().map(|bound| one(bound)),
                        slice.upper.as_ref().map(|bound| one(bound)),
                    ))),
                    index => Expr::Subscript(Box::new((value, one(index)))),
                }
            }
            ast::Expr::Tuple(ast::ExprTuple { elts, .. }) | ast::Expr::List(ast::ExprList { elts, .. })
                if elts.len() > MOST_NUMBERS && elts.iter().all(ast::Expr::is_number_literal_expr) =>
            {
                Expr::Opaque
            }
            ast::Expr::Tuple(tuple) if tuple.elts.len() <= LONGEST_LITERAL => {
                Expr::Tuple(self.exprs(&tuple.elts, depth))
            }
            ast::Expr::List(list) if list.elts.len() <= LONGEST_LITERAL => {
                Expr::List(self.exprs(&list.elts, depth))
            }
            ast::Expr::Set(set) if set.elts.len() <= LONGEST_LITERAL => {
                Expr::List(self.exprs(&set.elts, depth))
            }
            ast::Expr::Dict(dict) if dict.items.len() <= LONGEST_LITERAL => {
                let items = dict.items.iter().filter_map(|item| {
                    let key = item.key.as_ref()?;
                    Some((one(key), one(&item.value)))
                });
                Expr::Dict(items.collect())
            }
            ast::Expr::FString(joined) => Expr::Joined(self.joined(joined, deeper)),
            ast::Expr::If(choice) => {
                Expr::Conditional(Box::new((one(&choice.test), one(&choice.body), one(&choice.orelse))))
            }
            ast::Expr::ListComp(list) => self.comprehension(&list.elt, &list.generators, deeper),
            ast::Expr::SetComp(set) => self.comprehension(&set.elt, &set.generators, deeper),
            ast::Expr::Generator(generator) => {
                self.comprehension(&generator.elt, &generator.generators, deeper)
            }
            ast::Expr::Named(named) => match one(&named.target) {
                Expr::Name(target) => Expr::Named(target, Box::new(one(&named.value))),
                _ => Expr::Opaque,
            },
            _ => Expr::Opaque,
        }
    }

    /// Named arguments. Who gives more than a dozen describes data; of those only what runs is kept.
    fn keywords(&self, keywords: &[ast::Keyword], depth: u32) -> Vec<(Name, Expr)> {
        const MANY: usize = 12;
        let named = keywords.iter().filter_map(|keyword| {
            let name = keyword.arg.as_ref()?;
            Some((Name::from(name.as_str()), self.expr(&keyword.value, depth)))
        });
        named.filter(|(_, value)| keywords.len() <= MANY || has_call(value)).collect()
    }

    /// `a < b < c` is `a < b and b < c`.
    fn comparison(&self, compare: &ast::ExprCompare, depth: u32) -> Expr {
        let mut left = self.expr(&compare.left, depth + 1);
        let mut parts = Vec::new();
        for (op, right) in compare.ops.iter().zip(&compare.comparators) {
            let op = match op {
                ast::CmpOp::Eq => CompareOp::Eq,
                ast::CmpOp::NotEq => CompareOp::NotEq,
                ast::CmpOp::Lt => CompareOp::Lt,
                ast::CmpOp::LtE => CompareOp::LtE,
                ast::CmpOp::Gt => CompareOp::Gt,
                ast::CmpOp::GtE => CompareOp::GtE,
                ast::CmpOp::Is => CompareOp::Is,
                ast::CmpOp::IsNot => CompareOp::IsNot,
                ast::CmpOp::In => CompareOp::In,
                ast::CmpOp::NotIn => CompareOp::NotIn,
            };
            let right = self.expr(right, depth + 1);
            parts.push(Expr::Compare(Box::new((left, op, right.clone()))));
            left = right;
        }
        if parts.len() == 1 { parts.pop().unwrap_or(Expr::Opaque) } else { Expr::And(parts) }
    }

    fn comprehension(&self, element: &ast::Expr, generators: &[ast::Comprehension], depth: u32) -> Expr {
        match generators {
            [only] if !only.is_async => Expr::Comprehension(Box::new(Comprehension {
                element: self.expr(element, depth),
                target: self.expr(&only.target, depth),
                iter: self.expr(&only.iter, depth),
                conditions: self.exprs(&only.ifs, depth),
            })),
            _ => Expr::Opaque,
        }
    }

    fn joined(&self, joined: &ast::ExprFString, depth: u32) -> Vec<Expr> {
        let mut parts = Vec::new();
        for part in joined.value.as_slice() {
            match part {
                ast::FStringPart::Literal(literal) => parts.push(Expr::Str(literal.value.as_ref().into())),
                ast::FStringPart::FString(string) => {
                    for element in &string.elements {
                        parts.push(match element {
                            ast::InterpolatedStringElement::Literal(literal) => {
                                Expr::Str(literal.value.as_ref().into())
                            }
                            ast::InterpolatedStringElement::Interpolation(value)
                                if value.format_spec.is_none()
                                    && value.conversion == ast::ConversionFlag::None =>
                            {
                                self.expr(&value.expression, depth)
                            }
                            ast::InterpolatedStringElement::Interpolation(_) => Expr::Opaque,
                        });
                    }
                }
            }
        }
        parts
    }
}

fn name(identifier: &ast::Identifier) -> Name {
    Name::from(identifier.as_str())
}

/// Whether evaluating an expression calls something.
fn has_call(expr: &Expr) -> bool {
    match expr {
        Expr::Call(_) | Expr::Comprehension(_) => true,
        Expr::Attribute(object, _) | Expr::Not(object) | Expr::Named(_, object) => has_call(object),
        Expr::Binary(parts) => has_call(&parts.0) || has_call(&parts.2),
        Expr::Compare(parts) => has_call(&parts.0) || has_call(&parts.2),
        Expr::Subscript(parts) => has_call(&parts.0) || has_call(&parts.1),
        Expr::Conditional(parts) => has_call(&parts.0) || has_call(&parts.1) || has_call(&parts.2),
        Expr::And(values)
        | Expr::Or(values)
        | Expr::Tuple(values)
        | Expr::List(values)
        | Expr::Joined(values) => values.iter().any(has_call),
        Expr::Dict(items) => items.iter().any(|(key, value)| has_call(key) || has_call(value)),
        _ => false,
    }
}
