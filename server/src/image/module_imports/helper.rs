//! Cython's helpers that import what the text of a module imports: `__Pyx_Import(name, names, level)`, and those that call it.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::called::Called;
use super::known::{Held, Known, number};
use super::{Dictionary, Walk};
use crate::image::start::address_of;

/// The helper that imports calls CPython within so many instructions.
const LONGEST_HELPER: u32 = 200;

/// The index of the argument that is the level: before Cython 3.2, and since then, without and with the module's dictionary before it.
const LEVELS: [i32; 3] = [2, 4, 5];

/// How a helper knows at which level it imports.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Level {
    /// By its argument at this index, one of [`LEVELS`].
    Given(i32),
    /// Compilers leave out an argument that is the same in all calls.
    Fixed(i32),
}

impl Walk<'_, '_> {
    /// At which level a function imports the module that its first argument names, if it gives that to
    /// `PyImport_ImportModuleLevelObject`, itself or by another one.
    pub(super) fn imports_its_argument(&mut self, function: u64, depth: u32) -> Option<Level> {
        const DEEPEST_HELPER: u32 = 2;
        let start = u32::try_from(function).ok()?;
        if !self.texts.is_known() || depth >= DEEPEST_HELPER {
            return None;
        }
        if let Some(known) = self.helpers.get(&start) {
            return *known;
        }
        // Whoever calls itself is none.
        self.helpers.insert(start, None);
        let level = self.level(start, depth);
        self.helpers.insert(start, level);
        level
    }

    /// Looks through the code of a function as it lies there.
    fn level(&mut self, start: u32, depth: u32) -> Option<Level> {
        let mut decoder = self.image.decoder(start)?;
        let mut known = Known::with_arguments();
        let mut instruction = Instruction::default();
        // The levels of the calls that import.
        let mut levels = Vec::new();
        // The argument that it compares with -1: that is the level, whatever is made of it.
        let mut compared = None;
        // It asks for the module of this name first: then the name is an absolute one.
        let mut gets = false;
        for _ in 0..LONGEST_HELPER {
            if !decoder.can_decode() || self.left == 0 {
                break;
            }
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Int3 => break,
                Mnemonic::Call | Mnemonic::Jmp => {
                    let is_named = known.get(Register::RCX) == Some(Held::Argument(0));
                    match self.called(&instruction, &known) {
                        Some(Called::ImportStatement) if is_named => levels.push(known.argument(4)),
                        Some(Called::Get) => gets |= is_named,
                        None if is_named && instruction.op0_kind() == OpKind::NearBranch64 => {
                            let target = instruction.near_branch_target();
                            match self.imports_its_argument(target, depth + 1) {
                                Some(Level::Given(index)) => levels.push(known.argument(index)),
                                Some(Level::Fixed(level)) => levels.push(Some(Held::Number(level))),
                                None => {}
                            }
                        }
                        _ => {}
                    }
                    if instruction.mnemonic() == Mnemonic::Call {
                        known.follow_call();
                    }
                }
                Mnemonic::Cmp => {
                    if let Some(Held::Argument(index)) = known.value(&instruction, 0, &self.slots)
                        && number(&instruction, 1) == Some(-1)
                        && LEVELS.contains(&index)
                    {
                        compared = Some(index);
                    }
                }
                _ => known.follow(&instruction, &self.slots, false),
            }
        }
        let given = levels.iter().find_map(|level| match level {
            Some(Held::Argument(index)) => Some(*index),
            _ => None,
        });
        if let Some(index) = given.or(compared) {
            return Some(Level::Given(index));
        }
        match levels.as_slice() {
            [Some(Held::Number(level))] => Some(Level::Fixed(*level)),
            // For -1 the helper of Cython 0.29 tries level 1 first.
            [Some(Held::Number(1)), Some(Held::Number(0))] => Some(Level::Fixed(-1)),
            _ => gets.then_some(Level::Fixed(0)),
        }
    }

    /// The arguments of `__Pyx_PyList_Pack(count, …)`, of Cython 3.1, which makes the list of names for an import.
    pub(super) fn names(&self, known: &Known) -> Option<Vec<Held>> {
        const MOST_NAMES: i32 = 32;
        let Some(Held::Number(count @ 1..=MOST_NAMES)) = known.get(Register::RCX) else { return None };
        let named = |index| known.argument(index).filter(|name| self.text(Some(*name)).is_some());
        (1..=count).map(named).collect()
    }

    /// Whether a call is one of the helper of Cython 3.2, which may lie in another module and be known by a pointer:
    /// `__Pyx__Import(name, names, count, qualified name, dictionary of the module, level)`. Without a qualified name the level is 0,
    /// and compilers leave it out where it is the same in all calls.
    pub(super) fn is_given_dictionary(&self, instruction: &Instruction, known: &Known) -> bool {
        let Dictionary::In(dictionary) = self.dictionary else { return false };
        let is_of_unknown = match instruction.op0_kind() {
            OpKind::NearBranch64 => true,
            OpKind::Memory => address_of(instruction).is_some(),
            OpKind::Register => matches!(known.get(instruction.op0_register()), Some(Held::Global(_))),
            _ => false,
        };
        is_of_unknown
            && known.argument(4) == Some(Held::Global(dictionary))
            && self.text(known.get(Register::RCX)).is_some()
    }
}
