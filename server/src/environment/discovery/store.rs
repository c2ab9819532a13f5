//! Pythons from the Microsoft Store.
//!
//! A package is in `C:\Program Files\WindowsApps\NAME_VERSION_MACHINE__PUBLISHER`. Nobody may list
//! the parent directory, but everybody may access a package in it. Users start an alias in
//! `%LOCALAPPDATA%\Microsoft\WindowsApps`: an empty file that is a reparse point, of which only the
//! existence can be determined. An alias `python.exe` without a package only opens the Store.

use crate::host::{EntryKind, Registration, WinPath, registered_pythons::STORE_PACKAGE};

use super::{Candidate, Search, Source};

/// Returns the packages, the newest first, followed by the aliases whose package cannot be found.
pub(super) fn all(search: &Search<'_>) -> Vec<Candidate> {
    let packages = packages(search);
    let mut found: Vec<Candidate> = packages
        .iter()
        .map(|folder| {
            let reason = format!("Microsoft Store package {}", folder.file_name());
            Candidate::new(folder.join("python.exe"), Source::Store, reason)
        })
        .collect();
    for user in &search.users {
        let aliases = user.local.join(r"Microsoft\WindowsApps");
        for family in search.folders_in(&aliases) {
            let name = family.file_name().to_owned();
            let is_found = packages.iter().any(|package| is_of_family(package, &name));
            let alias = family.join("python.exe");
            if name.starts_with(STORE_PACKAGE) && !is_found && search.is_file(&alias) {
                found.push(Candidate::new(alias, Source::Store, format!("Microsoft Store package {name}")));
            }
        }
    }
    found
}

/// Returns the interpreter that an alias starts, if its package can be found. `python3.11.exe`
/// starts that version, `python.exe` in the directory of a package family starts that family, and
/// any other `python.exe` starts the newest package.
pub(super) fn store_alias_target(search: &Search<'_>, alias: &WinPath) -> Option<WinPath> {
    if !is_alias(alias) {
        return None;
    }
    let packages = packages(search);
    let family = alias.parent()?.file_name().to_owned();
    let name = alias.file_name().to_ascii_lowercase();
    let version = name.strip_prefix("python")?.strip_suffix(".exe")?;
    let is_target = |package: &&WinPath| match family.starts_with(STORE_PACKAGE) {
        true => is_of_family(package, &family),
        false if version.contains('.') => {
            package.file_name().starts_with(&format!("{STORE_PACKAGE}{version}_"))
        }
        false => true,
    };
    packages.iter().find(is_target).map(|package| package.join("python.exe"))
}

/// Whether a path is in the directory of aliases.
pub(in crate::environment) fn is_alias(path: &WinPath) -> bool {
    let above = std::iter::successors(path.parent(), WinPath::parent).take(2);
    above.filter_map(|folder| Some((folder.parent()?, folder))).any(|(above, folder)| {
        folder.file_name().eq_ignore_ascii_case("WindowsApps")
            && above.file_name().eq_ignore_ascii_case("Microsoft")
    })
}

/// Returns the directories of packages, the newest first.
fn packages(search: &Search<'_>) -> Vec<WinPath> {
    let registered = search.host.registered_pythons.iter();
    let registered = registered.filter(|python| python.registration == Registration::Package);
    let mut packages: Vec<WinPath> = registered.filter_map(|python| python.executable.parent()).collect();
    let apps = search.drive().join(r"Program Files\WindowsApps");
    let listing = search.host.files.folder(&apps).unwrap_or_default();
    let entries = listing.entries().into_iter();
    let entries =
        entries.filter(|entry| entry.kind == EntryKind::Folder && entry.name.starts_with(STORE_PACKAGE));
    packages.extend(entries.take(super::MAX_ENTRIES).map(|entry| apps.join(&entry.name)));
    packages.sort_by_cached_key(|package| std::cmp::Reverse(version_of(package)));
    packages.dedup();
    packages
}

/// Returns `3.11.2544.0` for `PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0`.
fn version_of(package: &WinPath) -> Vec<u32> {
    let version = package.file_name().split('_').nth(1).unwrap_or_default();
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// Whether a package belongs to a family. The family's name consists of the first and the last part
/// of the full name (Microsoft, "Package identity").
fn is_of_family(package: &WinPath, family: &str) -> bool {
    let name = package.file_name();
    match (family.split_once('_'), name.split_once('_'), name.rsplit_once('_')) {
        (Some((family, publisher)), Some((name, _)), Some((_, by))) => {
            family.eq_ignore_ascii_case(name) && publisher.eq_ignore_ascii_case(by)
        }
        _ => false,
    }
}
