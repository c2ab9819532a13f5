//! A Windows machine: its system directories, KnownDLLs, API sets, `PATH`, and files.
//!
//! The machine can be this one, a directory that holds a system drive, one of the built-in
//! [`Baseline`]s, or a recorded [`snapshot`]. They differ only in where their facts come from.
//! Everything that examines a machine uses a [`Host`].

mod account;
mod answer_cache;
mod api_sets;
mod archive;
mod baseline;
mod cache;
mod disk;
mod error;
mod fact;
pub mod facts;
mod fault;
mod files;
mod fingerprint;
mod folder;
mod known_dlls;
#[cfg(windows)]
mod live;
mod machine;
mod map;
#[cfg(test)]
mod memory;
mod native_files;
mod open;
mod overlay;
mod path;
mod read_set;
mod read_tracker;
pub mod redistributable;
pub mod registered_pythons;
mod running;
pub mod session;
pub mod snapshot;
mod spec;
pub mod variables;
mod watch;

pub use account::{is_always_set, profile_of};
pub use answer_cache::{AnswerCache, Question};
pub use api_sets::{ApiSet, ApiSets};
pub use baseline::{Baseline, BaselineFiles, is_of_windows};
pub use cache::FactCache;
pub use disk::Disk;
pub use error::HostError;
pub use fact::{AnyAnswer, AnyFact, AssumedImage, Fact, FactKey, FactKind};
pub use facts::{DllNames, ImageFacts};
pub use fault::{FileError, ImageFault};
pub use files::Files;
pub use fingerprint::{Fingerprint, Stamp};
pub use folder::{Entry, EntryKind, Folder, is_native};
pub use machine::{Host, HostKind, Misregistered, VcRuntime};
#[cfg(test)]
pub use memory::MemoryFiles;
pub use native_files::NativeFiles;
pub use overlay::{Change, Overlay};
pub use path::{WinPath, fold_name, path_directories};
pub use read_set::ReadSet;
pub use read_tracker::{CancellationToken, Cancelled, ReadTracker};
pub use registered_pythons::{RegisteredPython, Registration};
pub use running::{MachineFacts, RegisteredRuntime};
pub use spec::HostSpec;
pub use watch::{Watched, Watcher};
