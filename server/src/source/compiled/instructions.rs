//! The instructions of CPython 3.8 to 3.15 that decide what a module imports (`Lib/opcode.py` of each version).

use crate::source::CompareOp;

/// An instruction, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Instruction {
    pub kind: Kind,
    /// The offset of the next one, in bytes.
    pub next: usize,
}

/// What an instruction does. Numbers are indexes of names and constants; targets are offsets in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// `lazy`: nothing is loaded before a name that it binds is used (PEP 810).
    Import {
        name: usize,
        lazy: bool,
    },
    ImportFrom(usize),
    ImportStar,
    Constant(usize),
    /// One that all code shares.
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
        value: Condition,
        target: usize,
    },
    Jump(usize),
    /// A `try` whose handlers begin at this offset; up to 3.10.
    Try(usize),
    Returns,
    /// An exception, mostly under a condition that nobody meets.
    Raises,
    /// Nothing that matters.
    Passes,
    /// Something with values that are not followed.
    Other,
}

/// What a value has to be for a jump.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Condition {
    True,
    False,
    None,
    NotNone,
}

/// How one version of Python numbers its instructions.
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
    /// By the number that a `.pyc` begins with (`Lib/importlib/_bootstrap_external.py`, `MAGIC_NUMBER`; since 3.14
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

    /// The instruction at an offset.
    pub fn decode(self, code: &[u8], mut at: usize) -> Option<Instruction> {
        let mut argument = 0usize;
        for _ in 0..4 {
            let (&[opcode, low], next) = (code.get(at..)?.first_chunk()?, at + 2);
            argument = argument << 8 | usize::from(low);
            if !self.is_prefix(opcode) {
                return Some(Instruction { kind: self.kind(opcode, argument, next), next });
            }
            at = next;
        }
        None
    }

    fn kind(self, opcode: u8, argument: usize, next: usize) -> Kind {
        if self >= Dialect::Of3_13 {
            self.op(opcode).map_or(Kind::Other, |op| self.of_op(op, argument, next))
        } else {
            self.of_old(opcode, argument, next)
        }
    }

    /// Whether an instruction is nothing but more of the argument of the next one.
    fn is_prefix(self, opcode: u8) -> bool {
        if self >= Dialect::Of3_13 { self.op(opcode) == Some(Opcode::ExtendedArg) } else { opcode == 144 }
    }

    fn of_old(self, opcode: u8, argument: usize, next: usize) -> Kind {
        let since = |version| self >= version;
        let unit = if since(Dialect::Of3_10) { 2 } else { 1 };
        let forward = next + argument * unit;
        // Jumps under a condition tell how far since 3.11, and where to before.
        let target = if since(Dialect::Of3_11) { forward } else { argument * unit };
        match opcode {
            108 => Kind::Import { name: argument, lazy: false },
            109 => Kind::ImportFrom(argument),
            84 if !since(Dialect::Of3_12) => Kind::ImportStar,
            173 if since(Dialect::Of3_12) && argument == IMPORT_STAR => Kind::ImportStar,
            100 => Kind::Constant(argument),
            101 => Kind::Name(argument),
            116 if since(Dialect::Of3_11) => Kind::Name(argument >> 1),
            116 => Kind::Name(argument),
            124 => Kind::Local(argument),
            127 if since(Dialect::Of3_12) => Kind::Local(argument),
            106 if since(Dialect::Of3_12) => Kind::Attribute(argument >> 1),
            106 => Kind::Attribute(argument),
            90 | 97 => Kind::Store(argument),
            125 => Kind::StoreLocal(argument),
            107 if since(Dialect::Of3_12) => compared(argument >> 4),
            107 => compared(argument),
            117 if since(Dialect::Of3_9) => {
                Kind::Compare(if argument == 0 { CompareOp::Is } else { CompareOp::IsNot })
            }
            118 if since(Dialect::Of3_9) => {
                Kind::Compare(if argument == 0 { CompareOp::In } else { CompareOp::NotIn })
            }
            12 => Kind::Not,
            114 => Kind::JumpIf { value: Condition::False, target },
            115 => Kind::JumpIf { value: Condition::True, target },
            128 if since(Dialect::Of3_11) => Kind::JumpIf { value: Condition::NotNone, target },
            129 if since(Dialect::Of3_11) => Kind::JumpIf { value: Condition::None, target },
            110 => Kind::Jump(forward),
            113 if !since(Dialect::Of3_11) => Kind::Jump(target),
            122 if !since(Dialect::Of3_11) => Kind::Try(forward),
            83 => Kind::Returns,
            121 if since(Dialect::Of3_12) => Kind::Returns,
            130 => Kind::Raises,
            48 if self == Dialect::Of3_9 => Kind::Raises,
            119 if since(Dialect::Of3_10) => Kind::Raises,
            87 if !since(Dialect::Of3_11) => Kind::Passes,
            0 | 151 if since(Dialect::Of3_11) => Kind::Passes,
            9 => Kind::Passes,
            _ => Kind::Other,
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

/// No instruction in a file has this number.
const NONE: u8 = u8::MAX;

/// Their numbers in 3.13, 3.14 and 3.15 (`Include/opcode_ids.h`).
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

    fn of_op(self, op: Opcode, argument: usize, next: usize) -> Kind {
        // A jump under a condition has a cache behind it, from whose end it counts.
        let jump_if = |value| Kind::JumpIf { value, target: next + 2 + argument * 2 };
        match op {
            Opcode::ImportName if self >= Dialect::Of3_15 => {
                Kind::Import { name: argument >> 2, lazy: argument & 1 == 1 }
            }
            Opcode::ImportName => Kind::Import { name: argument, lazy: false },
            Opcode::ImportFrom => Kind::ImportFrom(argument),
            Opcode::CallIntrinsic1 if argument == IMPORT_STAR => Kind::ImportStar,
            Opcode::LoadConst => Kind::Constant(argument),
            Opcode::LoadCommonConstant => Kind::CommonConstant(argument),
            Opcode::LoadSmallInt => u8::try_from(argument).map_or(Kind::Other, Kind::Int),
            Opcode::LoadName => Kind::Name(argument),
            Opcode::LoadGlobal => Kind::Name(argument >> 1),
            Opcode::LoadFast | Opcode::LoadFastBorrow | Opcode::LoadFastCheck => Kind::Local(argument),
            Opcode::LoadAttr => Kind::Attribute(argument >> 1),
            Opcode::StoreGlobal | Opcode::StoreName => Kind::Store(argument),
            Opcode::StoreFast => Kind::StoreLocal(argument),
            Opcode::CompareOp => compared(argument >> 5),
            Opcode::IsOp => Kind::Compare(if argument == 0 { CompareOp::Is } else { CompareOp::IsNot }),
            Opcode::ContainsOp => Kind::Compare(if argument == 0 { CompareOp::In } else { CompareOp::NotIn }),
            Opcode::UnaryNot => Kind::Not,
            Opcode::PopJumpIfFalse => jump_if(Condition::False),
            Opcode::PopJumpIfTrue => jump_if(Condition::True),
            Opcode::PopJumpIfNone => jump_if(Condition::None),
            Opcode::PopJumpIfNotNone => jump_if(Condition::NotNone),
            Opcode::JumpForward => Kind::Jump(next + argument * 2),
            Opcode::ReturnConst | Opcode::ReturnValue => Kind::Returns,
            Opcode::RaiseVarargs | Opcode::Reraise => Kind::Raises,
            Opcode::Cache | Opcode::Nop | Opcode::NotTaken | Opcode::Resume | Opcode::ToBool => Kind::Passes,
            Opcode::CallIntrinsic1 | Opcode::ExtendedArg | Opcode::PushExcInfo | Opcode::WithExceptStart => {
                Kind::Other
            }
        }
    }
}

/// `INTRINSIC_IMPORT_STAR` (`Include/internal/pycore_intrinsics.h`).
const IMPORT_STAR: usize = 2;

/// `cmp_op` of `Lib/opcode.py`; from the seventh on of 3.8 alone.
fn compared(number: usize) -> Kind {
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
    OPERATORS.get(number).map_or(Kind::Other, |operator| Kind::Compare(*operator))
}

impl Dialect {
    /// Whether the handler at an offset is a `with`'s, which catches nothing.
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

/// The ranges of code whose exceptions are caught, from and to an offset in bytes: `parse_exception_table` of `Lib/dis.py`.
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
    // In units of two bytes; the last is the depth of the stack, and a mark.
    while let (Some(start), Some(len), Some(handler), Some(_)) = (number(), number(), number(), number()) {
        let end = start.saturating_add(len).saturating_mul(2);
        let start = start.saturating_mul(2);
        if dialect.belongs_to_with(code, handler.saturating_mul(2)) {
            continue;
        }
        // 3.14 leaves a NOT_TAKEN out of the range around it.
        let left_out = Some(Instruction { kind: Kind::Passes, next: start });
        match ranges.last_mut() {
            Some((_, to)) if last == Some(handler) && dialect.decode(code, *to) == left_out => *to = end,
            _ => ranges.push((start, end)),
        }
        last = Some(handler);
    }
    ranges
}
