//! What importing a package loads, in order: its Python is followed, statement by statement, and every
//! load is made in the simulated process as it comes, because `except ImportError` decides what is next.
//!
//! Nothing is executed. [`Plan::import`] walks module level code with the values that are known
//! (`sys.platform`, paths, tables of names); a condition that is not known lets both branches run, and
//! what fails in such a branch proves nothing. Nothing here knows any package by name.

mod ahead;
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
mod six;
mod sought;
mod standard;
mod startup;
#[cfg(test)]
mod tests;
mod value;
mod walk;

use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::{Rc, Weak};

use crate::cpython::{Finder, Found, IMPORTED_AT_START, Interpreter, LoadError, Withheld, offered_by};
use crate::host::WinPath;
use crate::source::{Function, Name, NewerSyntax, Stmt};

use frame::Frame;
use value::{Exception, ModuleRef, Value};

/// A program that imports, in a simulated interpreter.
pub struct Plan<'e> {
    interpreter: Interpreter<'e>,
    finder: Finder<'e>,
    /// `sys.modules`: none while a name is known not to exist.
    modules: FxHashMap<Name, ModuleRef>,
    /// Modules that were taken out of it, most of them since they failed.
    failed_modules: Vec<ModuleRef>,
    sys_path: Vec<WinPath>,
    /// Environment variables that were given a value which is not known.
    unknown_variables: FxHashSet<String>,
    /// Directories that were added of which the text does not tell which they are.
    unknown_directories: Vec<doubt::UnknownDirectory>,
    /// The DLLs that are in folders of the environment, by names that are folded; looked for once.
    native_names: Option<FxHashSet<String>>,
    /// What `ctypes.get_last_error` tells.
    last_error: u32,
    /// Native files that distributions say they installed, asked for once.
    recorded: Option<std::collections::HashSet<String>>,
    /// Native files for which the program looked in vain.
    looked_in_vain: Vec<WinPath>,
    /// Names and versions of installed distributions that the program asked for.
    asked_versions: Vec<(Name, Name)>,
    steps: Vec<Step>,
    /// What was said not to be known, and where.
    unknown: FxHashSet<(Event, Place)>,
    failures: Vec<LoadFailure>,
    /// How many unknown conditions stand around the current statement.
    uncertain: u32,
    /// How many loops over values that are not known do.
    unknown_loops: u32,
    /// What the `try` statements around it catch, in all frames, the outermost first.
    waiting: Vec<frame::Catches>,
    /// Statements and expressions that may still be looked at.
    budget: u64,
    /// What the budget is when the call that a module makes has taken too long.
    call_ends_at: Option<u64>,
    /// It was said that it ran out.
    gave_up: bool,
    /// How many values were made that hold others.
    nested: u32,
    depth: u32,
    /// What runs before the program has run.
    started: bool,
    /// Something asked `platform` for the machine, which it finds out once.
    machine_is_known: bool,
    /// What each `six` that was asked makes, by its name; none of a module that is no six.
    moved: FxHashMap<String, Option<six::Moved>>,
    /// Which imports are lazy.
    lazy: lazy_import::Laziness,
    /// Names that modules are asked for by `__getattr__`, outermost first.
    asked_lazily: Vec<(*const (), Name)>,
    /// The objects and classes that were made: they may hold each other.
    instances: Vec<Weak<objects::Instance>>,
    classes: Vec<Weak<objects::Class>>,
    /// The functions that run, outermost first, each with the file of the code that called it.
    running: Vec<(*const Function, Option<WinPath>)>,
    /// The import that was asked for, and whoever reads ahead for it.
    asked: String,
    ahead: Option<ahead::Ahead>,
}

/// Enough for the largest packages ten times over; a program made to keep us busy ends here. Tests, which are
/// not optimized, get less.
const BUDGET: u64 = if cfg!(test) { 3_000_000 } else { 50_000_000 };

/// What importing did.
#[derive(Debug, Clone)]
pub struct Imported {
    /// How it failed; none if it works, as far as is known.
    pub error: Option<ImportFailure>,
}

/// An import that fails.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportFailure {
    /// What Python prints last: `ImportError: …`.
    pub sentence: String,
    /// A native file that its distribution installed, and for which the program looked in vain.
    pub lost: Option<WinPath>,
    /// Distributions that the program does not want to be installed together, if that is why.
    pub clashing: Vec<String>,
    /// A module does not compile, since this Python is too old for its syntax.
    pub newer_syntax: Option<NewerSyntax>,
    /// The loads that made it fail, as indices into [`Plan::failures`]; the root cause first.
    pub loads: Vec<usize>,
    /// The module that was not found, where that made it fail.
    pub missing: Option<MissingModule>,
    /// From the statement that failed up to the import that was asked for.
    pub trace: Vec<(WinPath, u32)>,
}

/// A module that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingModule {
    /// Dotted.
    pub name: String,
    /// The file that would be it in another version of Python.
    pub for_other_python: Option<WinPath>,
    /// The file that its distribution says it installed.
    pub recorded: Option<WinPath>,
    /// The file or folder of it that Python cannot look at.
    pub withheld: Option<Withheld>,
}

impl MissingModule {
    /// Nothing tells where it should be.
    pub fn is_unknown(&self) -> bool {
        self.for_other_python.is_none() && self.recorded.is_none() && self.withheld.is_none()
    }
}

/// A native load that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadFailure {
    /// What was loaded: a full path, or a bare name for ctypes.
    pub target: String,
    /// What loaded it.
    pub kind: LoadKind,
    /// The statement.
    pub at: Place,
    /// Why it failed.
    pub error: LoadError,
    /// What Python says of it.
    pub sentence: String,
    /// It stood under a condition that is not known, so perhaps it is never made; or it is in doubt whether it fails.
    pub uncertain: bool,
    /// The statement that adds a directory which is not known and may hold what was not found.
    pub doubt: Option<Place>,
}

/// Who loads a native module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadKind {
    /// `import` of an extension module.
    Extension,
    /// `ctypes`.
    Ctypes,
    /// Nobody: the program looks for the file, and gives up if it is not there.
    Look,
}

/// A file and a 1-based line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Python file; none for the program that is asked about.
    pub file: Option<WinPath>,
    /// 1-based.
    pub line: u32,
}

/// Something that happened while importing.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What.
    pub event: Event,
    /// By which statement.
    pub at: Place,
    /// It stands under a condition that is not known, so perhaps it never happens.
    pub uncertain: bool,
    /// A `try` statement around it, in whatever frame, catches ImportError or every exception.
    pub guarded: bool,
    /// It stands in a loop over values that are not known, as `for dll in glob(…)` may.
    pub repeated: bool,
}

/// A value that a module holds when it has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// `True`, `False`
    Bool(bool),
    /// A string.
    Text(String),
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A Python module begins to run.
    Module { name: String, path: WinPath },
    /// An extension module is loaded.
    Extension { name: String, path: WinPath, loaded: bool },
    /// A library is loaded by ctypes.
    Library { name: String, loaded: bool },
    /// `os.add_dll_directory`
    DirectoryAdded(WinPath),
    /// Something that cannot be known from the text: what is loaded, or where it is looked for.
    UnknownLoad(String),
    /// Something else that was not followed.
    Unknown(String),
    /// A module that is found nowhere, and may be made as the program runs.
    NotFound(String),
}

impl Event {
    /// Whether it is the load of this target, and failed.
    fn is_failed_load_of(&self, target: &str) -> bool {
        match self {
            Event::Extension { path, loaded: false, .. } => path.as_str() == target,
            Event::Library { name, loaded: false } => name == target,
            _ => false,
        }
    }
}

impl<'e> Plan<'e> {
    /// A program that has not imported anything yet.
    pub fn new(interpreter: Interpreter<'e>, finder: Finder<'e>) -> Plan<'e> {
        let entries = &interpreter.environment.sys_path;
        let sys_path = entries.iter().map(|entry| entry.path.clone()).collect();
        Plan {
            lazy: lazy_import::Laziness::of(&interpreter),
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
            looked_in_vain: Vec::new(),
            asked_versions: Vec::new(),
            steps: Vec::new(),
            unknown: FxHashSet::default(),
            failures: Vec::new(),
            uncertain: 0,
            unknown_loops: 0,
            waiting: Vec::new(),
            budget: BUDGET,
            call_ends_at: None,
            gave_up: false,
            nested: 0,
            depth: 0,
            started: false,
            machine_is_known: false,
            moved: FxHashMap::default(),
            asked_lazily: Vec::new(),
            instances: Vec::new(),
            classes: Vec::new(),
            running: Vec::new(),
            asked: String::new(),
            ahead: None,
        }
    }

    /// Begins the program of the file `file`, as `python FILE` does: `folder`, where there is one, comes first on `sys.path`
    /// once site.py has run (`pymain_run_python` in Modules/main.c).
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

    /// Follows what a program does before the import that is asked about. Whatever fails there fails in a statement of its
    /// own, and the rest is followed all the same. May be called again with what follows.
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
        self.asked = name.to_owned();
        let error = self.import_dotted(name, &place).err();
        self.ahead = None;
        Imported { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Follows what `from module import name` does once `module` is imported: a submodule is imported, or `__getattr__` asked.
    pub fn import_from_module(&mut self, module: &str, name: &Name) -> Imported {
        let place = Place { file: None, line: 1 };
        self.asked = format!("{module}.{name}");
        let error = self.modules.get(module).cloned().and_then(|source| {
            let frame = Frame::of_module(source.clone());
            self.within_limit(&place, |plan| plan.import_name(&source, name, &frame, &place)).err()
        });
        Imported { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Takes an attribute of a module that is imported already: `module.name`.
    pub fn access(&mut self, module: &str, name: &Name) -> Imported {
        let place = Place { file: None, line: 1 };
        self.asked = format!("{module}.{name}");
        let error = self.modules.get(module).cloned().and_then(|module| {
            self.within_limit(&place, |plan| plan.lazy_attribute(&module, name, &place)).err()
        });
        Imported { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Whether the imported module `module` does not have this name yet, and may get it by a submodule or its `__getattr__`.
    pub fn gets_later(&self, module: &str, name: &str) -> bool {
        let may_be_submodule = |module: &ModuleRef| !module.has(name) && self.submodule_exists(module, name);
        self.gets_lazily(module, name) || self.modules.get(module).is_some_and(may_be_submodule)
    }

    /// Whether the imported module `module` does not have this name yet, and may get it by its `__getattr__` or a lazy import.
    pub fn gets_lazily(&self, module: &str, name: &str) -> bool {
        self.modules.get(module).is_some_and(|module| match module.get(name) {
            Some(value) => matches!(value, Value::Lazy(_)),
            None => matches!(module.get("__getattr__"), Some(Value::Function(_))),
        })
    }

    /// Where the program finds a top-level module by now.
    pub fn find(&self, name: &str) -> Found {
        self.finder.top_level(name, &self.sys_path)
    }

    /// What happened so far, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The names of top-level modules that were looked for on `sys.path` so far, see [`Finder::looked_for`].
    pub fn looked_for(&self) -> std::collections::BTreeSet<String> {
        self.finder.looked_for()
    }

    /// The native loads that failed so far.
    pub fn failures(&self) -> &[LoadFailure] {
        &self.failures
    }

    /// What a name of the module `module` (dotted) is bound to, or, with a key, what the table holds that it is bound
    /// to. None if the module has not run, or if it is nothing that the text alone tells.
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
            Value::Str(text) => Some(Constant::Text(text.to_string())),
            _ => None,
        }
    }

    /// The value that a variable of the environment has by now; none if it is not set, or not known.
    pub fn known_variable(&self, name: &str) -> Option<&str> {
        let is_unknown = self.unknown_variables.contains(&name.to_ascii_uppercase());
        self.interpreter.process.variable(name).filter(|_| !is_unknown)
    }

    /// The interpreter and its process.
    pub fn interpreter(&self) -> &Interpreter<'e> {
        &self.interpreter
    }

    /// As [`Plan::interpreter`], for loads that no import makes.
    pub fn interpreter_mut(&mut self) -> &mut Interpreter<'e> {
        &mut self.interpreter
    }

    fn describe(&self, exception: &Rc<Exception>) -> ImportFailure {
        // What a handler raises instead may not be known word for word; then the first exception's
        // sentence, which Python prints above it, says more.
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
            lost: exception.lost.clone(),
            clashing: exception.clashing.iter().map(ToString::to_string).collect(),
            newer_syntax: root.newer_syntax.clone().or_else(|| exception.newer_syntax.clone()),
            loads: exception.failures.clone(),
            missing: exception.missing.as_ref().map(|name| MissingModule {
                withheld: exception.withheld.clone(),
                ..self.missing_module(name)
            }),
            trace: exception.trace.clone(),
        }
    }

    fn step(&mut self, event: Event, at: &Place) {
        // What is remembered costs more than what is only looked at.
        self.spend_many(100);
        let is_known = !matches!(event, Event::UnknownLoad(_) | Event::Unknown(_) | Event::NotFound(_));
        if is_known {
            self.goes_on_loading();
        }
        let (uncertain, guarded) = (self.uncertain > 0, self.absence_is_expected());
        let step = Step { event, at: at.clone(), uncertain, guarded, repeated: self.unknown_loops > 0 };
        // What is not known is said once, however often the statement runs.
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

/// What became of a statement.
enum Flow {
    Next,
    Return(Value),
    Raise(Rc<Exception>),
    Break,
    Continue,
}

impl Plan<'_> {
    /// Stops reading ahead, and takes nothing apart: for a process that ends soon. To do so takes a twentieth of the time of a first
    /// check.
    pub fn leave(mut self) {
        self.ahead = None;
        std::mem::forget(self);
    }
}

/// Modules hold their functions, and functions hold their module; objects hold each other: such rings do not fall apart by
/// themselves.
impl Drop for Plan<'_> {
    fn drop(&mut self) {
        for module in self.modules.values().chain(&self.failed_modules) {
            drop(module.names.take());
        }
        self.instances.iter().filter_map(Weak::upgrade).for_each(|instance| instance.clear());
        self.classes.iter().filter_map(Weak::upgrade).for_each(|class| class.clear());
    }
}
