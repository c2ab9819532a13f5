//! `six.moves`: modules that the package six creates on access from its own tables, and that only
//! its own finder finds (`six.py`: `MovedModule`, `MovedAttribute`, `_SixMetaPathImporter`). Many
//! packages vendor a copy of six.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::frame::Frame;
use super::value::{Exception, Value};
use super::{Place, Plan};
use crate::source::{Expr, Name, Stmt, StmtKind, placeholders};

/// The targets of the names in `six.moves` and its submodules.
pub(super) type Moved = Rc<FxHashMap<Name, MoveTarget>>;

/// The target of a name.
pub(super) enum MoveTarget {
    /// A module.
    Module(Name),
    /// An attribute of a module.
    Member(Name),
}

/// Returns the name of the `six` module if `dotted` is its `moves` or below.
fn six_of(dotted: &str) -> Option<&str> {
    // This runs for every import, and a single letter rules out nearly all of them.
    memchr::memchr(b'x', dotted.as_bytes())?;
    let start = dotted.match_indices("six.moves").map(|(at, _)| at).find(|at| {
        let is_part = dotted[..*at].is_empty() || dotted[..*at].ends_with('.');
        let rest = &dotted[at + "six.moves".len()..];
        is_part && (rest.is_empty() || rest.starts_with('.'))
    })?;
    dotted.get(..start + "six".len())
}

impl Plan<'_> {
    /// Returns the table of the `six` module that provides `dotted`, or `None` if none does.
    pub(super) fn moved(
        &mut self,
        dotted: &str,
        frame: &Frame,
        place: &Place,
    ) -> Result<Option<Moved>, Rc<Exception>> {
        let Some(six) = six_of(dotted) else { return Ok(None) };
        if let Some(known) = self.world.moved.get(six) {
            return Ok(known.clone());
        }
        let module = self.import_expected(six, frame, place)?;
        let files = self.world.files();
        let script = module.file.as_ref().and_then(|file| files.script(file).ok());
        let mut table = FxHashMap::default();
        if let Some(script) = script {
            tables(&script.body, &mut table);
        }
        let table = (!table.is_empty()).then(|| Rc::new(table));
        self.world.moved.insert(six.to_owned(), table.clone());
        Ok(table)
    }

    /// Resolves a name in the table, importing its module.
    pub(super) fn moved_name(
        &mut self,
        table: &Moved,
        name: &str,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        match table.get(name) {
            Some(MoveTarget::Module(module) | MoveTarget::Member(module)) if module == "builtins" => {
                Ok(Value::Unknown)
            }
            Some(MoveTarget::Module(module)) => self.import_dotted(module, place).map(Value::Module),
            Some(MoveTarget::Member(module)) => {
                self.import_dotted(module, place).map(|module| module.get(name).unwrap_or(Value::Unknown))
            }
            None => Ok(Value::Unknown),
        }
    }
}

/// Collects the entries of the lists at the top level of six.
fn tables(body: &[Stmt], table: &mut FxHashMap<Name, MoveTarget>) {
    for stmt in body {
        match &stmt.kind {
            StmtKind::Assign { value: Expr::List(items), .. }
            | StmtKind::Augment { value: Expr::List(items), .. } => {
                table.extend(items.iter().filter_map(entry));
            }
            StmtKind::If { then, otherwise, .. } => {
                tables(then, table);
                tables(otherwise, table);
            }
            _ => {}
        }
    }
}

/// Reads `MovedModule("name", "old", "new")`, whose last argument defaults to the name, or
/// `MovedAttribute("name", "old", "new", …)`.
fn entry(item: &Expr) -> Option<(Name, MoveTarget)> {
    let Expr::Call(call) = item else { return None };
    let Expr::Name(class) = &call.function else { return None };
    let text = |at: usize| match call.arguments.get(at) {
        Some(Expr::Str(text)) => {
            placeholders::record_read(text);
            Some(text.clone())
        }
        _ => None,
    };
    let name = text(0)?;
    match (class.as_str(), call.arguments.len()) {
        ("MovedModule", 2) => Some((name.clone(), MoveTarget::Module(name))),
        ("MovedModule", 3) => Some((name, MoveTarget::Module(text(2)?))),
        ("MovedAttribute", 3..) => Some((name, MoveTarget::Member(text(2)?))),
        _ => None,
    }
}
