//! The DLL tree of one or more targets: which modules are loaded, from where, by which rule, and
//! which loads failed.

use crate::cpython::{CtypesMode, Finder, Interpreter, LoadError, Prefetcher};
use crate::environment::Environment;
use crate::host::{Host, WinPath};
use crate::loader::{Failure, Fault, LoadedModule};
use crate::plan::{Place, Plan, Step};

use super::case::Case;

/// All modules of a process after its loads.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The modules in the order in which they were found. Those of the interpreter come first.
    pub modules: Vec<LoadedModule>,
    /// The number of modules that the interpreter itself needs.
    pub of_interpreter: usize,
    /// The steps of the Python code, in order.
    pub steps: Vec<Step>,
    /// The reason why a target can't be loaded.
    pub error: Option<ChainError>,
    /// The failed loads, including those after which the program continues.
    pub failed: Vec<FailedLoad>,
}

/// A failed load.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedLoad {
    /// The statement that requests the load. `None` if no Python code requests it.
    pub at: Option<Place>,
    /// The message of the Python exception: `ImportError: …`.
    pub sentence: String,
    /// Whether the import fails because of it. Otherwise, the program handles the failure.
    pub is_fatal: bool,
    /// Whether the load depends on an unknown condition, so that it may never be requested.
    pub uncertain: bool,
    /// The culprits; the one that Windows reports comes first. Empty for a module that was built
    /// for another Python.
    pub faults: Vec<Fault>,
}

impl FailedLoad {
    fn new(at: Option<&Place>, sentence: &str, error: &LoadError) -> FailedLoad {
        FailedLoad {
            at: at.cloned(),
            sentence: sentence.to_owned(),
            is_fatal: true,
            uncertain: false,
            faults: match error {
                LoadError::Windows(failure) => failure.faults().cloned().collect(),
                LoadError::Crash(fault) => vec![(**fault).clone()],
                LoadError::OtherPython { .. } => Vec::new(),
            },
        }
    }
}

/// Returns the copies of a culprit that Windows doesn't use: files of the same name elsewhere on
/// the machine, for the same processor.
pub fn copies(host: &Host, environment: &Environment, fault: &Fault) -> Vec<WinPath> {
    let case = Case { host, environment, import: "" };
    match fault.cause.path() {
        Some(path) => case.other_copies(path),
        None => case.copies_not_found(fault),
    }
}

/// The reason why a target can't be loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum ChainError {
    /// A native load failed.
    Load {
        /// The failure of the Windows loader.
        failure: Box<Failure>,
        /// The message of the Python exception.
        sentence: String,
    },
    /// Python fails before or after a native load.
    Python(String),
}

/// Loads `targets` into one new process, in this order and up to the first failure: a `.pyd` as an
/// extension module, a `.dll` with `ctypes.WinDLL` and its full path, anything else as an import.
pub fn chain(host: &Host, environment: &Environment, targets: &[&str]) -> Chain {
    let interpreter = match Interpreter::start(host, environment) {
        Ok(interpreter) => interpreter,
        Err(failure) => {
            let sentence = "Python itself cannot start".to_owned();
            let error = LoadError::Windows(failure.clone());
            return Chain {
                modules: Vec::new(),
                steps: Vec::new(),
                of_interpreter: 0,
                failed: vec![FailedLoad::new(None, &sentence, &error)],
                error: Some(ChainError::Load { failure: Box::new(failure), sentence }),
            };
        }
    };
    let of_interpreter = interpreter.process.modules().len();
    let prefetcher = Prefetcher::new(host, environment);
    let mut plan = Plan::new(interpreter, Finder::new(environment, host)).with_prefetcher(prefetcher);
    let failure = targets.iter().find_map(|target| load(&mut plan, target));
    let is_fatal = |at: usize| failure.as_ref().is_some_and(|failure| failure.loads.contains(&at));
    let made = plan.failures().iter().enumerate();
    let mut failed: Vec<FailedLoad> = made
        .map(|(number, load)| FailedLoad {
            is_fatal: is_fatal(number),
            uncertain: load.uncertain,
            ..FailedLoad::new(Some(&load.at), &load.sentence, &load.error)
        })
        .collect();
    let error = failure.map(|failure| {
        if let Some(direct) = &failure.direct {
            failed.push(FailedLoad::new(None, failure.error.sentence(), direct));
        }
        failure.error
    });
    failed.sort_by_key(|load| !load.is_fatal);
    let modules = plan.interpreter().process.modules().to_vec();
    Chain { modules, steps: plan.steps().to_vec(), of_interpreter, error, failed }
}

/// The failure of a target.
struct TargetFailure {
    error: ChainError,
    /// The loads by Python code that made it fail, as indices into [`Plan::failures`].
    loads: Vec<usize>,
    /// The failed load, if no Python code requests it.
    direct: Option<LoadError>,
}

/// Loads a target. Returns `None` if that succeeds.
fn load(plan: &mut Plan<'_>, target: &str) -> Option<TargetFailure> {
    let path = WinPath::new(target);
    let direct = |error: LoadError, sentence: String| TargetFailure {
        error: chain_error_of(error.clone(), sentence),
        loads: Vec::new(),
        direct: Some(error),
    };
    if path.has_extension("pyd") || path.has_extension("so") {
        let interpreter = plan.interpreter_mut();
        let error = interpreter.load_extension(&path).err()?;
        let stem = path.file_name().split('.').next().unwrap_or_default();
        let sentence = format!("ImportError: {}", interpreter.import_sentence(stem, &error));
        Some(direct(error, sentence))
    } else if path.has_extension("dll") {
        let interpreter = plan.interpreter_mut();
        let error = interpreter.load_library(target, CtypesMode::default()).err()?;
        let (class, text) = interpreter.ctypes_sentence(target, &error);
        Some(direct(error, format!("{class}: {text}")))
    } else {
        let error = plan.import(target).error?;
        let load = error.loads.first().and_then(|at| plan.failures().get(*at));
        let chain_error = match load {
            Some(load) => chain_error_of(load.error.clone(), error.sentence),
            None => ChainError::Python(error.sentence),
        };
        Some(TargetFailure { error: chain_error, loads: error.loads, direct: None })
    }
}

fn chain_error_of(error: LoadError, sentence: String) -> ChainError {
    match error {
        LoadError::Windows(failure) => ChainError::Load { failure: Box::new(failure), sentence },
        LoadError::OtherPython { .. } | LoadError::Crash(_) => ChainError::Python(sentence),
    }
}

impl ChainError {
    /// Returns the message of the Python exception.
    pub fn sentence(&self) -> &str {
        match self {
            ChainError::Load { sentence, .. } | ChainError::Python(sentence) => sentence,
        }
    }
}
