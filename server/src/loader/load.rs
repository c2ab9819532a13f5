//! One load: a module and everything that it needs, depth-first in the order of the import tables.

use std::rc::Rc;

use super::compatibility::runs_in;
use super::failure::{BrokenForwarder, Cause, Crash, Failure, Fault, Link, Provider, not_exported};
use super::module::{Dependency, DependencyKind, DependencyTarget, ModuleId};
use super::process::Process;
use super::resolve::Resolution;
use super::search::{LoadFlags, Rule};
use super::side_by_side::{self, AssemblyNotFound, Redirections};
use crate::host::{EntryKind, ImageFacts, WinPath};
use crate::image::{Export, LIBRARY_MANIFEST, PROGRAM_MANIFEST, Symbol};
use crate::win32::{ERROR_BAD_EXE_FORMAT, ERROR_MOD_NOT_FOUND};

/// The maximum length of a chain of dependencies. Windows itself runs out of stack earlier.
const MAX_DEPTH: usize = 500;

/// The maximum number of forwarders that are followed in a row. Windows has chains of three.
const MAX_FORWARDERS: usize = 32;

/// The state of a load: its search order, and the faults found so far.
pub(super) struct Load {
    /// The directories that are currently searched.
    pub order: Rc<Vec<(WinPath, Rule)>>,
    /// The names that manifests currently redirect.
    redirections: Option<Rc<Redirections>>,
    /// The resource number of the manifest that counts for the top module of the load.
    manifest: u32,
    /// Whether imports are followed. `DONT_RESOLVE_DLL_REFERENCES` prevents it.
    resolves: bool,
    /// The path from the requested module down to the current one.
    chain: Vec<Link>,
    importer: Option<ModuleId>,
    /// The index of the first module that this load adds.
    first: ModuleId,
    pub faults: Vec<Fault>,
    /// Faults that occur after everything is mapped and bound, when the modules are initialized.
    pub crashes: Vec<Fault>,
}

/// The result of loading one module.
pub(super) enum LoadOutcome {
    NewlyLoaded(ModuleId),
    AlreadyLoaded(ModuleId, Rule),
    PartOfWindows,
    Failed,
}

impl LoadOutcome {
    pub fn module(&self) -> Option<ModuleId> {
        match self {
            LoadOutcome::NewlyLoaded(id) | LoadOutcome::AlreadyLoaded(id, _) => Some(*id),
            LoadOutcome::PartOfWindows | LoadOutcome::Failed => None,
        }
    }
}

impl Load {
    pub fn new(manifest: u32, flags: LoadFlags, first: ModuleId) -> Load {
        Load {
            order: Rc::default(),
            redirections: None,
            manifest,
            resolves: !flags.has(LoadFlags::DONT_RESOLVE_REFERENCES),
            chain: Vec::new(),
            importer: None,
            first,
            faults: Vec::new(),
            crashes: Vec::new(),
        }
    }

    /// Returns the chain down to a culprit.
    fn chain_to(&self, name: &str, path: Option<WinPath>) -> Vec<Link> {
        let mut chain = self.chain.clone();
        chain.push(Link::new(name, path));
        chain
    }
}

impl Process {
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

    /// Finds a module and everything that it imports. Continues after a fault, so that all culprits
    /// are found at once.
    fn load_module(&mut self, name: &str, load: &mut Load) -> LoadOutcome {
        let name = with_suffix(name);
        let redirections = load.redirections.clone().or_else(|| self.redirections.clone());
        let found = match self.resolve(&name, load.importer, &load.order, redirections.as_deref()) {
            Ok(Resolution::Loaded(id, rule)) => return LoadOutcome::AlreadyLoaded(id, rule),
            Ok(Resolution::PartOfWindows) => return LoadOutcome::PartOfWindows,
            Ok(Resolution::File(found)) => found,
            Err(cause) => {
                self.fail(&name, cause.path().cloned(), cause, load);
                return LoadOutcome::Failed;
            }
        };
        let path = found.path.clone();
        let image = match self.host.files.image(&path) {
            Ok(image) => image,
            Err(fault) => {
                let cause = Cause::of_fault(&path, fault);
                self.fail(&name, Some(path), cause, load);
                return LoadOutcome::Failed;
            }
        };
        let is_program = load.manifest == PROGRAM_MANIFEST;
        if let Some(cause) = self.refusal(&path, &image, is_program) {
            self.fail(&name, Some(path), cause, load);
            return LoadOutcome::Failed;
        }
        let id = self.register(&name, found, load.importer);
        if load.chain.len() < MAX_DEPTH {
            load.chain.push(Link::new(&name, Some(path.clone())));
            self.load_dependencies(id, &path, &image, load);
            if let Some(cause) = self.predict_illegal_instruction(&path) {
                load.crashes.push(Fault { chain: load.chain.clone(), cause });
            }
            load.chain.pop();
        }
        LoadOutcome::NewlyLoaded(id)
    }

    /// Returns why Windows refuses to map an image into this process, or `None` if it maps it.
    fn refusal(&self, path: &WinPath, image: &ImageFacts, is_program: bool) -> Option<Cause> {
        let path = path.clone();
        let is_foreign = is_program && !self.host.machine.runs(self.machine);
        if is_foreign || !runs_in(image, self.machine, self.host.machine) {
            return Some(Cause::WrongMachine { path, machine: image.machine, searched: Vec::new() });
        }
        // With long paths enabled, Python finds the file, and Windows loads it unless it has to
        // create an activation context for it (python/cpython issue 126929, astropy/astropy issue
        // 19965).
        let has_manifest = image.manifests.iter().any(|(number, _)| *number == LIBRARY_MANIFEST);
        let is_refused = has_manifest || self.host.running.long_paths == Some(false);
        if is_refused && path.is_long() {
            return Some(Cause::PathTooLong { path });
        }
        // Windows refuses programs for this reason. No source says whether it refuses DLLs.
        let needs = image.subsystem_version;
        let is_newer = self.host.version_number().is_some_and(|has| needs > has);
        (is_program && is_newer).then_some(Cause::NewerWindows { path, needs })
    }

    fn load_dependencies(&mut self, id: ModuleId, path: &WinPath, image: &ImageFacts, load: &mut Load) {
        // Restored at the end: these changes apply to the imports of this image only.
        let importer = load.importer.replace(id);
        let order = load.order.clone();
        let redirections = load.redirections.clone();
        let manifest = std::mem::replace(&mut load.manifest, LIBRARY_MANIFEST);
        self.activate_manifest(path, image, manifest, load);
        // Other bits, such as the 0x2000 that Intel's compiler sets, don't change the search:
        // programs find the DLLs next to images that have it.
        let flags = LoadFlags(u32::from(image.dependent_load_flags));
        if flags.is_restricted()
            && let Some(order) = self.search_context().directories(path.as_str(), flags)
        {
            load.order = Rc::new(order);
        }
        // The loader doesn't resolve the imports of pure .NET code, nor those of a program that is
        // loaded like a DLL (Wine's conformance test `test_import_resolution` in
        // `dlls/kernel32/tests/loader.c`).
        let is_resolved = load.resolves && !image.any_cpu && (image.is_dll || manifest == PROGRAM_MANIFEST);
        let (imports, delay_imports) = image.dlls(self.machine);
        let imports = if is_resolved { imports } else { &[] };
        for import in imports {
            let outcome = self.load_module(import, load);
            self.record_dependency(id, import, DependencyKind::Import, &outcome);
            if let Some(exporter) = outcome.module() {
                self.bind(id, import, exporter, load);
            }
        }
        for import in delay_imports {
            self.record_delay_import(id, import);
        }
        load.importer = importer;
        load.order = order;
        load.redirections = redirections;
    }

    /// Activates the assemblies of the image's manifest for this image and everything below it.
    /// Without a manifest, those of the module above stay active.
    fn activate_manifest(&mut self, path: &WinPath, image: &ImageFacts, number: u32, load: &mut Load) {
        let manifest = image.manifests.iter().find(|(known, _)| *known == number);
        let Some((_, manifest)) = manifest.filter(|(_, manifest)| !manifest.dependencies.is_empty()) else {
            return;
        };
        let Some(directory) = path.parent() else { return };
        match side_by_side::redirections(&self.host, self.machine, &directory, &manifest.dependencies) {
            Ok(redirections) => {
                let redirections = Rc::new(redirections);
                if number == PROGRAM_MANIFEST {
                    // A program's assemblies also apply to everything that it loads later.
                    self.redirections = Some(redirections.clone());
                }
                load.redirections = Some(redirections);
            }
            Err(AssemblyNotFound(assembly)) => {
                let mut chain = load.chain.clone();
                chain.push(Link { name: assembly.name.clone(), path: None });
                load.faults.push(Fault { chain, cause: Cause::MissingAssembly { assembly } });
            }
        }
    }

    fn record_dependency(
        &mut self,
        importer: ModuleId,
        name: &str,
        kind: DependencyKind,
        outcome: &LoadOutcome,
    ) {
        let target = match outcome {
            LoadOutcome::NewlyLoaded(id) => DependencyTarget::Loaded(*id),
            LoadOutcome::AlreadyLoaded(id, rule) => DependencyTarget::AlreadyLoaded(*id, rule.clone()),
            LoadOutcome::PartOfWindows => DependencyTarget::PartOfWindows,
            LoadOutcome::Failed => DependencyTarget::NotFound,
        };
        self.modules[importer].dependencies.push(Dependency { name: name.to_owned(), kind, target });
    }

    /// Looks up a delay import without loading it. At the first call, the helper that the linker
    /// adds to the module passes the bare name to LoadLibraryEx without flags (`delayhlp.cpp` of
    /// Visual C++; Microsoft, "Understand the delay load helper function"). So neither the search
    /// order of the current load nor its manifests apply.
    fn record_delay_import(&mut self, importer: ModuleId, name: &str) {
        let file = with_suffix(name);
        let order = self.search_context().directories(&file, LoadFlags::NONE).unwrap_or_default();
        let found = self.resolve(&file, None, &order, self.redirections.as_deref());
        let target = match found {
            Ok(Resolution::Loaded(id, rule)) => DependencyTarget::AlreadyLoaded(id, rule),
            Ok(Resolution::PartOfWindows) => DependencyTarget::PartOfWindows,
            Ok(Resolution::File(found)) => DependencyTarget::DelayLoaded(found.path, found.rule),
            Err(_) => DependencyTarget::NotFound,
        };
        let kind = DependencyKind::DelayImport;
        self.modules[importer].dependencies.push(Dependency { name: name.to_owned(), kind, target });
    }

    /// Looks up the symbols that `importer` imports from `dll` in the module that the name resolved
    /// to.
    fn bind(&mut self, importer: ModuleId, dll: &str, exporter: ModuleId, load: &mut Load) {
        let exporting = self.modules[exporter].path.clone();
        // An unreadable export table proves nothing: the loader only reads the parts that it needs.
        let Ok(binding) = self.host.files.binding(&self.modules[importer].path, dll, &exporting) else {
            return;
        };
        let name = self.modules[exporter].name.clone();
        if !binding.missing.is_empty() {
            let symbols = binding.missing.clone();
            let cause =
                Cause::MissingExport { provider: self.provider_of(exporter, load), symbols, forwarder: None };
            self.fail(&name, Some(exporting.clone()), cause, load);
        }
        for forwarded in &binding.forwarded {
            let (dll, symbol) = (&forwarded.dll, &forwarded.target);
            if let Err(code) = self.follow_forwarder(importer, dll, symbol, load, MAX_FORWARDERS) {
                let cause = Cause::MissingExport {
                    provider: self.provider_of(exporter, load),
                    symbols: vec![forwarded.symbol.clone()],
                    forwarder: Some(BrokenForwarder { target: format!("{dll}.{symbol}"), code }),
                };
                self.fail(&name, Some(exporting.clone()), cause, load);
            }
        }
        if binding.constexpr_mutex && self.may_have_constexpr_mutexes(importer) {
            let chain = load.chain_to(&name, Some(exporting));
            let fault = self.predicted_crash(exporter, chain, load.first, Crash::AtStart);
            load.crashes.extend(fault);
        }
    }

    /// Loads the DLL that a forwarder names and looks up the symbol there. The search order is that
    /// of the current load; the location of the forwarding DLL doesn't matter (ReactOS'
    /// reconstruction of `LdrpResolveForwarder`, Wine's `find_forwarded_export`).
    ///
    /// # Errors
    /// Returns the Win32 code that the load fails with.
    fn follow_forwarder(
        &mut self,
        importer: ModuleId,
        dll: &str,
        symbol: &Symbol,
        load: &mut Load,
        left: usize,
    ) -> Result<(), u32> {
        let known_faults = load.faults.len();
        let before = self.modules.len();
        let mut outcome = self.load_module(&forwarded_name(dll), load);
        // The fault is that of the forwarder, so faults in its target are removed here and only
        // give the code. A target that lacks something itself is unloaded (Wine's
        // `find_forwarded_export`).
        let failed = load.faults.drain(known_faults..).next().map(|fault| fault.cause.code());
        if failed.is_some() {
            self.unload_from(before);
            outcome = LoadOutcome::Failed;
        }
        let is_recorded = self.modules[importer]
            .dependencies
            .iter()
            .any(|known| known.kind == DependencyKind::Forwarder && known.name.eq_ignore_ascii_case(dll));
        if !is_recorded {
            self.record_dependency(importer, dll, DependencyKind::Forwarder, &outcome);
        }
        let exporter = match outcome {
            LoadOutcome::PartOfWindows => return Ok(()),
            // No new fault if the target was reported before as a culprit of its own.
            LoadOutcome::Failed => return Err(failed.unwrap_or(ERROR_MOD_NOT_FOUND)),
            LoadOutcome::NewlyLoaded(id) | LoadOutcome::AlreadyLoaded(id, _) => id,
        };
        match self.host.files.export(&self.modules[exporter].path, symbol) {
            Ok(Some(Export::Address(_))) | Err(_) => Ok(()),
            Ok(Some(Export::Forward { dll, symbol })) if left > 0 => {
                self.follow_forwarder(importer, &dll, &symbol, load, left - 1)
            }
            // Windows treats an endless chain as an invalid image.
            Ok(Some(Export::Forward { .. })) => Err(ERROR_BAD_EXE_FORMAT),
            Ok(None) => Err(not_exported(symbol)),
        }
    }

    fn provider_of(&self, id: ModuleId, load: &Load) -> Provider {
        Provider { was_loaded: id < load.first, ..self.provider(id) }
    }

    fn fail(&self, name: &str, path: Option<WinPath>, cause: Cause, load: &mut Load) {
        let chain = load.chain_to(name, path);
        let culprit = chain.last().map_or("", |link| link.name.as_str());
        // A culprit can be reached on several paths; only the first one is reported.
        if load.faults.iter().any(|fault| fault.culprit().eq_ignore_ascii_case(culprit)) {
            return;
        }
        load.faults.push(Fault { chain, cause });
    }
}

/// Adds `.dll` to a name without a dot, as the loader does. A dot at the end means that the file has
/// no suffix.
fn with_suffix(name: &str) -> String {
    let file = WinPath::new(name).file_name().to_owned();
    match file.strip_suffix('.') {
        Some(_) => name.trim_end_matches('.').to_owned(),
        None if file.contains('.') => name.to_owned(),
        None => format!("{name}.dll"),
    }
}

/// Adds the suffix that the DLL name of a forwarder lacks. The name itself may contain dots.
fn forwarded_name(dll: &str) -> String {
    match dll.to_ascii_lowercase() {
        name if [".dll", ".exe", ".drv", ".pyd"].iter().any(|suffix| name.ends_with(suffix)) => {
            dll.to_owned()
        }
        _ => format!("{dll}.dll"),
    }
}
