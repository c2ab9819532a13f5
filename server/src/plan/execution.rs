//! The state of the interpreter itself: the code that is being followed, the conditions around it,
//! and the limits.

use std::rc::Weak;

use super::frame::Catches;
use super::objects::{Class, Instance};
use super::{Event, Place, Plan};
use crate::host::WinPath;
use crate::source::{Function, Name};

/// The maximum number of steps, about ten times what the largest packages need. It stops programs
/// that are written to keep the analysis busy. Tests, which run unoptimized, use a lower limit.
const BUDGET: u64 = if cfg!(test) { 3_000_000 } else { 50_000_000 };

/// The maximum number of statements and expressions that a module's call may take until it loads
/// something, not counting those of the modules that it imports. Calls that take more, such as
/// those that generate documentation or register operators, load nothing.
const MAX_CALL_STEPS: u64 = 60_000;

/// The code that is being followed.
pub(super) struct Execution {
    /// The number of unknown conditions around the current statement.
    pub uncertain: u32,
    /// The number of loops over unknown values around the current statement.
    pub unknown_loops: u32,
    /// The exceptions that the enclosing `try` statements of all frames catch, outermost first.
    pub active_handlers: Vec<Catches>,
    /// The number of statements and expressions that may still be followed.
    pub budget: u64,
    /// The value of the budget at which the current call of a module is abandoned.
    pub call_ends_at: Option<u64>,
    /// Whether the end of the budget was reported.
    pub gave_up: bool,
    /// The number of values created so far that contain other values.
    pub nested: u32,
    pub depth: u32,
    /// Whether the code that runs before the program has run.
    pub started: bool,
    /// The names that are being looked up by `__getattr__`, outermost first.
    pub getattr_in_progress: Vec<(*const (), Name)>,
    /// All objects and classes that were created. They may form reference cycles.
    pub instances: Vec<Weak<Instance>>,
    pub classes: Vec<Weak<Class>>,
    /// The running functions, outermost first, each with the file of its caller.
    pub running: Vec<(*const Function, Option<WinPath>)>,
}

impl Default for Execution {
    fn default() -> Execution {
        Execution {
            uncertain: 0,
            unknown_loops: 0,
            active_handlers: Vec::new(),
            budget: BUDGET,
            call_ends_at: None,
            gave_up: false,
            nested: 0,
            depth: 0,
            started: false,
            getattr_in_progress: Vec::new(),
            instances: Vec::new(),
            classes: Vec::new(),
            running: Vec::new(),
        }
    }
}

/// Breaks the reference cycles between objects and classes.
impl Drop for Execution {
    fn drop(&mut self) {
        self.instances.iter().filter_map(Weak::upgrade).for_each(|instance| instance.clear());
        self.classes.iter().filter_map(Weak::upgrade).for_each(|class| class.clear());
    }
}

impl Plan<'_> {
    /// Whether the current call has exceeded its limit.
    pub(super) fn is_over_limit(&self) -> bool {
        self.execution.call_ends_at.is_some_and(|end| self.execution.budget <= end)
    }

    /// Follows a call that a module makes while it is imported. A call that takes too long is
    /// abandoned: a parser or code generator that runs at import would otherwise use up the budget.
    pub(super) fn within_limit<T>(&mut self, place: &Place, call: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.execution.call_ends_at;
        if outer.is_none() {
            self.execution.call_ends_at = Some(self.execution.budget.saturating_sub(MAX_CALL_STEPS));
        }
        let result = call(self);
        if outer.is_none() && self.is_over_limit() {
            self.step(Event::Unknown("this call takes too long to follow".to_owned()), place);
        }
        self.execution.call_ends_at = outer;
        result
    }

    /// Restarts the limit of the current call: code that loads something is worth following
    /// further.
    pub(super) fn extend_call_limit(&mut self) {
        if self.execution.call_ends_at.is_some() && !self.is_over_limit() {
            self.execution.call_ends_at = Some(self.execution.budget.saturating_sub(MAX_CALL_STEPS));
        }
    }

    /// Takes one step from the budget. Returns false if none is left.
    pub(super) fn spend(&mut self) -> bool {
        self.spend_many(1);
        self.execution.budget > 0
    }

    pub(super) fn spend_many(&mut self, steps: u64) {
        self.execution.budget = self.execution.budget.saturating_sub(steps);
    }
}
