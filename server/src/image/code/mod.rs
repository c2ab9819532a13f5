//! Decodes machine code into the few effects that the analyses of an image follow.
//!
//! Each processor has its own instructions and calling convention. The analyses see neither: an
//! instruction becomes one [`Operation`] or a few, and a [`Convention`] says which registers hold
//! the arguments and the result of a call. What has no effect that anybody follows is decoded as
//! well, since it may overwrite a register.
//!
//! | file | what it decodes |
//! |---|---|
//! | `x64` | x64, by `iced-x86` |
//! | `arm64` | ARM64 (A64), by `yaxpeax-arm` |

mod arm64;
mod x64;

use super::{Image, Machine};

/// The maximum number of bytes that are decoded from one place without a jump.
pub(super) const LONGEST_PIECE: usize = 1 << 16;

/// The address of code outside any image.
const NOWHERE: u32 = u32::MAX;

/// A general-purpose or vector register, whichever part of it an instruction uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Register(u8);

impl Register {
    /// The number of registers: 32 general-purpose ones, and 32 vector registers.
    pub const COUNT: usize = 64;

    const fn general(number: u8) -> Register {
        Register(number & 31)
    }

    const fn vector(number: u8) -> Register {
        Register(32 | number & 31)
    }

    /// Its index below [`Register::COUNT`].
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// How functions are called.
#[derive(PartialEq, Debug)]
pub(super) struct Convention {
    /// The registers of the first arguments.
    pub arguments: &'static [Register],
    pub result: Register,
    pub stack: Register,
    /// The registers that a function may overwrite.
    pub volatile: &'static [Register],
    /// The distance in bytes from the stack pointer at a call to the first argument on the stack.
    pub stack_arguments: i32,
    /// The size in bytes of the return address that a call pushes.
    pub return_address: i32,
    /// The register in which `__chkstk` takes the size of a large stack frame.
    pub frame_size: Register,
    /// How many instructions it takes to do what one of x64 does, at most on average.
    pub instructions: u32,
}

/// A value that an instruction uses.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum CodeValue {
    Unknown,
    /// Of a 32-bit operation, sign-extended. Of a vector register, the number in each 32 bits.
    Number(i64),
    Register(Register),
    Memory(MemoryOperand),
}

/// A place in memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct MemoryOperand {
    pub base: Base,
    /// The distance from the base in bytes.
    pub offset: i32,
    pub index: Index,
    /// The size of what is read or written, in bytes; 0 if only the address is used.
    pub size: u8,
}

/// Where a place in memory is counted from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Base {
    Unknown,
    Register(Register),
    /// The place itself, as an RVA.
    Absolute(u32),
}

/// How an instruction in a loop moves from one element to the next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Index {
    None,
    /// By another register, multiplied by this size of an element in bytes.
    Scaled(u8),
    /// By adding this number of bytes to the base afterwards.
    Advancing(i16),
}

impl MemoryOperand {
    fn absolute(at: u32, size: u8) -> MemoryOperand {
        MemoryOperand { base: Base::Absolute(at), offset: 0, index: Index::None, size }
    }

    /// Its RVA, if the instructions alone give it.
    pub fn address(self) -> Option<u32> {
        match self.base {
            Base::Absolute(at) => Some(at),
            _ => None,
        }
    }

    /// The distance between the elements that a loop reads, in bytes.
    pub fn stride(self) -> Option<i32> {
        match self.index {
            Index::None => None,
            Index::Scaled(size) => Some(size.into()),
            Index::Advancing(size) => Some(size.into()),
        }
    }
}

/// What a register is set to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum AssignedValue {
    Unknown,
    /// The value, as it is.
    Value(CodeValue),
    /// Something made of what is read here.
    Loaded(MemoryOperand),
    /// The address of the place.
    Address(MemoryOperand),
    /// The RVA of a page, to which an offset is yet to be added.
    Page(u32),
    /// The second value is shifted left by a number of bits.
    Sum(CodeValue, CodeValue, u8),
    /// The second value is shifted left by a number of bits.
    Difference(CodeValue, CodeValue, u8),
    Product(CodeValue, CodeValue),
    /// The lowest bytes of the register itself, masked.
    And {
        mask: i64,
        bytes: u8,
    },
    /// The value with more bits.
    Or(CodeValue, i64),
    /// The register itself with the bits of a mask replaced.
    Insert {
        mask: i64,
        bits: i64,
    },
    /// One value if the last comparison found a difference, else the other.
    Select {
        different: CodeValue,
        equal: CodeValue,
    },
}

/// What an instruction does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Operation {
    /// Bytes that are not an instruction.
    Invalid,
    /// A breakpoint: what compilers put where execution never arrives.
    Breakpoint,
    /// Another exception, or a call of the kernel.
    Interrupt,
    Return,
    Call(Destination),
    Jump(Destination),
    Branch(BranchCondition, u32),
    /// Replaces the last comparison. The values are unknown where flags are set by something else.
    Compare(CodeValue, CodeValue),
    Set(Register, AssignedValue),
    Store(MemoryOperand, CodeValue),
    Forget(&'static [Register]),
}

impl Operation {
    /// The memory that is read for a register or a comparison.
    pub fn reads(&self) -> Option<MemoryOperand> {
        let value = match *self {
            Operation::Compare(_, value) => value,
            Operation::Set(_, AssignedValue::Loaded(memory)) => CodeValue::Memory(memory),
            Operation::Set(_, AssignedValue::Value(value) | AssignedValue::Product(_, value)) => value,
            Operation::Set(_, AssignedValue::Sum(_, value, _) | AssignedValue::Difference(_, value, _)) => {
                value
            }
            _ => CodeValue::Unknown,
        };
        match value {
            CodeValue::Memory(memory) => Some(memory),
            _ => None,
        }
    }
}

/// What is called or jumped to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Destination {
    /// Code at this RVA.
    Code(u32),
    /// The code that the value points to.
    Pointer(CodeValue),
}

/// When a branch is taken, by the last comparison of a left value with a right one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum BranchCondition {
    Equal,
    NotEqual,
    Negative,
    NotNegative,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Other,
}

/// A decoded instruction.
#[derive(Default, Debug)]
pub(super) struct Instruction {
    /// Its RVA.
    pub at: u32,
    /// The RVA of the instruction behind it.
    pub next: u32,
    /// What it does, in this order.
    pub operations: Vec<Operation>,
}

/// Decodes the instructions from an RVA on.
pub(super) enum Decoder<'a> {
    X64(x64::X64Decoder<'a>),
    Arm64(arm64::Arm64Decoder<'a>),
}

impl Decoder<'_> {
    /// Decodes the next instruction. False at the end of the code.
    pub fn decode(&mut self, instruction: &mut Instruction) -> bool {
        instruction.operations.clear();
        match self {
            Decoder::X64(decoder) => decoder.decode(instruction),
            Decoder::Arm64(decoder) => decoder.decode(instruction),
        }
    }
}

impl<'a> Image<'a> {
    /// The calling convention of the image's code. Returns `None` for processors whose code isn't
    /// decoded.
    pub(super) fn convention(&self) -> Option<&'static Convention> {
        match self.machine() {
            Machine::X64 => Some(&x64::CONVENTION),
            Machine::Arm64 => Some(&arm64::CONVENTION),
            _ => None,
        }
    }

    /// Decodes the code from an RVA on.
    pub(super) fn decoder(&self, at: u32) -> Option<Decoder<'a>> {
        let code = self.memory.stored(at, LONGEST_PIECE, "code").ok()?;
        match Machine::from_header(self.headers.machine) {
            Machine::X64 => Some(Decoder::X64(x64::X64Decoder::new(at, code))),
            Machine::Arm64 => Some(Decoder::Arm64(arm64::Arm64Decoder::new(at, code))),
            _ => None,
        }
    }

    /// The slot of the import address table that code does nothing but jump through: linkers make
    /// such code for functions that are not declared to be imported.
    pub(super) fn slot_behind(&self, at: u32) -> Option<u32> {
        // On ARM64: `adrp`, `ldr`, `br`.
        const LONGEST_THUNK: usize = 3;
        let mut decoder = self.decoder(at)?;
        let mut instruction = Instruction::default();
        for _ in 0..LONGEST_THUNK {
            if !decoder.decode(&mut instruction) {
                return None;
            }
            match instruction.operations.as_slice() {
                [Operation::Jump(Destination::Pointer(CodeValue::Memory(slot)))] => return slot.address(),
                [Operation::Set(_, AssignedValue::Page(_) | AssignedValue::Value(CodeValue::Memory(_)))] => {}
                _ => return None,
            }
        }
        None
    }
}
