//! The processors that an image can be for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The processor that an image's code is for. Displayed and serialized as `x86_64`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Machine {
    /// 32-bit Intel and AMD.
    X86,
    /// 64-bit Intel and AMD.
    X64,
    /// 64-bit ARM.
    Arm64,
    /// 64-bit ARM code that x64 processes can call. The header says [`Machine::X64`].
    Arm64Ec,
    /// Code for both ARM64 and ARM64EC. The header says [`Machine::Arm64`].
    Arm64X,
    /// 32-bit ARM (Thumb-2, which "PE Format" calls ARMNT).
    Arm,
    /// Any other processor, by the value of the header's machine field.
    Other(u16),
}

impl Machine {
    /// Converts a header's machine field, by the table "Machine Types" in "PE Format".
    pub fn from_header(field: u16) -> Machine {
        match field {
            0x014c => Machine::X86,
            0x8664 => Machine::X64,
            0xaa64 => Machine::Arm64,
            0xa641 => Machine::Arm64Ec,
            0x01c4 => Machine::Arm,
            other => Machine::Other(other),
        }
    }

    /// Whether a Windows for this machine runs programs for another. Windows on ARM64 emulates x86
    /// and, since Windows 11, x64 (Microsoft, "How emulation works on Arm").
    pub fn runs(self, program: Machine) -> bool {
        match (self, program) {
            (Machine::X64, Machine::X86) => true,
            (Machine::Arm64, Machine::X86 | Machine::X64 | Machine::Arm64Ec) => true,
            _ => self == program,
        }
    }

    /// Returns a human-readable description: "64-bit (x64)".
    pub fn words(self) -> &'static str {
        match self {
            Machine::X86 => "32-bit (x86)",
            Machine::X64 => "64-bit (x64)",
            Machine::Arm64 => "ARM64",
            Machine::Arm64Ec => "ARM64EC (ARM64 code for x64 processes)",
            Machine::Arm64X => "ARM64X (ARM64 code for ARM64 and x64 processes)",
            Machine::Arm => "32-bit ARM",
            Machine::Other(_) => "an unknown processor",
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Machine::X86 => f.write_str("x86"),
            Machine::X64 => f.write_str("x86_64"),
            Machine::Arm64 => f.write_str("arm64"),
            Machine::Arm64Ec => f.write_str("arm64ec"),
            Machine::Arm64X => f.write_str("arm64x"),
            Machine::Arm => f.write_str("arm"),
            Machine::Other(field) => write!(f, "machine {field:#06x}"),
        }
    }
}

impl From<Machine> for String {
    fn from(machine: Machine) -> String {
        machine.to_string()
    }
}

impl TryFrom<String> for Machine {
    type Error = String;

    /// The inverse of `Display`.
    fn try_from(name: String) -> Result<Machine, String> {
        use Machine::{Arm, Arm64, Arm64Ec, Arm64X, X64, X86};
        [X86, X64, Arm64, Arm64Ec, Arm64X, Arm]
            .into_iter()
            .find(|machine| machine.to_string() == name)
            .or_else(|| {
                let digits = name.strip_prefix("machine 0x")?;
                u16::from_str_radix(digits, 16).ok().map(Machine::Other)
            })
            .ok_or_else(|| format!("unknown machine {name:?}"))
    }
}
