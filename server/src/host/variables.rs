//! The environment variables that show where environments are.

/// The names of the variables that the search for environments reads, in upper case. Of the
/// variables of a session, only these and those that decide loads are kept, because others may
/// contain secrets.
pub const OF_ENVIRONMENTS: [&str; 13] = [
    "CONDA_ENVS_DIRS",
    "CONDA_ENVS_PATH",
    "CONDA_EXE",
    "MAMBA_ROOT_PREFIX",
    "PIXI_HOME",
    "POETRY_CACHE_DIR",
    "POETRY_VIRTUALENVS_PATH",
    "PYENV",
    "PYENV_ROOT",
    "PYTHON_MANAGER_DEFAULT",
    "PY_PYTHON",
    "UV_PYTHON_INSTALL_DIR",
    "WORKON_HOME",
];
