//! A program that is followed from one import to the next.
//!
//! The imports of a document are made in one process, as far as each begins where the one before it left off: ten imports cost no
//! more than the last of them alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::cpython::{Finder, Found, Interpreter};
use crate::environment::Environment;
use crate::host::{Files, Host, WinPath};
use crate::loader::{Failure, Fault};
use crate::plan::{Event, ImportFailure, Imported, LoadFailure, LoadKind, MissingModule, Place, Plan};
use crate::source::{self, Name, Stmt, StmtKind, top_level};

use super::case::{Case, Culprit, Problem, name_of};
use super::codes::{self, shadowed_module};
use super::coverage::Coverage;
use super::finding::{Finding, Health, Related, Severity};
use super::import::{Import, Watched};
use super::{Diagnosis, LoadedRuntime, Package, old_runtime, redistributable};

/// What `python FILE` makes of the file that it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Script {
    /// What comes first on `sys.path`.
    pub folder: Option<WinPath>,
    /// `__file__`.
    pub file: Option<WinPath>,
}

/// So many folders may lie between a module and the folder that its package is in.
const DEEPEST_PACKAGE: usize = 50;

impl Script {
    /// Of a document in this file. `sys.path` begins with its folder, but for an isolated Python, which does without
    /// (`pymain_run_python` in Modules/main.c). A document in a package is imported, and so its package's folder is on
    /// `sys.path`: the first one upwards that has no `__init__.py`. No folder if the machine does not have it.
    pub fn of(document: &WinPath, environment: &Environment, files: &dyn Files) -> Script {
        let above = std::iter::successors(document.parent(), WinPath::parent).take(DEEPEST_PACKAGE);
        let mut outside = above.filter(|folder| !files.is_file(&folder.join("__init__.py")));
        let folder = outside.next().filter(|folder| !environment.isolated && files.folder(folder).is_ok());
        Script { folder, file: Some(document.clone()) }
    }
}

impl Script {
    /// The path of the top-level module of this name in the program's own folder.
    fn module(&self, host: &Host, environment: &Environment, name: &str) -> Option<WinPath> {
        let folder = self.folder.as_ref()?;
        path_of(Finder::new(environment, host).top_level(name, std::slice::from_ref(folder)))
    }
}

/// Whether it is native code that a finding is about.
fn is_of_native_code(finding: &Finding) -> bool {
    !finding.dlls.is_empty()
        || matches!(finding.code, codes::Code::UnsupportedPython | codes::Code::WrongArchitecture)
}

/// What became of imports.
#[derive(Debug)]
pub(super) struct Outcome {
    /// One for each import.
    pub diagnoses: Vec<Diagnosis>,
    /// The names of all top-level modules that were looked for, see [`Finder::looked_for`].
    pub looked_for: BTreeSet<String>,
}

/// Diagnoses each of `imports` in a program that is run as `script`. It is left as it is where `leaves` says that the process ends
/// soon.
pub(super) fn diagnose(
    host: &Host,
    environment: &Environment,
    script: &Script,
    imports: &[&Import],
    leaves: bool,
) -> Outcome {
    let mut looked_for = BTreeSet::new();
    let mut program: Option<Program<'_>> = None;
    let mut by_place: BTreeMap<usize, Diagnosis> = BTreeMap::new();
    // In the order of the text: what is done before grows.
    let mut ordered: Vec<(usize, &Import)> = imports.iter().copied().enumerate().collect();
    ordered.sort_by_key(|(_, import)| (import.before.len(), !import.is_access, &import.name));
    for (place, import) in ordered {
        let case = Case { host, environment, import: &import.name };
        let mut package = package(host, environment, top_level(&import.name));
        let is_own = package.path.is_none() && import.watched != Watched::Named;
        if is_own {
            package.path = script.module(host, environment, &package.import);
        }
        // It may lie in a folder that the program adds.
        let may_be_added = is_own && import.before.contains("sys.path");
        if import.watched != Watched::Named && package.path.is_none() && !may_be_added {
            by_place.insert(place, Diagnosis::of_nothing());
            continue;
        }
        if let Some((since, what)) =
            import.needs.as_ref().filter(|(since, _)| *since > environment.version.minor)
        {
            let finding = codes::unsupported_python::of_program(&case, *since, what);
            by_place.insert(place, Diagnosis::new(vec![finding], vec![package]));
            continue;
        }
        let goes_on = program.as_mut().is_some_and(|program| program.go_on_to(import));
        if !goes_on {
            looked_for.extend(program.take().map(|program| program.plan.looked_for()).unwrap_or_default());
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
                by_place.insert(place, Diagnosis::of_nothing());
                continue;
            }
        }
        let (mut findings, mut native) = match import.is_access {
            false => program.import(&case, None, script),
            true => {
                // Its findings are its own, and not those of the import above it.
                program.mark();
                (Vec::new(), false)
            }
        };
        for name in &import.names {
            let taken = Taken { import, name };
            if !program.loads(taken) {
                continue;
            }
            let dotted = format!("{}.{name}", import.name);
            let case = Case { host, environment, import: &dotted };
            // That it is another package was said already.
            let (mut more, native_too) = program.import(&case, Some(taken), &Script::default());
            let statement = format!("`{taken}`");
            for finding in &mut more {
                finding.what = finding.what.replace(&format!("`import {dotted}`"), &statement);
            }
            more.into_iter().for_each(|finding| merge(&mut findings, finding));
            native |= native_too;
        }
        if import.is_access && findings.is_empty() {
            by_place.insert(place, Diagnosis::of_nothing());
            continue;
        }
        if is_own {
            // What a module of the program is ready for is its own affair, and what it lacks beside native code, too.
            findings.retain(|finding| finding.severity == Severity::Error && is_of_native_code(finding));
        }
        let told = match import.watched {
            Watched::Named => true,
            Watched::IfNative if is_own => native || !findings.is_empty(),
            Watched::IfNative => {
                native
                    || findings.iter().any(is_of_native_code)
                    || (!findings.is_empty() && brings_native_code(host, environment, &package))
            }
            Watched::Standard => {
                findings.retain(|finding| finding.severity == Severity::Error && !finding.dlls.is_empty());
                !findings.is_empty()
            }
        };
        if told && package.path.is_some() {
            let (coverage, failures) = Coverage::of(&program.plan, environment, &*host.files, program.steps);
            package.coverage = coverage;
            for finding in failures.iter().flat_map(|load| may_fail(&case, load, &in_a_loop(&load.at))) {
                merge(&mut findings, finding);
            }
            findings.sort_by_key(|finding| finding.severity);
        }
        let diagnosis = match told {
            true => Diagnosis { runtime: program.runtime(host), ..Diagnosis::new(findings, vec![package]) },
            false => Diagnosis::of_nothing(),
        };
        by_place.insert(place, diagnosis);
    }
    if let Some(program) = program {
        looked_for.extend(program.plan.looked_for());
        if leaves {
            program.plan.leave();
        }
    }
    Outcome { diagnoses: by_place.into_values().collect(), looked_for }
}

/// The one of `imports` that loads an image which the import numbered `at` then finds loaded: none if it is not loaded yet before that, or
/// before all of them.
pub(super) fn import_that_loads(
    host: &Host,
    environment: &Environment,
    script: &Script,
    imports: &[Import],
    at: usize,
    image: &WinPath,
) -> Option<usize> {
    let asked = imports.get(at)?;
    let is_earlier = |import: &Import| {
        !import.is_access
            && import.before.len() < asked.before.len()
            && asked.before.starts_with(&*import.before)
    };
    let mut earlier: Vec<(usize, &Import)> =
        imports.iter().enumerate().filter(|(_, it)| is_earlier(it)).collect();
    earlier.sort_by_key(|(_, import)| import.before.len());
    let mut program: Option<Program<'_>> = None;
    let mut last: Option<usize> = None;
    for (place, import) in earlier.into_iter().chain([(at, asked)]) {
        if !program.as_mut().is_some_and(|program| program.go_on_to(import)) {
            program = Program::begin(host, environment, script, import).ok();
        }
        let program = program.as_mut()?;
        if program.plan.interpreter().process.modules().iter().any(|module| module.path == *image) {
            return last;
        }
        program.follow(&import.name, None);
        for name in &import.names {
            let taken = Taken { import, name };
            if program.loads(taken) {
                program.follow(&format!("{}.{name}", import.name), Some(taken));
            }
        }
        last = Some(place);
    }
    None
}

/// Makes `imports` as if what fails in them worked, so that what lies behind is read. Says nothing.
pub(super) fn read_behind(host: &Host, environment: &Environment, script: &Script, imports: &[&Import]) {
    let mut program: Option<Program<'_>> = None;
    let mut ordered = imports.to_vec();
    ordered.sort_by_key(|import| (import.before.len(), &import.name));
    for import in ordered {
        if !program.as_mut().is_some_and(|program| program.go_on_to(import)) {
            program = Program::begin(host, environment, script, import).ok();
            if let Some(program) = &mut program {
                program.plan.interpreter_mut().overlook_failures();
            }
        }
        let Some(program) = &mut program else { continue };
        if !import.is_access {
            program.follow(&import.name, None);
        }
        for name in &import.names {
            let taken = Taken { import, name };
            if program.loads(taken) {
                program.follow(&format!("{}.{name}", import.name), Some(taken));
            }
        }
    }
}

/// Whether an installed package has native code although its import loaded none: a distribution recorded some in it, or a module
/// of the program hides it and it loads some.
fn brings_native_code(host: &Host, environment: &Environment, package: &Package) -> bool {
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
    let without = Script::default();
    Program::begin(host, environment, &without, &alone)
        .is_ok_and(|mut program| program.import(&case, None, &without).1)
}

/// A name that is taken out of an imported module: by `from module import name`, or by `module.name`.
#[derive(Clone, Copy)]
struct Taken<'n> {
    import: &'n Import,
    name: &'n Name,
}

impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Taken { import, name } = self;
        match import.is_access {
            false => write!(f, "from {} import {name}", import.name),
            true => write!(f, "{}.{name}", import.name),
        }
    }
}

struct Program<'e> {
    plan: Plan<'e>,
    /// What was done before the import that was made last.
    before: Arc<str>,
    /// What was imported since.
    imported: Vec<String>,
    /// The last import failed.
    failed: bool,
    /// How many loads had failed before, how many steps been made, how many images been loaded.
    failures: usize,
    steps: usize,
    modules: usize,
}

impl<'e> Program<'e> {
    /// Runs what a program does before an import.
    fn begin(
        host: &'e Host,
        environment: &'e Environment,
        script: &Script,
        import: &Import,
    ) -> Result<Program<'e>, Failure> {
        let interpreter = Interpreter::start(host, environment)?;
        let mut plan = Plan::new(interpreter, Finder::new(environment, host));
        if *script != Script::default() {
            plan.begin(script.folder.as_ref(), script.file.as_ref());
        }
        plan.run(&source::lower_whole(&import.before).body);
        let mut program = Program {
            plan,
            before: import.before.clone(),
            imported: Vec::new(),
            failed: false,
            failures: 0,
            steps: 0,
            modules: 0,
        };
        program.mark();
        Ok(program)
    }

    /// Runs what comes between the last import and this one; false if that is not how the program goes: then it has to be
    /// begun anew.
    fn go_on_to(&mut self, import: &Import) -> bool {
        let Some(between) = import.before.strip_prefix(&*self.before) else { return false };
        let does_all = |(module, names): &(&str, Vec<&str>)| {
            let in_it = |known: &str| {
                known
                    .rsplit_once('.')
                    .is_some_and(|(package, name)| package == *module && names.contains(&name))
            };
            self.imported.iter().all(|known| is_or_holds(known, module) || in_it(known))
        };
        if between.is_empty() {
            let names = import.names.iter().map(|name| name.as_str()).collect();
            return !self.failed && does_all(&(&import.name, names));
        }
        let script = source::lower_whole(between);
        if script.syntax_error.is_some() {
            return false;
        }
        let body = match script.body.split_first() {
            // It has failed once, and need not fail again.
            Some((first, rest)) if self.failed => match imported_by(first) {
                Some(imported) if does_all(&imported) => rest,
                _ => return false,
            },
            Some((first, _)) => match imported_within(first) {
                Some(imported) if does_all(&imported) => &script.body,
                _ if self.imported.is_empty() => &script.body,
                _ => return false,
            },
            None => &script.body,
        };
        self.plan.run(body);
        self.before = import.before.clone();
        self.imported.clear();
        self.failed = false;
        self.mark();
        true
    }

    /// Whether taking a name out of a module does more than that: it imports a submodule or asks the module's `__getattr__`
    /// (`_handle_fromlist` in Lib/importlib/_bootstrap.py). Not after a failure.
    fn loads(&self, Taken { import, name }: Taken<'_>) -> bool {
        !self.failed
            && match import.is_access {
                false => self.plan.gets_later(&import.name, name),
                true => self.plan.gets_lazily(&import.name, name),
            }
    }

    fn mark(&mut self) {
        self.failures = self.plan.failures().len();
        self.steps = self.plan.steps().len();
        self.modules = self.plan.interpreter().process.modules().len();
    }

    /// Makes an import: of the module, or of what is to be taken out of another one.
    fn follow(&mut self, module: &str, taken: Option<Taken<'_>>) -> Imported {
        let imported = match taken {
            None => self.plan.import(module),
            // The statement that it stands in is not a part of what is done before an import.
            Some(Taken { import, name }) if import.is_access => return self.plan.access(&import.name, name),
            Some(Taken { import, name }) => self.plan.import_from_module(&import.name, name),
        };
        self.imported.push(module.to_owned());
        self.failed |= imported.error.is_some();
        imported
    }

    /// Makes the import, and says what is wrong with it, and whether it brings native code of a package.
    fn import(&mut self, case: &Case<'_>, taken: Option<Taken<'_>>, script: &Script) -> (Vec<Finding>, bool) {
        let imported = self.follow(case.import, taken);
        let is_access = taken.is_some_and(|taken| taken.import.is_access);
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
                    // The package has it, but it is not the package that is imported.
                    Some(hidden) if top_level(&missing.name) == top_level(case.import) => {
                        Problem::of_hidden_package(hidden.clone())
                    }
                    _ => Problem::of_missing_module(missing.clone(), &error.trace),
                });
            }
            // It may lie in a folder that the program adds and the text does not tell.
            if source::may_find_elsewhere(&self.before) {
                let name = top_level(case.import);
                let lies_nowhere = |missing: &MissingModule| missing.name == name && missing.is_unknown();
                problems.retain(|problem| !matches!(&problem.culprit, Culprit::Module(m) if lies_nowhere(m)));
            }
            if problems.is_empty() && !error.clashing.is_empty() {
                findings.push(codes::mixed_environment::of_refusal(case, error));
            }
            if let (true, Some(syntax)) = (problems.is_empty(), &error.newer_syntax) {
                findings.push(codes::unsupported_python::of_syntax(case, syntax, error));
            }
            findings.extend(case.explain(problems, Severity::Error, Some(error)));
            for finding in &mut findings {
                tell_own_statements(case, error, finding);
            }
        }
        if let Some(hidden) = hidden
            && !findings.iter().any(|finding| finding.code == codes::Code::ShadowedModule)
        {
            findings.extend(case.explain(vec![Problem::of_hidden_package(hidden)], Severity::Warning, None));
        }
        // What a package tries and does without: it works, but something that it uses is broken.
        let mut guarded: Vec<Problem> = Vec::new();
        for (at, load) in plan.failures().iter().enumerate().skip(self.failures) {
            let counts = load.kind == LoadKind::Extension && !load.uncertain;
            if counts && !reported.contains(&at) {
                guarded.extend(Problem::of_load(load));
            }
        }
        // A culprit that is told already is left out, but not the others that the same module lacks.
        let told: Vec<String> = findings.iter().flat_map(|finding| finding.dlls.clone()).collect();
        guarded.retain(|problem| {
            let culprit = problem.fault().map(Fault::culprit);
            culprit.is_none_or(|culprit| !told.iter().any(|dll| dll.eq_ignore_ascii_case(culprit)))
        });
        for finding in case.explain(guarded, Severity::Warning, None) {
            merge(&mut findings, finding);
        }
        for (load, place) in doubted(plan, self.failures) {
            let doubt = format!("{place} adds a directory that is not known from the text and may hold it");
            for finding in may_fail(case, load, &doubt) {
                merge(&mut findings, finding);
            }
        }
        let process = &plan.interpreter().process;
        let old = old_runtime::older_than_toolset(case, process, self.modules);
        for finding in case.explain(old.into_iter().collect(), Severity::Hint, None) {
            merge(&mut findings, finding);
        }
        // What another package overwrote is not damaged.
        findings.extend(codes::mixed_environment::of_imported(case, plan, self.steps, &findings));
        let executed = self.executed();
        for finding in
            codes::damaged_install::of_installed_files(case, &executed, &findings, imported.error.as_ref())
        {
            merge(&mut findings, finding);
        }
        findings.extend(codes::incompatible_versions::of_imported(case, plan, self.steps));
        // A TensorFlow that cannot be imported looks for no GPU.
        if imported.error.is_none() && !findings.iter().any(|finding| finding.severity == Severity::Error) {
            findings.extend(codes::missing_gpu_library::after_import(case, plan, self.steps));
            findings.extend(codes::gpu_not_supported::after_import(case, plan, self.steps));
        }
        findings.sort_by_key(|finding| finding.severity);
        (findings, self.has_loaded_native_code(case))
    }

    /// The top-level names of all modules that ran since the import began.
    fn executed(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for step in self.plan.steps().iter().skip(self.steps) {
            if let Event::Module { name, .. } | Event::Extension { name, .. } = &step.event {
                names.insert(top_level(name).to_owned());
            }
        }
        names.into_iter().collect()
    }

    /// The VC++ runtime that is loaded by now.
    fn runtime(&self, host: &Host) -> Option<LoadedRuntime> {
        let process = &self.plan.interpreter().process;
        let named = |name: &&str| process.module_named(name);
        let module = redistributable::MAIN.iter().find_map(named)?;
        let version = host.files.image(&module.path).ok().and_then(|image| image.version);
        Some(LoadedRuntime { path: module.path.clone(), version: version.map(|version| version.to_string()) })
    }

    /// Whether native code of packages was loaded since the import began, or should have been, or the package's own before.
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

/// The failed loads, from the one numbered `first` on, of which it is in doubt whether they fail, and the statement that puts them in
/// doubt.
fn doubted<'p>(plan: &'p Plan<'_>, first: usize) -> impl Iterator<Item = (&'p LoadFailure, &'p Place)> {
    plan.failures().iter().skip(first).filter_map(|load| Some((load, load.doubt.as_ref()?)))
}

/// Why it is not certain that a load fails which a loop over what is not known makes.
fn in_a_loop(at: &Place) -> String {
    format!("{at} loads what it finds in a folder, and which files these are is not known from the text")
}

/// The findings of a load of which it is not certain that it fails, for this reason.
fn may_fail(case: &Case<'_>, load: &LoadFailure, reason: &str) -> Vec<Finding> {
    let mut findings = case.explain(Problem::of_load(load), Severity::Warning, None);
    for finding in &mut findings {
        let fails = case.consequence(Severity::Warning);
        finding.what = finding.what.replacen(&fails, &format!("`import {}` may fail", case.import), 1);
        finding.evidence += &format!(" {reason}, so this is not certain.");
    }
    findings
}

/// Tells the statements of the program's own modules that lead to a finding: "features.py (line 2) imports h5py."
fn tell_own_statements(case: &Case<'_>, error: &ImportFailure, finding: &mut Finding) {
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

/// Whether importing `name` imports `module`: it is the same, or a package around it.
fn is_or_holds(module: &str, name: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The module that a statement imports, and what it takes out of it, if that is all it does.
fn imported_by(stmt: &Stmt) -> Option<(&str, Vec<&str>)> {
    match &stmt.kind {
        StmtKind::Import { module, .. } => Some((module, Vec::new())),
        StmtKind::ImportFrom { level: 0, module, names } => {
            Some((module, names.iter().map(|(name, _)| name.as_str()).collect()))
        }
        _ => None,
    }
}

/// The same of a statement that imports before it does anything else.
fn imported_within(stmt: &Stmt) -> Option<(&str, Vec<&str>)> {
    match &stmt.kind {
        StmtKind::Try(attempt) => imported_by(attempt.body.first()?),
        _ => imported_by(stmt),
    }
}

/// One cause is one finding: of two with the same culprit the more severe one is left, or else the first.
fn merge(findings: &mut Vec<Finding>, new: Finding) {
    match findings.iter_mut().find(|old| old.shares_dll(&new)) {
        Some(old) if new.severity < old.severity => *old = new,
        Some(_) => {}
        None => findings.push(new),
    }
}

/// The package's folder or the module's file, including a file that is for another Python.
fn path_of(found: Found) -> Option<WinPath> {
    match found {
        Found::Package { folder, .. } => Some(folder),
        Found::Namespace(portions) => portions.into_iter().next(),
        Found::Source(path) | Found::Extension { path, .. } => Some(path),
        Found::Opaque { path } => path,
        Found::NotFound { for_other_python } => for_other_python,
        Found::Builtin | Found::Withheld(_) => None,
    }
}

/// What is installed under a top-level name.
pub fn package(host: &Host, environment: &Environment, import: &str) -> Package {
    let files = &*host.files;
    let finder = Finder::new(environment, host);
    let sys_path: Vec<WinPath> = environment.sys_path.iter().map(|entry| entry.path.clone()).collect();
    let path = path_of(finder.top_level(import, &sys_path));
    // Only what lies there can be provided; leftovers of a removed distribution are not asked.
    let provider = path.is_some().then(|| environment.find(import)).flatten();
    let provider = match provider {
        Some(provider) if provider.shim_for(files).is_none() => Some(provider),
        _ if path.is_some() => environment.providers(import, files).into_iter().next(),
        _ => None,
    };
    Package {
        import: import.to_owned(),
        distribution: provider.map(|provider| name_of(provider, files)),
        version: provider.and_then(|provider| provider.version.clone()),
        path,
        coverage: Coverage::default(),
    }
}

impl Diagnosis {
    fn new(findings: Vec<Finding>, packages: Vec<Package>) -> Diagnosis {
        let health = Health::of(&findings);
        Diagnosis { findings, packages, health, runtime: None }
    }

    /// Of an import of which nothing is told.
    fn of_nothing() -> Diagnosis {
        Diagnosis::new(Vec::new(), Vec::new())
    }
}
