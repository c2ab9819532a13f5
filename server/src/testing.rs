//! Tests as scenarios: a machine in one string, and the expected diagnosis.
//!
//! The files of a world are written by the crate `world`, whose documentation describes the
//! language. They are on drive `C:` of a built-in Windows. The directives are executed here, in
//! order:
//!
//! | directive | does |
//! |---|---|
//! | `machine windows-10` · `windows-11+vcredist` · … | which Windows (default: `windows-11`) |
//! | `path /a;/b` | PATH of the process |
//! | `variable NAME value` | an environment variable |
//! | `python /env` | the interpreter or environment (default: `/Python`) |
//! | `processor sse3 avx` | the instruction sets that the processor supports |
//! | `registered 14.38.33130.0` | the x64 redistributable that is registered as installed |
//! | `new path /a` | PATH of newly started programs |
//! | `short paths` | long paths are disabled |
//! | `denied /x` | a file or folder that this user may not read |
//! | `application /app` · `/app x86` | a process without Python, for loads only |
//! | `current /x` | SetCurrentDirectory of that process |
//! | `start /app/program.exe` | starts the program, with the redirections of its folder and its manifest |
//! | `add directory /x`, `remove directory /x` | AddDllDirectory, RemoveDllDirectory |
//! | `set directory /x`, `default directories 0x1000` | SetDllDirectory, SetDefaultDllDirectories |
//! | `load /env/a.pyd` | loads it as the interpreter loads an extension module |
//! | `load NAME plain` · `altered` · `modern` · `flags 0x900` | LoadLibraryEx with those flags |
//! | `load NAME ctypes` · `winmode 0` | `ctypes.WinDLL` |
//! | `loaded` | the modules that are loaded when Python has started |
//! | `find NAME` · `NAME in /folder` | what the finders find on `sys.path`, or in a package's folder |
//! | `script /w/main.py` | the document of the imports |
//! | `watch` | from here on, only problems with installed native code are reported |
//! | `before STATEMENT` | what the program does first; several lines add up |
//! | `import NAME` | diagnoses the import |
//! | `program /w/main.py` | diagnoses the imports of that file |
//! | `cell /w/cell.py` | diagnoses the imports of that file as the only cell of a notebook |
//! | `follow NAME` | the steps of the import |

mod carried_out;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use expect_test::Expect;
use world::World;

use crate::cpython::{CtypesMode, Finder, Found, Interpreter, LoadError};
use crate::diagnosis::{
    Diagnosis, DiagnosisCache, Edit, Finding, FixEffect, FixOutcome, Import, ImportingDocument,
    PackageFilter, ReportScope, Severity, diagnose,
};
use crate::environment::Environment;
use crate::host::{
    AnyAnswer, AnyFact, FileError, Files, Folder, Host, HostSpec, MachineFacts, RegisteredRuntime, WinPath,
};
use crate::image::{FileVersion, Machine};
use crate::loader::{BrokenForwarder, Cause, Failure, LoadFlags, LoadedModule, Process};
use crate::plan::{Event, Plan};
use crate::source::{Document, ImportPoint, ImportStatement, STACK};

/// Builds the world, executes its directives, and checks their output.
pub fn check(text: &str, expected: Expect) {
    expected.assert_eq(&answer(text));
}

/// Like [`check`], but first modifies the world by `change`, for things that its language can't
/// express.
pub fn check_changed(text: &str, change: impl FnOnce(&World), expected: Expect) {
    let world = World::new(text).unwrap();
    change(&world);
    expected.assert_eq(&answer_of(&world));
}

/// Builds the world and returns the output of its directives.
pub fn answer(text: &str) -> String {
    answer_of(&World::new(text).unwrap())
}

/// Returns the output of the directives of an existing world.
pub fn answer_of(world: &World) -> String {
    // The analysis of Python is recursive.
    on_large_stack(|| {
        let mut scenario = Scenario::of(world);
        for directive in world.directives() {
            scenario.execute(directive);
        }
        scenario.out
    })
}

/// Returns the machine, the environment, and the diagnosis of the last `import` of a world.
pub fn diagnosed(world: &World) -> (Host, Environment, Diagnosis) {
    on_large_stack(|| {
        let mut scenario = Scenario::of(world);
        let mut import = "tensorflow";
        for directive in world.directives() {
            match directive.strip_prefix("import ") {
                Some(name) => import = name,
                None => scenario.execute(directive),
            }
        }
        let host = scenario.host();
        let environment = scenario.environment(&host);
        let import = Import { document: scenario.document(), ..Import::first(import) };
        let diagnosis = diagnose(&host, &environment, &[import]);
        (host, environment, diagnosis)
    })
}

/// Runs `work` on a thread with the stack size that the program uses.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        thread.unwrap().join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Scenario<'w> {
    root: PathBuf,
    machine: String,
    path: String,
    variables: Vec<(String, String)>,
    python: WinPath,
    denied: BTreeSet<WinPath>,
    running: MachineFacts,
    before: String,
    script: Option<WinPath>,
    scope: ReportScope,
    process: Option<Process>,
    out: String,
    world: &'w World,
}

impl Scenario<'_> {
    fn of(world: &World) -> Scenario<'_> {
        Scenario {
            root: world.root().to_owned(),
            machine: "windows-11".to_owned(),
            path: String::new(),
            variables: Vec::new(),
            python: WinPath::new(r"C:\Python"),
            denied: BTreeSet::new(),
            running: MachineFacts::default(),
            before: String::new(),
            script: None,
            scope: ReportScope::Named,
            process: None,
            out: String::new(),
            world,
        }
    }

    fn execute(&mut self, directive: &str) {
        let (verb, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let rest = rest.trim();
        match verb {
            "machine" => self.machine = rest.to_owned(),
            "path" => {
                let folders: Vec<String> =
                    rest.split(';').map(|folder| on_drive(folder).to_string()).collect();
                self.path = folders.join(";");
            }
            "variable" => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                self.variables.push((name.to_owned(), value.to_owned()));
            }
            "python" => self.python = on_drive(rest),
            "processor" => {
                self.running.instructions = Some(rest.split_whitespace().map(str::to_owned).collect());
            }
            "registered" => {
                let version = FileVersion::parse(rest).unwrap();
                self.running.registered_runtimes = vec![RegisteredRuntime { machine: Machine::X64, version }];
            }
            "new" => self.running.path = on_drive(rest.strip_prefix("path ").unwrap()).to_string(),
            "short" => self.running.long_paths = Some(false),
            "denied" => drop(self.denied.insert(on_drive(rest))),
            "application" => {
                let (folder, machine) = rest.split_once(' ').unwrap_or((rest, "x86_64"));
                let machine = Machine::try_from(machine.to_owned()).unwrap();
                self.process = Some(Process::new(self.host(), machine, on_drive(folder)));
            }
            "current" => self.process().set_current_directory(on_drive(rest)),
            "add" => {
                let folder = on_drive(rest.trim_start_matches("directory "));
                self.process().add_dll_directory(folder, "the test".to_owned());
            }
            "remove" => {
                let folder = on_drive(rest.trim_start_matches("directory "));
                self.process().remove_dll_directory(&folder);
            }
            "start" => match self.process().start(&on_drive(rest)) {
                Ok(_) => {
                    let lines: Vec<String> = self.process().modules().iter().map(module_line).collect();
                    self.out += &lines.concat();
                }
                Err(failure) => write_failure(&mut self.out, &failure),
            },
            "set" => {
                let folder = on_drive(rest.trim_start_matches("directory "));
                self.process().set_dll_directory(Some(folder));
            }
            "default" => {
                let flags = number(rest.trim_start_matches("directories "));
                self.process().set_default_directories(LoadFlags(flags));
            }
            "load" => self.load(rest),
            "loaded" => self.loaded(),
            "before" => self.before += &format!("{rest}\n"),
            "script" => self.script = Some(on_drive(rest)),
            "watch" => self.scope = ReportScope::IfNative,
            "program" => self.program(rest, Document::parse),
            "cell" => self.program(rest, |text| Document::parse_cells(&[text]).remove(0)),
            "find" => self.find(rest),
            "import" => self.import(rest),
            "follow" => self.steps(rest),
            _ => panic!("no such directive: {directive}"),
        }
    }

    fn host(&self) -> Host {
        let mut host = HostSpec::from(self.machine.as_str()).open(Some(&self.root), Arc::default()).unwrap();
        host.running = self.running.clone();
        if !self.denied.is_empty() {
            host.files = Arc::new(DeniedFiles { files: host.files, denied: self.denied.clone() });
        }
        let variables = self.variables.iter();
        variables.fold(host.with_variable("PATH", &self.path), |host, (name, value)| {
            host.with_variable(name, value)
        })
    }

    fn environment(&self, host: &Host) -> Environment {
        Environment::on(&self.python, host).unwrap()
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("`application` comes first")
    }

    fn load(&mut self, rest: &str) {
        let (name, how) = rest.split_once(' ').unwrap_or((rest, ""));
        let target = if name.starts_with('/') { on_drive(name).to_string() } else { name.to_owned() };
        if let Some(process) = &mut self.process {
            let flags = match how {
                "plain" => LoadFlags::NONE,
                "altered" => LoadFlags::ALTERED_SEARCH_PATH,
                "ctypes" => LoadFlags::SEARCH_DEFAULT_DIRS,
                _ if how.starts_with("flags ") => LoadFlags(number(&how[6..])),
                _ => LoadFlags::SEARCH_DEFAULT_DIRS.with(LoadFlags::SEARCH_DLL_LOAD_DIR),
            };
            let before = process.modules().len();
            match process.load(&target, flags) {
                Ok(_) => {
                    let lines: Vec<String> = process.modules()[before..].iter().map(module_line).collect();
                    self.out += &lines.concat();
                }
                Err(failure) => write_failure(&mut self.out, &failure),
            }
            return;
        }
        let host = self.host();
        let environment = self.environment(&host);
        let mut interpreter = Interpreter::start(&host, &environment).unwrap();
        let before = interpreter.process.modules().len();
        let result = match how {
            "ctypes" => interpreter.load_library(&target, CtypesMode::default()),
            _ if how.starts_with("winmode ") => {
                interpreter.load_library(&target, CtypesMode { winmode: Some(number(&how[8..])) })
            }
            _ => interpreter.load_extension(&WinPath::new(target.as_str())),
        };
        match result {
            Ok(()) => {
                let modules = &interpreter.process.modules()[before..];
                self.out += &modules.iter().map(module_line).collect::<String>();
            }
            Err(error) => {
                if let LoadError::Windows(failure) = &error {
                    write_failure(&mut self.out, failure);
                }
                let stem = WinPath::new(target.as_str()).file_name().split('.').next().unwrap().to_owned();
                let _ = match how {
                    _ if how == "ctypes" || how.starts_with("winmode") => {
                        let (class, text) = interpreter.ctypes_sentence(&target, &error);
                        writeln!(self.out, "{class}: {text}")
                    }
                    _ => writeln!(self.out, "ImportError: {}", interpreter.import_sentence(&stem, &error)),
                };
            }
        }
    }

    fn loaded(&mut self) {
        let host = self.host();
        let environment = self.environment(&host);
        match Interpreter::start(&host, &environment) {
            Ok(interpreter) => self.out.extend(interpreter.process.modules().iter().map(module_line)),
            Err(failure) => write_failure(&mut self.out, &failure),
        }
    }

    fn find(&mut self, rest: &str) {
        let host = self.host();
        let environment = self.environment(&host);
        let finder = Finder::new(&environment, &host);
        let found = match rest.split_once(" in ") {
            Some((name, folder)) => finder.submodule(name, &[on_drive(folder)]),
            None => {
                let path: Vec<WinPath> =
                    environment.sys_path.iter().map(|entry| entry.path.clone()).collect();
                finder.top_level(rest, &path)
            }
        };
        let _ = match found {
            Found::Package { init, .. } => writeln!(self.out, "package {init}"),
            Found::Namespace(portions) => {
                let portions: Vec<&str> = portions.iter().map(WinPath::as_str).collect();
                writeln!(self.out, "namespace {}", portions.join(" and "))
            }
            Found::Source(path) => writeln!(self.out, "source {path}"),
            Found::Extension { path, folder: None } => writeln!(self.out, "native {path}"),
            Found::Extension { path, folder: Some(_) } => writeln!(self.out, "native package {path}"),
            Found::Builtin => writeln!(self.out, "built in"),
            Found::Opaque { path: Some(path) } => writeln!(self.out, "unseen in {path}"),
            Found::Opaque { path: None } => writeln!(self.out, "standard library"),
            Found::NotFound { for_other_python: Some(path) } => writeln!(self.out, "nothing but {path}"),
            Found::NotFound { for_other_python: None } => writeln!(self.out, "nothing"),
            Found::Inaccessible(it) => writeln!(self.out, "{} withheld: {}", it.path, it.why),
        };
    }

    /// Returns the document of the imports.
    fn document(&self) -> Option<ImportingDocument> {
        ImportingDocument::of_file(self.script.as_ref()?, self.before.contains("__file__"))
    }

    fn import(&mut self, name: &str) {
        let host = self.host();
        let environment = self.environment(&host);
        let import = Import {
            name: name.to_owned(),
            is_access: false,
            needs: None,
            names: Vec::new(),
            point: ImportPoint::after_source(&self.before),
            document: self.document(),
            scope: self.scope,
        };
        let diagnosis = diagnose(&host, &environment, std::slice::from_ref(&import));
        self.carry_out(&diagnosis, |scenario, edit| {
            let edited = match edit {
                Some(Edit::Insert(statements)) => {
                    ImportPoint::after_source(&format!("{}{statements}\n", self.before))
                }
                Some(Edit::Move(_)) => panic!("there is no other import in the program"),
                None => import.point.clone(),
            };
            let host = scenario.host();
            diagnose(&host, &scenario.environment(&host), &[Import { point: edited, ..import.clone() }])
        });
        self.write_diagnosis(&diagnosis);
    }

    /// Carries out each fix that is expected to cure, and diagnoses the import again.
    fn carry_out(&self, diagnosis: &Diagnosis, again: impl Fn(&Scenario<'_>, Option<&Edit>) -> Diagnosis) {
        for finding in &diagnosis.findings {
            for fix in finding.fixes.iter().filter(|fix| fix.outcome == FixOutcome::Cures) {
                let drive = carried_out::drive(&self.root, &fix.effect);
                let after = self.on(drive.path(), &fix.effect);
                let cured = again(&after, fix.effect.edit.as_ref());
                let known =
                    |found: &Finding| diagnosis.findings.iter().any(|known| known.has_same_cause(found));
                let still = cured.findings.iter().find(|found| {
                    let is_same = found.has_same_cause(finding) && found.severity <= finding.severity;
                    is_same || (found.severity == Severity::Error && !known(found))
                });
                assert!(still.is_none(), "{fix:#?} does not cure {finding:#?}: {still:#?}");
            }
        }
    }

    /// Returns the scenario with another drive, after a fix was carried out.
    fn on(&self, drive: &Path, effect: &FixEffect) -> Scenario<'_> {
        let windows = WinPath::new(r"C:\Windows");
        // The system directories of a built-in Windows are not on the drive.
        let renews_windows = effect.files.iter().any(|(path, _)| path.is_within(&windows));
        let machine = match &*self.machine {
            machine if !renews_windows => machine,
            "windows-11-arm64" => "windows-11-arm64+vcredist",
            _ => "windows-11+vcredist",
        };
        let path: Vec<&str> = effect.path.iter().map(WinPath::as_str).chain([self.path.as_str()]).collect();
        Scenario {
            root: drive.to_owned(),
            machine: machine.to_owned(),
            path: path.join(";"),
            variables: self.variables.clone(),
            python: effect.interpreter.clone().unwrap_or_else(|| self.python.clone()),
            denied: self.denied.clone(),
            running: self.running.clone(),
            before: self.before.clone(),
            script: self.script.clone(),
            scope: self.scope,
            process: None,
            out: String::new(),
            world: self.world,
        }
    }

    /// Diagnoses each import of a document in the world that is watched by default.
    fn program(&mut self, file: &str, read: impl Fn(&str) -> Document) {
        let host = self.host();
        let environment = self.environment(&host);
        let text = std::fs::read_to_string(self.world.path(file)).unwrap();
        let document = read(&text);
        let path = ImportingDocument::of(std::slice::from_ref(&document), Some(&on_drive(file)));
        let imports: Vec<Import> = document
            .imports
            .iter()
            .filter_map(|statement| PackageFilter::Native.import(statement, path.as_ref()))
            .collect();
        let together = DiagnosisCache::new(&host, &environment, None).diagnose_document(&imports);
        let proven = DiagnosisCache::new(&host, &environment, None).diagnose_and_prove(&imports);
        for ((import, found), diagnosis) in imports.iter().zip(&together).zip(&proven) {
            // In a process of its own, the import has the same diagnosis.
            let alone = DiagnosisCache::new(&host, &environment, None)
                .diagnose_document(std::slice::from_ref(import));
            assert_eq!(alone, std::slice::from_ref(found));
            let statement = document
                .imports
                .iter()
                .find(|known| known.module == *import.name && known.point == import.point);
            self.carry_out(diagnosis, |scenario, edit| {
                let host = scenario.host();
                let text = edited(&text, &document, statement.unwrap(), edit);
                let document = read(&text);
                let path = ImportingDocument::of(std::slice::from_ref(&document), Some(&on_drive(file)));
                let asked =
                    document.imports.iter().filter_map(|it| PackageFilter::Native.import(it, path.as_ref()));
                let asked: Vec<Import> = asked.filter(|known| known.name == import.name).collect();
                let environment = scenario.environment(&host);
                let mut all = DiagnosisCache::new(&host, &environment, None);
                let found =
                    asked.iter().flat_map(|import| all.diagnose_document(std::slice::from_ref(import)));
                found
                    .reduce(|mut one, other| {
                        one.findings.extend(other.findings);
                        one
                    })
                    .unwrap()
            });
            let _ = write!(self.out, "{}: ", import.name);
            match diagnosis.packages.is_empty() {
                true => self.out += "not watched\n",
                false => self.write_diagnosis(diagnosis),
            }
        }
    }

    fn write_diagnosis(&mut self, diagnosis: &Diagnosis) {
        let out = &mut self.out;
        if diagnosis.findings.is_empty() {
            let _ = writeln!(out, "{}", diagnosis.health.name());
        }
        for finding in &diagnosis.findings {
            assert_complete(finding);
            let dlls = finding.dlls.join(", ");
            let kind = if finding.is_note { "note" } else { finding.severity.name() };
            let _ = writeln!(out, "{kind} {}: {dlls}", finding.code);
            let parts = [&finding.what, &finding.evidence, &finding.advice, &finding.caution];
            for part in parts.into_iter().filter(|part| !part.is_empty()) {
                let _ = writeln!(out, "  {part}");
            }
            if let Some(sentence) = &finding.python_error {
                let _ = writeln!(out, "  Python: {sentence}");
            }
            for fix in &finding.fixes {
                let mark = match fix.outcome {
                    FixOutcome::Cures if fix.preferred => '*',
                    FixOutcome::Cures => '-',
                    FixOutcome::LeadsTo(_) => '~',
                    FixOutcome::Untried | FixOutcome::NoEffect | FixOutcome::Unknown(_) => '?',
                };
                let value = fix.action.value().replace('\n', " | ");
                let _ = writeln!(out, "  {mark} {} | {value}", fix.title);
            }
        }
    }

    fn steps(&mut self, name: &str) {
        let host = self.host();
        let environment = self.environment(&host);
        let interpreter = Interpreter::start(&host, &environment).unwrap();
        let mut plan = Plan::new(interpreter, Finder::new(&environment, &host));
        let imported = plan.import(name);
        for step in plan.steps() {
            let at = &step.at;
            let _ = match &step.event {
                Event::Module { name, .. } => writeln!(self.out, "{name} <- {at}"),
                Event::Extension { name, loaded: true, .. } => writeln!(self.out, "native {name} <- {at}"),
                Event::Extension { name, .. } => writeln!(self.out, "native {name} FAILS <- {at}"),
                Event::Library { name, loaded: true } => writeln!(self.out, "library {name} <- {at}"),
                Event::Library { name, .. } => writeln!(self.out, "library {name} FAILS <- {at}"),
                Event::DirectoryAdded(path) => writeln!(self.out, "directory {path} <- {at}"),
                Event::NotFound(module) => writeln!(self.out, "unknown: no module {module} is found <- {at}"),
                Event::Unknown(what) | Event::UnknownLoad(what) => {
                    writeln!(self.out, "unknown: {what} <- {at}")
                }
            };
        }
        if let Some(error) = imported.error {
            let _ = writeln!(self.out, "=> {}", error.sentence);
        }
    }
}

/// Returns a document after an edit for one of its imports.
fn edited(text: &str, document: &Document, import: &ImportStatement, edit: Option<&Edit>) -> String {
    let (line, statement) = match edit {
        None => return text.to_owned(),
        Some(Edit::Insert(statements)) => (import.statement_line, statements.clone()),
        Some(Edit::Move(to)) => {
            let target = document.imports.iter().find(|known| known.point.identity() == *to).unwrap();
            (target.statement_line, format!("import {}", import.module))
        }
    };
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(line as usize, &statement);
    format!("{}\n", lines.join("\n"))
}

/// Asserts that a finding is complete: what is wrong, how we know, what to do, and exactly one
/// preferred fix if one is known to cure.
pub fn assert_complete(finding: &Finding) {
    for part in [&finding.what, &finding.evidence, &finding.advice] {
        assert!(
            part.ends_with('.') && !part.contains("..") && !part.contains("  "),
            "{part:?} in {finding:#?}"
        );
        assert!(part.starts_with(|c: char| !c.is_whitespace()), "{part:?} in {finding:#?}");
    }
    let cures = finding.fixes.iter().any(|fix| fix.outcome == FixOutcome::Cures);
    let preferred: Vec<bool> = finding.fixes.iter().map(|fix| fix.preferred).collect();
    // Only the first fix is preferred, and only if any cures.
    assert!(preferred.iter().enumerate().all(|(at, is)| *is == (cures && at == 0)), "{finding:#?}");
    for fix in &finding.fixes {
        assert!(!fix.title.ends_with('.') && !fix.action.value().is_empty(), "{fix:?}");
    }
}

/// The files of a machine, some of which the user may not read.
struct DeniedFiles {
    files: Arc<dyn Files>,
    denied: BTreeSet<WinPath>,
}

impl DeniedFiles {
    fn may_read(&self, path: &WinPath) -> Result<(), FileError> {
        let denied = self.denied.iter().any(|denied| path.is_within(denied));
        if denied { Err(FileError::AccessDenied) } else { Ok(()) }
    }
}

impl Files for DeniedFiles {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.may_read(path)?;
        self.files.folder(path)
    }

    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        fact.files().iter().try_for_each(|file| self.may_read(file))?;
        self.files.answer(fact)
    }
}

fn module_line(module: &LoadedModule) -> String {
    format!("{} ({})\n", module.path, module.rule)
}

fn number(hexadecimal: &str) -> u32 {
    u32::from_str_radix(hexadecimal.trim_start_matches("0x"), 16).unwrap()
}

/// Writes a failure as `126: _native.pyd > b.dll > c.dll: nowhere in C:\env\pkg, C:\Python,
/// System32`.
fn write_failure(out: &mut String, failure: &Failure) {
    for fault in failure.faults() {
        let chain: Vec<&str> = fault.chain.iter().map(|link| link.name.as_str()).collect();
        let why = match &fault.cause {
            Cause::NotFound { searched } if searched.is_empty() => "no such file".to_owned(),
            Cause::NotFound { searched } => {
                let folders: Vec<&str> =
                    searched.iter().map(|searched| searched.directory.as_str()).collect();
                format!("nowhere in {}", folders.join(", "))
            }
            Cause::WrongMachine { path, machine, .. } => format!("{path} is for {machine}"),
            Cause::BadImage { error, .. } => error.to_string(),
            Cause::Unreadable { error, .. } => error.to_string(),
            Cause::MissingExport { provider, symbols, forwarder } => {
                let symbols: Vec<String> = symbols.iter().map(ToString::to_string).collect();
                let forwarder = forwarder
                    .as_ref()
                    .map(|to: &BrokenForwarder| format!(", forwarded to {}", to.target))
                    .unwrap_or_default();
                format!("{} lacks {}{forwarder} ({})", provider.path, symbols.join(", "), provider.rule)
            }
            Cause::MissingAssembly { assembly } => {
                format!("no assembly {} {}", assembly.name, assembly.version)
            }
            Cause::NewerWindows { path, needs } => format!("{path} needs Windows {}.{}", needs.0, needs.1),
            Cause::OutdatedRuntime { provider, version, needs, .. } => {
                let by = provider.importers.iter().map(|link| link.name.as_str());
                let by = provider.loaded_at.as_deref().into_iter().chain(by).collect::<Vec<_>>().join(" > ");
                format!("{} is {version}, not {needs} ({}; {by})", provider.path, provider.rule)
            }
            Cause::PathTooLong { path } => format!("the path of {} is too long", path.file_name()),
            Cause::LacksInstructions { path, sets } => format!("{path} needs {}", sets.join(", ")),
            Cause::InvalidParameter => "the flags are refused".to_owned(),
        };
        let _ = writeln!(out, "{}: {}: {why}", fault.cause.code(), chain.join(" > "));
    }
}

fn on_drive(path: &str) -> WinPath {
    WinPath::new(r"C:\").join(path.trim_start_matches('/'))
}
