//! What a program does before an import that may change what the import loads: other packages and modules of its own
//! that it imports first, `os.add_dll_directory`, `WinDLL`, changes of PATH and of `sys.path`.

use std::sync::Arc;

use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use super::script::top_level;
use super::standard::is_standard;

/// The statements at the top of a document so far, as far as they may matter.
#[derive(Default)]
pub(super) struct Prelude<'a> {
    earlier: Vec<Earlier<'a>>,
    /// Bytes of their text.
    length: usize,
}

struct Earlier<'a> {
    text: &'a str,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// Imports these packages, none of them of the standard library.
    Packages(Vec<&'a str>),
    /// Loads something, or changes where is searched for DLLs or for modules.
    Loads,
    /// Gives a value that the latter may need: an import of the standard library, an assignment, a call.
    Prepares,
}

/// Code without any of these loads no DLL by itself and changes nothing about where DLLs are searched.
const LOADING_WORDS: [&str; 6] = ["DLL", "LoadLibrary", "dll_directory", "cdll", "windll", "environ"];

/// Whether Python code may load DLLs itself, or change where they are searched.
pub(super) fn may_load(text: &str) -> bool {
    LOADING_WORDS.iter().any(|word| text.contains(word))
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

/// A longer assignment or call gives data, and no path, in bytes.
const LONGEST_VALUE: usize = 500;

impl<'a> Prelude<'a> {
    /// A statement at the top of the document has been passed.
    pub fn pass(&mut self, text: &'a str, stmt: &'a ast::Stmt) {
        let Some(text) = text.get(stmt.range().to_std_range()) else { return };
        let kind = match stmt {
            ast::Stmt::Import(import) => {
                imported(import.names.iter().map(|alias| alias.name.as_str()).collect())
            }
            ast::Stmt::ImportFrom(ast::StmtImportFrom { level: 0, module: Some(module), .. }) => {
                if module.as_str() == "__future__" {
                    return;
                }
                imported(vec![module.as_str()])
            }
            // What is relative belongs to a package, and no program is one: see `Document::is_in_package`.
            ast::Stmt::ImportFrom(_) => return,
            _ if may_load(text) || may_find_elsewhere(text) => Kind::Loads,
            ast::Stmt::Expr(expr) if !expr.value.is_call_expr() => return,
            ast::Stmt::Assign(_) | ast::Stmt::AnnAssign(_) | ast::Stmt::Expr(_) => Kind::Prepares,
            ast::Stmt::If(_) | ast::Stmt::Try(_) | ast::Stmt::With(_) if text.contains("import") => {
                Kind::Packages(Vec::new())
            }
            _ => return,
        };
        let is_data = matches!(kind, Kind::Prepares) && text.len() > LONGEST_VALUE;
        if !is_data && self.length <= LONGEST {
            self.length += text.len();
            self.earlier.push(Earlier { text, kind });
        }
    }

    /// What runs before an import of something in `package` and may change what it loads, as Python text; empty if
    /// nothing does, or if it is too much to follow. `earlier` are the modules that the same statement imports first.
    pub fn before(&self, package: &str, earlier: &[ast::Alias]) -> Arc<str> {
        if self.length > LONGEST || earlier.len() > MOST_NAMES {
            return Arc::default();
        }
        let loads = self.earlier.iter().any(|earlier| matches!(earlier.kind, Kind::Loads));
        let counts = |earlier: &&Earlier<'_>| match &earlier.kind {
            // An earlier import of the same package makes this one no different.
            Kind::Packages(packages) => !packages.contains(&package),
            Kind::Loads => true,
            Kind::Prepares => loads,
        };
        let lines = self.earlier.iter().filter(counts).flat_map(|earlier| [earlier.text, "\n"]);
        let mut text: String = lines.collect();
        let others = earlier.iter().map(|alias| alias.name.as_str());
        for module in others.filter(|name| !is_standard(top_level(name)) && top_level(name) != package) {
            text += &format!("import {module}\n");
        }
        text.into()
    }
}

fn imported(names: Vec<&str>) -> Kind<'_> {
    let mut packages: Vec<&str> = names.into_iter().map(top_level).collect();
    packages.retain(|package| !is_standard(package));
    if packages.is_empty() { Kind::Prepares } else { Kind::Packages(packages) }
}
