//! Which extensions of the x64 instruction set an image needs to start.

use std::collections::BTreeSet;

use iced_x86::{CpuidFeature, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};
use rustc_hash::FxHashSet;

use super::code::LONGEST_PIECE;
use super::start::MOST_INSTRUCTIONS;
use super::{Image, ImageError, Machine};

/// The extensions that compilers can be allowed to use, by their names in Rust and LLVM. Every x64
/// processor has the older ones, and no program requires newer ones of all processors.
const INSTRUCTION_SETS: [(CpuidFeature, &str); 12] = [
    (CpuidFeature::SSE3, "sse3"),
    (CpuidFeature::SSSE3, "ssse3"),
    (CpuidFeature::SSE4_1, "sse4.1"),
    (CpuidFeature::SSE4_2, "sse4.2"),
    (CpuidFeature::POPCNT, "popcnt"),
    (CpuidFeature::AVX, "avx"),
    (CpuidFeature::AVX2, "avx2"),
    (CpuidFeature::FMA, "fma"),
    (CpuidFeature::F16C, "f16c"),
    (CpuidFeature::BMI1, "bmi1"),
    (CpuidFeature::BMI2, "bmi2"),
    (CpuidFeature::MOVBE, "movbe"),
];

/// The names that [`Image::instructions_at_start`] can return.
pub fn instruction_sets() -> impl Iterator<Item = &'static str> {
    INSTRUCTION_SETS.iter().map(|(_, name)| *name)
}

impl Image<'_> {
    /// Returns the extensions without which the image cannot start: those of the instructions in its
    /// entry point, in the initializers of global objects that it passes to the C runtime, and in
    /// the functions that those call, each up to its first condition. Code that asks the processor
    /// for its features has to branch on the answer, so nothing behind a condition counts. A call
    /// that doesn't return ends the start as well.
    ///
    /// # Errors
    /// As [`Image::calls_at_start`].
    pub fn instructions_at_start(&self) -> Result<BTreeSet<String>, ImageError> {
        let mut needed = BTreeSet::new();
        if self.machine() != Machine::X64 {
            return Ok(needed);
        }
        let mut open = self.functions_at_start()?;
        let mut seen = FxHashSet::default();
        let mut left = MOST_INSTRUCTIONS;
        while let Some(at) = open.pop() {
            let code = self.memory.stored(at, LONGEST_PIECE, "code");
            let Some(code) = code.ok().filter(|_| seen.insert(at)) else { continue };
            let mut decoder = Decoder::with_ip(64, code, at.into(), DecoderOptions::NONE);
            let mut instruction = Instruction::default();
            while decoder.can_decode() && left > 0 {
                left -= 1;
                decoder.decode_out(&mut instruction);
                let target = u32::try_from(instruction.near_branch_target());
                match instruction.flow_control() {
                    FlowControl::Next | FlowControl::IndirectCall => {}
                    FlowControl::Call => open.extend(target),
                    FlowControl::UnconditionalBranch => {
                        open.extend(target);
                        break;
                    }
                    _ => break,
                }
                // An older processor takes it for another instruction.
                if instruction.mnemonic() == Mnemonic::Tzcnt {
                    continue;
                }
                for feature in instruction.cpuid_features() {
                    let named = INSTRUCTION_SETS.iter().find(|(known, _)| known == feature);
                    needed.extend(named.map(|(_, name)| (*name).to_owned()));
                }
            }
        }
        Ok(needed)
    }
}
