//! The trace of a program: the events in order, and the loads that failed.

use std::fmt;

use rustc_hash::FxHashSet;

use super::Plan;
use crate::cpython::LoadError;
use crate::host::WinPath;

/// What happened so far.
#[derive(Default)]
pub(super) struct Trace {
    pub steps: Vec<Step>,
    /// The unknown events that were already reported, and where.
    reported: FxHashSet<(Event, Place)>,
    pub failures: Vec<LoadFailure>,
}

impl Trace {
    /// Adds an event. An unknown one is reported once, however often its statement runs.
    fn record(&mut self, step: Step) {
        if step.event.is_known() || self.reported.insert((step.event.clone(), step.at.clone())) {
            self.steps.push(step);
        }
    }
}

/// A native load that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadFailure {
    /// The target of the load: a full path, or a bare name for ctypes.
    pub target: String,
    /// The kind of load.
    pub kind: LoadKind,
    /// The statement that loads it.
    pub at: Place,
    /// The reason for the failure.
    pub error: LoadError,
    /// The message that Python prints.
    pub sentence: String,
    /// Whether the load is under an unknown condition and may never happen, or may not fail after
    /// all.
    pub uncertain: bool,
    /// The statement that adds an unknown directory, which may contain the missing file.
    pub doubt: Option<Place>,
}

/// The kind of a native load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadKind {
    /// `import` of an extension module.
    Extension,
    /// `ctypes`.
    Ctypes,
    /// No load: the program checks whether the file exists, and gives up if it doesn't.
    FileCheck,
}

/// A file and a 1-based line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The Python file, or `None` for the program that makes the request.
    pub file: Option<WinPath>,
    /// 1-based.
    pub line: u32,
}

/// An event during an import.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The event.
    pub event: Event,
    /// The statement that caused it.
    pub at: Place,
    /// Whether it is under an unknown condition and may never happen.
    pub uncertain: bool,
    /// Whether an enclosing `try` statement, in any frame, catches ImportError or every exception.
    pub guarded: bool,
    /// Whether it is in a loop over unknown values, such as `for dll in glob(…)`.
    pub repeated: bool,
}

/// The kinds of events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A Python module begins to run.
    Module {
        /// The dotted name of the module.
        name: String,
        /// The path of the file that contains its code.
        path: WinPath,
    },
    /// An extension module is loaded.
    Extension {
        /// The dotted name of the module.
        name: String,
        /// The path of the file of the extension module.
        path: WinPath,
        /// Whether the load succeeds.
        loaded: bool,
    },
    /// A library is loaded by ctypes.
    Library {
        /// The name or path that is passed to ctypes.
        name: String,
        /// Whether the load succeeds.
        loaded: bool,
    },
    /// `os.add_dll_directory`
    DirectoryAdded(WinPath),
    /// A load whose target or search path can't be determined from the source.
    UnknownLoad(String),
    /// Something else that was not followed.
    Unknown(String),
    /// A module that isn't found anywhere. It may be created at run time.
    NotFound(String),
}

impl Event {
    /// Whether it is known what happens.
    fn is_known(&self) -> bool {
        !matches!(self, Event::UnknownLoad(_) | Event::Unknown(_) | Event::NotFound(_))
    }

    /// Whether this is a failed load of `target`.
    pub(super) fn is_failed_load_of(&self, target: &str) -> bool {
        match self {
            Event::Extension { path, loaded: false, .. } => path.as_str() == target,
            Event::Library { name, loaded: false } => name == target,
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}", file.file_name(), self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

impl Plan<'_> {
    /// Records an event.
    pub(super) fn step(&mut self, event: Event, at: &Place) {
        // Storing a step costs more than looking at one.
        self.spend_many(100);
        if event.is_known() {
            self.extend_call_limit();
        }
        let step = Step {
            event,
            at: at.clone(),
            uncertain: self.execution.uncertain > 0,
            guarded: self.absence_is_expected(),
            repeated: self.execution.unknown_loops > 0,
        };
        self.trace.record(step);
    }

    /// Records a failed load and returns its index.
    pub(super) fn failed(&mut self, failure: LoadFailure) -> usize {
        self.spend_many(5_000);
        self.trace.failures.push(failure);
        self.trace.failures.len() - 1
    }
}
