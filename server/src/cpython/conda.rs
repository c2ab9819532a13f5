//! Conda's patched Python: it searches the folders of its prefix by default, or PATH if a variable
//! is set.
//!
//! Source: `Add-CondaEcosystemModifyDllSearchPath.patch` in conda-forge's python-feedstock. Both of
//! its functions call AddDllDirectory from the last directory to the first, so that the first is
//! searched first.

use super::Interpreter;
use crate::environment::EnvironmentKind;
use crate::host::WinPath;
use crate::loader::LoadFlags;

/// The searched folders below the prefix, in search order.
pub const CONDA_FOLDERS: [&str; 5] =
    ["Library\\mingw-w64\\bin", "Library\\usr\\bin", "Library\\bin", "Scripts", "bin"];

/// The variable that enables the search of PATH, unless its value is `0`.
const ENABLE: &str = "CONDA_DLL_SEARCH_MODIFICATION_ENABLE";

/// The PATH and current directory for which directories were added.
#[derive(Clone, PartialEq)]
pub(super) struct SearchState {
    path: Option<String>,
    current: Option<WinPath>,
}

impl Interpreter<'_> {
    fn is_conda(&self) -> bool {
        self.environment.base_kind == EnvironmentKind::Conda && !self.searches_path()
    }

    fn searches_path_on_demand(&self) -> bool {
        self.process.variable(ENABLE).is_some_and(|value| value != "0")
    }

    /// Implements `CondaEcosystemModifyDllSearchPath_Init`, which runs at startup unless PATH is to
    /// be searched.
    pub(super) fn start_conda(&mut self) {
        if self.is_conda() && !self.searches_path_on_demand() {
            self.add_prefix(&[]);
        }
    }

    /// Implements `CondaEcosystemModifyDllSearchPath`, which runs before each extension module if
    /// PATH is to be searched and has changed. Directories are searched in the reverse order of
    /// their addition: Windows, the current directory, the prefix, PATH.
    pub(super) fn resync_conda(&mut self) {
        if !self.is_conda() || !self.searches_path_on_demand() {
            return;
        }
        let now = SearchState {
            path: self.process.variable("PATH").map(str::to_owned),
            current: self.process.current_directory().cloned(),
        };
        if self.conda.as_ref() == Some(&now) {
            return;
        }
        let on_path = self.process.path_directories().to_vec();
        self.process.set_dll_directory(None);
        if now.path.is_some() {
            self.process.set_default_directories(LoadFlags::SEARCH_DEFAULT_DIRS);
        }
        for directory in on_path.iter().rev() {
            self.add(directory.clone(), "conda's Python, from PATH");
        }
        self.add_prefix(&on_path);
        if let Some(current) = &now.current {
            self.add(current.clone(), "conda's Python, the current directory");
        }
        self.add(self.process.host().windows_directory.clone(), "conda's Python");
        self.conda = Some(now);
    }

    fn add_prefix(&mut self, known: &[WinPath]) {
        for tail in CONDA_FOLDERS.iter().rev() {
            let directory = self.environment.base_prefix.join(tail);
            if !known.contains(&directory) {
                self.add(directory, "conda's Python");
            }
        }
    }

    /// Adds a directory if it exists. AddDllDirectory rejects missing ones.
    fn add(&mut self, directory: WinPath, by: &str) {
        if self.process.host().files.is_folder(&directory) {
            self.process.add_dll_directory(directory, by.to_owned());
        }
    }
}
