//! Files that remember what they were asked, and what proves each answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::files::{FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::reading::{self, Proof, Reading};
use super::{Disk, Host};
use crate::image::{Binding, Export, Symbol};
use crate::source::Script;

/// Says that nobody waits for an answer any more.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Nobody does.
    pub fn say(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody said so.
    pub fn is_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What unwinds whoever still asks.
pub struct Stopped;

/// Stands between a question about a machine and its files.
pub struct Witness {
    files: Arc<dyn Files>,
    stop: Stop,
    folders: Mutex<FxHashMap<WinPath, Result<Arc<Folder>, FileError>>>,
    proofs: Mutex<FxHashMap<WinPath, Proof>>,
}

impl Witness {
    /// `host`, with all that is read from it witnessed. What an [`Environment`](crate::environment::Environment)
    /// read before is not seen: take one that is [`unread`](crate::environment::Environment::unread).
    pub fn over(host: &Host) -> (Host, Arc<Witness>) {
        Witness::until(Stop::default(), host)
    }

    /// The same until somebody says `stop`. Then nothing is answered any more: whoever asks is unwound, with [`Stopped`], as
    /// far as he who began and catches it (`catch_unwind`).
    pub fn until(stop: Stop, host: &Host) -> (Host, Arc<Witness>) {
        let witness = Arc::new(Witness {
            files: host.files.clone(),
            stop,
            folders: Mutex::default(),
            proofs: Mutex::default(),
        });
        (Host { files: witness.clone(), ..host.clone() }, witness)
    }

    /// What was read so far.
    pub fn reading(&self) -> Reading {
        let folders = lock(&self.folders);
        let listings = folders.iter().map(|(path, folder)| (path.clone(), reading::of_listing(folder)));
        let proofs = lock(&self.proofs);
        Reading::of(listings, proofs.iter().map(|(path, proof)| (path.clone(), proof.clone())))
    }

    fn go_on(&self) {
        if self.stop.is_said() {
            std::panic::resume_unwind(Box::new(Stopped));
        }
    }

    /// The answer of `ask`, and the file's proof noted, which is taken first: if the file changes in between,
    /// the proof is the old one and will not hold.
    fn note<T, E>(
        &self,
        path: &WinPath,
        ask: impl FnOnce(&dyn Files) -> Result<T, E>,
        of_file: fn(&E) -> Option<&FileError>,
    ) -> Result<T, E> {
        self.go_on();
        // What is in an archive changes with it.
        let archive = path.in_archive().filter(|(archive, _)| self.files.is_file(archive));
        let path = archive.as_ref().map_or(path, |(archive, _)| archive);
        let known = lock(&self.proofs).get(path).cloned();
        let mut proof = known.clone().unwrap_or_else(|| self.files.proof(path));
        let answer = ask(&*self.files);
        let agrees = match (&proof, answer.as_ref().map_err(of_file)) {
            (Proof::Fails(expected), Err(Some(error))) => expected == error,
            (Proof::Fails(_), _) => false,
            // What the file itself says, its size or its contents.
            (_, Ok(_) | Err(None)) => true,
            (_, Err(Some(FileError::TooLarge(_) | FileError::BadArchive(_) | FileError::BadModule(_)))) => {
                true
            }
            (_, Err(Some(_))) => false,
        };
        if !agrees {
            proof = Proof::Nothing;
        }
        if known.as_ref() != Some(&proof) {
            lock(&self.proofs).insert(path.clone(), proof);
        }
        answer
    }
}

/// That the file itself cannot be had, not that it is no image.
fn of_file(fault: &ImageFault) -> Option<&FileError> {
    match fault {
        ImageFault::File(error) => Some(error),
        ImageFault::Image(_) => None,
    }
}

fn lock<T>(answers: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files for Witness {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.go_on();
        if let Some(known) = lock(&self.folders).get(path) {
            return known.clone();
        }
        let folder = self.files.folder(path);
        lock(&self.folders).insert(path.clone(), folder.clone());
        folder
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.note(path, |files| files.size(path), |error| Some(error))
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        self.note(path, |files| files.text(path), |error| Some(error))
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        self.note(path, |files| files.image(path), of_file)
    }

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        let of_exporter = |files: &dyn Files| files.binding(importer, dll, exporter);
        self.note(importer, |_| self.note(exporter, of_exporter, of_file), of_file)
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        self.note(path, |files| files.export(path, symbol), of_file)
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        let part = path.as_part();
        let module = part.as_ref().map_or(path, |(module, _)| module);
        self.note(module, |files| files.script(path), |error| Some(error))
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        self.note(path, |files| files.archive(path), |error| Some(error))
    }

    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        self.note(path, |files| files.holds(path, text), |error| Some(error))
    }

    /// A question, too: whoever finds that an answer still holds has the same right to it as one who worked it out.
    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        self.note(path, |files| files.instructions(path), of_file)
    }

    fn proof(&self, path: &WinPath) -> Proof {
        self.go_on();
        let known = lock(&self.proofs).get(path).cloned();
        known.unwrap_or_else(|| {
            let proof = self.files.proof(path);
            lock(&self.proofs).entry(path.clone()).or_insert(proof).clone()
        })
    }

    fn unwitnessed(&self) -> Option<Arc<dyn Files>> {
        Some(self.files.unwitnessed().unwrap_or_else(|| self.files.clone()))
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
    fn whoever_asks_on_after_it_was_stopped_is_unwound() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("Windows/System32")).unwrap();
        let host = Host::directory(root.path(), Default::default()).unwrap();
        let stop = Stop::default();
        let (outer, witness) = Witness::until(stop.clone(), &host);
        // Who remembers answers asks through another one.
        let (host, _) = Witness::over(&outer);
        let system = WinPath::new(r"C:\Windows\System32");
        assert!(host.files.is_folder(&system));
        let reading = witness.reading();
        stop.say();
        let thrown = catch_unwind(AssertUnwindSafe(|| host.files.size(&system.join("a.dll")))).unwrap_err();
        assert!(thrown.is::<Stopped>());
        let thrown = catch_unwind(AssertUnwindSafe(|| reading.still_holds(&*outer.files))).unwrap_err();
        assert!(thrown.is::<Stopped>());
    }
}
