//! Pythons of the Python Install Manager (PEP 773), each in its own directory with a description.

use std::cmp::Reverse;
use std::str::FromStr;

use pep440_rs::Version;
use serde::Deserialize;

use crate::host::WinPath;

use super::users::User;
use super::{Candidate, Search, Source};

/// The file with the description of an install.
const DESCRIPTION: &str = "__install__.json";

/// The maximum size of a description or settings file in bytes. Real ones have a few thousand.
const MAX_BYTES: u64 = 1 << 20;

/// The fields of a description that are read (`_get_installs` in pymanager's installs.py).
#[derive(Deserialize)]
struct Description {
    schema: u32,
    company: String,
    #[serde(rename = "sort-version")]
    version: String,
    /// The path relative to the install's directory.
    executable: String,
}

/// The fields of the settings that are read. Users may edit this file.
#[derive(Deserialize)]
struct Settings {
    install_dir: String,
}

/// Returns all of them, starting with the one that `py` would start: a final release from
/// python.org, the newest (`_make_sort_key` in installs.py). Directories with a Python but without
/// a description come last.
pub(super) fn all(search: &Search<'_>) -> Vec<Candidate> {
    let mut installs = described(search);
    for folder in folders(search) {
        let pythons = search.folders_in(&folder).into_iter().filter(|inner| {
            let has_python_name = inner.file_name().to_ascii_lowercase().starts_with("python");
            let is_known = search.is_file(&inner.join(DESCRIPTION));
            has_python_name && !is_known && search.is_file(&inner.join("python.exe"))
        });
        installs.extend(pythons.map(|python| candidate(python, &folder)));
    }
    installs
}

/// Whether a directory is an install of the manager.
pub(super) fn is_install(search: &Search<'_>, folder: &WinPath) -> bool {
    search.is_file(&folder.join(DESCRIPTION))
}

/// Returns the install that `py` would start.
pub(super) fn default(search: &Search<'_>) -> Option<Candidate> {
    described(search).into_iter().find(|install| search.is_file(&install.path))
}

fn described(search: &Search<'_>) -> Vec<Candidate> {
    let mut installs = Vec::new();
    for folder in folders(search) {
        for inner in search.folders_in(&folder) {
            let description: Option<Description> = read(search, &inner.join(DESCRIPTION));
            let Some(install) = description.filter(|install| install.schema == 1) else { continue };
            let executable = inner.join(&install.executable).normalized();
            // A path outside of the directory isn't part of the install.
            if executable.below(&inner).is_none_or(str::is_empty) {
                continue;
            }
            let version = Version::from_str(&install.version).ok();
            let is_final = version.as_ref().is_some_and(|version| !version.any_prerelease());
            let is_other = !install.company.eq_ignore_ascii_case("PythonCore");
            installs.push(((!is_final, is_other, Reverse(version)), candidate(executable, &folder)));
        }
    }
    installs.sort_by(|(one, _), (other, _)| one.cmp(other));
    installs.into_iter().map(|(_, candidate)| candidate).collect()
}

fn candidate(path: WinPath, folder: &WinPath) -> Candidate {
    Candidate::new(path, Source::Manager, format!("in {folder}"))
}

/// Returns the directory of each user's installs: `install_dir` in
/// `%APPDATA%\Python\PyManager.json`, or `%LOCALAPPDATA%\Python`.
fn folders(search: &Search<'_>) -> Vec<WinPath> {
    let of_user = |user: &User| {
        let settings: Option<Settings> = read(search, &user.roaming.join(r"Python\PyManager.json"));
        let own = settings.and_then(|settings| expanded(&settings.install_dir, user));
        own.unwrap_or_else(|| user.local.join("Python"))
    };
    search.users.iter().map(of_user).collect()
}

/// Expands a path that may start with the variable of one of the user's directories. Returns `None`
/// unless the result is a full path on a drive.
fn expanded(path: &str, user: &User) -> Option<WinPath> {
    let known =
        [("%localappdata%", &user.local), ("%appdata%", &user.roaming), ("%userprofile%", &user.home)];
    let path = known
        .into_iter()
        .find_map(|(name, folder)| {
            let (start, rest) = path.split_at_checked(name.len())?;
            start.eq_ignore_ascii_case(name).then(|| folder.join(rest.trim_start_matches(['\\', '/'])))
        })
        .unwrap_or_else(|| WinPath::new(path));
    let is_on_server = [r"\\", "//"].iter().any(|start| path.as_str().starts_with(start));
    (path.is_absolute() && !is_on_server && !path.as_str().contains('%')).then(|| path.normalized())
}

fn read<T: for<'a> Deserialize<'a>>(search: &Search<'_>, file: &WinPath) -> Option<T> {
    if !search.is_file(file) || search.host.files.size(file).ok()? > MAX_BYTES {
        return None;
    }
    let text = search.text(file)?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
}
