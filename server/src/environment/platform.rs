//! The operating system that a Python runs on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Environment, EnvironmentKind, Origin, PathEntry, PythonVersion, distributions};
use crate::host::{Files, WinPath};
use crate::image::Machine;

/// The operating system that an analysed program sees. It is Windows, except in tests: how imports
/// are followed doesn't depend on Windows, and can be compared with a real Python on Linux. Then
/// the program sees Linux, and every native load succeeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Windows, the default.
    #[default]
    Windows,
    /// Linux, in tests only.
    Linux,
}

impl Environment {
    /// Describes a Python on x86-64 Linux from its own `sys.executable`, version, `sys.prefix`, and
    /// `sys.path`.
    pub fn of_linux(
        interpreter: WinPath,
        version: PythonVersion,
        prefix: WinPath,
        sys_path: Vec<WinPath>,
        files: &dyn Files,
    ) -> Environment {
        let entry = |path| PathEntry { path, origin: Origin::PythonPath };
        let sys_path: Vec<PathEntry> = sys_path.into_iter().map(entry).collect();
        let mut notes = Vec::new();
        let distributions = distributions::installed(&sys_path, None, files, &mut notes);
        Environment {
            platform: Platform::Linux,
            kind: EnvironmentKind::Installed,
            base_kind: EnvironmentKind::Installed,
            version,
            machine: Machine::X64,
            free_threaded: false,
            debug: false,
            application_directory: interpreter.parent().unwrap_or_else(|| prefix.clone()),
            python_dll: interpreter.clone(),
            selected: interpreter.clone(),
            program: interpreter.clone(),
            launcher_directory: None,
            interpreter,
            base_prefix: prefix.clone(),
            prefix,
            site_packages: sys_path.iter().map(|entry| entry.path.clone()).collect(),
            sys_path,
            editable: BTreeMap::new(),
            isolated: false,
            site: true,
            user_site: None,
            distributions,
            notes,
        }
    }
}
