//! What the session that we run in says of Python: an activated environment, and the first Python on its PATH.

use std::path::PathBuf;

/// The folder of the environment that is activated here: venv's `activate` sets `VIRTUAL_ENV`, conda's `CONDA_PREFIX`.
pub fn activated() -> Option<PathBuf> {
    let variables = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter();
    variables.filter_map(std::env::var_os).find(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// What `python` starts here.
pub fn python_on_path() -> Option<PathBuf> {
    which::which("python").or_else(|_| which::which("python3")).ok()
}

/// A path as this system knows it: `~` is the home folder.
pub fn at_home(path: &str) -> PathBuf {
    let below = path.strip_prefix("~\\").or_else(|| path.strip_prefix("~/"));
    match (below, std::env::home_dir()) {
        (Some(below), Some(home)) => home.join(below),
        _ => PathBuf::from(path),
    }
}
