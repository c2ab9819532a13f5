//! What was read of a machine, with a proof of each answer.
//!
//! A [`Witness`](super::Witness) makes it, and it serves two ends. What was worked out from the files holds as
//! long as [`Reading::still_holds`], which looks at listings, sizes and times and reads no file. And it says
//! what has to be watched: nothing else can change what was worked out. What was sought in vain is in it
//! too: as the listing of the folder that lacks it, or as the folder that is not there.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::cache::Stamp;
use super::files::{FileError, Files, Folder};
use super::path::WinPath;

/// What proves that a question still has the answer that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// Of a file that may be read: its size and time.
    Stamp(Stamp),
    /// Of a folder: a sum of its names and their kinds. Its time is none: not every file system keeps it.
    Listing(u64),
    /// It cannot be had, for this reason; most often it does not exist.
    Fails(FileError),
    /// It is a part of this program.
    BuiltIn,
    /// There is none. The file changed a moment ago, so that its next change may leave the same stamp; or it
    /// may not be read; or it comes from somewhere that has no stamps.
    Nothing,
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
    /// Of these answers; none if one of them has no proof.
    pub(super) fn of(
        listings: impl IntoIterator<Item = (WinPath, Proof)>,
        files: impl IntoIterator<Item = (WinPath, Proof)>,
    ) -> Option<Reading> {
        let mut folders: FxHashMap<WinPath, ReadFolder> = FxHashMap::default();
        let new = |path: &WinPath| ReadFolder { path: path.clone(), listing: None, files: Vec::new() };
        for (path, proof) in listings {
            let folder = new(&path);
            folders.entry(path).or_insert(folder).listing = Some(proof);
        }
        for (path, proof) in files {
            // A root or a bare name stands in no folder.
            let parent = path.parent()?;
            let folder = new(&parent);
            folders.entry(parent).or_insert(folder).files.push((path.file_name().to_owned(), proof));
        }
        let mut folders: Vec<ReadFolder> = folders.into_values().collect();
        let mut proofs = folders.iter().flat_map(|f| f.listing.iter().chain(f.files.iter().map(|(_, p)| p)));
        if proofs.any(|proof| *proof == Proof::Nothing) {
            return None;
        }
        folders.sort_by_cached_key(|folder| folder.path.key());
        for folder in &mut folders {
            folder.files.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Some(Reading { folders })
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
            && self.files.iter().all(|(name, proof)| *proof == files.proof(&self.path.join(name)))
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
