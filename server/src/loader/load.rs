//! One load: a module and all that it needs, depth first in the order of the import tables.

use std::rc::Rc;

use super::failure::{BrokenForwarder, Cause, Crash, Fault, Link, Provider, not_exported};
use super::process::{Answer, Dependency, DependencyKind, ModuleId, Process};
use super::resolve::Resolution;
use super::search::{LoadFlags, Rule};
use super::side_by_side::{self, Missing, Redirections};
use crate::host::{ImageFacts, WinPath};
use crate::image::{
    CONSTEXPR_MUTEX, Export, LIBRARY_MANIFEST, Machine, PROGRAM_MANIFEST, Symbol, instruction_sets,
};

/// A chain of dependencies longer than this is cut; Windows itself runs out of stack before.
const DEEPEST: usize = 500;

/// Forwarders that lead to forwarders are followed so far: Windows has chains of three.
const LONGEST_FORWARD: usize = 32;

/// A load under way: what it searches, and what it has met so far.
pub(super) struct Load {
    /// The directories that are searched just now.
    pub order: Rc<Vec<(WinPath, Rule)>>,
    /// Names that manifests redirect just now.
    redirections: Option<Rc<Redirections>>,
    /// The number of the manifest that the module which the load names is looked up with.
    manifest: u32,
    /// Whether imports are followed: `DONT_RESOLVE_DLL_REFERENCES` forbids it.
    resolves: bool,
    /// From the module that was asked for down to the one being looked at.
    chain: Vec<Link>,
    importer: Option<ModuleId>,
    /// The number that the first new module has.
    first: ModuleId,
    pub faults: Vec<Fault>,
    /// Faults of the time when everything is mapped and bound, and the modules are initialized.
    pub crashes: Vec<Fault>,
}

/// What bringing in a module gives.
pub(super) enum Brought {
    New(ModuleId),
    Known(ModuleId, Rule),
    PartOfWindows,
    Nothing,
}

impl Brought {
    pub fn module(&self) -> Option<ModuleId> {
        match self {
            Brought::New(id) | Brought::Known(id, _) => Some(*id),
            Brought::PartOfWindows | Brought::Nothing => None,
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

    /// The way down to a culprit.
    fn down_to(&self, name: &str, path: Option<WinPath>) -> Vec<Link> {
        let mut chain = self.chain.clone();
        chain.push(Load::link(name, path));
        chain
    }
}

impl Process {
    /// Finds one module and all that it imports. Goes on after a fault, so that all culprits are known at once.
    pub(super) fn bring_in(&mut self, name: &str, load: &mut Load) -> Brought {
        let name = with_suffix(name);
        let redirections = load.redirections.clone().or_else(|| self.redirections.clone());
        let found = match self.resolve(&name, load.importer, &load.order, redirections.as_deref()) {
            Ok(Resolution::Loaded(id, rule)) => return Brought::Known(id, rule),
            Ok(Resolution::PartOfWindows) => return Brought::PartOfWindows,
            Ok(Resolution::File(found)) => found,
            Err(cause) => {
                self.fail(&name, cause.path().cloned(), cause, load);
                return Brought::Nothing;
            }
        };
        let path = found.path.clone();
        let image = match self.host.files.image(&path) {
            Ok(image) => image,
            Err(fault) => {
                let cause = Cause::of_fault(&path, fault);
                self.fail(&name, Some(path), cause, load);
                return Brought::Nothing;
            }
        };
        let is_program = load.manifest == PROGRAM_MANIFEST;
        if let Some(cause) = self.refused(&path, &image, is_program) {
            self.fail(&name, Some(path), cause, load);
            return Brought::Nothing;
        }
        let id = self.register(&name, found, load.importer);
        if load.chain.len() < DEEPEST {
            load.chain.push(Load::link(&name, Some(path.clone())));
            self.bring_in_dependencies(id, &path, &image, load);
            self.foresee_illegal_instruction(&path, load);
            load.chain.pop();
        }
        Brought::New(id)
    }

    /// Whether Windows refuses to map an image into this process.
    fn refused(&self, path: &WinPath, image: &ImageFacts, is_program: bool) -> Option<Cause> {
        let path = path.clone();
        let is_foreign = is_program && !self.host.machine.runs(self.machine);
        if is_foreign || !runs_in(image, self.machine, self.host.machine) {
            return Some(Cause::WrongMachine { path, machine: image.machine, searched: Vec::new() });
        }
        // With long paths switched on Python finds the file, and Windows loads it unless it has to make an activation context
        // for it (python/cpython, issue 126929; astropy/astropy, issue 19965).
        let has_manifest = image.manifests.iter().any(|(number, _)| *number == LIBRARY_MANIFEST);
        let is_refused = has_manifest || self.host.running.long_paths == Some(false);
        if is_refused && path.is_long() {
            return Some(Cause::PathTooLong { path });
        }
        // Only programs are refused for that; whether a DLL is, nobody has written down.
        let needs = image.subsystem_version;
        let is_newer = self.host.version_number().is_some_and(|has| needs > has);
        (is_program && is_newer).then_some(Cause::NewerWindows { path, needs })
    }

    fn bring_in_dependencies(&mut self, id: ModuleId, path: &WinPath, image: &ImageFacts, load: &mut Load) {
        // What these imports change for themselves ends with them.
        let importer = load.importer.replace(id);
        let order = load.order.clone();
        let redirections = load.redirections.clone();
        let manifest = std::mem::replace(&mut load.manifest, LIBRARY_MANIFEST);
        self.activate_manifest(path, image, manifest, load);
        // Other bits, as the 0x2000 that Intel's compiler asks for, leave the search as it is: programs find the DLLs beside those
        // that have it.
        let flags = LoadFlags(u32::from(image.dependent_load_flags));
        if flags.is_restricted()
            && let Some(order) = self.search_context().directories(path.as_str(), flags)
        {
            load.order = Rc::new(order);
        }
        // The loader resolves nothing of pure .NET code, nor of a program that is loaded like a DLL (Wine's conformance test
        // `test_import_resolution` in `dlls/kernel32/tests/loader.c`).
        let is_resolved = load.resolves && !image.any_cpu && (image.is_dll || manifest == PROGRAM_MANIFEST);
        let (imports, delay_imports) = image.dlls(self.machine);
        let imports = if is_resolved { imports } else { &[] };
        for import in imports {
            let brought = self.bring_in(import, load);
            self.note(id, import, DependencyKind::Import, &brought);
            if let Some(exporter) = brought.module() {
                self.bind(id, import, exporter, load);
            }
        }
        for import in delay_imports {
            self.note_delayed(id, import);
        }
        load.importer = importer;
        load.order = order;
        load.redirections = redirections;
    }

    /// From here on down the assemblies of the image's manifest count, if it has one; else those of the module above.
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
                    // A program's assemblies count for whatever it loads later, too.
                    self.redirections = Some(redirections.clone());
                }
                load.redirections = Some(redirections);
            }
            Err(Missing(assembly)) => {
                let mut chain = load.chain.clone();
                chain.push(Link { name: assembly.name.clone(), path: None });
                load.faults.push(Fault { chain, cause: Cause::MissingAssembly { assembly } });
            }
        }
    }

    fn note(&mut self, importer: ModuleId, name: &str, kind: DependencyKind, brought: &Brought) {
        let answer = match brought {
            Brought::New(id) => Answer::Loaded(*id),
            Brought::Known(id, rule) => Answer::AlreadyLoaded(*id, rule.clone()),
            Brought::PartOfWindows => Answer::PartOfWindows,
            Brought::Nothing => Answer::Nothing,
        };
        self.modules[importer].dependencies.push(Dependency { name: name.to_owned(), kind, answer });
    }

    /// A delay import is looked up, for whoever wants to know, and not loaded. At the first call the helper that the linker
    /// puts into the module asks LoadLibraryEx for the bare name with no flags (`delayhlp.cpp` of Visual C++; Microsoft,
    /// "Understand the delay load helper function"), so neither the search of the running load nor its manifests count.
    fn note_delayed(&mut self, importer: ModuleId, name: &str) {
        let file = with_suffix(name);
        let order = self.search_context().directories(&file, LoadFlags::NONE).unwrap_or_default();
        let found = self.resolve(&file, None, &order, self.redirections.as_deref());
        let answer = match found {
            Ok(Resolution::Loaded(id, rule)) => Answer::AlreadyLoaded(id, rule),
            Ok(Resolution::PartOfWindows) => Answer::PartOfWindows,
            Ok(Resolution::File(found)) => Answer::Waiting(found.path, found.rule),
            Err(_) => Answer::Nothing,
        };
        let kind = DependencyKind::DelayImport;
        self.modules[importer].dependencies.push(Dependency { name: name.to_owned(), kind, answer });
    }

    /// Looks up the symbols that `importer` imports under the name `dll` in the module that serves it.
    fn bind(&mut self, importer: ModuleId, dll: &str, exporter: ModuleId, load: &mut Load) {
        let exporting = self.modules[exporter].path.clone();
        // An export table that cannot be read proves nothing: the loader reads only what it needs of it.
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
            if let Err(code) = self.follow_forwarder(importer, dll, symbol, load, LONGEST_FORWARD) {
                let cause = Cause::MissingExport {
                    provider: self.provider_of(exporter, load),
                    symbols: vec![forwarded.symbol.clone()],
                    forwarder: Some(BrokenForwarder { target: format!("{dll}.{symbol}"), code }),
                };
                self.fail(&name, Some(exporting.clone()), cause, load);
            }
        }
        if binding.constexpr_mutex && self.may_have_constexpr_mutexes(importer) {
            let chain = load.down_to(&name, Some(exporting));
            let fault = self.foreseen_crash(exporter, chain, load.first, Crash::AtStart);
            load.crashes.extend(fault);
        }
    }

    /// Loads the DLL that a forwarder names and looks the symbol up there. The DLL is searched as the running load searches;
    /// where the forwarder stands plays no part (ReactOS' reconstruction of `LdrpResolveForwarder`, Wine's
    /// `find_forwarded_export`).
    ///
    /// # Errors
    /// The Win32 code that the load fails with.
    fn follow_forwarder(
        &mut self,
        importer: ModuleId,
        dll: &str,
        symbol: &Symbol,
        load: &mut Load,
        left: usize,
    ) -> Result<(), u32> {
        let known = load.faults.len();
        let before = self.modules.len();
        let mut brought = self.bring_in(&forwarded_name(dll), load);
        // The forwarder itself is what fails; what it led to is told with it. A DLL that lacks something is no target, and
        // is unloaded (Wine's `find_forwarded_export`).
        let failed = load.faults.drain(known..).next().map(|fault| fault.cause.code());
        if failed.is_some() {
            self.unload_from(before);
            brought = Brought::Nothing;
        }
        let is_noted = self.modules[importer]
            .dependencies
            .iter()
            .any(|noted| noted.kind == DependencyKind::Forwarder && noted.name.eq_ignore_ascii_case(dll));
        if !is_noted {
            self.note(importer, dll, DependencyKind::Forwarder, &brought);
        }
        let exporter = match brought {
            Brought::PartOfWindows => return Ok(()),
            // It may be told already, as a culprit of its own.
            Brought::Nothing => return Err(failed.unwrap_or(126)),
            Brought::New(id) | Brought::Known(id, _) => id,
        };
        match self.host.files.export(&self.modules[exporter].path, symbol) {
            Ok(Some(Export::Address(_))) | Err(_) => Ok(()),
            Ok(Some(Export::Forward { dll, symbol })) if left > 0 => {
                self.follow_forwarder(importer, &dll, &symbol, load, left - 1)
            }
            // A chain without end is an invalid image to Windows.
            Ok(Some(Export::Forward { .. })) => Err(193),
            Ok(None) => Err(not_exported(symbol)),
        }
    }

    /// Whether the toolset that linked a module may be one whose mutexes are `constexpr`. An older one's may lock mutexes that
    /// another module has initialized (vtk's do); lld says 14.0, whatever it links.
    fn may_have_constexpr_mutexes(&self, id: ModuleId) -> bool {
        let image = self.host.files.image(&self.modules[id].path);
        image.is_ok_and(|image| {
            let (major, minor) = image.linker;
            major != 14 || minor == 0 || u16::from(minor) >= CONSTEXPR_MUTEX.0[1]
        })
    }

    /// A module locks mutexes that only a runtime from 14.40 on understands, and crashes in an older one. `chain` leads to the runtime.
    fn foreseen_crash(
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

    /// How the process will end as the extension module at `path`, which is loaded, is initialized; none if nothing is known to go wrong.
    /// Modules from the number `first` on came with it.
    pub fn crash_at_init(&self, path: &WinPath, first: ModuleId) -> Option<Fault> {
        let module = *self.by_path.get(path)?;
        self.modules[module].dependencies.iter().find_map(|dependency| {
            let (Answer::Loaded(runtime) | Answer::AlreadyLoaded(runtime, _)) = dependency.answer else {
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
            self.foreseen_crash(runtime, chain.to_vec(), first, Crash::AtInit)
        })
    }

    /// The processor lacks what the module needs to start: its initialization ends with an exception (0xC000001D). Windows' own
    /// modules run wherever it does.
    fn foresee_illegal_instruction(&self, path: &WinPath, load: &mut Load) {
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

    /// A loaded module, and how it came in.
    pub fn provider(&self, id: ModuleId) -> Provider {
        let module = &self.modules[id];
        let mut brought_by = Vec::new();
        let mut root = module;
        while let Some(above) = root.required_by.and_then(|id| self.modules.get(id)) {
            brought_by.push(Load::link(&above.name, Some(above.path.clone())));
            root = above;
        }
        brought_by.reverse();
        Provider {
            path: module.path.clone(),
            rule: module.rule.clone(),
            brought_by,
            asked_by: root.asked_by.clone(),
            was_loaded: true,
        }
    }

    pub(super) fn fail(&self, name: &str, path: Option<WinPath>, cause: Cause, load: &mut Load) {
        let chain = load.down_to(name, path);
        let culprit = chain.last().map_or("", |link| link.name.as_str());
        // The same culprit is reached on many ways; the first one is told.
        if load.faults.iter().any(|fault| fault.culprit().eq_ignore_ascii_case(culprit)) {
            return;
        }
        load.faults.push(Fault { chain, cause });
    }
}

/// The loader adds `.dll` to a name without any dot; a dot at the end says that there is no suffix.
fn with_suffix(name: &str) -> String {
    let file = WinPath::new(name).file_name().to_owned();
    match file.strip_suffix('.') {
        Some(_) => name.trim_end_matches('.').to_owned(),
        None if file.contains('.') => name.to_owned(),
        None => format!("{name}.dll"),
    }
}

/// A forwarder names its DLL without suffix, and dots may stand in that name.
fn forwarded_name(dll: &str) -> String {
    match dll.to_ascii_lowercase() {
        name if [".dll", ".exe", ".drv", ".pyd"].iter().any(|suffix| name.ends_with(suffix)) => {
            dll.to_owned()
        }
        _ => format!("{dll}.dll"),
    }
}

/// Whether an image can be loaded into a process of `process` on a `host` (Microsoft, "Arm64X PE files"): ARM64EC code
/// looks like x64's and runs on ARM64 only, ARM64X is either.
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

/// Whether an image answers a search in such a process: .NET code for any processor is taken by its full path, and passed over where
/// it is searched.
pub fn answers_search(image: &ImageFacts, process: Machine, host: Machine) -> bool {
    runs_in(image, process, host) && (!image.any_cpu || image.machine == process)
}

/// Whether a machine maps images for `image` at all, in whatever process. What it does not map ends a search instead of
/// being passed over (Wine's conformance test `map_image_section` in `dlls/kernel32/tests/loader.c`).
pub(super) fn is_mapped_by(image: Machine, host: Machine) -> bool {
    match host {
        Machine::X86 => image == Machine::X86,
        Machine::Arm64 => !matches!(image, Machine::Other(_)),
        _ => matches!(image, Machine::X86 | Machine::X64 | Machine::Arm64Ec),
    }
}
