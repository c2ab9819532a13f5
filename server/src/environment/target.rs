//! From what the user selected to an opened machine and the environment on it.
//!
//! The terminal, the editor, and the explanation of a traceback all come through
//! [`Target::open`], so that the same input means the same environment for each of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::discovery::{self, Search};
use super::{Environment, EnvironmentError};
use crate::host::{AnswerCache, Baseline, FactCache, Host, HostError, HostSpec, WinPath, session};

/// The interpreter and the machine to analyse, as far as the user selected them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Target {
    /// The interpreter.
    pub interpreter: InterpreterSpec,
    /// The machine; `None` for the one that the interpreter is on.
    pub host: Option<HostSpec>,
    /// A native directory that stands for `C:` of a baseline.
    pub drive: Option<PathBuf>,
    /// PATH of the process that will run Python, separated by semicolons.
    pub search_path: Option<String>,
}

/// The interpreter to use, or where to search for it. Only [`Target::open`] searches, because a
/// folder can be on a slow disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InterpreterSpec {
    /// The native path of an interpreter, or of the directory of an environment.
    Named(PathBuf),
    /// The interpreter that is selected for this native folder: the recorded one on a recorded
    /// machine, or else the one that [`Search::selected`] returns.
    Search(Option<PathBuf>),
}

impl Default for InterpreterSpec {
    fn default() -> InterpreterSpec {
        InterpreterSpec::Search(None)
    }
}

impl InterpreterSpec {
    /// Returns the path, if it was named.
    pub fn path(&self) -> Option<&Path> {
        match self {
            InterpreterSpec::Named(path) => Some(path),
            InterpreterSpec::Search(_) => None,
        }
    }

    /// Whether it was named.
    pub fn is_named(&self) -> bool {
        self.path().is_some()
    }

    /// Returns the folders in which a new environment would be found.
    pub fn candidate_folders(&self) -> Vec<PathBuf> {
        match self {
            InterpreterSpec::Search(Some(folder)) => {
                let own = discovery::USUAL.iter().map(|name| folder.join(name)).chain([folder.clone()]);
                own.chain(folder.ancestors().skip(1).map(|above| above.join(discovery::USUAL[0]))).collect()
            }
            InterpreterSpec::Named(_) | InterpreterSpec::Search(None) => Vec::new(),
        }
    }
}

/// What was assumed about the machine because the user didn't select one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assumption {
    /// It is the one whose system drive, this native directory, contains the interpreter or the
    /// folder.
    Drive(PathBuf),
    /// It is a clean Windows.
    Baseline(Baseline),
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Assumption::Drive(drive) => write!(f, "the drive {} was assumed", drive.display()),
            Assumption::Baseline(_) => f.write_str("assumed because no host was given"),
        }
    }
}

/// Why a target can't be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The machine can't be opened.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No interpreter was named, and none was found.
    #[error("no Python interpreter found")]
    NoInterpreter,
    /// The interpreter has no environment that can be described.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// The opened machine of a target, with the interpreter on it.
pub struct TargetMachine {
    /// The machine.
    pub host: Host,
    /// What was assumed about it.
    pub assumed: Option<Assumption>,
    /// The native path of the interpreter or its environment, as it was named or found. `None` if
    /// there is none, or if the machine recorded it.
    pub python: Option<PathBuf>,
    /// The same on the machine, or the recorded one.
    pub interpreter: Option<WinPath>,
    /// The answer cache of the environment; `None` if it has none.
    pub answers: Option<AnswerCache>,
    /// The facts that are read from the machine's files.
    pub facts: Arc<FactCache>,
}

/// The opened machine and environment of a target.
pub struct OpenTarget {
    /// The machine.
    pub host: Host,
    /// The environment on it.
    pub environment: Environment,
    /// What was assumed about the machine.
    pub assumed: Option<Assumption>,
    /// The answer cache of the environment; `None` if it has none.
    pub answers: Option<AnswerCache>,
    facts: Arc<FactCache>,
}

impl Target {
    /// Opens the machine and the environment.
    ///
    /// # Errors
    /// The reason why the machine or the environment can't be used.
    pub fn open(&self) -> Result<OpenTarget, TargetError> {
        self.open_through(|host| host)
    }

    /// Like [`Target::open`], but reads the environment through the host that `wrap` returns.
    ///
    /// # Errors
    /// As for [`Target::open`].
    pub fn open_through(&self, wrap: impl FnOnce(Host) -> Host) -> Result<OpenTarget, TargetError> {
        let facts = |answers: &AnswerCache| Arc::new(FactCache::open(&answers.facts_file()));
        let machine = self.machine(facts)?;
        let host = wrap(machine.host.clone());
        let environment = machine.environment(&host)?;
        let TargetMachine { assumed, answers, facts, .. } = machine;
        Ok(OpenTarget { host, environment, assumed, answers, facts })
    }

    /// Opens the machine and finds the interpreter on it. `facts` returns the cached facts of an
    /// environment.
    ///
    /// # Errors
    /// The reason why the machine can't be opened.
    pub fn machine(
        &self,
        facts: impl FnOnce(&AnswerCache) -> Arc<FactCache>,
    ) -> Result<TargetMachine, HostError> {
        let searched = match &self.interpreter {
            InterpreterSpec::Named(_) => None,
            InterpreterSpec::Search(_) => Some(self.host()?),
        };
        let python = match &searched {
            None => self.interpreter.path().map(Path::to_owned),
            Some((host, _)) if host.kind.is_snapshot() => None,
            Some((host, _)) => {
                let selected = self.search(host).selected();
                let native = selected.and_then(|selected| host.native_of(&selected.path));
                native.or_else(session::python_on_path)
            }
        };
        let answers = python.as_deref().and_then(AnswerCache::of);
        let facts = answers.as_ref().map_or_else(Arc::default, facts);
        let (host, assumed) = match (searched, &python) {
            // The program decides which clean Windows it runs on.
            (None | Some((_, Some(Assumption::Baseline(_)))), Some(python)) => {
                self.host_of(Some(python), facts.clone())?
            }
            (Some((host, assumed)), _) => (host.with_cache(facts.clone()).unwrap_or(host), assumed),
            (None, None) => self.host()?,
        };
        let interpreter = match &python {
            Some(python) => Some(host.path_of(python)),
            None => host.recorded_interpreter.clone(),
        };
        Ok(TargetMachine { host, assumed, python, interpreter, answers, facts })
    }

    /// Opens the machine on which the interpreter is searched: the selected one, or else that of
    /// the activated environment or of the folder.
    ///
    /// # Errors
    /// The reason why it can't be opened.
    pub fn host(&self) -> Result<(Host, Option<Assumption>), HostError> {
        let landmark = match &self.interpreter {
            InterpreterSpec::Named(python) => Some(python.clone()),
            InterpreterSpec::Search(folder) => session::activated().or_else(|| folder.clone()),
        };
        self.host_of(landmark.as_deref(), Arc::default())
    }

    /// Returns the search for interpreters on `host`. The folder and the activated environment of
    /// this system say nothing about a recorded machine.
    pub fn search<'h>(&self, host: &'h Host) -> Search<'h> {
        let search = Search::on(host);
        if host.kind.is_snapshot() {
            return search;
        }
        let folder = match &self.interpreter {
            InterpreterSpec::Search(Some(folder)) => Some(host.path_of(folder)),
            InterpreterSpec::Search(None) | InterpreterSpec::Named(_) => None,
        };
        search.in_folder(folder).with_activated(session::activated().map(|folder| host.path_of(&folder)))
    }

    /// Opens the selected machine, or else the one that `landmark` is on: this Windows, the drive
    /// that contains it, or a clean Windows.
    fn host_of(
        &self,
        landmark: Option<&Path>,
        facts: Arc<FactCache>,
    ) -> Result<(Host, Option<Assumption>), HostError> {
        let drive = self.drive.as_deref();
        let (host, assumed) = match (&self.host, landmark.and_then(Host::drive_of)) {
            (Some(spec), _) => (spec.open(drive, facts)?, None),
            (None, _) if cfg!(windows) && drive.is_none() => (Host::live(facts)?, None),
            (None, Some(around)) => (Host::directory(&around, facts)?, Some(Assumption::Drive(around))),
            (None, None) => {
                let baseline = landmark.map_or(Baseline::DEFAULT, Host::baseline_for);
                (Host::baseline(baseline, drive, facts), Some(Assumption::Baseline(baseline)))
            }
        };
        let host = match &self.search_path {
            Some(path) => host.with_variable("PATH", path),
            None => host,
        };
        Ok((host, assumed))
    }
}

impl TargetMachine {
    /// Describes the environment of the interpreter, which is read through `host`.
    ///
    /// # Errors
    /// The reason why there is no such environment.
    pub fn environment(&self, host: &Host) -> Result<Environment, TargetError> {
        let interpreter = self.interpreter.as_ref().ok_or(TargetError::NoInterpreter)?;
        Ok(Environment::on(interpreter, host)?)
    }

    /// Stores the facts that were read, like [`OpenTarget::store_facts`].
    pub fn store_facts(&self) {
        store(&self.facts, self.answers.as_ref());
    }
}

impl OpenTarget {
    /// Returns the target for a recorded machine and its environment.
    pub fn of_recorded(host: Host, environment: Environment) -> OpenTarget {
        OpenTarget { host, environment, assumed: None, answers: None, facts: Arc::default() }
    }

    /// Stores the facts that were read for the next run. A cache that can't be written only costs
    /// time.
    pub fn store_facts(&self) {
        store(&self.facts, self.answers.as_ref());
    }
}

fn store(facts: &FactCache, answers: Option<&AnswerCache>) {
    if let Some(answers) = answers {
        // Facts that can't be stored are read again.
        let _ = facts.store(&answers.facts_file());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_environment_in_the_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".venv")).unwrap();
        fs::create_dir_all(folder.path().join("venv/Scripts")).unwrap();
        fs::write(folder.path().join("venv/Scripts/python.exe"), "").unwrap();
        let interpreter = InterpreterSpec::Search(Some(folder.path().to_owned()));
        let target = Target { interpreter, ..Target::default() };
        let found = || target.machine(|_| Arc::default()).unwrap().python;
        assert_eq!(found(), Some(folder.path().join("venv")));
        fs::write(folder.path().join(".venv/pyvenv.cfg"), "").unwrap();
        assert_eq!(found(), Some(folder.path().join(".venv")));
    }
}
