//! The instructions of CPython 3.8 to 3.15 that determine what a module imports (`Lib/opcode.py` of
//! each version).

use crate::source::CompareOp;

/// An instruction and its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BytecodeInstruction {
    pub kind: BytecodeOperation,
    /// The offset of the next instruction, in bytes.
    pub next: usize,
}

/// The effect of an instruction. Numbers are indices of names and constants. Targets are offsets in
/// bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum BytecodeOperation {
    /// An import. A `lazy` one loads nothing before the first use of a name that it binds (PEP
    /// 810).
    Import {
        name: usize,
        lazy: bool,
    },
    ImportFrom(usize),
    ImportStar,
    Constant(usize),
    /// A constant that is shared by all code.
    CommonConstant(usize),
    Int(u8),
    Name(usize),
    /// A local variable of a function.
    Local(usize),
    Attribute(usize),
    Store(usize),
    StoreLocal(usize),
    Compare(CompareOp),
    Not,
    JumpIf {
        value: JumpCondition,
        target: usize,
    },
    Jump(usize),
    /// A `try` with handlers at this offset, up to 3.10.
    Try(usize),
    Return,
    /// A raised exception, usually under a condition that isn't met.
    Raise,
    /// An instruction without an effect that matters.
    Nop,
    /// An instruction with untracked effects on the stack.
    Other,
}

/// The value for which a conditional jump is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum JumpCondition {
    True,
    False,
    None,
    NotNone,
}

/// The numbering of the instructions in a version of Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    Of3_8,
    Of3_9,
    Of3_10,
    Of3_11,
    Of3_12,
    Of3_13,
    Of3_14,
    Of3_15,
}

impl Dialect {
    /// Returns the dialect for the magic number of a `.pyc` file
    /// (`Lib/importlib/_bootstrap_external.py`, `MAGIC_NUMBER`; since 3.14
    /// `Include/internal/pycore_magic_number.h`).
    pub fn of(magic: u16) -> Option<Dialect> {
        Some(match magic {
            3410..=3419 => Dialect::Of3_8,
            3420..=3429 => Dialect::Of3_9,
            3430..=3449 => Dialect::Of3_10,
            3490..=3499 => Dialect::Of3_11,
            3530..=3549 => Dialect::Of3_12,
            3570..=3599 => Dialect::Of3_13,
            3623..=3649 => Dialect::Of3_14,
            3663..=3699 => Dialect::Of3_15,
            _ => return None,
        })
    }

    /// Decodes the instruction at an offset.
    pub fn decode(self, code: &[u8], mut at: usize) -> Option<BytecodeInstruction> {
        let mut argument = 0usize;
        for _ in 0..4 {
            let (&[opcode, low], next) = (code.get(at..)?.first_chunk()?, at + 2);
            argument = argument << 8 | usize::from(low);
            if !self.is_prefix(opcode) {
                return Some(BytecodeInstruction { kind: self.kind(opcode, argument, next), next });
            }
            at = next;
        }
        None
    }

    fn kind(self, opcode: u8, argument: usize, next: usize) -> BytecodeOperation {
        if self >= Dialect::Of3_13 {
            self.op(opcode).map_or(BytecodeOperation::Other, |op| self.named_operation(op, argument, next))
        } else {
            self.legacy_operation(opcode, argument, next)
        }
    }

    /// Whether an instruction only extends the argument of the next one.
    fn is_prefix(self, opcode: u8) -> bool {
        if self >= Dialect::Of3_13 { self.op(opcode) == Some(Opcode::ExtendedArg) } else { opcode == 144 }
    }

    fn legacy_operation(self, opcode: u8, argument: usize, next: usize) -> BytecodeOperation {
        let since = |version| self >= version;
        let unit = if since(Dialect::Of3_10) { 2 } else { 1 };
        let forward = next + argument * unit;
        // Conditional jumps are relative since 3.11 and absolute before.
        let target = if since(Dialect::Of3_11) { forward } else { argument * unit };
        match opcode {
            108 => BytecodeOperation::Import { name: argument, lazy: false },
            109 => BytecodeOperation::ImportFrom(argument),
            84 if !since(Dialect::Of3_12) => BytecodeOperation::ImportStar,
            173 if since(Dialect::Of3_12) && argument == IMPORT_STAR => BytecodeOperation::ImportStar,
            100 => BytecodeOperation::Constant(argument),
            101 => BytecodeOperation::Name(argument),
            116 if since(Dialect::Of3_11) => BytecodeOperation::Name(argument >> 1),
            116 => BytecodeOperation::Name(argument),
            124 => BytecodeOperation::Local(argument),
            127 if since(Dialect::Of3_12) => BytecodeOperation::Local(argument),
            106 if since(Dialect::Of3_12) => BytecodeOperation::Attribute(argument >> 1),
            106 => BytecodeOperation::Attribute(argument),
            90 | 97 => BytecodeOperation::Store(argument),
            125 => BytecodeOperation::StoreLocal(argument),
            107 if since(Dialect::Of3_12) => compared(argument >> 4),
            107 => compared(argument),
            117 if since(Dialect::Of3_9) => {
                BytecodeOperation::Compare(if argument == 0 { CompareOp::Is } else { CompareOp::IsNot })
            }
            118 if since(Dialect::Of3_9) => {
                BytecodeOperation::Compare(if argument == 0 { CompareOp::In } else { CompareOp::NotIn })
            }
            12 => BytecodeOperation::Not,
            114 => BytecodeOperation::JumpIf { value: JumpCondition::False, target },
            115 => BytecodeOperation::JumpIf { value: JumpCondition::True, target },
            128 if since(Dialect::Of3_11) => {
                BytecodeOperation::JumpIf { value: JumpCondition::NotNone, target }
            }
            129 if since(Dialect::Of3_11) => BytecodeOperation::JumpIf { value: JumpCondition::None, target },
            110 => BytecodeOperation::Jump(forward),
            113 if !since(Dialect::Of3_11) => BytecodeOperation::Jump(target),
            122 if !since(Dialect::Of3_11) => BytecodeOperation::Try(forward),
            83 => BytecodeOperation::Return,
            121 if since(Dialect::Of3_12) => BytecodeOperation::Return,
            130 => BytecodeOperation::Raise,
            48 if self == Dialect::Of3_9 => BytecodeOperation::Raise,
            119 if since(Dialect::Of3_10) => BytecodeOperation::Raise,
            87 if !since(Dialect::Of3_11) => BytecodeOperation::Nop,
            0 | 151 if since(Dialect::Of3_11) => BytecodeOperation::Nop,
            9 => BytecodeOperation::Nop,
            _ => BytecodeOperation::Other,
        }
    }
}

/// An instruction of Python 3.13 and later, by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Cache,
    CallIntrinsic1,
    CompareOp,
    ContainsOp,
    ExtendedArg,
    ImportFrom,
    ImportName,
    IsOp,
    JumpForward,
    LoadAttr,
    LoadCommonConstant,
    LoadConst,
    LoadFast,
    LoadFastBorrow,
    LoadFastCheck,
    LoadGlobal,
    LoadName,
    LoadSmallInt,
    Nop,
    NotTaken,
    PopJumpIfFalse,
    PopJumpIfNone,
    PopJumpIfNotNone,
    PopJumpIfTrue,
    PushExcInfo,
    RaiseVarargs,
    Reraise,
    Resume,
    ReturnConst,
    ReturnValue,
    StoreFast,
    StoreGlobal,
    StoreName,
    ToBool,
    UnaryNot,
    WithExceptStart,
}

/// A number that no instruction in a file has.
const NONE: u8 = u8::MAX;

/// The numbers of the instructions in 3.13, 3.14, and 3.15 (`Include/opcode_ids.h`).
const NUMBERS: [(Opcode, [u8; 3]); 36] = [
    (Opcode::Cache, [0, 0, 0]),
    (Opcode::CallIntrinsic1, [55, 53, 51]),
    (Opcode::CompareOp, [58, 56, 54]),
    (Opcode::ContainsOp, [59, 57, 55]),
    (Opcode::ExtendedArg, [71, 69, 67]),
    (Opcode::ImportFrom, [74, 72, 71]),
    (Opcode::ImportName, [75, 73, 72]),
    (Opcode::IsOp, [76, 74, 73]),
    (Opcode::JumpForward, [79, 77, 76]),
    (Opcode::LoadAttr, [82, 80, 79]),
    (Opcode::LoadCommonConstant, [NONE, 81, 80]),
    (Opcode::LoadConst, [83, 82, 81]),
    (Opcode::LoadFast, [85, 84, 83]),
    (Opcode::LoadFastBorrow, [NONE, 86, 85]),
    (Opcode::LoadFastCheck, [87, 88, 87]),
    (Opcode::LoadGlobal, [91, 92, 91]),
    (Opcode::LoadName, [92, 93, 92]),
    (Opcode::LoadSmallInt, [NONE, 94, 93]),
    (Opcode::Nop, [30, 27, 25]),
    (Opcode::NotTaken, [NONE, 28, 26]),
    (Opcode::PopJumpIfFalse, [97, 100, 99]),
    (Opcode::PopJumpIfNone, [98, 101, 100]),
    (Opcode::PopJumpIfNotNone, [99, 102, 101]),
    (Opcode::PopJumpIfTrue, [100, 103, 102]),
    (Opcode::PushExcInfo, [33, 32, 30]),
    (Opcode::RaiseVarargs, [101, 104, 103]),
    (Opcode::Reraise, [102, 105, 104]),
    (Opcode::Resume, [149, 128, 128]),
    (Opcode::ReturnConst, [103, NONE, NONE]),
    (Opcode::ReturnValue, [36, 35, 33]),
    (Opcode::StoreFast, [110, 112, 111]),
    (Opcode::StoreGlobal, [113, 115, 114]),
    (Opcode::StoreName, [114, 116, 115]),
    (Opcode::ToBool, [40, 39, 37]),
    (Opcode::UnaryNot, [43, 42, 40]),
    (Opcode::WithExceptStart, [44, 43, 41]),
];

impl Dialect {
    fn op(self, opcode: u8) -> Option<Opcode> {
        let found = NUMBERS.iter().find(|(_, [of_3_13, of_3_14, of_3_15])| {
            let number = match self {
                Dialect::Of3_15 => of_3_15,
                Dialect::Of3_14 => of_3_14,
                _ => of_3_13,
            };
            *number == opcode
        });
        found.map(|(op, _)| *op)
    }

    fn named_operation(self, op: Opcode, argument: usize, next: usize) -> BytecodeOperation {
        // A conditional jump is relative to the end of the cache entry that follows it.
        let jump_if = |value| BytecodeOperation::JumpIf { value, target: next + 2 + argument * 2 };
        match op {
            Opcode::ImportName if self >= Dialect::Of3_15 => {
                BytecodeOperation::Import { name: argument >> 2, lazy: argument & 1 == 1 }
            }
            Opcode::ImportName => BytecodeOperation::Import { name: argument, lazy: false },
            Opcode::ImportFrom => BytecodeOperation::ImportFrom(argument),
            Opcode::CallIntrinsic1 if argument == IMPORT_STAR => BytecodeOperation::ImportStar,
            Opcode::LoadConst => BytecodeOperation::Constant(argument),
            Opcode::LoadCommonConstant => BytecodeOperation::CommonConstant(argument),
            Opcode::LoadSmallInt => {
                u8::try_from(argument).map_or(BytecodeOperation::Other, BytecodeOperation::Int)
            }
            Opcode::LoadName => BytecodeOperation::Name(argument),
            Opcode::LoadGlobal => BytecodeOperation::Name(argument >> 1),
            Opcode::LoadFast | Opcode::LoadFastBorrow | Opcode::LoadFastCheck => {
                BytecodeOperation::Local(argument)
            }
            Opcode::LoadAttr => BytecodeOperation::Attribute(argument >> 1),
            Opcode::StoreGlobal | Opcode::StoreName => BytecodeOperation::Store(argument),
            Opcode::StoreFast => BytecodeOperation::StoreLocal(argument),
            Opcode::CompareOp => compared(argument >> 5),
            Opcode::IsOp => {
                BytecodeOperation::Compare(if argument == 0 { CompareOp::Is } else { CompareOp::IsNot })
            }
            Opcode::ContainsOp => {
                BytecodeOperation::Compare(if argument == 0 { CompareOp::In } else { CompareOp::NotIn })
            }
            Opcode::UnaryNot => BytecodeOperation::Not,
            Opcode::PopJumpIfFalse => jump_if(JumpCondition::False),
            Opcode::PopJumpIfTrue => jump_if(JumpCondition::True),
            Opcode::PopJumpIfNone => jump_if(JumpCondition::None),
            Opcode::PopJumpIfNotNone => jump_if(JumpCondition::NotNone),
            Opcode::JumpForward => BytecodeOperation::Jump(next + argument * 2),
            Opcode::ReturnConst | Opcode::ReturnValue => BytecodeOperation::Return,
            Opcode::RaiseVarargs | Opcode::Reraise => BytecodeOperation::Raise,
            Opcode::Cache | Opcode::Nop | Opcode::NotTaken | Opcode::Resume | Opcode::ToBool => {
                BytecodeOperation::Nop
            }
            Opcode::CallIntrinsic1 | Opcode::ExtendedArg | Opcode::PushExcInfo | Opcode::WithExceptStart => {
                BytecodeOperation::Other
            }
        }
    }
}

/// The number of `INTRINSIC_IMPORT_STAR` (`Include/internal/pycore_intrinsics.h`).
const IMPORT_STAR: usize = 2;

/// Returns an operator of `cmp_op` in `Lib/opcode.py`. Those from the seventh on exist only in 3.8.
fn compared(number: usize) -> BytecodeOperation {
    const OPERATORS: [CompareOp; 10] = [
        CompareOp::Lt,
        CompareOp::LtE,
        CompareOp::Eq,
        CompareOp::NotEq,
        CompareOp::Gt,
        CompareOp::GtE,
        CompareOp::In,
        CompareOp::NotIn,
        CompareOp::Is,
        CompareOp::IsNot,
    ];
    OPERATORS.get(number).map_or(BytecodeOperation::Other, |operator| BytecodeOperation::Compare(*operator))
}

impl Dialect {
    /// Whether the handler at an offset belongs to a `with` and so catches nothing.
    fn belongs_to_with(self, code: &[u8], handler: usize) -> bool {
        let Some(&[first, _, second, _]) = code.get(handler..).and_then(|code| code.first_chunk()) else {
            return false;
        };
        if self >= Dialect::Of3_13 {
            (self.op(first), self.op(second)) == (Some(Opcode::PushExcInfo), Some(Opcode::WithExceptStart))
        } else {
            (first, second) == (35, 49)
        }
    }
}

/// Returns the ranges of code whose exceptions are caught, as offsets in bytes. See
/// `parse_exception_table` in `Lib/dis.py`.
pub(super) fn guarded(dialect: Dialect, code: &[u8], table: &[u8]) -> Vec<(usize, usize)> {
    let mut bytes = table.iter().copied();
    let mut number = || {
        let mut byte = bytes.next()?;
        let mut value = usize::from(byte & 63);
        while byte & 64 != 0 {
            byte = bytes.next()?;
            value = value.checked_mul(64)? | usize::from(byte & 63);
        }
        Some(value)
    };
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut last = None;
    // Offsets are in units of two bytes. The last number is the stack depth with a flag.
    while let (Some(start), Some(len), Some(handler), Some(_)) = (number(), number(), number(), number()) {
        let end = start.saturating_add(len).saturating_mul(2);
        let start = start.saturating_mul(2);
        if dialect.belongs_to_with(code, handler.saturating_mul(2)) {
            continue;
        }
        // 3.14 excludes NOT_TAKEN from the range around it.
        let left_out = Some(BytecodeInstruction { kind: BytecodeOperation::Nop, next: start });
        match ranges.last_mut() {
            Some((_, to)) if last == Some(handler) && dialect.decode(code, *to) == left_out => *to = end,
            _ => ranges.push((start, end)),
        }
        last = Some(handler);
    }
    ranges
}
