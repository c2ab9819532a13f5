//! Decodes x64.

use iced_x86::{
    DecoderOptions, FlowControl, Instruction as Decoded, Mnemonic, OpKind, Register as Named, RflagsBits,
};

use super::{
    AssignedValue, Base, BranchCondition, CodeValue, Convention, Destination, Index, Instruction,
    MemoryOperand, NOWHERE, Operation, Register,
};

const RAX: Register = Register::general(0);
const RCX: Register = Register::general(1);
const RDX: Register = Register::general(2);
const RSP: Register = Register::general(4);
const RSI: Register = Register::general(6);
const RDI: Register = Register::general(7);
const R8: Register = Register::general(8);
const R9: Register = Register::general(9);

/// "x64 calling convention", Microsoft.
pub static CONVENTION: Convention = Convention {
    arguments: &[RCX, RDX, R8, R9],
    result: RAX,
    stack: RSP,
    volatile: VOLATILE,
    // The caller leaves room for the arguments that are in registers.
    stack_arguments: 32,
    return_address: 8,
    frame_size: RAX,
    instructions: 1,
};

const VOLATILE: &[Register] = &[
    RAX,
    RCX,
    RDX,
    R8,
    R9,
    Register::general(10),
    Register::general(11),
    Register::vector(0),
    Register::vector(1),
    Register::vector(2),
    Register::vector(3),
    Register::vector(4),
    Register::vector(5),
];

pub struct X64Decoder<'a> {
    decoder: iced_x86::Decoder<'a>,
    decoded: Decoded,
}

impl<'a> X64Decoder<'a> {
    /// Decodes code that begins at this RVA.
    pub fn new(at: u32, code: &'a [u8]) -> X64Decoder<'a> {
        X64Decoder {
            decoder: iced_x86::Decoder::with_ip(64, code, at.into(), DecoderOptions::NONE),
            decoded: Decoded::default(),
        }
    }

    pub fn decode(&mut self, instruction: &mut Instruction) -> bool {
        if !self.decoder.can_decode() {
            return false;
        }
        self.decoder.decode_out(&mut self.decoded);
        let decoded = &self.decoded;
        instruction.at = rva(decoded.ip());
        instruction.next = rva(decoded.next_ip());
        let operations = &mut instruction.operations;
        match decoded.flow_control() {
            FlowControl::Next => {
                follow(decoded, operations);
                if changes_flags(decoded) {
                    operations.push(Operation::Compare(CodeValue::Unknown, CodeValue::Unknown));
                }
            }
            FlowControl::Call | FlowControl::IndirectCall if decoded.mnemonic() == Mnemonic::Call => {
                operations.push(Operation::Call(target(decoded)));
            }
            FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => {
                operations.push(Operation::Jump(target(decoded)));
            }
            FlowControl::ConditionalBranch => {
                let to = rva(decoded.near_branch_target());
                operations.push(Operation::Branch(condition(decoded.mnemonic()), to));
            }
            FlowControl::Return => operations.push(Operation::Return),
            _ => operations.push(match decoded.mnemonic() {
                Mnemonic::INVALID => Operation::Invalid,
                Mnemonic::Int3 => Operation::Breakpoint,
                _ => Operation::Interrupt,
            }),
        }
        true
    }
}

/// Whether an instruction that compares nothing sets flags that a branch may test.
fn changes_flags(decoded: &Decoded) -> bool {
    match decoded.mnemonic() {
        // The most frequent ones need no lookup in the table.
        Mnemonic::Mov | Mnemonic::Lea | Mnemonic::Nop | Mnemonic::Cmp | Mnemonic::Test => false,
        _ => decoded.rflags_modified() != RflagsBits::NONE,
    }
}

fn rva(address: u64) -> u32 {
    u32::try_from(address).unwrap_or(NOWHERE)
}

fn target(decoded: &Decoded) -> Destination {
    match decoded.op0_kind() {
        OpKind::NearBranch64 => Destination::Code(rva(decoded.near_branch_target())),
        _ => Destination::Pointer(value(decoded, 0)),
    }
}

fn condition(mnemonic: Mnemonic) -> BranchCondition {
    match mnemonic {
        Mnemonic::Je => BranchCondition::Equal,
        Mnemonic::Jne => BranchCondition::NotEqual,
        Mnemonic::Js => BranchCondition::Negative,
        Mnemonic::Jns => BranchCondition::NotNegative,
        Mnemonic::Jl => BranchCondition::Less,
        Mnemonic::Jle => BranchCondition::LessOrEqual,
        Mnemonic::Jg => BranchCondition::Greater,
        Mnemonic::Jge => BranchCondition::GreaterOrEqual,
        _ => BranchCondition::Other,
    }
}

/// Adds what an instruction does that neither jumps nor calls.
fn follow(decoded: &Decoded, operations: &mut Vec<Operation>) {
    match decoded.mnemonic() {
        Mnemonic::Nop => return,
        Mnemonic::Cmp => {
            return operations.push(Operation::Compare(value(decoded, 0), value(decoded, 1)));
        }
        Mnemonic::Test => {
            let is_itself =
                decoded.op0_kind() == OpKind::Register && decoded.op1_register() == decoded.op0_register();
            let (left, right) = match is_itself {
                true => (value(decoded, 0), CodeValue::Number(0)),
                false => (CodeValue::Unknown, CodeValue::Unknown),
            };
            return operations.push(Operation::Compare(left, right));
        }
        Mnemonic::Push => return operations.push(moved_stack(-8)),
        Mnemonic::Pop => {
            if let Some(register) = register(decoded.op0_register()) {
                operations.push(Operation::Set(register, AssignedValue::Unknown));
            }
            return operations.push(moved_stack(8));
        }
        Mnemonic::Imul if decoded.op_count() > 1 => {}
        Mnemonic::Mul | Mnemonic::Imul | Mnemonic::Div | Mnemonic::Idiv => {
            operations.push(Operation::Forget(&[RAX, RDX]));
        }
        Mnemonic::Cdq | Mnemonic::Cqo => operations.push(Operation::Forget(&[RDX])),
        Mnemonic::Xchg | Mnemonic::Xadd | Mnemonic::Cmpxchg => operations.push(Operation::Forget(VOLATILE)),
        _ => {}
    }
    match decoded.op0_kind() {
        OpKind::Register => {
            if let Some(register) = register(decoded.op0_register()) {
                operations.push(Operation::Set(register, source(decoded, register)));
            }
        }
        OpKind::Memory => {
            let stored = match decoded.mnemonic() {
                Mnemonic::Mov | Mnemonic::Movaps | Mnemonic::Movups | Mnemonic::Movdqa | Mnemonic::Movdqu => {
                    value(decoded, 1)
                }
                _ => CodeValue::Unknown,
            };
            operations.push(Operation::Store(memory(decoded), stored));
        }
        // `rep movsd` and its like
        OpKind::MemoryESRDI => operations.push(Operation::Forget(&[RCX, RSI, RDI])),
        _ => {}
    }
}

fn moved_stack(distance: i64) -> Operation {
    Operation::Set(RSP, AssignedValue::Sum(CodeValue::Register(RSP), CodeValue::Number(distance), 0))
}

/// What an instruction sets its first operand to, a register.
fn source(decoded: &Decoded, register: Register) -> AssignedValue {
    let bytes = decoded.op0_register().size().min(16) as u8;
    if matches!(decoded.mnemonic(), Mnemonic::And | Mnemonic::Or)
        && let Some(given) = number(decoded, 1)
    {
        return match decoded.mnemonic() {
            Mnemonic::And if register != RSP => AssignedValue::And { mask: given, bytes },
            Mnemonic::Or if given == -1 && bytes < 4 => AssignedValue::Unknown,
            Mnemonic::Or if given == -1 => AssignedValue::Value(CodeValue::Number(-1)),
            Mnemonic::Or => AssignedValue::Or(CodeValue::Register(register), given),
            _ => AssignedValue::Unknown,
        };
    }
    let loaded = match decoded.op1_kind() {
        OpKind::Memory => AssignedValue::Loaded(memory(decoded)),
        _ => AssignedValue::Unknown,
    };
    if bytes < 4 {
        return loaded;
    }
    let own = CodeValue::Register(register);
    let is_itself =
        decoded.op1_kind() == OpKind::Register && decoded.op1_register() == decoded.op0_register();
    match decoded.mnemonic() {
        Mnemonic::Xor | Mnemonic::Sub | Mnemonic::Xorps | Mnemonic::Pxor if is_itself => {
            AssignedValue::Value(CodeValue::Number(0))
        }
        Mnemonic::Mov | Mnemonic::Movaps | Mnemonic::Movups | Mnemonic::Movdqa | Mnemonic::Movdqu => {
            AssignedValue::Value(value(decoded, 1))
        }
        // `lea r8d, [rdx-1]` makes a number of one that is in a register.
        Mnemonic::Lea => AssignedValue::Address(memory(decoded)),
        // Unoptimized code computes the place of an entry: `imul rcx, rcx, 974h`, `add rax, rcx`.
        Mnemonic::Add => AssignedValue::Sum(own, value(decoded, 1), 0),
        Mnemonic::Imul if decoded.op_count() == 3 => {
            AssignedValue::Product(value(decoded, 1), value(decoded, 2))
        }
        Mnemonic::Imul if decoded.op_count() == 2 => AssignedValue::Product(own, value(decoded, 1)),
        Mnemonic::Sub => AssignedValue::Difference(own, value(decoded, 1), 0),
        Mnemonic::Cmovne => AssignedValue::Select { different: value(decoded, 1), equal: own },
        Mnemonic::Cmove => AssignedValue::Select { different: own, equal: value(decoded, 1) },
        _ => loaded,
    }
}

fn register(named: Named) -> Option<Register> {
    let full = named.full_register();
    let number = u8::try_from(full.number()).ok()?;
    if full.is_gpr64() {
        Some(Register::general(number))
    } else {
        // Those of AVX are other names of the same ones, and nothing of them is followed.
        (named.is_xmm() && number < 16).then(|| Register::vector(number))
    }
}

fn value(decoded: &Decoded, operand: u32) -> CodeValue {
    match decoded.op_kind(operand) {
        OpKind::Register => {
            register(decoded.op_register(operand)).map_or(CodeValue::Unknown, CodeValue::Register)
        }
        OpKind::Memory => CodeValue::Memory(memory(decoded)),
        _ => number(decoded, operand).map_or(CodeValue::Unknown, CodeValue::Number),
    }
}

fn memory(decoded: &Decoded) -> MemoryOperand {
    let size = u8::try_from(decoded.memory_size().size()).unwrap_or(u8::MAX);
    if decoded.is_ip_rel_memory_operand() {
        return MemoryOperand::absolute(rva(decoded.ip_rel_memory_address()), size);
    }
    MemoryOperand {
        base: register(decoded.memory_base()).map_or(Base::Unknown, Base::Register),
        offset: decoded.memory_displacement64() as i32,
        index: match decoded.memory_index() {
            Named::None => Index::None,
            _ => Index::Scaled(decoded.memory_index_scale() as u8),
        },
        size,
    }
}

/// The number that an operand is itself.
fn number(decoded: &Decoded, operand: u32) -> Option<i64> {
    let number = decoded.try_immediate(operand).ok()?;
    match decoded.op_kind(operand) {
        OpKind::Immediate64 => Some(number as i64),
        _ => Some((number as i32).into()),
    }
}
