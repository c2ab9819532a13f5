//! Which interpreter is a folder's.
//!
//! The one that the user told us to use, else the one of the setting, else the one that was selected in the editor:
//! [`Choice::Named`]. Else the one that [`discovery`] finds for the folder: [`Choice::Sought`].

use std::path::{Path, PathBuf};

use crate::environment::discovery;
use crate::host::WinPath;

/// How the interpreter is to be had. Looked up by an analysis only: a folder can be on a slow disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Choice {
    /// An interpreter, or the folder of an environment.
    Named(PathBuf),
    /// Whichever is found for this folder.
    Sought(Option<PathBuf>),
}

impl Choice {
    /// A path as a person writes it into settings; a relative one starts at `folder`.
    pub fn named(text: &str, folder: Option<&Path>) -> Choice {
        let text = expanded(text, folder);
        match folder {
            Some(folder) if !WinPath::new(text.as_str()).is_absolute() => Choice::Named(folder.join(text)),
            _ => Choice::Named(PathBuf::from(text)),
        }
    }

    /// The path, if it was named.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Choice::Named(path) => Some(path),
            Choice::Sought(_) => None,
        }
    }

    /// The folders in which an environment may appear that would be chosen.
    pub fn sought_in(&self) -> Vec<PathBuf> {
        match self {
            Choice::Sought(Some(folder)) => {
                let own = discovery::USUAL.iter().map(|name| folder.join(name)).chain([folder.clone()]);
                own.chain(folder.ancestors().skip(1).map(|above| above.join(discovery::USUAL[0]))).collect()
            }
            Choice::Named(_) | Choice::Sought(None) => Vec::new(),
        }
    }

    /// Finds the interpreter, or the folder of its environment, on the machine that `--host` would name so.
    pub fn find(&self, host: Option<&str>) -> Option<PathBuf> {
        match self {
            Choice::Named(path) => Some(path.clone()),
            Choice::Sought(folder) => discovery::meant_in(folder.as_deref(), host, None),
        }
    }
}

/// With the folder and the user's home in the place of what stands for them.
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
    fn paths_as_people_write_them() {
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
        let sought = Choice::Sought(Some(folder.path().to_owned()));
        assert_eq!(sought.find(None), Some(folder.path().join("venv")));
        fs::write(folder.path().join(".venv/pyvenv.cfg"), "").unwrap();
        assert_eq!(sought.find(None), Some(folder.path().join(".venv")));
    }
}
