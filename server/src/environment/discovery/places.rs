//! What lies where installers put it, or where people unpack it, registered or not; and what lies on PATH.

use crate::host::WinPath;

use super::{Search, Sighting, Source, store};

/// All of them: python.org's, for one user and for all, of Visual Studio; the embeddable package, and
/// WinPython.
pub(super) fn all(search: &Search<'_>) -> Vec<Sighting> {
    let drive = search.drive();
    let mut found = Vec::new();
    let mut above = vec![drive.clone()];
    for folder in ["Program Files", "Program Files (x86)"] {
        above.push(drive.join(folder));
        found.extend(named(search, &drive.join(folder).join(r"Microsoft Visual Studio\Shared"), &["python"]));
    }
    for user in &search.users {
        // The installer for one user.
        above.push(user.local.join(r"Programs\Python"));
        above.extend([user.home.clone(), user.home.join("Desktop"), user.home.join("Downloads")]);
    }
    for folder in above {
        found.extend(named(search, &folder, &["python", "wpy", "winpython"]));
    }
    found
}

/// The folders in a folder whose names begin so and which hold a Python; WinPython has it in a folder `python` or
/// `python-3.11.5.amd64` of its own.
fn named(search: &Search<'_>, folder: &WinPath, beginnings: &[&str]) -> Vec<Sighting> {
    let mut found = Vec::new();
    for inner in search.folders_in(folder) {
        let name = inner.file_name().to_ascii_lowercase();
        if !beginnings.iter().any(|beginning| name.starts_with(beginning)) {
            continue;
        }
        let candidates = match name.starts_with('w') {
            true => search.folders_in(&inner),
            false => vec![inner],
        };
        let candidates = candidates.into_iter().filter(|candidate| {
            candidate.file_name().to_ascii_lowercase().starts_with("python")
                && (search.is_file(&candidate.join("python.exe"))
                    || !search.free_threaded_in(candidate).is_empty())
        });
        found.extend(candidates.map(|path| Sighting::new(path, Source::Place, format!("in {folder}"))));
    }
    found
}

/// Every `python.exe` in a directory of PATH, in its order, and then the free-threaded ones, which are
/// started by other names. An alias counts as what it starts.
pub(super) fn on_path(search: &Search<'_>) -> Vec<Sighting> {
    let directories = search.host.path_directories();
    let programs =
        directories.iter().flat_map(|folder| ["python.exe", "python3.exe"].map(|name| folder.join(name)));
    let there = programs.filter(|program| search.is_file(program)).filter_map(|program| {
        // Without a package it only opens the Store.
        if store::is_alias(&program) { store::behind_alias(search, &program) } else { Some(program) }
    });
    let free_threaded = directories.iter().flat_map(|folder| search.free_threaded_in(folder));
    there.chain(free_threaded).map(|path| Sighting::new(path, Source::Path, "on PATH")).collect()
}
