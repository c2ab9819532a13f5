//! The Windows loader, simulated: a [`Process`] receives loads in order and keeps what is loaded.
//!
//! Knows nothing of Python. Every rule is Windows' own; the sources are Microsoft's "Dynamic-link library
//! search order" and "LoadLibraryExW", and where they are silent Wine's conformance tests
//! (`dlls/kernel32/tests/loader.c`, `module.c`), which are run on Windows too.

mod failure;
mod load;
mod process;
mod resolve;
mod search;
mod side_by_side;

pub use failure::{BrokenForwarder, Cause, Crash, Failure, Fault, Link, PassedOver, Provider, Searched};
pub use load::answers_search;
pub use process::{Answer, Dependency, DependencyKind, Module, ModuleId, Process};
pub use search::{AddedDirectory, LoadFlags, Rule};

#[cfg(test)]
mod tests;
