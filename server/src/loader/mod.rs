//! A simulation of the Windows loader: a [`Process`] performs loads in order and keeps the loaded
//! modules.
//!
//! This module knows nothing about Python. Every rule is Windows' own. The sources are Microsoft's
//! "Dynamic-link library search order" and "LoadLibraryExW"; where they say nothing, Wine's
//! conformance tests (`dlls/kernel32/tests/loader.c`, `module.c`), which also run on Windows.
//!
//! ```
//! use std::sync::Arc;
//! use whydll::host::{FactCache, Host, WinPath};
//! use whydll::image::Machine;
//! use whydll::loader::{LoadFlags, Process};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let windows = Host::named("windows-11", Arc::new(FactCache::default()))?;
//! let mut process = Process::new(windows, Machine::X64, WinPath::new(r"C:\Program"));
//!
//! let kernel32 = process.load("kernel32.dll", LoadFlags::NONE);
//! assert!(kernel32.is_ok());
//!
//! let failure = process.load("cudart64_110.dll", LoadFlags::NONE).unwrap_err();
//! assert_eq!((failure.first.culprit(), failure.code()), ("cudart64_110.dll", 126));
//! # Ok(())
//! # }
//! ```

mod compatibility;
mod crash;
mod failure;
mod load;
mod module;
mod process;
mod resolve;
mod search;
mod side_by_side;

pub use compatibility::answers_search;
pub use failure::{BrokenForwarder, Cause, Crash, Failure, Fault, Link, PassedOver, Provider, Searched};
pub use module::{Dependency, DependencyKind, DependencyTarget, LoadedModule, ModuleId};
pub use process::Process;
pub use search::{AddedDirectory, LoadFlags, Rule};

#[cfg(test)]
mod tests;
