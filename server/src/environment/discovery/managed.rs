//! Pythons that uv and pyenv-win install, and environments that Poetry, Pipenv and virtualenvwrapper keep in one folder.

use crate::host::WinPath;

use super::{Search, Sighting, Source};

/// All of them.
pub(super) fn all(search: &Search<'_>) -> Vec<Sighting> {
    let mut found = interpreters(search);
    for folder in poetry_folders(search) {
        found.extend(search.environments_in(&folder, Source::Poetry));
    }
    for folder in virtualenv_folders(search) {
        found.extend(search.environments_in(&folder, Source::Virtualenvs));
    }
    found
}

/// The Pythons that uv and pyenv-win installed.
pub(super) fn interpreters(search: &Search<'_>) -> Vec<Sighting> {
    let mut found = Vec::new();
    let of_uv = search.variable("UV_PYTHON_INSTALL_DIR").map(WinPath::new).into_iter();
    for folder in of_uv.chain(search.users.iter().map(|user| user.roaming.join(r"uv\python"))) {
        let installed = search.environments_in(&folder, Source::Uv);
        let is_link = |one: &&Sighting| {
            let mut others = installed.iter();
            others.any(|other| is_minor_version_link(one.path.file_name(), other.path.file_name()))
        };
        found.extend(installed.iter().filter(|one| !is_link(one)).cloned());
    }
    for folder in pyenv_versions(search) {
        found.extend(search.environments_in(&folder, Source::Pyenv));
    }
    found
}

/// Whether uv links to `target` by this name: `cpython-3.11-windows-x86_64-none` to the newest of the
/// installs `cpython-3.11.9-windows-x86_64-none` (`PythonMinorVersionLink` in uv's managed.rs). A link counts
/// as the folder that it leads to, so that this cannot be told from the files.
fn is_minor_version_link(name: &str, target: &str) -> bool {
    fn parts(name: &str) -> Option<(&str, &str, &str)> {
        let (implementation, rest) = name.split_once('-')?;
        let (version, platform) = rest.split_once('-')?;
        Some((implementation, version, platform))
    }
    let (Some(link), Some(target)) = (parts(name), parts(target)) else { return false };
    // `3.14+freethreaded` leads to `3.14.0+freethreaded`.
    let variant = |version: &str| version.split_once('+').map(|(_, variant)| variant.to_owned());
    let number = |version: &str| version.split('+').next().unwrap_or_default().to_owned();
    link.0 == target.0
        && link.2 == target.2
        && variant(link.1) == variant(target.1)
        && number(target.1).strip_prefix(&number(link.1)).is_some_and(|rest| rest.starts_with('.'))
}

/// `~\.pyenv\pyenv-win\versions`, or where its variables say.
fn pyenv_versions(search: &Search<'_>) -> Vec<WinPath> {
    let by_variable =
        ["PYENV", "PYENV_ROOT"].into_iter().filter_map(|name| search.variable(name)).map(WinPath::new);
    let of_users = search.users.iter().map(|user| user.home.join(r".pyenv\pyenv-win"));
    let mut folders: Vec<WinPath> = by_variable.chain(of_users).map(|root| root.join("versions")).collect();
    folders.dedup();
    folders
}

/// Where Poetry makes environments: `virtualenvs.path`, which is below its cache (poetry's config.py).
pub(super) fn poetry_folders(search: &Search<'_>) -> Vec<WinPath> {
    let mut folders: Vec<WinPath> =
        search.variable("POETRY_VIRTUALENVS_PATH").map(WinPath::new).into_iter().collect();
    folders.extend(search.variable("POETRY_CACHE_DIR").map(|cache| WinPath::new(cache).join("virtualenvs")));
    for user in &search.users {
        let settings = search.text(&user.roaming.join(r"pypoetry\config.toml"));
        let settings = settings.and_then(|text| text.parse::<toml::Table>().ok());
        let own = settings.as_ref().and_then(|table| table.get("virtualenvs")?.get("path")?.as_str());
        // With a placeholder it is Poetry's usual place in other words.
        folders.extend(own.filter(|path| !path.contains('{')).map(WinPath::new));
        folders.push(user.local.join(r"pypoetry\Cache\virtualenvs"));
    }
    folders
}

/// Where Pipenv and virtualenvwrapper make environments: `WORKON_HOME`, or `~\.virtualenvs`, or `~\Envs`.
pub(super) fn virtualenv_folders(search: &Search<'_>) -> Vec<WinPath> {
    let by_variable = search.variable("WORKON_HOME").map(WinPath::new).into_iter();
    let of_users =
        search.users.iter().flat_map(|user| [".virtualenvs", "Envs"].map(|name| user.home.join(name)));
    by_variable.chain(of_users).collect()
}
