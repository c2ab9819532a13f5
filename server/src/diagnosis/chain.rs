//! The DLL tree of one or more targets: what is loaded, from where, by which rule, and what failed.

use crate::cpython::{CtypesMode, Finder, Interpreter, LoadError};
use crate::environment::Environment;
use crate::host::{Host, WinPath};
use crate::loader::{Failure, Module};
use crate::plan::{Plan, Step};

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
            return Chain {
                modules: Vec::new(),
                steps: Vec::new(),
                of_interpreter: 0,
                error: Some(ChainError::Load { failure: Box::new(failure), sentence }),
            };
        }
    };
    let of_interpreter = interpreter.process.modules().len();
    let mut plan = Plan::new(interpreter, Finder::new(environment, host));
    let error = targets.iter().find_map(|target| load(&mut plan, target).err());
    let modules = plan.interpreter().process.modules().to_vec();
    Chain { modules, steps: plan.steps().to_vec(), of_interpreter, error }
}

fn load(plan: &mut Plan<'_>, target: &str) -> Result<(), ChainError> {
    let path = WinPath::new(target);
    if path.has_extension("pyd") || path.has_extension("so") {
        let interpreter = plan.interpreter_mut();
        interpreter.load_extension(&path).map_err(|error| {
            let stem = path.file_name().split('.').next().unwrap_or_default();
            let sentence = format!("ImportError: {}", interpreter.import_sentence(stem, &error));
            of_load(error, sentence)
        })
    } else if path.has_extension("dll") {
        let interpreter = plan.interpreter_mut();
        interpreter.load_library(target, CtypesMode::default()).map_err(|error| {
            let (class, text) = interpreter.ctypes_sentence(target, &error);
            of_load(error, format!("{class}: {text}"))
        })
    } else {
        let Some(error) = plan.import(target).error else { return Ok(()) };
        let load = error.loads.first().and_then(|at| plan.failures().get(*at));
        Err(match load {
            Some(load) => of_load(load.error.clone(), error.sentence),
            None => ChainError::Python(error.sentence),
        })
    }
}

fn of_load(error: LoadError, sentence: String) -> ChainError {
    match error {
        LoadError::Windows(failure) => ChainError::Load { failure: Box::new(failure), sentence },
        LoadError::OtherPython(_) | LoadError::Crash(_) => ChainError::Python(sentence),
    }
}
