//! What only a running machine tells: its registry and its processor. A folder that holds its drive says nothing of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::path::{WinPath, path_directories};
use crate::image::{FileVersion, Machine};

/// Not known, or as Windows comes, where no running machine was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    /// `SafeDllSearchMode` is switched off: the current directory is searched before the system's (Microsoft,
    /// "Dynamic-link library search order").
    pub unsafe_search: bool,
    /// `LongPathsEnabled`: programs that are made for it may use paths of 260 characters and more (Microsoft, "Maximum
    /// Path Length Limitation").
    pub long_paths: Option<bool>,
    /// The VC++ redistributables that the registry says are installed.
    pub registered_runtimes: Vec<RegisteredRuntime>,
    /// The instruction sets of the processor, as x64 programs find them: `avx`, `avx2`.
    pub instructions: Option<BTreeSet<String>>,
    /// PATH of the machine and of the user: what Windows gives to programs that are started anew.
    pub path: String,
}

/// A VC++ redistributable as its installer registers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredRuntime {
    /// The machine that it is for.
    pub machine: Machine,
    /// Its version, which is that of its DLLs.
    pub version: FileVersion,
}

impl Running {
    /// The directories of [`Running::path`].
    pub fn path_directories(&self) -> Vec<WinPath> {
        path_directories(&self.path)
    }

    /// The redistributable that is registered for a machine.
    pub fn registered_runtime(&self, machine: Machine) -> Option<FileVersion> {
        self.registered_runtimes.iter().find(|known| known.machine == machine).map(|known| known.version)
    }
}
