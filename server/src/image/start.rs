//! What the code of an image calls as it starts, as far as direct calls tell.

use std::collections::{BTreeSet, VecDeque};

use iced_x86::{Code, CpuidFeature, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use super::imports::entry;
use super::{Export, Image, ImageError, Machine, Symbol};

/// So many instructions are looked at, some 10 ms. In TensorFlow 2.21, of 1 GB and 2,207 initializers, a hundred thousand
/// of them lead to what is looked for.
const MOST_INSTRUCTIONS: u32 = 2_000_000;

/// Code without a jump out of it is looked at up to this length, in bytes.
const LONGEST_PIECE: usize = 1 << 16;

/// A table of initializers is read up to this length, in entries.
const MOST_INITIALIZERS: u32 = 1 << 16;

/// The functions of the C runtime that call each function of a table: from the first argument to before the second
/// ("CRT initialization", Microsoft; `vcruntime/internal_shared.h` of the Windows SDK).
const CALLERS: [&str; 2] = ["_initterm", "_initterm_e"];

/// So many instructions are looked at from `PyInit_…` on. What is further away is not made as a module is initialized, but by some function of
/// it that may be called later: of the twenty modules with such locks that were tried with an old runtime, those that died had their
/// first lock within 6,100 instructions, and those that were well none within 60,000.
const MOST_INSTRUCTIONS_OF_INIT: u32 = 10_000;

/// Functions that are called where something has failed: they set CPython's exception, or throw one of C++.
const FAILING: [&str; 6] =
    ["PyErr_Set", "PyErr_Format", "PyErr_NoMemory", "_CxxThrowException", "?_Throw_", "?_X"];

/// What is called through a slot of the import address table.
#[derive(Clone, Copy, PartialEq)]
enum Called {
    /// What is looked for.
    Wanted,
    /// One of [`CALLERS`].
    Caller,
    /// `PyModuleDef_Init`, which is given the functions that execute the module.
    Define,
    /// One of [`FAILING`].
    Failing,
}

impl Image<'_> {
    /// Whether what runs as the image starts leads to an imported function of this name: from the entry point, and from the
    /// initializers of global objects that it hands to the C runtime, by direct calls and jumps.
    ///
    /// A way is no proof that it is taken, and calls through pointers are not followed: it tells code that is made to
    /// call the function as it starts from code that calls it later, if somebody asks for something. Of code for other
    /// processors than x64 it says no, as it does when the way is too long to be found.
    ///
    /// # Errors
    /// As [`Image::imports`] and [`Image::symbols`].
    pub fn calls_at_start(&self, function: &str) -> Result<bool, ImageError> {
        Ok(self.walk(function)?.is_some_and(|mut walk| walk.arrives()))
    }

    /// Whether what CPython calls once an extension module is loaded leads to an imported function of this name: `PyInit_…`, and the functions
    /// that execute the module (PEP 489). What is done only after a failure does not count.
    ///
    /// # Errors
    /// As [`Image::calls_at_start`], and [`Image::export`].
    pub fn calls_at_init(&self, function: &str) -> Result<bool, ImageError> {
        if self.machine() != Machine::X64 {
            return Ok(false);
        }
        let Some(init) = self.export_that_begins_with("PyInit_")? else { return Ok(false) };
        let Some(Export::Address(start)) = self.export(&Symbol::Name(init))? else { return Ok(false) };
        let mut walk = self.walk_from(start, function)?;
        walk.passes_over_failures = true;
        walk.left = MOST_INSTRUCTIONS_OF_INIT;
        Ok(walk.arrives())
    }
}

/// The sets of instructions that compilers are told to use, by the names that Rust and LLVM have for them. Every x64 processor
/// has what is older; what is newer nobody asks of all processors.
const INSTRUCTION_SETS: [(CpuidFeature, &str); 12] = [
    (CpuidFeature::SSE3, "sse3"),
    (CpuidFeature::SSSE3, "ssse3"),
    (CpuidFeature::SSE4_1, "sse4.1"),
    (CpuidFeature::SSE4_2, "sse4.2"),
    (CpuidFeature::POPCNT, "popcnt"),
    (CpuidFeature::AVX, "avx"),
    (CpuidFeature::AVX2, "avx2"),
    (CpuidFeature::FMA, "fma"),
    (CpuidFeature::F16C, "f16c"),
    (CpuidFeature::BMI1, "bmi1"),
    (CpuidFeature::BMI2, "bmi2"),
    (CpuidFeature::MOVBE, "movbe"),
];

/// The names of the sets that [`Image::instructions_at_start`] tells.
pub fn instruction_sets() -> impl Iterator<Item = &'static str> {
    INSTRUCTION_SETS.iter().map(|(_, name)| *name)
}

impl Image<'_> {
    /// The sets of instructions without which the image cannot start: what stands in its entry point, in the initializers of global
    /// objects that it hands to the C runtime, and in the functions that those call, each up to its first condition. Code that asks
    /// the processor what it can do has to decide on that, so that nothing of what follows counts. A call that does not come
    /// back ends the start as well.
    ///
    /// # Errors
    /// As [`Image::calls_at_start`].
    pub fn instructions_at_start(&self) -> Result<BTreeSet<String>, ImageError> {
        let mut needed = BTreeSet::new();
        let Some(mut walk) = self.walk("")? else { return Ok(needed) };
        walk.arrives();
        let mut open: Vec<u64> = walk.initializers.iter().map(|start| u64::from(*start)).collect();
        open.push(self.headers.entry_point.into());
        let mut seen = FxHashSet::default();
        let mut left = MOST_INSTRUCTIONS;
        while let Some(start) = open.pop() {
            let Ok(at) = u32::try_from(start) else { continue };
            let Some(mut decoder) = self.decoder(at).filter(|_| seen.insert(at)) else { continue };
            let mut instruction = Instruction::default();
            while decoder.can_decode() && left > 0 {
                left -= 1;
                decoder.decode_out(&mut instruction);
                match instruction.flow_control() {
                    FlowControl::Next | FlowControl::IndirectCall => {}
                    FlowControl::Call => open.push(instruction.near_branch_target()),
                    FlowControl::UnconditionalBranch => {
                        open.push(instruction.near_branch_target());
                        break;
                    }
                    _ => break,
                }
                // An older processor takes it for another instruction.
                if instruction.mnemonic() == Mnemonic::Tzcnt {
                    continue;
                }
                for feature in instruction.cpuid_features() {
                    let named = INSTRUCTION_SETS.iter().find(|(known, _)| known == feature);
                    needed.extend(named.map(|(_, name)| (*name).to_owned()));
                }
            }
        }
        Ok(needed)
    }
}

impl<'a> Image<'a> {
    /// A walk that begins at the entry point, to an imported function of this name; none if there is no code of x64.
    fn walk(&self, function: &str) -> Result<Option<Walk<'_, 'a>>, ImageError> {
        let start = self.headers.entry_point;
        if self.machine() != Machine::X64 || start == 0 {
            return Ok(None);
        }
        self.walk_from(start, function).map(Some)
    }

    fn walk_from(&self, start: u32, function: &str) -> Result<Walk<'_, 'a>, ImageError> {
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
            slots,
            seen: FxHashSet::default(),
            open: VecDeque::new(),
            initializers: Vec::new(),
            left: MOST_INSTRUCTIONS,
            passes_over_failures: false,
            waiting: Vec::new(),
        };
        walk.enter(start.into());
        Ok(walk)
    }

    /// Reads the code from an RVA on.
    pub(super) fn decoder(&self, at: u32) -> Option<Decoder<'a>> {
        let code = self.memory.stored(at, LONGEST_PIECE, "code").ok()?;
        Some(Decoder::with_ip(64, code, at.into(), DecoderOptions::NONE))
    }

    /// The functions that a `PyModuleDef` names for the execution of its module (`Include/moduleobject.h`): its tenth pointer leads to pairs of
    /// a number and an address, up to the number 0.
    fn executed_by(&self, definition: u32) -> Vec<u32> {
        const SLOTS: u32 = 9;
        const MOST_SLOTS: u32 = 16;
        const EXECUTE: u64 = 2;
        let number = |at: u32, index: u32| {
            let at = entry(at, index, 8, "a definition").ok()?;
            self.memory.bytes::<8>(at, "a definition").ok().map(u64::from_le_bytes)
        };
        let address = |at: u32, index: u32| {
            u32::try_from(number(at, index)?.checked_sub(self.headers.image_base)?).ok()
        };
        let Some(slots) = address(definition, SLOTS) else { return Vec::new() };
        let kinds = (0..MOST_SLOTS).map_while(|slot| Some((slot, number(slots, 2 * slot)?)));
        let executing = kinds.take_while(|(_, kind)| *kind != 0).filter(|(_, kind)| *kind == EXECUTE);
        executing.filter_map(|(slot, _)| address(slots, 2 * slot + 1)).collect()
    }

    /// The slot of the import address table that code does nothing but jump through: linkers make such code for functions that are
    /// not declared to be imported.
    pub(super) fn slot_behind(&self, address: u64) -> Option<u32> {
        let first = self.decoder(u32::try_from(address).ok()?)?.decode();
        let is_jump = first.flow_control() == FlowControl::IndirectBranch;
        address_of(&first).filter(|_| is_jump)
    }
}

/// A walk through code, the nearest first. Addresses are RVAs.
struct Walk<'i, 'a> {
    image: &'i Image<'a>,
    slots: FxHashMap<u32, Called>,
    seen: FxHashSet<u32>,
    open: VecDeque<u32>,
    /// The functions that the tables name which were handed to the C runtime.
    initializers: Vec<u32>,
    /// How many more instructions are looked at.
    left: u32,
    /// Code that ends in a failure is not followed.
    passes_over_failures: bool,
    /// What such code calls, as long as it is not known how it ends.
    waiting: Vec<u64>,
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

    fn enter(&mut self, address: u64) {
        if let Ok(rva) = u32::try_from(address)
            && self.seen.insert(rva)
        {
            self.open.push_back(rva);
        }
    }

    /// Looks at the code from here to where it jumps away or returns. True if it calls what is looked for.
    fn passes(&mut self, at: u32) -> bool {
        if self.passes_over_failures { self.passes_well(at) } else { self.passes_somehow(at) }
    }

    /// As [`Walk::passes`], but what is called between two conditions counts only if no failure is among it, and it does not end where
    /// nothing comes back to: compilers put a breakpoint behind such a call.
    fn passes_well(&mut self, at: u32) -> bool {
        let Some(mut decoder) = self.image.decoder(at) else {
            return false;
        };
        let mut instruction = Instruction::default();
        let (mut first, mut arrives, mut fails) = (None, false, false);
        self.waiting.clear();
        while decoder.can_decode() && self.left > 0 {
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            let flow = instruction.flow_control();
            match flow {
                FlowControl::Next => {
                    if instruction.mnemonic() == Mnemonic::Lea && instruction.op0_register() == Register::RCX
                    {
                        first = address_of(&instruction);
                    }
                    continue;
                }
                FlowControl::Call | FlowControl::UnconditionalBranch => {
                    let target = instruction.near_branch_target();
                    match self.jumps_to(target) {
                        Some(called) => self.note(called, first, &mut arrives, &mut fails),
                        None => self.waiting.push(target),
                    }
                }
                FlowControl::IndirectCall | FlowControl::IndirectBranch => {
                    let slot = address_of(&instruction).and_then(|slot| self.slots.get(&slot));
                    if let Some(called) = slot.copied() {
                        self.note(called, first, &mut arrives, &mut fails);
                    }
                }
                FlowControl::ConditionalBranch => {
                    if arrives && !fails {
                        return true;
                    }
                    self.follow_waiting(fails);
                    (arrives, fails) = (false, false);
                    self.enter(instruction.near_branch_target());
                    let next = u32::try_from(instruction.next_ip());
                    if next.is_ok_and(|next| self.seen.contains(&next)) {
                        return false;
                    }
                }
                FlowControl::Return => {}
                _ => fails = true,
            }
            if !matches!(flow, FlowControl::Call | FlowControl::IndirectCall | FlowControl::ConditionalBranch)
            {
                break;
            }
        }
        self.follow_waiting(fails);
        arrives && !fails
    }

    /// What a call of an imported function means for [`Walk::passes_well`].
    fn note(&mut self, called: Called, first: Option<u32>, arrives: &mut bool, fails: &mut bool) {
        match called {
            Called::Wanted => *arrives = true,
            Called::Failing => *fails = true,
            Called::Define => {
                let functions = first.map(|definition| self.image.executed_by(definition));
                self.waiting.extend(functions.unwrap_or_default().into_iter().map(u64::from));
            }
            Called::Caller => {}
        }
    }

    fn follow_waiting(&mut self, fails: bool) {
        for target in std::mem::take(&mut self.waiting) {
            if !fails {
                self.enter(target);
            }
        }
    }

    fn passes_somehow(&mut self, at: u32) -> bool {
        let Some(mut decoder) = self.image.decoder(at) else {
            return false;
        };
        let mut instruction = Instruction::default();
        // The addresses that the registers of the first two arguments were given last.
        let (mut first, mut second) = (None, None);
        while decoder.can_decode() && self.left > 0 {
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            let flow = instruction.flow_control();
            match flow {
                FlowControl::Next if instruction.mnemonic() == Mnemonic::Lea => {
                    let address = address_of(&instruction);
                    match instruction.op0_register() {
                        Register::RCX => first = address,
                        Register::RDX => second = address,
                        _ => {}
                    }
                }
                FlowControl::Call | FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                    let target = instruction.near_branch_target();
                    if flow == FlowControl::Call && self.jumps_to(target) == Some(Called::Caller) {
                        self.enter_initializers(first, second);
                    }
                    self.enter(target);
                }
                FlowControl::IndirectCall | FlowControl::IndirectBranch => {
                    match address_of(&instruction).and_then(|slot| self.slots.get(&slot)) {
                        Some(Called::Wanted) => return true,
                        Some(Called::Caller) => self.enter_initializers(first, second),
                        Some(Called::Define | Called::Failing) | None => {}
                    }
                }
                _ => {}
            }
            let goes_on = matches!(
                flow,
                FlowControl::Next
                    | FlowControl::Call
                    | FlowControl::IndirectCall
                    | FlowControl::ConditionalBranch
            );
            let is_seen = u32::try_from(instruction.next_ip()).is_ok_and(|next| self.seen.contains(&next));
            if !goes_on || is_seen || instruction.code() == Code::INVALID {
                break;
            }
        }
        false
    }

    /// The imported function that code does nothing but jump to.
    fn jumps_to(&self, address: u64) -> Option<Called> {
        self.slots.get(&self.image.slot_behind(address)?).copied()
    }

    /// The functions that a table names, as addresses of the image where it wants to lie.
    fn enter_initializers(&mut self, first: Option<u32>, end: Option<u32>) {
        let (Some(first), Some(end)) = (first, end) else {
            return;
        };
        let count = (end.saturating_sub(first) / 8).min(MOST_INITIALIZERS);
        for index in 0..count {
            let pointer = entry(first, index, 8, "initializers")
                .and_then(|at| self.image.memory.bytes::<8>(at, "initializers"))
                .map(u64::from_le_bytes);
            // Zeros lie between those of different sections.
            if let Some(rva) = pointer.ok().and_then(|at| at.checked_sub(self.image.headers.image_base)) {
                self.enter(rva);
                self.initializers.extend(u32::try_from(rva));
            }
        }
    }
}

/// The address that an instruction's operand in memory has, if the place of the instruction tells.
pub(super) fn address_of(instruction: &Instruction) -> Option<u32> {
    match instruction.is_ip_rel_memory_operand() {
        true => u32::try_from(instruction.ip_rel_memory_address()).ok(),
        false => None,
    }
}
