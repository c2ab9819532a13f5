//! Facts that only a running machine has: its registry and its processor. A directory that holds
//! its drive doesn't contain them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::path::{WinPath, path_directories};
use crate::image::{FileVersion, Machine};

/// The facts of a running machine. The default, for other machines, is unknown or the default of
/// Windows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MachineFacts {
    /// Whether `SafeDllSearchMode` is switched off, so that the current directory is searched
    /// before the system directories (Microsoft, "Dynamic-link library search order").
    pub unsafe_search: bool,
    /// `LongPathsEnabled`: whether programs that support it may use paths of 260 characters and
    /// more (Microsoft, "Maximum Path Length Limitation").
    pub long_paths: Option<bool>,
    /// The VC++ redistributables that are installed according to the registry.
    pub registered_runtimes: Vec<RegisteredRuntime>,
    /// The processor's instruction sets that x64 programs can use, such as `avx` and `avx2`.
    pub instructions: Option<BTreeSet<String>>,
    /// The PATH of the machine and the user, which Windows gives to newly started programs.
    pub path: String,
}

/// A VC++ redistributable as registered by its installer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredRuntime {
    /// The machine for which it is built.
    pub machine: Machine,
    /// Its version, which is also that of its DLLs.
    pub version: FileVersion,
}

impl MachineFacts {
    /// Returns the directories of [`MachineFacts::path`].
    pub fn path_directories(&self) -> Vec<WinPath> {
        path_directories(&self.path)
    }

    /// Returns the version of the redistributable that is registered for a machine.
    pub fn registered_runtime(&self, machine: Machine) -> Option<FileVersion> {
        self.registered_runtimes.iter().find(|known| known.machine == machine).map(|known| known.version)
    }
}
