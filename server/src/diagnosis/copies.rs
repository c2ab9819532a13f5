//! Finds copies of a DLL on the machine that a load doesn't find.

use std::sync::Arc;

use crate::environment::Distribution;
use crate::host::{EntryKind, ImageFacts, WinPath};
use crate::loader::{Fault, answers_search};

use super::case::Case;
use super::gpu;

impl Case<'_> {
    /// Returns the copies of a DLL that a load didn't find: in the directory of the importing
    /// module, in other directories of its distribution, and [`elsewhere`](Case::elsewhere).
    pub(super) fn copies_not_found(&self, fault: &Fault) -> Vec<WinPath> {
        let dll = fault.culprit();
        let files = &*self.host.files;
        // For a load by name, the chain begins with the DLL itself.
        let importer = fault.importer().and_then(|link| link.path.as_ref());
        let mut found: Vec<WinPath> = Vec::new();
        if let Some(importer) = importer {
            found.extend(importer.parent().map(|folder| folder.join(dll)));
            let owner = self.environment.owner_of(importer, files);
            for family in owner.into_iter().flat_map(|owner| self.with_requirements(owner)) {
                let rows = family.expected_files(files).unwrap_or_default().into_iter().map(|row| row.path);
                found.extend(rows.filter(|path| path.file_name().eq_ignore_ascii_case(dll)));
            }
        }
        found.retain(|path| self.fits(path));
        for path in self.elsewhere(dll) {
            if !found.contains(&path) {
                found.push(path);
            }
        }
        found
    }

    /// Returns a distribution and those of its requirements whose names begin with its own, such as
    /// PyQt5 and PyQt5-Qt5.
    pub(super) fn with_requirements<'c>(&'c self, distribution: &'c Distribution) -> Vec<&'c Distribution> {
        let files = &*self.host.files;
        let metadata = distribution.metadata(files).ok();
        let required = metadata.iter().flat_map(|metadata| &metadata.requires);
        let is_of_family = |name: &str| name.starts_with(&distribution.normalized);
        let required = required.filter(|needed| is_of_family(&needed.name));
        let required = required.filter_map(|needed| self.environment.find(&needed.name));
        std::iter::once(distribution).chain(required).collect()
    }

    /// Returns the copies of a DLL in the directories of PATH, in the environment's own
    /// directories, and in those of NVIDIA's installers. The directories of other packages are
    /// skipped, because their DLLs are private.
    pub(super) fn elsewhere(&self, dll: &str) -> Vec<WinPath> {
        let files = &*self.host.files;
        let mut folders = self.host.path_directories();
        folders.extend(self.host.running.path_directories());
        for prefix in [&self.environment.prefix, &self.environment.base_prefix] {
            folders.push(prefix.clone());
            for inner in ["Library\\bin", "Library\\mingw-w64\\bin"] {
                folders.push(prefix.join(inner));
            }
            if let Ok(listing) = files.folder(prefix) {
                let inner = listing.entries();
                let inner = inner.iter().filter(|entry| entry.kind == EntryKind::Folder);
                folders.extend(inner.map(|entry| prefix.join(&entry.name)));
            }
        }
        if gpu::product(dll).is_some() {
            folders.extend(self.cuda_folders());
        }
        let mut found: Vec<WinPath> = Vec::new();
        for folder in folders {
            let path = folder.join(dll);
            if self.fits(&path) && !found.contains(&path) {
                found.push(path);
            }
        }
        found
    }

    /// Whether the file exists and is an image for the environment's processes.
    pub(super) fn fits(&self, path: &WinPath) -> bool {
        let (files, process) = (&*self.host.files, self.environment.machine);
        let fits = |image: Arc<ImageFacts>| answers_search(&image, process, self.host.machine);
        files.is_file(path) && files.image(path).is_ok_and(fits)
    }

    /// Returns other copies of the DLL at `path` for the same architecture: in the system
    /// directory, next to the program, and [`elsewhere`](Case::elsewhere).
    pub(super) fn other_copies(&self, path: &WinPath) -> Vec<WinPath> {
        let machine = self.environment.machine;
        let dll = path.file_name();
        let first = [self.host.system_directory(machine), self.environment.application_directory.clone()];
        let first = first.into_iter().map(|folder| folder.join(dll)).filter(|copy| self.fits(copy));
        let mut copies: Vec<WinPath> = Vec::new();
        for copy in first.chain(self.elsewhere(dll)) {
            if copy != *path && !copies.contains(&copy) {
                copies.push(copy);
            }
        }
        copies
    }
}
