//! Implements `import`: finds a module, runs it once, and binds its name
//! (`Lib/importlib/_bootstrap.py`).

use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::exceptions::traced;
use super::frame::Frame;
use super::value::{Exception, Module, ModuleRef, Value};
use super::{Event, Flow, LoadFailure, LoadKind, MissingModule, Place, Plan};
use crate::cpython::{Found, Inaccessible};
use crate::host::{FileError, WinPath};
use crate::image::Image;
use crate::source::standard::StandardName;
use crate::source::{Name, Stmt, StmtKind, absolute_name, is_standard, top_level};

/// The maximum import depth. CPython gives up at 1000 Python frames, and each import takes several
/// of them.
const MAX_IMPORT_DEPTH: u32 = 300;

type Outcome<T> = Result<T, Rc<Exception>>;

impl Plan<'_> {
    /// Imports `a`, `a.b`, and `a.b.c` in turn and returns the last one.
    pub(super) fn import_dotted(&mut self, name: &str, at: &Place) -> Outcome<ModuleRef> {
        // `_find_and_load` looks up the whole name first.
        if let Some(module) = self.world.modules.get(name) {
            return Ok(module.clone());
        }
        let mut parent: Option<ModuleRef> = None;
        let mut end = 0;
        for part in name.split('.') {
            end += part.len();
            let dotted = &name[..end];
            end += 1;
            let module = match self.world.modules.get(dotted) {
                Some(module) => module.clone(),
                None => self.import_one(dotted, part, parent.as_ref(), at)?,
            };
            if let Some(parent) = &parent {
                parent.set(part, Value::Module(module.clone()));
            }
            parent = Some(module);
        }
        parent.ok_or_else(|| Rc::new(Exception::new("ValueError", Some("Empty module name".into()))))
    }

    /// Finds and runs the module `dotted`. Its parent is already imported.
    fn import_one(
        &mut self,
        dotted: &str,
        name: &str,
        parent: Option<&ModuleRef>,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        self.spend_many(100);
        let found = match parent {
            None => self.world.finder.top_level(name, &self.world.sys_path),
            Some(parent) => match &parent.path {
                Some(path) => match changed_path(parent) {
                    Some(path) => match self.world.finder.submodule(name, &path) {
                        // Additions to `sys.modules` by compiled code aren't visible. `collections`
                        // adds `collections.abc` in this way.
                        Found::NotFound { for_other_python: None } if is_compiled(parent) => {
                            Found::Opaque { path: None }
                        }
                        found => found,
                    },
                    // The path was set to an unknown value, so a module that isn't found may still
                    // exist.
                    None => match self.world.finder.submodule(name, path) {
                        Found::NotFound { for_other_python: None } => Found::Opaque { path: None },
                        found => found,
                    },
                },
                // A module can turn itself into a package at run time (`six.moves`), and the
                // contents of an archive aren't visible.
                None if parent.open.get() => Found::Opaque { path: None },
                None => Found::NotFound { for_other_python: None },
            },
        };
        match found {
            Found::Builtin | Found::Opaque { path: None } => Ok(self.add_module(dotted, None, None, true)),
            // In an archive, it may be a package.
            Found::Opaque { path: Some(path) } => {
                let inside = path.in_archive().map(|_| vec![path.clone()]);
                Ok(self.add_module(dotted, Some(path), inside, true))
            }
            Found::Namespace(portions) => Ok(self.add_module(dotted, None, Some(portions), false)),
            Found::Package { init, folder } => self.run_module(dotted, init, Some(vec![folder]), at),
            Found::Source(path) => self.run_module(dotted, path, None, at),
            Found::Extension { path, folder } => self.load_extension(dotted, path, folder, at),
            Found::Inaccessible(it) => {
                let exception = Exception { inaccessible: Some(it), ..self.module_not_found(dotted) };
                Err(traced(Rc::new(exception), at))
            }
            Found::NotFound { for_other_python } => {
                self.not_found(dotted, parent, for_other_python.is_some(), at)
            }
        }
    }

    pub(super) fn add_module(
        &mut self,
        dotted: &str,
        file: Option<WinPath>,
        path: Option<Vec<WinPath>>,
        open: bool,
    ) -> ModuleRef {
        let mut names = FxHashMap::default();
        names.insert(Name::from("__name__"), Value::str(dotted));
        let package = if path.is_some() { dotted } else { dotted.rsplit_once('.').map_or("", |(p, _)| p) };
        names.insert(Name::from("__package__"), Value::str(package));
        if let Some(file) = &file {
            names.insert(Name::from("__file__"), Value::str(file.as_str()));
        }
        if let Some(path) = &path {
            let path = path.iter().map(|entry| Value::str(entry.as_str())).collect();
            names.insert(Name::from("__path__"), Value::list(path));
        }
        let module = Rc::new(Module {
            name: dotted.into(),
            file,
            path,
            names: RefCell::new(names),
            open: Cell::new(open),
            is_partial: Cell::new(false),
            is_of_library: is_standard(top_level(dotted)),
        });
        self.world.modules.insert(dotted.into(), module.clone());
        module
    }

    /// Runs a source module. The module is in `sys.modules` while it runs, so that circular imports
    /// end. It is removed if it fails.
    pub(super) fn run_module(
        &mut self,
        dotted: &str,
        file: WinPath,
        path: Option<Vec<WinPath>>,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        let module = self.add_module(dotted, Some(file.clone()), path, false);
        let is_compiled = is_compiled(&module);
        module.open.set(is_compiled);
        self.step(Event::Module { name: dotted.to_owned(), path: file.clone() }, at);
        if self.execution.depth >= MAX_IMPORT_DEPTH {
            module.open.set(true);
            self.step(Event::Unknown("imports are nested too deeply to follow".to_owned()), at);
            return Ok(module);
        }
        if let Some(prefetcher) = &mut self.prefetcher {
            prefetcher.start_if_cold(&self.requested, &self.world.sys_path);
        }
        let script = match self.world.files().script(&file) {
            Ok(script) => script,
            Err(FileError::AccessDenied) => {
                self.world.failed_modules.extend(self.world.modules.remove(dotted));
                let message = format!("[Errno 13] Permission denied: '{file}'");
                let exception = Exception {
                    missing: Some(dotted.into()),
                    inaccessible: Some(Inaccessible { path: file, why: FileError::AccessDenied }),
                    ..Exception::new("PermissionError", Some(message.into()))
                };
                return Err(traced(Rc::new(exception), at));
            }
            Err(error) => {
                module.open.set(true);
                let what = format!("{file} cannot be read: {error}");
                self.step(Event::Unknown(what), at);
                return Ok(module);
            }
        };
        let minor = self.world.environment().version.minor;
        let newer = script.newer_syntax.iter().filter(|newer| newer.since > minor);
        // Python reports the first one. The finding names the oldest version that supports them
        // all.
        if let Some(newer) = newer.max_by_key(|newer| newer.since) {
            self.world.failed_modules.extend(self.world.modules.remove(dotted));
            let exception = Exception {
                newer_syntax: Some(newer.clone()),
                ..Exception::new("SyntaxError", Some("invalid syntax".into()))
            };
            let place = Place { file: Some(file), line: newer.line };
            return Err(traced(traced(Rc::new(exception), &place), at));
        }
        if let Some((line, error)) = &script.syntax_error {
            module.open.set(true);
            let place = Place { file: Some(file.clone()), line: *line };
            self.step(Event::Unknown(format!("the module cannot be read in full: {error}")), &place);
        }
        self.execution.depth += 1;
        module.names.borrow_mut().reserve(names_bound_by(&script.body));
        let mut frame = Frame::of_module(module.clone());
        // The modules that a call imports don't count toward its limit.
        let call_ends_at = self.execution.call_ends_at.take();
        let before = self.execution.budget;
        module.is_partial.set(true);
        let raised = self.statements(&script.body, &mut frame);
        module.is_partial.set(false);
        let taken = before - self.execution.budget;
        self.execution.call_ends_at = call_ends_at.map(|end| end.saturating_sub(taken));
        self.execution.depth -= 1;
        match raised {
            Some(exception) => {
                self.world.failed_modules.extend(self.world.modules.remove(dotted));
                Err(traced(exception, at))
            }
            None => Ok(module),
        }
    }

    /// Runs the statements of a module and returns the exception that ends it, if any.
    ///
    /// An exception that isn't caused by a failed load or a missing module, and that no handler
    /// expects, would mean that the package never works. It's more likely that the code was not
    /// followed as Python would, so the exception is recorded and the module continues.
    fn statements(&mut self, body: &[Stmt], frame: &mut Frame) -> Option<Rc<Exception>> {
        for stmt in body {
            match self.block(std::slice::from_ref(stmt), frame) {
                Flow::Next => {}
                Flow::Raise(exception)
                    if exception.is_unfounded()
                        && !self
                            .execution
                            .active_handlers
                            .iter()
                            .any(|catches| catches.catches(&exception)) =>
                {
                    let sentence = exception.sentence().unwrap_or_else(|| exception.class.to_string());
                    self.step(
                        Event::Unknown(format!("ignored as a probable analysis error: {sentence}")),
                        &frame.place(),
                    );
                }
                Flow::Raise(exception) => return Some(exception),
                _ => break,
            }
        }
        None
    }

    fn load_extension(
        &mut self,
        dotted: &str,
        path: WinPath,
        folder: Option<WinPath>,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        self.name_caller(at);
        let result = self.world.interpreter.load_extension(&path);
        let event = Event::Extension { name: dotted.to_owned(), path: path.clone(), loaded: result.is_ok() };
        self.step(event, at);
        let error = match result {
            Ok(()) => return self.initialize_extension(dotted, path, folder, at),
            Err(error) => error,
        };
        let doubt = self.doubt(&error);
        let name = dotted.rsplit('.').next().unwrap_or(dotted);
        let message = self.world.interpreter.import_sentence(name, &error);
        // The message that faulthandler prints. Without it, nothing is printed.
        let ends_process = error.is_crash();
        let class = if ends_process { "Windows fatal exception" } else { "ImportError" };
        let failure = self.failed(LoadFailure {
            target: path.as_str().to_owned(),
            kind: LoadKind::Extension,
            at: at.clone(),
            error,
            sentence: format!("{class}: {message}"),
            uncertain: self.execution.uncertain > 0 || doubt.is_some(),
            doubt: doubt.clone(),
        });
        if doubt.is_some() {
            return Ok(self.add_module(dotted, Some(path), folder.map(|folder| vec![folder]), true));
        }
        let mut exception = Exception { ends_process, ..Exception::new(class, Some(message.into())) };
        exception.failures.push(failure);
        Err(traced(Rc::new(exception), at))
    }

    /// Imports the modules that the code of a loaded extension module imports. Such code may cope
    /// with a missing module, which isn't visible here. But it doesn't handle the exception of a
    /// failed load.
    fn initialize_extension(
        &mut self,
        dotted: &str,
        path: WinPath,
        folder: Option<WinPath>,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        let imports = self.world.interpreter.imported_by(&path);
        let module = self.add_module(dotted, Some(path), folder.map(|folder| vec![folder]), true);
        if self.execution.depth >= MAX_IMPORT_DEPTH {
            return Ok(module);
        }
        self.execution.depth += 1;
        let failed = imports.iter().find_map(|import| {
            if let Some(function) = import.strip_suffix("()") {
                if let Some(name) = StandardName::find_dotted(function) {
                    self.import_for_machine(name, at);
                }
                return None;
            }
            if let Some((level, name)) = import.split_once(':') {
                self.import_of_cython(level, name, &module, at);
                return None;
            }
            if import == Image::UNKNOWN_MODULE {
                let what = format!("the code of {dotted} imports a module whose name is unknown");
                self.step(Event::Unknown(what), at);
                return None;
            }
            if import == Image::UNREAD {
                let what = format!("the code of {dotted} isn't analyzed and may import modules");
                self.step(Event::Unknown(what), at);
                return None;
            }
            let exception = match import.split_once('|') {
                Some((first, other)) => self.import_either(first, other, at).err()?,
                None => self.import_dotted(import, at).err()?,
            };
            let missing = exception.missing.as_deref();
            let is_lost = missing.is_some_and(|missing| self.recorded_file(missing).is_some());
            (is_lost || !exception.failures.is_empty()).then_some(exception)
        });
        self.execution.depth -= 1;
        match failed {
            Some(exception) => {
                self.world.failed_modules.extend(self.world.modules.remove(dotted));
                Err(exception)
            }
            None => Ok(module),
        }
    }

    /// Imports a module, or another one if the first doesn't exist. C code does this for a module
    /// that has moved between versions.
    fn import_either(&mut self, first: &str, other: &str, at: &Place) -> Outcome<ModuleRef> {
        let ends = first.match_indices('.').map(|(end, _)| end).chain([first.len()]);
        for part in ends.filter_map(|end| first.get(..end)) {
            if self.certainly_missing(part).is_some() && self.recorded_file(part).is_none() {
                return self.import_dotted(other, at);
            }
            if part.len() < first.len() {
                self.import_dotted(part, at)?;
            }
        }
        self.import_dotted(first, at)
    }

    /// Follows an `import` in the source of a Cython module
    /// ([`Image::module_imports`](crate::image::Image::module_imports)). It may be in a `try` that
    /// isn't visible here. A failure is therefore uncertain, and a missing module is ignored.
    fn import_of_cython(&mut self, level: &str, name: &str, module: &ModuleRef, at: &Place) {
        let sibling = |level| absolute_name(module.package(), level, name);
        let dotted = match level {
            "0" => Some(name.into()),
            // Cython's helper falls back to the absolute name only after an ImportError.
            "-1" => match sibling(1) {
                Some(sibling) if self.certainly_missing(&sibling).is_none() => Some(sibling),
                _ => Some(name.into()),
            },
            level => level.parse().ok().and_then(sibling),
        };
        if let Some(dotted) = dotted {
            self.try_import(&dotted, at);
        }
    }

    /// Makes an import that may be optional, so that its failure is uncertain.
    pub(super) fn try_import(&mut self, dotted: &str, at: &Place) {
        let (failures, steps) = (self.trace.failures.len(), self.trace.steps.len());
        if self.certainly_missing(top_level(dotted)).is_some()
            || self.certainly_missing(dotted).is_some()
            || self.import_dotted(dotted, at).is_ok()
        {
            return;
        }
        for failure in self.trace.failures.iter_mut().skip(failures) {
            failure.uncertain = true;
        }
        for step in self.trace.steps.iter_mut().skip(steps) {
            step.uncertain = true;
        }
    }

    /// Handles a module that isn't found. Modules can also be created at run time, so this is an
    /// error only if it's certain, or if the program expects it.
    fn not_found(
        &mut self,
        dotted: &str,
        parent: Option<&ModuleRef>,
        for_other_python: bool,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        let certain = for_other_python
            || self.recorded_file(dotted).is_some()
            || (parent.is_none() && self.is_required(dotted, at));
        let expected = match parent {
            // A missing top-level module may be provided by an import hook. If an enclosing handler
            // expects its absence, it is treated as missing.
            None => self.absence_is_expected(),
            Some(_) => false,
        };
        if certain || expected || at.file.is_none() {
            return Err(traced(Rc::new(self.module_not_found(dotted)), at));
        }
        self.step(Event::NotFound(dotted.to_owned()), at);
        Ok(self.add_module(dotted, None, None, true))
    }

    /// Whether an installed package can't work without this missing top-level module: its
    /// distribution requires others, one of which isn't installed, or the module was removed from
    /// the standard library. Otherwise it may be provided by an import hook, or the package was not
    /// followed correctly.
    fn is_required(&self, name: &str, at: &Place) -> bool {
        let environment = self.world.environment();
        let Some(file) = at.file.as_ref().filter(|_| self.execution.uncertain == 0) else { return false };
        if !environment.site_packages.iter().any(|folder| file.is_within(folder)) {
            return false;
        }
        let files = self.world.files();
        is_standard(name) || environment.lacks_for(file, files).next().is_some()
    }

    /// Creates the exception for a missing module.
    pub(super) fn module_not_found(&self, dotted: &str) -> Exception {
        let message = format!("No module named '{dotted}'");
        let mut exception = Exception::new("ModuleNotFoundError", Some(message.into()));
        exception.missing = Some(dotted.into());
        exception
    }

    /// Whether the finders find a submodule of an imported package.
    pub(super) fn submodule_exists(&self, parent: &ModuleRef, name: &str) -> bool {
        let dotted = format!("{}.{name}", parent.name);
        if self.world.modules.contains_key(dotted.as_str()) {
            return true;
        }
        let Some(path) = &parent.path else {
            return false;
        };
        let path = changed_path(parent).unwrap_or_else(|| path.clone());
        !matches!(self.world.finder.submodule(name, &path), Found::NotFound { for_other_python: None })
            || self.recorded_path(&dotted).is_some()
    }

    pub(super) fn missing_module(&self, dotted: &str) -> MissingModule {
        let found = match dotted.rsplit_once('.') {
            None => self.world.finder.top_level(dotted, &self.world.sys_path),
            Some((parent, name)) => match self.world.modules.get(parent).and_then(|p| p.path.as_ref()) {
                Some(path) => self.world.finder.submodule(name, path),
                // The parent failed and was removed from `sys.modules`, so search the directories
                // that its name implies.
                None => {
                    let tail = parent.replace('.', "/");
                    let path: Vec<WinPath> =
                        self.world.sys_path.iter().map(|entry| entry.join(&tail)).collect();
                    self.world.finder.submodule(name, &path)
                }
            },
        };
        let for_other_python = match found {
            Found::NotFound { for_other_python } => for_other_python,
            _ => None,
        };
        MissingModule {
            name: dotted.to_owned(),
            for_other_python,
            recorded: self.recorded_path(dotted),
            inaccessible: None,
        }
    }

    /// Returns the missing file that a distribution records as installed for the module `dotted`.
    pub(super) fn recorded_file(&mut self, dotted: &str) -> Option<WinPath> {
        self.read_records();
        self.recorded_path(dotted)
    }

    fn read_records(&mut self) {
        if self.world.recorded.is_none() {
            let files = self.world.files();
            let distributions = self.world.environment().distributions.iter();
            let rows = distributions.filter_map(|one| one.expected_files(files).ok()).flatten();
            self.world.recorded = Some(rows.map(|row| row.path.key()).collect());
        }
    }

    /// Records a native file that the program looked for without finding it.
    pub(super) fn record_missing_file(&mut self, path: WinPath) {
        const MAX: usize = 100;
        let is_native = ["dll", "pyd"].iter().any(|extension| path.has_extension(extension));
        if is_native && self.world.missing_native_files.len() < MAX {
            self.world.missing_native_files.push(path);
        }
    }

    /// Returns the first installed native file that the program looked for without finding it.
    pub(super) fn lost_file(&mut self) -> Option<WinPath> {
        if self.world.missing_native_files.is_empty() {
            return None;
        }
        self.read_records();
        self.world.missing_native_files.iter().find(|file| self.is_recorded(file)).cloned()
    }

    fn is_recorded(&self, file: &WinPath) -> bool {
        self.world.recorded.as_ref().is_some_and(|recorded| recorded.contains(&file.key()))
    }

    /// Returns the first recorded file that could be the extension module `dotted`.
    fn recorded_path(&self, dotted: &str) -> Option<WinPath> {
        self.world.recorded.as_ref()?;
        let tail = dotted.replace('.', "/");
        let suffixes = self.world.environment().extension_suffixes();
        self.world.environment().site_packages.iter().find_map(|folder| {
            suffixes
                .iter()
                .map(|suffix| folder.join(&format!("{tail}{suffix}")))
                .find(|file| self.is_recorded(file))
        })
    }
}

/// Estimates the number of names that the statements of a module bind.
fn names_bound_by(body: &[Stmt]) -> usize {
    const MAX: usize = 10_000;
    let names = body.iter().map(|stmt| match &stmt.kind {
        StmtKind::ImportFrom { names, .. } => names.len(),
        StmtKind::Import { .. } | StmtKind::Assign { .. } | StmtKind::Lazy(_) => 1,
        StmtKind::Function(_) | StmtKind::Class { .. } => 1,
        _ => 0,
    });
    names.sum::<usize>().min(MAX)
}

/// Whether a module is bytecode. The bodies of its functions and classes are then unknown.
fn is_compiled(module: &ModuleRef) -> bool {
    module.file.as_ref().is_some_and(|file| file.has_extension("pyc"))
}

/// Returns the `__path__` of a package, which the package may have changed (TensorFlow puts a
/// directory of Keras in front), or `None` if it's unknown.
fn changed_path(package: &ModuleRef) -> Option<Vec<WinPath>> {
    let entries = package.get("__path__")?.items()?;
    entries.iter().map(|entry| Some(WinPath::new(&*entry.text()?))).collect()
}
