//! Pythons that uv and pyenv-win install, and environments that Poetry, Pipenv, and
//! virtualenvwrapper keep in one directory.

use crate::environment::{Environment, PythonVersion};
use crate::host::WinPath;

use super::{Candidate, Search, Source};

/// Returns all of them.
pub(super) fn all(search: &Search<'_>) -> Vec<Candidate> {
    let mut found = interpreters(search);
    for folder in poetry_folders(search) {
        found.extend(search.environments_in(&folder, Source::Poetry));
    }
    for folder in virtualenv_folders(search) {
        found.extend(search.environments_in(&folder, Source::Virtualenvs));
    }
    found
}

/// Returns the Pythons that uv and pyenv-win installed.
pub(super) fn interpreters(search: &Search<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let of_uv = search.variable("UV_PYTHON_INSTALL_DIR").map(WinPath::new).into_iter();
    for folder in of_uv.chain(search.users.iter().map(|user| user.roaming.join(r"uv\python"))) {
        let installed = search.environments_in(&folder, Source::Uv);
        let names: Vec<Install<'_>> =
            installed.iter().filter_map(|one| Install::of(one.path.file_name())).collect();
        let is_link = |one: &&Candidate| {
            let link = Install::of(one.path.file_name());
            link.is_some_and(|link| names.iter().any(|install| link.leads_to(install)))
        };
        found.extend(installed.iter().filter(|one| !is_link(one)).cloned());
    }
    for folder in pyenv_versions(search) {
        found.extend(search.environments_in(&folder, Source::Pyenv));
    }
    found
}

/// Returns the interpreter under the name of its install, if it was reached through one of uv's
/// links.
pub(super) fn link_target(search: &Search<'_>, python: &Environment) -> Option<WinPath> {
    let folder = python.interpreter.parent()?;
    let link = Install::of(folder.file_name()).filter(|link| link.number.matches('.').count() == 1)?;
    let installs = search.folders_in(&folder.parent()?).into_iter();
    let mut installs = installs.filter(|install| {
        let install = Install::of(install.file_name()).filter(|install| link.leads_to(install));
        install.and_then(|install| PythonVersion::from_prefix(install.number)) == Some(python.version)
    });
    installs.next().map(|install| install.join(python.interpreter.file_name()))
}

/// The parts of the name of a uv install: `cpython-3.14.0+freethreaded-windows-x86_64-none`.
struct Install<'a> {
    implementation: &'a str,
    number: &'a str,
    variant: &'a str,
    platform: &'a str,
}

impl Install<'_> {
    fn of(name: &str) -> Option<Install<'_>> {
        let (implementation, rest) = name.split_once('-')?;
        let (version, platform) = rest.split_once('-')?;
        let (number, variant) = version.split_once('+').unwrap_or((version, ""));
        Some(Install { implementation, number, variant, platform })
    }

    /// Whether this is the name of a link to an install of the same minor version
    /// (`PythonMinorVersionLink` in uv's managed.rs): `cpython-3.11-windows-x86_64-none` links to
    /// the newest `cpython-3.11.9-windows-x86_64-none`. A link appears as the directory that it
    /// links to, so only the names distinguish them.
    fn leads_to(&self, install: &Install<'_>) -> bool {
        let rest = install.number.strip_prefix(self.number);
        (self.implementation, self.variant, self.platform)
            == (install.implementation, install.variant, install.platform)
            && rest.is_some_and(|rest| rest.starts_with('.'))
    }
}

/// Returns `~\.pyenv\pyenv-win\versions`, or the directory in pyenv's variables.
fn pyenv_versions(search: &Search<'_>) -> Vec<WinPath> {
    let by_variable =
        ["PYENV", "PYENV_ROOT"].into_iter().filter_map(|name| search.variable(name)).map(WinPath::new);
    let of_users = search.users.iter().map(|user| user.home.join(r".pyenv\pyenv-win"));
    let mut folders: Vec<WinPath> = by_variable.chain(of_users).map(|root| root.join("versions")).collect();
    folders.dedup();
    folders
}

/// Returns the directories in which Poetry creates environments: `virtualenvs.path`, which by
/// default is below its cache (poetry's config.py).
pub(super) fn poetry_folders(search: &Search<'_>) -> Vec<WinPath> {
    let mut folders: Vec<WinPath> =
        search.variable("POETRY_VIRTUALENVS_PATH").map(WinPath::new).into_iter().collect();
    folders.extend(search.variable("POETRY_CACHE_DIR").map(|cache| WinPath::new(cache).join("virtualenvs")));
    for user in &search.users {
        let settings = search.text(&user.roaming.join(r"pypoetry\config.toml"));
        let settings = settings.and_then(|text| text.parse::<toml::Table>().ok());
        let own = settings.as_ref().and_then(|table| table.get("virtualenvs")?.get("path")?.as_str());
        // A path with a placeholder is Poetry's default in another notation.
        folders.extend(own.filter(|path| !path.contains('{')).map(WinPath::new));
        folders.push(user.local.join(r"pypoetry\Cache\virtualenvs"));
    }
    folders
}

/// Returns the directories in which Pipenv and virtualenvwrapper create environments:
/// `WORKON_HOME`, `~\.virtualenvs`, or `~\Envs`.
pub(super) fn virtualenv_folders(search: &Search<'_>) -> Vec<WinPath> {
    let by_variable = search.variable("WORKON_HOME").map(WinPath::new).into_iter();
    let of_users =
        search.users.iter().flat_map(|user| [".virtualenvs", "Envs"].map(|name| user.home.join(name)));
    by_variable.chain(of_users).collect()
}
