//! One load: a module and everything that it needs, depth-first in the order of the import tables.

use std::rc::Rc;

use super::failure::{BrokenForwarder, Cause, Crash, Fault, Link, Provider, not_exported};
use super::process::{Dependency, DependencyKind, DependencyTarget, ModuleId, Process};
use super::resolve::Resolution;
use super::search::{LoadFlags, Rule};
use super::side_by_side::{self, AssemblyNotFound, Redirections};
use crate::host::{ImageFacts, WinPath};
use crate::image::{
    CONSTEXPR_MUTEX, Export, LIBRARY_MANIFEST, Machine, PROGRAM_MANIFEST, Symbol, instruction_sets,
};
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

    fn link(name: &str, path: Option<WinPath>) -> Link {
        Link { name: WinPath::new(name).file_name().to_owned(), path }
    }

    /// Returns the chain down to a culprit.
    fn chain_to(&self, name: &str, path: Option<WinPath>) -> Vec<Link> {
        let mut chain = self.chain.clone();
        chain.push(Load::link(name, path));
        chain
    }
}

impl Process {
    /// Finds a module and everything that it imports. Continues after a fault, so that all culprits
    /// are found at once.
    pub(super) fn load_module(&mut self, name: &str, load: &mut Load) -> LoadOutcome {
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
            load.chain.push(Load::link(&name, Some(path.clone())));
            self.load_dependencies(id, &path, &image, load);
            self.predict_illegal_instruction(&path, load);
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

    /// Whether a module may have been linked with a toolset that makes mutexes `constexpr`. A
    /// module of an older toolset may lock mutexes that another module has initialized (vtk's
    /// modules do). lld always writes 14.0.
    fn may_have_constexpr_mutexes(&self, id: ModuleId) -> bool {
        let image = self.host.files.image(&self.modules[id].path);
        image.is_ok_and(|image| {
            let (major, minor) = image.linker;
            major != 14 || minor == 0 || u16::from(minor) >= CONSTEXPR_MUTEX.0[1]
        })
    }

    /// Returns the crash of a module that locks mutexes in a way that only runtimes from 14.40 on
    /// support, if the runtime is older. `chain` leads to the runtime.
    fn predicted_crash(
        &self,
        runtime: ModuleId,
        chain: Vec<Link>,
        first: ModuleId,
        crash: Crash,
    ) -> Option<Fault> {
        let version = self.host.files.image(&self.modules[runtime].path).ok()?.version?;
        let provider = Provider { was_loaded: runtime < first, ..self.provider(runtime) };
        let cause = Cause::OutdatedRuntime { provider, version, needs: CONSTEXPR_MUTEX, crash };
        (version < CONSTEXPR_MUTEX).then_some(Fault { chain, cause })
    }

    /// Predicts how the process crashes when the loaded extension module at `path` is initialized.
    /// Returns `None` if no reason for a crash is known. Modules from index `first` on were loaded
    /// together with it.
    pub fn predict_crash_at_init(&self, path: &WinPath, first: ModuleId) -> Option<Fault> {
        let module = *self.by_path.get(path)?;
        self.modules[module].dependencies.iter().find_map(|dependency| {
            let (DependencyTarget::Loaded(runtime) | DependencyTarget::AlreadyLoaded(runtime, _)) =
                dependency.target
            else {
                return None;
            };
            let exporting = &self.modules[runtime].path;
            let binding = self.host.files.binding(path, &dependency.name, exporting).ok()?;
            if !binding.constexpr_mutex_at_init || !self.may_have_constexpr_mutexes(module) {
                return None;
            }
            let chain = [module, runtime].map(|id| {
                let module = &self.modules[id];
                Load::link(&module.name, Some(module.path.clone()))
            });
            self.predicted_crash(runtime, chain.to_vec(), first, Crash::AtInit)
        })
    }

    /// Predicts that the initialization of a module ends with an exception (0xC000001D) because the
    /// processor lacks instructions that the module needs. Windows' own modules run wherever
    /// Windows runs.
    fn predict_illegal_instruction(&self, path: &WinPath, load: &mut Load) {
        let Some(has) = &self.host.running.instructions else { return };
        let is_complete = instruction_sets().all(|set| has.contains(set));
        if is_complete || self.machine != Machine::X64 || path.is_within(&self.host.windows_directory) {
            return;
        }
        let Ok(needs) = self.host.files.instructions(path) else { return };
        let sets: Vec<String> = needs.difference(has).cloned().collect();
        if !sets.is_empty() {
            let cause = Cause::LacksInstructions { path: path.clone(), sets };
            load.crashes.push(Fault { chain: load.chain.clone(), cause });
        }
    }

    fn provider_of(&self, id: ModuleId, load: &Load) -> Provider {
        Provider { was_loaded: id < load.first, ..self.provider(id) }
    }

    /// Describes a loaded module and why it was loaded.
    pub fn provider(&self, id: ModuleId) -> Provider {
        let module = &self.modules[id];
        let mut importers = Vec::new();
        let mut root = module;
        while let Some(above) = root.required_by.and_then(|id| self.modules.get(id)) {
            importers.push(Load::link(&above.name, Some(above.path.clone())));
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

    pub(super) fn fail(&self, name: &str, path: Option<WinPath>, cause: Cause, load: &mut Load) {
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

/// Whether an image can be loaded into a process for the machine `process` on a Windows for `host`
/// (Microsoft, "Arm64X PE files"). ARM64EC code looks like x64 code and runs on ARM64 only; ARM64X
/// is both.
fn runs_in(image: &ImageFacts, process: Machine, host: Machine) -> bool {
    let on_arm = host == Machine::Arm64;
    match (image.machine, process) {
        _ if image.any_cpu => true,
        (Machine::Arm64Ec, Machine::X64 | Machine::Arm64Ec) => on_arm,
        (Machine::X64, Machine::Arm64Ec) => true,
        (Machine::Arm64X, Machine::X64 | Machine::Arm64Ec | Machine::Arm64) => on_arm,
        (image, process) => image == process,
    }
}

/// Whether an image ends a search in a process for the machine `process`. .NET code for any
/// processor is loaded by its full path, but passed over in a search.
pub fn answers_search(image: &ImageFacts, process: Machine, host: Machine) -> bool {
    runs_in(image, process, host) && (!image.any_cpu || image.machine == process)
}

/// Whether a Windows for `host` maps images for `image` in any process. An image that it doesn't
/// map ends a search instead of being passed over (Wine's conformance test `map_image_section` in
/// `dlls/kernel32/tests/loader.c`).
pub(super) fn is_mapped_by(image: Machine, host: Machine) -> bool {
    match host {
        Machine::X86 => image == Machine::X86,
        Machine::Arm64 => !matches!(image, Machine::Other(_)),
        _ => matches!(image, Machine::X86 | Machine::X64 | Machine::Arm64Ec),
    }
}
