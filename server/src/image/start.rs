//! Which functions the code of an image calls while it starts, as far as direct calls show.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::code::{AssignedValue, CodeValue, Convention, Destination, Instruction, Operation, Register};
use super::imports::entry;
use super::{Export, Image, ImageError, Symbol};

/// The maximum number of instructions that are visited, some 10 ms. In TensorFlow 2.21, with 1 GB
/// and 2,207 initializers, a hundred thousand of them lead to the function.
pub(super) const MOST_INSTRUCTIONS: u32 = 2_000_000;

/// The maximum length of a table of initializers, in entries.
const MOST_INITIALIZERS: u32 = 1 << 16;

/// The functions of the C runtime that call each function of a table, which is between the
/// addresses in their first and second argument ("CRT initialization", Microsoft;
/// `vcruntime/internal_shared.h` of the Windows SDK).
const CALLERS: [&str; 2] = ["_initterm", "_initterm_e"];

/// The maximum number of instructions that are visited from `PyInit_…` on. What is further away isn't
/// part of the initialization, but of some function that may be called later: twenty modules with
/// such locks were tried with an old runtime, and those that crashed had their first lock within
/// 6,100 instructions, the others none within 60,000.
const MOST_INSTRUCTIONS_OF_INIT: u32 = 10_000;

/// The beginnings of the names of functions that are called where something has failed: they set an
/// exception of CPython, or throw one of C++.
const FAILING: [&str; 6] =
    ["PyErr_Set", "PyErr_Format", "PyErr_NoMemory", "_CxxThrowException", "?_Throw_", "?_X"];

/// A function that is called through a slot of the import address table.
#[derive(Clone, Copy, PartialEq)]
enum Called {
    /// The function that is searched.
    Wanted,
    /// One of [`CALLERS`].
    Caller,
    /// `PyModuleDef_Init`, whose argument names the functions that execute the module.
    Define,
    /// One of [`FAILING`].
    Failing,
}

impl Image<'_> {
    /// Whether the code that runs while the image starts leads to an imported function of this name:
    /// from the entry point, and from the initializers of global objects that it passes to the C
    /// runtime, by direct calls and jumps.
    ///
    /// A path isn't proof that it is taken, and calls through pointers aren't followed: this
    /// distinguishes code that is made to call the function at the start from code that calls it
    /// later on request. It returns false for processors other than x64 and ARM64, and if the
    /// path is too long to be found.
    ///
    /// # Errors
    /// As [`Image::imports`] and [`Image::symbols`].
    pub fn calls_at_start(&self, function: &str) -> Result<bool, ImageError> {
        Ok(self.walk(function)?.is_some_and(|mut walk| walk.arrives()))
    }

    /// Whether the functions that CPython calls once an extension module is loaded lead to an imported
    /// function of this name: `PyInit_…`, and the functions that execute the module (PEP 489). What
    /// is done only after a failure doesn't count.
    ///
    /// # Errors
    /// As [`Image::calls_at_start`], and [`Image::export`].
    pub fn calls_at_init(&self, function: &str) -> Result<bool, ImageError> {
        let Some(convention) = self.convention() else { return Ok(false) };
        let Some(init) = self.export_that_begins_with("PyInit_")? else { return Ok(false) };
        let Some(Export::Address(start)) = self.export(&Symbol::Name(init))? else { return Ok(false) };
        let mut walk = self.walk_from(start, function, convention)?;
        walk.passes_over_failures = true;
        walk.left = MOST_INSTRUCTIONS_OF_INIT;
        Ok(walk.arrives())
    }

    /// Returns the RVAs of the functions that run when the image starts: the entry point, and the
    /// initializers of global objects that it passes to the C runtime.
    pub(super) fn functions_at_start(&self) -> Result<Vec<u32>, ImageError> {
        let Some(mut walk) = self.walk("")? else { return Ok(Vec::new()) };
        walk.arrives();
        let mut functions = walk.initializers;
        functions.push(self.headers.entry_point);
        Ok(functions)
    }
}

impl<'a> Image<'a> {
    /// Makes a walk from the entry point to an imported function of this name. Returns `None` if there
    /// is no code that can be read.
    fn walk(&self, function: &str) -> Result<Option<Walk<'_, 'a>>, ImageError> {
        let start = self.headers.entry_point;
        match self.convention() {
            Some(convention) if start != 0 => self.walk_from(start, function, convention).map(Some),
            _ => Ok(None),
        }
    }

    fn walk_from(
        &self,
        start: u32,
        function: &str,
        convention: &'static Convention,
    ) -> Result<Walk<'_, 'a>, ImageError> {
        let slots = self.slots(
            |_| true,
            |called| match called {
                called if called == function.as_bytes() => Some(Called::Wanted),
                b"PyModuleDef_Init" => Some(Called::Define),
                called if CALLERS.iter().any(|caller| caller.as_bytes() == called) => Some(Called::Caller),
                called => FAILING
                    .iter()
                    .any(|failing| called.starts_with(failing.as_bytes()))
                    .then_some(Called::Failing),
            },
        )?;
        let mut walk = Walk {
            image: self,
            arguments: convention.arguments,
            slots,
            seen: FxHashSet::default(),
            open: VecDeque::new(),
            initializers: Vec::new(),
            left: MOST_INSTRUCTIONS,
            passes_over_failures: false,
            waiting: Vec::new(),
        };
        walk.enter(start);
        Ok(walk)
    }

    /// Returns the functions that a `PyModuleDef` names for the execution of its module
    /// (`Include/moduleobject.h`): its tenth pointer leads to pairs of a number and an address, up to
    /// the number 0.
    pub(super) fn executed_by(&self, definition: u32) -> Vec<u32> {
        const SLOTS: u32 = 9;
        const MOST_SLOTS: u32 = 16;
        const EXECUTE: u64 = 2;
        let Some(slots) = self.pointer(definition, SLOTS) else { return Vec::new() };
        let kinds = (0..MOST_SLOTS).map_while(|slot| Some((slot, self.word(slots, 2 * slot)?)));
        let executing = kinds.take_while(|(_, kind)| *kind != 0).filter(|(_, kind)| *kind == EXECUTE);
        executing.filter_map(|(slot, _)| self.pointer(slots, 2 * slot + 1)).collect()
    }

    /// Reads the pointer at an index in an array at an RVA, as an RVA.
    pub(super) fn pointer(&self, array: u32, index: u32) -> Option<u32> {
        let address = self.word(array, index)?;
        u32::try_from(address.checked_sub(self.headers.image_base)?).ok()
    }

    /// Reads the 64-bit word at an index in an array at an RVA.
    fn word(&self, array: u32, index: u32) -> Option<u64> {
        let at = entry(array, index, 8, "an array").ok()?;
        self.memory.bytes::<8>(at, "an array").ok().map(u64::from_le_bytes)
    }
}

/// A walk through code, the nearest first. Addresses are RVAs.
struct Walk<'i, 'a> {
    image: &'i Image<'a>,
    /// The registers of the first arguments of a call.
    arguments: &'static [Register],
    slots: FxHashMap<u32, Called>,
    seen: FxHashSet<u32>,
    open: VecDeque<u32>,
    /// The functions in the tables that were passed to the C runtime.
    initializers: Vec<u32>,
    /// The number of instructions that may still be visited.
    left: u32,
    /// Code that ends in a failure is not followed.
    passes_over_failures: bool,
    /// The functions that such code calls, as long as its end is unknown.
    waiting: Vec<u32>,
}

impl Walk<'_, '_> {
    fn arrives(&mut self) -> bool {
        while let Some(at) = self.open.pop_front() {
            if self.passes(at) {
                return true;
            }
        }
        false
    }

    fn enter(&mut self, rva: u32) {
        if self.seen.insert(rva) {
            self.open.push_back(rva);
        }
    }

    /// Follows the code from here to where it jumps away or returns. Returns whether it calls the
    /// function.
    fn passes(&mut self, at: u32) -> bool {
        if self.passes_over_failures { self.passes_well(at) } else { self.passes_somehow(at) }
    }

    /// As [`Walk::passes`], but what is called between two conditions counts only if no failure is
    /// among it, and if it doesn't end in a call that doesn't return: compilers put a breakpoint
    /// behind such a call.
    fn passes_well(&mut self, at: u32) -> bool {
        let Some(mut decoder) = self.image.decoder(at) else { return false };
        let mut instruction = Instruction::default();
        let (mut first, mut arrives, mut fails) = (None, false, false);
        self.waiting.clear();
        'code: while self.left > 0 && decoder.decode(&mut instruction) {
            self.left -= 1;
            for operation in &instruction.operations {
                match *operation {
                    Operation::Set(register, AssignedValue::Address(memory))
                        if self.arguments.first() == Some(&register) =>
                    {
                        first = memory.address();
                    }
                    Operation::Call(target) | Operation::Jump(target) => {
                        match (self.called(target), target) {
                            (Some(Called::Wanted), _) => arrives = true,
                            (Some(Called::Failing), _) => fails = true,
                            (Some(Called::Define), _) => {
                                let functions = first.map(|definition| self.image.executed_by(definition));
                                self.waiting.extend(functions.unwrap_or_default());
                            }
                            (None, Destination::Code(to)) => self.waiting.push(to),
                            (Some(Called::Caller) | None, _) => {}
                        }
                        if matches!(operation, Operation::Jump(_)) {
                            break 'code;
                        }
                    }
                    Operation::Branch(_, to) => {
                        if arrives && !fails {
                            return true;
                        }
                        self.follow_waiting(fails);
                        (arrives, fails) = (false, false);
                        self.enter(to);
                        if self.seen.contains(&instruction.next) {
                            return false;
                        }
                    }
                    Operation::Return => break 'code,
                    Operation::Invalid | Operation::Breakpoint | Operation::Interrupt => {
                        fails = true;
                        break 'code;
                    }
                    _ => {}
                }
            }
        }
        self.follow_waiting(fails);
        arrives && !fails
    }

    fn follow_waiting(&mut self, fails: bool) {
        for target in std::mem::take(&mut self.waiting) {
            if !fails {
                self.enter(target);
            }
        }
    }

    fn passes_somehow(&mut self, at: u32) -> bool {
        let Some(mut decoder) = self.image.decoder(at) else { return false };
        let mut instruction = Instruction::default();
        // The addresses that the registers of the first two arguments were set to last.
        let mut given = [None; 2];
        while self.left > 0 && decoder.decode(&mut instruction) {
            self.left -= 1;
            for operation in &instruction.operations {
                match *operation {
                    Operation::Set(register, AssignedValue::Address(memory)) => {
                        let argument = self.arguments.iter().position(|argument| *argument == register);
                        if let Some(given) = argument.and_then(|index| given.get_mut(index)) {
                            *given = memory.address();
                        }
                    }
                    Operation::Call(target) => {
                        match self.called(target) {
                            Some(Called::Wanted) => return true,
                            Some(Called::Caller) => self.enter_initializers(given),
                            Some(Called::Define | Called::Failing) | None => {}
                        }
                        if let Destination::Code(to) = target {
                            self.enter(to);
                        }
                    }
                    Operation::Jump(target) => {
                        if let Destination::Code(to) = target {
                            self.enter(to);
                        }
                        return self.called(target) == Some(Called::Wanted);
                    }
                    Operation::Branch(_, to) => self.enter(to),
                    Operation::Return | Operation::Invalid | Operation::Breakpoint | Operation::Interrupt => {
                        return false;
                    }
                    _ => {}
                }
            }
            if self.seen.contains(&instruction.next) {
                return false;
            }
        }
        false
    }

    /// Returns the imported function that is called or jumped to, possibly by code that does nothing
    /// but jump to it.
    fn called(&self, target: Destination) -> Option<Called> {
        let slot = match target {
            Destination::Code(to) => self.image.slot_behind(to)?,
            Destination::Pointer(CodeValue::Memory(memory)) => memory.address()?,
            Destination::Pointer(_) => return None,
        };
        self.slots.get(&slot).copied()
    }

    /// Enters the functions of a table, whose entries are addresses at the preferred image base.
    fn enter_initializers(&mut self, table: [Option<u32>; 2]) {
        let [Some(first), Some(end)] = table else { return };
        let count = (end.saturating_sub(first) / 8).min(MOST_INITIALIZERS);
        for index in 0..count {
            // Zeros separate those of different sections.
            if let Some(rva) = self.image.pointer(first, index) {
                self.enter(rva);
                self.initializers.push(rva);
            }
        }
    }
}
