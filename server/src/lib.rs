//! Explains why `import tensorflow` fails on Windows: which DLL is at fault, how that is known, and how
//! to fix it.
//!
//! A load is computed, never guessed. The modules are listed from the lowest layer up, and each one
//! imports only from those above it in the table. See ARCHITECTURE.md for details.
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`win32`] | a Win32 error code | its message, its meaning, a remedy |
//! | `visible` | untrusted strings | strings that are safe to display |
//! | [`image`] | bytes of a PE file | facts |
//! | [`source`] | Python source | what importing it does, and which imports a document makes |
//! | [`action`] | | what the user can do, and the command for it in each shell |
//! | [`host`] | a Windows machine | its directories, rules, and files |
//! | [`environment`] | an interpreter's path | version, `sys.path`, distributions |
//! | [`loader`] | loads in order | a simulated process |
//! | [`cpython`] | "import this extension module" | loads as that version makes them |
//! | [`plan`] | "import this package" | all that it runs and loads, in order |
//! | [`diagnosis`] | what failed | findings with their cures |
//! | [`report`] | findings | text, Markdown, JSON, the tree |
//! | [`check`] | files and folders of the user, a traceback | a report |
//! | [`lsp`] | editor events | diagnostics, code actions, hovers, reports |
//! | [`cli`] | arguments | a check, a chain, a server |
//!
//! A diagnosis needs a machine, an environment on it, and imports:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use whydll::diagnosis::{Import, diagnose};
//! use whydll::environment::Environment;
//!
//! // A recorded Windows 11 with Python 3.8 and TensorFlow 2.3, for machines that have none.
//! let host = whydll::example::machine()?;
//! let interpreter = host.recorded_interpreter.clone().ok_or("the recording has an interpreter")?;
//! let environment = Environment::on(&interpreter, &host)?;
//!
//! let diagnosis = diagnose(&host, &environment, &[Import::first("tensorflow")]);
//!
//! let finding = diagnosis.findings.first().ok_or("the import fails")?;
//! assert_eq!(finding.code.name(), "missing-vc-runtime");
//! assert_eq!(
//!     finding.headline(),
//!     "`import tensorflow` will fail: msvcp140.dll and msvcp140_1.dll are missing."
//! );
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod action;
#[cfg(test)]
mod architecture;
pub mod check;
pub mod cli;
pub mod cpython;
pub mod diagnosis;
pub mod environment;
pub mod example;
pub mod host;
pub mod image;
pub mod loader;
pub mod lsp;
pub mod plan;
pub mod report;
pub mod source;
#[cfg(test)]
mod testing;
pub mod traceback;
mod visible;
pub mod win32;
