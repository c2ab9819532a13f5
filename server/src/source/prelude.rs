//! The code that a program executes before an import and that may change what it loads: imports of
//! packages and of its own modules, `os.add_dll_directory`, `WinDLL`, changes of PATH and of
//! `sys.path`.

use std::collections::HashSet;
use std::sync::Arc;

use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use super::lower::Lowering;
use super::program::{ImportPoint, ProgramStatement};
use super::script::{Expr, Name, top_level};
use super::standard::{self, is_standard};

/// The statements at the top level of a document so far, as far as they may matter.
#[derive(Default)]
pub(super) struct Prelude {
    earlier: Vec<Earlier>,
    /// The statements of the blocks around the current statement.
    nested: Vec<Earlier>,
    /// The identities of the import statements among them. Repeating one has no effect.
    imports: HashSet<u128>,
    /// The size of their source in bytes.
    length: usize,
    /// The number of import points so far.
    points: u32,
}

struct Earlier {
    statement: Arc<ProgramStatement>,
    kind: EarlierKind,
}

#[derive(Clone, Copy)]
enum EarlierKind {
    /// Imports something outside of the standard library.
    Imports,
    /// Loads something, or changes where DLLs or modules are searched.
    Loads,
    /// Provides a value that such a statement may need: an import of the standard library, an
    /// assignment, or a call.
    Prepares,
}

/// The maximum size of such statements in a program, in bytes. Beyond it, they aren't followed.
const MAX_PRELUDE: usize = 16 << 10;

/// The maximum number of modules in a followed import statement.
const MAX_NAMES: usize = 100;

/// The maximum number of followed statements from the blocks around an import.
const MAX_NESTED: usize = 100;

/// The maximum size of an assignment or call, in bytes. Longer ones contain data rather than paths.
const MAX_VALUE: usize = 500;

/// The import that a notebook's kernel makes before the first cell (`ipykernel_launcher.py`). It
/// loads pyzmq's native code.
const KERNEL: &str = "ipykernel.kernelapp";

impl Prelude {
    /// Creates the prelude of a notebook, whose first cell runs in a kernel.
    pub fn of_notebook() -> Prelude {
        let kernel = ProgramStatement::import(KERNEL.into(), None);
        Prelude {
            imports: HashSet::from([kernel.identity()]),
            earlier: vec![Earlier { statement: kernel, kind: EarlierKind::Imports }],
            length: KERNEL.len(),
            ..Prelude::default()
        }
    }

    /// Adds a statement at the top level of the document, which fails without the modules
    /// `required`. `may_load` is the result of [`standard::may_load`] for the whole document.
    pub fn add(&mut self, source: ProgramSource<'_>, stmt: &ast::Stmt, may_load: bool, required: Vec<Name>) {
        if self.length > MAX_PRELUDE {
            return;
        }
        let mut earlier = source.earlier(stmt, may_load, &required);
        if is_import(stmt) {
            earlier.retain(|one| self.imports.insert(one.statement.identity()));
        }
        if !earlier.is_empty() {
            self.length += stmt.range().len().to_usize();
            self.earlier.append(&mut earlier);
        }
    }

    /// Adds a statement within a block, which precedes the rest of that block. Compound statements
    /// are skipped, because some of their branches may not run.
    pub fn add_nested(&mut self, source: ProgramSource<'_>, stmt: &ast::Stmt, may_load: bool) {
        let is_simple = is_import(stmt) || matches!(stmt, ast::Stmt::Assign(_) | ast::Stmt::Expr(_));
        if !is_simple || self.nested.len() >= MAX_NESTED {
            return;
        }
        let mut earlier = source.earlier(stmt, may_load, &[]);
        earlier.retain(|one| !self.imports.contains(&one.statement.identity()));
        self.nested.append(&mut earlier);
    }

    /// Adds a lazy import that is made because the program uses this dotted name.
    pub fn add_use(&mut self, dotted: &str) {
        if self.length <= MAX_PRELUDE {
            self.length += dotted.len();
            let mut parts = dotted.split('.').map(Name::from);
            let first = Expr::Name(parts.next().unwrap_or_default());
            let value = parts.fold(first, |value, name| Expr::Attribute(Box::new(value), name));
            let statement = ProgramStatement::expression(value);
            self.earlier.push(Earlier { statement, kind: EarlierKind::Imports });
        }
    }

    /// Returns the number of statements in blocks that precede this place.
    pub fn depth(&self) -> usize {
        self.nested.len()
    }

    /// Ends a block that began at this depth.
    pub fn leave(&mut self, depth: usize) {
        self.nested.truncate(depth);
    }

    /// Returns the point of the next import: after the statements that may change what it loads. It
    /// is the beginning of the program if there are none, or too many to follow. `earlier` are the
    /// modules that the same statement imports first.
    pub fn point(&mut self, earlier: &[ast::Alias]) -> ImportPoint {
        let position = self.points;
        self.points += 1;
        if self.length > MAX_PRELUDE || earlier.len() > MAX_NAMES {
            return ImportPoint::new(position, Vec::new());
        }
        let all = || self.earlier.iter().chain(&self.nested);
        let loads = all().any(|earlier| matches!(earlier.kind, EarlierKind::Loads));
        let counts = |earlier: &&Earlier| loads || !matches!(earlier.kind, EarlierKind::Prepares);
        let statements = all().filter(counts).map(|earlier| earlier.statement.clone());
        let others = earlier.iter().filter(|alias| !is_standard(top_level(&alias.name)));
        let others = others.map(|alias| {
            let bound = alias.asname.as_ref().map(|name| Name::from(name.as_str()));
            ProgramStatement::import(Name::from(alias.name.as_str()), bound)
        });
        ImportPoint::new(position, statements.chain(others).collect())
    }
}

/// The source of a document, from which statements are taken.
#[derive(Clone, Copy)]
pub(super) struct ProgramSource<'a> {
    /// The text, as Python.
    pub text: &'a str,
    /// The lowering of that text.
    pub lowering: Lowering<'a>,
}

impl ProgramSource<'_> {
    /// Lowers a statement that may have an effect on later ones, and classifies the effect.
    fn earlier(self, stmt: &ast::Stmt, may_load: bool, required: &[Name]) -> Vec<Earlier> {
        let text = self.text.get(stmt.range().to_std_range());
        let Some((text, kind)) = text.and_then(|text| Some((text, effect(text, stmt, may_load)?))) else {
            return Vec::new();
        };
        let mut statements = Vec::new();
        self.lowering.stmt(stmt, &mut statements);
        let statements = ProgramStatement::all(statements, text, required);
        statements.into_iter().map(|statement| Earlier { statement, kind }).collect()
    }
}

fn is_import(stmt: &ast::Stmt) -> bool {
    matches!(stmt, ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_))
}

/// Returns the effect of a statement on later ones, or `None` if it has none.
fn effect(text: &str, stmt: &ast::Stmt, may_load: bool) -> Option<EarlierKind> {
    let kind = match stmt {
        ast::Stmt::Import(import) => imported(import.names.iter().map(|alias| alias.name.as_str())),
        ast::Stmt::ImportFrom(ast::StmtImportFrom { level: 0, module: Some(module), .. }) => {
            if module.as_str() == "__future__" {
                return None;
            }
            imported(std::iter::once(module.as_str()))
        }
        // A relative import belongs to a package rather than a program: see
        // `Document::is_in_package`.
        ast::Stmt::ImportFrom(_) => return None,
        _ if may_load && standard::may_load(text) => EarlierKind::Loads,
        ast::Stmt::Expr(expr) if !expr.value.is_call_expr() => return None,
        ast::Stmt::Assign(_) | ast::Stmt::AnnAssign(_) | ast::Stmt::Expr(_) => EarlierKind::Prepares,
        ast::Stmt::If(_) | ast::Stmt::Try(_) | ast::Stmt::With(_) if text.contains("import") => {
            EarlierKind::Imports
        }
        _ => return None,
    };
    let is_data = matches!(kind, EarlierKind::Prepares) && text.len() > MAX_VALUE;
    (!is_data).then_some(kind)
}

fn imported<'a>(mut names: impl Iterator<Item = &'a str>) -> EarlierKind {
    if names.all(|name| is_standard(top_level(name))) { EarlierKind::Prepares } else { EarlierKind::Imports }
}
