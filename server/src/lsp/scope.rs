//! A scope, which has one interpreter: a workspace folder, a notebook with a kernel, or everything
//! outside all folders.

use std::path::PathBuf;

use tower_lsp::lsp_types::Url;

use super::health::ScopeHealth;
use super::settings::Settings;
use crate::environment::{InterpreterSpec, Target};

/// A part of the editor's window for which one interpreter is selected.
pub struct Scope {
    /// The URI of the folder as the editor writes it, or of a notebook whose kernel is known;
    /// `None` for everything outside all folders.
    pub folder: Option<Url>,
    /// The path of the folder, if it is on a disk; for a notebook, that of the folder around it.
    pub path: Option<PathBuf>,
    /// Whether it is a notebook rather than a folder.
    pub is_notebook: bool,
    /// The settings of this folder, if the editor provides settings per folder.
    pub settings: Option<Settings>,
    /// The interpreter and machine to diagnose for it.
    pub target: Target,
    /// Whether its health is needed.
    pub in_use: bool,
    /// The health that was sent last.
    pub sent_health: Option<ScopeHealth>,
}

impl Scope {
    /// Creates a scope. That of a folder is in use from the start, the other one from its first
    /// document.
    pub fn new(folder: Option<Url>) -> Scope {
        let path = folder.as_ref().and_then(path_of);
        Scope {
            target: Target { interpreter: InterpreterSpec::Search(path.clone()), ..Target::default() },
            in_use: folder.is_some(),
            folder,
            path,
            is_notebook: false,
            settings: None,
            sent_health: None,
        }
    }

    /// Creates the scope of a notebook that runs in a Python of its own, within the scope `within`.
    pub fn of_notebook(uri: Url, within: &Scope) -> Scope {
        Scope {
            path: within.path.clone(),
            is_notebook: true,
            settings: within.settings.clone(),
            ..Scope::new(Some(uri))
        }
    }

    /// Returns how closely it contains a document, as the number of path components of its folder,
    /// or `None` if it doesn't contain it.
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

/// Returns the path of a `file:` URL.
pub fn path_of(url: &Url) -> Option<PathBuf> {
    (url.scheme() == "file").then(|| url.to_file_path().ok()).flatten()
}

/// Normalizes a path for comparison. Editors on Windows write the same drive as `C:`, `c:`, or
/// `c%3A`.
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
