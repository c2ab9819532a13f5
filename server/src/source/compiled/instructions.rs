//! The instructions of CPython 3.8 to 3.13 that decide what a module imports (`Lib/opcode.py` of each version).

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
    Import(usize),
    ImportFrom(usize),
    ImportStar,
    Constant(usize),
    Name(usize),
    /// A local variable of a function.
    Local(usize),
    Attribute(usize),
    Store(usize),
    StoreLocal(usize),
    Compare(CompareOp),
    Not,
    /// `inverted`: where the value is true.
    JumpIf {
        inverted: bool,
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

/// How one version of Python numbers its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    Of3_8,
    Of3_9,
    Of3_10,
    Of3_11,
    Of3_12,
    Of3_13,
}

impl Dialect {
    /// By the number that a `.pyc` begins with (`Lib/importlib/_bootstrap_external.py`, `MAGIC_NUMBER`).
    pub fn of(magic: u16) -> Option<Dialect> {
        Some(match magic {
            3410..=3419 => Dialect::Of3_8,
            3420..=3429 => Dialect::Of3_9,
            3430..=3449 => Dialect::Of3_10,
            3490..=3499 => Dialect::Of3_11,
            3530..=3549 => Dialect::Of3_12,
            3570..=3599 => Dialect::Of3_13,
            _ => return None,
        })
    }

    /// The instruction at an offset.
    pub fn decode(self, code: &[u8], mut at: usize) -> Option<Instruction> {
        let extended = if self == Dialect::Of3_13 { 71 } else { 144 };
        let mut argument = 0usize;
        for _ in 0..4 {
            let (&[opcode, low], next) = (code.get(at..)?.first_chunk()?, at + 2);
            argument = argument << 8 | usize::from(low);
            if opcode != extended {
                return Some(Instruction { kind: self.kind(opcode, argument, next), next });
            }
            at = next;
        }
        None
    }

    fn kind(self, opcode: u8, argument: usize, next: usize) -> Kind {
        if self == Dialect::Of3_13 {
            of_3_13(opcode, argument, next)
        } else {
            self.of_old(opcode, argument, next)
        }
    }

    fn of_old(self, opcode: u8, argument: usize, next: usize) -> Kind {
        let since = |version| self >= version;
        let unit = if since(Dialect::Of3_10) { 2 } else { 1 };
        let forward = next + argument * unit;
        // Jumps under a condition tell how far since 3.11, and where to before.
        let target = if since(Dialect::Of3_11) { forward } else { argument * unit };
        match opcode {
            108 => Kind::Import(argument),
            109 => Kind::ImportFrom(argument),
            84 if !since(Dialect::Of3_12) => Kind::ImportStar,
            173 if since(Dialect::Of3_12) && argument == IMPORT_STAR => Kind::ImportStar,
            100 => Kind::Constant(argument),
            101 => Kind::Name(argument),
            116 if since(Dialect::Of3_11) => Kind::Name(argument >> 1),
            116 => Kind::Name(argument),
            124 => Kind::Local(argument),
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
            114 => Kind::JumpIf { inverted: false, target },
            115 => Kind::JumpIf { inverted: true, target },
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

fn of_3_13(opcode: u8, argument: usize, next: usize) -> Kind {
    // A jump under a condition has a cache behind it, from whose end it counts.
    let target = next + 2 + argument * 2;
    match opcode {
        75 => Kind::Import(argument),
        74 => Kind::ImportFrom(argument),
        55 if argument == IMPORT_STAR => Kind::ImportStar,
        83 => Kind::Constant(argument),
        92 => Kind::Name(argument),
        91 => Kind::Name(argument >> 1),
        85 => Kind::Local(argument),
        82 => Kind::Attribute(argument >> 1),
        113 | 114 => Kind::Store(argument),
        110 => Kind::StoreLocal(argument),
        58 => compared(argument >> 5),
        76 => Kind::Compare(if argument == 0 { CompareOp::Is } else { CompareOp::IsNot }),
        59 => Kind::Compare(if argument == 0 { CompareOp::In } else { CompareOp::NotIn }),
        43 => Kind::Not,
        97 => Kind::JumpIf { inverted: false, target },
        100 => Kind::JumpIf { inverted: true, target },
        79 => Kind::Jump(next + argument * 2),
        36 | 103 => Kind::Returns,
        101 | 102 => Kind::Raises,
        // CACHE, NOP, RESUME, TO_BOOL
        0 | 30 | 149 | 40 => Kind::Passes,
        _ => Kind::Other,
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
        // PUSH_EXC_INFO and WITH_EXCEPT_START
        let begins = if self == Dialect::Of3_13 { (33, 44) } else { (35, 49) };
        let opcodes = code.get(handler..).and_then(|code| code.first_chunk());
        opcodes.is_some_and(|&[first, _, second, _]| (first, second) == begins)
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
    let mut ranges = Vec::new();
    // In units of two bytes; the last is the depth of the stack, and a mark.
    while let (Some(start), Some(len), Some(handler), Some(_)) = (number(), number(), number(), number()) {
        let end = start.saturating_add(len).saturating_mul(2);
        if !dialect.belongs_to_with(code, handler.saturating_mul(2)) {
            ranges.push((start.saturating_mul(2), end));
        }
    }
    ranges
}
