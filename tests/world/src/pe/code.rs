//! The functions of an image, in machine code.
//!
//! All are leaf functions that follow the calling convention without using the stack, so that
//! they need no unwind data.

use super::Machine;
use super::section::Section;

/// The RVAs of the functions.
pub(super) struct Code {
    /// `return 0`: every export, and a program's entry point.
    pub(super) returns_zero: u32,
    /// A `DllMain` that returns `FALSE`.
    pub(super) refuses: u32,
    /// Writes to address 0: a `DllMain` that crashes, and the target of a delay import that no
    /// delay-load helper has bound.
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

    /// Appends a `DllMain` for x86_64 that calls through a slot of the import address table: see
    /// [`Code::lead_call_to`].
    pub(super) fn put_call(text: &mut Section) -> u32 {
        text.align(16);
        text.put(&[
            0x48, 0x83, 0xec, 0x28, // sub rsp, 40
            0xff, 0x15, 0x00, 0x00, 0x00, 0x00, // call [rip + 0]
            0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, 1
            0x48, 0x83, 0xc4, 0x28, // add rsp, 40
            0xc3, // ret
        ])
    }

    /// Reserves space for a function for x86_64 that makes one call with a literal for each of
    /// these names, and one more call.
    pub(super) fn reserve_initializer(text: &mut Section, names: &[String]) -> u32 {
        text.align(16);
        text.reserve(4 + 13 * (names.len() + 1) + 7).rva
    }

    /// Writes that function, given the RVAs of each call's slot and name.
    pub(super) fn fill_initializer(text: &mut Section, start: u32, calls: impl Iterator<Item = (u32, u32)>) {
        text.fill(start, &[0x48, 0x83, 0xec, 0x28]); // sub rsp, 40
        let mut at = start + 4;
        for (name, slot) in calls {
            text.fill(at, &[0x48, 0x8d, 0x0d]); // lea rcx, [rip + name]
            text.fill(at + 3, &name.wrapping_sub(at + 7).to_le_bytes());
            text.fill(at + 7, &[0xff, 0x15]); // call [rip + slot]
            text.fill(at + 9, &slot.wrapping_sub(at + 13).to_le_bytes());
            at += 13;
        }
        // xor eax, eax; add rsp, 40; ret
        text.fill(at, &[0x31, 0xc0, 0x48, 0x83, 0xc4, 0x28, 0xc3]);
    }

    /// Appends a `DllMain` for x86_64 that uses AVX.
    pub(super) fn put_avx(text: &mut Section) -> u32 {
        text.align(16);
        text.put(&[
            0xc5, 0xf8, 0x57, 0xc0, // vxorps xmm0, xmm0, xmm0
            0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, 1
            0xc3, // ret
        ])
    }

    /// Sets the slot that the function at `start` calls through. Both are RVAs.
    pub(super) fn lead_call_to(text: &mut Section, start: u32, slot: u32) {
        let next = start + 10;
        text.fill(start + 6, &slot.wrapping_sub(next).to_le_bytes());
    }
}

fn functions(machine: Machine) -> [&'static [u8]; 3] {
    match machine {
        // DllMain is stdcall on x86: it removes its three arguments from the stack.
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
        Machine::Arm64 | Machine::Arm64Ec | Machine::Arm64X => [
            // mov w0, #0; ret
            &[0x00, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6],
            // mov w0, #0; ret
            &[0x00, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6],
            // mov x0, #0; str xzr, [x0]; brk #1
            &[0x00, 0x00, 0x80, 0xd2, 0x1f, 0x00, 0x00, 0xf9, 0x20, 0x00, 0x20, 0xd4],
        ],
    }
}
