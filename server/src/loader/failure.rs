//! Why a load failed: the code that Windows gives, and for each culprit the way down to it.

use std::sync::Arc;

use crate::host::{FileError, ImageFault, WinPath};
use crate::image::{Assembly, FileVersion, ImageError, Machine, Symbol};

use super::process::Module;
use super::search::Rule;

/// A load that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What Windows reports, followed by what it would report next once that is mended. Never empty.
    pub first: Fault,
    /// Culprits that Windows does not get to.
    pub others: Vec<Fault>,
    /// What was found on the way; it is unloaded again. Numbered on from the process's modules.
    pub found: Vec<Module>,
}

impl Failure {
    /// The culprits, the one that Windows reports first.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// What GetLastError returns.
    pub fn code(&self) -> u32 {
        self.first.cause.code()
    }
}

/// One culprit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// From the module whose load was asked for, down to the culprit.
    pub chain: Vec<Link>,
    /// What is wrong with it.
    pub cause: Cause,
}

impl Fault {
    /// The culprit's base name.
    pub fn culprit(&self) -> &str {
        self.chain.last().map_or("", |link| link.name.as_str())
    }

    /// The module that asks for the culprit, if it is not the one that the load named.
    pub fn importer(&self) -> Option<&Link> {
        self.chain.iter().rev().nth(1)
    }
}

/// A module on the way to a culprit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The name by which it is asked for.
    pub name: String,
    /// Where it was found, if it was.
    pub path: Option<WinPath>,
}

/// What is wrong with a culprit.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// It lies in none of these directories.
    NotFound { searched: Vec<Searched> },
    /// It was found, but for another machine only.
    WrongMachine { path: WinPath, machine: Machine, searched: Vec<Searched> },
    /// It was found, and the file is no valid image.
    BadImage { path: WinPath, error: ImageError },
    /// It was found, and cannot be read.
    Unreadable { path: WinPath, error: FileError },
    /// It was found, and does not export what the module above it imports. Where it exports that as a forwarder which leads
    /// nowhere, that forwarder.
    MissingExport { provider: Provider, symbols: Vec<Symbol>, forwarder: Option<BrokenForwarder> },
    /// A side-by-side assembly that its manifest asks for is nowhere.
    MissingAssembly { assembly: Assembly },
    /// It asks for this version of Windows, major and minor.
    NewerWindows { path: WinPath, needs: (u16, u16) },
    /// The VC++ runtime that is loaded is older than what the module above it was built for.
    OutdatedRuntime { provider: Provider, version: FileVersion, needs: FileVersion, crash: Crash },
    /// Its path has 260 characters or more, and it has a manifest.
    PathTooLong { path: WinPath },
    /// It cannot start without these sets of instructions, which the processor lacks.
    LacksInstructions { path: WinPath, sets: Vec<String> },
    /// Windows refuses the flags of the load.
    InvalidParameter,
}

/// When a module crashes in a runtime that is too old for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// As it is loaded: the load fails.
    AtStart,
    /// As CPython calls its `PyInit_…`: the process ends.
    AtInit,
    /// Nothing is known to.
    Never,
}

impl Cause {
    /// The Win32 code of it (`winerror.h`).
    pub fn code(&self) -> u32 {
        match self {
            Cause::NotFound { .. } => 126,
            Cause::WrongMachine { .. } | Cause::BadImage { .. } => 193,
            Cause::Unreadable { error: FileError::AccessDenied, .. } => 5,
            Cause::Unreadable { .. } => 126,
            Cause::MissingExport { forwarder: Some(forwarder), .. } => forwarder.code,
            Cause::MissingExport { symbols, .. } => symbols.first().map_or(127, not_exported),
            Cause::MissingAssembly { .. } => 14001,
            Cause::NewerWindows { .. } => 193,
            Cause::OutdatedRuntime { .. } | Cause::LacksInstructions { .. } => 1114,
            Cause::PathTooLong { .. } => 206,
            Cause::InvalidParameter => 87,
        }
    }

    /// The file that is to blame, if there is one.
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

    /// The directories that were searched, if it came to a search.
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
    /// `other.symbol` or `other.#7`
    pub target: String,
    /// What the load fails with.
    pub code: u32,
}

/// The Win32 code for a symbol that is not exported.
pub(super) fn not_exported(symbol: &Symbol) -> u32 {
    match symbol {
        Symbol::Name(_) => 127,
        Symbol::Ordinal(_) => 182,
    }
}

/// The module that serves an import, and how it came to be the one.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its file.
    pub path: WinPath,
    /// By which rule it was found.
    pub rule: Rule,
    /// The modules that brought it in, from the one that the program loaded on; none if the program loaded it itself.
    pub brought_by: Vec<Link>,
    /// What in the program made that load: `scipy/_distributor_init.py:40`.
    pub asked_by: Option<Arc<str>>,
    /// It was there before the load that failed.
    pub was_loaded: bool,
}

/// A directory that was searched in vain.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// Where.
    pub directory: WinPath,
    /// Why there.
    pub rule: Rule,
    /// What lay there and was passed over.
    pub passed_over: Option<PassedOver>,
}

/// A file of the right name that a search passes over.
#[derive(Debug, Clone, PartialEq)]
pub struct PassedOver {
    /// The machine that it is for.
    pub machine: Machine,
}
