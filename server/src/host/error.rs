//! The reasons why a machine can't be opened.

use super::snapshot::SnapshotError;
use super::{Baseline, Disk, FileError, Files, WinPath};

/// The reason why `--host` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The name is neither a baseline nor a path.
    #[error(
        "unknown host {0:?}: use a folder that contains Windows/System32, a snapshot file, {names}",
        names = Baseline::names()
    )]
    Unknown(String),
    /// The directory has no system directory.
    #[error("{0} isn't a Windows system drive (no Windows/System32)")]
    NoSystemDirectory(String),
    /// The user has no access to the system directory.
    #[error("can't read Windows/System32 of {folder}: {error}")]
    UnreadableSystemDirectory {
        /// The path of the drive, as the user gave it, or `this machine`.
        folder: String,
        /// The reason why the system directory can't be read.
        error: FileError,
    },
    /// WhyDLL doesn't run on Windows.
    #[error("`--host live` is only available on Windows: use a folder, a snapshot, or a baseline instead")]
    NotWindows,
    /// The snapshot cannot be replayed.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Returns System32 of a machine on `disk`. `name` is the name of the machine in errors.
pub(super) fn readable_system_directory(
    windows: &WinPath,
    disk: &Disk,
    name: &str,
) -> Result<WinPath, HostError> {
    let system = windows.join("System32");
    match disk.folder(&system) {
        Ok(_) => Ok(system),
        Err(FileError::NotFound) => Err(HostError::NoSystemDirectory(name.to_owned())),
        Err(error) => Err(HostError::UnreadableSystemDirectory { folder: name.to_owned(), error }),
    }
}
