//! The slow part: finds the environment and diagnoses imports in it. Runs on a thread of its own.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::interpreter::Choice;
use crate::diagnosis::{Diagnoses, Diagnosis, Import, Known};
use crate::environment::{Environment, EnvironmentError};
use crate::host::{Answers, FactCache, Host, HostError, HostKind, Stop, Watched, WinPath, Witness};

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
    /// What was read for the analyses before.
    pub facts: Arc<Facts>,
    /// What earlier runs found out is not believed, even if nothing seems to have changed since.
    pub afresh: bool,
    /// Said when nobody waits for the answer any more.
    pub stop: Stop,
}

/// What files said, by the file where it is kept from run to run. Whoever diagnoses anew after a change reads little else than
/// what changed.
#[derive(Default)]
pub struct Facts(Mutex<HashMap<PathBuf, Arc<FactCache>>>);

impl Facts {
    fn of(&self, answers: Option<&Answers>) -> Arc<FactCache> {
        let Some(answers) = answers else { return Arc::default() };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = answers.facts_file();
        kept.entry(file).or_insert_with_key(|file| Arc::new(FactCache::open(file))).clone()
    }
}

/// What was found out.
pub struct Answer {
    /// The environment, or why there is none to look at.
    pub environment: Result<Examined, NotExamined>,
    /// By import.
    pub diagnoses: BTreeMap<Import, Arc<Diagnosis>>,
    /// For the next analysis.
    pub known: Known,
    /// What was read; none if it lies on no disk.
    pub watched: Option<Watched>,
}

/// An environment that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Full path of its `python.exe`.
    pub interpreter: String,
    /// `3.8.10`, `3.14.2 free-threaded`
    pub version: String,
    /// `venv`
    pub kind: String,
    /// The machine, for people.
    pub machine: String,
}

/// A target that can be asked.
pub struct Opened {
    /// The machine.
    pub host: Host,
    /// The environment on it.
    pub environment: Environment,
    /// What was assumed of the machine without being told.
    pub assumed: Option<String>,
    /// What earlier runs found out there; none if nothing is kept.
    pub answers: Option<Answers>,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotExamined {
    /// In a sentence.
    pub reason: String,
    /// Which kind of reason it is.
    pub absence: Absence,
    /// What was taken for the interpreter.
    pub interpreter: Option<String>,
}

/// Why there is no environment to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The Python is one for Linux or macOS, or there is none on such a system: no DLL of Windows is involved.
    NotForWindows,
    /// No interpreter was chosen, and none was found.
    NoInterpreter,
    /// The interpreter that was chosen is not there any more.
    Gone,
    /// Something else.
    Other,
}

/// There is no environment to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// In a sentence.
    pub reason: String,
    /// Which kind of reason it is.
    pub absence: Absence,
}

impl Unavailable {
    fn other(reason: impl Into<String>) -> Unavailable {
        Unavailable { reason: reason.into(), absence: Absence::Other }
    }
}

impl Analysis {
    /// Finds it out. Needs [`crate::source::STACK`] bytes of stack. Unwinds with [`Stopped`](crate::host::Stopped) when it is
    /// told to stop.
    pub fn run(&self) -> Answer {
        let python = self.target.interpreter.find(self.target.host.as_deref());
        let unknown =
            |reason| Answer::unknown(reason, python.as_ref().map(|path| path.display().to_string()));
        let answers = python.as_deref().and_then(Answers::of);
        let facts = if self.afresh { Arc::default() } else { self.facts.of(answers.as_ref()) };
        let (host, name) = match self.target.machine(python.as_deref(), facts.clone()) {
            Ok(host) => host,
            Err(error) => {
                return Answer {
                    watched: self.absent_host(),
                    ..unknown(Unavailable::other(error.to_string()))
                };
            }
        };
        let (witnessed, witness) = Witness::until(self.stop.clone(), &host);
        // Where an environment may appear.
        for folder in self.target.interpreter.sought_in() {
            let _ = witnessed.files.folder(&host.path_of(&folder));
        }
        let (mut answer, roots) = match self.examine(python.as_deref(), &witnessed, name, answers.as_ref()) {
            Ok(examined) => examined,
            Err(reason) => (unknown(reason), Vec::new()),
        };
        let is_ill = answer.diagnoses.values().any(|known| !known.findings.is_empty());
        answer.watched = Watched::new(&host, &witness.reading(), roots, is_ill);
        if let Some(answers) = &answers {
            // Whoever cannot keep it has to read it again.
            let _ = facts.store(&answers.facts_file());
        }
        answer
    }

    /// Tries the fixes of what was found. Needs as much stack as [`Analysis::run`], and unwinds as that does.
    pub fn prove(&self) -> BTreeMap<Import, Arc<Diagnosis>> {
        let proven = self.again(|host, environment, answers| {
            let mut proven = BTreeMap::new();
            let mut diagnoses = Diagnoses::new(host, environment, answers).knowing(self.known.clone());
            for imports in self.by_program() {
                let on_host: Vec<Import> = imports.iter().map(|import| import_on(host, import)).collect();
                let known = diagnoses.proven(&on_host).into_iter().map(Arc::new);
                proven.extend(imports.into_iter().cloned().zip(known));
            }
            proven
        });
        proven.unwrap_or_default()
    }

    /// Reads what lies behind the failures of the imports, as if they were mended: whoever mends them waits less then. It is kept
    /// where the next analysis finds it. Needs as much stack as [`Analysis::run`], and unwinds as that does.
    pub fn read_behind(&self) {
        self.again(|host, environment, answers| {
            // A snapshot is never repaired, and without a file for answers nothing is kept.
            if host.kind.is_snapshot() || answers.is_none() {
                return;
            }
            let diagnoses = Diagnoses::new(host, environment, None);
            for imports in self.by_program() {
                let imports: Vec<Import> =
                    imports.into_iter().map(|import| import_on(host, import)).collect();
                diagnoses.read_behind(&imports);
            }
        });
    }

    /// Opens the machine and the environment once more, for work whose reading decides nothing of what is watched. None if they are
    /// not there any more.
    fn again<T>(&self, work: impl FnOnce(&Host, &Environment, Option<&Answers>) -> T) -> Option<T> {
        let python = self.target.interpreter.find(self.target.host.as_deref());
        let answers = python.as_deref().and_then(Answers::of);
        let facts = self.facts.of(answers.as_ref());
        let (host, _) = self.target.machine(python.as_deref(), facts.clone()).ok()?;
        let (host, _) = Witness::until(self.stop.clone(), &host);
        let (_, environment) = self.target.environment(python.as_deref(), &host).ok()?;
        let done = work(&host, &environment, answers.as_ref());
        if let Some(answers) = &answers {
            // Whoever cannot keep it has to read it again.
            let _ = facts.store(&answers.facts_file());
        }
        Some(done)
    }

    /// The answer, and the folders that the environment is in.
    fn examine(
        &self,
        python: Option<&Path>,
        host: &Host,
        name: String,
        answers: Option<&Answers>,
    ) -> Result<(Answer, Vec<WinPath>), Unavailable> {
        let answers = answers.cloned().map(|known| if self.afresh { known.afresh() } else { known });
        let (python, environment) = self.target.environment(python, host)?;
        let mut answer = Answer {
            environment: Ok(Examined {
                interpreter: environment.selected.to_string(),
                version: environment.full_version(),
                kind: environment.kind.to_string(),
                machine: match &host.windows_version {
                    Some(version) => format!("{name} (Windows {version})"),
                    None => name,
                },
            }),
            diagnoses: BTreeMap::new(),
            known: Known::default(),
            watched: None,
        };
        let mut diagnoses = Diagnoses::new(host, &environment, answers.as_ref()).knowing(self.known.clone());
        for imports in self.by_program() {
            let on_host: Vec<Import> = imports.iter().map(|import| import_on(host, import)).collect();
            let known = diagnoses.of_document(&on_host);
            let known = imports.into_iter().cloned().zip(known.into_iter().map(Arc::new));
            answer.diagnoses.extend(known);
        }
        answer.known = diagnoses.into_known();
        // What was found in an environment that is being removed says nothing.
        if let Some(today) = host.afresh() {
            Environment::at(&python, &*today.files).map_err(|error| self.target.not_there(error))?;
        }
        let mut roots: Vec<WinPath> = Vec::new();
        let folders =
            [environment.prefix, environment.base_prefix].into_iter().chain(environment.site_packages);
        for folder in folders {
            if !roots.iter().any(|root| folder.is_within(root)) {
                roots.push(folder);
            }
        }
        Ok((answer, roots))
    }

    /// The folder that should hold the machine, so that it is noticed when it is there.
    fn absent_host(&self) -> Option<Watched> {
        let here = Host::named("windows-11", Arc::default()).ok()?;
        let (witnessed, witness) = Witness::over(&here);
        let _ = witnessed.files.folder(&here.path_of(Path::new(self.target.host.as_ref()?)));
        Watched::new(&here, &witness.reading(), Vec::new(), false)
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
}

impl Target {
    /// The machine, and its name for people.
    pub fn machine(&self, python: Option<&Path>, facts: Arc<FactCache>) -> Result<(Host, String), HostError> {
        let (host, name) = match (&self.host, python.and_then(Host::drive_of)) {
            (Some(name), _) => (Host::named(name, facts)?, name.clone()),
            (None, _) if cfg!(windows) => (Host::live(facts)?, HostKind::Live.to_string()),
            (None, Some(drive)) => (Host::directory(&drive, facts)?, drive.display().to_string()),
            (None, None) => {
                let name = python.map_or("windows-11", Host::assumed_for);
                (Host::named(name, facts)?, format!("{name}, assumed"))
            }
        };
        Ok(match &self.search_path {
            Some(path) => (host.with_variable("PATH", path), name),
            None => (host, name),
        })
    }

    /// The interpreter on that machine, and its environment.
    fn environment(&self, python: Option<&Path>, host: &Host) -> Result<(WinPath, Environment), Unavailable> {
        let named = matches!(self.interpreter, Choice::Named(_));
        let recorded = host.recorded_interpreter.clone().filter(|_| !named);
        let python = recorded.or_else(|| python.map(|python| host.path_of(python)));
        let python = python.ok_or_else(|| Unavailable {
            reason:
                "there is no Python interpreter: choose one, or name it in the setting whydll.interpreter"
                    .to_owned(),
            absence: if cfg!(windows) { Absence::NoInterpreter } else { Absence::NotForWindows },
        })?;
        let environment = Environment::on(&python, host).map_err(|error| self.not_there(error))?;
        Ok((python, environment))
    }

    fn not_there(&self, error: EnvironmentError) -> Unavailable {
        let named = matches!(self.interpreter, Choice::Named(_));
        match error {
            // What PATH leads to on another system may be a script that starts a Python.
            EnvironmentError::NotAnInterpreter { path }
                if !cfg!(windows) && (!named || is_of_unix(&path)) =>
            {
                Unavailable {
                    reason: format!(
                        "{path} is a Python for Linux or macOS: nothing in it is for Windows to load"
                    ),
                    absence: Absence::NotForWindows,
                }
            }
            error @ EnvironmentError::Linux { .. } => {
                Unavailable { reason: error.to_string(), absence: Absence::NotForWindows }
            }
            EnvironmentError::NoSuchPath { path } => Unavailable {
                reason: format!("the selected Python no longer exists: {path}"),
                absence: Absence::Gone,
            },
            EnvironmentError::NotAnEnvironment { folder } if named => Unavailable {
                reason: format!(
                    "the selected Python no longer exists: neither python.exe nor Scripts\\python.exe is in {folder}"
                ),
                absence: Absence::Gone,
            },
            error => Unavailable::other(error.to_string()),
        }
    }

    /// The machine and the environment, for questions that no diagnosis answers.
    /// The environment is read through what `wrap` makes of the machine.
    pub fn open(&self, wrap: impl FnOnce(Host) -> Host) -> Result<Opened, Unavailable> {
        let python = self.interpreter.find(self.host.as_deref());
        let answers = python.as_deref().and_then(Answers::of);
        let facts = Facts::default().of(answers.as_ref());
        let machine = self.machine(python.as_deref(), facts);
        let (host, name) = machine.map_err(|error| Unavailable::other(error.to_string()))?;
        let host = wrap(host);
        let (_, environment) = self.environment(python.as_deref(), &host)?;
        let assumed = name.strip_prefix("windows-11, ").map(str::to_owned);
        Ok(Opened { host, environment, assumed, answers })
    }
}

/// An import whose document is named as the analysed machine names it.
fn import_on(host: &Host, import: &Import) -> Import {
    let document = import.document.as_ref().map(|path| host.path_of(Path::new(path.as_str())));
    Import { document, ..import.clone() }
}

impl Answer {
    /// Nothing can be said.
    pub fn unknown(why: Unavailable, interpreter: Option<String>) -> Answer {
        let Unavailable { reason, absence } = why;
        let reason = NotExamined { reason, absence, interpreter };
        let (diagnoses, known) = Default::default();
        Answer { environment: Err(reason), diagnoses, known, watched: None }
    }

    /// The analysis itself failed.
    pub fn failed() -> Answer {
        let reason = "the analysis failed in a way that it should not; please report it";
        Answer::unknown(Unavailable::other(reason), None)
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

/// Whether a path is that of a program for Linux or macOS: absolute there, and without Windows' `.exe`.
fn is_of_unix(path: &WinPath) -> bool {
    !path.has_extension("exe") && path.as_str().starts_with('/')
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
