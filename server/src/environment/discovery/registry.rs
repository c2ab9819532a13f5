//! Registered Pythons (PEP 514), and the one that the launcher `py` starts.

use std::cmp::Reverse;

use crate::environment::PythonVersion;
use crate::host::{RegisteredPython, Registration};

use super::{Candidate, Search, Source, manager, store};

/// The company name of python.org's installers.
const PYTHON_CORE: &str = "PythonCore";

/// Returns all of them, starting with the one that the launcher would start.
pub(super) fn all(search: &Search<'_>) -> Vec<Candidate> {
    ordered(search).into_iter().map(candidate).collect()
}

/// Returns the Python that `py` starts: the one in `PY_PYTHON` or `py.ini`, or else the newest
/// (CPython, PC/launcher2.c).
pub(super) fn default(search: &Search<'_>) -> Option<Candidate> {
    let existing: Vec<Candidate> = all(search).into_iter().filter(|one| search.is_file(&one.path)).collect();
    // The install manager's `py` has its own variable.
    let mut variables = ["PY_PYTHON", "PYTHON_MANAGER_DEFAULT"].into_iter();
    let requested = variables.find_map(|name| Some((search.variable(name)?.to_owned(), name.to_owned())));
    let requested = requested.or_else(|| {
        let users = search.users.iter().map(|user| user.local.join("py.ini"));
        let mut files = users.chain([search.host.windows_directory.join("py.ini")]);
        files.find_map(|file| Some((default_of(&search.text(&file)?)?, file.as_str().to_owned())))
    });
    let registered = ordered(search);
    let by_request = requested.and_then(|(tag, by)| {
        let python = registered
            .iter()
            .find(|python| matches_tag(python, &tag) && search.is_file(&python.executable))?;
        Some(Candidate { reason: format!("{by} says {tag}"), ..candidate(python) })
    });
    // The registry of a drive isn't known, but the manager's installs are. The launcher tries the
    // Store last.
    let newest = |one: Candidate| Candidate { reason: format!("started by py ({})", one.reason), ..one };
    by_request
        .or_else(|| existing.into_iter().next().map(newest))
        .or_else(|| manager::default(search).map(newest))
        .or_else(|| store::all(search).into_iter().find(|one| !store::is_alias(&one.path)).map(newest))
}

fn candidate(python: &RegisteredPython) -> Candidate {
    Candidate::new(python.executable.clone(), Source::Registry, python.key())
}

/// Returns the registered Pythons in order: python.org's first, then the newest, then as the `py`
/// launcher compares tags: `3.14t` before `3.14` before `3.14-32` (`_compareTag` in PC/launcher2.c;
/// python/cpython issue 126467). The install manager's `py` prefers the plain tag.
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

/// Splits a tag into its version and the rest.
fn version_of(tag: &str) -> (Option<PythonVersion>, &str) {
    let end = tag.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tag.len());
    let (version, suffix) = tag.split_at(end);
    (version.parse().ok(), suffix)
}

/// Whether a tag in one of the usual spellings (`3`, `3.11`, `3.11-32`, `PythonCore/3.11`,
/// `V:3.11`) refers to this Python.
fn matches_tag(python: &RegisteredPython, requested: &str) -> bool {
    let requested =
        requested.trim().trim_start_matches("V:").trim_start_matches("-V:").trim_start_matches('-');
    let (company, tag) = requested.split_once('/').unwrap_or((PYTHON_CORE, requested));
    let rest = python.tag.strip_prefix(tag);
    python.company.eq_ignore_ascii_case(company)
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns `python=` in the section `[defaults]`.
fn default_of(ini: &str) -> Option<String> {
    let lines = ini.trim_start_matches('\u{feff}').lines().map(str::trim);
    let section = lines.skip_while(|line| !line.eq_ignore_ascii_case("[defaults]")).skip(1);
    let mut entries =
        section.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    let (_, tag) = entries.find(|(name, _)| name.trim().eq_ignore_ascii_case("python"))?;
    Some(tag.trim().to_owned()).filter(|tag| !tag.is_empty())
}
