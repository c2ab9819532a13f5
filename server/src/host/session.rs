//! The Pythons of the session that WhyDLL runs in: an activated environment, and the first Python
//! on its PATH.

use std::path::PathBuf;

/// Returns the directory of the activated environment. venv's `activate` sets `VIRTUAL_ENV`, and
/// conda's sets `CONDA_PREFIX`.
pub fn activated() -> Option<PathBuf> {
    let variables = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter();
    variables.filter_map(std::env::var_os).find(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Returns the program that `python` starts in this session.
pub fn python_on_path() -> Option<PathBuf> {
    which::which("python").or_else(|_| which::which("python3")).ok()
}

/// Expands `~` at the start of a path to the user's home directory.
pub fn expand_home(path: &str) -> PathBuf {
    let below = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    match (below, std::env::home_dir()) {
        (Some(""), Some(home)) => home,
        (Some(below), Some(home)) => home.join(below.trim_start_matches(['/', '\\'])),
        _ => PathBuf::from(path),
    }
}
