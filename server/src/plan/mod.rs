//! The load plan: follows the Python code of an imported package, statement by statement, and makes
//! each load in the simulated process as soon as it is reached, because `except ImportError`
//! decides what is imported next.
//!
//! Nothing is executed. [`Plan::import`] walks module-level code with the values that are known
//! (`sys.platform`, paths, tables of names). If a condition is unknown, both branches run, and a
//! failure in such a branch proves nothing. No rule here depends on the name of a package.

mod calls;
mod definitions;
mod doubt;
mod evaluate;
mod exceptions;
mod exec;
mod frame;
mod import;
mod import_statement;
mod lazy_import;
mod objects;
mod prefetch;
mod program_checks;
mod six;
mod standard;
mod startup;
#[cfg(test)]
mod tests;
mod value;
mod walk;

use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::{Rc, Weak};

use crate::cpython::{Finder, Found, IMPORTED_AT_START, Inaccessible, Interpreter, LoadError, offered_by};
use crate::host::WinPath;
use crate::source::{Function, Name, NewerSyntax, Stmt};

use frame::Frame;
use value::{Exception, ModuleRef, Value};

/// A program that imports, in a simulated interpreter.
pub struct Plan<'e> {
    interpreter: Interpreter<'e>,
    finder: Finder<'e>,
    /// The imported modules (`sys.modules`), by dotted name.
    modules: FxHashMap<Name, ModuleRef>,
    /// Modules that were removed from `sys.modules`, most of them because they failed.
    failed_modules: Vec<ModuleRef>,
    sys_path: Vec<WinPath>,
    /// Environment variables that were set to an unknown value.
    unknown_variables: FxHashSet<String>,
    /// Directories that were added although the source doesn't show which ones.
    unknown_directories: Vec<doubt::UnknownDirectory>,
    /// The case-folded names of the DLLs in the environment's directories, collected once.
    native_names: Option<FxHashSet<String>>,
    /// The value that `ctypes.get_last_error` returns.
    last_error: u32,
    /// Native files that distributions record as installed, read once.
    recorded: Option<std::collections::HashSet<String>>,
    /// Native files that the program looked for without finding them.
    missing_native_files: Vec<WinPath>,
    /// Names and versions of installed distributions that the program queried.
    requested_versions: Vec<(Name, Name)>,
    steps: Vec<Step>,
    /// The unknown events that were already reported, and where.
    unknown: FxHashSet<(Event, Place)>,
    failures: Vec<LoadFailure>,
    /// The number of unknown conditions around the current statement.
    uncertain: u32,
    /// The number of loops over unknown values around the current statement.
    unknown_loops: u32,
    /// The exceptions that the enclosing `try` statements of all frames catch, outermost first.
    active_handlers: Vec<frame::Catches>,
    /// The number of statements and expressions that may still be followed.
    budget: u64,
    /// The value of the budget at which the current call of a module is abandoned.
    call_ends_at: Option<u64>,
    /// Whether the end of the budget was reported.
    gave_up: bool,
    /// The number of values created so far that contain other values.
    nested: u32,
    depth: u32,
    /// Whether the code that runs before the program has run.
    started: bool,
    /// Whether `platform` has determined the machine, which it does only once.
    uname_is_cached: bool,
    /// The modules that each `six` module provides, by its name. `None` for a module that isn't a
    /// `six`.
    moved: FxHashMap<String, Option<six::Moved>>,
    /// The state of lazy imports.
    lazy: lazy_import::LazyState,
    /// The names that are being looked up by `__getattr__`, outermost first.
    getattr_in_progress: Vec<(*const (), Name)>,
    /// All objects and classes that were created. They may form reference cycles.
    instances: Vec<Weak<objects::Instance>>,
    classes: Vec<Weak<objects::Class>>,
    /// The running functions, outermost first, each with the file of its caller.
    running: Vec<(*const Function, Option<WinPath>)>,
    /// The import that was requested, and the prefetcher that reads ahead for it.
    requested: String,
    prefetcher: Option<prefetch::Prefetcher>,
}

/// The maximum number of steps, about ten times what the largest packages need. It stops programs
/// that are written to keep the analysis busy. Tests, which run unoptimized, use a lower limit.
const BUDGET: u64 = if cfg!(test) { 3_000_000 } else { 50_000_000 };

/// The result of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The failure, or `None` if the import works as far as is known.
    pub error: Option<ImportFailure>,
}

/// An import that fails.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportFailure {
    /// The last line that Python prints: `ImportError: …`.
    pub sentence: String,
    /// A native file that its distribution installed, and that the program looked for without
    /// finding it.
    pub missing_recorded_file: Option<WinPath>,
    /// Distributions that the program refuses to be installed together, if that is the reason.
    pub conflicting_distributions: Vec<String>,
    /// The syntax that this Python is too old to compile.
    pub newer_syntax: Option<NewerSyntax>,
    /// The loads that caused the failure, as indices into [`Plan::failures`], root cause first.
    pub loads: Vec<usize>,
    /// The module that was not found, if that caused the failure.
    pub missing: Option<MissingModule>,
    /// The files and lines from the statement that failed up to the requested import.
    pub trace: Vec<(WinPath, u32)>,
}

/// A missing module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingModule {
    /// The dotted name.
    pub name: String,
    /// The file that would provide the module in another version of Python.
    pub for_other_python: Option<WinPath>,
    /// The missing file that a distribution records as installed.
    pub recorded: Option<WinPath>,
    /// The module's file or directory that Python can't access.
    pub inaccessible: Option<Inaccessible>,
}

impl MissingModule {
    /// Whether nothing indicates where the module should be.
    pub fn is_unknown(&self) -> bool {
        self.for_other_python.is_none() && self.recorded.is_none() && self.inaccessible.is_none()
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

/// The value of a module attribute after the module has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// `True`, `False`
    Bool(bool),
    /// A string.
    Str(String),
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
    /// Whether this is a failed load of `target`.
    fn is_failed_load_of(&self, target: &str) -> bool {
        match self {
            Event::Extension { path, loaded: false, .. } => path.as_str() == target,
            Event::Library { name, loaded: false } => name == target,
            _ => false,
        }
    }
}

impl<'e> Plan<'e> {
    /// Creates a program that has not imported anything yet.
    pub fn new(interpreter: Interpreter<'e>, finder: Finder<'e>) -> Plan<'e> {
        let entries = &interpreter.environment.sys_path;
        let sys_path = entries.iter().map(|entry| entry.path.clone()).collect();
        Plan {
            lazy: lazy_import::LazyState::of(&interpreter),
            interpreter,
            finder,
            modules: FxHashMap::default(),
            failed_modules: Vec::new(),
            sys_path,
            unknown_variables: FxHashSet::default(),
            unknown_directories: Vec::new(),
            native_names: None,
            last_error: 0,
            recorded: None,
            missing_native_files: Vec::new(),
            requested_versions: Vec::new(),
            steps: Vec::new(),
            unknown: FxHashSet::default(),
            failures: Vec::new(),
            uncertain: 0,
            unknown_loops: 0,
            active_handlers: Vec::new(),
            budget: BUDGET,
            call_ends_at: None,
            gave_up: false,
            nested: 0,
            depth: 0,
            started: false,
            uname_is_cached: false,
            moved: FxHashMap::default(),
            getattr_in_progress: Vec::new(),
            instances: Vec::new(),
            classes: Vec::new(),
            running: Vec::new(),
            requested: String::new(),
            prefetcher: None,
        }
    }

    /// Starts the program in `file`, as `python FILE` does: `folder`, if any, becomes the first
    /// entry of `sys.path` once site.py has run (`pymain_run_python` in Modules/main.c).
    pub fn begin(&mut self, folder: Option<&WinPath>, file: Option<&WinPath>) {
        self.start_up();
        if let Some(folder) = folder {
            let offered = self.interpreter.process.host().files.folder(folder);
            let offered = offered.map(|listing| offered_by(&listing)).unwrap_or_default();
            for name in IMPORTED_AT_START.into_iter().filter(|name| offered.contains(*name)) {
                let _ = self.import_dotted(name, &Place { file: None, line: 0 });
            }
            self.sys_path.insert(0, folder.clone());
        }
        let program = self.add_module("__main__", None, None, false);
        if let Some(file) = file {
            program.set("__file__", Value::str(file.as_str()));
        }
    }

    /// Follows the statements that a program executes before the requested import. A statement that
    /// fails doesn't stop those after it. May be called again with further statements.
    pub fn run(&mut self, statements: &[Stmt]) {
        if statements.is_empty() {
            return;
        }
        self.start_up();
        let program = self.modules.get("__main__").cloned();
        let program = program.unwrap_or_else(|| self.add_module("__main__", None, None, false));
        let mut frame = Frame::of_module(program);
        for stmt in statements {
            let _ = self.block(std::slice::from_ref(stmt), &mut frame);
        }
    }

    /// Follows `import name` (dotted).
    pub fn import(&mut self, name: &str) -> Imported {
        self.start_up();
        let place = Place { file: None, line: 1 };
        self.requested = name.to_owned();
        let error = self.import_dotted(name, &place).err();
        self.prefetcher = None;
        Imported { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Follows the second part of `from module import name`, once `module` is imported: imports a
    /// submodule or calls `__getattr__`.
    pub fn import_from_module(&mut self, module: &str, name: &Name) -> Imported {
        let place = Place { file: None, line: 1 };
        self.requested = format!("{module}.{name}");
        let error = self.modules.get(module).cloned().and_then(|source| {
            let frame = Frame::of_module(source.clone());
            self.within_limit(&place, |plan| plan.import_name(&source, name, &frame, &place)).err()
        });
        Imported { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Follows an access to an attribute of a module that is already imported: `module.name`.
    pub fn access(&mut self, module: &str, name: &Name) -> Imported {
        let place = Place { file: None, line: 1 };
        self.requested = format!("{module}.{name}");
        let error = self.modules.get(module).cloned().and_then(|module| {
            self.within_limit(&place, |plan| plan.lazy_attribute(&module, name, &place)).err()
        });
        Imported { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Whether the imported module `module` lacks this name so far, and may get it from a
    /// submodule, its `__getattr__`, or a lazy import.
    pub fn may_gain_attribute(&self, module: &str, name: &str) -> bool {
        let may_be_submodule = |module: &ModuleRef| !module.has(name) && self.submodule_exists(module, name);
        self.may_gain_attribute_lazily(module, name) || self.modules.get(module).is_some_and(may_be_submodule)
    }

    /// Whether the imported module `module` lacks this name so far, and may get it from its
    /// `__getattr__` or a lazy import.
    pub fn may_gain_attribute_lazily(&self, module: &str, name: &str) -> bool {
        self.modules.get(module).is_some_and(|module| match module.get(name) {
            Some(value) => matches!(value, Value::Lazy(_)),
            None => matches!(module.get("__getattr__"), Some(Value::Function(_))),
        })
    }

    /// Finds a top-level module on the program's current `sys.path`.
    pub fn find(&self, name: &str) -> Found {
        self.finder.top_level(name, &self.sys_path)
    }

    /// Returns the events so far, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the names of the top-level modules that were looked up on `sys.path` so far, see
    /// [`Finder::searched_modules`].
    pub fn searched_modules(&self) -> std::collections::BTreeSet<String> {
        self.finder.searched_modules()
    }

    /// Returns the native loads that have failed so far.
    pub fn failures(&self) -> &[LoadFailure] {
        &self.failures
    }

    /// Returns the value of a name in the module `module` (dotted) or, with a key, of that key in
    /// the dictionary of that name. Returns `None` if the module has not run or the value isn't a
    /// known constant.
    pub fn constant(&self, module: &str, name: &str, key: Option<&str>) -> Option<Constant> {
        let bound = self.modules.get(module)?.get(name)?;
        let value = match (key, &bound) {
            (None, _) => bound,
            (Some(key), Value::Dict(items)) => {
                let is_key = |item: &Value| item.text().is_some_and(|text| *text == *key);
                items.borrow().iter().rev().find(|(item, _)| is_key(item))?.1.clone()
            }
            (Some(_), _) => return None,
        };
        match value {
            Value::Bool(value) => Some(Constant::Bool(value)),
            Value::Str(text) => Some(Constant::Str(text.to_string())),
            _ => None,
        }
    }

    /// Returns the current value of an environment variable, or `None` if it is unset or unknown.
    pub fn known_variable(&self, name: &str) -> Option<&str> {
        let is_unknown = self.unknown_variables.contains(&name.to_ascii_uppercase());
        self.interpreter.process.variable(name).filter(|_| !is_unknown)
    }

    /// Returns the interpreter and its process.
    pub fn interpreter(&self) -> &Interpreter<'e> {
        &self.interpreter
    }

    /// Returns the same as [`Plan::interpreter`], for loads that aren't part of an import.
    pub fn interpreter_mut(&mut self) -> &mut Interpreter<'e> {
        &mut self.interpreter
    }

    fn describe(&self, exception: &Rc<Exception>) -> ImportFailure {
        // The message of the exception that a handler raises may not be known word for word. Then
        // the message of the first exception, which Python prints above it, is more useful.
        let mut known = exception.sentence();
        let mut root = exception.clone();
        while let Some(context) = root.context.clone() {
            root = context;
            if known.is_none() {
                known = root.sentence();
            }
        }
        let of_load = || Some(self.failures.get(*exception.failures.first()?)?.sentence.clone());
        ImportFailure {
            sentence: known.or_else(of_load).unwrap_or_else(|| exception.class.to_string()),
            missing_recorded_file: exception.missing_recorded_file.clone(),
            conflicting_distributions: exception
                .conflicting_distributions
                .iter()
                .map(ToString::to_string)
                .collect(),
            newer_syntax: root.newer_syntax.clone().or_else(|| exception.newer_syntax.clone()),
            loads: exception.failures.clone(),
            missing: exception.missing.as_ref().map(|name| MissingModule {
                inaccessible: exception.inaccessible.clone(),
                ..self.missing_module(name)
            }),
            trace: exception.trace.clone(),
        }
    }

    fn step(&mut self, event: Event, at: &Place) {
        // Storing a step costs more than looking at one.
        self.spend_many(100);
        let is_known = !matches!(event, Event::UnknownLoad(_) | Event::Unknown(_) | Event::NotFound(_));
        if is_known {
            self.extend_call_limit();
        }
        let (uncertain, guarded) = (self.uncertain > 0, self.absence_is_expected());
        let step = Step { event, at: at.clone(), uncertain, guarded, repeated: self.unknown_loops > 0 };
        // An unknown event is reported once, however often its statement runs.
        if !is_known && !self.unknown.insert((step.event.clone(), at.clone())) {
            return;
        }
        self.steps.push(step);
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}", file.file_name(), self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

/// The outcome of a statement.
enum Flow {
    Next,
    Return(Value),
    Raise(Rc<Exception>),
    Break,
    Continue,
}

impl Plan<'_> {
    /// Stops prefetching and leaks the rest, for a process that is about to exit. Dropping it would
    /// take 5% of a first check.
    pub fn leak(mut self) {
        self.prefetcher = None;
        std::mem::forget(self);
    }
}

/// Breaks the reference cycles: modules hold their functions and functions their module, and
/// objects hold each other.
impl Drop for Plan<'_> {
    fn drop(&mut self) {
        for module in self.modules.values().chain(&self.failed_modules) {
            drop(module.names.take());
        }
        self.instances.iter().filter_map(Weak::upgrade).for_each(|instance| instance.clear());
        self.classes.iter().filter_map(Weak::upgrade).for_each(|class| class.clear());
    }
}
