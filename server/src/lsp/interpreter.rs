//! The interpreter of a folder.
//!
//! In order of precedence: the one that the user ordered by a command, the one of the setting, and
//! the one that is selected in the editor ([`Choice::Named`]); otherwise the one that [`discovery`]
//! finds for the folder ([`Choice::Search`]).

use std::path::{Path, PathBuf};

use crate::environment::discovery;
use crate::host::WinPath;

/// The interpreter to use, or where to search for it. Only an analysis resolves it, because a
/// folder can be on a slow disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Choice {
    /// An interpreter, or the folder of an environment.
    Named(PathBuf),
    /// The interpreter that is found for this folder.
    Search(Option<PathBuf>),
}

impl Choice {
    /// Parses a path from the settings. A relative one starts at `folder`.
    pub fn named(text: &str, folder: Option<&Path>) -> Choice {
        let text = expanded(text, folder);
        match folder {
            Some(folder) if !WinPath::new(text.as_str()).is_absolute() => Choice::Named(folder.join(text)),
            _ => Choice::Named(PathBuf::from(text)),
        }
    }

    /// Returns the path, if it was named.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Choice::Named(path) => Some(path),
            Choice::Search(_) => None,
        }
    }

    /// Returns the folders in which a new environment would be found.
    pub fn candidate_folders(&self) -> Vec<PathBuf> {
        match self {
            Choice::Search(Some(folder)) => {
                let own = discovery::USUAL.iter().map(|name| folder.join(name)).chain([folder.clone()]);
                own.chain(folder.ancestors().skip(1).map(|above| above.join(discovery::USUAL[0]))).collect()
            }
            Choice::Named(_) | Choice::Search(None) => Vec::new(),
        }
    }

    /// Finds the interpreter, or the folder of its environment, on the machine `host`, a value of
    /// `--host`.
    pub fn find(&self, host: Option<&str>) -> Option<PathBuf> {
        match self {
            Choice::Named(path) => Some(path.clone()),
            Choice::Search(folder) => discovery::selected_in(folder.as_deref(), host, None),
        }
    }
}

/// Expands `${workspaceFolder}` and a leading `~`.
pub fn expanded(text: &str, folder: Option<&Path>) -> String {
    let mut text = text.to_owned();
    if let Some(folder) = folder {
        text = text.replace("${workspaceFolder}", &folder.to_string_lossy());
    }
    let below_home = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    match (below_home, std::env::home_dir()) {
        (Some(rest), Some(home)) => format!("{}{rest}", home.display()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn paths_of_settings_are_expanded() {
        let folder = Path::new("/work");
        let named = |text| Choice::named(text, Some(folder)).find(None).unwrap();
        assert_eq!(named("env"), Path::new("/work/env"));
        assert_eq!(named("${workspaceFolder}/env/python.exe"), Path::new("/work/env/python.exe"));
        assert_eq!(named("/opt/env"), Path::new("/opt/env"));
        assert_eq!(named(r"C:\env"), Path::new(r"C:\env"));
        assert_ne!(named("~/env"), Path::new("/work/~/env"));
    }

    #[test]
    fn the_environment_in_the_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".venv")).unwrap();
        fs::create_dir_all(folder.path().join("venv/Scripts")).unwrap();
        fs::write(folder.path().join("venv/Scripts/python.exe"), "").unwrap();
        let search = Choice::Search(Some(folder.path().to_owned()));
        assert_eq!(search.find(None), Some(folder.path().join("venv")));
        fs::write(folder.path().join(".venv/pyvenv.cfg"), "").unwrap();
        assert_eq!(search.find(None), Some(folder.path().join(".venv")));
    }
}
