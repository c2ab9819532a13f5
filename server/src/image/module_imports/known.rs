//! What registers and places of the stack hold.

use std::num::NonZeroU16;

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use rustc_hash::FxHashMap;

use super::called::Called;
use super::importer::Made;
use crate::image::start::address_of;

/// The slots of the import address table that matter, by their RVAs.
pub(super) type Slots = FxHashMap<u32, Called>;

/// What a register holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Held {
    Function(Called),
    Address(u32),
    /// What a global variable holds.
    Global(u32),
    Number(i32),
    /// An address of the stack, counted from where RSP points as the function begins.
    Stack(i32),
    /// A list of names, by its index in [`Walk::names`](super::Walk::names).
    Names(u32),
    /// The function's argument at an index.
    Argument(i32),
    /// An object that was made of an argument.
    Made(Made),
    /// An object that a call has made, which would be null if it had failed.
    Object,
    /// The 0 of a call that has not failed.
    Done,
    /// A module, by the index of its import.
    Module(u32),
    /// The object of a literal: its address and, if it is no text up to a NUL, its size.
    Text(u32, Option<NonZeroU16>),
}

impl Held {
    /// An address or a number, so much higher.
    pub fn plus(self, distance: i32) -> Option<Held> {
        match self {
            Held::Address(at) => at.checked_add_signed(distance).map(Held::Address),
            Held::Stack(at) => at.checked_add(distance).map(Held::Stack),
            Held::Number(number) => Some(Held::Number(number.wrapping_add(distance))),
            _ => None,
        }
    }

    /// A number and an address or another number.
    fn sum(self, other: Held) -> Option<Held> {
        match (self, other) {
            (held, Held::Number(distance)) | (Held::Number(distance), held) => held.plus(distance),
            _ => None,
        }
    }
}

/// Sixteen general registers and sixteen of SSE.
const REGISTERS: usize = 32;

/// So many places of the stack are known, the latest.
const MOST_PLACES: usize = 64;

/// Registers that a function need not preserve ("x64 calling convention").
const VOLATILE: [Register; 13] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::XMM0,
    Register::XMM1,
    Register::XMM2,
    Register::XMM3,
    Register::XMM4,
    Register::XMM5,
];

/// The first four arguments of a function, by the same convention.
const ARGUMENTS: [Register; 4] = [Register::RCX, Register::RDX, Register::R8, Register::R9];

/// What is known where code begins.
#[derive(Clone, Default)]
pub(super) struct Known {
    registers: [Option<Held>; REGISTERS],
    stack: Vec<(i32, Held)>,
}

/// Where a register stands in [`Known`], whichever part of it is named.
fn index(register: Register) -> Option<usize> {
    let full = register.full_register();
    if full.is_gpr64() {
        Some(full.number())
    } else {
        (register.is_xmm() && register.number() < 16).then(|| 16 + register.number())
    }
}

impl Known {
    /// What is known as a function begins.
    pub fn at_start() -> Known {
        let mut known = Known::default();
        known.set(Register::RSP, Some(Held::Stack(0)));
        known
    }

    /// The same, where it matters what becomes of the arguments.
    pub fn with_arguments() -> Known {
        let mut known = Known::at_start();
        for (index, register) in (0..).zip(ARGUMENTS) {
            known.set(register, Some(Held::Argument(index)));
        }
        // The address to return to is below them.
        known.stack.extend([4, 5].map(|index| (8 + 8 * index, Held::Argument(index))));
        known
    }

    /// What a function knows that is called here: addresses and numbers that it is given.
    pub fn as_called(&self) -> Known {
        let mut known = Known::at_start();
        for register in ARGUMENTS {
            let given = self.get(register);
            known.set(
                register,
                given.filter(|held| matches!(held, Held::Address(_) | Held::Number(_) | Held::Text(..))),
            );
        }
        known
    }

    pub fn get(&self, register: Register) -> Option<Held> {
        self.registers.get(index(register)?).copied().flatten()
    }

    pub fn set(&mut self, register: Register, held: Option<Held>) {
        if let Some(known) = index(register).and_then(|index| self.registers.get_mut(index)) {
            *known = held;
        }
    }

    fn forget(&mut self, registers: &[Register]) {
        for register in registers {
            self.set(*register, None);
        }
    }

    /// An argument of a call, the first being 0.
    pub fn argument(&self, index: i32) -> Option<Held> {
        if let Some(register) = usize::try_from(index).ok().and_then(|index| ARGUMENTS.get(index)) {
            return self.get(*register);
        }
        match self.get(Register::RSP)?.plus(8 * index)? {
            Held::Stack(at) => self.on_stack(at),
            _ => None,
        }
    }

    fn on_stack(&self, at: i32) -> Option<Held> {
        self.stack.iter().find(|(known, _)| *known == at).map(|(_, held)| *held)
    }

    /// The address or number that the operand in memory stands for, as far as one is known.
    pub fn place(&self, instruction: &Instruction) -> Option<Held> {
        if let Some(at) = address_of(instruction) {
            return Some(Held::Address(at));
        }
        match instruction.memory_index() {
            Register::None => self.base(instruction),
            _ => None,
        }
    }

    /// The same, the index left out.
    pub fn base(&self, instruction: &Instruction) -> Option<Held> {
        self.get(instruction.memory_base())?.plus(instruction.memory_displacement64() as i32)
    }

    /// What an operand of an instruction holds.
    pub fn value(&self, instruction: &Instruction, operand: u32, slots: &Slots) -> Option<Held> {
        match instruction.op_kind(operand) {
            OpKind::Register => self.get(instruction.op_register(operand)),
            OpKind::Memory => match self.place(instruction)? {
                Held::Address(at) => {
                    Some(slots.get(&at).map_or(Held::Global(at), |function| Held::Function(*function)))
                }
                Held::Stack(at) => self.on_stack(at),
                _ => None,
            },
            _ => number(instruction, operand).map(Held::Number),
        }
    }

    /// Follows a call, once it has returned. The function may do with its arguments what it likes.
    pub fn follow_call(&mut self) {
        self.forget(&VOLATILE);
        if let Some(Held::Stack(top)) = self.get(Register::RSP) {
            self.stack.retain(|(at, _)| *at != top.wrapping_add(0x20) && *at != top.wrapping_add(0x28));
        }
    }

    /// Follows an instruction that neither jumps nor calls. `fields_are_zero` where bit-fields are set of which nothing was before.
    pub fn follow(&mut self, instruction: &Instruction, slots: &Slots, fields_are_zero: bool) {
        match instruction.mnemonic() {
            Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Nop => return,
            Mnemonic::Push | Mnemonic::Pop => {
                let is_push = instruction.mnemonic() == Mnemonic::Push;
                let top = self.get(Register::RSP).and_then(|top| top.plus(if is_push { -8 } else { 8 }));
                if !is_push && instruction.op0_kind() == OpKind::Register {
                    self.set(instruction.op0_register(), None);
                }
                return self.set(Register::RSP, top);
            }
            Mnemonic::Imul if instruction.op_count() > 1 => {}
            Mnemonic::Mul | Mnemonic::Imul | Mnemonic::Div | Mnemonic::Idiv => {
                self.forget(&[Register::RAX, Register::RDX]);
            }
            Mnemonic::Cdq | Mnemonic::Cqo => self.forget(&[Register::RDX]),
            Mnemonic::Xchg | Mnemonic::Xadd | Mnemonic::Cmpxchg => self.forget(&VOLATILE),
            _ => {}
        }
        match instruction.op0_kind() {
            OpKind::Register => {
                let register = instruction.op0_register();
                let held = self.made(instruction, register, slots, fields_are_zero);
                self.set(register, held);
            }
            OpKind::Memory => self.store(instruction, slots),
            // `rep movsd` and its like
            OpKind::MemoryESRDI => self.forget(&[Register::RCX, Register::RSI, Register::RDI]),
            _ => {}
        }
    }

    /// What an instruction makes of a register.
    fn made(
        &self,
        instruction: &Instruction,
        register: Register,
        slots: &Slots,
        fields_are_zero: bool,
    ) -> Option<Held> {
        let own = self.get(register);
        let given = number(instruction, 1);
        // GCC sets a bit-field so: `and ax, 0xfc00`, `or eax, 0x17`, and stores AX.
        match (instruction.mnemonic(), given) {
            (Mnemonic::And, Some(mask)) if fields_are_zero && register.full_register() != Register::RSP => {
                let width = 8 * register.size().min(4) as u32;
                let low = !mask as u32 & u32::MAX.checked_shr(32 - width).unwrap_or(u32::MAX);
                return (low & low.wrapping_add(1) == 0 && low != 0).then_some(Held::Number(0));
            }
            (Mnemonic::Or, Some(-1)) => return Some(Held::Number(-1)).filter(|_| register.size() >= 4),
            (Mnemonic::Or, Some(bits)) => match own {
                Some(Held::Number(number)) => return Some(Held::Number(number | bits)),
                _ => return None,
            },
            _ => {}
        }
        if register.size() < 4 {
            return None;
        }
        let is_itself = instruction.op1_kind() == OpKind::Register && instruction.op1_register() == register;
        match instruction.mnemonic() {
            Mnemonic::Xor | Mnemonic::Sub | Mnemonic::Xorps | Mnemonic::Pxor if is_itself => {
                Some(Held::Number(0))
            }
            Mnemonic::Mov | Mnemonic::Movaps | Mnemonic::Movups | Mnemonic::Movdqa | Mnemonic::Movdqu => {
                self.value(instruction, 1, slots)
            }
            // `lea r8d, [rdx-1]`: a number is made of one that is there already.
            Mnemonic::Lea => self.place(instruction),
            // Code that is not optimized computes the place of an entry: `imul rcx, rcx, 974h`, `add rax, rcx`.
            Mnemonic::Add => own?.sum(self.value(instruction, 1, slots)?),
            Mnemonic::Imul => {
                let factors = if instruction.op_count() == 3 { [1, 2] } else { [0, 1] };
                let [Held::Number(a), Held::Number(b)] =
                    factors.map(|operand| self.value(instruction, operand, slots).unwrap_or(Held::Object))
                else {
                    return None;
                };
                a.checked_mul(b).map(Held::Number)
            }
            Mnemonic::Sub => {
                let size = given.or(match self.value(instruction, 1, slots) {
                    Some(Held::Number(size)) => Some(size),
                    _ => None,
                });
                own?.plus(size?.checked_neg()?)
            }
            // `name ? name : …`: the object of a text is never null.
            Mnemonic::Cmovne | Mnemonic::Cmove => {
                let other = self.value(instruction, 1, slots);
                match (own, other) {
                    (Some(Held::Global(_)), Some(Held::Global(_))) => {
                        if instruction.mnemonic() == Mnemonic::Cmovne { other } else { own }
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Follows an instruction that writes to memory.
    fn store(&mut self, instruction: &Instruction, slots: &Slots) {
        let Some(Held::Stack(at)) = self.place(instruction) else { return };
        let held = match instruction.mnemonic() {
            Mnemonic::Mov => self.value(instruction, 1, slots),
            _ => None,
        };
        let end = at.saturating_add(instruction.memory_size().size() as i32);
        self.stack.retain(|(known, _)| !(at..end).contains(known));
        if let Some(held) = held {
            if self.stack.len() >= MOST_PLACES {
                self.stack.remove(0);
            }
            self.stack.push((at, held));
        }
    }
}

/// The number that an operand is itself.
pub(super) fn number(instruction: &Instruction, operand: u32) -> Option<i32> {
    let number = instruction.try_immediate(operand).ok()?;
    match instruction.op_kind(operand) {
        OpKind::Immediate64 => i32::try_from(number as i64).ok(),
        _ => Some(number as i32),
    }
}
