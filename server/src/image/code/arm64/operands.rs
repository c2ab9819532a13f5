//! What the operands of an instruction stand for.

use yaxpeax_arm::armv8::a64::{Operand, SIMDSizeCode, ShiftStyle, SizeCode};

use super::{AssignedValue, CodeValue, Operation, Register, SP_OR_ZERO};

/// The register that an operand is, to be written to. Returns `None` for the zero register.
pub(super) fn written(operand: Operand) -> Option<Register> {
    match operand {
        Operand::Register(_, number) if number != SP_OR_ZERO => Some(Register::general(number as u8)),
        Operand::RegisterOrSP(_, number) => Some(Register::general(number as u8)),
        Operand::SIMDRegister(_, number)
        | Operand::SIMDRegisterElements(_, number, _)
        | Operand::SIMDRegisterElementsLane(_, number, _, _) => Some(Register::vector(number as u8)),
        _ => None,
    }
}

pub(super) fn set_unknown(operand: Operand, operations: &mut Vec<Operation>) {
    match operand {
        Operand::RegisterPair(_, first) => operations.extend(
            [first, first + 1]
                .map(|number| Operation::Set(Register::general(number as u8), AssignedValue::Unknown)),
        ),
        Operand::SIMDRegisterGroup(_, first, _, count)
        | Operand::SIMDRegisterGroupLane(first, _, count, _) => {
            operations.extend((0..count.min(4)).map(|next| {
                Operation::Set(Register::vector((first as u8).wrapping_add(next)), AssignedValue::Unknown)
            }));
        }
        operand => operations
            .extend(written(operand).map(|register| Operation::Set(register, AssignedValue::Unknown))),
    }
}

pub(super) fn value(operand: Operand) -> CodeValue {
    match operand {
        Operand::Register(_, SP_OR_ZERO) => CodeValue::Number(0),
        Operand::Register(_, number) | Operand::RegisterOrSP(_, number) => {
            CodeValue::Register(Register::general(number as u8))
        }
        _ => CodeValue::Unknown,
    }
}

/// What a store writes. Of vector registers whole ones matter.
pub(super) fn stored(operand: Operand) -> CodeValue {
    match operand {
        Operand::SIMDRegister(SIMDSizeCode::Q, number) => CodeValue::Register(Register::vector(number as u8)),
        operand => value(operand),
    }
}

/// Whether the operand is a register that is used as a whole.
pub(super) fn is_whole(operand: Operand) -> bool {
    matches!(operand, Operand::Register(..) | Operand::SIMDRegister(SIMDSizeCode::Q, _))
}

/// The size of a register as the instruction uses it, in bytes.
pub(super) fn bytes_of(operand: Operand) -> u8 {
    match operand {
        Operand::Register(SizeCode::W, _) | Operand::RegisterOrSP(SizeCode::W, _) => 4,
        Operand::SIMDRegister(SIMDSizeCode::Q, _) => 16,
        Operand::SIMDRegister(SIMDSizeCode::S, _) => 4,
        Operand::SIMDRegister(SIMDSizeCode::H, _) => 2,
        Operand::SIMDRegister(SIMDSizeCode::B, _) => 1,
        _ => 8,
    }
}

pub(super) fn is_same(one: Operand, other: Operand) -> bool {
    written(one).is_some() && written(one) == written(other)
}

pub(super) fn immediate(operand: Operand) -> Option<u64> {
    match operand {
        Operand::Immediate(number) => Some(number.into()),
        Operand::Imm64(number) => Some(number),
        _ => None,
    }
}

/// A register that is shifted to the left, and by how many bits.
pub(super) fn shifted(operand: Operand) -> Option<(CodeValue, u8)> {
    match operand {
        Operand::RegShift(ShiftStyle::LSL | ShiftStyle::SXTW | ShiftStyle::UXTW, shift, _, SP_OR_ZERO) => {
            Some((CodeValue::Number(0), shift))
        }
        Operand::RegShift(ShiftStyle::LSL | ShiftStyle::SXTW | ShiftStyle::UXTW, shift, _, number) => {
            Some((CodeValue::Register(Register::general(number as u8)), shift))
        }
        _ => None,
    }
}

pub(super) fn wide(bits: u16, shift: u8) -> u64 {
    u64::from(bits).checked_shl(shift.into()).unwrap_or(0)
}

/// The number that a register of its size is set to.
pub(super) fn number(bits: u64, register: Operand) -> CodeValue {
    match bytes_of(register) {
        4 => CodeValue::Number((bits as i32).into()),
        _ => CodeValue::Number(bits as i64),
    }
}
