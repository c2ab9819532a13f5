//! Paths in the settings.
//!
//! The interpreter of a folder is, in order of precedence, the one that the user ordered by a
//! command, the one of the setting, and the one that is selected in the editor
//! ([`InterpreterSpec::Named`]); otherwise the one that is found for the folder
//! ([`InterpreterSpec::Search`]).

use std::path::{Path, PathBuf};

use crate::environment::InterpreterSpec;
use crate::host::WinPath;
use crate::host::session::expand_home;

/// Parses the path of an interpreter from the settings. A relative one starts at `folder`.
pub fn named(text: &str, folder: Option<&Path>) -> InterpreterSpec {
    let text = expanded(text, folder);
    match folder {
        Some(folder) if !WinPath::new(text.as_str()).is_absolute() => {
            InterpreterSpec::Named(folder.join(text))
        }
        _ => InterpreterSpec::Named(PathBuf::from(text)),
    }
}

/// Expands `${workspaceFolder}` and a leading `~`.
pub fn expanded(text: &str, folder: Option<&Path>) -> String {
    let text = match folder {
        Some(folder) => text.replace("${workspaceFolder}", &folder.to_string_lossy()),
        None => text.to_owned(),
    };
    expand_home(&text).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_settings_are_expanded() {
        let folder = Path::new("/work");
        let named = |text| named(text, Some(folder)).path().unwrap().to_owned();
        assert_eq!(named("env"), Path::new("/work/env"));
        assert_eq!(named("${workspaceFolder}/env/python.exe"), Path::new("/work/env/python.exe"));
        assert_eq!(named("/opt/env"), Path::new("/opt/env"));
        assert_eq!(named(r"C:\env"), Path::new(r"C:\env"));
        assert_ne!(named("~/env"), Path::new("/work/~/env"));
        assert_ne!(named("~"), Path::new("/work/~"));
    }
}
