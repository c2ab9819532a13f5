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
