//! `six.moves`: modules that the package six makes out of tables of its own as somebody asks for them, and that no finder but its own
//! finds (`six.py`: `MovedModule`, `MovedAttribute`, `_SixMetaPathImporter`). Many packages bring a six of their own.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::frame::Frame;
use super::value::{Exception, Value};
use super::{Place, Plan};
use crate::source::{Expr, Name, Stmt, StmtKind, withheld};

/// What each name in `six.moves` and below stands for.
pub(super) type Moved = Rc<FxHashMap<Name, Origin>>;

/// Where a name comes from.
pub(super) enum Origin {
    /// It is this module.
    Module(Name),
    /// It is something in this module.
    Member(Name),
}

/// The six whose `moves`, or a module below it, this name means.
fn six_of(dotted: &str) -> Option<&str> {
    // Asked of every import: nearly all can be told by one letter.
    memchr::memchr(b'x', dotted.as_bytes())?;
    let start = dotted.match_indices("six.moves").map(|(at, _)| at).find(|at| {
        let is_part = dotted[..*at].is_empty() || dotted[..*at].ends_with('.');
        let rest = &dotted[at + "six.moves".len()..];
        is_part && (rest.is_empty() || rest.starts_with('.'))
    })?;
    dotted.get(..start + "six".len())
}

impl Plan<'_> {
    /// The table of the six that `dotted` is made by; none if nothing of that kind is asked for.
    pub(super) fn moved(
        &mut self,
        dotted: &str,
        frame: &Frame,
        place: &Place,
    ) -> Result<Option<Moved>, Rc<Exception>> {
        let Some(six) = six_of(dotted) else { return Ok(None) };
        if let Some(known) = self.moved.get(six) {
            return Ok(known.clone());
        }
        let module = self.import_expected(six, frame, place)?;
        let files = &self.interpreter.process.host().files;
        let script = module.file.as_ref().and_then(|file| files.script(file).ok());
        let mut table = FxHashMap::default();
        if let Some(script) = script {
            tables(&script.body, &mut table);
        }
        let table = (!table.is_empty()).then(|| Rc::new(table));
        self.moved.insert(six.to_owned(), table.clone());
        Ok(table)
    }

    /// What a name stands for: its module is imported now.
    pub(super) fn moved_name(
        &mut self,
        table: &Moved,
        name: &str,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        match table.get(name) {
            Some(Origin::Module(module) | Origin::Member(module)) if module == "builtins" => {
                Ok(Value::Unknown)
            }
            Some(Origin::Module(module)) => self.import_dotted(module, place).map(Value::Module),
            Some(Origin::Member(module)) => {
                self.import_dotted(module, place).map(|module| module.get(name).unwrap_or(Value::Unknown))
            }
            None => Ok(Value::Unknown),
        }
    }
}

/// Collects what the lists at the top level of six hold.
fn tables(body: &[Stmt], table: &mut FxHashMap<Name, Origin>) {
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

/// `MovedModule("name", "old", "new")`, where the last may be left out if it is the name; `MovedAttribute("name", "old", "new", …)`.
fn entry(item: &Expr) -> Option<(Name, Origin)> {
    let Expr::Call(call) = item else { return None };
    let Expr::Name(class) = &call.function else { return None };
    let text = |at: usize| match call.arguments.get(at) {
        Some(Expr::Str(text)) => {
            withheld::note(text);
            Some(text.clone())
        }
        _ => None,
    };
    let name = text(0)?;
    match (class.as_str(), call.arguments.len()) {
        ("MovedModule", 2) => Some((name.clone(), Origin::Module(name))),
        ("MovedModule", 3) => Some((name, Origin::Module(text(2)?))),
        ("MovedAttribute", 3..) => Some((name, Origin::Member(text(2)?))),
        _ => None,
    }
}
