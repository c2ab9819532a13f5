//! Pythons that are registered (PEP 514), and the one of them that the launcher `py` starts.

use std::cmp::Reverse;

use crate::environment::PythonVersion;
use crate::host::{RegisteredPython, Registration};

use super::{Search, Sighting, Source, manager, store};

/// The company of python.org's installers.
const PYTHON_CORE: &str = "PythonCore";

/// All of them, the one that the launcher would start first.
pub(super) fn all(search: &Search<'_>) -> Vec<Sighting> {
    ordered(search).into_iter().map(sighting).collect()
}

/// The one that `py` starts: as `PY_PYTHON` or `py.ini` say, or else the newest (CPython, PC/launcher2.c).
pub(super) fn default(search: &Search<'_>) -> Option<Sighting> {
    let there: Vec<Sighting> = all(search).into_iter().filter(|one| search.is_file(&one.path)).collect();
    // The install manager's `py` has a variable of its own.
    let mut variables = ["PY_PYTHON", "PYTHON_MANAGER_DEFAULT"].into_iter();
    let wished = variables.find_map(|name| Some((search.variable(name)?.to_owned(), name.to_owned())));
    let wished = wished.or_else(|| {
        let users = search.users.iter().map(|user| user.local.join("py.ini"));
        let mut files = users.chain([search.host.windows_directory.join("py.ini")]);
        files.find_map(|file| Some((default_of(&search.text(&file)?)?, file.as_str().to_owned())))
    });
    let registered = ordered(search);
    let by_wish = wished.and_then(|(tag, by)| {
        let python =
            registered.iter().find(|python| is_of(python, &tag) && search.is_file(&python.executable))?;
        Some(Sighting { reason: format!("{by} says {tag}"), ..sighting(python) })
    });
    // Of a drive no registry is known, but the installs of the manager. The launcher asks the Store last.
    let newest = |one: Sighting| Sighting { reason: format!("what py starts ({})", one.reason), ..one };
    by_wish
        .or_else(|| there.into_iter().next().map(newest))
        .or_else(|| manager::default(search).map(newest))
        .or_else(|| store::all(search).into_iter().find(|one| !store::is_alias(&one.path)).map(newest))
}

fn sighting(python: &RegisteredPython) -> Sighting {
    Sighting::new(python.executable.clone(), Source::Registry, python.key())
}

/// python.org's first, then the newest, then as the `py` launcher compares tags: `3.14t` comes before `3.14`, and that before
/// `3.14-32` (`_compareTag` in PC/launcher2.c; python/cpython, issue 126467). The install manager's `py` takes the plain one.
fn ordered<'s>(search: &'s Search<'_>) -> Vec<&'s RegisteredPython> {
    let registered = search.host.registered_pythons.iter();
    let mut registered: Vec<&RegisteredPython> =
        registered.filter(|python| python.registration != Registration::Package).collect();
    registered.sort_by_cached_key(|python| {
        let (version, suffix) = version_of(&python.tag);
        let is_managed =
            python.executable.parent().is_some_and(|folder| manager::is_install(search, &folder));
        let (build, rest) = suffix.split_at(suffix.find('-').unwrap_or(suffix.len()));
        (
            python.company != PYTHON_CORE,
            Reverse(version),
            is_managed && !build.is_empty(),
            Reverse(build.to_owned()),
            rest.to_owned(),
            python.registration,
        )
    });
    registered
}

/// The version in a tag, and what follows it.
fn version_of(tag: &str) -> (Option<PythonVersion>, &str) {
    let end = tag.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tag.len());
    let (version, suffix) = tag.split_at(end);
    (version.parse().ok(), suffix)
}

/// Whether a tag as people write it (`3`, `3.11`, `3.11-32`, `PythonCore/3.11`, `V:3.11`) means this Python.
fn is_of(python: &RegisteredPython, wish: &str) -> bool {
    let wish = wish.trim().trim_start_matches("V:").trim_start_matches("-V:").trim_start_matches('-');
    let (company, tag) = wish.split_once('/').unwrap_or((PYTHON_CORE, wish));
    let rest = python.tag.strip_prefix(tag);
    python.company.eq_ignore_ascii_case(company)
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `python=` of the section `[defaults]`.
fn default_of(ini: &str) -> Option<String> {
    let lines = ini.trim_start_matches('\u{feff}').lines().map(str::trim);
    let section = lines.skip_while(|line| !line.eq_ignore_ascii_case("[defaults]")).skip(1);
    let mut entries =
        section.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    let (_, tag) = entries.find(|(name, _)| name.trim().eq_ignore_ascii_case("python"))?;
    Some(tag.trim().to_owned()).filter(|tag| !tag.is_empty())
}
