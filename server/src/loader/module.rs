//! The data of loaded modules and their dependencies.

use std::sync::Arc;

use super::search::Rule;
use crate::host::WinPath;
use crate::image::Machine;

/// The index of a module in the list of modules of a [`Process`](super::Process).
pub type ModuleId = usize;

/// A loaded module.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedModule {
    /// The base name under which it was first requested.
    pub name: String,
    /// The path of its file.
    pub path: WinPath,
    /// The rule that found it.
    pub rule: Rule,
    /// The module whose imports required it; `None` if the program loaded it.
    pub required_by: Option<ModuleId>,
    /// The place in the program that loaded it, such as `scipy/_distributor_init.py:40`. `None` if
    /// an import required it, or if the analysed program itself loaded it.
    pub loaded_at: Option<Arc<str>>,
    /// Files of the same name that the search passed over because they are for another machine,
    /// each with that machine.
    pub passed_over: Vec<(WinPath, Machine)>,
    /// The DLLs that it needs, in the order in which the loader processes them.
    pub dependencies: Vec<Dependency>,
}

/// A DLL that a module needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// The name in the import table or in the forwarder.
    pub name: String,
    /// The reason why it is needed.
    pub kind: DependencyKind,
    /// The module or file that the name leads to.
    pub target: DependencyTarget,
}

/// Why a module needs a DLL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyKind {
    /// The import table names it.
    Import,
    /// The delay import table names it: Windows looks for the DLL at the first call, not when it
    /// loads the module.
    DelayImport,
    /// An imported symbol is a forwarder to it.
    Forwarder,
}

/// The result of resolving the name of a dependency.
#[derive(Debug, Clone, PartialEq)]
pub enum DependencyTarget {
    /// A module that was loaded because of this dependency.
    Loaded(ModuleId),
    /// A module that was loaded before, found by this rule.
    AlreadyLoaded(ModuleId, Rule),
    /// A part of Windows for which there is no file here. Its load succeeds.
    PartOfWindows,
    /// A file that isn't loaded yet: the target of a delay import.
    DelayLoaded(WinPath, Rule),
    /// No file, or a file that cannot be loaded.
    NotFound,
}

/// A file that a name resolves to.
pub(super) struct FoundFile {
    pub path: WinPath,
    pub rule: Rule,
    /// Files of the same name that the search passed over, with their machines.
    pub passed_over: Vec<(WinPath, Machine)>,
}

impl FoundFile {
    /// Returns the file for which no search passed over another one.
    pub fn at(path: WinPath, rule: Rule) -> Self {
        Self { path, rule, passed_over: Vec::new() }
    }
}
