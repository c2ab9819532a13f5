//! A simulated process and its loaded modules.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::failure::{Cause, Failure};
use super::load::Load;
use super::resolve::FoundFile;
use super::search::{AddedDirectory, LoadFlags, Rule, SearchContext};
use super::side_by_side::Redirections;
use crate::host::{EntryKind, Host, WinPath, fold_name, path_directories};
use crate::image::{LIBRARY_MANIFEST, Machine, PROGRAM_MANIFEST};

/// The index of a module in the list of modules of a [`Process`].
pub type ModuleId = usize;

/// A loaded module.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
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
    pub(super) modules: Vec<Module>,
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
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Returns the module with this base name, ignoring case.
    pub fn module_named(&self, name: &str) -> Option<&Module> {
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

    /// Loads the executable and its imports, as the kernel does before the first instruction runs.
    ///
    /// # Errors
    /// See [`Process::load`]. The program doesn't start.
    pub fn start(&mut self, executable: &WinPath) -> Result<ModuleId, Failure> {
        self.local_directory = self.local_redirection(executable);
        self.load_with(executable.as_str(), LoadFlags::NONE, PROGRAM_MANIFEST)
    }

    /// Returns the directory to which `python.exe.local` next to the executable redirects: itself
    /// if it is a directory, or the executable's directory if it is a file. Windows ignores it if
    /// the executable has a manifest (Microsoft, "Dynamic-Link Library Redirection").
    fn local_redirection(&self, executable: &WinPath) -> Option<WinPath> {
        let files = &*self.host.files;
        let folder = executable.parent()?;
        let local = folder.join(&format!("{}.local", executable.file_name()));
        let directory = match files.kind(&local)? {
            EntryKind::Folder => local,
            EntryKind::File => folder,
        };
        let image = files.image(executable).ok()?;
        let has_manifest = image.manifests.iter().any(|(number, _)| *number == PROGRAM_MANIFEST);
        (!has_manifest).then_some(directory)
    }

    /// Performs `LoadLibraryExW` of a full path or a bare name.
    ///
    /// # Errors
    /// Returns what Windows reports. Modules that were loaded on the way are unloaded again.
    pub fn load(&mut self, name: &str, flags: LoadFlags) -> Result<ModuleId, Failure> {
        match self.current_drive().filter(|_| name.starts_with('\\') && !name.starts_with(r"\\")) {
            Some(drive) => self.load_with(&format!("{drive}{name}"), flags, LIBRARY_MANIFEST),
            None => self.load_with(name, flags, LIBRARY_MANIFEST),
        }
    }

    /// Returns the drive of paths that start at a root without naming a drive.
    fn current_drive(&self) -> Option<&str> {
        let folder = self.current_directory.as_ref().unwrap_or(&self.application_directory).as_str();
        folder.get(..2).filter(|drive| drive.ends_with(':'))
    }

    fn load_with(&mut self, name: &str, flags: LoadFlags, manifest: u32) -> Result<ModuleId, Failure> {
        let before = self.modules.len();
        let mut load = Load::new(manifest, flags, before);
        match self.search_context().directories(name, flags) {
            Some(order) => {
                load.order = Rc::new(order);
                if let Some(id) = self.load_module(name, &mut load).module()
                    && load.faults.is_empty()
                    && load.crashes.is_empty()
                {
                    return Ok(id);
                }
            }
            None => self.fail(name, None, Cause::InvalidParameter, &mut load),
        }
        load.faults.append(&mut load.crashes);
        let mut faults = load.faults.into_iter();
        match faults.next() {
            Some(first) => {
                let found = self.unload_from(before);
                Err(Failure { first, others: faults.collect(), found })
            }
            // A part of Windows for which there is no file here; the newest module stands for it.
            None => Ok(self.modules.len().saturating_sub(1)),
        }
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
        self.modules.push(Module { name, path, rule, required_by, loaded_at, passed_over, dependencies });
        id
    }

    pub(super) fn unload_from(&mut self, first: ModuleId) -> Vec<Module> {
        self.by_name.retain(|_, id| *id < first);
        self.by_path.retain(|_, id| *id < first);
        self.modules.split_off(first)
    }
}
