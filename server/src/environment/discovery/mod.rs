//! Discovery of the Pythons on a machine, and selection of the one to use for a folder. Nothing is
//! run: installers, environment managers, and the registry leave traces, and each file here handles
//! those of one of them.
//!
//! | file | finds |
//! |---|---|
//! | `folder` | environments in the folder: `.venv`, pixi's, any other |
//! | `hints` | Pythons that files require: `pyproject.toml`, Pipenv, `.python-version`, `environment.yml` |
//! | `registry` | registered Pythons (PEP 514), and the one that `py` starts |
//! | `store` | packages of the Microsoft Store, behind their aliases |
//! | `conda` | environments of conda, mamba, and pixi |
//! | `manager` | Pythons of the Python Install Manager |
//! | `managed` | Pythons of uv and pyenv-win, environments of Poetry, Pipenv, virtualenvwrapper |
//! | `places` | Pythons in the usual places: python.org's, the embeddable package, WinPython |
//! | `users` | the users whose directories are searched |
//!
//! The result is a list of paths with the reason for each. [`Search::all`] describes all of them;
//! [`Search::selected`] only returns the selected one, and searches no further than necessary.

mod conda;
mod folder;
mod hints;
mod managed;
mod manager;
mod places;
mod registry;
mod store;
mod users;

pub use folder::USUAL;
pub(super) use store::is_alias as is_store_alias;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::host::variables::OF_ENVIRONMENTS;
use crate::host::{EntryKind, Host, WinPath};

use super::layout::free_threaded_programs;
use super::{Environment, EnvironmentError};
use users::User;

/// The maximum number of directories of one kind that are searched, and of environments that are
/// described.
const MAX_ENTRIES: usize = 500;

/// The source of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// It is activated in the session that WhyDLL runs in.
    Activated,
    /// It is in the folder.
    Folder,
    /// A file in the folder requires it.
    Hint,
    /// It is in the registry.
    Registry,
    /// It is a package of the Microsoft Store.
    Store,
    /// The Python Install Manager installed it.
    Manager,
    /// conda or mamba created it.
    Conda,
    /// pixi created it.
    Pixi,
    /// uv installed it.
    Uv,
    /// pyenv-win installed it.
    Pyenv,
    /// Poetry created it.
    Poetry,
    /// Pipenv, virtualenvwrapper, or the user created it in the directory for such environments.
    Virtualenvs,
    /// It is in a directory that installers use, or where users unpack archives.
    Place,
    /// It is in a directory of PATH.
    Path,
}

impl Source {
    /// Returns its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Source::Activated => "activated",
            Source::Folder => "folder",
            Source::Hint => "hint",
            Source::Registry => "registry",
            Source::Store => "store",
            Source::Manager => "pymanager",
            Source::Conda => "conda",
            Source::Pixi => "pixi",
            Source::Uv => "uv",
            Source::Pyenv => "pyenv",
            Source::Poetry => "poetry",
            Source::Virtualenvs => "virtualenvs",
            Source::Place => "place",
            Source::Path => "path",
        }
    }
}

/// A candidate: the path of an interpreter or environment, and why it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The `python.exe`, or the directory of the environment.
    pub path: WinPath,
    /// The source that it comes from.
    pub source: Source,
    /// A human-readable reason, such as "listed in C:\Users\me\.conda\environments.txt".
    pub reason: String,
}

impl Candidate {
    fn new(path: WinPath, source: Source, reason: impl Into<String>) -> Candidate {
        Candidate { path: path.normalized(), source, reason: reason.into() }
    }
}

/// An environment that was found.
#[derive(Debug, Clone)]
pub struct FoundEnvironment {
    /// The `python.exe`, the launcher that starts it, or the path that was assumed to be one.
    pub interpreter: WinPath,
    /// The environment, or the reason why it cannot be started.
    pub environment: Result<Environment, EnvironmentError>,
    /// The candidates that led to it, the most specific first.
    pub candidates: Vec<Candidate>,
}

/// A search for interpreters on a machine.
pub struct Search<'a> {
    host: &'a Host,
    folder: Option<WinPath>,
    activated: Option<WinPath>,
    users: Vec<User>,
    thorough: bool,
}

impl<'a> Search<'a> {
    /// Creates a search on this machine, for no folder.
    pub fn on(host: &'a Host) -> Search<'a> {
        Search { host, folder: None, activated: None, users: User::of(host), thorough: false }
    }

    /// Sets the folder for which a Python is searched.
    pub fn in_folder(self, folder: Option<WinPath>) -> Search<'a> {
        Search { folder, ..self }
    }

    /// Returns the folder for which a Python is searched.
    pub fn folder(&self) -> Option<&WinPath> {
        self.folder.as_ref()
    }

    /// Sets the activated environment.
    pub fn with_activated(self, activated: Option<WinPath>) -> Search<'a> {
        Search { activated, ..self }
    }

    /// Checks every directory in the folder for an environment, not only those with usual names.
    pub fn thorough(self) -> Search<'a> {
        Search { thorough: true, ..self }
    }

    /// Returns the interpreter to use if none is named: the activated environment, one in the
    /// folder, `.venv` in a parent folder, one that the folder's files require, the one that `py`
    /// starts, or the first on PATH.
    pub fn selected(&self) -> Option<Candidate> {
        let activated = || self.of_activated();
        let own = || folder::usual(self);
        activated()
            .or_else(own)
            .or_else(|| folder::above(self))
            .or_else(|| hints::first(self))
            .or_else(|| registry::default(self))
            .or_else(|| places::on_path(self).into_iter().next())
    }

    /// Returns everything that was found, described. The selected one comes first.
    pub fn all(&self) -> Vec<FoundEnvironment> {
        let mut candidates: Vec<Candidate> = self.selected().into_iter().chain(self.of_activated()).collect();
        candidates.extend(folder::all(self));
        candidates.extend(registry::all(self));
        candidates.extend(store::all(self));
        candidates.extend(manager::all(self));
        candidates.extend(managed::all(self));
        candidates.extend(conda::all(self));
        candidates.extend(places::all(self));
        candidates.extend(places::on_path(self));
        let mut found: Vec<FoundEnvironment> = Vec::new();
        // The index in `found` by path.
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut candidates = VecDeque::from(candidates);
        while let Some(candidate) = candidates.pop_front() {
            if !known.contains_key(&candidate.path.key()) {
                let environment = Environment::on(&candidate.path, self.host);
                for path in environment.iter().flat_map(|found| self.beside(found)) {
                    candidates.push_back(Candidate { path, ..candidate.clone() });
                }
                // A launcher is the same Python as its target, and so is a link.
                let python = match &environment {
                    Ok(python) => {
                        managed::link_target(self, python).unwrap_or_else(|| python.interpreter.clone())
                    }
                    Err(_) => candidate.path.clone(),
                };
                let at = *known.entry(python.key()).or_insert(found.len());
                known.insert(candidate.path.key(), at);
                if at == found.len() {
                    let selected = environment.as_ref().map_or(&candidate.path, |found| &found.selected);
                    let interpreter = selected.clone();
                    found.push(FoundEnvironment { interpreter, environment, candidates: Vec::new() });
                }
            }
            let same = known.get(&candidate.path.key()).and_then(|at| found.get_mut(*at));
            same.into_iter().for_each(|same| same.add(&candidate));
            if found.len() == MAX_ENTRIES {
                break;
            }
        }
        found
    }

    /// Returns free-threaded builds in the directory of another Python, where python.org's
    /// installer puts them. Two programs with the same DLL are one Python.
    fn beside(&self, python: &Environment) -> Vec<WinPath> {
        let mut programs =
            python.interpreter.parent().map_or_else(Vec::new, |folder| self.free_threaded_in(&folder));
        programs.retain(|program| {
            Environment::on(program, self.host).is_ok_and(|other| other.python_dll != python.python_dll)
        });
        programs
    }

    fn free_threaded_in(&self, folder: &WinPath) -> Vec<WinPath> {
        free_threaded_programs(folder, &*self.host.files)
    }

    fn of_activated(&self) -> Option<Candidate> {
        let path = self.activated.clone()?;
        Some(Candidate::new(path, Source::Activated, "activated"))
    }

    /// Returns the value of a variable, which has to be one of those that a live machine has.
    fn variable(&self, name: &str) -> Option<&str> {
        debug_assert!(OF_ENVIRONMENTS.contains(&name), "add {name} to host::variables");
        self.host.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is_file(&self, path: &WinPath) -> bool {
        self.host.files.is_file(path)
    }

    fn text(&self, path: &WinPath) -> Option<Arc<str>> {
        self.host.files.text(path).ok()
    }

    /// Returns the directories in a directory, sorted by name.
    fn folders_in(&self, folder: &WinPath) -> Vec<WinPath> {
        let listing = self.host.files.folder(folder).unwrap_or_default();
        let folders = listing.entries().into_iter().filter(|entry| entry.kind == EntryKind::Folder);
        folders.take(MAX_ENTRIES).map(|entry| folder.join(&entry.name)).collect()
    }

    /// Returns the drive of Windows.
    fn drive(&self) -> WinPath {
        self.host.windows_directory.parent().unwrap_or_else(|| WinPath::new(r"C:\"))
    }

    /// Whether a directory contains an environment for any operating system.
    fn is_environment(&self, folder: &WinPath) -> bool {
        let signs = ["pyvenv.cfg", "python.exe", r"Scripts\python.exe", "bin/python"];
        signs.iter().any(|sign| self.is_file(&folder.join(sign))) || !self.free_threaded_in(folder).is_empty()
    }

    /// Returns the environments in the direct subdirectories of a directory.
    fn environments_in(&self, folder: &WinPath, source: Source) -> Vec<Candidate> {
        let inner = self.folders_in(folder).into_iter().filter(|inner| self.is_environment(inner));
        inner.map(|inner| Candidate::new(inner, source, format!("in {folder}"))).collect()
    }
}

/// Returns the interpreter that an alias of the Store starts, if its package can be found.
pub(super) fn store_alias_target(path: &WinPath, host: &Host) -> Option<WinPath> {
    store::is_alias(path).then(|| store::store_alias_target(&Search::on(host), path)).flatten()
}

impl FoundEnvironment {
    fn add(&mut self, candidate: &Candidate) {
        let mut candidate = candidate.clone();
        // The candidate may be another launcher, or the interpreter if a launcher is listed.
        if candidate.path.has_extension("exe") && candidate.path != self.interpreter {
            candidate.reason = format!("{}, as {}", candidate.reason, candidate.path);
        }
        let is_known =
            |known: &Candidate| known.source == candidate.source && known.reason == candidate.reason;
        if !self.candidates.iter().any(is_known) {
            self.candidates.push(candidate);
        }
    }
}
