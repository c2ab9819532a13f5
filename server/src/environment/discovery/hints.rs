//! Pythons that the files in a folder require.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use pep440_rs::{Version, VersionSpecifiers};
use sha2::{Digest, Sha256};

use crate::environment::Environment;
use crate::host::WinPath;

use super::{Candidate, Search, Source, conda, managed, manager, registry, store};

/// Returns the first existing Python that a file requires: an environment that Poetry, Pipenv, or
/// conda created for the folder, or else an interpreter of the required version.
pub(super) fn first(search: &Search<'_>) -> Option<Candidate> {
    let folder = search.folder.as_ref()?;
    let pyproject = folder.join("pyproject.toml");
    let project = search.text(&pyproject).and_then(|text| text.parse::<toml::Table>().ok());
    of_poetry(search, folder, project.as_ref())
        .or_else(|| of_pipenv(search, folder))
        .or_else(|| of_conda(search, folder))
        .or_else(|| of_version_file(search, folder))
        .or_else(|| {
            let required = project.as_ref()?.get("project")?.get("requires-python")?.as_str()?;
            let specifiers = VersionSpecifiers::from_str(required).ok()?;
            let fits = |python: &InstalledVersion| specifiers.contains(&python.version);
            of_version(search, fits, &format!("{pyproject} requires Python {required}"))
        })
}

/// Finds the environment that Poetry created. Its name consists of the project's name, a hash of
/// its folder (`generate_env_name` in poetry's env_manager.py), and the version of Python.
/// `envs.toml` says which one is in use.
fn of_poetry(search: &Search<'_>, folder: &WinPath, project: Option<&toml::Table>) -> Option<Candidate> {
    let project = project?;
    let of_tool = project.get("tool").and_then(|tool| tool.get("poetry"));
    if of_tool.is_none() && !search.is_file(&folder.join("poetry.lock")) {
        return None;
    }
    let name = [of_tool, project.get("project")]
        .into_iter()
        .flatten()
        .find_map(|table| table.get("name")?.as_str())?;
    let name: String = name
        .to_lowercase()
        .chars()
        .take(MAX_NAME_CHARS)
        .map(|c| if " $`!*@\"\\\r\n\t".contains(c) { '_' } else { c })
        .collect();
    // `os.path.normcase` on Windows.
    let hashed = folder.normalized().as_str().to_lowercase().replace('/', "\\");
    let hash = URL_SAFE.encode(Sha256::digest(hashed.as_bytes()));
    let name = format!("{name}-{}", hash.get(..8)?);
    for above in managed::poetry_folders(search) {
        let in_use = search.text(&above.join("envs.toml")).and_then(|text| text.parse::<toml::Table>().ok());
        let in_use =
            in_use.and_then(|table| Some(format!("{name}-py{}", table.get(&name)?.get("minor")?.as_str()?)));
        let mut made: Vec<WinPath> = search.folders_in(&above);
        made.retain(|path| {
            path.file_name()
                .strip_prefix(&name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("-py"))
        });
        made.sort_by_key(minor_of);
        let chosen = made.iter().find(|path| in_use.as_deref() == Some(path.file_name())).or(made.last());
        if let Some(path) = chosen {
            return Some(Candidate::new(
                path.clone(),
                Source::Hint,
                format!("created by Poetry for {folder}"),
            ));
        }
    }
    None
}

/// The number of characters to which Poetry truncates a name.
const MAX_NAME_CHARS: usize = 42;

/// Returns 11 for `name-Hash-py3.11`.
fn minor_of(path: &WinPath) -> u32 {
    path.file_name().rsplit_once('.').and_then(|(_, minor)| minor.parse().ok()).unwrap_or(0)
}

/// Finds the environment of Pipenv or virtualenvwrapper. They write the folder to which an
/// environment belongs to its file `.project`.
fn of_pipenv(search: &Search<'_>, folder: &WinPath) -> Option<Candidate> {
    let above = managed::virtualenv_folders(search).into_iter();
    let made =
        above.flat_map(|above| search.environments_in(&above, Source::Hint)).map(|candidate| candidate.path);
    let is_for = |path: &WinPath| {
        search
            .text(&path.join(".project"))
            .is_some_and(|text| WinPath::new(text.trim()).normalized() == folder.normalized())
    };
    let path = made.into_iter().find(is_for)?;
    Some(Candidate::new(path, Source::Hint, format!("created for {folder}")))
}

/// Finds the environment in the `name:` line of an `environment.yml`.
fn of_conda(search: &Search<'_>, folder: &WinPath) -> Option<Candidate> {
    let mut files = ["environment.yml", "environment.yaml"].into_iter().map(|name| folder.join(name));
    files.find_map(|file| {
        let text = search.text(&file)?;
        let name = text.lines().find_map(|line| line.strip_prefix("name:"))?;
        let name = name.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        let path = conda::named(search, name)?;
        Some(Candidate::new(path, Source::Hint, format!("{file} names the environment {name}")))
    })
}

/// Finds an interpreter for the first version in `.python-version` that is installed. A version can
/// be `3.11`, `3.11.4`, `cpython-3.11`, or, for a free-threaded build, `3.14t` or
/// `3.14+freethreaded`.
fn of_version_file(search: &Search<'_>, folder: &WinPath) -> Option<Candidate> {
    let file = folder.join(".python-version");
    let text = search.text(&file)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.take(MAX_VERSIONS).find_map(|line| {
        let requested = line.trim_start_matches(|c: char| !c.is_ascii_digit());
        let tag = requested.split(['-', '+']).next()?;
        let number = tag.trim_end_matches('t');
        let free_threaded = number != tag || requested.contains("+freethreaded");
        let requested = Version::from_str(number).ok()?;
        let fits = |python: &InstalledVersion| {
            python.version.release().starts_with(requested.release())
                && !(free_threaded && python.gil_enabled)
        };
        of_version(search, fits, &format!("{file} says {line}"))
    })
}

const MAX_VERSIONS: usize = 20;

/// The version of an interpreter, ordered by preference: the newest, and of one version the
/// GIL-enabled build, as in uv.
#[derive(PartialEq, PartialOrd)]
struct InstalledVersion {
    version: Version,
    gil_enabled: bool,
}

/// Returns a matching interpreter: one of pyenv's or uv's, which are installed for this purpose, or
/// else a registered one or one of the install manager's.
fn of_version(
    search: &Search<'_>,
    fits: impl Fn(&InstalledVersion) -> bool,
    reason: &str,
) -> Option<Candidate> {
    let mut fitting: Option<(InstalledVersion, Candidate)> = None;
    let groups =
        [managed::interpreters(search), registry::all(search), manager::all(search), store::all(search)];
    for group in groups {
        for candidate in group {
            let Ok(environment) = Environment::on(&candidate.path, search.host) else { continue };
            let Ok(version) = Version::from_str(&environment.version.to_string()) else { continue };
            let installed = InstalledVersion { version, gil_enabled: !environment.free_threaded };
            if fits(&installed) && fitting.as_ref().is_none_or(|(known, _)| *known < installed) {
                fitting = Some((installed, candidate));
            }
        }
        if let Some((_, candidate)) = fitting {
            return Some(Candidate {
                source: Source::Hint,
                reason: format!("{reason} ({})", candidate.reason),
                ..candidate
            });
        }
    }
    None
}
