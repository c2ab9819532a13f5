//! A document as a program: the statements that it executes before each of its imports, as far as
//! they may change what the import loads.
//!
//! Every statement is lowered once and shared by all imports after it. It has an identity that
//! depends on what it does, and on its line only if a finding may name the line, so that equal
//! programs in several documents are recognized.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::lower::lower_statements;
use super::script::{Expr, Name, Stmt, StmtKind, top_level};
use super::standard::{may_change_module_path, may_load};

/// A statement of a program that may change what a later import loads.
pub struct ProgramStatement {
    stmt: Stmt,
    identity: u128,
    /// The top-level names of the modules without which the statement fails.
    required: Vec<Name>,
    uses_file: bool,
    changes_module_path: bool,
}

impl ProgramStatement {
    /// Creates the statements that are written as `source`. Besides imports, they fail without the
    /// modules `required`.
    pub(super) fn all(statements: Vec<Stmt>, source: &str, required: &[Name]) -> Vec<Arc<ProgramStatement>> {
        let is_shown = may_load(source);
        let uses_file = source.contains("__file__");
        let changes_module_path = may_change_module_path(source);
        let statements = statements.into_iter().map(|stmt| {
            let required = match imported_module(&stmt) {
                Some(module) => vec![Name::from(top_level(module))],
                None => required.to_vec(),
            };
            // A finding may name the line of a statement that adds a directory.
            let shown = is_shown.then_some((stmt.line, source));
            let identity = identity_of(&(&stmt, shown));
            Arc::new(ProgramStatement { stmt, identity, required, uses_file, changes_module_path })
        });
        statements.collect()
    }

    /// Creates the evaluation of an expression.
    pub(super) fn expression(value: Expr) -> Arc<ProgramStatement> {
        ProgramStatement::synthetic(StmtKind::Expr(value))
    }

    /// Creates `import module as alias`.
    pub(super) fn import(module: Name, alias: Option<Name>) -> Arc<ProgramStatement> {
        ProgramStatement::synthetic(StmtKind::Import { module, alias })
    }

    fn synthetic(kind: StmtKind) -> Arc<ProgramStatement> {
        let stmt = Stmt { line: 0, kind };
        let required = imported_module(&stmt).map(top_level).map(Name::from).into_iter().collect();
        let identity = identity_of(&(&stmt, None::<(u32, &str)>));
        Arc::new(ProgramStatement { stmt, identity, required, uses_file: false, changes_module_path: false })
    }

    /// Reads all statements of a source.
    fn read(source: &str) -> Vec<Arc<ProgramStatement>> {
        ProgramStatement::all(lower_statements(source), source, &[])
    }

    /// Returns the number that equal statements have in common.
    pub(super) fn identity(&self) -> u128 {
        self.identity
    }
}

/// Returns the module of an absolute import.
fn imported_module(stmt: &Stmt) -> Option<&str> {
    match &stmt.kind {
        StmtKind::Import { module, .. } | StmtKind::ImportFrom { level: 0, module, .. } => Some(module),
        _ => None,
    }
}

/// The place of an import in its program: what the program executes before it. Equal points precede
/// the same import in equal programs, whichever document they are in.
#[derive(Clone, Default)]
pub struct ImportPoint {
    /// The position among the imports of the document. It isn't part of the identity.
    position: u32,
    statements: Arc<[Arc<ProgramStatement>]>,
    identity: u128,
}

impl ImportPoint {
    /// Creates the point after these statements.
    pub(super) fn new(position: u32, statements: Vec<Arc<ProgramStatement>>) -> ImportPoint {
        let identity = match statements.is_empty() {
            true => 0,
            false => identity_of(&statements.iter().map(|known| known.identity).collect::<Vec<u128>>()),
        };
        ImportPoint { position, statements: statements.into(), identity }
    }

    /// Creates the point after all statements of a source, in which compound statements require no
    /// modules.
    pub fn after_source(source: &str) -> ImportPoint {
        ImportPoint::new(0, ProgramStatement::read(source))
    }

    /// Returns the point that follows this one after the statements of a source.
    pub fn with(&self, source: &str) -> ImportPoint {
        let statements = self.statements.iter().cloned().chain(ProgramStatement::read(source));
        ImportPoint::new(self.position, statements.collect())
    }

    /// Returns the point in a program that does `other` instead of what precedes `start`. Returns
    /// `None` if the point isn't after `start`.
    pub fn rebased(&self, start: &ImportPoint, other: &ImportPoint) -> Option<ImportPoint> {
        let statements = other.statements.iter().chain(self.after(start)?).cloned();
        Some(ImportPoint::new(self.position, statements.collect()))
    }

    /// Returns the position among the imports of the document, in the order in which they are made.
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Returns the number that identifies the point. It is 0 at the beginning of a program.
    pub fn identity(&self) -> u128 {
        self.identity
    }

    /// Whether the program does nothing relevant before the import.
    pub fn is_first(&self) -> bool {
        self.statements.is_empty()
    }

    /// Returns the statements before the import, in the order in which they are executed.
    pub fn statements(&self) -> impl Iterator<Item = &Stmt> {
        self.statements.iter().map(|known| &known.stmt)
    }

    /// Returns what the program executes between an earlier point and this one. Returns `None` if
    /// the program doesn't pass that point on its way to this one.
    pub fn since(&self, earlier: &ImportPoint) -> Option<Vec<&Stmt>> {
        Some(self.after(earlier)?.iter().map(|known| &known.stmt).collect())
    }

    fn after(&self, earlier: &ImportPoint) -> Option<&[Arc<ProgramStatement>]> {
        let (start, rest) = self.statements.split_at_checked(earlier.statements.len())?;
        let mut pairs = start.iter().zip(&*earlier.statements);
        pairs.all(|(one, other)| one.identity == other.identity).then_some(rest)
    }

    /// Whether the program uses `__file__` before the import.
    pub fn uses_file(&self) -> bool {
        self.statements.iter().any(|known| known.uses_file)
    }

    /// Whether the program may change where modules are found before the import.
    pub fn changes_module_path(&self) -> bool {
        self.statements.iter().any(|known| known.changes_module_path)
    }

    /// Returns the top-level names of the modules without which the program doesn't reach the import.
    pub fn required(&self) -> impl Iterator<Item = &Name> {
        self.statements.iter().flat_map(|known| &known.required)
    }
}

/// Returns a number that equal values have in common, in every process of one build.
fn identity_of(value: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}

impl PartialEq for ImportPoint {
    fn eq(&self, other: &ImportPoint) -> bool {
        self.identity == other.identity
    }
}

impl Eq for ImportPoint {}

impl PartialOrd for ImportPoint {
    fn partial_cmp(&self, other: &ImportPoint) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ImportPoint {
    fn cmp(&self, other: &ImportPoint) -> std::cmp::Ordering {
        self.identity.cmp(&other.identity)
    }
}

impl Hash for ImportPoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity.hash(state);
    }
}

/// Lists the statements briefly: imports and uses of names as they are written, others by line.
impl fmt::Debug for ImportPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.statements().map(|stmt| brief(stmt.line, &stmt.kind))).finish()
    }
}

fn brief(line: u32, kind: &StmtKind) -> String {
    match kind {
        StmtKind::Import { module, .. } => format!("import {module}"),
        StmtKind::ImportFrom { module, names, .. } => {
            let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
            format!("from {module} import {}", names.join(", "))
        }
        StmtKind::Lazy(import) => format!("lazy {}", brief(line, import)),
        StmtKind::Expr(Expr::Name(name)) => name.to_string(),
        StmtKind::Expr(Expr::Attribute(value, name)) => {
            format!("{}.{name}", brief(line, &StmtKind::Expr((**value).clone())))
        }
        _ => format!("line {line}"),
    }
}
