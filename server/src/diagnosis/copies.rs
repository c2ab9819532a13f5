//! The copies of a DLL on the machine, in whichever folder: other ones than a load finds.

use std::sync::Arc;

use crate::environment::Distribution;
use crate::host::{EntryKind, ImageFacts, WinPath};
use crate::loader::{Fault, answers_search};

use super::case::Case;
use super::gpu;

impl Case<'_> {
    /// The copies of a DLL that a load has missed: in the folder of the module that needs it, in other folders of that module's
    /// distribution, and [`elsewhere`](Case::elsewhere).
    pub(super) fn unseen(&self, fault: &Fault) -> Vec<WinPath> {
        let dll = fault.culprit();
        let files = &*self.host.files;
        // Of a load by name the chain begins with the DLL itself.
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

    /// A distribution, and those of its family that it requires: PyQt5 and PyQt5-Qt5.
    pub(super) fn with_requirements<'c>(&'c self, distribution: &'c Distribution) -> Vec<&'c Distribution> {
        let files = &*self.host.files;
        let metadata = distribution.metadata(files).ok();
        let required = metadata.iter().flat_map(|metadata| &metadata.requires);
        let is_of_family = |name: &str| name.starts_with(&distribution.normalized);
        let required = required.filter(|needed| is_of_family(&needed.name));
        let required = required.filter_map(|needed| self.environment.find(&needed.name));
        std::iter::once(distribution).chain(required).collect()
    }

    /// The copies of a DLL in the directories of PATH, in the environment's own folders, and in those of NVIDIA's installers. The folders
    /// of other packages are left out: their DLLs are for them alone.
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

    /// Whether a file is there that is an image for the environment's processes.
    pub(super) fn fits(&self, path: &WinPath) -> bool {
        let (files, process) = (&*self.host.files, self.environment.machine);
        let fits = |image: Arc<ImageFacts>| answers_search(&image, process, self.host.machine);
        files.is_file(path) && files.image(path).is_ok_and(fits)
    }

    /// Other copies of the DLL at `path`, for the same machine: in the system directory, beside the program, and
    /// [`elsewhere`](Case::elsewhere).
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
