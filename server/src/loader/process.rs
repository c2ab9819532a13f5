//! A process and what is loaded into it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::failure::{Cause, Failure};
use super::load::Load;
use super::resolve::Found;
use super::search::{AddedDirectory, LoadFlags, Rule, SearchContext};
use super::side_by_side::Redirections;
use crate::host::{EntryKind, Host, WinPath, fold_name, path_directories};
use crate::image::{LIBRARY_MANIFEST, Machine, PROGRAM_MANIFEST};

/// A place in the list of modules of a [`Process`].
pub type ModuleId = usize;

/// A module that is loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// Base name as it was first asked for.
    pub name: String,
    /// Its file.
    pub path: WinPath,
    /// By which rule it was found.
    pub rule: Rule,
    /// The module whose import table brought it in; none if the program loaded it.
    pub required_by: Option<ModuleId>,
    /// What in the program loaded it, where it did: `scipy/_distributor_init.py:40`.
    pub asked_by: Option<Arc<str>>,
    /// Files of its name that the search passed over, since they are for these other machines.
    pub passed_over: Vec<(WinPath, Machine)>,
    /// What it needs, in the order in which the loader takes it, and where that was found.
    pub dependencies: Vec<Dependency>,
}

/// A DLL that a module needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// The name in the import table, or in the forwarder.
    pub name: String,
    /// What makes it need it.
    pub kind: DependencyKind,
    /// Where the name leads.
    pub answer: Answer,
}

/// Why a module needs a DLL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyKind {
    /// Its import table.
    Import,
    /// Its delay import table: the DLL is looked for at the first call, and not with the module.
    DelayImport,
    /// A symbol that it imports is a forwarder to that DLL.
    Forwarder,
}

/// Where the name of a dependency leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To a module that came with this dependency.
    Loaded(ModuleId),
    /// To a module that was there before, by this rule.
    AlreadyLoaded(ModuleId, Rule),
    /// To a part of Windows that we hold no file of; it loads.
    PartOfWindows,
    /// To a file that is not loaded yet: that of a delay import.
    Waiting(WinPath, Rule),
    /// Nowhere, or to a file that cannot be loaded.
    Nothing,
}

/// A simulated process. Loads are given to it in the order in which the program makes them, since each
/// changes what the next one finds.
#[derive(Clone)]
pub struct Process {
    pub(super) host: Host,
    pub(super) machine: Machine,
    application_directory: WinPath,
    current_directory: Option<WinPath>,
    /// The environment of the process; names in upper case.
    variables: Arc<BTreeMap<String, String>>,
    /// The directories of its PATH.
    path: Vec<WinPath>,
    safe_search: bool,
    packaged: bool,
    added: Vec<AddedDirectory>,
    dll_directory: Option<WinPath>,
    default_directories: LoadFlags,
    caller: Option<Arc<str>>,
    /// What the program's manifest redirects.
    pub(super) redirections: Option<Rc<Redirections>>,
    /// Where `program.exe.local` redirects to.
    pub(super) local_directory: Option<WinPath>,
    pub(super) modules: Vec<Module>,
    pub(super) by_name: FxHashMap<String, ModuleId>,
    pub(super) by_path: FxHashMap<WinPath, ModuleId>,
}

impl Process {
    /// A process before anything is loaded. `application_directory` is the folder of the executable that really
    /// runs.
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

    /// The program is a package of the Store: the search without flags knows neither PATH nor the current directory.
    pub fn be_packaged(&mut self) {
        self.packaged = true;
    }

    /// The machine that it runs on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The modules that are loaded, in the order in which they were found.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The module with this base name, in any case.
    pub fn module_named(&self, name: &str) -> Option<&Module> {
        self.by_name.get(&fold_name(name)).map(|id| &self.modules[*id])
    }

    /// AddDllDirectory. `by` says what in the program calls it.
    pub fn add_dll_directory(&mut self, path: WinPath, by: String) {
        self.added.push(AddedDirectory { path, by });
    }

    /// RemoveDllDirectory.
    pub fn remove_dll_directory(&mut self, path: &WinPath) {
        if let Some(at) = self.added.iter().rposition(|added| added.path == *path) {
            self.added.remove(at);
        }
    }

    /// SetDllDirectory; none takes it back.
    pub fn set_dll_directory(&mut self, path: Option<WinPath>) {
        self.dll_directory = path;
    }

    /// SetDefaultDllDirectories: what loads without a `LOAD_LIBRARY_SEARCH_*` flag search from now on. Windows takes
    /// nothing but application, user, System32 and default directories (`test_SetDefaultDllDirectories` in Wine's
    /// `dlls/kernel32/tests/module.c`); whether it does.
    pub fn set_default_directories(&mut self, flags: LoadFlags) -> bool {
        let is_taken = flags != LoadFlags::NONE && flags.0 & !0x1e00 == 0;
        if is_taken {
            self.default_directories = flags;
        }
        is_taken
    }

    /// SetCurrentDirectory.
    pub fn set_current_directory(&mut self, path: WinPath) {
        self.current_directory = Some(path);
    }

    /// The current directory, where it is known.
    pub fn current_directory(&self) -> Option<&WinPath> {
        self.current_directory.as_ref()
    }

    /// A variable of its environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(&name.to_ascii_uppercase()).map(String::as_str)
    }

    /// SetEnvironmentVariable; none removes it.
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

    /// The directories of its PATH, in order.
    pub fn path_directories(&self) -> &[WinPath] {
        &self.path
    }

    /// What in the program makes the loads that follow: `scipy/_distributor_init.py:40`; none for the program that is asked
    /// about.
    pub fn set_caller(&mut self, caller: Option<&str>) {
        self.caller = caller.map(Arc::from);
    }

    /// Loads the program itself and what it imports, as the kernel does before its first instruction.
    ///
    /// # Errors
    /// As [`Process::load`]; the program does not start.
    pub fn start(&mut self, executable: &WinPath) -> Result<ModuleId, Failure> {
        self.local_directory = self.local_redirection(executable);
        self.load_with(executable.as_str(), LoadFlags::NONE, PROGRAM_MANIFEST)
    }

    /// `python.exe.local` beside the program: a folder whose DLLs come first, or a file that puts the program's own
    /// folder first. It does not count for a program with a manifest (Microsoft, "Dynamic-Link Library Redirection").
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

    /// LoadLibraryExW of a full path or a bare name.
    ///
    /// # Errors
    /// What Windows reports. Modules that were found on the way are unloaded again.
    pub fn load(&mut self, name: &str, flags: LoadFlags) -> Result<ModuleId, Failure> {
        match self.current_drive().filter(|_| name.starts_with('\\') && !name.starts_with(r"\\")) {
            Some(drive) => self.load_with(&format!("{drive}{name}"), flags, LIBRARY_MANIFEST),
            None => self.load_with(name, flags, LIBRARY_MANIFEST),
        }
    }

    /// Where a path begins that names a root without a drive.
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
                if let Some(id) = self.bring_in(name, &mut load).module()
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
            // Part of Windows that we hold no file of: counted as the newest module there is.
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

    pub(super) fn register(&mut self, name: &str, found: Found, required_by: Option<ModuleId>) -> ModuleId {
        let Found { path, rule, passed_over } = found;
        let id = self.modules.len();
        self.by_name.entry(fold_name(path.file_name())).or_insert(id);
        self.by_path.insert(path.clone(), id);
        let name = WinPath::new(name).file_name().to_owned();
        let asked_by = if required_by.is_none() { self.caller.clone() } else { None };
        let dependencies = Vec::new();
        self.modules.push(Module { name, path, rule, required_by, asked_by, passed_over, dependencies });
        id
    }

    pub(super) fn unload_from(&mut self, first: ModuleId) -> Vec<Module> {
        self.by_name.retain(|_, id| *id < first);
        self.by_path.retain(|_, id| *id < first);
        self.modules.split_off(first)
    }
}
