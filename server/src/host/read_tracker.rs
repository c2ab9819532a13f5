//! Files that record every access, with a fingerprint of each answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::files::{FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::read_set::{self, Fingerprint, ReadSet};
use super::{Disk, Host};
use crate::image::{Binding, Export, Symbol};
use crate::source::Script;

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
        let listings = folders.iter().map(|(path, folder)| (path.clone(), read_set::of_listing(folder)));
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

    /// Calls `ask` and records the file's fingerprint. The fingerprint is taken first: if the file
    /// changes in between, the old fingerprint won't match later.
    fn record<T, E>(
        &self,
        path: &WinPath,
        ask: impl FnOnce(&dyn Files) -> Result<T, E>,
        of_file: fn(&E) -> Option<&FileError>,
    ) -> Result<T, E> {
        self.check_cancelled();
        // The contents of an archive change with the archive.
        let archive = path.in_archive().filter(|(archive, _)| self.files.is_file(archive));
        let path = archive.as_ref().map_or(path, |(archive, _)| archive);
        let known = lock(&self.fingerprints).get(path).cloned();
        let mut fingerprint = known.clone().unwrap_or_else(|| self.files.fingerprint(path));
        let answer = ask(&*self.files);
        let agrees = match (&fingerprint, answer.as_ref().map_err(of_file)) {
            (Fingerprint::Error(expected), Err(Some(error))) => expected == error,
            (Fingerprint::Error(_), _) => false,
            // The file could be read: this is an answer, or an error about its size or contents.
            (_, Ok(_) | Err(None)) => true,
            (_, Err(Some(FileError::TooLarge(_) | FileError::BadArchive(_) | FileError::BadModule(_)))) => {
                true
            }
            (_, Err(Some(_))) => false,
        };
        if !agrees {
            fingerprint = Fingerprint::Unavailable;
        }
        if known.as_ref() != Some(&fingerprint) {
            lock(&self.fingerprints).insert(path.clone(), fingerprint);
        }
        answer
    }
}

/// Returns the error if the file itself could not be read, as opposed to not being an image.
fn of_file(fault: &ImageFault) -> Option<&FileError> {
    match fault {
        ImageFault::File(error) => Some(error),
        ImageFault::Image(_) => None,
    }
}

fn lock<T>(answers: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.record(path, |files| files.size(path), |error| Some(error))
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        self.record(path, |files| files.text(path), |error| Some(error))
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        self.record(path, |files| files.image(path), of_file)
    }

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        let of_exporter = |files: &dyn Files| files.binding(importer, dll, exporter);
        self.record(importer, |_| self.record(exporter, of_exporter, of_file), of_file)
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        self.record(path, |files| files.export(path, symbol), of_file)
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        let part = path.as_part();
        let module = part.as_ref().map_or(path, |(module, _)| module);
        self.record(module, |files| files.script(path), |error| Some(error))
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        self.record(path, |files| files.archive(path), |error| Some(error))
    }

    fn contains(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        self.record(path, |files| files.contains(path, text), |error| Some(error))
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        self.record(path, |files| files.instructions(path), of_file)
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

    fn untracked(&self) -> Option<Arc<dyn Files>> {
        Some(self.files.untracked().unwrap_or_else(|| self.files.clone()))
    }

    fn on(&self, disk: &Arc<Disk>) -> Option<Arc<dyn Files>> {
        self.files.on(disk)
    }

    fn modules_read(&self) -> u64 {
        self.files.modules_read()
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
