//! A process and what is loaded into it.

use rustc_hash::FxHashMap;

use super::failure::{Cause, Failure, Fault, Link, PassedOver, Searched};
use super::search::{AddedDirectory, LoadFlags, Rule, SearchContext, directories};
use crate::host::{ApiSet, Host, WinPath, fold_name};
use crate::image::Machine;

/// A chain of dependencies longer than this is cut; Windows itself runs out of stack before.
const DEEPEST: usize = 500;

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
}

/// A simulated process. Loads are given to it in the order in which the program makes them, since each
/// changes what the next one finds.
#[derive(Clone)]
pub struct Process {
    host: Host,
    machine: Machine,
    application_directory: WinPath,
    current_directory: Option<WinPath>,
    path: Vec<WinPath>,
    added: Vec<AddedDirectory>,
    modules: Vec<Module>,
    by_name: FxHashMap<String, ModuleId>,
    by_path: FxHashMap<WinPath, ModuleId>,
}

/// The load that is under way: what it searches, and what it has met so far.
struct Load {
    order: Vec<(WinPath, Rule)>,
    /// From the module that was asked for down to the one being looked at.
    chain: Vec<Link>,
    faults: Vec<Fault>,
}

/// Where a name leads.
enum Resolution {
    Loaded(ModuleId),
    File(WinPath, Rule),
    /// Part of Windows that we hold no file of; it loads.
    PartOfWindows,
}

impl Process {
    /// A process of the program `executable`, before anything is loaded. `application_directory` is the
    /// folder of the executable that really runs.
    pub fn new(host: Host, machine: Machine, application_directory: WinPath) -> Process {
        let path = host.path_directories();
        Process {
            host,
            machine,
            application_directory,
            current_directory: None,
            path,
            added: Vec::new(),
            modules: Vec::new(),
            by_name: FxHashMap::default(),
            by_path: FxHashMap::default(),
        }
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

    /// SetCurrentDirectory.
    pub fn set_current_directory(&mut self, path: WinPath) {
        self.current_directory = Some(path);
    }

    /// The program changes its PATH.
    pub fn set_path(&mut self, directories: Vec<WinPath>) {
        self.path = directories;
    }

    /// Loads the program itself and what it imports, as the kernel does before its first instruction.
    pub fn start(&mut self, executable: &WinPath) -> Result<ModuleId, Failure> {
        self.load(executable.as_str(), LoadFlags::NONE)
    }

    /// LoadLibraryExW of a full path or a bare name.
    ///
    /// # Errors
    /// What Windows reports. Modules that were found on the way are unloaded again.
    pub fn load(&mut self, name: &str, flags: LoadFlags) -> Result<ModuleId, Failure> {
        let asked = WinPath::new(name);
        let top = if asked.is_absolute() { asked.parent() } else { None };
        let context = SearchContext {
            application: &self.application_directory,
            added: &self.added,
            system: &self.host.system_directory(self.machine),
            windows: &self.host.windows_directory,
            current: self.current_directory.as_ref(),
            path: &self.path,
        };
        let mut load =
            Load { order: directories(flags, top.as_ref(), &context), chain: Vec::new(), faults: Vec::new() };
        let before = self.modules.len();
        let id = self.bring_in(name, None, &mut load);
        let mut faults = load.faults.into_iter();
        match (faults.next(), id) {
            (None, Some(id)) => Ok(id),
            (Some(first), _) => {
                let found = self.unload_from(before);
                Err(Failure { first, others: faults.collect(), found })
            }
            // Part of Windows that we hold no file of: counted as the newest module there is.
            (None, None) => Ok(self.modules.len().saturating_sub(1)),
        }
    }

    /// Finds one module and all that it imports, depth first in the order of the import tables. Goes on
    /// after a fault, so that all culprits are known at once.
    fn bring_in(&mut self, name: &str, importer: Option<ModuleId>, load: &mut Load) -> Option<ModuleId> {
        let name = with_suffix(name);
        let (path, rule) = match self.resolve(&name, importer, &load.order) {
            Ok(Resolution::Loaded(id)) => return Some(id),
            Ok(Resolution::PartOfWindows) => return None,
            Ok(Resolution::File(path, rule)) => (path, rule),
            Err(cause) => {
                let found = match &cause {
                    Cause::NotFound { .. } => None,
                    Cause::WrongMachine { path, .. }
                    | Cause::BadImage { path, .. }
                    | Cause::Unreadable { path, .. } => Some(path.clone()),
                };
                self.fail(&name, found, cause, load);
                return None;
            }
        };
        let image = match self.host.files.image(&path) {
            Ok(image) => image,
            Err(fault) => {
                let cause = Cause::of_fault(&path, fault);
                self.fail(&name, Some(path), cause, load);
                return None;
            }
        };
        if !runs_in(image.machine, self.machine) {
            let cause =
                Cause::WrongMachine { path: path.clone(), machine: image.machine, searched: Vec::new() };
            self.fail(&name, Some(path), cause, load);
            return None;
        }
        let id = self.register(&name, path.clone(), rule, importer);
        if load.chain.len() < DEEPEST {
            let name = WinPath::new(&*name).file_name().to_owned();
            load.chain.push(Link { name, path: Some(path) });
            for import in &image.imports {
                self.bring_in(import, Some(id), load);
            }
            load.chain.pop();
        }
        Some(id)
    }

    fn fail(&self, name: &str, path: Option<WinPath>, cause: Cause, load: &mut Load) {
        let name = WinPath::new(name).file_name().to_owned();
        // The same culprit is reached on many ways; the first one is told.
        if load.faults.iter().any(|fault| fault.culprit().eq_ignore_ascii_case(&name)) {
            return;
        }
        let mut chain = load.chain.clone();
        chain.push(Link { name, path });
        load.faults.push(Fault { chain, cause });
    }

    /// Windows' order for a name: API sets, loaded modules, KnownDLLs, then the directories.
    fn resolve(
        &self,
        name: &str,
        importer: Option<ModuleId>,
        order: &[(WinPath, Rule)],
    ) -> Result<Resolution, Cause> {
        let path = WinPath::new(name);
        if path.is_absolute() {
            let path = path.normalized();
            if let Some(id) = self.by_path.get(&path) {
                return Ok(Resolution::Loaded(*id));
            }
            return if self.host.files.is_file(&path) {
                Ok(Resolution::File(path, Rule::FullPath))
            } else {
                Err(Cause::NotFound { searched: Vec::new() })
            };
        }
        let system = self.host.system_directory(self.machine);
        let importer = importer.map_or("", |id| self.modules[id].path.file_name());
        match self.host.api_sets.resolve(name, importer) {
            ApiSet::NotOne => {}
            ApiSet::Host(host) => {
                let path = system.join(host);
                return match self.by_name.get(&fold_name(host)) {
                    Some(id) => Ok(Resolution::Loaded(*id)),
                    None if self.host.files.is_file(&path) => Ok(Resolution::File(path, Rule::ApiSet)),
                    None => Ok(Resolution::PartOfWindows),
                };
            }
            ApiSet::NotImplemented => return Err(Cause::NotFound { searched: Vec::new() }),
            ApiSet::PerhapsNewer => return Ok(Resolution::PartOfWindows),
        }
        if let Some(id) = self.by_name.get(&fold_name(name)) {
            return Ok(Resolution::Loaded(*id));
        }
        if self.host.known_dlls.contains(&fold_name(name)) {
            let path = system.join(name);
            if self.host.files.is_file(&path) {
                return Ok(Resolution::File(path, Rule::KnownDll));
            }
        }
        self.search(name, order)
    }

    /// A file for another machine does not end the search (Wine's `search_dll_file`, ReactOS'
    /// `LdrpMapDllSearchPath`); any other bad file does.
    fn search(&self, name: &str, order: &[(WinPath, Rule)]) -> Result<Resolution, Cause> {
        let mut searched = Vec::new();
        let mut wrong: Option<(WinPath, Machine)> = None;
        for (directory, rule) in order {
            let path = directory.join(name);
            let mut passed_over = None;
            if self.host.files.is_file(&path) {
                match self.host.files.image(&path) {
                    Ok(image) if !runs_in(image.machine, self.machine) => {
                        passed_over = Some(PassedOver { machine: image.machine });
                        wrong.get_or_insert((path, image.machine));
                    }
                    _ => return Ok(Resolution::File(path, rule.clone())),
                }
            }
            searched.push(Searched { directory: directory.clone(), rule: rule.clone(), passed_over });
        }
        match wrong {
            Some((path, machine)) => Err(Cause::WrongMachine { path, machine, searched }),
            None => Err(Cause::NotFound { searched }),
        }
    }

    fn register(&mut self, name: &str, path: WinPath, rule: Rule, required_by: Option<ModuleId>) -> ModuleId {
        let id = self.modules.len();
        self.by_name.entry(fold_name(path.file_name())).or_insert(id);
        self.by_path.insert(path.clone(), id);
        let name = WinPath::new(name).file_name().to_owned();
        self.modules.push(Module { name, path, rule, required_by });
        id
    }

    fn unload_from(&mut self, first: ModuleId) -> Vec<Module> {
        self.by_name.retain(|_, id| *id < first);
        self.by_path.retain(|_, id| *id < first);
        self.modules.split_off(first)
    }
}

/// The loader adds `.dll` to a name without any dot.
fn with_suffix(name: &str) -> String {
    let file = WinPath::new(name).file_name().to_owned();
    if file.contains('.') { name.to_owned() } else { format!("{name}.dll") }
}

/// Whether an image for `image` can be loaded into a process of `process`.
fn runs_in(image: Machine, process: Machine) -> bool {
    image == process
        || matches!((image, process), (Machine::Arm64Ec, Machine::X64) | (Machine::X64, Machine::Arm64Ec))
}
