//! `import`: finding a module, running it once, binding its name (`Lib/importlib/_bootstrap.py`).

use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::ahead;
use super::frame::Frame;
use super::import_statement::absolute_name;
use super::value::{Exception, Module, ModuleRef, Value};
use super::{Event, Flow, LoadFailure, LoadKind, MissingModule, Place, Plan};
use crate::cpython::{Found, Withheld};
use crate::host::{FileError, WinPath};
use crate::image::Image;
use crate::source::{Name, Stmt, StmtKind, is_standard, top_level};

/// CPython gives up at 1000 frames of Python, several of which are needed for each import.
const DEEPEST_IMPORT: u32 = 300;

/// Statements on the way of an exception beyond these are not told.
pub(super) const LONGEST_TRACE: usize = 100;

type Outcome<T> = Result<T, Rc<Exception>>;

impl Plan<'_> {
    /// Imports `a`, `a.b`, `a.b.c` in turn and returns the last.
    pub(super) fn import_dotted(&mut self, name: &str, at: &Place) -> Outcome<ModuleRef> {
        // `_find_and_load` asks for the whole name first.
        if let Some(module) = self.modules.get(name) {
            return Ok(module.clone());
        }
        let mut parent: Option<ModuleRef> = None;
        let mut end = 0;
        for part in name.split('.') {
            end += part.len();
            let dotted = &name[..end];
            end += 1;
            let module = match self.modules.get(dotted) {
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

    /// Finds and runs the module `dotted`, whose parent is imported already.
    fn import_one(
        &mut self,
        dotted: &str,
        name: &str,
        parent: Option<&ModuleRef>,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        self.spend_many(100);
        let found = match parent {
            None => self.finder.top_level(name, &self.sys_path),
            Some(parent) => match &parent.path {
                Some(path) => match changed_path(parent) {
                    Some(path) => match self.finder.submodule(name, &path) {
                        // What compiled code puts into `sys.modules` is not seen: `collections` does so with `collections.abc`.
                        Found::NotFound { for_other_python: None } if is_compiled(parent) => {
                            Found::Opaque { path: None }
                        }
                        found => found,
                    },
                    // It was given a value that is not known, and so what is not found may lie there.
                    None => match self.finder.submodule(name, path) {
                        Found::NotFound { for_other_python: None } => Found::Opaque { path: None },
                        found => found,
                    },
                },
                // A module may make itself a package at run time (`six.moves`), and what is inside an
                // archive cannot be seen.
                None if parent.open.get() => Found::Opaque { path: None },
                None => Found::NotFound { for_other_python: None },
            },
        };
        match found {
            Found::Builtin | Found::Opaque { path: None } => Ok(self.add_module(dotted, None, None, true)),
            // In an archive it may be a package.
            Found::Opaque { path: Some(path) } => {
                let inside = path.in_archive().map(|_| vec![path.clone()]);
                Ok(self.add_module(dotted, Some(path), inside, true))
            }
            Found::Namespace(portions) => Ok(self.add_module(dotted, None, Some(portions), false)),
            Found::Package { init, folder } => self.run_module(dotted, init, Some(vec![folder]), at),
            Found::Source(path) => self.run_module(dotted, path, None, at),
            Found::Extension { path, folder } => self.load_extension(dotted, path, folder, at),
            Found::Withheld(it) => {
                let exception = Exception { withheld: Some(it), ..self.module_not_found(dotted) };
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
        self.modules.insert(dotted.into(), module.clone());
        module
    }

    /// Runs a source module. It is in `sys.modules` while it runs, so that circular imports end, and is
    /// taken out again if it fails.
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
        if self.depth >= DEEPEST_IMPORT {
            module.open.set(true);
            self.step(Event::Unknown("imports nest too deep to be followed".to_owned()), at);
            return Ok(module);
        }
        let files = &self.interpreter.process.host().files;
        // Who overlooks failures reads ahead himself.
        let alone = self.interpreter.overlooks_failures();
        if !alone && self.ahead.is_none() && files.modules_read() >= ahead::WORTHWHILE {
            let files = files.unwitnessed().unwrap_or_else(|| files.clone());
            let suffixes = self.interpreter.environment.extension_suffixes();
            self.ahead = ahead::Ahead::start(files, self.sys_path.clone(), suffixes, self.asked.clone());
        }
        let script = match files.script(&file) {
            Ok(script) => script,
            Err(FileError::AccessDenied) => {
                self.failed_modules.extend(self.modules.remove(dotted));
                let message = format!("[Errno 13] Permission denied: '{file}'");
                let exception = Exception {
                    missing: Some(dotted.into()),
                    withheld: Some(Withheld { path: file, why: FileError::AccessDenied }),
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
        let minor = self.interpreter.environment.version.minor;
        let newer = script.newer_syntax.iter().filter(|newer| newer.since > minor);
        // Python names the first; what counts is which version does without.
        if let Some(newer) = newer.max_by_key(|newer| newer.since) {
            self.failed_modules.extend(self.modules.remove(dotted));
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
        self.depth += 1;
        module.names.borrow_mut().reserve(names_bound_by(&script.body));
        let mut frame = Frame::of_module(module.clone());
        // What a call imports takes its own time.
        let call_ends_at = self.call_ends_at.take();
        let before = self.budget;
        module.is_partial.set(true);
        let raised = self.statements(&script.body, &mut frame);
        module.is_partial.set(false);
        let taken = before - self.budget;
        self.call_ends_at = call_ends_at.map(|end| end.saturating_sub(taken));
        self.depth -= 1;
        match raised {
            Some(exception) => {
                self.failed_modules.extend(self.modules.remove(dotted));
                Err(traced(exception, at))
            }
            None => Ok(module),
        }
    }

    /// Runs the statements of a module; the exception that ends it.
    ///
    /// One that no failed load and no missing module leads to, and that nobody waits for, would mean that the package never
    /// works. It rather means that something was not followed as Python does, so it is noted, and the module goes on.
    fn statements(&mut self, body: &[Stmt], frame: &mut Frame) -> Option<Rc<Exception>> {
        for stmt in body {
            match self.block(std::slice::from_ref(stmt), frame) {
                Flow::Next => {}
                Flow::Raise(exception)
                    if exception.is_unfounded()
                        && !self.waiting.iter().any(|catches| catches.catches(&exception)) =>
                {
                    let sentence = exception.sentence().unwrap_or_else(|| exception.class.to_string());
                    self.step(
                        Event::Unknown(format!("taken for a mistake of ours: {sentence}")),
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
        let result = self.interpreter.load_extension(&path);
        let event = Event::Extension { name: dotted.to_owned(), path: path.clone(), loaded: result.is_ok() };
        self.step(event, at);
        let error = match result {
            Ok(()) => return self.initialize_extension(dotted, path, folder, at),
            Err(error) => error,
        };
        let doubt = self.doubt(&error);
        let name = dotted.rsplit('.').next().unwrap_or(dotted);
        let message = self.interpreter.import_sentence(name, &error);
        // What faulthandler prints; without it nothing is printed.
        let ends = error.is_crash();
        let class = if ends { "Windows fatal exception" } else { "ImportError" };
        let failure = self.failed(LoadFailure {
            target: path.as_str().to_owned(),
            kind: LoadKind::Extension,
            at: at.clone(),
            error,
            sentence: format!("{class}: {message}"),
            uncertain: self.uncertain > 0 || doubt.is_some(),
            doubt: doubt.clone(),
        });
        if doubt.is_some() {
            return Ok(self.add_module(dotted, Some(path), folder.map(|folder| vec![folder]), true));
        }
        let mut exception = Exception { ends, ..Exception::new(class, Some(message.into())) };
        exception.failures.push(failure);
        Err(traced(Rc::new(exception), at))
    }

    /// Imports what the code of a loaded extension module imports. Such code may well do without a module that is not
    /// there, and this is not seen; but it does not catch what comes of a failed load.
    fn initialize_extension(
        &mut self,
        dotted: &str,
        path: WinPath,
        folder: Option<WinPath>,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        let imports = self.interpreter.imported_by(&path);
        let module = self.add_module(dotted, Some(path), folder.map(|folder| vec![folder]), true);
        if self.depth >= DEEPEST_IMPORT {
            return Ok(module);
        }
        self.depth += 1;
        let failed = imports.iter().find_map(|import| {
            if let Some(function) = import.strip_suffix("()") {
                self.ask_for_the_machine(function, at);
                return None;
            }
            if let Some((level, name)) = import.split_once(':') {
                self.import_of_cython(level, name, &module, at);
                return None;
            }
            if import == Image::UNKNOWN_MODULE {
                let what = format!("the code of {dotted} imports a module of which the name is not known");
                self.step(Event::Unknown(what), at);
                return None;
            }
            if import == Image::UNREAD {
                let what = format!("the code of {dotted} may import modules, and it is not read");
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
        self.depth -= 1;
        match failed {
            Some(exception) => {
                self.failed_modules.extend(self.modules.remove(dotted));
                Err(exception)
            }
            None => Ok(module),
        }
    }

    /// Imports a module, or the other one if there is no module of the first name: C code asks so for what lies elsewhere in another
    /// version.
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

    /// Follows an `import` of a Cython module's text ([`Image::module_imports`](crate::image::Image::module_imports)). It may stand in a
    /// `try`, which is not seen: what fails is not known to count, and a module that is not there is no news.
    fn import_of_cython(&mut self, level: &str, name: &str, module: &ModuleRef, at: &Place) {
        let beside = |level| absolute_name(module.package(), level, name);
        let dotted = match level {
            "0" => Some(name.into()),
            // Without an ImportError from there, Cython's helper is content.
            "-1" => match beside(1) {
                Some(beside) if self.certainly_missing(&beside).is_none() => Some(beside),
                _ => Some(name.into()),
            },
            level => level.parse().ok().and_then(beside),
        };
        if let Some(dotted) = dotted {
            self.import_if_it_can_be(&dotted, at);
        }
    }

    /// Makes an import of which it is not known that anybody misses it.
    pub(super) fn import_if_it_can_be(&mut self, dotted: &str, at: &Place) {
        let (failures, steps) = (self.failures.len(), self.steps.len());
        if self.certainly_missing(top_level(dotted)).is_some()
            || self.certainly_missing(dotted).is_some()
            || self.import_dotted(dotted, at).is_ok()
        {
            return;
        }
        for failure in self.failures.iter_mut().skip(failures) {
            failure.uncertain = true;
        }
        for step in self.steps.iter_mut().skip(steps) {
            step.uncertain = true;
        }
    }

    /// Remembers a failed load and returns its number.
    pub(super) fn failed(&mut self, failure: LoadFailure) -> usize {
        self.spend_many(5_000);
        self.failures.push(failure);
        self.failures.len() - 1
    }

    /// A module that the finders do not see. Modules can also be made at run time, so this is an error
    /// only where it is certain, or where the program itself expects it.
    fn not_found(
        &mut self,
        dotted: &str,
        parent: Option<&ModuleRef>,
        for_other_python: bool,
        at: &Place,
    ) -> Outcome<ModuleRef> {
        let certain = for_other_python
            || self.recorded_file(dotted).is_some()
            || (parent.is_none() && self.is_missed_for_certain(dotted, at));
        let expected = match parent {
            // A top-level module that lies nowhere may come from an import hook; somebody up the
            // stack who is ready for its absence settles the matter.
            None => self.absence_is_expected(),
            Some(_) => false,
        };
        if certain && self.interpreter.overlooks_failures() {
            return Ok(self.add_module(dotted, None, None, true));
        }
        if certain || expected || at.file.is_none() {
            return Err(traced(Rc::new(self.module_not_found(dotted)), at));
        }
        self.step(Event::NotFound(dotted.to_owned()), at);
        Ok(self.add_module(dotted, None, None, true))
    }

    /// Whether a top-level module that lies nowhere is one that an installed package cannot do without: its distribution requires others
    /// of which one is not installed, or the module has left the standard library. Else it may come from an import hook, or we followed
    /// the package wrongly.
    fn is_missed_for_certain(&self, name: &str, at: &Place) -> bool {
        let environment = self.interpreter.environment;
        let Some(file) = at.file.as_ref().filter(|_| self.uncertain == 0) else { return false };
        if !environment.site_packages.iter().any(|folder| file.is_within(folder)) {
            return false;
        }
        let files = &*self.interpreter.process.host().files;
        is_standard(name) || environment.lacks_for(file, files).next().is_some()
    }

    /// The exception for a missing module.
    pub(super) fn module_not_found(&self, dotted: &str) -> Exception {
        let message = format!("No module named '{dotted}'");
        let mut exception = Exception::new("ModuleNotFoundError", Some(message.into()));
        exception.missing = Some(dotted.into());
        exception
    }

    /// Whether the finders see a submodule of a package that is imported.
    pub(super) fn submodule_exists(&self, parent: &ModuleRef, name: &str) -> bool {
        let dotted = format!("{}.{name}", parent.name);
        if self.modules.contains_key(dotted.as_str()) {
            return true;
        }
        let Some(path) = &parent.path else {
            return false;
        };
        let path = changed_path(parent).unwrap_or_else(|| path.clone());
        !matches!(self.finder.submodule(name, &path), Found::NotFound { for_other_python: None })
            || self.recorded_path(&dotted).is_some()
    }

    pub(super) fn missing_module(&self, dotted: &str) -> MissingModule {
        let found = match dotted.rsplit_once('.') {
            None => self.finder.top_level(dotted, &self.sys_path),
            Some((parent, name)) => match self.modules.get(parent).and_then(|p| p.path.as_ref()) {
                Some(path) => self.finder.submodule(name, path),
                // The parent failed and left `sys.modules`: look where its name leads.
                None => {
                    let tail = parent.replace('.', "/");
                    let path: Vec<WinPath> = self.sys_path.iter().map(|entry| entry.join(&tail)).collect();
                    self.finder.submodule(name, &path)
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
            withheld: None,
        }
    }

    /// The file that a distribution says it installed for the module `dotted`, although it is not there.
    pub(super) fn recorded_file(&mut self, dotted: &str) -> Option<WinPath> {
        self.read_records();
        self.recorded_path(dotted)
    }

    fn read_records(&mut self) {
        if self.recorded.is_none() {
            let files = &*self.interpreter.process.host().files;
            let distributions = self.interpreter.environment.distributions.iter();
            let rows = distributions.filter_map(|one| one.expected_files(files).ok()).flatten();
            self.recorded = Some(rows.map(|row| row.path.key()).collect());
        }
    }

    /// Remembers a native file that is not there.
    pub(super) fn looked_in_vain(&mut self, path: WinPath) {
        const MOST: usize = 100;
        let is_native = ["dll", "pyd"].iter().any(|extension| path.has_extension(extension));
        if is_native && self.looked_in_vain.len() < MOST {
            self.looked_in_vain.push(path);
        }
    }

    /// The first native file for which the program looked in vain although it was installed.
    pub(super) fn lost_file(&mut self) -> Option<WinPath> {
        if self.looked_in_vain.is_empty() {
            return None;
        }
        self.read_records();
        self.looked_in_vain.iter().find(|file| self.is_recorded(file)).cloned()
    }

    fn is_recorded(&self, file: &WinPath) -> bool {
        self.recorded.as_ref().is_some_and(|recorded| recorded.contains(&file.key()))
    }

    /// The first of the files that could be the extension module `dotted` and that is recorded.
    fn recorded_path(&self, dotted: &str) -> Option<WinPath> {
        self.recorded.as_ref()?;
        let tail = dotted.replace('.', "/");
        let suffixes = self.interpreter.environment.extension_suffixes();
        self.interpreter.environment.site_packages.iter().find_map(|folder| {
            suffixes
                .iter()
                .map(|suffix| folder.join(&format!("{tail}{suffix}")))
                .find(|file| self.is_recorded(file))
        })
    }
}

/// About how many names the statements of a module bind.
fn names_bound_by(body: &[Stmt]) -> usize {
    const MOST: usize = 10_000;
    let names = body.iter().map(|stmt| match &stmt.kind {
        StmtKind::ImportFrom { names, .. } => names.len(),
        StmtKind::Import { .. } | StmtKind::Assign { .. } | StmtKind::Lazy(_) => 1,
        StmtKind::Function(_) | StmtKind::Class { .. } => 1,
        _ => 0,
    });
    names.sum::<usize>().min(MOST)
}

/// Whether a module was compiled to bytecode, of which not all is known: what its functions do, and its classes.
fn is_compiled(module: &ModuleRef) -> bool {
    module.file.as_ref().is_some_and(|file| file.has_extension("pyc"))
}

/// `__path__` of a package, which it may have changed as it ran (TensorFlow puts a folder of Keras in front); none if it is
/// not known.
fn changed_path(package: &ModuleRef) -> Option<Vec<WinPath>> {
    let entries = package.get("__path__")?.items()?;
    entries.iter().map(|entry| Some(WinPath::new(&*entry.text()?))).collect()
}

/// An exception that passes the statement `at` on its way up.
pub(super) fn traced(mut exception: Rc<Exception>, at: &Place) -> Rc<Exception> {
    if let Some(file) = &at.file
        && exception.trace.len() < LONGEST_TRACE
    {
        Rc::make_mut(&mut exception).trace.push((file.clone(), at.line));
    }
    exception
}
