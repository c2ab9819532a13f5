//! What a code explains: a single cause of a failed import.

use crate::cpython::LoadError;
use crate::host::WinPath;
use crate::loader::{Cause, Failure, Fault};
use crate::plan::{LoadFailure, LoadKind, MissingModule, Place};

/// A single cause of a failed import.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The failed load or lookup.
    pub culprit: Culprit,
    /// The statements that lead to the failure, innermost first.
    pub trace: Vec<Place>,
    /// The way in which Python code requested the load, if it did.
    pub loaded_by: Option<LoadKind>,
    /// The message of the Python exception.
    pub sentence: Option<String>,
    /// The Win32 error code that the program receives. A culprit that Windows would reach only
    /// later has its own code.
    pub code: Option<u32>,
}

/// The object that a problem is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Culprit {
    /// An image that can't be loaded.
    Image(Fault),
    /// An extension module that was built for another Python, whose DLL it imports.
    OtherPython {
        /// The path of the extension module.
        module: WinPath,
        /// The name of the Python DLL that the extension module imports.
        dll: String,
    },
    /// A Python module that isn't found.
    Module(MissingModule),
    /// An installed package that is hidden by a module of the program.
    HiddenPackage(HiddenPackage),
}

/// An installed package, and the module that is imported in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenPackage {
    /// The file or directory in the program's directory.
    pub by: WinPath,
    /// The file that was executed.
    pub file: WinPath,
    /// Full path of the installed package.
    pub package: WinPath,
}

impl Problem {
    /// Returns the problems of a failed load, one for each culprit.
    pub fn of_load(load: &LoadFailure) -> Vec<Problem> {
        let problem = |culprit, code| Problem {
            culprit,
            trace: vec![load.at.clone()],
            loaded_by: Some(load.kind),
            sentence: Some(load.sentence.clone()),
            code,
        };
        match &load.error {
            LoadError::OtherPython { dll, .. } => {
                let module = WinPath::new(load.target.clone());
                vec![problem(Culprit::OtherPython { module, dll: dll.clone() }, None)]
            }
            LoadError::Crash(fault) => vec![problem(Culprit::Image((**fault).clone()), None)],
            LoadError::Windows(failure) => failure
                .faults()
                .map(|fault| {
                    // A lookup loads nothing, so Windows reports no error.
                    let code = (load.kind != LoadKind::FileCheck).then(|| fault.cause.code());
                    problem(Culprit::Image(fault.clone()), code)
                })
                .collect(),
        }
    }

    /// Creates the problem of a load that no statement requests: one made by the interpreter's
    /// start or by native code.
    pub fn of_process(failure: Failure) -> Problem {
        Problem {
            code: Some(failure.code()),
            culprit: Culprit::Image(failure.first),
            trace: Vec::new(),
            loaded_by: None,
            sentence: None,
        }
    }

    /// Creates the problem of a module that Python doesn't find.
    pub fn of_missing_module(missing: MissingModule, trace: &[(WinPath, u32)]) -> Problem {
        let place = |(file, line): &(WinPath, u32)| Place { file: Some(file.clone()), line: *line };
        Problem {
            culprit: Culprit::Module(missing),
            trace: trace.iter().map(place).collect(),
            loaded_by: None,
            sentence: None,
            code: None,
        }
    }

    /// Creates the problem of an installed package that isn't imported because another module hides
    /// it.
    pub fn of_hidden_package(hidden: HiddenPackage) -> Problem {
        Problem {
            culprit: Culprit::HiddenPackage(hidden),
            trace: Vec::new(),
            loaded_by: None,
            sentence: None,
            code: None,
        }
    }

    /// Returns the fault, if the problem is an image that couldn't be loaded.
    pub fn fault(&self) -> Option<&Fault> {
        match &self.culprit {
            Culprit::Image(fault) => Some(fault),
            _ => None,
        }
    }

    /// Returns the fault, if the image wasn't found in any directory.
    pub fn not_found(&self) -> Option<&Fault> {
        self.fault().filter(|fault| matches!(fault.cause, Cause::NotFound { .. }))
    }
}
