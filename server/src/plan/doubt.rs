//! Unknown directories that a program adds: what they may contain, and so which "not found" results
//! they put in doubt.

use rustc_hash::FxHashSet;

use super::{Place, Plan};
use crate::cpython::LoadError;
use crate::host::{EntryKind, Files, WinPath, fold_name};
use crate::loader::{Cause, Fault};

/// The limits of the search below an unknown directory: the number of folders and their depth.
const MAX_FOLDERS: usize = 2_000;
const MAX_DEPTH: usize = 8;

/// An unknown directory that was passed to `os.add_dll_directory`.
pub(super) struct UnknownDirectory {
    /// The folder that contains the directory at some depth, if at least that is known.
    pub below: Option<WinPath>,
    /// The statement that adds it.
    pub at: Place,
}

impl Plan<'_> {
    /// Returns the statement that adds a directory which may contain everything that a load did not
    /// find, so that it's unknown whether the load fails.
    ///
    /// A directory below a known one contains only what exists there. For an entirely unknown
    /// directory, the question is whether the environment or PATH contains such a DLL anywhere. If
    /// not, no directory that a package adds contains it.
    pub(super) fn doubt(&mut self, error: &LoadError) -> Option<Place> {
        let LoadError::Windows(failure) = error else { return None };
        if self.world.unknown_directories.is_empty() {
            return None;
        }
        // An image for another machine is skipped, and the search continues.
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
        let directories = std::mem::take(&mut self.world.unknown_directories);
        let holder = |plan: &mut Self, name: &str| {
            directories.iter().find(|directory| match &directory.below {
                Some(folder) => holds(plan.world.files(), folder, name),
                None => plan.is_in_environment(name),
            })
        };
        let holders: Vec<_> = names.iter().map(|name| holder(self, name)).collect();
        let place = match holders.iter().all(Option::is_some) {
            true => holders.first().and_then(|first| first.map(|directory| directory.at.clone())),
            false => None,
        };
        self.world.unknown_directories = directories;
        place
    }

    /// Whether a DLL of this case-folded name is in a folder of the environment or on PATH.
    fn is_in_environment(&mut self, name: &str) -> bool {
        if self.world.native_names.is_none() {
            self.world.native_names = Some(self.names_in_environment());
        }
        self.world.native_names.as_ref().is_some_and(|names| names.contains(name))
    }

    /// Returns the DLLs that distributions installed, those in the usual folders of the
    /// environment, and those on PATH.
    fn names_in_environment(&self) -> FxHashSet<String> {
        let files = self.world.files();
        let environment = self.world.environment();
        let mut names = FxHashSet::default();
        let rows = environment.distributions.iter().filter_map(|one| one.expected_files(files).ok());
        for row in rows.flatten().filter(|row| row.path.has_extension("dll") && files.is_file(&row.path)) {
            names.insert(fold_name(row.path.file_name()));
        }
        const FOLDERS: [&str; 6] = ["", "DLLs", "Scripts", r"Library\bin", r"Library\mingw-w64\bin", "bin"];
        let prefixes = [&environment.prefix, &environment.base_prefix];
        let of_environment =
            prefixes.into_iter().flat_map(|prefix| FOLDERS.map(|folder| prefix.join(folder)));
        for folder in of_environment.chain(self.world.host().path_directories()) {
            let Ok(listing) = files.folder(&folder) else { continue };
            let listed = listing.entries().into_iter().map(|entry| fold_name(&entry.name));
            names.extend(listed.filter(|name| name.ends_with(".dll")));
        }
        names
    }
}

/// Whether a file of this case-folded name exists anywhere below a folder.
fn holds(files: &dyn Files, folder: &WinPath, name: &str) -> bool {
    let mut pending = vec![(folder.clone(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = pending.pop() {
        seen += 1;
        if seen > MAX_FOLDERS {
            // It may be in a folder that was not searched.
            return true;
        }
        let Ok(listing) = files.folder(&folder) else { continue };
        if listing.has_file(name) {
            return true;
        }
        if depth < MAX_DEPTH {
            let folders = listing.entries().into_iter().filter(|entry| entry.kind == EntryKind::Folder);
            pending.extend(folders.map(|entry| (folder.join(&entry.name), depth + 1)));
        }
    }
    false
}
