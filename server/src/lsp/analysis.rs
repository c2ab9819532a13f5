//! The slow part: finds the environment and diagnoses imports in it. Runs on a thread of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::interpreter::Choice;
use crate::diagnosis::{Diagnoses, Diagnosis, Import, Known};
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
    /// What is asked about. Documents are named as this system names them.
    pub imports: Vec<Import>,
    /// What the analysis before found out, if it still holds.
    pub known: Known,
    /// What was read for the analysis before.
    pub facts: Arc<FactCache>,
    /// What earlier runs found out is not believed, even if nothing seems to have changed since.
    pub afresh: bool,
}

/// What was found out.
#[derive(Clone)]
pub struct Answer {
    /// The environment, or why there is none to look at.
    pub environment: Result<Examined, NotExamined>,
    /// By import.
    pub diagnoses: BTreeMap<Import, Arc<Diagnosis>>,
    /// For the next analysis.
    pub known: Known,
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
        let python = self.target.interpreter.find(self.target.host.as_deref());
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
        let environment = Environment::on(&python, &host).map_err(|error| match error {
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
            known: Known::default(),
        };
        let mut diagnoses = Diagnoses::new(&host, &environment, answers.as_ref()).knowing(self.known.clone());
        for imports in self.by_program() {
            let on_host = |import: &&Import| {
                let document = import.document.as_ref();
                let document = document.map(|path| host.path_of(Path::new(path.as_str())));
                Import { document, ..(*import).clone() }
            };
            let known = diagnoses.of_document(&imports.iter().map(on_host).collect::<Vec<Import>>());
            let known = imports.into_iter().cloned().zip(known.into_iter().map(Arc::new));
            answer.diagnoses.extend(known);
        }
        answer.known = diagnoses.into_known();
        Ok(answer)
    }

    /// The imports of each document together, and each by itself that begins a program.
    fn by_program(&self) -> Vec<Vec<&Import>> {
        let mut programs: BTreeMap<(Option<&WinPath>, Option<&Import>), Vec<&Import>> = BTreeMap::new();
        for import in &self.imports {
            let alone = import.document.is_none() && import.before.is_empty();
            programs.entry((import.document.as_ref(), alone.then_some(import))).or_default().push(import);
        }
        programs.into_values().collect()
    }

    /// The machine, and its name for people.
    fn host(&self, python: Option<&Path>) -> Result<(Host, String), HostError> {
        let facts = self.facts.clone();
        let (host, name) = match (&self.target.host, python.and_then(Host::drive_of)) {
            (Some(name), _) => (Host::named(name, facts)?, name.clone()),
            (None, Some(drive)) => {
                (Host::directory(&drive, facts)?.in_this_session(), drive.display().to_string())
            }
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
        Answer { environment: Err(reason), diagnoses: BTreeMap::new(), known: Known::default() }
    }

    /// The analysis itself failed.
    pub fn failed() -> Answer {
        Answer::unknown("the analysis failed in a way that it should not; please report it", None)
    }

    /// What is known of an import.
    pub fn diagnosis(&self, import: &Import) -> Option<&Arc<Diagnosis>> {
        self.diagnoses.get(import)
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
