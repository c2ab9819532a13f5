//! What happens to a result: whether it is that of a failed call, and what the code does then.

use super::called::Called;
use super::known::{Held, Known, Slots};
use super::{Walk, is_module_name};
use crate::image::code::{Condition, Instruction, Operation, Target, Value};

/// The comparison of a result with a number, if the call has succeeded.
pub(super) struct Compared {
    /// The difference between the result and the number.
    difference: i32,
    /// What was compared.
    held: Held,
}

impl Compared {
    /// Evaluates the comparison of two values. Unoptimized code has put the result on the stack.
    pub fn of(left: Value, right: Value, known: &Known, slots: &Slots) -> Option<Compared> {
        let held = known.value(left, slots)?;
        let other = match right {
            Value::Number(number) => number,
            Value::Register(register) if known.get(register) == Some(Held::Number(0)) => 0,
            _ => return None,
        };
        match held {
            Held::Done => Some(Compared { difference: other.checked_neg()?, held }),
            Held::Object | Held::Module(_) | Held::Text(..) | Held::Names(_) if other == 0 => {
                Some(Compared { difference: 1, held })
            }
            _ => None,
        }
    }

    /// Whether a branch is taken, if this decides it.
    pub fn decides(&self, condition: Condition) -> Option<bool> {
        let difference = self.difference;
        Some(match condition {
            Condition::Equal => difference == 0,
            Condition::NotEqual => difference != 0,
            // An address has no sign.
            _ if self.held != Held::Done => return None,
            Condition::Negative | Condition::Less => difference < 0,
            Condition::NotNegative | Condition::GreaterOrEqual => difference >= 0,
            Condition::Greater => difference > 0,
            Condition::LessOrEqual => difference <= 0,
            Condition::Other => return None,
        })
    }
}

impl Walk<'_, '_> {
    /// Looks at the code that runs if an import has failed: it may clear the error, and import
    /// something else. Returns whether it is an `import` of a Cython module's own source that is
    /// handled so: of `import name`, which may refer to a module next to this one or to one
    /// without a package, both are possible.
    pub(super) fn look_at_failure(&mut self, compared: Option<&Compared>, at: u32, known: &Known) -> bool {
        /// The maximum number of instructions that are looked at.
        const MOST: usize = 40;
        let Some(Held::Module(index)) = compared.map(|compared| compared.held) else { return false };
        let mut known = known.clone();
        let mut is_cleared = false;
        let mut other = None;
        let mut decoder = self.image.decoder(at);
        let mut instruction = Instruction::default();
        'code: for _ in 0..MOST {
            let Some(next) = decoder.as_mut() else { break };
            if !next.decode(&mut instruction) {
                break;
            }
            self.left = self.left.saturating_sub(1);
            for operation in &instruction.operations {
                match *operation {
                    Operation::Invalid | Operation::Return | Operation::Breakpoint => break 'code,
                    Operation::Jump(Target::Code(at)) => decoder = self.image.decoder(at),
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
                        // The code expects this exception.
                        let matches = called == Some(Called::Matches);
                        known.follow_call(matches.then_some(Held::Object));
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
