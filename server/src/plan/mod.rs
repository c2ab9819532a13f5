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
mod execution;
mod frame;
mod import;
mod import_statement;
mod lazy_import;
mod objects;
mod operators;
mod outcome;
mod program_checks;
mod six;
mod standard;
mod startup;
#[cfg(test)]
mod tests;
mod trace;
mod value;
mod walk;
mod world;

use std::rc::Rc;

use crate::cpython::{Finder, Found, IMPORTED_AT_START, Interpreter, Prefetcher, offered_by};
use crate::host::WinPath;
use crate::source::{Name, Stmt};

use execution::Execution;
use frame::Frame;
use trace::Trace;
use value::{Exception, ModuleRef, Value};
use world::World;

pub use outcome::{Constant, ImportFailure, ImportOutcome, MissingModule};
pub use trace::{Event, LoadFailure, LoadKind, Place, Step};

/// A program that imports, in a simulated interpreter.
pub struct Plan<'e> {
    /// The process, and what the program did to it.
    world: World<'e>,
    /// What happened.
    trace: Trace,
    /// The statement that is being followed, and its limits.
    execution: Execution,
    /// The import that was requested.
    requested: String,
    /// Reads ahead what the import needs.
    prefetcher: Option<Prefetcher>,
}

impl<'e> Plan<'e> {
    /// Creates a program that has not imported anything yet.
    pub fn new(interpreter: Interpreter<'e>, finder: Finder<'e>) -> Plan<'e> {
        Plan {
            world: World::new(interpreter, finder),
            trace: Trace::default(),
            execution: Execution::default(),
            requested: String::new(),
            prefetcher: None,
        }
    }

    /// Reads ahead while the cache is cold.
    pub fn with_prefetcher(self, prefetcher: Prefetcher) -> Plan<'e> {
        Plan { prefetcher: Some(prefetcher), ..self }
    }

    /// Starts the program in `file`, as `python FILE` does: `folder`, if any, becomes the first
    /// entry of `sys.path` once site.py has run (`pymain_run_python` in Modules/main.c).
    pub fn begin(&mut self, folder: Option<&WinPath>, file: Option<&WinPath>) {
        self.start_up();
        if let Some(folder) = folder {
            let offered = self.world.files().folder(folder);
            let offered = offered.map(|listing| offered_by(&listing)).unwrap_or_default();
            for name in IMPORTED_AT_START.into_iter().filter(|name| offered.contains(*name)) {
                let _ = self.import_dotted(name, &Place { file: None, line: 0 });
            }
            self.world.sys_path.insert(0, folder.clone());
        }
        let program = self.add_module("__main__", None, None, false);
        if let Some(file) = file {
            program.set("__file__", Value::str(file.as_str()));
        }
    }

    /// Follows the statements that a program executes before the requested import. A statement that
    /// fails doesn't stop those after it. May be called again with further statements.
    pub fn run<'s>(&mut self, statements: impl IntoIterator<Item = &'s Stmt>) {
        let mut statements = statements.into_iter().peekable();
        if statements.peek().is_none() {
            return;
        }
        self.start_up();
        let program = self.world.modules.get("__main__").cloned();
        let program = program.unwrap_or_else(|| self.add_module("__main__", None, None, false));
        let mut frame = Frame::of_module(program);
        for stmt in statements {
            let _ = self.block(std::slice::from_ref(stmt), &mut frame);
        }
    }

    /// Follows `import name` (dotted).
    pub fn import(&mut self, name: &str) -> ImportOutcome {
        self.start_up();
        let place = Place { file: None, line: 1 };
        self.requested = name.to_owned();
        let error = self.import_dotted(name, &place).err();
        if let Some(prefetcher) = &mut self.prefetcher {
            prefetcher.stop();
        }
        ImportOutcome { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Follows the second part of `from module import name`, once `module` is imported: imports a
    /// submodule or calls `__getattr__`.
    pub fn import_from_module(&mut self, module: &str, name: &Name) -> ImportOutcome {
        let place = Place { file: None, line: 1 };
        self.requested = format!("{module}.{name}");
        let error = self.world.modules.get(module).cloned().and_then(|source| {
            let frame = Frame::of_module(source.clone());
            self.within_limit(&place, |plan| plan.import_name(&source, name, &frame, &place)).err()
        });
        ImportOutcome { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Follows an access to an attribute of a module that is already imported: `module.name`.
    pub fn access(&mut self, module: &str, name: &Name) -> ImportOutcome {
        let place = Place { file: None, line: 1 };
        self.requested = format!("{module}.{name}");
        let error = self.world.modules.get(module).cloned().and_then(|module| {
            self.within_limit(&place, |plan| plan.lazy_attribute(&module, name, &place)).err()
        });
        ImportOutcome { error: error.map(|exception| self.describe(&exception)) }
    }

    /// Whether the imported module `module` lacks this name so far, and may get it from a
    /// submodule, its `__getattr__`, or a lazy import.
    pub fn may_gain_attribute(&self, module: &str, name: &str) -> bool {
        let may_be_submodule = |module: &ModuleRef| !module.has(name) && self.submodule_exists(module, name);
        self.may_gain_attribute_lazily(module, name)
            || self.world.modules.get(module).is_some_and(may_be_submodule)
    }

    /// Whether the imported module `module` lacks this name so far, and may get it from its
    /// `__getattr__` or a lazy import.
    pub fn may_gain_attribute_lazily(&self, module: &str, name: &str) -> bool {
        self.world.modules.get(module).is_some_and(|module| match module.get(name) {
            Some(value) => matches!(value, Value::Lazy(_)),
            None => matches!(module.get("__getattr__"), Some(Value::Function(_))),
        })
    }

    /// Finds a top-level module on the program's current `sys.path`.
    pub fn find(&self, name: &str) -> Found {
        self.world.finder.top_level(name, &self.world.sys_path)
    }

    /// Returns the events so far, in order.
    pub fn steps(&self) -> &[Step] {
        &self.trace.steps
    }

    /// Returns the names of the top-level modules that were looked up on `sys.path` so far, see
    /// [`Finder::searched_modules`].
    pub fn searched_modules(&self) -> std::collections::BTreeSet<String> {
        self.world.finder.searched_modules()
    }

    /// Returns the native loads that have failed so far.
    pub fn failures(&self) -> &[LoadFailure] {
        &self.trace.failures
    }

    /// Returns the value of a name in the module `module` (dotted) or, with a key, of that key in
    /// the dictionary of that name. Returns `None` if the module has not run or the value isn't a
    /// known constant.
    pub fn constant(&self, module: &str, name: &str, key: Option<&str>) -> Option<Constant> {
        let bound = self.world.modules.get(module)?.get(name)?;
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
        let is_unknown = self.world.unknown_variables.contains(&name.to_ascii_uppercase());
        self.world.interpreter.process.variable(name).filter(|_| !is_unknown)
    }

    /// Returns the interpreter and its process.
    pub fn interpreter(&self) -> &Interpreter<'e> {
        &self.world.interpreter
    }

    /// Returns the same as [`Plan::interpreter`], for loads that aren't part of an import.
    pub fn interpreter_mut(&mut self) -> &mut Interpreter<'e> {
        &mut self.world.interpreter
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
        let of_load = || Some(self.trace.failures.get(*exception.failures.first()?)?.sentence.clone());
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
