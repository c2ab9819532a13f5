//! Directories that are added without it being known which they are: what they can hold, and so which "not found" they put in
//! doubt.

use rustc_hash::FxHashSet;

use super::{Place, Plan};
use crate::cpython::LoadError;
use crate::host::{EntryKind, Files, WinPath, fold_name};
use crate::loader::{Cause, Fault};

/// Folders below a directory that is not known are looked through up to these numbers.
const MOST_FOLDERS: usize = 2_000;
const DEEPEST: usize = 8;

/// A directory that `os.add_dll_directory` was given.
pub(super) struct UnknownDirectory {
    /// The folder that it lies below, if at least that is known.
    pub below: Option<WinPath>,
    /// The statement.
    pub at: Place,
}

impl Plan<'_> {
    /// The statement that adds a directory in which all that a load did not find may lie: then it is not known whether the load fails.
    ///
    /// A directory that lies below a known one holds only what is there. Of one of which nothing is known it is asked whether the
    /// environment has such a DLL anywhere, or PATH: what is in no folder of these is in no folder that a package adds.
    pub(super) fn doubt(&mut self, error: &LoadError) -> Option<Place> {
        let LoadError::Windows(failure) = error else { return None };
        if self.unknown_directories.is_empty() {
            return None;
        }
        // What is for another machine is passed over, and the search goes on.
        let is_not_found = |fault: &Fault| match &fault.cause {
            Cause::NotFound { .. } => true,
            Cause::WrongMachine { searched, .. } => !searched.is_empty(),
            _ => false,
        };
        if !failure.faults().all(is_not_found) {
            return None;
        }
        let names: Vec<String> = failure
            .faults()
            .map(|fault| {
                let name = fold_name(fault.culprit());
                name.rsplit('/').next().unwrap_or_default().to_owned()
            })
            .collect();
        let directories = std::mem::take(&mut self.unknown_directories);
        let holder = |plan: &mut Self, name: &str| {
            directories.iter().find(|directory| match &directory.below {
                Some(folder) => holds(&*plan.interpreter.process.host().files, folder, name),
                None => plan.is_in_environment(name),
            })
        };
        let holders: Vec<_> = names.iter().map(|name| holder(self, name)).collect();
        let place = match holders.iter().all(Option::is_some) {
            true => holders.first().and_then(|first| first.map(|directory| directory.at.clone())),
            false => None,
        };
        self.unknown_directories = directories;
        place
    }

    /// Whether a DLL of this name, folded, is in a folder of the environment or of PATH.
    fn is_in_environment(&mut self, name: &str) -> bool {
        if self.native_names.is_none() {
            self.native_names = Some(self.names_in_environment());
        }
        self.native_names.as_ref().is_some_and(|names| names.contains(name))
    }

    /// The DLLs that distributions have brought, those in folders where others lie, and those on PATH.
    fn names_in_environment(&self) -> FxHashSet<String> {
        let files = &*self.interpreter.process.host().files;
        let environment = self.interpreter.environment;
        let mut names = FxHashSet::default();
        let rows = environment.distributions.iter().filter_map(|one| one.expected_files(files).ok());
        for row in rows.flatten().filter(|row| row.path.has_extension("dll") && files.is_file(&row.path)) {
            names.insert(fold_name(row.path.file_name()));
        }
        const FOLDERS: [&str; 6] = ["", "DLLs", "Scripts", r"Library\bin", r"Library\mingw-w64\bin", "bin"];
        let prefixes = [&environment.prefix, &environment.base_prefix];
        let of_environment =
            prefixes.into_iter().flat_map(|prefix| FOLDERS.map(|folder| prefix.join(folder)));
        for folder in of_environment.chain(self.interpreter.process.host().path_directories()) {
            let Ok(listing) = files.folder(&folder) else { continue };
            let listed = listing.entries().into_iter().map(|entry| fold_name(&entry.name));
            names.extend(listed.filter(|name| name.ends_with(".dll")));
        }
        names
    }
}

/// Whether a file of this name, folded, lies somewhere below a folder.
fn holds(files: &dyn Files, folder: &WinPath, name: &str) -> bool {
    let mut waiting = vec![(folder.clone(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = waiting.pop() {
        seen += 1;
        if seen > MOST_FOLDERS {
            // It may well be in what was not looked through.
            return true;
        }
        let Ok(listing) = files.folder(&folder) else { continue };
        if listing.has_file(name) {
            return true;
        }
        if depth < DEEPEST {
            let folders = listing.entries().into_iter().filter(|entry| entry.kind == EntryKind::Folder);
            waiting.extend(folders.map(|entry| (folder.join(&entry.name), depth + 1)));
        }
    }
    false
}
