//! A simulated process and its loaded modules.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::failure::{Link, Provider};
use super::module::{FoundFile, LoadedModule, ModuleId};
use super::search::{AddedDirectory, LoadFlags, SearchContext};
use super::side_by_side::Redirections;
use crate::host::{Host, WinPath, fold_name, path_directories};
use crate::image::Machine;

/// A simulated process. Its loads must be performed in the program's order, because each one
/// changes what the next one finds.
#[derive(Clone)]
pub struct Process {
    pub(super) host: Host,
    pub(super) machine: Machine,
    application_directory: WinPath,
    current_directory: Option<WinPath>,
    /// The environment variables of the process. Names are in upper case.
    variables: Arc<BTreeMap<String, String>>,
    /// The directories of the process's `PATH`.
    path: Vec<WinPath>,
    safe_search: bool,
    packaged: bool,
    added: Vec<AddedDirectory>,
    dll_directory: Option<WinPath>,
    default_directories: LoadFlags,
    caller: Option<Arc<str>>,
    /// The redirections by the program's manifest.
    pub(super) redirections: Option<Rc<Redirections>>,
    /// The directory to which `program.exe.local` redirects.
    pub(super) local_directory: Option<WinPath>,
    pub(super) modules: Vec<LoadedModule>,
    pub(super) by_name: FxHashMap<String, ModuleId>,
    pub(super) by_path: FxHashMap<WinPath, ModuleId>,
}

impl Process {
    /// Creates a process without modules. `application_directory` is the directory of the
    /// executable that actually runs.
    pub fn new(host: Host, machine: Machine, application_directory: WinPath) -> Process {
        let path = host.path_directories();
        let variables = Arc::new(host.variables.clone());
        let safe_search = !host.running.unsafe_search;
        Process {
            host,
            variables,
            machine,
            application_directory,
            current_directory: None,
            path,
            safe_search,
            packaged: false,
            added: Vec::new(),
            dll_directory: None,
            default_directories: LoadFlags::NONE,
            caller: None,
            redirections: None,
            local_directory: None,
            modules: Vec::new(),
            by_name: FxHashMap::default(),
            by_path: FxHashMap::default(),
        }
    }

    /// Marks the program as a package of the Microsoft Store: a search without flags then ignores
    /// `PATH` and the current directory.
    pub fn mark_packaged(&mut self) {
        self.packaged = true;
    }

    /// Returns the machine on which the process runs.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the loaded modules, in the order in which they were found.
    pub fn modules(&self) -> &[LoadedModule] {
        &self.modules
    }

    /// Returns the module with this base name, ignoring case.
    pub fn module_named(&self, name: &str) -> Option<&LoadedModule> {
        self.by_name.get(&fold_name(name)).map(|id| &self.modules[*id])
    }

    /// Performs `AddDllDirectory`. `by` is the place in the program that calls it.
    pub fn add_dll_directory(&mut self, path: WinPath, by: String) {
        self.added.push(AddedDirectory { path, by });
    }

    /// Performs `RemoveDllDirectory`.
    pub fn remove_dll_directory(&mut self, path: &WinPath) {
        if let Some(at) = self.added.iter().rposition(|added| added.path == *path) {
            self.added.remove(at);
        }
    }

    /// Performs `SetDllDirectory`; `None` restores the default.
    pub fn set_dll_directory(&mut self, path: Option<WinPath>) {
        self.dll_directory = path;
    }

    /// Performs `SetDefaultDllDirectories`, which sets the search of loads that have no
    /// `LOAD_LIBRARY_SEARCH_*` flag. Returns whether Windows accepts the flags: only application,
    /// user, System32, and default directories (`test_SetDefaultDllDirectories` in Wine's
    /// `dlls/kernel32/tests/module.c`).
    pub fn set_default_directories(&mut self, flags: LoadFlags) -> bool {
        let is_accepted = flags != LoadFlags::NONE && flags.0 & !0x1e00 == 0;
        if is_accepted {
            self.default_directories = flags;
        }
        is_accepted
    }

    /// Performs `SetCurrentDirectory`.
    pub fn set_current_directory(&mut self, path: WinPath) {
        self.current_directory = Some(path);
    }

    /// Returns the current directory, if it is known.
    pub fn current_directory(&self) -> Option<&WinPath> {
        self.current_directory.as_ref()
    }

    /// Returns the value of an environment variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(&name.to_ascii_uppercase()).map(String::as_str)
    }

    /// Performs `SetEnvironmentVariable`; `None` removes the variable.
    pub fn set_variable(&mut self, name: &str, value: Option<&str>) {
        let name = name.to_ascii_uppercase();
        if name == "PATH" {
            self.path = path_directories(value.unwrap_or_default());
        }
        let variables = Arc::make_mut(&mut self.variables);
        match value {
            Some(value) => drop(variables.insert(name, value.to_owned())),
            None => drop(variables.remove(&name)),
        }
    }

    /// Returns the directories of `PATH`, in order.
    pub fn path_directories(&self) -> &[WinPath] {
        &self.path
    }

    /// Sets the place in the program that makes the following loads, such as
    /// `scipy/_distributor_init.py:40`. `None` stands for the analysed program itself.
    pub fn set_caller(&mut self, caller: Option<&str>) {
        self.caller = caller.map(Arc::from);
    }

    /// Returns the drive of paths that start at a root without naming a drive.
    pub(super) fn current_drive(&self) -> Option<&str> {
        let folder = self.current_directory.as_ref().unwrap_or(&self.application_directory).as_str();
        folder.get(..2).filter(|drive| drive.ends_with(':'))
    }

    pub(super) fn search_context(&self) -> SearchContext<'_> {
        SearchContext {
            application: &self.application_directory,
            added: &self.added,
            dll_directory: self.dll_directory.as_ref(),
            default_directories: self.default_directories,
            system: self.host.system_directory(self.machine),
            windows: &self.host.windows_directory,
            current: self.current_directory.as_ref(),
            safe: self.safe_search,
            packaged: self.packaged,
            path: &self.path,
        }
    }

    /// Adds a module to the list.
    pub(super) fn register(
        &mut self,
        name: &str,
        found: FoundFile,
        required_by: Option<ModuleId>,
    ) -> ModuleId {
        let FoundFile { path, rule, passed_over } = found;
        let id = self.modules.len();
        self.by_name.entry(fold_name(path.file_name())).or_insert(id);
        self.by_path.insert(path.clone(), id);
        let name = WinPath::new(name).file_name().to_owned();
        let loaded_at = if required_by.is_none() { self.caller.clone() } else { None };
        let dependencies = Vec::new();
        self.modules.push(LoadedModule {
            name,
            path,
            rule,
            required_by,
            loaded_at,
            passed_over,
            dependencies,
        });
        id
    }

    /// Removes the modules from index `first` on, and returns them.
    pub(super) fn unload_from(&mut self, first: ModuleId) -> Vec<LoadedModule> {
        self.by_name.retain(|_, id| *id < first);
        self.by_path.retain(|_, id| *id < first);
        self.modules.split_off(first)
    }

    /// Describes a loaded module and why it was loaded.
    pub fn provider(&self, id: ModuleId) -> Provider {
        let module = &self.modules[id];
        let mut importers = Vec::new();
        let mut root = module;
        while let Some(above) = root.required_by.and_then(|id| self.modules.get(id)) {
            importers.push(Link::new(&above.name, Some(above.path.clone())));
            root = above;
        }
        importers.reverse();
        Provider {
            path: module.path.clone(),
            rule: module.rule.clone(),
            importers,
            loaded_at: root.loaded_at.clone(),
            was_loaded: true,
        }
    }
}
