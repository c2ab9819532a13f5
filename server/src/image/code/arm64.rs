//! Decodes ARM64, the instruction set A64.
//!
//! An address takes two instructions: `adrp` gives the page, and the next instruction that uses
//! the register adds the offset. The decoder remembers what such registers hold as long as code
//! runs on, so that a place in memory is absolute here wherever it would be relative to the
//! instruction on x64.

mod operands;

use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::SIMDSizeCode;
use yaxpeax_arm::armv8::a64::{InstDecoder, Instruction as Decoded, Opcode, Operand, ShiftStyle, SizeCode};

use self::operands::{
    bytes_of, immediate, is_same, is_whole, number, set_unknown, shifted, stored, value, wide, written,
};
use super::{
    AssignedValue, Base, BranchCondition, CodeValue, Convention, Destination, Index, Instruction,
    MemoryOperand, NOWHERE, Operation, Register,
};

/// The number of the stack pointer and of the zero register: which of them it is depends on the
/// instruction.
const SP_OR_ZERO: u16 = 31;

const SP: Register = Register::general(31);

/// "Overview of ARM64 ABI conventions", Microsoft.
pub static CONVENTION: Convention = Convention {
    arguments: &[
        Register::general(0),
        Register::general(1),
        Register::general(2),
        Register::general(3),
        Register::general(4),
        Register::general(5),
        Register::general(6),
        Register::general(7),
    ],
    result: Register::general(0),
    stack: SP,
    volatile: VOLATILE,
    stack_arguments: 0,
    // It is in a register, the link register.
    return_address: 0,
    frame_size: Register::general(15),
    // A call of an imported function takes three.
    instructions: 2,
};

const VOLATILE: &[Register] = &{
    // x0 to x17, the link register, v0 to v7, and v16 to v31.
    let mut registers = [Register::general(30); 43];
    let mut number = 0;
    while number < 18 {
        registers[number as usize] = Register::general(number);
        number += 1;
    }
    number = 0;
    while number < 24 {
        let vector = if number < 8 { number } else { number + 8 };
        registers[18 + number as usize] = Register::vector(vector);
        number += 1;
    }
    registers
};

/// What the decoder knows of a general-purpose register.
#[derive(Clone, Copy, PartialEq)]
enum Constant {
    Unknown,
    /// It holds this RVA.
    Address(u32),
    /// It holds the pointer at this RVA.
    Pointer(u32),
    /// It holds this number.
    Number(i64),
}

pub struct Arm64Decoder<'a> {
    at: u32,
    code: &'a [u8],
    constants: [Constant; 32],
}

impl<'a> Arm64Decoder<'a> {
    /// Decodes code that begins at this RVA.
    pub fn new(at: u32, code: &'a [u8]) -> Arm64Decoder<'a> {
        Arm64Decoder { at, code, constants: [Constant::Unknown; 32] }
    }

    pub fn decode(&mut self, instruction: &mut Instruction) -> bool {
        let Some((word, rest)) = self.code.split_first_chunk::<4>() else { return false };
        instruction.at = self.at;
        instruction.next = self.at.saturating_add(4);
        let mut decoded = Decoded::default();
        match InstDecoder::default().decode_into(&mut decoded, &mut U8Reader::new(word)) {
            Ok(()) => self.follow(&decoded, &mut instruction.operations),
            Err(_) => instruction.operations.push(Operation::Invalid),
        }
        for operation in &instruction.operations {
            self.keep(operation);
        }
        self.code = rest;
        self.at = instruction.next;
        true
    }

    /// Records what an operation does to the registers that hold addresses.
    fn keep(&mut self, operation: &Operation) {
        match *operation {
            Operation::Set(register, source) => {
                let constant = match source {
                    AssignedValue::Page(at) => Constant::Address(at),
                    AssignedValue::Address(memory) => {
                        memory.address().map_or(Constant::Unknown, Constant::Address)
                    }
                    AssignedValue::Value(CodeValue::Memory(memory)) if memory.size == 8 => {
                        memory.address().map_or(Constant::Unknown, Constant::Pointer)
                    }
                    AssignedValue::Value(CodeValue::Register(other)) => self.constant(other),
                    AssignedValue::Value(CodeValue::Number(number)) => Constant::Number(number),
                    _ => Constant::Unknown,
                };
                if let Some(known) = self.constants.get_mut(register.index()) {
                    *known = constant;
                }
            }
            Operation::Call(_) => {
                for register in VOLATILE {
                    if let Some(known) = self.constants.get_mut(register.index()) {
                        *known = Constant::Unknown;
                    }
                }
            }
            _ => {}
        }
    }

    fn constant(&self, register: Register) -> Constant {
        self.constants.get(register.index()).copied().unwrap_or(Constant::Unknown)
    }

    /// The RVA at a distance from the instruction.
    fn to(&self, distance: i64) -> u32 {
        u32::try_from(i64::from(self.at).saturating_add(distance)).unwrap_or(NOWHERE)
    }

    /// Adds what an instruction does.
    fn follow(&self, decoded: &Decoded, operations: &mut Vec<Operation>) {
        use Opcode as Op;
        let [first, second, third, fourth] = decoded.operands;
        let mut set = |operand: Operand, source: AssignedValue| {
            if let Some(register) = written(operand) {
                operations.push(Operation::Set(register, source));
            }
        };
        match (decoded.opcode, second) {
            (Op::B | Op::BR, _) => operations.push(Operation::Jump(self.target(first))),
            (Op::BL | Op::BLR, _) => operations.push(Operation::Call(self.target(first))),
            (Op::BRAA | Op::BRAB | Op::BRAAZ | Op::BRABZ, _) => {
                operations.push(Operation::Jump(Destination::Pointer(CodeValue::Unknown)));
            }
            (Op::BLRAA | Op::BLRAB | Op::BLRAAZ | Op::BLRABZ, _) => {
                operations.push(Operation::Call(Destination::Pointer(CodeValue::Unknown)));
            }
            (Op::RET | Op::RETAA | Op::RETAB, _) => operations.push(Operation::Return),
            (Op::BRK, _) => operations.push(Operation::Breakpoint),
            (Op::UDF, _) => operations.push(Operation::Invalid),
            (Op::SVC | Op::HVC | Op::SMC | Op::HLT, _) => operations.push(Operation::Interrupt),
            (Op::Bcc(code) | Op::BCcc(code), _) => {
                operations.push(Operation::Branch(condition(code), self.branch(first)));
            }
            (Op::CBZ | Op::CBNZ, _) => {
                let condition = match decoded.opcode {
                    Op::CBZ => BranchCondition::Equal,
                    _ => BranchCondition::NotEqual,
                };
                operations.push(Operation::Compare(value(first), CodeValue::Number(0)));
                operations.push(Operation::Branch(condition, self.branch(second)));
            }
            (Op::TBZ | Op::TBNZ, Operand::Imm16(bit)) => {
                let is_sign = match first {
                    Operand::Register(SizeCode::W, _) => bit == 31,
                    _ => bit == 63,
                };
                let condition = match decoded.opcode {
                    _ if !is_sign => BranchCondition::Other,
                    Op::TBZ => BranchCondition::NotNegative,
                    _ => BranchCondition::Negative,
                };
                if is_sign {
                    operations.push(Operation::Compare(value(first), CodeValue::Number(0)));
                }
                operations.push(Operation::Branch(condition, self.branch(third)));
            }
            (Op::ADR, Operand::PCOffset(distance)) => {
                set(first, AssignedValue::Address(MemoryOperand::absolute(self.to(distance), 0)));
            }
            (Op::ADRP, Operand::PCOffset(distance)) => {
                let page = i64::from(self.at & !0xfff).saturating_add(distance);
                set(first, AssignedValue::Page(u32::try_from(page).unwrap_or(NOWHERE)));
            }
            (Op::MOVZ, Operand::ImmShift(bits, shift)) => {
                set(first, number(wide(bits, shift), first).into());
            }
            (Op::MOVN, Operand::ImmShift(bits, shift)) => {
                set(first, number(!wide(bits, shift), first).into());
            }
            (Op::MOVK, Operand::ImmShift(bits, shift)) => {
                let replaced = |bits| match number(wide(bits, shift), first) {
                    CodeValue::Number(bits) => bits,
                    _ => 0,
                };
                set(first, AssignedValue::Insert { mask: replaced(0xffff), bits: replaced(bits) });
            }
            (Op::ADD | Op::ADDS | Op::SUB | Op::SUBS, _) => self.add(decoded, operations),
            (Op::ANDS | Op::BICS | Op::ADCS | Op::SBCS, _) => {
                let (left, right) = match (second, third) {
                    (Operand::Register(_, a), Operand::RegShift(ShiftStyle::LSL, 0, _, b))
                        if a == b && decoded.opcode == Op::ANDS =>
                    {
                        (value(second), CodeValue::Number(0))
                    }
                    _ => (CodeValue::Unknown, CodeValue::Unknown),
                };
                operations.push(Operation::Compare(left, right));
                set_unknown(first, operations);
            }
            (Op::CCMP | Op::CCMN | Op::FCMP | Op::FCMPE | Op::FCCMP | Op::FCCMPE | Op::MSR, _) => {
                operations.push(Operation::Compare(CodeValue::Unknown, CodeValue::Unknown));
            }
            (Op::AND, _) => {
                let source = match immediate(third) {
                    Some(mask) if is_same(first, second) => {
                        AssignedValue::And { mask: mask as i64, bytes: bytes_of(first) }
                    }
                    _ => AssignedValue::Unknown,
                };
                set(first, source);
            }
            (Op::ORR, Operand::Register(_, SP_OR_ZERO)) => {
                let source = match immediate(third) {
                    Some(bits) => number(bits, first),
                    None => {
                        shifted(third).filter(|(_, shift)| *shift == 0).map_or(CodeValue::Unknown, |it| it.0)
                    }
                };
                set(first, source.into());
            }
            (Op::ORR, _) => {
                let source = match immediate(third) {
                    Some(bits) => AssignedValue::Or(value(second), bits as i64),
                    None => AssignedValue::Unknown,
                };
                set(first, source);
            }
            (Op::EOR, _) => {
                let is_itself = match (second, third) {
                    (Operand::Register(_, a), Operand::RegShift(ShiftStyle::LSL, 0, _, b)) => a == b,
                    (a @ Operand::SIMDRegisterElements(..), b) => a == b,
                    _ => false,
                };
                set(first, if is_itself { CodeValue::Number(0).into() } else { AssignedValue::Unknown });
            }
            (Op::MOVI, Operand::Imm64(0)) => set(first, CodeValue::Number(0).into()),
            (Op::MOVI, Operand::ImmShift(bits, shift)) => {
                let source = match first {
                    Operand::SIMDRegisterElements(SIMDSizeCode::Q, _, SIMDSizeCode::S) => {
                        CodeValue::Number(wide(bits, shift) as i64).into()
                    }
                    _ => AssignedValue::Unknown,
                };
                set(first, source);
            }
            (Op::MADD | Op::SMADDL | Op::UMADDL, _) => {
                let source = match value(fourth) {
                    CodeValue::Number(0) => AssignedValue::Product(value(second), value(third)),
                    _ => AssignedValue::Unknown,
                };
                set(first, source);
            }
            (Op::UBFM, _) => set(first, shift_left(decoded).unwrap_or(AssignedValue::Unknown)),
            // `sxtw`: a number stays the same.
            (Op::SBFM, _) if (third, fourth) == (Operand::Immediate(0), Operand::Immediate(31)) => {
                set(first, value(second).into());
            }
            (Op::CSEL, _) => {
                let source = match fourth {
                    Operand::ConditionCode(0) => {
                        AssignedValue::Select { equal: value(second), different: value(third) }
                    }
                    Operand::ConditionCode(1) => {
                        AssignedValue::Select { equal: value(third), different: value(second) }
                    }
                    _ => AssignedValue::Unknown,
                };
                set(first, source);
            }
            (Op::HINT | Op::PRFM | Op::PRFUM, _) => {}
            _ => self.access(decoded, operations),
        }
    }

    /// Follows an addition or subtraction, which compares as well if it sets the flags.
    fn add(&self, decoded: &Decoded, operations: &mut Vec<Operation>) {
        let [first, second, third, _] = decoded.operands;
        let is_sum = matches!(decoded.opcode, Opcode::ADD | Opcode::ADDS);
        let given = match third {
            Operand::Immediate(number) => i32::try_from(number).ok(),
            Operand::ImmShift(number, shift) => i32::try_from(wide(number, shift)).ok(),
            _ => None,
        };
        let other = match given {
            Some(number) => Some((CodeValue::Number(number.into()), 0)),
            None => shifted(third),
        };
        if matches!(decoded.opcode, Opcode::ADDS | Opcode::SUBS) {
            let compared = match other {
                Some((CodeValue::Number(number), 0)) if is_sum => CodeValue::Number(-number),
                Some((value, 0)) if !is_sum => value,
                _ => CodeValue::Unknown,
            };
            operations.push(Operation::Compare(value(second), compared));
        }
        let Some(register) = written(first) else { return };
        let distance = given.map(|number| if is_sum { number } else { -number });
        let source = match (second, distance, other) {
            (Operand::RegisterOrSP(_, base), Some(distance), _) => {
                AssignedValue::Address(self.place(base, distance))
            }
            (_, _, Some((other, shift))) if is_sum => AssignedValue::Sum(value(second), other, shift),
            (_, _, Some((other, shift))) => AssignedValue::Difference(value(second), other, shift),
            _ => AssignedValue::Unknown,
        };
        operations.push(Operation::Set(register, source));
    }

    /// Follows what reads from or writes to memory, and whatever else there is: its first operand
    /// is what it writes to.
    fn access(&self, decoded: &Decoded, operations: &mut Vec<Operation>) {
        let operands = decoded.operands;
        let place = operands.iter().position(|operand| {
            matches!(
                operand,
                Operand::RegPreIndex(..)
                    | Operand::RegPostIndex(..)
                    | Operand::RegPostIndexReg(..)
                    | Operand::RegRegOffset(..)
            ) || matches!(decoded.opcode, Opcode::LDR | Opcode::LDRSW)
                && matches!(operand, Operand::PCOffset(_))
        });
        let Some(place) = place else {
            set_unknown(operands[0], operations);
            return;
        };
        let (moved, memory, back) = self.memory(operands[place]);
        operations.extend(moved);
        let registers = operands.get(..place).unwrap_or_default();
        match access_of(decoded.opcode) {
            Some(access) => {
                let mut memory = memory;
                for operand in registers {
                    let size = access.size.unwrap_or_else(|| bytes_of(*operand));
                    memory.size = size;
                    if access.is_store {
                        operations.push(Operation::Store(memory, stored(*operand)));
                    } else if let Some(register) = written(*operand) {
                        let is_whole = access.size.is_none() && is_whole(*operand);
                        let source = match is_whole {
                            true => AssignedValue::Value(CodeValue::Memory(memory)),
                            false => AssignedValue::Loaded(memory),
                        };
                        operations.push(Operation::Set(register, source));
                    }
                    memory = memory.behind(size.into());
                }
            }
            // Atomic operations, and those on several vectors.
            None => {
                operations.push(Operation::Store(MemoryOperand { size: 16, ..memory }, CodeValue::Unknown));
                for operand in registers {
                    set_unknown(*operand, operations);
                }
            }
        }
        operations.extend(back);
    }

    /// A place in memory, and what is done to its base before and after it is accessed.
    fn memory(&self, operand: Operand) -> (Option<Operation>, MemoryOperand, Option<Operation>) {
        let set = |base: u16, source| Some(Operation::Set(Register::general(base as u8), source));
        match operand {
            Operand::RegPreIndex(base, offset, false) => (None, self.place(base, offset), None),
            Operand::RegPreIndex(base, offset, true) => {
                let place = self.place(base, offset);
                // The base has been moved by then.
                let memory = if place.address().is_some() { place } else { relative(base, 0) };
                (set(base, AssignedValue::Address(place)), memory, None)
            }
            Operand::RegPostIndex(base, offset) => {
                let back = set(base, AssignedValue::Address(self.place(base, offset)));
                let step = i16::try_from(offset).map_or(Index::None, Index::Advancing);
                (None, MemoryOperand { index: step, ..self.place(base, 0) }, back)
            }
            Operand::RegPostIndexReg(base, _) => {
                (None, self.place(base, 0), set(base, AssignedValue::Unknown))
            }
            // A place in a large stack frame.
            Operand::RegRegOffset(SP_OR_ZERO, index, _, _, 0)
                if let Constant::Number(offset) = self.constant(Register::general(index as u8)) =>
            {
                (None, relative(SP_OR_ZERO, offset as i32), None)
            }
            Operand::RegRegOffset(base, _, _, _, shift) => {
                let index = Index::Scaled(1u8.checked_shl(shift.into()).unwrap_or(u8::MAX));
                (None, MemoryOperand { index, ..relative(base, 0) }, None)
            }
            Operand::PCOffset(distance) => (None, MemoryOperand::absolute(self.to(distance), 0), None),
            _ => (None, relative(SP_OR_ZERO, 0), None),
        }
    }

    /// The place at a distance from what a register holds.
    fn place(&self, base: u16, offset: i32) -> MemoryOperand {
        match self.constant(Register::general(base as u8)) {
            Constant::Address(at) if base != SP_OR_ZERO => {
                MemoryOperand::absolute(at.checked_add_signed(offset).unwrap_or(NOWHERE), 0)
            }
            _ => relative(base, offset),
        }
    }

    /// Where a call or a jump leads.
    fn target(&self, operand: Operand) -> Destination {
        let Operand::Register(_, number) = operand else { return Destination::Code(self.branch(operand)) };
        let register = Register::general(number as u8);
        match self.constant(register) {
            Constant::Address(at) => Destination::Code(at),
            Constant::Pointer(slot) => {
                Destination::Pointer(CodeValue::Memory(MemoryOperand::absolute(slot, 8)))
            }
            Constant::Unknown | Constant::Number(_) => Destination::Pointer(value(operand)),
        }
    }

    fn branch(&self, operand: Operand) -> u32 {
        match operand {
            Operand::PCOffset(distance) => self.to(distance),
            _ => NOWHERE,
        }
    }
}

impl MemoryOperand {
    /// The place that many bytes behind this one.
    fn behind(self, distance: i32) -> MemoryOperand {
        match self.base {
            Base::Absolute(at) => MemoryOperand {
                base: Base::Absolute(at.checked_add_signed(distance).unwrap_or(NOWHERE)),
                ..self
            },
            _ => MemoryOperand { offset: self.offset.wrapping_add(distance), ..self },
        }
    }
}

impl From<CodeValue> for AssignedValue {
    fn from(value: CodeValue) -> AssignedValue {
        match value {
            CodeValue::Unknown => AssignedValue::Unknown,
            value => AssignedValue::Value(value),
        }
    }
}

fn relative(base: u16, offset: i32) -> MemoryOperand {
    MemoryOperand { base: Base::Register(Register::general(base as u8)), offset, index: Index::None, size: 0 }
}

/// An instruction that copies between registers and memory.
struct Access {
    is_store: bool,
    /// The size of each value in bytes, if it isn't that of the register.
    size: Option<u8>,
}

fn access_of(opcode: Opcode) -> Option<Access> {
    let (is_store, size) = match opcode {
        Opcode::LDR | Opcode::LDUR | Opcode::LDP | Opcode::LDNP | Opcode::LDAR | Opcode::LDAPR => {
            (false, None)
        }
        Opcode::LDRB | Opcode::LDURB | Opcode::LDRSB | Opcode::LDURSB | Opcode::LDARB => (false, Some(1)),
        Opcode::LDRH | Opcode::LDURH | Opcode::LDRSH | Opcode::LDURSH | Opcode::LDARH => (false, Some(2)),
        Opcode::LDRSW | Opcode::LDURSW | Opcode::LDPSW => (false, Some(4)),
        Opcode::STR | Opcode::STUR | Opcode::STP | Opcode::STNP | Opcode::STLR => (true, None),
        Opcode::STRB | Opcode::STURB | Opcode::STLRB => (true, Some(1)),
        Opcode::STRH | Opcode::STURH | Opcode::STLRH => (true, Some(2)),
        _ => return None,
    };
    Some(Access { is_store, size })
}

fn condition(code: u8) -> BranchCondition {
    match code {
        0 => BranchCondition::Equal,
        1 => BranchCondition::NotEqual,
        4 => BranchCondition::Negative,
        5 => BranchCondition::NotNegative,
        10 => BranchCondition::GreaterOrEqual,
        11 => BranchCondition::Less,
        12 => BranchCondition::Greater,
        13 => BranchCondition::LessOrEqual,
        _ => BranchCondition::Other,
    }
}

/// `lsl` and the extension of 32 bits to 64, which are special cases of `ubfm`.
fn shift_left(decoded: &Decoded) -> Option<AssignedValue> {
    let [first, second, Operand::Immediate(rotated), Operand::Immediate(highest)] = decoded.operands else {
        return None;
    };
    let bits = 8 * u32::from(bytes_of(first));
    if (rotated, highest) == (0, 31) {
        return Some(value(second).into());
    }
    let shift = bits.checked_sub(rotated)?;
    (highest + shift + 1 == bits && shift < 31)
        .then(|| AssignedValue::Product(value(second), CodeValue::Number(1 << shift)))
}

#[cfg(test)]
mod tests;
