//! The slow part: opens the environment and diagnoses imports in it, on a thread of its own.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::interpreter::Choice;
use crate::diagnosis::{Diagnosis, DiagnosisCache, DiagnosisMemo, Import};
use crate::environment::{Environment, EnvironmentError};
use crate::host::{
    AnswerCache, CancellationToken, FactCache, Host, HostError, HostKind, ReadTracker, Watched, WinPath,
};

/// An interpreter on a machine, the key of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The interpreter.
    pub interpreter: Choice,
    /// The machine, as a value of `--host`; `None` for the machine that the interpreter is on.
    pub host: Option<String>,
    /// PATH of that machine.
    pub search_path: Option<String>,
}

/// A request to diagnose imports in an environment.
pub struct Analysis {
    /// The environment.
    pub target: Target,
    /// The imports to diagnose. Their documents have native paths.
    pub imports: Vec<Import>,
    /// The results of the previous analysis that still hold.
    pub memo: DiagnosisMemo,
    /// The facts that previous analyses read.
    pub facts: Arc<FactCaches>,
    /// Whether the caches of earlier runs are ignored, even if nothing seems to have changed.
    pub ignore_cache: bool,
    /// Cancels the analysis when its answer is no longer needed.
    pub stop: CancellationToken,
}

/// The facts read from files, by the path of the file that stores them between runs. After a
/// change, an analysis reads little more than what changed.
#[derive(Default)]
pub struct FactCaches(Mutex<HashMap<PathBuf, Arc<FactCache>>>);

impl FactCaches {
    fn of(&self, answers: Option<&AnswerCache>) -> Arc<FactCache> {
        let Some(answers) = answers else { return Arc::default() };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = answers.facts_file();
        kept.entry(file).or_insert_with_key(|file| Arc::new(FactCache::open(file))).clone()
    }
}

/// The result of an [`Analysis`].
pub struct Answer {
    /// The environment, or why it can't be examined.
    pub environment: Result<Examined, NotExamined>,
    /// The diagnosis of each import.
    pub diagnoses: BTreeMap<Import, Arc<Diagnosis>>,
    /// The results that the next analysis can reuse.
    pub memo: DiagnosisMemo,
    /// The files and folders that were read; `None` if they aren't on a disk.
    pub watched: Option<Watched>,
}

/// The facts about an environment that was examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Full path of its `python.exe`.
    pub interpreter: String,
    /// `3.8.10`, `3.14.2 free-threaded`
    pub version: String,
    /// `venv`
    pub kind: String,
    /// The machine, human-readable.
    pub machine: String,
}

/// The opened machine and environment of a [`Target`].
pub struct OpenTarget {
    /// The machine.
    pub host: Host,
    /// The environment on it.
    pub environment: Environment,
    /// What was assumed about the machine because no setting specified it, human-readable.
    pub assumed: Option<String>,
    /// The answer cache of the environment; `None` if it has none.
    pub answers: Option<AnswerCache>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotExamined {
    /// The reason, in one sentence.
    pub reason: String,
    /// The kind of reason.
    pub absence: Absence,
    /// The path that was tried as the interpreter.
    pub interpreter: Option<String>,
}

/// Why there is no environment to examine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The Python is for Linux or macOS, or there is none on such a system: no Windows DLLs are
    /// involved.
    NotForWindows,
    /// No interpreter was selected, and none was found.
    NoInterpreter,
    /// The selected interpreter no longer exists.
    Gone,
    /// Another reason.
    Other,
}

/// The error if a [`Target`] can't be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// The reason, in one sentence.
    pub reason: String,
    /// The kind of reason.
    pub absence: Absence,
}

impl Unavailable {
    fn other(reason: impl Into<String>) -> Unavailable {
        Unavailable { reason: reason.into(), absence: Absence::Other }
    }
}

impl Analysis {
    /// Diagnoses the imports. Needs [`crate::source::STACK`] bytes of stack. Unwinds with
    /// [`Cancelled`](crate::host::Cancelled) when it is cancelled.
    pub fn run(&self) -> Answer {
        let python = self.target.interpreter.find(self.target.host.as_deref());
        let unknown =
            |reason| Answer::unknown(reason, python.as_ref().map(|path| path.display().to_string()));
        let answers = python.as_deref().and_then(AnswerCache::of);
        let facts = if self.ignore_cache { Arc::default() } else { self.facts.of(answers.as_ref()) };
        let (host, name) = match self.target.machine(python.as_deref(), facts.clone()) {
            Ok(host) => host,
            Err(error) => {
                return Answer {
                    watched: self.absent_host(),
                    ..unknown(Unavailable::other(error.to_string()))
                };
            }
        };
        let (witnessed, tracker) = ReadTracker::until(self.stop.clone(), &host);
        // Record the folders in which an environment may appear.
        for folder in self.target.interpreter.candidate_folders() {
            let _ = witnessed.files.folder(&host.path_of(&folder));
        }
        let (mut answer, roots) = match self.examine(python.as_deref(), &witnessed, name, answers.as_ref()) {
            Ok(examined) => examined,
            Err(reason) => (unknown(reason), Vec::new()),
        };
        let has_findings = answer.diagnoses.values().any(|known| !known.findings.is_empty());
        answer.watched = Watched::new(&host, &tracker.read_set(), roots, has_findings);
        if let Some(answers) = &answers {
            // If the facts can't be stored, they are read again.
            let _ = facts.store(&answers.facts_file());
        }
        answer
    }

    /// Tries the fixes of the findings. Needs as much stack as [`Analysis::run`], and unwinds in
    /// the same way.
    pub fn prove(&self) -> BTreeMap<Import, Arc<Diagnosis>> {
        let proven = self.again(|host, environment, answers| {
            let mut proven = BTreeMap::new();
            let mut diagnoses = DiagnosisCache::new(host, environment, answers).with_memo(self.memo.clone());
            for imports in self.by_program() {
                let on_host: Vec<Import> = imports.iter().map(|import| import_on(host, import)).collect();
                let known = diagnoses.diagnose_and_prove(&on_host).into_iter().map(Arc::new);
                proven.extend(imports.into_iter().cloned().zip(known));
            }
            proven
        });
        proven.unwrap_or_default()
    }

    /// Follows the imports past their failures, as if these were fixed, so that the analysis after
    /// a fix is faster: it finds the facts in the cache. Needs as much stack as
    /// [`Analysis::run`], and unwinds in the same way.
    pub fn prefetch_after_failure(&self) {
        self.again(|host, environment, answers| {
            // A snapshot never gets fixed, and without an answer cache nothing is stored.
            if host.kind.is_snapshot() || answers.is_none() {
                return;
            }
            let diagnoses = DiagnosisCache::new(host, environment, None);
            for imports in self.by_program() {
                let imports: Vec<Import> =
                    imports.into_iter().map(|import| import_on(host, import)).collect();
                diagnoses.prefetch_after_failure(&imports);
            }
        });
    }

    /// Opens the machine and the environment once more, for work whose reads don't affect what is
    /// watched. Returns `None` if they no longer exist.
    fn again<T>(&self, work: impl FnOnce(&Host, &Environment, Option<&AnswerCache>) -> T) -> Option<T> {
        let python = self.target.interpreter.find(self.target.host.as_deref());
        let answers = python.as_deref().and_then(AnswerCache::of);
        let facts = self.facts.of(answers.as_ref());
        let (host, _) = self.target.machine(python.as_deref(), facts.clone()).ok()?;
        let (host, _) = ReadTracker::until(self.stop.clone(), &host);
        let (_, environment) = self.target.environment(python.as_deref(), &host).ok()?;
        let done = work(&host, &environment, answers.as_ref());
        if let Some(answers) = &answers {
            // If the facts can't be stored, they are read again.
            let _ = facts.store(&answers.facts_file());
        }
        Some(done)
    }

    /// Returns the answer, and the folders that the environment is in.
    fn examine(
        &self,
        python: Option<&Path>,
        host: &Host,
        name: String,
        answers: Option<&AnswerCache>,
    ) -> Result<(Answer, Vec<WinPath>), Unavailable> {
        let answers =
            answers.cloned().map(|known| if self.ignore_cache { known.ignoring_stored() } else { known });
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
            memo: DiagnosisMemo::default(),
            watched: None,
        };
        let mut diagnoses =
            DiagnosisCache::new(host, &environment, answers.as_ref()).with_memo(self.memo.clone());
        for imports in self.by_program() {
            let on_host: Vec<Import> = imports.iter().map(|import| import_on(host, import)).collect();
            let known = diagnoses.diagnose_document(&on_host);
            let known = imports.into_iter().cloned().zip(known.into_iter().map(Arc::new));
            answer.diagnoses.extend(known);
        }
        answer.memo = diagnoses.into_memo();
        // An answer about an environment that is being removed is meaningless.
        if let Some(today) = host.uncached() {
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

    /// Returns a watch on the missing folder or file of the machine, so that its appearance is
    /// noticed.
    fn absent_host(&self) -> Option<Watched> {
        let here = Host::named("windows-11", Arc::default()).ok()?;
        let (witnessed, tracker) = ReadTracker::over(&here);
        let _ = witnessed.files.folder(&here.path_of(Path::new(self.target.host.as_ref()?)));
        Watched::new(&here, &tracker.read_set(), Vec::new(), false)
    }

    /// Groups the imports by document. An import that is a program of its own is in a group of its
    /// own.
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
    /// Opens the machine and returns it with its human-readable name.
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

    /// Returns the interpreter on that machine, and its environment.
    fn environment(&self, python: Option<&Path>, host: &Host) -> Result<(WinPath, Environment), Unavailable> {
        let named = matches!(self.interpreter, Choice::Named(_));
        let recorded = host.recorded_interpreter.clone().filter(|_| !named);
        let python = recorded.or_else(|| python.map(|python| host.path_of(python)));
        let python = python.ok_or_else(|| Unavailable {
            reason: "no Python interpreter found: choose one, or set whydll.interpreter".to_owned(),
            absence: if cfg!(windows) { Absence::NoInterpreter } else { Absence::NotForWindows },
        })?;
        let environment = Environment::on(&python, host).map_err(|error| self.not_there(error))?;
        Ok((python, environment))
    }

    fn not_there(&self, error: EnvironmentError) -> Unavailable {
        let named = matches!(self.interpreter, Choice::Named(_));
        match error {
            // On another system, the `python` on PATH may be a script that starts Python.
            EnvironmentError::NotAnInterpreter { path }
                if !cfg!(windows) && (!named || is_of_unix(&path)) =>
            {
                Unavailable {
                    reason: format!("{path} is a Python for Linux or macOS, so it loads no Windows DLLs"),
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
                    "the selected Python no longer exists: {folder} contains neither python.exe nor \
                     Scripts\\python.exe"
                ),
                absence: Absence::Gone,
            },
            error => Unavailable::other(error.to_string()),
        }
    }

    /// Opens the machine and the environment for commands that need more than a diagnosis. The
    /// environment is read through the host that `wrap` returns.
    pub fn open(&self, wrap: impl FnOnce(Host) -> Host) -> Result<OpenTarget, Unavailable> {
        let python = self.interpreter.find(self.host.as_deref());
        let answers = python.as_deref().and_then(AnswerCache::of);
        let facts = FactCaches::default().of(answers.as_ref());
        let machine = self.machine(python.as_deref(), facts);
        let (host, name) = machine.map_err(|error| Unavailable::other(error.to_string()))?;
        let host = wrap(host);
        let (_, environment) = self.environment(python.as_deref(), &host)?;
        let assumed = name.strip_prefix("windows-11, ").map(str::to_owned);
        Ok(OpenTarget { host, environment, assumed, answers })
    }
}

/// Returns the import with the path that its document has on the analysed machine.
fn import_on(host: &Host, import: &Import) -> Import {
    let document = import.document.as_ref().map(|path| host.path_of(Path::new(path.as_str())));
    Import { document, ..import.clone() }
}

impl Answer {
    /// Returns the answer for an environment that can't be examined.
    pub fn unknown(why: Unavailable, interpreter: Option<String>) -> Answer {
        let Unavailable { reason, absence } = why;
        let reason = NotExamined { reason, absence, interpreter };
        let (diagnoses, memo) = Default::default();
        Answer { environment: Err(reason), diagnoses, memo, watched: None }
    }

    /// Returns the answer for an analysis that panicked.
    pub fn failed() -> Answer {
        let reason = "internal error during analysis; please report it";
        Answer::unknown(Unavailable::other(reason), None)
    }

    /// Returns the diagnosis of an import, if there is one.
    pub fn diagnosis(&self, import: &Import) -> Option<&Arc<Diagnosis>> {
        self.diagnoses.get(import)
    }

    /// Whether the answer says all that there is to say about an import.
    pub fn covers(&self, import: &Import) -> bool {
        self.environment.is_err() || self.diagnosis(import).is_some()
    }
}

/// Whether a path is that of a program for Linux or macOS: absolute there, and without `.exe`.
fn is_of_unix(path: &WinPath) -> bool {
    !path.has_extension("exe") && path.as_str().starts_with('/')
}

/// Returns the names of the imports, human-readable.
pub fn names<'i>(imports: impl IntoIterator<Item = &'i Import>) -> String {
    imports.into_iter().map(|import| import.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl std::fmt::Debug for Analysis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}", names(&self.imports), self.target)
    }
}
