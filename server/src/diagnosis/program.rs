//! Diagnoses the imports of a program, one after the other in one simulated process.
//!
//! An import continues where the one before it ended, if the statements in between allow it. Ten
//! imports then cost no more than the last one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cpython::{Finder, Interpreter, Prefetcher};
use crate::environment::Environment;
use crate::host::{Files, Host, WinPath};
use crate::loader::{Failure, Fault};
use crate::plan::{Event, ImportFailure, ImportOutcome, LoadFailure, LoadKind, MissingModule, Place, Plan};
use crate::source::{ImportPoint, Name, Stmt, StmtKind, top_level};

use super::case::Case;
use super::code::Code;
use super::codes::{self, shadowed_module};
use super::coverage::Coverage;
use super::finding::{Finding, Health, Related};
use super::import::{Import, ImportingDocument, ReportScope};
use super::package::{DiagnosedPackage, package, path_of};
use super::problem::{Culprit, Problem};
use super::severity::Severity;
use super::{Diagnosis, LoadedRuntime, old_runtime, redistributable};

/// The effects of `python FILE` on the process: `sys.path` and `__file__`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ProgramFile {
    /// The first entry of `sys.path`.
    pub folder: Option<WinPath>,
    /// `__file__`.
    pub file: Option<WinPath>,
}

/// The maximum number of directories between a module and the one that contains its package.
const DEEPEST_PACKAGE: usize = 50;

impl ProgramFile {
    /// Derives the effects from a document's directory. `sys.path` begins with the document's directory,
    /// except in an isolated Python, which omits it (`pymain_run_python` in Modules/main.c). A
    /// document in a package is imported, so its package's directory is on `sys.path` instead: the
    /// nearest ancestor without an `__init__.py`. `folder` is `None` if the machine lacks that
    /// directory.
    pub fn of(document: &ImportingDocument, environment: &Environment, files: &dyn Files) -> ProgramFile {
        let above = std::iter::successors(Some(document.folder.clone()), WinPath::parent);
        let above = above.take(DEEPEST_PACKAGE);
        let mut outside = above.filter(|folder| !files.is_file(&folder.join("__init__.py")));
        let folder = outside.next().filter(|folder| !environment.isolated && files.folder(folder).is_ok());
        ProgramFile { folder, file: document.file.clone() }
    }
}

impl ProgramFile {
    /// Returns the path of the top-level module of this name in the program's own directory.
    fn module(&self, host: &Host, environment: &Environment, name: &str) -> Option<WinPath> {
        let folder = self.folder.as_ref()?;
        path_of(Finder::new(environment, host).top_level(name, std::slice::from_ref(folder)))
    }
}

/// Whether a finding is about native code.
fn is_of_native_code(finding: &Finding) -> bool {
    !finding.dlls.is_empty() || matches!(finding.code, Code::UnsupportedPython | Code::WrongArchitecture)
}

/// The diagnoses of the imports of one program.
#[derive(Debug)]
pub(super) struct ProgramDiagnoses {
    /// One for each import.
    pub diagnoses: Vec<Diagnosis>,
    /// The names of all top-level modules that were searched for, see [`Finder::searched_modules`].
    pub searched_modules: BTreeSet<String>,
}

/// Diagnoses each of `imports` in a program that is run as `script`. `skip_drop` leaks the program,
/// for a process that is about to exit.
pub(super) fn diagnose(
    host: &Host,
    environment: &Environment,
    script: &ProgramFile,
    imports: &[&Import],
    skip_drop: bool,
) -> ProgramDiagnoses {
    let mut searched_modules = BTreeSet::new();
    let mut program: Option<Program<'_>> = None;
    let mut by_place: BTreeMap<usize, Diagnosis> = BTreeMap::new();
    // In the order of the program.
    let mut ordered: Vec<(usize, &Import)> = imports.iter().copied().enumerate().collect();
    ordered.sort_by_key(|(_, import)| import.point.position());
    for (place, import) in ordered {
        let case = Case { host, environment, import: &import.name };
        let mut package = package(host, environment, top_level(&import.name));
        let is_own = package.path.is_none() && import.scope != ReportScope::Named;
        if is_own {
            package.path = script.module(host, environment, &package.import);
        }
        // It may be in a directory that the program adds.
        let may_be_added = is_own && import.point.changes_module_path();
        if import.scope != ReportScope::Named && package.path.is_none() && !may_be_added {
            by_place.insert(place, Diagnosis::unreported());
            continue;
        }
        if let Some((since, what)) =
            import.needs.as_ref().filter(|(since, _)| *since > environment.version.minor)
        {
            let finding = codes::unsupported_python::of_program(&case, *since, what);
            by_place.insert(place, Diagnosis::new(vec![finding], vec![package]));
            continue;
        }
        let continues = program.as_mut().is_some_and(|program| program.advance_to(import));
        if !continues {
            searched_modules
                .extend(program.take().map(|program| program.plan.searched_modules()).unwrap_or_default());
            match Program::begin(host, environment, script, import) {
                Ok(begun) => program = Some(begun),
                Err(failure) => {
                    let findings = case.explain(vec![Problem::of_process(failure)], Severity::Error, None);
                    by_place.insert(place, Diagnosis::new(findings, vec![package]));
                    continue;
                }
            }
        }
        let Some(program) = &mut program else { continue };
        if is_own && package.path.is_none() {
            package.path = path_of(program.plan.find(&package.import));
            if package.path.is_none() {
                by_place.insert(place, Diagnosis::unreported());
                continue;
            }
        }
        let (mut findings, mut native) = match import.is_access {
            false => program.import(&case, None, script),
            true => {
                // An access reports its own findings, not those of the import before it.
                program.mark();
                (Vec::new(), false)
            }
        };
        for name in &import.names {
            let member = Member { import, name };
            if !program.loads(member) {
                continue;
            }
            let dotted = format!("{}.{name}", import.name);
            let case = Case { host, environment, import: &dotted };
            // An import of the module already reported that it is hidden.
            let (mut more, native_too) = program.import(&case, Some(member), &ProgramFile::default());
            let statement = format!("`{member}`");
            for finding in &mut more {
                finding.what = finding.what.replace(&format!("`import {dotted}`"), &statement);
            }
            more.into_iter().for_each(|finding| merge(&mut findings, finding));
            native |= native_too;
        }
        if import.is_access && findings.is_empty() {
            by_place.insert(place, Diagnosis::unreported());
            continue;
        }
        if is_own {
            // The program is responsible for its own modules, so only failures of native code are
            // reported.
            findings.retain(|finding| finding.severity == Severity::Error && is_of_native_code(finding));
        }
        let is_reported = match import.scope {
            ReportScope::Named => true,
            ReportScope::IfNative if is_own => native || !findings.is_empty(),
            ReportScope::IfNative => {
                native
                    || findings.iter().any(is_of_native_code)
                    || (!findings.is_empty() && has_native_code(host, environment, &package))
            }
            ReportScope::Standard => {
                findings.retain(|finding| finding.severity == Severity::Error && !finding.dlls.is_empty());
                !findings.is_empty()
            }
        };
        if is_reported && package.path.is_some() {
            let (coverage, failures) = Coverage::of(&program.plan, environment, &*host.files, program.steps);
            package.coverage = coverage;
            for finding in failures.iter().flat_map(|load| may_fail(&case, load, &in_a_loop(&load.at))) {
                merge(&mut findings, finding);
            }
            findings.sort_by_key(|finding| finding.severity);
        }
        let diagnosis = match is_reported {
            true => Diagnosis { runtime: program.runtime(host), ..Diagnosis::new(findings, vec![package]) },
            false => Diagnosis::unreported(),
        };
        by_place.insert(place, diagnosis);
    }
    if let Some(program) = program {
        searched_modules.extend(program.plan.searched_modules());
        if skip_drop {
            program.plan.leak();
        }
    }
    ProgramDiagnoses { diagnoses: by_place.into_values().collect(), searched_modules }
}

/// Returns the index of the one of `imports` that loads an image before the import numbered `at` is
/// made. Returns `None` if no import loads it before that one, or if it is loaded before all of
/// them.
pub(super) fn import_that_loads(
    host: &Host,
    environment: &Environment,
    script: &ProgramFile,
    imports: &[Import],
    at: usize,
    image: &WinPath,
) -> Option<usize> {
    let asked = imports.get(at)?;
    let is_earlier = |import: &Import| {
        !import.is_access && asked.point.since(&import.point).is_some_and(|it| !it.is_empty())
    };
    let mut earlier: Vec<(usize, &Import)> =
        imports.iter().enumerate().filter(|(_, it)| is_earlier(it)).collect();
    earlier.sort_by_key(|(_, import)| import.point.position());
    let mut program: Option<Program<'_>> = None;
    let mut last: Option<usize> = None;
    for (place, import) in earlier.into_iter().chain([(at, asked)]) {
        if !program.as_mut().is_some_and(|program| program.advance_to(import)) {
            program = Program::begin(host, environment, script, import).ok();
        }
        let program = program.as_mut()?;
        if program.plan.interpreter().process.modules().iter().any(|module| module.path == *image) {
            return last;
        }
        program.follow(&import.name, None);
        for name in &import.names {
            let member = Member { import, name };
            if program.loads(member) {
                program.follow(&format!("{}.{name}", import.name), Some(member));
            }
        }
        last = Some(place);
    }
    None
}

/// Whether an installed package has native code although its import loaded none: a distribution
/// recorded a native file in it, or a module of the program hides it and the package itself loads
/// one.
fn has_native_code(host: &Host, environment: &Environment, package: &DiagnosedPackage) -> bool {
    let files = &*host.files;
    let is_in_it = |file: &WinPath| package.path.as_ref().is_some_and(|path| file.is_within(path));
    let recorded = environment.providers(&package.import, files).into_iter().any(|provider| {
        let files = provider.expected_files(files).unwrap_or_default();
        files.iter().any(|row| is_in_it(&row.path))
    });
    if recorded {
        return true;
    }
    let alone = Import::first(&package.import);
    let case = Case { host, environment, import: &alone.name };
    let without = ProgramFile::default();
    Program::begin(host, environment, &without, &alone)
        .is_ok_and(|mut program| program.import(&case, None, &without).1)
}

/// A name that is imported or read from a module: by `from module import name` or `module.name`.
#[derive(Clone, Copy)]
struct Member<'n> {
    import: &'n Import,
    name: &'n Name,
}

impl fmt::Display for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Member { import, name } = self;
        match import.is_access {
            false => write!(f, "from {} import {name}", import.name),
            true => write!(f, "{}.{name}", import.name),
        }
    }
}

struct Program<'e> {
    plan: Plan<'e>,
    /// The place of the latest import.
    point: ImportPoint,
    /// The modules imported since then.
    imported: Vec<String>,
    /// Whether the latest import failed.
    failed: bool,
    /// The numbers of failed loads, steps, and loaded images before the latest import.
    failures: usize,
    steps: usize,
    modules: usize,
}

impl<'e> Program<'e> {
    /// Runs the statements before an import in a new program.
    fn begin(
        host: &'e Host,
        environment: &'e Environment,
        script: &ProgramFile,
        import: &Import,
    ) -> Result<Program<'e>, Failure> {
        let interpreter = Interpreter::start(host, environment)?;
        let prefetcher = Prefetcher::new(host, environment);
        let mut plan = Plan::new(interpreter, Finder::new(environment, host)).with_prefetcher(prefetcher);
        if *script != ProgramFile::default() {
            plan.begin(script.folder.as_ref(), script.file.as_ref());
        }
        plan.run(import.point.statements());
        let mut program = Program {
            plan,
            point: import.point.clone(),
            imported: Vec::new(),
            failed: false,
            failures: 0,
            steps: 0,
            modules: 0,
        };
        program.mark();
        Ok(program)
    }

    /// Runs the statements between the latest import and this one. Returns `false` if the program
    /// can't continue like that and has to be started again.
    fn advance_to(&mut self, import: &Import) -> bool {
        let Some(between) = import.point.since(&self.point) else { return false };
        let does_all = |(module, names): &(&str, Vec<&str>)| {
            let in_it = |known: &str| {
                known
                    .rsplit_once('.')
                    .is_some_and(|(package, name)| package == *module && names.contains(&name))
            };
            self.imported.iter().all(|known| is_or_contains(known, module) || in_it(known))
        };
        if between.is_empty() {
            let names = import.names.iter().map(|name| name.as_str()).collect();
            return !self.failed && does_all(&(&import.name, names));
        }
        let rest = match between.split_first() {
            // The import failed already and isn't made again.
            Some((first, rest)) if self.failed => match imported_by(first) {
                Some(imported) if does_all(&imported) => rest,
                _ => return false,
            },
            Some((first, _)) => match imported_within(first) {
                Some(imported) if does_all(&imported) => &between,
                _ if self.imported.is_empty() => &between,
                _ => return false,
            },
            None => &between,
        };
        self.plan.run(rest.iter().copied());
        self.point = import.point.clone();
        self.imported.clear();
        self.failed = false;
        self.mark();
        true
    }

    /// Whether importing a name from a module has further effects: it imports a submodule or calls
    /// the module's `__getattr__` (`_handle_fromlist` in Lib/importlib/_bootstrap.py). Always
    /// `false` after a failure.
    fn loads(&self, Member { import, name }: Member<'_>) -> bool {
        !self.failed
            && match import.is_access {
                false => self.plan.may_gain_attribute(&import.name, name),
                true => self.plan.may_gain_attribute_lazily(&import.name, name),
            }
    }

    fn mark(&mut self) {
        self.failures = self.plan.failures().len();
        self.steps = self.plan.steps().len();
        self.modules = self.plan.interpreter().process.modules().len();
    }

    /// Makes an import of the module, or of a name in another module.
    fn follow(&mut self, module: &str, member: Option<Member<'_>>) -> ImportOutcome {
        let imported = match member {
            None => self.plan.import(module),
            // The statement of an access isn't among those before a later import.
            Some(Member { import, name }) if import.is_access => return self.plan.access(&import.name, name),
            Some(Member { import, name }) => self.plan.import_from_module(&import.name, name),
        };
        self.imported.push(module.to_owned());
        self.failed |= imported.error.is_some();
        imported
    }

    /// Makes an import and returns its findings, and whether it loads native code of a package.
    fn import(
        &mut self,
        case: &Case<'_>,
        member: Option<Member<'_>>,
        script: &ProgramFile,
    ) -> (Vec<Finding>, bool) {
        let imported = self.follow(case.import, member);
        let is_access = member.is_some_and(|member| member.import.is_access);
        if is_access && imported.error.is_none() && self.plan.steps().len() == self.steps {
            return (Vec::new(), false);
        }
        let plan = &self.plan;
        let hidden = script.folder.as_ref().and_then(|folder| shadowed_module::hidden(case, plan, folder));
        let mut findings = Vec::new();
        let mut reported: Vec<usize> = Vec::new();
        if let Some(error) = &imported.error {
            let mut problems: Vec<Problem> = Vec::new();
            for &at in &error.loads {
                if let Some(load) = plan.failures().get(at).filter(|_| !reported.contains(&at)) {
                    reported.push(at);
                    problems.extend(Problem::of_load(load));
                }
            }
            if let (true, Some(missing)) = (problems.is_empty(), &error.missing) {
                problems.push(match &hidden {
                    // The package has the module, but a different module is imported in its place.
                    Some(hidden) if top_level(&missing.name) == top_level(case.import) => {
                        Problem::of_hidden_package(hidden.clone())
                    }
                    _ => Problem::of_missing_module(missing.clone(), &error.trace),
                });
            }
            // The module may be in a directory that the program adds but that can't be determined from its
            // code.
            if self.point.changes_module_path() {
                let name = top_level(case.import);
                let is_unknown = |missing: &MissingModule| missing.name == name && missing.is_unknown();
                problems.retain(|problem| !matches!(&problem.culprit, Culprit::Module(m) if is_unknown(m)));
            }
            if problems.is_empty() && !error.conflicting_distributions.is_empty() {
                findings.push(codes::mixed_environment::of_refusal(case, error));
            }
            if let (true, Some(syntax)) = (problems.is_empty(), &error.newer_syntax) {
                findings.push(codes::unsupported_python::of_syntax(case, syntax, error));
            }
            findings.extend(case.explain(problems, Severity::Error, Some(error)));
            for finding in &mut findings {
                add_own_statements(case, error, finding);
            }
        }
        if let Some(hidden) = hidden
            && !findings.iter().any(|finding| finding.code == Code::ShadowedModule)
        {
            findings.extend(case.explain(vec![Problem::of_hidden_package(hidden)], Severity::Warning, None));
        }
        // Loads whose failure a package handles: the import works, but something that it uses is
        // broken.
        let mut guarded: Vec<Problem> = Vec::new();
        for (at, load) in plan.failures().iter().enumerate().skip(self.failures) {
            let counts = load.kind == LoadKind::Extension && !load.uncertain;
            if counts && !reported.contains(&at) {
                guarded.extend(Problem::of_load(load));
            }
        }
        // A culprit that is already reported is left out, but not the other culprits of the same
        // module.
        let known: Vec<String> = findings.iter().flat_map(|finding| finding.dlls.clone()).collect();
        guarded.retain(|problem| {
            let culprit = problem.fault().map(Fault::culprit);
            culprit.is_none_or(|culprit| !known.iter().any(|dll| dll.eq_ignore_ascii_case(culprit)))
        });
        for finding in case.explain(guarded, Severity::Warning, None) {
            merge(&mut findings, finding);
        }
        for (load, place) in doubted(plan, self.failures) {
            let doubt = format!("{place} adds an unknown directory, which may contain it");
            for finding in may_fail(case, load, &doubt) {
                merge(&mut findings, finding);
            }
        }
        let process = &plan.interpreter().process;
        let old = old_runtime::older_than_toolset(case, process, self.modules);
        for finding in case.explain(old.into_iter().collect(), Severity::Hint, None) {
            merge(&mut findings, finding);
        }
        // A file that another package overwrote isn't damaged.
        findings.extend(codes::mixed_environment::of_imported(case, plan, self.steps, &findings));
        let executed = self.executed();
        for finding in
            codes::damaged_install::of_installed_files(case, &executed, &findings, imported.error.as_ref())
        {
            merge(&mut findings, finding);
        }
        findings.extend(codes::incompatible_versions::of_imported(case, plan, self.steps));
        // If TensorFlow's import fails, TensorFlow doesn't look for a GPU.
        if imported.error.is_none() && !findings.iter().any(|finding| finding.severity == Severity::Error) {
            findings.extend(codes::missing_gpu_library::after_import(case, plan, self.steps));
            findings.extend(codes::gpu_not_supported::after_import(case, plan, self.steps));
        }
        findings.sort_by_key(|finding| finding.severity);
        (findings, self.has_loaded_native_code(case))
    }

    /// Returns the top-level names of all modules that were executed since the import began.
    fn executed(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for step in self.plan.steps().iter().skip(self.steps) {
            if let Event::Module { name, .. } | Event::Extension { name, .. } = &step.event {
                names.insert(top_level(name).to_owned());
            }
        }
        names.into_iter().collect()
    }

    /// Returns the VC++ runtime that is currently loaded.
    fn runtime(&self, host: &Host) -> Option<LoadedRuntime> {
        let process = &self.plan.interpreter().process;
        let named = |name: &&str| process.module_named(name);
        let module = redistributable::MAIN.iter().find_map(named)?;
        let version = host.files.image(&module.path).ok().and_then(|image| image.version);
        Some(LoadedRuntime { path: module.path.clone(), version: version.map(|version| version.to_string()) })
    }

    /// Whether the import loaded native code of packages or tried to, or the package's own native
    /// code was loaded earlier.
    fn has_loaded_native_code(&self, case: &Case<'_>) -> bool {
        let folders = &case.environment.site_packages;
        let of_package = |path: &WinPath| folders.iter().any(|folder| path.is_within(folder));
        let own = top_level(case.import);
        self.plan.steps().iter().enumerate().any(|(at, step)| match &step.event {
            Event::Extension { name, path, .. } => {
                (at >= self.steps || top_level(name) == own) && of_package(path)
            }
            Event::Library { .. } => at >= self.steps,
            _ => false,
        })
    }
}

/// Returns the failed loads from number `first` on whose failure is in doubt, each with the
/// statement that causes the doubt.
fn doubted<'p>(plan: &'p Plan<'_>, first: usize) -> impl Iterator<Item = (&'p LoadFailure, &'p Place)> {
    plan.failures().iter().skip(first).filter_map(|load| Some((load, load.doubt.as_ref()?)))
}

/// Returns why the failure of a load is uncertain if a loop over unknown files makes it.
fn in_a_loop(at: &Place) -> String {
    format!("{at} loads the files that it finds in a folder, and it is not known which")
}

/// Returns the findings of a load whose failure is uncertain for this reason.
fn may_fail(case: &Case<'_>, load: &LoadFailure, reason: &str) -> Vec<Finding> {
    let mut findings = case.explain(Problem::of_load(load), Severity::Warning, None);
    for finding in &mut findings {
        let fails = case.consequence(Severity::Warning);
        finding.what = finding.what.replacen(&fails, &format!("`import {}` may fail", case.import), 1);
        finding.evidence += &format!(" {reason}, so this is not certain.");
    }
    findings
}

/// Adds the statements of the program's own modules that lead to a finding: "features.py, line 2,
/// imports h5py."
fn add_own_statements(case: &Case<'_>, error: &ImportFailure, finding: &mut Finding) {
    let Environment { site_packages, base_prefix, .. } = case.environment;
    let package_of = |file: &WinPath| {
        let below = site_packages.iter().find_map(|folder| file.below(folder))?;
        let first = below.split(['/', '\\']).next()?;
        Some(first.split('.').next().unwrap_or(first).to_owned())
    };
    let is_own = |file: &WinPath| package_of(file).is_none() && !file.is_within(base_prefix);
    let own = error.trace.iter().position(|(file, _)| is_own(file));
    let Some((at, (file, line))) = own.and_then(|at| Some((at, error.trace.get(at)?))) else { return };
    let inner = at.checked_sub(1).and_then(|at| error.trace.get(at)).and_then(|(file, _)| package_of(file));
    let loaded = finding.chain.first().and_then(|link| package_of(link.path.as_ref()?));
    let Some(package) = inner.or(loaded) else { return };
    let name = file.file_name();
    finding.evidence = format!("{name}, line {line}, imports {package}. {}", finding.evidence);
    for (file, line) in error.trace.iter().filter(|(file, _)| is_own(file)) {
        if !finding.related.iter().any(|known| known.file == *file && known.line == *line) {
            let message = format!("{package} is imported from here");
            finding.related.push(Related { file: file.clone(), line: *line, message });
        }
    }
}

/// Whether importing `name` imports `module`: `module` is `name` or a parent package of it.
fn is_or_contains(module: &str, name: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns the module and the names that a statement imports, if it does nothing else.
fn imported_by(stmt: &Stmt) -> Option<(&str, Vec<&str>)> {
    match &stmt.kind {
        StmtKind::Import { module, .. } => Some((module, Vec::new())),
        StmtKind::ImportFrom { level: 0, module, names } => {
            Some((module, names.iter().map(|(name, _)| name.as_str()).collect()))
        }
        _ => None,
    }
}

/// Returns the same for the first import of a statement, if it precedes everything else in the
/// statement.
fn imported_within(stmt: &Stmt) -> Option<(&str, Vec<&str>)> {
    match &stmt.kind {
        StmtKind::Try(attempt) => imported_by(attempt.body.first()?),
        _ => imported_by(stmt),
    }
}

/// Adds a finding, with one finding per cause: of two with a common culprit, the more severe one is
/// kept, or else the first.
fn merge(findings: &mut Vec<Finding>, new: Finding) {
    match findings.iter_mut().find(|old| old.shares_dll(&new)) {
        Some(old) if new.severity < old.severity => *old = new,
        Some(_) => {}
        None => findings.push(new),
    }
}

impl Diagnosis {
    fn new(findings: Vec<Finding>, packages: Vec<DiagnosedPackage>) -> Diagnosis {
        let health = Health::of(&findings);
        Diagnosis { findings, packages, health, runtime: None }
    }

    /// Creates the diagnosis of an import that isn't reported.
    fn unreported() -> Diagnosis {
        Diagnosis::new(Vec::new(), Vec::new())
    }
}
