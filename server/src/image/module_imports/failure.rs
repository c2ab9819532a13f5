//! What happens to a result: whether it is that of a failed call, and what the code does then.

use super::called::Called;
use super::known::{Held, Known};
use super::{Walk, is_module_name};
use crate::image::code::{Destination, Instruction, Operation};

impl Walk<'_, '_> {
    /// Looks at the code that runs if an import has failed: it may clear the error, and import
    /// something else. Returns whether it is an `import` of a Cython module's own source that is
    /// handled so: of `import name`, which may refer to a module next to this one or to one
    /// without a package, both are possible.
    pub(super) fn look_at_failure(&mut self, at: u32, known: &Known) -> bool {
        /// The maximum number of instructions of x64 that are looked at.
        const MOST: u32 = 40;
        let Some(Held::Module(index)) = known.compared.map(|compared| compared.held) else { return false };
        let mut known = known.clone();
        let mut is_cleared = false;
        let mut other = None;
        let mut decoder = self.image.decoder(at);
        let mut instruction = Instruction::default();
        'code: for _ in 0..MOST * self.convention.instructions {
            let Some(next) = decoder.as_mut() else { break };
            if !next.decode(&mut instruction) {
                break;
            }
            self.left = self.left.saturating_sub(1);
            for operation in &instruction.operations {
                match *operation {
                    Operation::Invalid | Operation::Return | Operation::Breakpoint => break 'code,
                    Operation::Jump(Destination::Code(at)) => decoder = self.image.decoder(at),
                    Operation::Jump(_) => break 'code,
                    Operation::Call(target) => {
                        let called = self.called(target, &known);
                        match called {
                            Some(Called::Clear) => is_cleared = true,
                            Some(called) if called.imports() && is_cleared => {
                                other =
                                    self.name_of_import(called, &known).filter(|name| is_module_name(name));
                                break 'code;
                            }
                            // The error is replaced by another.
                            Some(Called::Raise) => break 'code,
                            _ => {}
                        }
                        known.follow_call(match called {
                            // The code expects this exception.
                            Some(Called::Matches) => Some(Held::Object),
                            Some(Called::Occurred) if is_cleared => Some(Held::Done),
                            Some(Called::Occurred) => Some(Held::Object),
                            _ => None,
                        });
                    }
                    // The result of the import itself decides nothing here: it has failed.
                    Operation::Branch(condition, to) => {
                        let answer =
                            known.compared.filter(|compared| !matches!(compared.held, Held::Module(_)));
                        if answer.and_then(|answer| answer.decides(condition)) == Some(true) {
                            decoder = self.image.decoder(to);
                        }
                    }
                    _ => known.follow(operation, &self.slots, false),
                }
            }
        }
        let Some(import) = self.imported.get_mut(index as usize) else { return false };
        import.may_fail |= is_cleared;
        if import.other.is_none() {
            import.other = other;
        }
        import.level.is_some() && is_cleared
    }
}
