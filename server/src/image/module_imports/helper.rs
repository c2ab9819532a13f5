//! Cython's helpers for the `import` statements of a module's source: `__Pyx_Import(name, names,
//! level)`, and those that call it.

use std::ops::ControlFlow;

use super::called::Called;
use super::known::{Held, Known};
use super::{Dictionary, Walk};
use crate::image::code::{CodeValue, Destination, Operation};

/// The maximum number of instructions of a helper.
const LONGEST_HELPER: u32 = 320;

/// The index of the argument that is the level: before Cython 3.2, and since then, without and with
/// the module's dictionary before it.
const LEVELS: [i32; 3] = [2, 4, 5];

/// How a helper receives the level at which it imports.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Level {
    /// By its argument at this index, one of [`LEVELS`].
    Given(i32),
    /// It is built in: compilers leave out an argument that is the same in all calls.
    Fixed(i64),
}

impl Walk<'_, '_> {
    /// Returns at which level a function imports the module that its first argument names, if it
    /// passes that to `PyImport_ImportModuleLevelObject`, directly or by another function.
    pub(super) fn imports_its_argument(&mut self, start: u32, depth: u32) -> Option<Level> {
        const DEEPEST_HELPER: u32 = 2;
        if !self.texts.is_known() || depth >= DEEPEST_HELPER {
            return None;
        }
        if let Some(known) = self.helpers.get(&start) {
            return *known;
        }
        // A function that calls itself isn't one.
        self.helpers.insert(start, None);
        let level = self.level(start, depth);
        self.helpers.insert(start, level);
        level
    }

    /// Searches the code of a function for the call that imports.
    fn level(&mut self, start: u32, depth: u32) -> Option<Level> {
        // The levels of the calls that import.
        let mut levels = Vec::new();
        // The argument that is compared with -1: that is the level, whatever else is done with it.
        let mut compared = None;
        // Whether it first asks for a module of the name. Then the name is an absolute one.
        let mut gets = false;
        self.scan(start, LONGEST_HELPER, |walk, operation, known| -> ControlFlow<()> {
            match *operation {
                Operation::Call(target) | Operation::Jump(target) => {
                    let is_named = known.argument(0) == Some(Held::Argument(0));
                    match (walk.called(target, known), target) {
                        (Some(Called::ImportStatement), _) if is_named => levels.push(known.argument(4)),
                        (Some(Called::Get), _) => gets |= is_named,
                        (None, Destination::Code(function)) if is_named => {
                            match walk.imports_its_argument(function, depth + 1) {
                                Some(Level::Given(index)) => levels.push(known.argument(index)),
                                Some(Level::Fixed(level)) => levels.push(Some(Held::Number(level))),
                                None => {}
                            }
                        }
                        _ => {}
                    }
                    if matches!(operation, Operation::Call(_)) {
                        known.follow_call(None);
                    }
                }
                Operation::Compare(left, CodeValue::Number(-1)) => {
                    if let Some(Held::Argument(index)) = known.value(left, &walk.slots)
                        && LEVELS.contains(&index)
                    {
                        compared = Some(index);
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        let given = levels.iter().find_map(|level| match level {
            Some(Held::Argument(index)) => Some(*index),
            _ => None,
        });
        if let Some(index) = given.or(compared) {
            return Some(Level::Given(index));
        }
        match levels.as_slice() {
            [Some(Held::Number(level))] => Some(Level::Fixed(*level)),
            // For -1, the helper of Cython 0.29 tries level 1 first.
            [Some(Held::Number(1)), Some(Held::Number(0))] => Some(Level::Fixed(-1)),
            _ => gets.then_some(Level::Fixed(0)),
        }
    }

    /// Returns the arguments of `__Pyx_PyList_Pack(count, …)` of Cython 3.1, which makes the list of
    /// names for an import.
    pub(super) fn names(&self, known: &Known) -> Option<Vec<Held>> {
        const MOST_NAMES: i64 = 32;
        let Some(Held::Number(count @ 1..=MOST_NAMES)) = known.argument(0) else { return None };
        let named = |index| known.argument(index).filter(|name| self.text(Some(*name)).is_some());
        (1..=count as i32).map(named).collect()
    }

    /// Whether a call is one of the helper of Cython 3.2, which may be in another module and is then
    /// called through a pointer: `__Pyx__Import(name, names, count, qualified name, dictionary of
    /// the module, level)`. Without a qualified name the level is 0, and compilers leave it out
    /// where it is the same in all calls.
    pub(super) fn is_given_dictionary(&self, target: Destination, known: &Known) -> bool {
        let Dictionary::In(dictionary) = self.dictionary else { return false };
        let is_of_unknown = match target {
            Destination::Code(_) => true,
            Destination::Pointer(CodeValue::Memory(memory)) => memory.address().is_some(),
            Destination::Pointer(CodeValue::Register(register)) => {
                matches!(known.get(register), Some(Held::Global(_)))
            }
            Destination::Pointer(_) => false,
        };
        is_of_unknown
            && known.argument(4) == Some(Held::Global(dictionary))
            && self.text(known.argument(0)).is_some()
    }
}
