//! A workspace folder, or all that is outside of every folder: what has an interpreter of its own.

use std::path::PathBuf;

use tower_lsp::lsp_types::Url;

use super::analysis::Target;
use super::health::Health;
use super::interpreter::Choice;
use super::settings::Settings;

/// A part of the editor's window for which one interpreter is selected.
pub struct Scope {
    /// The folder as the editor names it, or a notebook whose kernel is known; none for what is outside of every folder.
    pub folder: Option<Url>,
    /// Where that folder is, if it is on a disk; of a notebook, the folder that it is in.
    pub path: Option<PathBuf>,
    /// It is a notebook, and not a folder.
    pub is_notebook: bool,
    /// The settings of this folder, if the editor tells each folder's.
    pub settings: Option<Settings>,
    /// What is to be diagnosed for it.
    pub target: Target,
    /// Somebody wants to know how its environment is.
    pub in_use: bool,
    /// What was told of its environment last.
    pub told: Option<Health>,
}

impl Scope {
    /// A folder's is in use as soon as it is open; the other one with its first document.
    pub fn new(folder: Option<Url>) -> Scope {
        let path = folder.as_ref().and_then(path_of);
        Scope {
            target: Target { interpreter: Choice::Sought(path.clone()), host: None, search_path: None },
            in_use: folder.is_some(),
            folder,
            path,
            is_notebook: false,
            settings: None,
            told: None,
        }
    }

    /// A notebook that runs in a Python of its own, within this scope.
    pub fn of_notebook(uri: Url, within: &Scope) -> Scope {
        Scope {
            path: within.path.clone(),
            is_notebook: true,
            settings: within.settings.clone(),
            ..Scope::new(Some(uri))
        }
    }

    /// How closely it holds a document: the number of path components of its folder. None if it does
    /// not.
    pub fn holds(&self, document: &Url) -> Option<usize> {
        match (&self.folder, &self.path) {
            (notebook, _) if self.is_notebook => (notebook.as_ref() == Some(document)).then_some(usize::MAX),
            (None, _) => Some(0),
            (Some(_), Some(folder)) => {
                let folder = comparable(folder.clone());
                let held = comparable(path_of(document)?).starts_with(&folder);
                held.then(|| folder.components().count())
            }
            (Some(_), None) => None,
        }
    }
}

/// The path of a `file:` address.
pub fn path_of(address: &Url) -> Option<PathBuf> {
    (address.scheme() == "file").then(|| address.to_file_path().ok()).flatten()
}

/// Editors on Windows write one drive as `C:`, `c:` and `c%3A`.
fn comparable(path: PathBuf) -> PathBuf {
    if cfg!(windows) { PathBuf::from(path.to_string_lossy().to_lowercase()) } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(folder: &str, document: &str) -> Option<usize> {
        Scope::new(Some(Url::parse(folder).unwrap())).holds(&Url::parse(document).unwrap())
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_holds_what_is_below_it() {
        assert_eq!(holds("file:///home/me/a", "file:///home/me/a/b/main.py"), Some(4));
        assert_eq!(holds("file:///home/me/a%20b/", "file:///home/me/a b/main.py"), Some(4));
        assert_eq!(holds("file:///home/me/a", "file:///home/me/ab/main.py"), None);
        assert_eq!(holds("file:///home/me/a", "untitled:Untitled-1"), None);
        assert_eq!(holds("file:///c%3A/work", "file:///c:/work/main.py"), Some(3));
        assert_eq!(Scope::new(None).holds(&Url::parse("untitled:Untitled-1").unwrap()), Some(0));
    }

    #[test]
    #[cfg(windows)]
    fn a_drive_is_written_in_several_ways() {
        assert!(holds("file:///c%3A/Work", "file:///C:/work/main.py").is_some());
        assert!(holds("file:///c%3A/Work", "file:///D:/work/main.py").is_none());
    }
}
