//! The world that a program runs in: the simulated process, the modules, and what the program did
//! to them.

use std::collections::HashSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::doubt::UnknownDirectory;
use super::lazy_import::LazyState;
use super::six::Moved;
use super::value::ModuleRef;
use crate::cpython::{Finder, Interpreter};
use crate::environment::Environment;
use crate::host::{Files, Host, WinPath};
use crate::source::Name;

/// A simulated interpreter, and the state that a program changes in it.
pub(super) struct World<'e> {
    pub interpreter: Interpreter<'e>,
    pub finder: Finder<'e>,
    /// The imported modules (`sys.modules`), by dotted name.
    pub modules: FxHashMap<Name, ModuleRef>,
    /// Modules that were removed from `sys.modules`, most of them because they failed.
    pub failed_modules: Vec<ModuleRef>,
    pub sys_path: Vec<WinPath>,
    /// Environment variables that were set to an unknown value.
    pub unknown_variables: FxHashSet<String>,
    /// Directories that were added although the source doesn't show which ones.
    pub unknown_directories: Vec<UnknownDirectory>,
    /// The case-folded names of the DLLs in the environment's directories, collected once.
    pub native_names: Option<FxHashSet<String>>,
    /// The value that `ctypes.get_last_error` returns.
    pub last_error: u32,
    /// Native files that distributions record as installed, read once.
    pub recorded: Option<HashSet<String>>,
    /// Native files that the program looked for without finding them.
    pub missing_native_files: Vec<WinPath>,
    /// Names and versions of installed distributions that the program queried.
    pub requested_versions: Vec<(Name, Name)>,
    /// Whether `platform` has determined the machine, which it does only once.
    pub uname_is_cached: bool,
    /// The modules that each `six` module provides, by its name. `None` for a module that isn't a
    /// `six`.
    pub moved: FxHashMap<String, Option<Moved>>,
    /// The state of lazy imports.
    pub lazy: LazyState,
}

impl<'e> World<'e> {
    /// Starts with nothing imported.
    pub fn new(interpreter: Interpreter<'e>, finder: Finder<'e>) -> World<'e> {
        let entries = &interpreter.environment.sys_path;
        let sys_path = entries.iter().map(|entry| entry.path.clone()).collect();
        World {
            lazy: LazyState::of(&interpreter),
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
            uname_is_cached: false,
            moved: FxHashMap::default(),
        }
    }

    /// Returns the machine.
    pub fn host(&self) -> &Host {
        self.interpreter.process.host()
    }

    /// Returns the files of the machine.
    pub fn files(&self) -> &dyn Files {
        &*self.host().files
    }

    /// Returns the environment of the interpreter.
    pub fn environment(&self) -> &'e Environment {
        self.interpreter.environment
    }
}

/// Breaks the reference cycles between modules and their functions.
impl Drop for World<'_> {
    fn drop(&mut self) {
        for module in self.modules.values().chain(&self.failed_modules) {
            drop(module.names.take());
        }
    }
}
