//! What a program does before an import that may change what the import loads: other packages and modules of its own
//! that it imports first, `os.add_dll_directory`, `WinDLL`, changes of PATH and of `sys.path`.

use std::collections::HashSet;
use std::sync::Arc;

use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextRange};

use super::script::top_level;
use super::standard::is_standard;

/// The statements at the top of a document so far, as far as they may matter.
#[derive(Default)]
pub(super) struct Prelude<'a> {
    earlier: Vec<Earlier<'a>>,
    /// Those of the blocks that stand around the statement which is read.
    nested: Vec<Earlier<'a>>,
    /// The import statements among them: to make one again does nothing.
    imports: HashSet<&'a str>,
    /// Bytes of their text.
    length: usize,
}

struct Earlier<'a> {
    text: &'a str,
    kind: Kind,
}

enum Kind {
    /// Imports something that is not of the standard library.
    Imports,
    /// Loads something, or changes where is searched for DLLs or for modules.
    Loads,
    /// Gives a value that the latter may need: an import of the standard library, an assignment, a call.
    Prepares,
}

/// Code without any of these loads no DLL by itself and changes nothing about where DLLs are searched.
pub(super) const LOADING_WORDS: [&str; 6] =
    ["DLL", "LoadLibrary", "dll_directory", "cdll", "windll", "environ"];

/// Whether Python code may load DLLs itself, or change where they or modules are searched.
pub(super) fn may_load(text: &str) -> bool {
    LOADING_WORDS.iter().any(|word| text.contains(word)) || may_find_elsewhere(text)
}

/// Code without any of these finds the modules that it would find anyway (`Lib/site.py` has the second).
const FINDING_WORDS: [&str; 2] = ["sys.path", "addsitedir"];

/// Whether Python code may change where modules are found.
pub fn may_find_elsewhere(text: &str) -> bool {
    FINDING_WORDS.iter().any(|word| text.contains(word))
}

/// A program with more text than this in such statements is not followed, in bytes.
const LONGEST: usize = 16 << 10;

/// A statement that imports more modules is not followed.
const MOST_NAMES: usize = 100;

/// So many statements of the blocks around an import are followed.
const MOST_NESTED: usize = 100;

/// A longer assignment or call gives data, and no path, in bytes.
const LONGEST_VALUE: usize = 500;

/// What a notebook's kernel imports before it runs the first cell (`ipykernel_launcher.py`), and with it pyzmq's native code.
const KERNEL: &str = "import ipykernel.kernelapp";

impl<'a> Prelude<'a> {
    /// Of a notebook, whose first cell runs in a kernel.
    pub fn of_notebook() -> Prelude<'a> {
        Prelude {
            earlier: vec![Earlier { text: KERNEL, kind: Kind::Imports }],
            nested: Vec::new(),
            imports: HashSet::from([KERNEL]),
            length: KERNEL.len(),
        }
    }

    /// A statement at the top of the document has been passed. `may_load`: see [`may_load`], of the whole text.
    pub fn pass(&mut self, text: &'a str, stmt: &ast::Stmt, may_load: bool) {
        let Some(Earlier { text, kind }) = Earlier::of(text, stmt, may_load) else { return };
        let is_import = matches!(stmt, ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_));
        if self.length <= LONGEST && (!is_import || self.imports.insert(text)) {
            self.length += text.len();
            self.earlier.push(Earlier { text, kind });
        }
    }

    /// A statement within a block has been passed: it comes before what follows in that block. One that holds a block itself is
    /// passed over: taken out of its place, its lines would not fit together.
    pub fn pass_within(&mut self, text: &'a str, stmt: &ast::Stmt, may_load: bool) {
        let is_simple = matches!(
            stmt,
            ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_) | ast::Stmt::Assign(_) | ast::Stmt::Expr(_)
        );
        let Some(Earlier { text, kind }) = is_simple.then(|| Earlier::of(text, stmt, may_load)).flatten()
        else {
            return;
        };
        if self.nested.len() < MOST_NESTED && !self.imports.contains(text) {
            self.nested.push(Earlier { text, kind });
        }
    }

    /// A lazy import is made, since this expression uses it.
    pub fn pass_use(&mut self, text: &'a str, at: TextRange) {
        // Within brackets it may stand on several lines.
        let is_line = |text: &&str| self.length <= LONGEST && !text.contains(['\n', '\r']);
        if let Some(text) = text.get(at.to_std_range()).filter(is_line) {
            self.length += text.len();
            self.earlier.push(Earlier { text, kind: Kind::Imports });
        }
    }

    /// How many statements of blocks come before this place.
    pub fn depth(&self) -> usize {
        self.nested.len()
    }

    /// A block ends that began at this depth.
    pub fn leave(&mut self, depth: usize) {
        self.nested.truncate(depth);
    }

    /// What runs before an import and may change what it loads, as Python text; empty if nothing does, or if it is too much
    /// to follow. `earlier` are the modules that the same statement imports first.
    pub fn before(&self, earlier: &[ast::Alias]) -> Arc<str> {
        if self.length > LONGEST || earlier.len() > MOST_NAMES {
            return Arc::default();
        }
        let all = || self.earlier.iter().chain(&self.nested);
        let loads = all().any(|earlier| matches!(earlier.kind, Kind::Loads));
        let counts = |earlier: &&Earlier<'_>| loads || !matches!(earlier.kind, Kind::Prepares);
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
    /// What a statement is to those after it; none if it is nothing.
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
            // What is relative belongs to a package, and no program is one: see `Document::is_in_package`.
            ast::Stmt::ImportFrom(_) => return None,
            _ if may_load && self::may_load(text) => Kind::Loads,
            ast::Stmt::Expr(expr) if !expr.value.is_call_expr() => return None,
            ast::Stmt::Assign(_) | ast::Stmt::AnnAssign(_) | ast::Stmt::Expr(_) => Kind::Prepares,
            ast::Stmt::If(_) | ast::Stmt::Try(_) | ast::Stmt::With(_) if text.contains("import") => {
                Kind::Imports
            }
            _ => return None,
        };
        let is_data = matches!(kind, Kind::Prepares) && text.len() > LONGEST_VALUE;
        (!is_data).then_some(Earlier { text, kind })
    }
}

fn imported<'a>(mut names: impl Iterator<Item = &'a str>) -> Kind {
    if names.all(|name| is_standard(top_level(name))) { Kind::Prepares } else { Kind::Imports }
}
