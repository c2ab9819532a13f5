//! What was read of a machine, with a proof of each answer.
//!
//! A [`Witness`](super::Witness) makes it, and it serves two ends. What was worked out from the files holds as
//! long as [`Reading::still_holds`], which looks at listings, sizes and times and reads no file. And it says
//! what has to be watched: nothing else can change what was worked out. What was sought in vain is in it
//! too: as the listing of the folder that lacks it, or as the folder that is not there.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::cache::Stamp;
use super::files::{FileError, Files, Folder};
use super::path::{WinPath, fold_name};

/// What proves that a question still has the answer that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// Of a file that may be read: its size and time.
    Stamp(Stamp),
    /// The same of one that changed a moment ago. Its next change may leave the same stamp, if its file system's times are
    /// coarse: enough for whoever watches it too, but not to be believed later.
    Young(Stamp),
    /// Of a folder: a sum of its names and their kinds. Its time is none: not every file system keeps it.
    Listing(u64),
    /// It cannot be had, for this reason; most often it does not exist.
    Fails(FileError),
    /// It is a part of this program.
    BuiltIn,
    /// There is none: it may not be read, or is locked, or comes from somewhere that has no stamps.
    Nothing,
}

impl Proof {
    fn still_holds(&self, now: &Proof) -> bool {
        match (self, now) {
            (Proof::Stamp(then) | Proof::Young(then), Proof::Stamp(now) | Proof::Young(now)) => then == now,
            _ => self == now,
        }
    }
}

/// Which folders were listed and which files were looked at, and what proves each answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// In the order of their paths.
    folders: Vec<ReadFolder>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ReadFolder {
    path: WinPath,
    /// None if only files in it were looked at.
    listing: Option<Proof>,
    /// By name, in order.
    files: Vec<(String, Proof)>,
}

/// So many folders are worth a second thread.
const WORTH_A_THREAD: usize = 64;

impl Reading {
    /// Of these answers.
    pub(super) fn of(
        listings: impl IntoIterator<Item = (WinPath, Proof)>,
        files: impl IntoIterator<Item = (WinPath, Proof)>,
    ) -> Reading {
        let mut folders: FxHashMap<WinPath, ReadFolder> = FxHashMap::default();
        let new = |path: &WinPath| ReadFolder { path: path.clone(), listing: None, files: Vec::new() };
        for (path, proof) in listings {
            let folder = new(&path);
            folders.entry(path).or_insert(folder).listing = Some(proof);
        }
        for (path, proof) in files {
            // A root or a bare name stands in no folder.
            let (parent, name) = match path.parent() {
                Some(parent) => (parent, path.file_name().to_owned()),
                None => (path, String::new()),
            };
            let folder = new(&parent);
            folders.entry(parent).or_insert(folder).files.push((name, proof));
        }
        Reading::in_order(folders)
    }

    fn in_order(folders: FxHashMap<WinPath, ReadFolder>) -> Reading {
        let mut folders: Vec<ReadFolder> = folders.into_values().collect();
        folders.sort_by_cached_key(|folder| folder.path.key());
        for folder in &mut folders {
            folder.files.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Reading { folders }
    }

    /// With what was read later. Where both looked, what was seen first counts: if it changed in between, the whole does not
    /// hold.
    pub fn and(self, later: &Reading) -> Reading {
        let mut folders: FxHashMap<WinPath, ReadFolder> =
            self.folders.into_iter().map(|folder| (folder.path.clone(), folder)).collect();
        for new in &later.folders {
            let Some(known) = folders.get_mut(&new.path) else {
                folders.insert(new.path.clone(), new.clone());
                continue;
            };
            known.listing = known.listing.take().or_else(|| new.listing.clone());
            for (name, proof) in &new.files {
                if known.files.binary_search_by(|(known, _)| known.cmp(name)).is_err() {
                    known.files.push((name.clone(), proof.clone()));
                }
            }
            known.files.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Reading::in_order(folders)
    }

    /// The answers to questions that were not asked in an earlier reading.
    pub(super) fn beyond(&self, earlier: &Reading) -> Reading {
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
        Reading { folders: self.folders.iter().filter_map(new).collect() }
    }

    /// Whether it can be told at any later time if it still holds.
    pub fn is_proven(&self) -> bool {
        let mut proofs = self.folders.iter().flat_map(ReadFolder::proofs);
        !proofs.any(|proof| matches!(proof, Proof::Nothing | Proof::Young(_)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// All folders that were looked into, also those that were not there.
    pub(super) fn places(&self) -> impl Iterator<Item = &WinPath> {
        self.folders.iter().map(|folder| &folder.path)
    }

    /// The part that was read in these folders.
    pub(super) fn within(&self, folders: &BTreeSet<&WinPath>) -> Reading {
        let folders = self.folders.iter().filter(|folder| folders.contains(&folder.path));
        Reading { folders: folders.cloned().collect() }
    }

    /// The folders in which something could not be read, which may be possible without any change of theirs: a lock ends.
    pub(super) fn refused(&self) -> impl Iterator<Item = &WinPath> {
        let is_refused = |proof: &Proof| {
            matches!(proof, Proof::Nothing | Proof::Fails(FileError::AccessDenied | FileError::Other(_)))
        };
        let folders = self.folders.iter().filter(move |folder| folder.proofs().any(is_refused));
        folders.map(|folder| &folder.path)
    }

    /// Whether a change of `path` can count: it was looked at, or, if `names` were given or taken, it stands in a folder that was
    /// listed or above one that was looked into.
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

    /// The folders that were listed, also those that were not there.
    pub fn folders(&self) -> impl Iterator<Item = &WinPath> {
        self.folders.iter().filter(|folder| folder.listing.is_some()).map(|folder| &folder.path)
    }

    /// The files that were looked at, also those that were not there.
    pub fn files(&self) -> impl Iterator<Item = WinPath> {
        self.folders.iter().flat_map(|folder| folder.files.iter().map(|(name, _)| folder.path.join(name)))
    }

    /// Whether all questions have the same answers today. No file is opened. Two threads share the work.
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
        if self.folders.len() < WORTH_A_THREAD {
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
        let listed = |proof: &Proof| *proof == of_listing(&files.folder(&self.path));
        self.listing.as_ref().is_none_or(listed)
            && self.files.iter().all(|(name, proof)| proof.still_holds(&files.proof(&self.path.join(name))))
    }

    fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.listing.iter().chain(self.files.iter().map(|(_, proof)| proof))
    }
}

/// The proof of what a folder was said to hold.
pub(super) fn of_listing(folder: &Result<std::sync::Arc<Folder>, FileError>) -> Proof {
    match folder {
        Ok(folder) => Proof::Listing(sum(folder)),
        Err(error) => Proof::Fails(error.clone()),
    }
}

/// The same for the same names and kinds, in whatever order they are found.
fn sum(folder: &Folder) -> u64 {
    let of_entry = |entry: &super::Entry| {
        let mut hasher = DefaultHasher::new();
        (entry.kind as u8).hash(&mut hasher);
        entry.name.hash(&mut hasher);
        hasher.finish()
    };
    folder.unordered().map(of_entry).fold(folder.unordered().count() as u64, u64::wrapping_add)
}
