//! Reading a function from its first instruction to its last.

use std::ops::ControlFlow;

use rustc_hash::FxHashMap;

use super::Walk;
use super::known::Known;
use crate::image::code::{Instruction, Operation};

impl Walk<'_, '_> {
    /// Visits the operations of a function in the order of their addresses, up to a maximum number of
    /// instructions of x64, with what is known before each. What is known behind a jump or a return is what
    /// was known at a branch to there. `visit` follows calls itself.
    ///
    /// Returns what `visit` breaks with. Returns `None` at the end of the code.
    pub(super) fn scan<T>(
        &mut self,
        start: u32,
        most: u32,
        mut visit: impl FnMut(&mut Self, &Operation, &mut Known) -> ControlFlow<T>,
    ) -> Option<T> {
        let mut decoder = self.image.decoder(start)?;
        let mut known = Known::with_arguments(self.convention);
        let mut branches: FxHashMap<u32, Known> = FxHashMap::default();
        let mut instruction = Instruction::default();
        let mut runs_on = true;
        for _ in 0..most * self.convention.instructions {
            if self.left == 0 || !decoder.decode(&mut instruction) {
                break;
            }
            self.left -= 1;
            if let Some(branched) = branches.remove(&instruction.at)
                && !runs_on
            {
                known = branched;
            }
            runs_on = true;
            for operation in &instruction.operations {
                if let ControlFlow::Break(found) = visit(self, operation, &mut known) {
                    return Some(found);
                }
                match *operation {
                    Operation::Invalid | Operation::Breakpoint => return None,
                    Operation::Branch(_, to) if to > instruction.at => {
                        branches.entry(to).or_insert_with(|| known.clone());
                    }
                    Operation::Jump(_) | Operation::Return => runs_on = false,
                    _ => known.follow(operation, &self.slots, false),
                }
            }
        }
        None
    }
}
