//! What registers and places of the stack hold.

use std::num::NonZeroU16;

use rustc_hash::FxHashMap;

use super::called::Called;
use super::compared::Compared;
use super::importer::Made;
use crate::image::code::{
    AssignedValue, Base, BranchCondition, CodeValue, Convention, Index, MemoryOperand, Operation, Register,
};

/// The slots of the import address table that matter, by their RVAs.
pub(super) type Slots = FxHashMap<u32, Called>;

/// What a register holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Held {
    Function(Called),
    Address(u32),
    /// The value of a global variable.
    Global(u32),
    /// Of a 32-bit operation, sign-extended. Of a vector register, the number in each 32 bits.
    Number(i64),
    /// An address on the stack, relative to the stack pointer at the beginning of the function.
    Stack(i32),
    /// A list of names, by its index in [`Walk::names`](super::Walk::names).
    Names(u32),
    /// The function's argument at an index.
    Argument(i32),
    /// An object that was made of an argument.
    Made(Made),
    /// An object that a call has returned, which would be null if the call had failed.
    Object,
    /// The 0 of a call that has succeeded.
    Done,
    /// A module, by the index of its import.
    Module(u32),
    /// The object of a string literal: its address and, if it isn't terminated by a NUL, its size.
    Text(u32, Option<NonZeroU16>),
}

impl Held {
    /// An address or a number, increased by a distance.
    pub fn plus(self, distance: i64) -> Option<Held> {
        match self {
            Held::Address(at) => at.checked_add_signed(i32::try_from(distance).ok()?).map(Held::Address),
            Held::Stack(at) => at.checked_add(i32::try_from(distance).ok()?).map(Held::Stack),
            Held::Number(number) => Some(Held::Number(number.wrapping_add(distance))),
            _ => None,
        }
    }

    /// The sum of a number and an address or another number.
    fn sum(self, other: Held) -> Option<Held> {
        match (self, other) {
            (held, Held::Number(distance)) | (Held::Number(distance), held) => held.plus(distance),
            _ => None,
        }
    }

    fn shifted_left(self, bits: u8) -> Option<Held> {
        match self {
            held if bits == 0 => Some(held),
            Held::Number(number) => number.checked_mul(1i64.checked_shl(bits.into())?).map(Held::Number),
            _ => None,
        }
    }
}

/// The maximum number of places on the stack that are remembered, the latest ones.
const MOST_PLACES: usize = 64;

/// What is known at some place of the code.
#[derive(Clone)]
pub(super) struct Known {
    convention: &'static Convention,
    registers: [Option<Held>; Register::COUNT],
    stack: Vec<(i32, Held)>,
    /// The last comparison.
    pub compared: Option<Compared>,
}

impl Known {
    /// What is known at the beginning of a function.
    pub fn at_start(convention: &'static Convention) -> Known {
        let registers = [None; Register::COUNT];
        let mut known = Known { convention, registers, stack: Vec::new(), compared: None };
        known.set(convention.stack, Some(Held::Stack(0)));
        known
    }

    /// The same, where the arguments are followed.
    pub fn with_arguments(convention: &'static Convention) -> Known {
        /// The number of arguments on the stack that are followed.
        const ON_STACK: i32 = 2;
        let mut known = Known::at_start(convention);
        for (index, register) in (0..).zip(convention.arguments) {
            known.set(*register, Some(Held::Argument(index)));
        }
        let first = convention.return_address + convention.stack_arguments;
        let in_registers = convention.arguments.len() as i32;
        known
            .stack
            .extend((0..ON_STACK).map(|index| (first + 8 * index, Held::Argument(in_registers + index))));
        known
    }

    /// What a function knows that is called here: the addresses and numbers that it receives.
    pub fn as_called(&self) -> Known {
        let mut known = Known::at_start(self.convention);
        for register in self.convention.arguments {
            let given = self.get(*register);
            known.set(
                *register,
                given.filter(|held| matches!(held, Held::Address(_) | Held::Number(_) | Held::Text(..))),
            );
        }
        known
    }

    pub fn get(&self, register: Register) -> Option<Held> {
        self.registers.get(register.index()).copied().flatten()
    }

    pub fn set(&mut self, register: Register, held: Option<Held>) {
        if let Some(known) = self.registers.get_mut(register.index()) {
            *known = held;
        }
    }

    /// An argument of a call, the first being 0.
    pub fn argument(&self, index: i32) -> Option<Held> {
        let in_registers = self.convention.arguments;
        if let Some(register) = usize::try_from(index).ok().and_then(|index| in_registers.get(index)) {
            return self.get(*register);
        }
        let distance = self.convention.stack_arguments + 8 * (index - in_registers.len() as i32);
        match self.get(self.convention.stack)?.plus(distance.into())? {
            Held::Stack(at) => self.on_stack(at),
            _ => None,
        }
    }

    fn on_stack(&self, at: i32) -> Option<Held> {
        self.stack.iter().find(|(known, _)| *known == at).map(|(_, held)| *held)
    }

    /// The address or number of a place in memory, as far as it is known.
    pub fn place(&self, memory: MemoryOperand) -> Option<Held> {
        match memory.index {
            Index::Scaled(_) => None,
            _ => self.base(memory),
        }
    }

    /// The same without the index.
    pub fn base(&self, memory: MemoryOperand) -> Option<Held> {
        match memory.base {
            Base::Absolute(at) => Some(Held::Address(at)),
            Base::Register(register) => self.get(register)?.plus(memory.offset.into()),
            Base::Unknown => None,
        }
    }

    /// Evaluates an operand of an instruction.
    pub fn value(&self, value: CodeValue, slots: &Slots) -> Option<Held> {
        match value {
            CodeValue::Unknown => None,
            CodeValue::Number(number) => Some(Held::Number(number)),
            CodeValue::Register(register) => self.get(register),
            CodeValue::Memory(memory) => match self.place(memory)? {
                Held::Address(at) => {
                    Some(slots.get(&at).map_or(Held::Global(at), |function| Held::Function(*function)))
                }
                Held::Stack(at) => self.on_stack(at),
                _ => None,
            },
        }
    }

    /// Follows a call that has returned a result. The function may overwrite its arguments.
    pub fn follow_call(&mut self, result: Option<Held>) {
        for register in self.convention.volatile {
            self.set(*register, None);
        }
        // With eight arguments in registers, the top of the stack holds local variables.
        if self.convention.arguments.len() < 8
            && let Some(Held::Stack(top)) = self.get(self.convention.stack)
        {
            let first = top.wrapping_add(self.convention.stack_arguments);
            self.stack.retain(|(at, _)| *at != first && *at != first.wrapping_add(8));
        }
        self.set(self.convention.result, result);
        self.compared = None;
    }

    /// Follows an operation that neither jumps nor calls. `fields_are_zero` says that bit-fields
    /// are set whose other bits are still zero.
    pub fn follow(&mut self, operation: &Operation, slots: &Slots, fields_are_zero: bool) {
        match *operation {
            Operation::Set(register, source) => {
                let held = self.source(register, source, slots, fields_are_zero);
                self.set(register, held);
            }
            Operation::Store(memory, value) => self.store(memory, value, slots),
            Operation::Compare(left, right) => {
                let [left, right] = [left, right].map(|value| self.value(value, slots));
                self.compared = left.zip(right).and_then(|(left, right)| Compared::of(left, right));
            }
            Operation::Forget(registers) => {
                for register in registers {
                    self.set(*register, None);
                }
            }
            _ => {}
        }
    }

    /// Evaluates what a register is set to.
    fn source(
        &self,
        register: Register,
        source: AssignedValue,
        slots: &Slots,
        fields_are_zero: bool,
    ) -> Option<Held> {
        let number = |held: Option<Held>| match held {
            Some(Held::Number(number)) => Some(number),
            _ => None,
        };
        match source {
            AssignedValue::Unknown | AssignedValue::Loaded(_) => None,
            AssignedValue::Value(value) => self.value(value, slots),
            AssignedValue::Address(memory) => self.place(memory),
            AssignedValue::Page(at) => Some(Held::Address(at)),
            AssignedValue::Sum(one, other, shift) => {
                self.value(one, slots)?.sum(self.value(other, slots)?.shifted_left(shift)?)
            }
            AssignedValue::Difference(one, other, shift) => {
                let size = number(self.value(other, slots)?.shifted_left(shift))?;
                self.value(one, slots)?.plus(size.checked_neg()?)
            }
            AssignedValue::Product(one, other) => {
                let [one, other] = [one, other].map(|value| number(self.value(value, slots)));
                one?.checked_mul(other?).map(Held::Number)
            }
            // GCC sets a bit-field so: `and ax, 0xfc00`, `or eax, 0x17`, and stores AX.
            AssignedValue::And { mask, bytes } if fields_are_zero => {
                let width = 8 * u32::from(bytes.min(4));
                let low = !mask as u32 & u32::MAX.checked_shr(32 - width).unwrap_or(u32::MAX);
                (low & low.wrapping_add(1) == 0 && low != 0).then_some(Held::Number(0))
            }
            AssignedValue::And { .. } => None,
            AssignedValue::Or(value, bits) => {
                number(self.value(value, slots)).map(|number| Held::Number(number | bits))
            }
            AssignedValue::Insert { mask, bits } => {
                number(self.get(register)).map(|number| Held::Number(number & !mask | bits))
            }
            AssignedValue::Select { different, equal } => {
                let [different, equal] = [different, equal].map(|value| self.value(value, slots));
                match self.compared.and_then(|compared| compared.fulfills(BranchCondition::Equal)) {
                    Some(true) => equal,
                    Some(false) => different,
                    // `name ? name : …`: the object of a string is never null.
                    None => match (different, equal) {
                        (held @ Some(Held::Global(_)), Some(Held::Global(_))) => held,
                        _ => None,
                    },
                }
            }
        }
    }

    /// Follows a store to memory.
    fn store(&mut self, memory: MemoryOperand, value: CodeValue, slots: &Slots) {
        /// Vector registers hold several values.
        const LONGEST_VALUE: u8 = 8;
        let Some(Held::Stack(at)) = self.place(memory) else { return };
        let held = self.value(value, slots).filter(|_| memory.size <= LONGEST_VALUE);
        let end = at.saturating_add(memory.size.into());
        self.stack.retain(|(known, _)| !(at..end).contains(known));
        if let Some(held) = held {
            if self.stack.len() >= MOST_PLACES {
                self.stack.remove(0);
            }
            self.stack.push((at, held));
        }
    }
}
