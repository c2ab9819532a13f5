//! Failed loads: the code that Windows reports, and each culprit with the chain of modules that
//! leads to it.

use std::sync::Arc;

use crate::host::{FileError, ImageFault, WinPath};
use crate::image::{Assembly, FileVersion, ImageError, Machine, Symbol};
use crate::win32::{
    ERROR_ACCESS_DENIED, ERROR_BAD_EXE_FORMAT, ERROR_DLL_INIT_FAILED, ERROR_FILENAME_EXCED_RANGE,
    ERROR_INVALID_ORDINAL, ERROR_INVALID_PARAMETER, ERROR_MOD_NOT_FOUND, ERROR_PROC_NOT_FOUND,
    ERROR_SXS_CANT_GEN_ACTCTX,
};

use super::module::LoadedModule;
use super::search::Rule;

/// A load that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The fault that Windows reports.
    pub first: Fault,
    /// Further faults that Windows would report once the first one is fixed.
    pub others: Vec<Fault>,
    /// The modules that were found on the way and unloaded again. Their indices continue those of
    /// the process.
    pub found: Vec<LoadedModule>,
}

impl Failure {
    /// Returns all faults, starting with the one that Windows reports.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Returns the error code that GetLastError returns.
    pub fn code(&self) -> u32 {
        self.first.cause.code()
    }
}

/// A culprit and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The modules from the requested one down to the culprit.
    pub chain: Vec<Link>,
    /// What is wrong with the culprit.
    pub cause: Cause,
}

impl Fault {
    /// Returns the culprit's base name.
    pub fn culprit(&self) -> &str {
        self.chain.last().map_or("", |link| link.name.as_str())
    }

    /// Returns the module that needs the culprit, or `None` if the program itself requested the
    /// culprit.
    pub fn importer(&self) -> Option<&Link> {
        self.chain.iter().rev().nth(1)
    }
}

/// A module in the chain that leads to a culprit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The name under which it is requested.
    pub name: String,
    /// The file where it was found, if it was found.
    pub path: Option<WinPath>,
}

impl Link {
    /// Creates the link of a module that is requested by a base name or a path.
    pub(super) fn new(name: &str, path: Option<WinPath>) -> Link {
        Link { name: WinPath::new(name).file_name().to_owned(), path }
    }
}

/// What is wrong with a culprit.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// It is in none of these directories.
    NotFound {
        /// The directories that were searched, in order. Empty if no search took place.
        searched: Vec<Searched>,
    },
    /// It was found, but only for another machine.
    WrongMachine {
        /// The path of the file.
        path: WinPath,
        /// The machine for which the file is built.
        machine: Machine,
        /// The directories that were searched, in order. Empty if no search took place.
        searched: Vec<Searched>,
    },
    /// It was found, but the file isn't a valid image.
    BadImage {
        /// The path of the file.
        path: WinPath,
        /// The defect of the image.
        error: ImageError,
    },
    /// It was found, but cannot be read.
    Unreadable {
        /// The path of the file.
        path: WinPath,
        /// The reason why the file can't be read.
        error: FileError,
    },
    /// It was found, but lacks exports that the importing module needs. If the export exists and is
    /// a forwarder that leads nowhere, `forwarder` describes it.
    MissingExport {
        /// The module that lacks the exports.
        provider: Provider,
        /// The exports that are missing.
        symbols: Vec<Symbol>,
        /// The forwarder, if the export exists but leads nowhere.
        forwarder: Option<BrokenForwarder>,
    },
    /// A side-by-side assembly that its manifest requires wasn't found.
    MissingAssembly {
        /// The identity of the assembly that wasn't found.
        assembly: Assembly,
    },
    /// It requires this version of Windows (major, minor).
    NewerWindows {
        /// The path of the image.
        path: WinPath,
        /// The required version of Windows: major, minor.
        needs: (u16, u16),
    },
    /// The loaded VC++ runtime is older than the one that the importing module was built for.
    OutdatedRuntime {
        /// The loaded runtime.
        provider: Provider,
        /// The file version of the loaded runtime.
        version: FileVersion,
        /// The minimum file version that the importing module needs.
        needs: FileVersion,
        /// The moment when the importing module crashes.
        crash: Crash,
    },
    /// Its path has 260 or more characters, and it has a manifest or long paths are switched off.
    PathTooLong {
        /// The path of the image.
        path: WinPath,
    },
    /// It cannot start, because the processor lacks these instruction sets.
    LacksInstructions {
        /// The path of the image.
        path: WinPath,
        /// The names of the missing instruction sets.
        sets: Vec<String>,
    },
    /// Windows refuses the flags of the load.
    InvalidParameter,
}

/// The moment when a module crashes in a runtime that is too old for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// When it is loaded: the load fails.
    AtStart,
    /// When CPython calls its `PyInit_…`: the process ends.
    AtInit,
    /// No crash is known.
    Never,
}

impl Cause {
    /// Returns its Win32 error code (`winerror.h`).
    pub fn code(&self) -> u32 {
        match self {
            Cause::NotFound { .. } => ERROR_MOD_NOT_FOUND,
            Cause::WrongMachine { .. } | Cause::BadImage { .. } => ERROR_BAD_EXE_FORMAT,
            Cause::Unreadable { error: FileError::AccessDenied, .. } => ERROR_ACCESS_DENIED,
            Cause::Unreadable { .. } => ERROR_MOD_NOT_FOUND,
            Cause::MissingExport { forwarder: Some(forwarder), .. } => forwarder.code,
            Cause::MissingExport { symbols, .. } => {
                symbols.first().map_or(ERROR_PROC_NOT_FOUND, not_exported)
            }
            Cause::MissingAssembly { .. } => ERROR_SXS_CANT_GEN_ACTCTX,
            Cause::NewerWindows { .. } => ERROR_BAD_EXE_FORMAT,
            Cause::OutdatedRuntime { .. } | Cause::LacksInstructions { .. } => ERROR_DLL_INIT_FAILED,
            Cause::PathTooLong { .. } => ERROR_FILENAME_EXCED_RANGE,
            Cause::InvalidParameter => ERROR_INVALID_PARAMETER,
        }
    }

    /// Returns the file at fault, if there is one.
    pub fn path(&self) -> Option<&WinPath> {
        match self {
            Cause::WrongMachine { path, .. }
            | Cause::BadImage { path, .. }
            | Cause::Unreadable { path, .. }
            | Cause::NewerWindows { path, .. }
            | Cause::LacksInstructions { path, .. }
            | Cause::PathTooLong { path } => Some(path),
            Cause::MissingExport { provider, .. } | Cause::OutdatedRuntime { provider, .. } => {
                Some(&provider.path)
            }
            Cause::NotFound { .. } | Cause::MissingAssembly { .. } | Cause::InvalidParameter => None,
        }
    }

    /// Returns the directories that were searched. It is empty if no search took place.
    pub fn searched(&self) -> &[Searched] {
        match self {
            Cause::NotFound { searched } | Cause::WrongMachine { searched, .. } => searched,
            _ => &[],
        }
    }

    pub(super) fn of_fault(path: &WinPath, fault: ImageFault) -> Cause {
        let path = path.clone();
        match fault {
            ImageFault::Image(error) => Cause::BadImage { path, error },
            ImageFault::File(error) => Cause::Unreadable { path, error },
        }
    }
}

/// A forwarder that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenForwarder {
    /// The target: `other.symbol` or `other.#7`.
    pub target: String,
    /// The Win32 code that the load fails with.
    pub code: u32,
}

/// Returns the Win32 code for a symbol that isn't exported.
pub(super) fn not_exported(symbol: &Symbol) -> u32 {
    match symbol {
        Symbol::Name(_) => ERROR_PROC_NOT_FOUND,
        Symbol::Ordinal(_) => ERROR_INVALID_ORDINAL,
    }
}

/// The module that an import resolved to, and why it was that one.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// The path of its file.
    pub path: WinPath,
    /// The rule that found it.
    pub rule: Rule,
    /// The chain of modules that required it, starting with the one that the program loaded. Empty
    /// if the program loaded it directly.
    pub importers: Vec<Link>,
    /// The place in the program that made that load, such as `scipy/_distributor_init.py:40`.
    pub loaded_at: Option<Arc<str>>,
    /// Whether it was loaded before the failed load.
    pub was_loaded: bool,
}

/// A directory that was searched without finding a usable file.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The path of the directory.
    pub directory: WinPath,
    /// The rule because of which it was searched.
    pub rule: Rule,
    /// A file in it that was passed over.
    pub passed_over: Option<PassedOver>,
}

/// A file of the right name that a search passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct PassedOver {
    /// The machine for which the file is built.
    pub machine: Machine,
}
