//! WhyDLL says why `import tensorflow` fails on Windows: which DLL, how we know, what to do.
//!
//! A load is computed, never guessed. The rooms, from the lowest floor up, each importing only from
//! those below it (ARCHITECTURE.md tells more):
//!
//! | room | turns | into |
//! |---|---|---|
//! | `visible` | texts of others | what a screen shows and does not obey |
//! | [`image`] | bytes of a PE file | facts |
//! | [`source`] | Python text | what importing it does, and which imports a document makes |
//! | [`action`] | | what a person can do, and how its command is written for each shell |
//! | [`host`] | a Windows machine | its directories, rules and files |
//! | [`environment`] | an interpreter's path | version, `sys.path`, distributions |
//! | [`loader`] | loads in order | a simulated process |
//! | [`cpython`] | "import this extension module" | loads as that version makes them |
//! | [`plan`] | "import this package" | all that it runs and loads, in order |
//! | [`diagnosis`] | what failed | findings with their cures |
//! | [`report`] | findings | text, Markdown, JSON, the tree |
//! | [`check`] | files and folders of the user | a report |
//! | [`lsp`] | editor events | diagnostics, code actions, hovers, reports |
//! | [`cli`] | arguments | a check, a chain, a server |

#![deny(unsafe_code)]

pub mod action;
pub mod check;
pub mod cli;
pub mod cpython;
pub mod diagnosis;
pub mod environment;
mod example;
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
