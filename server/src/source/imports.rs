//! The import statements of a document, with the ranges of the module names.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextRange};

use super::accesses::Modules;
use super::ignores::{Comments, Ignores};
use super::ipython::python_of;
use super::lazy_uses::{LazyImports, Use};
use super::lines::{LineCounter, LineIndex, Range};
use super::lower::Lowering;
use super::lower::with_stack_for;
use super::newer_syntax::{self, NewerSyntax};
use super::prelude::{Prelude, ProgramSource};
use super::program::ImportPoint;
use super::script::{Name, top_level};
use super::standard;

/// The imports of a document, and the line where a statement can be inserted above them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// In source order.
    pub imports: Vec<ImportStatement>,
    /// The 0-based line of a top-level `import os`, if any.
    pub imports_os: Option<u32>,
    /// Whether a previous cell imports `os`.
    pub imports_os_above: bool,
    /// The 0-based line before which the first statement can be inserted: after the docstring and
    /// `from __future__`.
    pub first_statement_line: u32,
    /// The syntax that older versions of Python don't compile, as in [`Script`](super::Script). It
    /// includes that of function bodies.
    pub newer_syntax: Vec<NewerSyntax>,
    /// Whether the document has relative imports. It is then part of a package and isn't run as a
    /// program.
    pub is_in_package: bool,
}

/// An imported module. `import a.b, c` yields two.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportStatement {
    /// The dotted name as written: `tensorflow.keras`.
    pub module: Name,
    /// The names in `from module import …`, empty for a plain import.
    pub names: Vec<Name>,
    /// Whether this is an access rather than a statement: `module.name` at the top level, which
    /// imports something if the module is lazy. `names` contains the one name.
    pub is_access: bool,
    /// Syntax that the document needs to compile, so that an older Python doesn't make the import.
    /// It is set for lazy imports (PEP 810), which are such syntax themselves, and for the first
    /// import that [`Document::retain_wanted`] retains.
    pub required_syntax: Option<NewerSyntax>,
    /// The first use of a lazy import, if any.
    pub first_use: Option<Range>,
    /// The range of the module's name or, for an access, of the whole expression.
    pub range: Range,
    /// The 0-based line where the outermost statement around the import begins. Code that must run
    /// before the import can be inserted there.
    pub statement_line: u32,
    /// The 0-based line where the import statement ends.
    pub end_line: u32,
    /// The codes that comments silence for the import.
    pub ignores: Ignores,
    /// The guard of the import, or of the first use of a lazy import.
    pub guard: Guard,
    /// The place of the import in the program.
    pub point: ImportPoint,
}

impl ImportStatement {
    /// Returns the first component: `tensorflow`.
    pub fn top_level(&self) -> &str {
        top_level(&self.module)
    }
}

/// The effect of a failing import on the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guard {
    /// The program ends.
    #[default]
    None,
    /// None: a handler for ImportError is around the import.
    Handled,
    /// None, if the module is only missing: a handler for ModuleNotFoundError is around the import.
    /// A DLL that can't be loaded raises ImportError, which this handler doesn't catch.
    HandledIfAbsent,
    /// None, as far as the source shows: the import is lazy and unused.
    Unused,
    /// None: the import doesn't run on Windows (`if TYPE_CHECKING`, `if sys.platform == "linux"`).
    NotRun,
}

impl Guard {
    /// Returns the stronger of two guards.
    fn or(self, other: Guard) -> Guard {
        if self.strength() >= other.strength() { self } else { other }
    }

    /// Returns the rank of the guard. A stronger guard has a higher one.
    pub fn strength(self) -> u8 {
        match self {
            Guard::None => 0,
            Guard::HandledIfAbsent => 1,
            Guard::Handled | Guard::Unused => 2,
            Guard::NotRun => 3,
        }
    }
}

/// The last minor version whose syntax is never reported as too new. Too many programs use it, and
/// the Pythons without it have reached their end of life.
const LAST_UNREPORTED_MINOR: u16 = 9;

impl Document {
    /// Reads the imports of a document. If the source isn't valid Python, returns those that can be
    /// read.
    pub fn parse(text: &str) -> Document {
        read(text, LineIndex::new(text), &mut Prelude::default(), &mut Modules::default())
    }

    /// Retains the wanted imports. If the document uses newer syntax, it's recorded in the first
    /// import that runs.
    pub fn retain_wanted(&mut self, is_wanted: impl FnMut(&ImportStatement) -> bool) {
        self.imports.retain(is_wanted);
        let newest = self.newer_syntax.iter().filter(|newer| newer.since > LAST_UNREPORTED_MINOR);
        let newest = newest.max_by_key(|newer| newer.since);
        let first = self.imports.iter_mut().find(|import| import.guard != Guard::NotRun && !import.is_access);
        if let (Some(first), Some(newest)) = (first, newest)
            && first.required_syntax.as_ref().is_none_or(|needs| needs.since < newest.since)
        {
            first.required_syntax = Some(newest.clone());
        }
    }

    /// Reads the code cells of a notebook in order. An import in a cell is made after those of the
    /// kernel and of the cells above. IPython commands are skipped.
    pub fn parse_cells(cells: &[&str]) -> Vec<Document> {
        let python: Vec<Option<Cow<'_, str>>> = cells.iter().map(|cell| python_of(cell)).collect();
        let (mut prelude, mut modules) = (Prelude::of_notebook(), Modules::default());
        let mut imports_os_above = false;
        let mut documents = Vec::with_capacity(cells.len());
        for (cell, python) in cells.iter().zip(&python) {
            let mut document = match python {
                Some(python) => read(python, LineIndex::new(cell), &mut prelude, &mut modules),
                None => Document::default(),
            };
            document.imports_os_above = imports_os_above;
            imports_os_above |= document.imports_os.is_some();
            documents.push(document);
        }
        documents
    }
}

/// Reads Python source. `lines` is the index of the document that the source replaces byte by byte.
fn read(text: &str, lines: LineIndex, prelude: &mut Prelude, modules: &mut Modules) -> Document {
    with_stack_for(text, || {
        let parsed = newer_syntax::parsed(text);
        let newer_syntax = newer_syntax::newer_syntax(&parsed, |at| lines.line_of(at) + 1);
        let comments = Comments::of(text, parsed.tokens(), &lines);
        let counter = LineCounter::new(text, &[]);
        let mut reader = DocumentReader {
            text,
            source: ProgramSource { text, lowering: Lowering::new(text, &counter) },
            lines,
            comments,
            document: Document { newer_syntax, ..Document::default() },
            guard: Guard::None,
            outermost: None,
            prelude,
            modules,
            functions: 0,
            may_load: standard::may_load(text),
            lazy: LazyImports::default(),
            unused: BTreeSet::new(),
            required: Vec::new(),
        };
        reader.prologue(&parsed.syntax().body);
        reader.block(&parsed.syntax().body);
        reader.end();
        reader.document
    })
}

struct DocumentReader<'a, 'p> {
    text: &'a str,
    source: ProgramSource<'a>,
    lines: LineIndex,
    comments: Comments,
    document: Document,
    guard: Guard,
    outermost: Option<u32>,
    prelude: &'p mut Prelude,
    modules: &'p mut Modules,
    /// The number of functions around the statement.
    functions: u32,
    /// Lazy imports that have not been used yet.
    lazy: LazyImports,
    /// The indices of the lazy imports that no statement outside of functions has used yet.
    unused: BTreeSet<usize>,
    /// The top-level names of the modules without which the outermost statement fails.
    required: Vec<Name>,
    /// Whether any statement may load DLLs or change the search path. In most documents, none does,
    /// so that statements need not be checked.
    may_load: bool,
}

impl DocumentReader<'_, '_> {
    fn prologue(&mut self, body: &[ast::Stmt]) {
        for (at, stmt) in body.iter().enumerate() {
            let skipped = match stmt {
                ast::Stmt::Expr(expr) => at == 0 && expr.value.is_string_literal_expr(),
                ast::Stmt::ImportFrom(import) => {
                    import.module.as_ref().is_some_and(|m| m.as_str() == "__future__")
                }
                _ => false,
            };
            if !skipped {
                self.document.first_statement_line = self.lines.line_of(stmt.start().to_usize());
                return;
            }
            self.document.first_statement_line = self.lines.line_of(stmt.end().to_usize()) + 1;
        }
    }

    fn block(&mut self, body: &[ast::Stmt]) {
        let depth = self.prelude.depth();
        for stmt in body {
            let outermost = self.outermost.is_none();
            if outermost {
                self.outermost = Some(self.lines.line_of(stmt.start().to_usize()));
            }
            self.stmt(stmt, outermost);
            if outermost {
                self.outermost = None;
                let required = std::mem::take(&mut self.required);
                self.prelude.add(self.source, stmt, self.may_load, required);
            } else {
                self.prelude.add_nested(self.source, stmt, self.may_load);
            }
        }
        self.prelude.leave(depth);
    }

    fn stmt(&mut self, stmt: &ast::Stmt, outermost: bool) {
        if self.guard != Guard::NotRun {
            self.record_uses(stmt);
        }
        if self.functions == 0 && self.guard != Guard::NotRun {
            for access in self.modules.process(stmt) {
                self.import(stmt, &access.module, access.range, vec![access.name], true, &[]);
            }
        }
        match stmt {
            ast::Stmt::Import(import) => {
                for (at, alias) in import.names.iter().enumerate() {
                    if outermost && alias.name.as_str() == "os" && alias.asname.is_none() {
                        let line = self.lines.line_of(stmt.start().to_usize());
                        self.document.imports_os.get_or_insert(line);
                    }
                    let earlier = import.names.get(..at).unwrap_or_default();
                    self.import(stmt, alias.name.as_str(), alias.name.range(), Vec::new(), false, earlier);
                    if import.is_lazy {
                        self.add_lazy([(alias.asname.as_ref(), alias.name.as_str())]);
                    }
                }
            }
            ast::Stmt::ImportFrom(import) => {
                self.document.is_in_package |= import.level > 0;
                if let (0, Some(module)) = (import.level, &import.module) {
                    let names = import.names.iter().map(|a| a.name.as_str().into()).collect();
                    self.import(stmt, module.as_str(), module.range(), names, false, &[]);
                    if import.is_lazy {
                        let bound = import.names.iter();
                        self.add_lazy(
                            bound.map(|it| (it.asname.as_ref().or(Some(&it.name)), it.name.as_str())),
                        );
                    }
                }
            }
            ast::Stmt::If(branch) => {
                // If a condition is known to be true, the branches after it don't run. If it is
                // known to be false, its own branch doesn't run.
                let mut rest = Guard::None;
                let first = std::iter::once((Some(&*branch.test), &branch.body));
                let clauses = branch.elif_else_clauses.iter().map(|c| (c.test.as_ref(), &c.body));
                for (test, body) in first.chain(clauses) {
                    let holds = test.map_or(Some(true), holds_on_windows);
                    let guard = if holds == Some(false) { Guard::NotRun } else { rest };
                    self.guarded(guard, body);
                    if holds == Some(true) {
                        rest = Guard::NotRun;
                    }
                }
            }
            ast::Stmt::Try(attempt) => {
                let handlers = attempt.handlers.iter().map(|ast::ExceptHandler::ExceptHandler(handler)| {
                    handler.type_.as_ref().map_or(Guard::Handled, |class| caught_by(class))
                });
                self.guarded(handlers.fold(Guard::None, Guard::or), &attempt.body);
                for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    self.block(&handler.body);
                }
                self.block(&attempt.orelse);
                self.block(&attempt.finalbody);
            }
            ast::Stmt::For(each) => {
                self.block(&each.body);
                self.block(&each.orelse);
            }
            ast::Stmt::While(repeat) => {
                self.block(&repeat.body);
                self.block(&repeat.orelse);
            }
            ast::Stmt::With(with) => {
                let guards = with.items.iter().map(|item| suppressed_by(&item.context_expr));
                self.guarded(guards.fold(Guard::None, Guard::or), &with.body);
            }
            ast::Stmt::FunctionDef(def) => {
                self.functions += 1;
                self.block(&def.body);
                self.functions -= 1;
            }
            ast::Stmt::ClassDef(class) => self.block(&class.body),
            ast::Stmt::Match(choice) => {
                for case in &choice.cases {
                    self.block(&case.body);
                }
            }
            _ => {}
        }
    }

    /// Reads a block under a guard. Code that doesn't run stays so, regardless of inner guards.
    fn guarded(&mut self, guard: Guard, body: &[ast::Stmt]) {
        let before = self.guard;
        self.guard = before.or(guard);
        self.block(body);
        self.guard = before;
    }

    /// Records that the last import is lazy and binds these names: each an alias, or the first part
    /// of a dotted name.
    fn add_lazy<'n>(&mut self, bound: impl IntoIterator<Item = (Option<&'n ast::Identifier>, &'n str)>) {
        if self.guard == Guard::None {
            self.required.pop();
        }
        let number = self.document.imports.len().saturating_sub(1);
        if let Some(import) = self.document.imports.last_mut().filter(|import| import.guard != Guard::NotRun)
        {
            import.required_syntax = Some(NewerSyntax::lazy_import(import.range.start.line + 1));
            import.guard = Guard::Unused;
            self.unused.insert(number);
            for (alias, dotted) in bound {
                self.lazy.add(number, alias.map(|alias| alias.as_str()), dotted);
            }
        }
    }

    /// Records the lazy imports that a statement uses, and so makes.
    fn record_uses(&mut self, stmt: &ast::Stmt) {
        let later = self.functions > 0;
        for Use { import: number, range, dotted } in self.lazy.uses_in(stmt, later) {
            let place = |offset: ruff_text_size::TextSize| self.lines.position(self.text, offset.to_usize());
            let at = Range { start: place(range.start()), end: place(range.end()) };
            let Some(import) = self.document.imports.get_mut(number) else { continue };
            if import.first_use.is_none() {
                import.first_use = Some(at);
                import.guard = self.guard;
            }
            if !later && self.unused.remove(&number) {
                import.point = self.prelude.point(&[]);
                self.prelude.add_use(&dotted);
            }
        }
    }

    /// Completes the lazy imports that only functions use. They are made when the functions are
    /// called.
    fn end(&mut self) {
        for number in std::mem::take(&mut self.unused) {
            if let Some(import) = self.document.imports.get_mut(number) {
                import.point = self.prelude.point(&[]);
            }
        }
    }

    /// Adds an imported module. `earlier` are the modules that the same statement imports before
    /// it.
    fn import(
        &mut self,
        statement: &ast::Stmt,
        module: &str,
        range: TextRange,
        names: Vec<Name>,
        is_access: bool,
        earlier: &[ast::Alias],
    ) {
        if module.is_empty() {
            return;
        }
        let place = |offset: ruff_text_size::TextSize| self.lines.position(self.text, offset.to_usize());
        let range = Range { start: place(range.start()), end: place(range.end()) };
        let line_of = |offset: ruff_text_size::TextSize| self.lines.line_of(offset.to_usize());
        let (first, end_line) = (line_of(statement.start()), line_of(statement.end()));
        // An access may be in a long statement. Only its own lines count.
        let end_line = if is_access { range.end.line } else { end_line };
        let first = if is_access { range.start.line } else { first };
        let ignores = self.comments.on(first, end_line);
        if self.guard == Guard::None && !is_access {
            self.required.push(top_level(module).into());
        }
        self.document.imports.push(ImportStatement {
            module: module.into(),
            names,
            is_access,
            required_syntax: None,
            first_use: None,
            range,
            statement_line: self.outermost.unwrap_or(range.start.line),
            end_line,
            ignores,
            guard: self.guard,
            point: self.prelude.point(earlier),
        });
    }
}

/// Evaluates the condition of an `if` on Windows, as far as possible without running it.
fn holds_on_windows(test: &ast::Expr) -> Option<bool> {
    match test {
        ast::Expr::BooleanLiteral(literal) => Some(literal.value),
        ast::Expr::Name(name) if name.id.as_str() == "TYPE_CHECKING" => Some(false),
        ast::Expr::Attribute(attribute) if attribute.attr.as_str() == "TYPE_CHECKING" => Some(false),
        ast::Expr::UnaryOp(unary) if unary.op == ast::UnaryOp::Not => {
            holds_on_windows(&unary.operand).map(|holds| !holds)
        }
        ast::Expr::BoolOp(op) => {
            let mut values = op.values.iter().map(holds_on_windows);
            match op.op {
                ast::BoolOp::And => values.any(|v| v == Some(false)).then_some(false),
                ast::BoolOp::Or => values.any(|v| v == Some(true)).then_some(true),
            }
        }
        ast::Expr::Compare(compare) => {
            let (&[op], [right]) = (&*compare.ops, &*compare.comparators) else {
                return None;
            };
            let actual = platform_name(&compare.left)?;
            let expected = right.as_string_literal_expr()?.value.to_str();
            match op {
                ast::CmpOp::Eq => Some(actual == expected),
                ast::CmpOp::NotEq => Some(actual != expected),
                _ => None,
            }
        }
        ast::Expr::Call(call) => {
            let method = call.func.as_attribute_expr()?;
            let actual = platform_name(&method.value)?;
            let [prefix] = &*call.arguments.args else {
                return None;
            };
            (method.attr.as_str() == "startswith")
                .then(|| Some(actual.starts_with(prefix.as_string_literal_expr()?.value.to_str())))?
        }
        _ => None,
    }
}

fn platform_name(expr: &ast::Expr) -> Option<&'static str> {
    if let ast::Expr::Call(call) = expr {
        let method = call.func.as_attribute_expr()?;
        let module = method.value.as_name_expr()?;
        return (module.id.as_str() == "platform" && method.attr.as_str() == "system").then_some("Windows");
    }
    let attribute = expr.as_attribute_expr()?;
    let module = attribute.value.as_name_expr()?;
    match (module.id.as_str(), attribute.attr.as_str()) {
        ("sys", "platform") => Some("win32"),
        ("os", "name") => Some("nt"),
        _ => None,
    }
}

/// Returns the guard of a handler for an exception class, or for a tuple of them.
fn caught_by(class: &ast::Expr) -> Guard {
    match class {
        ast::Expr::Name(name) => match name.id.as_str() {
            "ImportError" | "Exception" | "BaseException" => Guard::Handled,
            "ModuleNotFoundError" => Guard::HandledIfAbsent,
            _ => Guard::None,
        },
        ast::Expr::Tuple(tuple) => tuple.elts.iter().map(caught_by).fold(Guard::None, Guard::or),
        _ => Guard::None,
    }
}

/// Returns the guard of `with suppress(ImportError):`, recognized by the name in `contextlib`.
fn suppressed_by(context: &ast::Expr) -> Guard {
    let Some(call) = context.as_call_expr() else {
        return Guard::None;
    };
    let name = match &*call.func {
        ast::Expr::Name(name) => name.id.as_str(),
        ast::Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => "",
    };
    let classes = call.arguments.args.iter().filter(|_| name == "suppress");
    classes.map(caught_by).fold(Guard::None, Guard::or)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let document = Document::parse(text);
        let mut out = String::new();
        for import in &document.imports {
            let (start, end) = (import.range.start, import.range.end);
            out += &format!(
                "{}:{}-{} {}{}{}\n",
                start.line,
                start.character,
                end.character,
                import.module,
                import
                    .names
                    .iter()
                    .map(|n| format!("{}{n}", if import.is_access { "." } else { " " }))
                    .collect::<String>(),
                match import.guard {
                    Guard::None => "",
                    Guard::Handled => " (handled)",
                    Guard::HandledIfAbsent => " (handled if absent)",
                    Guard::Unused => " (unused)",
                    Guard::NotRun => " (not run)",
                },
            );
            if let Some(first) = import.first_use {
                let (line, from, to) = (first.start.line, first.start.character, first.end.character);
                out += &format!("    used at {line}:{from}-{to} after {:?}\n", import.point);
            }
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn every_form_of_import() {
        check(
            "import tensorflow\nimport tensorflow.keras as k\nfrom tensorflow import keras, data as d\n\
             import os, tensorflow, sys\nfrom . import tensorflow\n# import tensorflow\n'import tensorflow'\n",
            expect![[r#"
                0:7-17 tensorflow
                1:7-23 tensorflow.keras
                2:5-15 tensorflow keras data
                3:7-9 os
                3:11-21 tensorflow
                3:23-26 sys
            "#]],
        );
    }

    #[test]
    fn attributes_of_modules_at_the_top_level() {
        check(
            "import a, b.c as d, e.f, g\na.x(d.y)[a.x]\nif e.f.z > e.f.z:\n  v = a.w\n\
             def h(n=1):\n  a.not_run\n@a.decorator\ndef i(): pass\nlambda: a.later\n\
             try:\n  a.tried\nexcept ImportError:\n  pass\na = 1\na.number\nfrom x import g\ng.other\n",
            expect![[r#"
                0:7-8 a
                0:10-13 b.c
                0:20-23 e.f
                0:25-26 g
                1:0-3 a.x
                1:4-7 b.c.y
                2:3-8 e.f.z
                3:6-9 a.w
                6:1-12 a.decorator
                10:2-9 a.tried (handled)
                15:5-6 x g
            "#]],
        );
    }

    #[test]
    fn lazy_imports_are_made_where_they_are_used() {
        check(
            "lazy import a, b.c, b.d as d\nlazy from e import f, g as h\nlazy import unused, later, shadowed\n\
             import numpy\nlazy import i\nif a.x:\n  import scipy\n  b.other(b.c.name)\n\
             def k(x: i = 1):\n  return later.x + i.y\n\
             try:\n  d(f)\nexcept ImportError:\n  h()\nshadowed = 1\nlambda: shadowed\nk(i)\nimport last\n",
            expect![[r#"
                0:12-13 a
                    used at 5:3-4 after ["lazy import a", "lazy import b.c", "lazy import b.d", "lazy from e import f, g", "lazy import unused", "lazy import later", "lazy import shadowed", "import numpy", "lazy import i"]
                0:15-18 b.c
                    used at 7:10-13 after ["lazy import a", "lazy import b.c", "lazy import b.d", "lazy from e import f, g", "lazy import unused", "lazy import later", "lazy import shadowed", "import numpy", "lazy import i", "a", "import scipy"]
                0:20-23 b.d (handled)
                    used at 11:2-3 after ["lazy import a", "lazy import b.c", "lazy import b.d", "lazy from e import f, g", "lazy import unused", "lazy import later", "lazy import shadowed", "import numpy", "lazy import i", "a", "b.c", "line 6"]
                1:10-11 e f g (handled)
                    used at 11:4-5 after ["lazy import a", "lazy import b.c", "lazy import b.d", "lazy from e import f, g", "lazy import unused", "lazy import later", "lazy import shadowed", "import numpy", "lazy import i", "a", "b.c", "line 6", "d"]
                2:12-18 unused (unused)
                2:20-25 later
                    used at 9:9-14 after ["lazy import a", "lazy import b.c", "lazy import b.d", "lazy from e import f, g", "lazy import unused", "lazy import later", "lazy import shadowed", "import numpy", "lazy import i", "a", "b.c", "line 6", "d", "f", "i", "import last"]
                2:27-35 shadowed (unused)
                3:7-12 numpy
                4:12-13 i
                    used at 9:19-20 after ["lazy import a", "lazy import b.c", "lazy import b.d", "lazy from e import f, g", "lazy import unused", "lazy import later", "lazy import shadowed", "import numpy", "lazy import i", "a", "b.c", "line 6", "d", "f"]
                5:3-6 a.x
                6:9-14 scipy
                7:2-9 b.other
                7:10-18 b.c.name
                17:7-11 last
            "#]],
        );
    }

    #[test]
    fn columns_after_characters_beyond_the_basic_plane() {
        check(
            "s = '😀'; import tensorflow\n",
            expect![[r#"
            0:17-27 tensorflow
        "#]],
        );
    }

    #[test]
    fn guards_of_imports() {
        check(
            "try:\n  import a\nexcept ImportError:\n  import b\n\
             try:\n  import c\nexcept ModuleNotFoundError:\n  pass\n\
             def f():\n  import d\n\
             if TYPE_CHECKING:\n  import e\nelse:\n  import f\n\
             if sys.platform == 'linux':\n  import g\nelif os.name == 'nt':\n  import h\nelse:\n  import i\n\
             if typing.TYPE_CHECKING and x:\n  import j\n\
             if sys.platform.startswith('darwin'):\n  import k\n",
            expect![[r#"
                1:9-10 a (handled)
                3:9-10 b
                5:9-10 c (handled if absent)
                9:9-10 d
                11:9-10 e (not run)
                13:9-10 f
                15:9-10 g (not run)
                17:9-10 h
                19:9-10 i (not run)
                21:9-10 j (not run)
                23:9-10 k (not run)
            "#]],
        );
    }

    #[test]
    fn handlers_and_suppress_are_guards() {
        check(
            "with suppress(ImportError):\n  import a\n\
             with contextlib.suppress(KeyError, ModuleNotFoundError):\n  import b\n\
             with open(ImportError):\n  import c\n\
             try:\n  import d\nexcept (KeyError, ImportError):\n  pass\n\
             try:\n  try:\n    import e\n  except ModuleNotFoundError:\n    pass\nexcept:\n  pass\n",
            expect![[r#"
                1:9-10 a (handled)
                3:9-10 b (handled if absent)
                5:9-10 c
                7:9-10 d (handled)
                12:11-12 e (handled)
            "#]],
        );
    }

    /// Checks the code that precedes each import of a cell.
    fn check_cells(cells: &[&str], expected: Expect) {
        let mut out = String::new();
        for (at, document) in Document::parse_cells(cells).into_iter().enumerate() {
            for import in document.imports {
                let (start, before) = (import.range.start, &import.point);
                out +=
                    &format!("{at} {}:{} {} after {before:?}\n", start.line, start.character, import.module);
            }
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn a_cell_follows_those_above() {
        check_cells(
            &[
                "import numpy\n%pip install tensorflow",
                "# nothing\n",
                "def f(:\n  x = (\n",
                "%%bash\nimport bash\n",
                "d = !where x.dll\n%time import os\nos.add_dll_directory(d[0])",
                "\n!é😀\ny = '😀'; import tensorflow, numpy",
            ],
            expect![[r#"
                0 0:7 numpy after ["import ipykernel.kernelapp"]
                4 1:13 os after ["import ipykernel.kernelapp", "import numpy"]
                5 2:17 tensorflow after ["import ipykernel.kernelapp", "import numpy", "line 1", "import os", "line 3", "line 3"]
                5 2:29 numpy after ["import ipykernel.kernelapp", "import numpy", "line 1", "import os", "line 3", "line 3", "import tensorflow"]
            "#]],
        );
    }

    #[test]
    fn imports_of_os_in_cells_above_are_recorded() {
        let above = |cells: &[&str]| -> Vec<bool> {
            Document::parse_cells(cells).iter().map(|document| document.imports_os_above).collect()
        };
        assert_eq!(above(&["import os", "%%bash\nimport os", "import os"]), [false, true, true]);
        assert_eq!(above(&["def f():\n  import os", "x"]), [false, false]);
    }

    #[test]
    fn a_document_with_relative_imports_is_in_a_package() {
        assert!(Document::parse("def f():\n    from .. import x\n").is_in_package);
        assert!(!Document::parse("from x import y\n").is_in_package);
    }

    #[test]
    fn a_broken_document_keeps_the_imports_that_can_be_read() {
        check("def f(:\n  x = (\nimport tensorflow\nclass\n", expect![""]);
    }

    #[test]
    fn the_first_statement_follows_docstring_and_future_imports() {
        let first = |text: &str| Document::parse(text).first_statement_line;
        assert_eq!(first("import x\n"), 0);
        assert_eq!(first("'''doc\n'''\nfrom __future__ import annotations\n\nimport x\n"), 4);
        assert_eq!(first("'''doc'''\n"), 1);
        assert_eq!(Document::parse("import sys\nimport os\n").imports_os, Some(1));
    }
}
