//! The slow part: opens the environment and diagnoses imports in it, on a thread of its own.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnosis::{Diagnosis, DiagnosisCache, DiagnosisMemo, Import, ImportingDocument};
use crate::environment::{
    Assumption, Environment, EnvironmentError, OpenTarget, Target, TargetError, TargetMachine,
};
use crate::host::{
    AnswerCache, Baseline, CancellationToken, FactCache, Host, HostSpec, ReadTracker, Watched, WinPath,
};

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
    fn of(&self, answers: &AnswerCache) -> Arc<FactCache> {
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
    /// Returns the reason for an error, in the words of an editor.
    pub fn of(error: TargetError, target: &Target) -> Unavailable {
        let is_named = target.interpreter.is_named();
        let (reason, absence) = match error {
            TargetError::NoInterpreter => (
                "no Python interpreter found: choose one, or set whydll.interpreter".to_owned(),
                if cfg!(windows) { Absence::NoInterpreter } else { Absence::NotForWindows },
            ),
            // On another system, the `python` on PATH may be a script that starts Python.
            TargetError::Environment(EnvironmentError::NotAnInterpreter { path })
                if !cfg!(windows) && (!is_named || is_of_unix(&path)) =>
            {
                let reason = format!("{path} is a Python for Linux or macOS, so it loads no Windows DLLs");
                (reason, Absence::NotForWindows)
            }
            TargetError::Environment(error @ EnvironmentError::Linux { .. }) => {
                (error.to_string(), Absence::NotForWindows)
            }
            TargetError::Environment(EnvironmentError::NoSuchPath { path }) => {
                (format!("the selected Python no longer exists: {path}"), Absence::Gone)
            }
            TargetError::Environment(EnvironmentError::NotAnEnvironment { folder }) if is_named => {
                let reason = format!(
                    "the selected Python no longer exists: {folder} contains neither python.exe nor \
                     Scripts\\python.exe"
                );
                (reason, Absence::Gone)
            }
            error @ (TargetError::Host(_) | TargetError::Environment(_)) => {
                (error.to_string(), Absence::Other)
            }
        };
        Unavailable { reason, absence }
    }
}

impl Analysis {
    /// Diagnoses the imports. Needs [`crate::source::STACK`] bytes of stack. Unwinds with
    /// [`Cancelled`](crate::host::Cancelled) when it is cancelled.
    pub fn run(&self) -> Answer {
        let facts = |answers: &AnswerCache| match self.ignore_cache {
            true => Arc::default(),
            false => self.facts.of(answers),
        };
        let machine = match self.target.machine(facts) {
            Ok(machine) => machine,
            Err(error) => {
                let unavailable = Unavailable::of(TargetError::Host(error), &self.target);
                let unknown = Answer::unknown(unavailable, self.target.interpreter.path());
                return Answer { watched: self.absent_host(), ..unknown };
            }
        };
        let (witnessed, tracker) = ReadTracker::until(self.stop.clone(), &machine.host);
        // Record the folders in which an environment may appear.
        for folder in self.target.interpreter.candidate_folders() {
            let _ = witnessed.files.folder(&machine.host.path_of(&folder));
        }
        let (mut answer, roots) = match self.examine(&machine, &witnessed) {
            Ok(examined) => examined,
            Err(error) => {
                let unavailable = Unavailable::of(error, &self.target);
                (Answer::unknown(unavailable, machine.python.as_deref()), Vec::new())
            }
        };
        let has_findings = answer.diagnoses.values().any(|known| !known.findings.is_empty());
        answer.watched = Watched::new(&machine.host, &tracker.read_set(), roots, has_findings);
        machine.store_facts();
        answer
    }

    /// Tries the fixes of the findings. Needs as much stack as [`Analysis::run`], and unwinds in
    /// the same way.
    pub fn prove(&self) -> BTreeMap<Import, Arc<Diagnosis>> {
        let proven = self.again(|host, environment, answers| {
            let mut proven = BTreeMap::new();
            let mut diagnoses = DiagnosisCache::new(host, environment, answers).with_memo(self.memo.clone());
            for Program { asked, on_host } in self.programs_on(host) {
                let known = diagnoses.diagnose_and_prove(&on_host).into_iter().map(Arc::new);
                proven.extend(asked.into_iter().cloned().zip(known));
            }
            proven
        });
        proven.unwrap_or_default()
    }

    /// Opens the machine and the environment once more, for work whose reads don't affect what is
    /// watched. Returns `None` if they no longer exist.
    fn again<T>(&self, work: impl FnOnce(&Host, &Environment, Option<&AnswerCache>) -> T) -> Option<T> {
        let machine = self.target.machine(|answers| self.facts.of(answers)).ok()?;
        let (host, _) = ReadTracker::until(self.stop.clone(), &machine.host);
        let environment = machine.environment(&host).ok()?;
        let done = work(&host, &environment, machine.answers.as_ref());
        machine.store_facts();
        Some(done)
    }

    /// Returns the answer, and the folders that the environment is in.
    fn examine(&self, machine: &TargetMachine, host: &Host) -> Result<(Answer, Vec<WinPath>), TargetError> {
        let answers = machine.answers.clone();
        let answers = answers.map(|known| if self.ignore_cache { known.ignoring_stored() } else { known });
        let environment = machine.environment(host)?;
        let mut answer = Answer {
            environment: Ok(Examined {
                interpreter: environment.selected.to_string(),
                version: environment.full_version(),
                kind: environment.kind.to_string(),
                machine: self.machine_name(machine),
            }),
            diagnoses: BTreeMap::new(),
            memo: DiagnosisMemo::default(),
            watched: None,
        };
        let mut diagnoses =
            DiagnosisCache::new(host, &environment, answers.as_ref()).with_memo(self.memo.clone());
        for Program { asked, on_host } in self.programs_on(host) {
            let known = diagnoses.diagnose_document(&on_host).into_iter().map(Arc::new);
            answer.diagnoses.extend(asked.into_iter().cloned().zip(known));
        }
        answer.memo = diagnoses.into_memo();
        // An answer about an environment that is being removed is meaningless.
        if let Some((today, python)) = host.uncached().zip(machine.interpreter.as_ref()) {
            Environment::at(python, &*today.files)?;
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
        let Some(HostSpec::Path(missing)) = &self.target.host else { return None };
        let here = Host::baseline(Baseline::DEFAULT, None, Arc::default());
        let (witnessed, tracker) = ReadTracker::over(&here);
        let _ = witnessed.files.folder(&here.path_of(missing));
        Watched::new(&here, &tracker.read_set(), Vec::new(), false)
    }

    /// Returns the human-readable name of the machine, with its version.
    fn machine_name(&self, machine: &TargetMachine) -> String {
        let name = match (&self.target.host, &machine.assumed) {
            (Some(spec), _) => spec.to_string(),
            (None, Some(Assumption::Drive(drive))) => drive.display().to_string(),
            (None, Some(Assumption::Baseline(baseline))) => format!("{}, assumed", baseline.name),
            (None, None) => machine.host.kind.to_string(),
        };
        match &machine.host.windows_version {
            Some(version) => format!("{name} (Windows {version})"),
            None => name,
        }
    }

    /// Groups the imports by document. An import that is a program of its own is in a group of its
    /// own.
    fn programs_on(&self, host: &Host) -> impl Iterator<Item = Program<'_>> {
        let mut programs: BTreeMap<(Option<&ImportingDocument>, Option<&Import>), Vec<&Import>> =
            BTreeMap::new();
        for import in &self.imports {
            let alone = import.document.is_none() && import.point.is_first();
            programs.entry((import.document.as_ref(), alone.then_some(import))).or_default().push(import);
        }
        programs.into_iter().map(|((document, _), asked)| {
            let path_on_host = |native: &WinPath| host.path_of(Path::new(native.as_str()));
            let document = document.map(|document| document.with_paths(path_on_host));
            let on_host = |import: &&Import| Import { document: document.clone(), ..(*import).clone() };
            Program { on_host: asked.iter().map(on_host).collect(), asked }
        })
    }
}

/// The imports of one program.
struct Program<'a> {
    /// The imports as the session knows them: the document has its native path.
    asked: Vec<&'a Import>,
    /// The same imports, in a document with the path that it has on the analysed machine.
    on_host: Vec<Import>,
}

/// Opens a target for a command that needs more than a diagnosis.
///
/// # Errors
/// The reason why the machine or the environment can't be used.
pub fn open(target: &Target) -> Result<OpenTarget, Unavailable> {
    target.open().map_err(|error| Unavailable::of(error, target))
}

impl Answer {
    /// Returns the answer for an environment that can't be examined.
    pub fn unknown(why: Unavailable, interpreter: Option<&Path>) -> Answer {
        let Unavailable { reason, absence } = why;
        let interpreter = interpreter.map(|path| path.display().to_string());
        let reason = NotExamined { reason, absence, interpreter };
        let (diagnoses, memo) = Default::default();
        Answer { environment: Err(reason), diagnoses, memo, watched: None }
    }

    /// Returns the answer for an analysis that panicked.
    pub fn failed() -> Answer {
        let reason = "internal error during analysis; please report it".to_owned();
        Answer::unknown(Unavailable { reason, absence: Absence::Other }, None)
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
