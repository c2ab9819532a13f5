//! The DLL tree of one target: what is loaded, from where, by which rule, and what failed.

use crate::cpython::{CtypesMode, Finder, Interpreter, LoadError};
use crate::environment::Environment;
use crate::host::{Host, WinPath};
use crate::loader::{Failure, Module};
use crate::plan::Plan;

/// All modules of a process after a load.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// In the order in which they were found: those of the interpreter first.
    pub modules: Vec<Module>,
    /// How many of them the interpreter itself needs.
    pub of_interpreter: usize,
    /// Why the target cannot be loaded, if it cannot.
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

/// Loads `target` into a fresh process: a `.pyd` as an extension module, a `.dll` as `ctypes.WinDLL` of its
/// full path, anything else as an import.
pub fn chain(host: &Host, environment: &Environment, target: &str) -> Chain {
    let mut interpreter = match Interpreter::start(host, environment) {
        Ok(interpreter) => interpreter,
        Err(failure) => {
            let sentence = "Python itself cannot start".to_owned();
            return Chain {
                modules: Vec::new(),
                of_interpreter: 0,
                error: Some(ChainError::Load { failure: Box::new(failure), sentence }),
            };
        }
    };
    let of_interpreter = interpreter.process.modules().len();
    let path = WinPath::new(target);
    let is_extension = path.has_extension("pyd") || path.has_extension("so");
    if is_extension || path.has_extension("dll") {
        let result = match is_extension {
            true => interpreter.load_extension(&path),
            false => interpreter.load_library(target, CtypesMode::default()),
        };
        let error = result.err().map(|error| {
            let stem = path.file_name().split('.').next().unwrap_or_default();
            let sentence = match is_extension {
                true => format!("ImportError: {}", interpreter.import_sentence(stem, &error)),
                false => {
                    let (class, text) = interpreter.ctypes_sentence(target, &error);
                    format!("{class}: {text}")
                }
            };
            of_load(error, sentence)
        });
        let modules = interpreter.process.modules().to_vec();
        return Chain { modules, of_interpreter, error };
    }
    let mut plan = Plan::new(interpreter, Finder::new(environment, &*host.files));
    let imported = plan.import(target);
    let error = imported.error.map(|error| {
        let load = error.loads.first().and_then(|at| plan.failures().get(*at));
        match load {
            Some(load) => of_load(load.error.clone(), error.sentence),
            None => ChainError::Python(error.sentence),
        }
    });
    let modules = plan.interpreter().process.modules().to_vec();
    Chain { modules, of_interpreter, error }
}

fn of_load(error: LoadError, sentence: String) -> ChainError {
    match error {
        LoadError::Windows(failure) => ChainError::Load { failure: Box::new(failure), sentence },
        LoadError::OtherPython(_) => ChainError::Python(sentence),
    }
}
