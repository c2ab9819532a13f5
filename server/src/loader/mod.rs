//! A simulation of the Windows loader: a [`Process`] performs loads in order and keeps the loaded
//! modules.
//!
//! This module knows nothing about Python. Every rule is Windows' own. The sources are Microsoft's
//! "Dynamic-link library search order" and "LoadLibraryExW"; where they say nothing, Wine's
//! conformance tests (`dlls/kernel32/tests/loader.c`, `module.c`), which also run on Windows.

mod failure;
mod load;
mod process;
mod resolve;
mod search;
mod side_by_side;

pub use failure::{BrokenForwarder, Cause, Crash, Failure, Fault, Link, PassedOver, Provider, Searched};
pub use load::answers_search;
pub use process::{Dependency, DependencyKind, DependencyTarget, Module, ModuleId, Process};
pub use search::{AddedDirectory, LoadFlags, Rule};

#[cfg(test)]
mod tests;
