//! Functions of a module that import what an argument names: `import("name")` of C++ libraries, and what C code has for
//! `from module import name`.

use std::num::NonZeroU16;

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::called::Called;
use super::known::{Held, Known};
use super::{LONGEST_NAME, Walk, is_module_name};

/// How many instructions such a function has at most before it imports.
const LONGEST_IMPORTER: u32 = 100;

/// In which form, and in which of its arguments, a function takes the name of the module that it imports.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Importer {
    /// By a text up to its NUL.
    Text(i32),
    /// By a text and its length, which is the next argument.
    SizedText(i32),
    /// The same by a capsule's name.
    Capsule(i32),
}

impl Walk<'_, '_> {
    /// The name of the module that a call of CPython's function imports.
    pub(super) fn name_of_import(&self, called: Called, known: &Known) -> Option<String> {
        let first = known.get(Register::RCX);
        match (called, first?) {
            (Called::ImportObject | Called::ImportStatement, text @ Held::Text(..)) => self.literal(text),
            (Called::Import | Called::ImportLevel, Held::Address(at)) => {
                let level = known.argument(4);
                let is_absolute = called == Called::Import || level == Some(Held::Number(0));
                // CPython looks for a module of whatever name.
                self.text_at(Held::Text(at, None)).filter(|_| is_absolute)
            }
            (Called::Capsule, Held::Address(at)) => self.module_of_capsule(at),
            _ => None,
        }
    }

    fn module_of_capsule(&self, at: u32) -> Option<String> {
        let name = self.literal(Held::Text(at, None))?;
        Some(name.split('.').next()?.to_owned())
    }

    /// A literal that names a module.
    fn literal(&self, text: Held) -> Option<String> {
        self.text_at(text).filter(|name| is_module_name(name))
    }

    fn text_at(&self, text: Held) -> Option<String> {
        const WHAT: &str = "the name of a module";
        match text {
            Held::Text(at, None) => self.image.memory.string(at, LONGEST_NAME, WHAT).ok(),
            Held::Text(at, Some(size)) => {
                let size = u32::from(size.get());
                let bytes = self.image.memory.slice(at, size, WHAT).ok()?;
                std::str::from_utf8(bytes).ok().map(str::to_owned)
            }
            _ => None,
        }
    }

    /// The object that is made of a text.
    pub(super) fn object_of_text(&self, text: Option<Held>, size: Option<Held>) -> Held {
        match (text, size) {
            (Some(Held::Address(at)), None) => Held::Text(at, None),
            (Some(Held::Address(at)), Some(Held::Number(size))) => {
                let size = u16::try_from(size).ok().filter(|size| usize::from(*size) < LONGEST_NAME);
                let size = size.and_then(NonZeroU16::new);
                size.map_or(Held::Object, |size| Held::Text(at, Some(size)))
            }
            _ => Held::Object,
        }
    }

    /// The module that a call of a function imports, if the function imports what an argument names.
    pub(super) fn name_for_importer(&mut self, function: u64, known: &Known) -> Option<String> {
        let is_literal = |index| match known.argument(index) {
            Some(Held::Address(at)) => self.literal(Held::Text(at, None)).is_some(),
            _ => false,
        };
        let is_sized = |index| {
            matches!(known.argument(index), Some(Held::Address(_)))
                && matches!(known.argument(index + 1), Some(Held::Number(_)))
        };
        if !(0..3).any(|index| is_literal(index) || is_sized(index)) {
            return None;
        }
        match self.importer(function, 0)? {
            Importer::Text(index) => match known.argument(index)? {
                Held::Address(at) => self.literal(Held::Text(at, None)),
                _ => None,
            },
            Importer::SizedText(index) => {
                self.literal(self.object_of_text(known.argument(index), known.argument(index + 1)))
            }
            Importer::Capsule(index) => match known.argument(index)? {
                Held::Address(at) => self.module_of_capsule(at),
                _ => None,
            },
        }
    }

    /// How a function is told what it imports, if it imports something that it is told.
    fn importer(&mut self, function: u64, depth: u32) -> Option<Importer> {
        const DEEPEST_IMPORTER: u32 = 2;
        let start = u32::try_from(function).ok()?;
        if let Some(known) = self.importers.get(&start) {
            return *known;
        }
        if depth > DEEPEST_IMPORTER {
            return None;
        }
        // Whoever calls itself is none.
        self.importers.insert(start, None);
        let importer = self.find_importer(start, depth);
        self.importers.insert(start, importer);
        importer
    }

    /// Looks through the code of a function as it lies there.
    fn find_importer(&mut self, start: u32, depth: u32) -> Option<Importer> {
        let mut decoder = self.image.decoder(start)?;
        let mut known = Known::with_arguments();
        let mut instruction = Instruction::default();
        // The objects that were made of an argument are known by its index.
        for _ in 0..LONGEST_IMPORTER {
            if !decoder.can_decode() || self.left == 0 {
                return None;
            }
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Int3 => return None,
                Mnemonic::Call | Mnemonic::Jmp => {
                    let first = known.get(Register::RCX);
                    let mut given = None;
                    match (self.called(&instruction, &known), first) {
                        (Some(Called::Import), Some(Held::Argument(index))) => {
                            return Some(Importer::Text(index));
                        }
                        (Some(Called::Capsule), Some(Held::Argument(index))) => {
                            return Some(Importer::Capsule(index));
                        }
                        (
                            Some(Called::ImportObject | Called::ImportStatement),
                            Some(Held::Made(importer)),
                        ) => {
                            return Some(importer.into());
                        }
                        (Some(Called::Text), Some(Held::Argument(index))) => {
                            given = Some(Held::Made(Made { index, is_sized: false }));
                        }
                        (Some(Called::SizedText), Some(Held::Argument(index)))
                            if known.get(Register::RDX) == Some(Held::Argument(index + 1)) =>
                        {
                            given = Some(Held::Made(Made { index, is_sized: true }));
                        }
                        (None, _) if instruction.op0_kind() == OpKind::NearBranch64 => {
                            let is_given = (0..4).any(|index| {
                                matches!(known.argument(index), Some(Held::Argument(_) | Held::Made(_)))
                            });
                            if is_given {
                                let inner = self.importer(instruction.near_branch_target(), depth + 1);
                                if let Some(importer) = inner.and_then(|inner| inner.through(&known)) {
                                    return Some(importer);
                                }
                            }
                        }
                        _ => {}
                    }
                    if instruction.mnemonic() == Mnemonic::Call {
                        known.follow_call();
                        known.set(Register::RAX, given);
                    }
                }
                _ => known.follow(&instruction, &self.slots, false),
            }
        }
        None
    }
}

impl Importer {
    /// The same for whoever calls such a function with its own arguments.
    fn through(self, known: &Known) -> Option<Importer> {
        let outer = |index| match known.argument(index)? {
            Held::Argument(index) => Some(index),
            _ => None,
        };
        match self {
            Importer::Text(index) => Some(Importer::Text(outer(index)?)),
            Importer::Capsule(index) => Some(Importer::Capsule(outer(index)?)),
            Importer::SizedText(index) => {
                let own = outer(index)?;
                (outer(index + 1)? == own + 1).then_some(Importer::SizedText(own))
            }
        }
    }
}

/// An object that a function makes of the text that an argument points to.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Made {
    index: i32,
    is_sized: bool,
}

impl From<Made> for Importer {
    fn from(made: Made) -> Importer {
        if made.is_sized { Importer::SizedText(made.index) } else { Importer::Text(made.index) }
    }
}
