//! The three functions of an image, in the machine code of its machine.
//!
//! All are leaves that keep to the calling convention without touching the
//! stack, so that they need no unwind data.

use super::Machine;
use super::section::Section;

/// The RVAs of the functions.
pub(super) struct Code {
    /// `return 0`: what every export and an executable's entry point do.
    pub(super) returns_zero: u32,
    /// A `DllMain` that returns `FALSE`.
    pub(super) refuses: u32,
    /// Writes to address 0: a `DllMain` that crashes, and where a delay import
    /// leads that no delay-load helper has bound.
    pub(super) faults: u32,
}

impl Code {
    pub(super) fn put(text: &mut Section, machine: Machine) -> Code {
        let [returns_zero, refuses, faults] = functions(machine).map(|code| {
            text.align(16);
            text.put(code)
        });
        Code { returns_zero, refuses, faults }
    }
}

fn functions(machine: Machine) -> [&'static [u8]; 3] {
    match machine {
        // DllMain is stdcall on x86: it takes its three arguments off the stack.
        Machine::X86 => [
            &[0x31, 0xc0, 0xc3],                   // xor eax, eax; ret
            &[0x31, 0xc0, 0xc2, 0x0c, 0x00],       // xor eax, eax; ret 12
            &[0x31, 0xc0, 0x89, 0x00, 0x0f, 0x0b], // xor eax, eax; mov [eax], eax; ud2
        ],
        Machine::X86_64 => [
            &[0x31, 0xc0, 0xc3],                   // xor eax, eax; ret
            &[0x31, 0xc0, 0xc3],                   // xor eax, eax; ret
            &[0x31, 0xc0, 0x89, 0x00, 0x0f, 0x0b], // xor eax, eax; mov [rax], eax; ud2
        ],
        Machine::Arm64 => [
            // mov w0, #0; ret
            &[0x00, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6],
            // mov w0, #0; ret
            &[0x00, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6],
            // mov x0, #0; str xzr, [x0]; brk #1
            &[0x00, 0x00, 0x80, 0xd2, 0x1f, 0x00, 0x00, 0xf9, 0x20, 0x00, 0x20, 0xd4],
        ],
    }
}
