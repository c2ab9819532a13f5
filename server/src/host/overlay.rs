//! A machine as it would be after a change. Nothing is written; only the answers about files
//! differ.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::Host;
use super::files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::read_set::Fingerprint;
use crate::image::{Binding, CONSTEXPR_MUTEX, Export, FileVersion, Machine, Symbol};
use crate::source::Script;

/// The change of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It is removed. A directory is removed with its last file, as pip does.
    Gone,
    /// It becomes an image for this machine with this version and size that exports everything it
    /// is asked for. Its imports aren't known and are assumed to be satisfied.
    Image {
        /// The machine for which it is built.
        machine: Machine,
        /// Its file version.
        version: Option<FileVersion>,
        /// Its size in bytes; 0 if the size isn't known.
        size: u64,
    },
    /// It has the current contents of this file.
    CopyOf(WinPath),
    /// It exists with unknown contents.
    Unread,
}

/// The files of a machine with changes on top of them.
pub struct Overlay {
    rest: Arc<dyn Files>,
    changes: FxHashMap<WinPath, Change>,
    /// The names that are added to each directory (with their kind) or removed from it (`None`).
    names: FxHashMap<WinPath, Vec<(String, Option<EntryKind>)>>,
    /// The directories above removed files.
    above_removed: FxHashSet<WinPath>,
    is_incomplete: AtomicBool,
}

impl Overlay {
    /// Returns `host` after these changes. Of several changes of one file, the last one counts.
    pub fn over<'c>(
        host: &Host,
        changes: impl IntoIterator<Item = &'c (WinPath, Change)>,
    ) -> (Host, Arc<Overlay>) {
        let changes: FxHashMap<WinPath, Change> = changes.into_iter().cloned().collect();
        let mut names: FxHashMap<WinPath, Vec<(String, Option<EntryKind>)>> = FxHashMap::default();
        let mut above_removed = FxHashSet::default();
        for (path, change) in &changes {
            let Some(folder) = path.parent() else { continue };
            if *change == Change::Gone {
                let above = std::iter::successors(Some(folder.clone()), WinPath::parent);
                for folder in above {
                    if !above_removed.insert(folder) {
                        break;
                    }
                }
            }
            let kind = (*change != Change::Gone).then_some(EntryKind::File);
            names.entry(folder).or_default().push((path.file_name().to_owned(), kind));
        }
        // Add the directories that the new files need.
        let mut folders: Vec<WinPath> =
            names.iter().filter(|(_, names)| has_additions(names)).map(|(path, _)| path.clone()).collect();
        while let Some(folder) = folders.pop() {
            let Some(parent) = folder.parent() else { continue };
            let entry = (folder.file_name().to_owned(), Some(EntryKind::Folder));
            let is_absent = host.files.folder(&folder) == Err(FileError::NotFound);
            let siblings = names.entry(parent.clone()).or_default();
            if is_absent && !siblings.contains(&entry) {
                siblings.push(entry);
                folders.push(parent);
            }
        }
        let (rest, is_incomplete) = (host.files.clone(), AtomicBool::new(false));
        let overlay = Arc::new(Overlay { rest, changes, names, above_removed, is_incomplete });
        (Host { files: overlay.clone(), ..host.clone() }, overlay)
    }

    /// Whether unknown data was requested: the contents of a file that a change adds, or something
    /// that a snapshot doesn't contain.
    pub fn is_incomplete(&self) -> bool {
        self.is_incomplete.load(Ordering::Relaxed)
    }

    fn unknown<T>(&self) -> Result<T, FileError> {
        self.is_incomplete.store(true, Ordering::Relaxed);
        Err(FileError::NotRecorded)
    }

    /// Returns the answer, and marks this value as incomplete if the answer isn't recorded.
    fn checked<T>(&self, answer: Result<T, FileError>) -> Result<T, FileError> {
        match answer {
            Err(FileError::NotRecorded) => self.unknown(),
            answer => answer,
        }
    }

    fn checked_image<T>(&self, answer: Result<T, ImageFault>) -> Result<T, ImageFault> {
        match answer {
            Err(ImageFault::File(FileError::NotRecorded)) => Ok(self.unknown()?),
            answer => answer,
        }
    }

    fn change(&self, path: &WinPath) -> Option<&Change> {
        if self.changes.is_empty() { None } else { self.changes.get(path) }
    }

    /// Returns the file that has the contents of `path`, or `None` if only the change describes
    /// them.
    fn source<'p>(&'p self, path: &'p WinPath) -> Result<Option<&'p WinPath>, FileError> {
        match self.change(path) {
            None => Ok(Some(path)),
            Some(Change::CopyOf(source)) => Ok(Some(source)),
            Some(Change::Gone) => Err(FileError::NotFound),
            Some(Change::Unread) => self.unknown(),
            Some(Change::Image { .. }) => Ok(None),
        }
    }

    /// Whether code that locks a `std::mutex` may run with a runtime that a change adds and that is
    /// too old for it, see [`Binding::between`]. Which locks are taken at the start is only known
    /// if both files exist.
    fn may_crash_in(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> bool {
        let Some(Change::Image { version: Some(version), .. }) = self.change(exporter) else { return false };
        let contains = |symbol: &str| self.rest.contains(importer, symbol).unwrap_or(true);
        *version < CONSTEXPR_MUTEX
            && dll.eq_ignore_ascii_case("msvcp140.dll")
            && contains("_Mtx_lock\0")
            && !contains("_Mtx_init_in_situ\0")
    }

    /// Whether everything in a directory is removed. Python's compiled modules are removed with
    /// their sources.
    fn is_emptied(&self, path: &WinPath) -> bool {
        if !self.above_removed.contains(path) {
            return path.file_name().eq_ignore_ascii_case("__pycache__");
        }
        let Ok(listing) = self.rest.folder(path) else { return false };
        let is_removed = |entry: &Entry| {
            let inner = path.join(&entry.name);
            match entry.kind {
                EntryKind::File => self.change(&inner) == Some(&Change::Gone),
                EntryKind::Folder => self.is_emptied(&inner),
            }
        };
        !self.names.get(path).is_some_and(|names| has_additions(names)) && listing.unordered().all(is_removed)
    }
}

/// Whether one of the names is added.
fn has_additions(names: &[(String, Option<EntryKind>)]) -> bool {
    names.iter().any(|(_, kind)| kind.is_some())
}

impl Files for Overlay {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        if self.change(path) == Some(&Change::Gone) {
            return Err(FileError::NotFound);
        }
        let listed = self.checked(self.rest.folder(path));
        let names = self.names.get(path).map(Vec::as_slice).unwrap_or_default();
        let has_additions = has_additions(names);
        if !has_additions && !self.above_removed.contains(path) {
            return listed;
        }
        let listing = match listed {
            Err(FileError::NotFound) if has_additions => Arc::default(),
            listed => listed?,
        };
        if !has_additions && self.is_emptied(path) {
            return Err(FileError::NotFound);
        }
        let is_changed =
            |entry: &&Entry| names.iter().any(|(name, _)| name.eq_ignore_ascii_case(&entry.name));
        let stays = |entry: &&Entry| {
            let inner = path.join(&entry.name);
            let is_emptied = || self.above_removed.contains(&inner) && self.is_emptied(&inner);
            !is_changed(entry) && (entry.kind == EntryKind::File || !is_emptied())
        };
        let new = names.iter().filter_map(|(name, kind)| Some(Entry { name: name.clone(), kind: (*kind)? }));
        Ok(Arc::new(Folder::new(listing.unordered().filter(stays).cloned().chain(new))))
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        match self.change(path) {
            Some(Change::Image { size, .. }) => Ok(*size),
            _ => match self.source(path)? {
                Some(source) => self.checked(self.rest.size(source)),
                None => self.unknown(),
            },
        }
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        match self.source(path)? {
            Some(source) => self.checked(self.rest.text(source)),
            None => self.unknown(),
        }
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        if let Some(Change::Image { machine, version, size }) = self.change(path) {
            let (machine, version, size) = (*machine, *version, *size);
            return Ok(Arc::new(ImageFacts { machine, version, size, ..ImageFacts::default() }));
        }
        let source = self.source(path)?.unwrap_or(path);
        self.checked_image(self.rest.image(source))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        let part = path.as_part();
        let module = part.as_ref().map_or(path, |(module, _)| module);
        match self.source(module)? {
            Some(source) if source == module => self.checked(self.rest.script(path)),
            Some(source) => match &part {
                Some((_, place)) => self.checked(self.rest.script(&source.with_part(*place))),
                None => self.checked(self.rest.script(source)),
            },
            None => self.unknown(),
        }
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        match self.source(path)? {
            Some(source) => self.checked(self.rest.archive(source)),
            None => self.unknown(),
        }
    }

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        match (self.source(importer)?, self.source(exporter)?) {
            (Some(importer), Some(exporter)) => {
                self.checked_image(self.rest.binding(importer, dll, exporter))
            }
            (Some(importer), None) => {
                if self.may_crash_in(importer, dll, exporter) {
                    return Ok(self.unknown()?);
                }
                Ok(Arc::default())
            }
            (None, _) => Ok(Arc::default()),
        }
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        match self.source(path)? {
            Some(source) => self.checked_image(self.rest.export(source, symbol)),
            None => Ok(Some(Export::Address(0))),
        }
    }

    fn contains(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        match self.source(path)? {
            Some(source) => self.checked(self.rest.contains(source, text)),
            None => Ok(false),
        }
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        match self.source(path)? {
            Some(source) => self.checked_image(self.rest.instructions(source)),
            None => Ok(Arc::default()),
        }
    }

    /// Returns no fingerprint, because the contents also depend on the changes, so that nothing
    /// read through them is cached.
    fn fingerprint(&self, _: &WinPath) -> Fingerprint {
        Fingerprint::Unavailable
    }

    fn untracked(&self) -> Option<Arc<dyn Files>> {
        Some(self.rest.untracked().unwrap_or_else(|| self.rest.clone()))
    }

    fn modules_read(&self) -> u64 {
        self.rest.modules_read()
    }
}
