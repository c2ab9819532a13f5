//! Pythons in the directories that installers use or where users unpack archives, registered or
//! not; and Pythons on PATH.

use crate::host::WinPath;

use super::{Candidate, Search, Source, store};

/// Returns all of them: python.org's (for one user and for all users), Visual Studio's, the
/// embeddable package, and WinPython.
pub(super) fn all(search: &Search<'_>) -> Vec<Candidate> {
    let drive = search.drive();
    let mut found = Vec::new();
    let mut above = vec![drive.clone()];
    for folder in ["Program Files", "Program Files (x86)"] {
        above.push(drive.join(folder));
        found.extend(named(search, &drive.join(folder).join(r"Microsoft Visual Studio\Shared"), &["python"]));
    }
    for user in &search.users {
        // The directory of the installer for one user.
        above.push(user.local.join(r"Programs\Python"));
        above.extend([user.home.clone(), user.home.join("Desktop"), user.home.join("Downloads")]);
    }
    for folder in above {
        found.extend(named(search, &folder, &["python", "wpy", "winpython"]));
    }
    found
}

/// Returns the subdirectories whose names start with one of `prefixes` and that contain a Python.
/// WinPython has it in an inner directory `python` or `python-3.11.5.amd64`.
fn named(search: &Search<'_>, folder: &WinPath, prefixes: &[&str]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for inner in search.folders_in(folder) {
        let name = inner.file_name().to_ascii_lowercase();
        if !prefixes.iter().any(|prefix| name.starts_with(prefix)) {
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
        found.extend(candidates.map(|path| Candidate::new(path, Source::Place, format!("in {folder}"))));
    }
    found
}

/// Returns every `python.exe` in a directory of PATH, in order, and then the free-threaded builds,
/// which have other names. An alias is replaced by its target.
pub(super) fn on_path(search: &Search<'_>) -> Vec<Candidate> {
    let directories = search.host.path_directories();
    let programs =
        directories.iter().flat_map(|folder| ["python.exe", "python3.exe"].map(|name| folder.join(name)));
    let there = programs.filter(|program| search.is_file(program)).filter_map(|program| {
        // Without a package, the alias only opens the Store.
        if store::is_alias(&program) { store::store_alias_target(search, &program) } else { Some(program) }
    });
    let free_threaded = directories.iter().flat_map(|folder| search.free_threaded_in(folder));
    there.chain(free_threaded).map(|path| Candidate::new(path, Source::Path, "on PATH")).collect()
}
