//! A machine as it would be after a change. Nothing is written; only the answers about files
//! differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::Host;
use super::fact::{AnyAnswer, AnyFact, AssumedImage};
use super::fault::{FileError, ImageFault};
use super::files::Files;
use super::fingerprint::Fingerprint;
use super::folder::{Entry, EntryKind, Folder};
use super::path::WinPath;
use crate::image::{FileVersion, Machine};

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

    /// Marks this value as incomplete.
    fn unknown(&self) -> FileError {
        self.is_incomplete.store(true, Ordering::Relaxed);
        FileError::NotRecorded
    }

    /// Returns the answer, and marks this value as incomplete if the answer isn't recorded.
    fn checked(&self, answer: AnyAnswer) -> AnyAnswer {
        match answer {
            Err(ImageFault::File(FileError::NotRecorded)) => Err(self.unknown().into()),
            answer => answer,
        }
    }

    fn change(&self, path: &WinPath) -> Option<&Change> {
        if self.changes.is_empty() { None } else { self.changes.get(path) }
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
        let listed = match self.rest.folder(path) {
            Err(FileError::NotRecorded) => Err(self.unknown()),
            listed => listed,
        };
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

    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        if fact.files().iter().all(|file| self.change(file).is_none()) {
            return self.checked(self.rest.answer(fact));
        }
        let mut sources = Vec::new();
        let mut assumed = None;
        for file in fact.files() {
            sources.push(match self.change(file) {
                Some(Change::Gone) => return Err(FileError::NotFound.into()),
                Some(Change::Unread) => return Err(self.unknown().into()),
                Some(Change::CopyOf(source)) => source.clone(),
                Some(Change::Image { machine, version, size }) => {
                    assumed = Some(AssumedImage { machine: *machine, version: *version, size: Some(*size) });
                    file.clone()
                }
                None => file.clone(),
            });
        }
        let fact = fact.about(sources);
        match assumed {
            Some(image) => {
                let contains =
                    |file: &WinPath, string: &str| self.rest.contains(file, string).unwrap_or(true);
                fact.of_assumed_image(&image, &contains).ok_or_else(|| self.unknown().into())
            }
            None => self.checked(self.rest.answer(&*fact)),
        }
    }

    /// Returns no fingerprint, because the contents also depend on the changes, so that nothing
    /// read through them is cached.
    fn fingerprint(&self, _: &WinPath) -> Fingerprint {
        Fingerprint::Unavailable
    }
}
