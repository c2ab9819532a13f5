//! The code that a program executes before an import and that may change what it loads: imports of
//! packages and of its own modules, `os.add_dll_directory`, `WinDLL`, changes of PATH and of
//! `sys.path`.

use std::collections::HashSet;
use std::sync::Arc;

use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextRange};

use super::script::top_level;
use super::standard::{self, is_standard};

/// The statements at the top level of a document so far, as far as they may matter.
#[derive(Default)]
pub(super) struct Prelude<'a> {
    earlier: Vec<Earlier<'a>>,
    /// The statements of the blocks around the current statement.
    nested: Vec<Earlier<'a>>,
    /// The import statements among them. Repeating one has no effect.
    imports: HashSet<&'a str>,
    /// The size of their source in bytes.
    length: usize,
}

struct Earlier<'a> {
    text: &'a str,
    kind: EarlierKind,
}

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
const KERNEL: &str = "import ipykernel.kernelapp";

impl<'a> Prelude<'a> {
    /// Creates the prelude of a notebook, whose first cell runs in a kernel.
    pub fn of_notebook() -> Prelude<'a> {
        Prelude {
            earlier: vec![Earlier { text: KERNEL, kind: EarlierKind::Imports }],
            nested: Vec::new(),
            imports: HashSet::from([KERNEL]),
            length: KERNEL.len(),
        }
    }

    /// Adds a statement at the top level of the document. `may_load` is the result of
    /// [`standard::may_load`] for the whole document.
    pub fn add(&mut self, text: &'a str, stmt: &ast::Stmt, may_load: bool) {
        let Some(Earlier { text, kind }) = Earlier::of(text, stmt, may_load) else { return };
        let is_import = matches!(stmt, ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_));
        if self.length <= MAX_PRELUDE && (!is_import || self.imports.insert(text)) {
            self.length += text.len();
            self.earlier.push(Earlier { text, kind });
        }
    }

    /// Adds a statement within a block, which precedes the rest of that block. Compound statements
    /// are skipped: outside of their block, the indentation of their lines would be inconsistent.
    pub fn add_nested(&mut self, text: &'a str, stmt: &ast::Stmt, may_load: bool) {
        let is_simple = matches!(
            stmt,
            ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_) | ast::Stmt::Assign(_) | ast::Stmt::Expr(_)
        );
        let Some(Earlier { text, kind }) = is_simple.then(|| Earlier::of(text, stmt, may_load)).flatten()
        else {
            return;
        };
        if self.nested.len() < MAX_NESTED && !self.imports.contains(text) {
            self.nested.push(Earlier { text, kind });
        }
    }

    /// Adds a lazy import that is made because this expression uses it.
    pub fn add_use(&mut self, text: &'a str, at: TextRange) {
        // In parentheses, it may span several lines.
        let is_line = |text: &&str| self.length <= MAX_PRELUDE && !text.contains(['\n', '\r']);
        if let Some(text) = text.get(at.to_std_range()).filter(is_line) {
            self.length += text.len();
            self.earlier.push(Earlier { text, kind: EarlierKind::Imports });
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

    /// Returns the source of the code that runs before an import and may change what it loads. It
    /// is empty if there is none, or too much to follow. `earlier` are the modules that the same
    /// statement imports first.
    pub fn before(&self, earlier: &[ast::Alias]) -> Arc<str> {
        if self.length > MAX_PRELUDE || earlier.len() > MAX_NAMES {
            return Arc::default();
        }
        let all = || self.earlier.iter().chain(&self.nested);
        let loads = all().any(|earlier| matches!(earlier.kind, EarlierKind::Loads));
        let counts = |earlier: &&Earlier<'_>| loads || !matches!(earlier.kind, EarlierKind::Prepares);
        let lines = all().filter(counts).flat_map(|earlier| [earlier.text, "\n"]);
        let mut text: String = lines.collect();
        let others = earlier.iter().map(|alias| alias.name.as_str());
        for module in others.filter(|name| !is_standard(top_level(name))) {
            text += &format!("import {module}\n");
        }
        text.into()
    }
}

impl<'a> Earlier<'a> {
    /// Classifies a statement by its effect on later ones. Returns `None` if it has none.
    fn of(text: &'a str, stmt: &ast::Stmt, may_load: bool) -> Option<Earlier<'a>> {
        let text = text.get(stmt.range().to_std_range())?;
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
        (!is_data).then_some(Earlier { text, kind })
    }
}

fn imported<'a>(mut names: impl Iterator<Item = &'a str>) -> EarlierKind {
    if names.all(|name| is_standard(top_level(name))) { EarlierKind::Prepares } else { EarlierKind::Imports }
}
