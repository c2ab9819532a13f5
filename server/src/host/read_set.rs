//! The read set: what was read from a machine, with a fingerprint of each answer.
//!
//! A [`ReadTracker`](super::ReadTracker) creates it, for two purposes. First, a result that was
//! computed from the files is valid as long as [`ReadSet::still_holds`], which compares listings,
//! sizes, and times without reading files. Second, it says what has to be watched, because nothing else can
//! change the result. Lookups that found nothing are included, as the listing of the directory that
//! lacks the name, or as the directory that doesn't exist.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::fault::FileError;
use super::files::Files;
use super::fingerprint::{Fingerprint, of_listing};
use super::path::{WinPath, fold_name};

/// A read set: the directories that were listed and the files that were accessed, each with its
/// fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSet {
    /// Sorted by path.
    folders: Vec<ReadFolder>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ReadFolder {
    path: WinPath,
    /// `None` if only files in the directory were accessed.
    listing: Option<Fingerprint>,
    /// By name, sorted.
    files: Vec<(String, Fingerprint)>,
}

/// The number of directories from which on a second thread pays off.
const MIN_FOLDERS_FOR_THREAD: usize = 64;

impl ReadSet {
    /// Creates a read set.
    pub(super) fn of(
        listings: impl IntoIterator<Item = (WinPath, Fingerprint)>,
        files: impl IntoIterator<Item = (WinPath, Fingerprint)>,
    ) -> ReadSet {
        let mut folders: FxHashMap<WinPath, ReadFolder> = FxHashMap::default();
        let new = |path: &WinPath| ReadFolder { path: path.clone(), listing: None, files: Vec::new() };
        for (path, fingerprint) in listings {
            let folder = new(&path);
            folders.entry(path).or_insert(folder).listing = Some(fingerprint);
        }
        for (path, fingerprint) in files {
            // A root or a bare name has no parent directory.
            let (parent, name) = match path.parent() {
                Some(parent) => (parent, path.file_name().to_owned()),
                None => (path, String::new()),
            };
            let folder = new(&parent);
            folders.entry(parent).or_insert(folder).files.push((name, fingerprint));
        }
        ReadSet::in_order(folders)
    }

    fn in_order(folders: FxHashMap<WinPath, ReadFolder>) -> ReadSet {
        let mut folders: Vec<ReadFolder> = folders.into_values().collect();
        folders.sort_by_cached_key(|folder| folder.path.key());
        for folder in &mut folders {
            folder.files.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        ReadSet { folders }
    }

    /// Combines it with a later read set. If both contain an entry, the earlier one counts: if it
    /// changed in between, the combination doesn't hold.
    pub fn and(self, later: &ReadSet) -> ReadSet {
        let mut folders: FxHashMap<WinPath, ReadFolder> =
            self.folders.into_iter().map(|folder| (folder.path.clone(), folder)).collect();
        for new in &later.folders {
            let Some(known) = folders.get_mut(&new.path) else {
                folders.insert(new.path.clone(), new.clone());
                continue;
            };
            known.listing = known.listing.take().or_else(|| new.listing.clone());
            for (name, fingerprint) in &new.files {
                if known.files.binary_search_by(|(known, _)| known.cmp(name)).is_err() {
                    known.files.push((name.clone(), fingerprint.clone()));
                }
            }
            known.files.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        ReadSet::in_order(folders)
    }

    /// Returns the entries that are not in an earlier read set.
    pub(super) fn beyond(&self, earlier: &ReadSet) -> ReadSet {
        let new = |folder: &ReadFolder| {
            let known = earlier.folders.binary_search_by(|known| known.path.cmp(&folder.path));
            let Some(known) = known.ok().and_then(|at| earlier.folders.get(at)) else {
                return Some(folder.clone());
            };
            let listing = folder.listing.clone().filter(|_| known.listing.is_none());
            let is_new =
                |name: &str| known.files.binary_search_by(|(known, _)| known.as_str().cmp(name)).is_err();
            let files: Vec<_> = folder.files.iter().filter(|(name, _)| is_new(name)).cloned().collect();
            (listing.is_some() || !files.is_empty()).then(|| ReadFolder {
                path: folder.path.clone(),
                listing,
                files,
            })
        };
        ReadSet { folders: self.folders.iter().filter_map(new).collect() }
    }

    /// Whether it can be verified at any later time.
    pub fn is_verifiable(&self) -> bool {
        let mut fingerprints = self.folders.iter().flat_map(ReadFolder::fingerprints);
        !fingerprints
            .any(|fingerprint| matches!(fingerprint, Fingerprint::Unavailable | Fingerprint::Recent(_)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// Returns all directories that were accessed, including those that don't exist.
    pub(super) fn places(&self) -> impl Iterator<Item = &WinPath> {
        self.folders.iter().map(|folder| &folder.path)
    }

    /// Returns the part that concerns these directories.
    pub(super) fn within(&self, folders: &BTreeSet<&WinPath>) -> ReadSet {
        let folders = self.folders.iter().filter(|folder| folders.contains(&folder.path));
        ReadSet { folders: folders.cloned().collect() }
    }

    /// Returns the directories in which something could not be read. This can change without a
    /// visible change of the directory, for example when a lock ends.
    pub(super) fn refused(&self) -> impl Iterator<Item = &WinPath> {
        let is_refused = |fingerprint: &Fingerprint| {
            matches!(
                fingerprint,
                Fingerprint::Unavailable | Fingerprint::Error(FileError::AccessDenied | FileError::Other(_))
            )
        };
        let folders = self.folders.iter().filter(move |folder| folder.fingerprints().any(is_refused));
        folders.map(|folder| &folder.path)
    }

    /// Whether a change of `path` can matter: it was accessed itself, or, if `names` were added or
    /// removed, it is in a directory that was listed or above one that was accessed.
    pub(super) fn concerns(&self, path: &WinPath, names: bool) -> bool {
        let at = |path: &WinPath| self.folders.binary_search_by(|folder| folder.path.cmp(path)).ok();
        let above = path.parent().and_then(|parent| self.folders.get(at(&parent)?));
        let in_folder = |folder: &ReadFolder| {
            let name = path.file_name();
            (names && folder.listing.is_some())
                || folder.files.iter().any(|(known, _)| fold_name(known) == fold_name(name))
        };
        if above.is_some_and(in_folder) || at(path).is_some() {
            return true;
        }
        let below = path.key() + "/";
        let next = self.folders.partition_point(|folder| folder.path.key() < below);
        names && self.folders.get(next).is_some_and(|folder| folder.path.is_within(path))
    }

    /// Returns the directories that were listed, including those that don't exist.
    pub fn folders(&self) -> impl Iterator<Item = &WinPath> {
        self.folders.iter().filter(|folder| folder.listing.is_some()).map(|folder| &folder.path)
    }

    /// Returns the files that were accessed, including those that don't exist.
    pub fn files(&self) -> impl Iterator<Item = WinPath> {
        self.folders.iter().flat_map(|folder| folder.files.iter().map(|(name, _)| folder.path.join(name)))
    }

    /// Whether every entry still matches `files`. No file is opened. Two threads share the work.
    pub fn still_holds(&self, files: &dyn Files) -> bool {
        let refuted = AtomicBool::new(false);
        let check = |folders: &[ReadFolder]| {
            for folder in folders {
                if refuted.load(Ordering::Relaxed) || !folder.still_holds(files) {
                    refuted.store(true, Ordering::Relaxed);
                    return;
                }
            }
        };
        if self.folders.len() < MIN_FOLDERS_FOR_THREAD {
            check(&self.folders);
        } else {
            let (here, there) = self.folders.split_at(self.folders.len() / 2);
            std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().stack_size(crate::source::STACK);
                let helping = thread.spawn_scoped(scope, || check(there));
                check(here);
                match helping.map(|helping| helping.join()) {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => refuted.store(true, Ordering::Relaxed),
                    Err(_) => check(there),
                }
            });
        }
        !refuted.into_inner()
    }
}

impl ReadFolder {
    fn still_holds(&self, files: &dyn Files) -> bool {
        let listed = |fingerprint: &Fingerprint| *fingerprint == of_listing(&files.folder(&self.path));
        self.listing.as_ref().is_none_or(listed)
            && self
                .files
                .iter()
                .all(|(name, fingerprint)| fingerprint.still_holds(&files.fingerprint(&self.path.join(name))))
    }

    fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.listing.iter().chain(self.files.iter().map(|(_, fingerprint)| fingerprint))
    }
}
