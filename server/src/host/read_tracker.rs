//! Files that record every access, with a fingerprint of each answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use super::Host;
use super::fact::{AnyAnswer, AnyFact};
use super::fault::{FileError, ImageFault};
use super::files::Files;
use super::fingerprint::{Fingerprint, of_listing};
use super::folder::Folder;
use super::native_files::lock;
use super::path::WinPath;
use super::read_set::ReadSet;

/// A token that cancels a computation whose result isn't needed any more.
#[derive(Debug, Clone, Default)]
pub struct CancellationToken(Arc<AtomicBool>);

impl CancellationToken {
    /// Requests cancellation.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether cancellation was requested.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The panic payload that unwinds a cancelled computation.
pub struct Cancelled;

/// A recorder between a computation and the files of a machine.
pub struct ReadTracker {
    files: Arc<dyn Files>,
    stop: CancellationToken,
    folders: Mutex<FxHashMap<WinPath, Result<Arc<Folder>, FileError>>>,
    fingerprints: Mutex<FxHashMap<WinPath, Fingerprint>>,
}

impl ReadTracker {
    /// Returns `host` with all reads recorded. Reads that an
    /// [`Environment`](crate::environment::Environment) made earlier are not included, so use one
    /// that is [`unread`](crate::environment::Environment::unread).
    pub fn over(host: &Host) -> (Host, Arc<ReadTracker>) {
        ReadTracker::until(CancellationToken::default(), host)
    }

    /// Like [`ReadTracker::over`], until `stop` requests cancellation. From then on, every access
    /// panics with [`Cancelled`], which the caller must catch (`catch_unwind`).
    pub fn until(stop: CancellationToken, host: &Host) -> (Host, Arc<ReadTracker>) {
        let tracker = Arc::new(ReadTracker {
            files: host.files.clone(),
            stop,
            folders: Mutex::default(),
            fingerprints: Mutex::default(),
        });
        (Host { files: tracker.clone(), ..host.clone() }, tracker)
    }

    /// Returns what was read so far.
    pub fn read_set(&self) -> ReadSet {
        let folders = lock(&self.folders);
        let listings = folders.iter().map(|(path, folder)| (path.clone(), of_listing(folder)));
        let fingerprints = lock(&self.fingerprints);
        ReadSet::of(
            listings,
            fingerprints.iter().map(|(path, fingerprint)| (path.clone(), fingerprint.clone())),
        )
    }

    fn check_cancelled(&self) {
        if self.stop.is_cancelled() {
            std::panic::resume_unwind(Box::new(Cancelled));
        }
    }
}

/// Whether the fingerprint of a file agrees with an answer about it.
fn agrees(fingerprint: &Fingerprint, answer: &AnyAnswer) -> bool {
    let error = match answer {
        Err(ImageFault::File(error)) => Some(error),
        // The file could be read.
        Ok(_) | Err(ImageFault::Image(_)) => None,
    };
    match (fingerprint, error) {
        (Fingerprint::Error(expected), Some(error)) => expected == error,
        (Fingerprint::Error(_), None) => false,
        (_, None) => true,
        // The error is about its size or contents.
        (_, Some(FileError::TooLarge(_) | FileError::BadArchive(_) | FileError::BadModule(_))) => true,
        (_, Some(_)) => false,
    }
}

impl Files for ReadTracker {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.check_cancelled();
        if let Some(known) = lock(&self.folders).get(path) {
            return known.clone();
        }
        let folder = self.files.folder(path);
        lock(&self.folders).insert(path.clone(), folder.clone());
        folder
    }

    /// Records the fingerprints of the files, which are taken first: if a file changes in between,
    /// the old fingerprint won't match later.
    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        self.check_cancelled();
        let files = fact.files().iter().map(|file| {
            // The contents of an archive change with the archive.
            let file = file.container(|archive| self.files.is_file(archive));
            let known = lock(&self.fingerprints).get(&file).cloned();
            let fingerprint = known.clone().unwrap_or_else(|| self.files.fingerprint(&file));
            (file, known, fingerprint)
        });
        let files: Vec<_> = files.collect();
        let answer = self.files.answer(fact);
        for (file, known, mut fingerprint) in files {
            if !agrees(&fingerprint, &answer) {
                fingerprint = Fingerprint::Unavailable;
            }
            if known.as_ref() != Some(&fingerprint) {
                lock(&self.fingerprints).insert(file, fingerprint);
            }
        }
        answer
    }

    /// Records this access too, so that a cached result has the same read set as a computed one.
    fn fingerprint(&self, path: &WinPath) -> Fingerprint {
        self.check_cancelled();
        let known = lock(&self.fingerprints).get(path).cloned();
        known.unwrap_or_else(|| {
            let fingerprint = self.files.fingerprint(path);
            lock(&self.fingerprints).entry(path.clone()).or_insert(fingerprint).clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn an_access_after_cancellation_unwinds() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("Windows/System32")).unwrap();
        let host = Host::directory(root.path(), Default::default()).unwrap();
        let stop = CancellationToken::default();
        let (outer, tracker) = ReadTracker::until(stop.clone(), &host);
        // A nested recorder, as for cached answers.
        let (host, _) = ReadTracker::over(&outer);
        let system = WinPath::new(r"C:\Windows\System32");
        assert!(host.files.is_folder(&system));
        let read_set = tracker.read_set();
        stop.cancel();
        let thrown = catch_unwind(AssertUnwindSafe(|| host.files.size(&system.join("a.dll")))).unwrap_err();
        assert!(thrown.is::<Cancelled>());
        let thrown = catch_unwind(AssertUnwindSafe(|| read_set.still_holds(&*outer.files))).unwrap_err();
        assert!(thrown.is::<Cancelled>());
    }
}
