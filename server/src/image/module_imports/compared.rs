//! Comparisons, as far as their outcome is known.

use super::known::Held;
use crate::image::code::BranchCondition;

/// The comparison of a value with a number.
#[derive(Clone, Copy)]
pub(super) struct Compared {
    /// The difference between the value and the number: that of a result if the call has succeeded.
    difference: i64,
    /// The value that was compared.
    pub held: Held,
}

impl Compared {
    /// Compares a value with another one.
    pub fn of(held: Held, other: Held) -> Option<Compared> {
        let Held::Number(other) = other else { return None };
        let difference = match held {
            Held::Number(number) => number.checked_sub(other)?,
            Held::Done => other.checked_neg()?,
            Held::Object | Held::Module(_) | Held::Text(..) | Held::Names(_) if other == 0 => 1,
            _ => return None,
        };
        Some(Compared { difference, held })
    }

    /// Whether a branch is taken that depends on whether a call has succeeded.
    pub fn decides(self, condition: BranchCondition) -> Option<bool> {
        // Numbers count the iterations of a loop, of which the first one is followed.
        if matches!(self.held, Held::Number(_)) { None } else { self.fulfills(condition) }
    }

    /// Whether the condition is fulfilled.
    pub fn fulfills(self, condition: BranchCondition) -> Option<bool> {
        let difference = self.difference;
        Some(match condition {
            BranchCondition::Equal => difference == 0,
            BranchCondition::NotEqual => difference != 0,
            // An address has no sign.
            _ if !matches!(self.held, Held::Done | Held::Number(_)) => return None,
            BranchCondition::Negative | BranchCondition::Less => difference < 0,
            BranchCondition::NotNegative | BranchCondition::GreaterOrEqual => difference >= 0,
            BranchCondition::Greater => difference > 0,
            BranchCondition::LessOrEqual => difference <= 0,
            BranchCondition::Other => return None,
        })
    }
}
