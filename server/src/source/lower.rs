//! Lowers Python source to a [`Script`], using ruff's error-tolerant parser.
//!
//! Only what can matter for loading is kept. [`outline`] has already removed the
//! bodies of most functions and kept their positions. [`lower_part`] reads a body when its function
//! is called.

use std::sync::Arc;

use ruff_python_ast as ast;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_text_size::{Ranged, TextSize};

use super::lines::LineCounter;
use super::newer_syntax;
use super::outline::{self, Outline, PlacedFunctions, ReadStatement};
use super::script::{
    BinaryOp, Call, CompareOp, Comprehension, ComprehensionResult, Expr, Function, Handler, LeftOut, Name,
    Parameter, ParameterKind, Script, Span, Stmt, StmtKind, Try,
};

/// The maximum sizes of strings and literals. Longer ones are data, not names of modules or DLLs.
const MAX_STRING: usize = 1024;
const MAX_LITERAL: usize = 4096;

/// The maximum size of a list of numbers. Longer ones are data; version tuples are shorter.
const MAX_NUMBERS: usize = 32;

/// The maximum number of `for` clauses in a comprehension.
const MAX_GENERATORS: usize = 8;

/// The maximum nesting depth of expressions, so that no input can exhaust the stack. Deeper ones
/// are opaque.
const MAX_DEPTH: u32 = 100;

/// Sources above this size, in bytes, are read on a separate thread, with a stack that their
/// deepest possible nesting can't exhaust.
const MAX_INLINE: usize = 128 << 10;

/// The maximum stack size, in bytes, per nesting level when a syntax tree is walked or dropped. A
/// level takes at least one byte of source.
const STACK_PER_LEVEL: usize = 256;

/// Lowers a module. Never fails: if the source isn't valid Python, the statements that can be read
/// are kept, and `syntax_error` contains the first error.
///
/// Callers run this on a thread with [`super::STACK`] bytes of stack.
pub fn lower(text: &str) -> Script {
    let text = without_bom(text);
    if let Some(outline) = outline::outline(text) {
        let script = parse(outline, 0);
        // An error may mean that the outline was wrong. Only the source itself is decisive.
        if script.syntax_error.is_none() {
            return script;
        }
    }
    lower_whole(text)
}

/// Lowers a module like [`lower`], but with the bodies of all functions: for source that isn't in a
/// file, where they could be read later.
pub fn lower_whole(text: &str) -> Script {
    parse(Outline { text: without_bom(text).to_owned(), ..Outline::default() }, 0)
}

/// Returns the definition at a position in a module's source as the only statement of a script. The
/// script is empty if there is none.
///
/// Callers run this on a thread with [`super::STACK`] bytes of stack.
pub fn lower_part(text: &str, at: Span) -> Script {
    let text = without_bom(text);
    let Some(part) = text.get(at.start as usize..at.end as usize) else { return Script::default() };
    let before = text.get(..at.start as usize).unwrap_or_default();
    let line = &before[before.rfind(['\n', '\r']).map_or(0, |end| end + 1)..];
    let is_indented = !line.is_empty() && line.trim_start_matches([' ', '\t', '\u{c}']).is_empty();
    let mut script = match is_indented {
        // Indented source must be in a block.
        true => {
            let text = ["if 1:\n", line, part].concat();
            parse(Outline { text, ..Outline::default() }, at.line.saturating_sub(2))
        }
        false => parse(Outline { text: part.to_owned(), ..Outline::default() }, at.line.saturating_sub(1)),
    };
    if is_indented && let Some(StmtKind::If { then, .. }) = script.body.pop().map(|stmt| stmt.kind) {
        script.body = then;
    }
    script.body.retain(|stmt| matches!(stmt.kind, StmtKind::Function(_)));
    script
}

/// Removes the byte order mark that some editors add to UTF-8.
fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Lowers an outline. `lines_above` is added to its line numbers.
pub(super) fn parse(outline: Outline, lines_above: u32) -> Script {
    let Outline { text, cuts, statements, placed } = &outline;
    with_stack_for(text, || {
        let parsed = newer_syntax::parsed(text);
        let lines = LineCounter::new(text, cuts);
        let line_of = |at: usize| lines.line_of(at) + 1 + lines_above;
        let first = parsed.errors().first();
        let syntax_error =
            first.map(|error| (line_of(error.location.start().to_usize()), error.error.to_string()));
        let newer_syntax = newer_syntax::newer_syntax(&parsed, line_of);
        let lowering = Lowering { text, lines: &lines, lines_above, placed };
        let mut body = lowering.top_level(&parsed.syntax().body, statements);
        join(&mut body);
        Script { body, syntax_error, newer_syntax }
    })
}

/// Runs `work` with a stack that is sufficient to build and drop a syntax tree of `text`, however
/// deep.
pub(super) fn with_stack_for<T: Send>(text: &str, work: impl FnOnce() -> T + Send) -> T {
    if text.len() <= MAX_INLINE {
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

/// Merges consecutive definitions into one statement, and consecutive assignments of unknown
/// values.
fn join(body: &mut Vec<Stmt>) {
    body.dedup_by(|next, kept| match (&mut kept.kind, &mut next.kind) {
        (StmtKind::LeftOut(definitions), StmtKind::LeftOut(more)) => {
            Arc::make_mut(definitions).extend_from_slice(more);
            true
        }
        (
            StmtKind::Assign { targets, value: Expr::Opaque },
            StmtKind::Assign { targets: more, value: Expr::Opaque },
        ) if targets.iter().chain(&*more).all(|target| matches!(target, Expr::Name(_))) => {
            targets.append(more);
            true
        }
        _ => false,
    });
}

fn lazy_if(is_lazy: bool, import: StmtKind) -> StmtKind {
    if is_lazy { StmtKind::Lazy(Box::new(import)) } else { import }
}

/// Returns the statements of a program.
pub(super) fn lower_statements(text: &str) -> Vec<Stmt> {
    with_stack_for(text, || {
        let parsed = newer_syntax::parsed(text);
        let lines = LineCounter::new(text, &[]);
        Lowering::new(text, &lines).block(&parsed.syntax().body)
    })
}

#[derive(Clone, Copy)]
pub(super) struct Lowering<'a> {
    text: &'a str,
    lines: &'a LineCounter<'a>,
    lines_above: u32,
    placed: &'a [PlacedFunctions],
}

impl<'a> Lowering<'a> {
    /// Lowers statements of `text`, which is complete.
    pub fn new(text: &'a str, lines: &'a LineCounter<'a>) -> Lowering<'a> {
        Lowering { text, lines, lines_above: 0, placed: &[] }
    }

    fn line(&self, at: TextSize) -> u32 {
        self.lines.line_of(at.to_usize()) + 1 + self.lines_above
    }

    /// Returns the functions that a number in the outline replaces.
    fn placed(&self, at: TextSize) -> Option<&Arc<Vec<LeftOut>>> {
        let index = self.placed.binary_search_by_key(&at.to_usize(), |placed| placed.at).ok()?;
        self.placed.get(index).map(|placed| &placed.definitions)
    }

    /// Lowers all statements of a module, in order.
    fn top_level(&self, body: &[ast::Stmt], statements: &[ReadStatement]) -> Vec<Stmt> {
        let mut block = Vec::with_capacity(body.len() + statements.len());
        let mut statements = statements.iter().peekable();
        for stmt in body {
            let start = stmt.start().to_usize();
            while let Some(read) = statements.next_if(|read| read.at <= start) {
                block.push(read.stmt.clone());
            }
            self.stmt(stmt, &mut block);
        }
        block.extend(statements.map(|read| read.stmt.clone()));
        block
    }

    fn block(&self, body: &[ast::Stmt]) -> Vec<Stmt> {
        let mut block = Vec::with_capacity(body.len());
        for stmt in body {
            self.stmt(stmt, &mut block);
        }
        block
    }

    /// Lowers a statement to any number of statements, which are appended to `block`.
    pub fn stmt(&self, stmt: &ast::Stmt, block: &mut Vec<Stmt>) {
        let line = self.line(stmt.start());
        let kind = match stmt {
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    let module = name(&alias.name);
                    let kind = StmtKind::Import { module, alias: alias.asname.as_ref().map(name) };
                    block.push(Stmt { line, kind: lazy_if(import.is_lazy, kind) });
                }
                return;
            }
            ast::Stmt::ImportFrom(import) => {
                let names = import.names.iter();
                let kind = StmtKind::ImportFrom {
                    level: import.level,
                    module: import.module.as_ref().map(name).unwrap_or_default(),
                    names: names.map(|alias| (name(&alias.name), alias.asname.as_ref().map(name))).collect(),
                };
                lazy_if(import.is_lazy, kind)
            }
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
            ast::Stmt::Expr(expr) if expr.value.is_number_literal_expr() => match self.placed(expr.start()) {
                Some(definitions) => StmtKind::LeftOut(definitions.clone()),
                None => return,
            },
            ast::Stmt::Expr(expr) => match self.expr(&expr.value, 0) {
                // A docstring or a bare value has no effect. A bare name is kept, because an
                // undefined one raises a NameError that may be caught.
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
            ast::Stmt::FunctionDef(def) => match def.body.as_slice() {
                // The replacement of a removed body.
                [ast::Stmt::Expr(only)] if let Some(definitions) = self.placed(only.start()) => {
                    StmtKind::LeftOut(definitions.clone())
                }
                _ => StmtKind::Function(Arc::new(self.function(def))),
            },
            ast::Stmt::ClassDef(class) => StmtKind::Class {
                name: name(&class.name),
                bases: class.bases().iter().map(|base| self.expr(base, 0)).collect(),
                body: self.class_body(&class.body),
                decorators: self.decorators(&class.decorator_list),
            },
            ast::Stmt::Return(result) => {
                StmtKind::Return(result.value.as_ref().map(|value| self.expr(value, 0)))
            }
            ast::Stmt::Raise(raise) => {
                StmtKind::Raise { exception: raise.exc.as_ref().map(|exception| self.expr(exception, 0)) }
            }
            ast::Stmt::Global(global) => StmtKind::Global(global.names.iter().map(name).collect()),
            ast::Stmt::Nonlocal(nonlocal) => StmtKind::Nonlocal(nonlocal.names.iter().map(name).collect()),
            ast::Stmt::Delete(delete) => {
                StmtKind::Delete(delete.targets.iter().map(|t| self.expr(t, 0)).collect())
            }
            ast::Stmt::Match(choice) => {
                // The selected case is unknown, so each may run.
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
            | ast::Stmt::TypeAlias(_)
            | ast::Stmt::IpyEscapeCommand(_) => return,
        };
        block.push(Stmt { line, kind });
    }

    fn class_body(&self, body: &[ast::Stmt]) -> Vec<Stmt> {
        let mut block = self.block(body);
        join(&mut block);
        block
    }

    fn function(&self, def: &ast::StmtFunctionDef) -> Function {
        Function {
            name: name(&def.name),
            parameters: self.parameters(&def.parameters),
            // A call creates a coroutine, which runs later if at all.
            body: (!def.is_async).then(|| self.block(&def.body)),
            decorators: self.decorators(&def.decorator_list),
            is_generator: self.yields(def),
        }
    }

    fn decorators(&self, decorators: &[ast::Decorator]) -> Vec<Expr> {
        decorators.iter().map(|decorator| self.expr(&decorator.expression, 0)).collect()
    }

    fn parameters(&self, parameters: &ast::Parameters) -> Vec<Parameter> {
        let with_default = |kind| {
            move |parameter: &ast::ParameterWithDefault| Parameter {
                name: name(&parameter.parameter.name),
                default: parameter.default.as_ref().map(|value| self.expr(value, 0)),
                kind,
            }
        };
        let rest = |kind| {
            move |parameter: &ast::Parameter| Parameter { name: name(&parameter.name), default: None, kind }
        };
        let usual = parameters.posonlyargs.iter().chain(&parameters.args);
        usual
            .map(with_default(ParameterKind::Usual))
            .chain(parameters.vararg.as_deref().map(rest(ParameterKind::Rest)))
            .chain(parameters.kwonlyargs.iter().map(with_default(ParameterKind::Keyword)))
            .chain(parameters.kwarg.as_deref().map(rest(ParameterKind::Keywords)))
            .collect()
    }

    /// Whether a call of the function creates a generator.
    fn yields(&self, def: &ast::StmtFunctionDef) -> bool {
        let text = self.text.get(def.range().to_std_range()).unwrap_or_default();
        // For most functions, the source alone rules it out.
        let mut search = YieldSearch { found: false };
        if memchr::memmem::find(text.as_bytes(), b"yield").is_some() {
            def.body.iter().for_each(|stmt| search.visit_stmt(stmt));
        }
        search.found
    }

    fn exprs<'e>(&self, exprs: impl IntoIterator<Item = &'e ast::Expr>, depth: u32) -> Vec<Expr> {
        exprs.into_iter().map(|expr| self.expr(expr, depth + 1)).collect()
    }

    fn expr(&self, expr: &ast::Expr, depth: u32) -> Expr {
        if depth > MAX_DEPTH {
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
                if text.len() > MAX_STRING { Expr::Opaque } else { Expr::Str(text.into()) }
            }
            ast::Expr::Name(id) => Expr::Name(id.id.as_str().into()),
            ast::Expr::Attribute(attribute) => {
                Expr::Attribute(Box::new(one(&attribute.value)), attribute.attr.as_str().into())
            }
            ast::Expr::Call(call) => {
                if call.arguments.args.len() > MAX_LITERAL {
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
                if elts.len() > MAX_NUMBERS && elts.iter().all(ast::Expr::is_number_literal_expr) =>
            {
                Expr::Opaque
            }
            ast::Expr::Tuple(tuple) if tuple.elts.len() <= MAX_LITERAL => {
                Expr::Tuple(self.exprs(&tuple.elts, depth))
            }
            ast::Expr::List(list) if list.elts.len() <= MAX_LITERAL => {
                Expr::List(self.exprs(&list.elts, depth))
            }
            ast::Expr::Set(set) if set.elts.len() <= MAX_LITERAL => Expr::List(self.exprs(&set.elts, depth)),
            ast::Expr::Dict(dict) if dict.items.len() <= MAX_LITERAL => {
                let items = dict.items.iter().map(|item| match &item.key {
                    Some(key) => (one(key), one(&item.value)),
                    None => (Expr::Starred(Box::new(one(&item.value))), Expr::None),
                });
                Expr::Dict(items.collect())
            }
            ast::Expr::FString(joined) => Expr::Joined(self.joined(joined, deeper)),
            ast::Expr::If(choice) => {
                Expr::Conditional(Box::new((one(&choice.test), one(&choice.body), one(&choice.orelse))))
            }
            ast::Expr::ListComp(list) => self.comprehension(one(&list.elt), &list.generators, deeper),
            ast::Expr::SetComp(set) => self.comprehension(one(&set.elt), &set.generators, deeper),
            ast::Expr::Generator(generator) => {
                self.comprehension(one(&generator.elt), &generator.generators, deeper)
            }
            ast::Expr::DictComp(table) => {
                let Some(key) = &table.key else { return Expr::Opaque };
                let pair = Expr::Tuple(vec![one(key), one(&table.value)]);
                match self.comprehension(pair, &table.generators, deeper) {
                    Expr::Comprehension(mut comprehension)
                        if comprehension.makes == ComprehensionResult::List =>
                    {
                        comprehension.makes = ComprehensionResult::Dict;
                        Expr::Comprehension(comprehension)
                    }
                    pairs @ Expr::Comprehension(_) => Expr::Call(Box::new(Call {
                        function: Expr::Name("dict".into()),
                        arguments: vec![pairs],
                        keywords: Vec::new(),
                    })),
                    _ => Expr::Opaque,
                }
            }
            ast::Expr::Starred(starred) => Expr::Starred(Box::new(one(&starred.value))),
            ast::Expr::Lambda(lambda) => Expr::Lambda(Arc::new(Function {
                name: "<lambda>".into(),
                parameters: lambda.parameters.as_ref().map(|it| self.parameters(it)).unwrap_or_default(),
                body: Some(vec![Stmt {
                    line: self.line(lambda.start()),
                    kind: StmtKind::Return(Some(one(&lambda.body))),
                }]),
                decorators: Vec::new(),
                is_generator: false,
            })),
            ast::Expr::Yield(value) => Expr::Yield(value.value.as_ref().map(|value| Box::new(one(value)))),
            ast::Expr::YieldFrom(values) => Expr::YieldFrom(Box::new(one(&values.value))),
            ast::Expr::Named(named) => match one(&named.target) {
                Expr::Name(target) => Expr::Named(target, Box::new(one(&named.value))),
                _ => Expr::Opaque,
            },
            _ => Expr::Opaque,
        }
    }

    /// Lowers keyword arguments. A call with more than a dozen describes data, so only those with
    /// calls are kept.
    fn keywords(&self, keywords: &[ast::Keyword], depth: u32) -> Vec<(Name, Expr)> {
        const MAX_KEYWORDS: usize = 12;
        let named = keywords.iter().map(|keyword| {
            let name = keyword.arg.as_ref().map(|name| Name::from(name.as_str()));
            (name.unwrap_or_default(), self.expr(&keyword.value, depth))
        });
        named.filter(|(_, value)| keywords.len() <= MAX_KEYWORDS || has_call(value)).collect()
    }

    /// Lowers `a < b < c` to `a < b and b < c`.
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

    fn comprehension(&self, element: Expr, generators: &[ast::Comprehension], depth: u32) -> Expr {
        if generators.len() > MAX_GENERATORS || generators.iter().any(|generator| generator.is_async) {
            return Expr::Opaque;
        }
        let mut generators = generators.iter().rev();
        let one = |element, generator: &ast::Comprehension, makes| {
            Expr::Comprehension(Box::new(Comprehension {
                element,
                target: self.expr(&generator.target, depth),
                iter: self.expr(&generator.iter, depth),
                conditions: self.exprs(&generator.ifs, depth),
                makes,
            }))
        };
        let Some(innermost) = generators.next() else { return Expr::Opaque };
        let inner = one(element, innermost, ComprehensionResult::List);
        generators.fold(inner, |inner, generator| one(inner, generator, ComprehensionResult::Flat))
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

/// A visitor that searches for `yield` in a function's own statements.
struct YieldSearch {
    found: bool,
}

impl<'a> Visitor<'a> for YieldSearch {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        if !matches!(stmt, ast::Stmt::FunctionDef(_) | ast::Stmt::ClassDef(_)) {
            visitor::walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Yield(_) | ast::Expr::YieldFrom(_) => self.found = true,
            ast::Expr::Lambda(_) => {}
            _ => visitor::walk_expr(self, expr),
        }
    }
}

fn name(identifier: &ast::Identifier) -> Name {
    Name::from(identifier.as_str())
}

/// Whether evaluating an expression calls something.
fn has_call(expr: &Expr) -> bool {
    match expr {
        Expr::Call(_) | Expr::Comprehension(_) | Expr::Yield(_) | Expr::YieldFrom(_) => true,
        Expr::Attribute(object, _) | Expr::Not(object) | Expr::Named(_, object) | Expr::Starred(object) => {
            has_call(object)
        }
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
