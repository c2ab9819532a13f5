//! What becomes of a result: whether it is that of a call that has failed, and what code does then.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::called::Called;
use super::known::{Held, Known, Slots, number};
use super::{Walk, is_module_name};

/// The comparison of a result with a number, if the call has not failed.
pub(super) struct Compared {
    /// What the result is greater by.
    difference: i32,
    /// What was compared.
    held: Held,
}

impl Compared {
    /// `test reg, reg` and `cmp reg, number` of what a call gave; code that is not optimized has put it on the stack.
    pub fn of(instruction: &Instruction, known: &Known, slots: &Slots) -> Option<Compared> {
        let held = known.value(instruction, 0, slots)?;
        let other = match instruction.mnemonic() {
            Mnemonic::Test
                if instruction.op0_kind() == OpKind::Register
                    && instruction.op1_register() == instruction.op0_register() =>
            {
                0
            }
            Mnemonic::Cmp => match instruction.op1_kind() {
                OpKind::Register => match known.get(instruction.op1_register())? {
                    Held::Number(0) => 0,
                    _ => return None,
                },
                _ => number(instruction, 1)?,
            },
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

    /// Whether a jump is taken, if this decides it.
    pub fn decides(&self, jump: Mnemonic) -> Option<bool> {
        let difference = self.difference;
        Some(match jump {
            Mnemonic::Je => difference == 0,
            Mnemonic::Jne => difference != 0,
            // An address has no sign.
            _ if self.held != Held::Done => return None,
            Mnemonic::Js | Mnemonic::Jl => difference < 0,
            Mnemonic::Jns | Mnemonic::Jge => difference >= 0,
            Mnemonic::Jg => difference > 0,
            Mnemonic::Jle => difference <= 0,
            _ => return None,
        })
    }
}

impl Walk<'_, '_> {
    /// Looks at the code that runs if an import has failed: it may forget that, and import something else. True if it is an `import` of
    /// a Cython module's text that is followed so: of `import name`, meant for a module beside this one or for one without a package,
    /// both are perhaps.
    pub(super) fn look_at_failure(&mut self, compared: Option<&Compared>, at: u64, known: &Known) -> bool {
        const SOON: usize = 40;
        let Some(Held::Module(index)) = compared.map(|compared| compared.held) else { return false };
        let mut known = known.clone();
        let mut is_forgotten = false;
        let mut other = None;
        let mut at = at;
        let mut decoder = None;
        for _ in 0..SOON {
            let next =
                decoder.take().or_else(|| u32::try_from(at).ok().and_then(|at| self.image.decoder(at)));
            let Some(mut next) = next else { break };
            let instruction = next.decode();
            self.left = self.left.saturating_sub(1);
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Ret | Mnemonic::Int3 => break,
                Mnemonic::Jmp if instruction.op0_kind() == OpKind::NearBranch64 => {
                    at = instruction.near_branch_target();
                    continue;
                }
                Mnemonic::Jmp => break,
                Mnemonic::Call => {
                    let called = self.called(&instruction, &known);
                    match called {
                        Some(Called::Clear) => is_forgotten = true,
                        Some(called) if called.imports() && is_forgotten => {
                            other = self.name_of_import(called, &known).filter(|name| is_module_name(name));
                            break;
                        }
                        // The error is replaced by another.
                        Some(Called::Raise) => break,
                        _ => {}
                    }
                    known.follow_call();
                    // It is the exception that is waited for.
                    let matches = called == Some(Called::Matches);
                    known.set(Register::RAX, matches.then_some(Held::Object));
                }
                _ if instruction.is_jcc_short_or_near() => {}
                _ => known.follow(&instruction, &self.slots, false),
            }
            decoder = Some(next);
        }
        let Some(import) = self.imported.get_mut(index as usize) else { return false };
        import.may_fail |= is_forgotten;
        if import.other.is_none() {
            import.other = other;
        }
        import.level.is_some() && is_forgotten
    }
}
