//! The DLL tree of one or more targets: what is loaded, from where, by which rule, and what failed.

use crate::cpython::{CtypesMode, Finder, Interpreter, LoadError};
use crate::environment::Environment;
use crate::host::{Host, WinPath};
use crate::loader::{Failure, Fault, Module};
use crate::plan::{Place, Plan, Step};

use super::case::Case;

/// All modules of a process after a load.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// In the order in which they were found: those of the interpreter first.
    pub modules: Vec<Module>,
    /// How many of them the interpreter itself needs.
    pub of_interpreter: usize,
    /// What Python does, in order.
    pub steps: Vec<Step>,
    /// Why a target cannot be loaded, if one cannot.
    pub error: Option<ChainError>,
    /// The loads that failed, whether the program goes on or not.
    pub failed: Vec<FailedLoad>,
}

/// A load that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedLoad {
    /// The statement; none of a load that no Python code makes.
    pub at: Option<Place>,
    /// What Python says of it: `ImportError: …`.
    pub sentence: String,
    /// The import fails because of it; otherwise the program handles the failure.
    pub is_fatal: bool,
    /// It stands under a condition that is not known, so perhaps the load is never made.
    pub uncertain: bool,
    /// The culprits, the one that Windows reports first. None of a module that is for another Python.
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

/// The copies of a culprit that Windows does not take: files of its name elsewhere on the machine, for the same processor.
pub fn copies(host: &Host, environment: &Environment, fault: &Fault) -> Vec<WinPath> {
    let case = Case { host, environment, import: "" };
    match fault.cause.path() {
        Some(path) => case.other_copies(path),
        None => case.unseen(fault),
    }
}

/// Why a target cannot be loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum ChainError {
    /// A native load failed.
    Load { failure: Box<Failure>, sentence: String },
    /// Python refuses before or after any load.
    Python(String),
}

/// Loads `targets` into one fresh process, in this order and up to the first that fails: a `.pyd` as an extension module, a
/// `.dll` as `ctypes.WinDLL` of its full path, anything else as an import.
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
    let mut plan = Plan::new(interpreter, Finder::new(environment, host));
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

/// How loading a target failed.
struct TargetFailure {
    error: ChainError,
    /// The loads of Python code because of which it failed, as indices into [`Plan::failures`].
    loads: Vec<usize>,
    /// The load itself, if no Python code makes it.
    direct: Option<LoadError>,
}

/// Loads a target; none if that goes well.
fn load(plan: &mut Plan<'_>, target: &str) -> Option<TargetFailure> {
    let path = WinPath::new(target);
    let direct = |error: LoadError, sentence: String| TargetFailure {
        error: of_load(error.clone(), sentence),
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
            Some(load) => of_load(load.error.clone(), error.sentence),
            None => ChainError::Python(error.sentence),
        };
        Some(TargetFailure { error: chain_error, loads: error.loads, direct: None })
    }
}

fn of_load(error: LoadError, sentence: String) -> ChainError {
    match error {
        LoadError::Windows(failure) => ChainError::Load { failure: Box::new(failure), sentence },
        LoadError::OtherPython { .. } | LoadError::Crash(_) => ChainError::Python(sentence),
    }
}

impl ChainError {
    /// What Python says of it.
    pub fn sentence(&self) -> &str {
        match self {
            ChainError::Load { sentence, .. } | ChainError::Python(sentence) => sentence,
        }
    }
}
