//! Functions of a module that import what an argument names: `import("name")` of C++ libraries,
//! and helpers of C code for `from module import name`.

use std::num::NonZeroU16;
use std::ops::ControlFlow;

use super::called::Called;
use super::known::{Held, Known};
use super::{LONGEST_NAME, Walk, is_module_name};
use crate::image::code::{Destination, Operation};

/// The maximum number of instructions of such a function before it imports.
const LONGEST_IMPORTER: u32 = 100;

/// In which form, and by which of its arguments, a function receives the name of the module that
/// it imports.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Importer {
    /// By a NUL-terminated string.
    Text(i32),
    /// By a string and its length, which is the next argument.
    SizedText(i32),
    /// By the name of a capsule in the module.
    Capsule(i32),
}

impl Walk<'_, '_> {
    /// Returns the name of the module that a call of one of CPython's functions imports.
    pub(super) fn name_of_import(&self, called: Called, known: &Known) -> Option<String> {
        let first = known.argument(0);
        match (called, first?) {
            (Called::ImportObject | Called::ImportStatement, text @ Held::Text(..)) => self.literal(text),
            (Called::Import | Called::ImportLevel, Held::Address(at)) => {
                let level = known.argument(4);
                let is_absolute = called == Called::Import || level == Some(Held::Number(0));
                // CPython searches for a module of any name.
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

    /// Reads a literal that is the name of a module.
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

    /// Returns the object that is made of a string.
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

    /// Returns the name of the module that a call of a function imports, if the function imports
    /// what an argument names.
    pub(super) fn name_for_importer(&mut self, function: u32, known: &Known) -> Option<String> {
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

    /// Returns how a function receives the name of the module that it imports, if it does.
    fn importer(&mut self, start: u32, depth: u32) -> Option<Importer> {
        const DEEPEST_IMPORTER: u32 = 2;
        if let Some(known) = self.importers.get(&start) {
            return *known;
        }
        if depth > DEEPEST_IMPORTER {
            return None;
        }
        // A function that calls itself isn't one.
        self.importers.insert(start, None);
        let importer = self.find_importer(start, depth);
        self.importers.insert(start, importer);
        importer
    }

    /// Searches the code of a function for the call that imports.
    fn find_importer(&mut self, start: u32, depth: u32) -> Option<Importer> {
        self.scan(start, LONGEST_IMPORTER, |walk, operation, known| {
            if let Operation::Call(target) | Operation::Jump(target) = *operation {
                let passed = walk.passes_on(target, known, depth);
                if let Passed::Imports(importer) = passed {
                    return ControlFlow::Break(importer);
                }
                if matches!(operation, Operation::Call(_)) {
                    known.follow_call(match passed {
                        Passed::Makes(made) => Some(Held::Made(made)),
                        _ => None,
                    });
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// Finds out what a call does with the arguments of the function that makes it.
    fn passes_on(&mut self, target: Destination, known: &Known, depth: u32) -> Passed {
        match (self.called(target, known), known.argument(0)) {
            (Some(Called::Import), Some(Held::Argument(index))) => Passed::Imports(Importer::Text(index)),
            (Some(Called::Capsule), Some(Held::Argument(index))) => Passed::Imports(Importer::Capsule(index)),
            (Some(Called::ImportObject | Called::ImportStatement), Some(Held::Made(made))) => {
                Passed::Imports(made.into())
            }
            (Some(Called::Text), Some(Held::Argument(index))) => {
                Passed::Makes(Made { index, is_sized: false })
            }
            (Some(Called::SizedText), Some(Held::Argument(index)))
                if known.argument(1) == Some(Held::Argument(index + 1)) =>
            {
                Passed::Makes(Made { index, is_sized: true })
            }
            (None, _) => {
                let Destination::Code(function) = target else { return Passed::Nothing };
                let is_given = (0..4)
                    .any(|index| matches!(known.argument(index), Some(Held::Argument(_) | Held::Made(_))));
                let inner = is_given.then(|| self.importer(function, depth + 1)).flatten();
                inner.and_then(|inner| inner.through(known)).map_or(Passed::Nothing, Passed::Imports)
            }
            _ => Passed::Nothing,
        }
    }
}

/// What a call does with the arguments of the function that makes it.
enum Passed {
    Nothing,
    /// It imports the module that they name.
    Imports(Importer),
    /// It makes an object of them.
    Makes(Made),
}

impl Importer {
    /// Returns the same for a function that calls such a function with its own arguments.
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

/// An object that a function makes of the string that an argument points to.
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
