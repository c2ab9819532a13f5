//! The slow part: finds the environment and diagnoses imports in it. Runs on a thread of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::interpreter::Choice;
use crate::diagnosis::{self, Diagnosis, Import, Severity};
use crate::environment::{Environment, EnvironmentError};
use crate::host::{Answers, FactCache, Host, HostError, HostKind, WinPath};

/// An interpreter on a machine: what has one answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Which interpreter.
    pub interpreter: Choice,
    /// The machine, as `--host` names it; none for the one that the interpreter lies on.
    pub host: Option<String>,
    /// PATH of that machine.
    pub search_path: Option<String>,
}

/// Something to find out.
pub struct Analysis {
    /// Where.
    pub target: Target,
    /// What is asked about, packages before what is in them.
    pub imports: Vec<Import>,
    /// What was read for the analysis before.
    pub facts: Arc<FactCache>,
    /// What earlier runs found out is not believed, even if nothing seems to have changed since.
    pub afresh: bool,
}

/// What was found out.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The environment, or why there is none to look at.
    pub environment: Result<Examined, NotExamined>,
    /// By import.
    pub diagnoses: BTreeMap<Import, Arc<Diagnosis>>,
}

/// An environment that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Full path of its `python.exe`.
    pub interpreter: String,
    /// `3.8.10`
    pub version: String,
    /// `venv`
    pub kind: String,
    /// The machine, for people.
    pub machine: String,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotExamined {
    /// In a sentence.
    pub reason: String,
    /// What was taken for the interpreter.
    pub interpreter: Option<String>,
}

impl Analysis {
    /// Finds it out. Needs [`crate::source::STACK`] bytes of stack.
    pub fn run(&self) -> Answer {
        let python = self.target.interpreter.find();
        match self.examine(python.as_deref()) {
            Ok(answer) => answer,
            Err(reason) => Answer::unknown(reason, python.map(|path| path.display().to_string())),
        }
    }

    fn examine(&self, python: Option<&Path>) -> Result<Answer, String> {
        let (host, name) = self.host(python).map_err(|error| error.to_string())?;
        let answers =
            python.and_then(Answers::of).map(|known| if self.afresh { known.afresh() } else { known });
        let named = matches!(self.target.interpreter, Choice::Named(_));
        let recorded = host.recorded_interpreter.clone().filter(|_| !named);
        let python = recorded.or_else(|| python.map(|python| path_on(&host, python)));
        let python = python.ok_or(
            "there is no Python interpreter: choose one, or name it in the setting whydll.interpreter",
        )?;
        let environment = Environment::at(&python, &*host.files).map_err(|error| match error {
            // What PATH leads to on another system may be a script that starts a Python.
            EnvironmentError::NotAnInterpreter { path } if !named && !cfg!(windows) => {
                format!("{path} is a Python for Linux or macOS: nothing in it is for Windows to load")
            }
            error => error.to_string(),
        })?;
        let mut answer = Answer {
            environment: Ok(Examined {
                interpreter: environment.interpreter.to_string(),
                version: environment.version.to_string(),
                kind: environment.kind.to_string(),
                machine: match &host.windows_version {
                    Some(version) => format!("{name} (Windows {version})"),
                    None => name,
                },
            }),
            diagnoses: BTreeMap::new(),
        };
        for import in &self.imports {
            if answer.diagnosis(import).is_none() {
                let import_alone = std::slice::from_ref(import);
                let diagnosis =
                    diagnosis::diagnose_or_recall(&host, &environment, import_alone, answers.as_ref());
                answer.diagnoses.insert(import.clone(), Arc::new(diagnosis));
            }
        }
        Ok(answer)
    }

    /// The machine, and its name for people.
    fn host(&self, python: Option<&Path>) -> Result<(Host, String), HostError> {
        let facts = self.facts.clone();
        let (host, name) = match (&self.target.host, python.and_then(Host::drive_of)) {
            (Some(name), _) => (Host::named(name, facts)?, name.clone()),
            (None, Some(drive)) => (Host::directory(&drive, facts)?, drive.display().to_string()),
            (None, None) => (Host::named("windows-11", facts)?, "windows-11, assumed".to_owned()),
        };
        // This process got its PATH from the editor, and so will a Python that is started there.
        let own = || {
            let here = cfg!(windows) && self.target.host.is_none();
            here.then(|| std::env::var("PATH").ok()).flatten()
        };
        Ok(match self.target.search_path.clone().or_else(own) {
            Some(path) if host.kind != HostKind::Snapshot || self.target.search_path.is_some() => {
                (host.with_variable("PATH", &path), name)
            }
            _ => (host, name),
        })
    }
}

/// A path of this system, or one that only the analysed machine can understand.
fn path_on(host: &Host, path: &Path) -> WinPath {
    let foreign = WinPath::from_native(path);
    if foreign.is_absolute() && !path.is_absolute() { foreign } else { host.path_of(path) }
}

impl Answer {
    /// Nothing can be said.
    pub fn unknown(reason: impl Into<String>, interpreter: Option<String>) -> Answer {
        let reason = NotExamined { reason: reason.into(), interpreter };
        Answer { environment: Err(reason), diagnoses: BTreeMap::new() }
    }

    /// The analysis itself failed.
    pub fn failed() -> Answer {
        Answer::unknown("the analysis failed in a way that it should not; please report it", None)
    }

    /// What is known of an import. Where a package fails, all that is in it fails with it.
    pub fn diagnosis(&self, import: &Import) -> Option<&Arc<Diagnosis>> {
        let fails = |diagnosis: &&Arc<Diagnosis>| {
            diagnosis.findings.iter().any(|finding| finding.severity == Severity::Error)
        };
        let packages = import.name.match_indices('.').filter_map(|(at, _)| import.name.get(..at));
        let package = |name: &str| Import { name: name.to_owned(), before: import.before.clone() };
        let failing = packages.filter_map(|name| self.diagnoses.get(&package(name))).find(fails);
        failing.or_else(|| self.diagnoses.get(import))
    }

    /// Whether nothing is left to find out about an import.
    pub fn covers(&self, import: &Import) -> bool {
        self.environment.is_err() || self.diagnosis(import).is_some()
    }
}

/// For people.
pub fn names<'i>(imports: impl IntoIterator<Item = &'i Import>) -> String {
    imports.into_iter().map(|import| import.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl std::fmt::Debug for Analysis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}", names(&self.imports), self.target)
    }
}
