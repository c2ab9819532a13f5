//! Which Pythons a machine has, and which of them is meant in a folder. Nothing is run: installers, environment managers
//! and the registry leave traces, and each file here knows those of one of them.
//!
//! | file | finds |
//! |---|---|
//! | `folder` | environments in the folder: `.venv`, pixi's, any other |
//! | `hints` | what the folder's files ask for: Poetry's and Pipenv's environment, `.python-version`, `environment.yml`, `requires-python` |
//! | `registry` | registered Pythons (PEP 514), and the one that `py` starts |
//! | `store` | packages of the Microsoft Store, behind their aliases |
//! | `conda` | environments of conda, mamba and pixi |
//! | `manager` | Pythons of the Python Install Manager |
//! | `managed` | Pythons of uv and pyenv-win, environments of Poetry, Pipenv and virtualenvwrapper |
//! | `places` | what lies where installers put it: python.org's, the embeddable package, WinPython |
//! | `users` | whose folders are looked into |
//!
//! What is found is a path and the reason why it was found. [`Search::all`] describes each, [`Search::chosen`] says which one
//! is meant and looks no further than it must.

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
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host::{EntryKind, Host, HostError, WinPath, session};

use super::layout::free_threaded_programs;
use super::{Environment, EnvironmentError};
use users::User;

/// So many folders of one kind are looked into, and so many environments described: more than anybody has.
const MOST: usize = 500;

/// Who led to an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// It is activated in the session that we run in.
    Activated,
    /// It lies in the folder.
    Folder,
    /// A file of the folder asks for it.
    Hint,
    /// It is registered.
    Registry,
    /// A package of the Microsoft Store.
    Store,
    /// The Python Install Manager installed it.
    Manager,
    /// conda, or mamba, made it.
    Conda,
    /// pixi made it.
    Pixi,
    /// uv installed it.
    Uv,
    /// pyenv-win installed it.
    Pyenv,
    /// Poetry made it.
    Poetry,
    /// Pipenv, virtualenvwrapper or a person made it, in the folder for such environments.
    Virtualenvs,
    /// It lies where installers put it, or where people unpack it.
    Place,
    /// It lies in a directory of PATH.
    Path,
}

impl Source {
    /// Its name in JSON.
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

/// A trace of an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The `python.exe`, or the folder of the environment.
    pub path: WinPath,
    /// Who led to it.
    pub source: Source,
    /// Where it is told of, in words: "listed in C:\Users\me\.conda\environments.txt".
    pub reason: String,
}

impl Sighting {
    fn new(path: WinPath, source: Source, reason: impl Into<String>) -> Sighting {
        Sighting { path: path.normalized(), source, reason: reason.into() }
    }
}

/// An environment that was found.
#[derive(Debug, Clone)]
pub struct FoundEnvironment {
    /// Its `python.exe`, the launcher that led to it, or what was taken for it.
    pub interpreter: WinPath,
    /// What is there, or why nothing can be started there.
    pub environment: Result<Environment, EnvironmentError>,
    /// What led to it, the most telling first.
    pub sightings: Vec<Sighting>,
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
    /// On this machine, for no folder.
    pub fn on(host: &'a Host) -> Search<'a> {
        Search { host, folder: None, activated: None, users: User::of(host), thorough: false }
    }

    /// For those who work in this folder.
    pub fn in_folder(self, folder: Option<WinPath>) -> Search<'a> {
        Search { folder, ..self }
    }

    /// With the environment that is activated.
    pub fn with_activated(self, activated: Option<WinPath>) -> Search<'a> {
        Search { activated, ..self }
    }

    /// Every folder in the folder may be an environment, not only those of usual names.
    pub fn thorough(self) -> Search<'a> {
        Search { thorough: true, ..self }
    }

    /// The interpreter to use where none is named: the activated environment, one in the folder, `.venv` of a folder above,
    /// what the folder's files ask for, what `py` starts, the first on PATH.
    pub fn chosen(&self) -> Option<Sighting> {
        let activated = || self.of_activated();
        let own = || folder::usual(self);
        activated()
            .or_else(own)
            .or_else(|| folder::above(self))
            .or_else(|| hints::first(self))
            .or_else(|| registry::default(self))
            .or_else(|| places::on_path(self).into_iter().next())
    }

    /// All that can be found, each described. The one that is meant comes first.
    pub fn all(&self) -> Vec<FoundEnvironment> {
        let mut sightings: Vec<Sighting> = self.chosen().into_iter().chain(self.of_activated()).collect();
        sightings.extend(folder::all(self));
        sightings.extend(registry::all(self));
        sightings.extend(store::all(self));
        sightings.extend(manager::all(self));
        sightings.extend(managed::all(self));
        sightings.extend(conda::all(self));
        sightings.extend(places::all(self));
        sightings.extend(places::on_path(self));
        let mut found: Vec<FoundEnvironment> = Vec::new();
        // Where those stand that a path leads to.
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut sightings = VecDeque::from(sightings);
        while let Some(sighting) = sightings.pop_front() {
            if !known.contains_key(&sighting.path.key()) {
                let environment = Environment::on(&sighting.path, self.host);
                for path in environment.iter().flat_map(|found| self.beside(found)) {
                    sightings.push_back(Sighting { path, ..sighting.clone() });
                }
                // A launcher is the same Python as what it starts, and a link the same as what it leads to.
                let python = match &environment {
                    Ok(python) => {
                        managed::behind_link(self, python).unwrap_or_else(|| python.interpreter.clone())
                    }
                    Err(_) => sighting.path.clone(),
                };
                let at = *known.entry(python.key()).or_insert(found.len());
                known.insert(sighting.path.key(), at);
                if at == found.len() {
                    let selected = environment.as_ref().map_or(&sighting.path, |found| &found.selected);
                    let interpreter = selected.clone();
                    found.push(FoundEnvironment { interpreter, environment, sightings: Vec::new() });
                }
            }
            let same = known.get(&sighting.path.key()).and_then(|at| found.get_mut(*at));
            same.into_iter().for_each(|same| same.add(&sighting));
            if found.len() == MOST {
                break;
            }
        }
        found
    }

    /// Free-threaded builds in the folder of another Python, where python.org's installer puts them. Who runs
    /// the same DLL under two names is one Python.
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

    fn of_activated(&self) -> Option<Sighting> {
        let path = self.activated.clone()?;
        Some(Sighting::new(path, Source::Activated, "activated"))
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.host.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is_file(&self, path: &WinPath) -> bool {
        self.host.files.is_file(path)
    }

    fn text(&self, path: &WinPath) -> Option<Arc<str>> {
        self.host.files.text(path).ok()
    }

    /// The folders in a folder, by name.
    fn folders_in(&self, folder: &WinPath) -> Vec<WinPath> {
        let listing = self.host.files.folder(folder).unwrap_or_default();
        let folders = listing.entries().into_iter().filter(|entry| entry.kind == EntryKind::Folder);
        folders.take(MOST).map(|entry| folder.join(&entry.name)).collect()
    }

    /// The drive that Windows is on.
    fn drive(&self) -> WinPath {
        self.host.windows_directory.parent().unwrap_or_else(|| WinPath::new(r"C:\"))
    }

    /// Whether an environment's folder has what makes one, for whichever system it was made.
    fn is_environment(&self, folder: &WinPath) -> bool {
        let signs = ["pyvenv.cfg", "python.exe", r"Scripts\python.exe", "bin/python"];
        signs.iter().any(|sign| self.is_file(&folder.join(sign))) || !self.free_threaded_in(folder).is_empty()
    }

    /// The folders in a folder that are environments.
    fn environments_in(&self, folder: &WinPath, source: Source) -> Vec<Sighting> {
        let inner = self.folders_in(folder).into_iter().filter(|inner| self.is_environment(inner));
        inner.map(|inner| Sighting::new(inner, source, format!("in {folder}"))).collect()
    }
}

/// The interpreter that an alias of the Store starts, where its package can be found.
pub(super) fn behind_alias(path: &WinPath, host: &Host) -> Option<WinPath> {
    store::is_alias(path).then(|| store::behind_alias(&Search::on(host), path)).flatten()
}

impl FoundEnvironment {
    fn add(&mut self, sighting: &Sighting) {
        let mut sighting = sighting.clone();
        // It may be that of another launcher, or of the interpreter where a launcher is listed.
        if sighting.path.has_extension("exe") && sighting.path != self.interpreter {
            sighting.reason = format!("{}, as {}", sighting.reason, sighting.path);
        }
        let is_known = |known: &Sighting| known.source == sighting.source && known.reason == sighting.reason;
        if !self.sightings.iter().any(is_known) {
            self.sightings.push(sighting);
        }
    }
}

/// The machine that is looked at: as it is named, or else the drive that `landmark` lies on, or else a clean Windows 11. The second
/// value says what was assumed.
pub fn machine(
    named: Option<&str>,
    drive: Option<&Path>,
    landmark: Option<&Path>,
) -> Result<(Host, Option<String>), HostError> {
    let cache = Arc::default();
    match (named, landmark.and_then(Host::drive_of)) {
        (Some(name), _) => Ok((Host::named_on_drive(name, drive, cache)?, None)),
        (None, _) if cfg!(windows) && drive.is_none() => Ok((Host::live(cache)?, None)),
        (None, Some(drive)) => {
            let assumed = format!("the drive {} that it lies on was assumed", drive.display());
            Ok((Host::directory(&drive, cache)?, Some(assumed)))
        }
        (None, _) => {
            let assumed = "assumed, since no --host was given".to_owned();
            Ok((Host::named_on_drive("windows-11", drive, cache)?, Some(assumed)))
        }
    }
}

/// The interpreter that is meant in a folder of the system that we run on, or the folder of its environment, as that system names
/// it. None for a recorded machine, which knows its own.
pub fn meant_in(folder: Option<&Path>, host: Option<&str>, drive: Option<&Path>) -> Option<PathBuf> {
    let activated = session::activated();
    let (machine, _) = machine(host, drive, activated.as_deref().or(folder)).ok()?;
    if machine.kind.is_snapshot() {
        return None;
    }
    let search = Search::on(&machine)
        .in_folder(folder.map(|folder| machine.path_of(folder)))
        .with_activated(activated.map(|folder| machine.path_of(&folder)));
    let chosen = search.chosen().and_then(|chosen| machine.native_of(&chosen.path));
    chosen.or_else(session::python_on_path)
}
