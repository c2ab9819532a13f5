//! The files of the system that WhyDLL runs on, with caches of what was read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustc_hash::FxHashSet;

use super::api_sets::ApiSets;
use super::cache::FactCache;
use super::fact::{AnyAnswer, AnyFact, FactKey, Retention};
use super::fault::FileError;
use super::files::Files;
use super::fingerprint::Fingerprint;
use super::folder::Folder;
use super::native_files::{Memo, NativeFiles, lock};
use super::path::WinPath;

/// Real files. What is read from them is kept in this value, and the facts about images and modules
/// in a [`FactCache`] that outlives it.
pub struct Disk {
    native: NativeFiles,
    cache: Arc<FactCache>,
    answers: Memo<FactKey, AnyAnswer>,
    being_read: Claims,
}

impl Disk {
    /// Creates access to this system's own files.
    pub fn new(cache: Arc<FactCache>) -> Disk {
        Disk::over(NativeFiles::new(None), cache)
    }

    /// Creates access to this system's files, with a directory that holds the drive `C:` of the
    /// analysed machine.
    pub fn with_drive(drive: PathBuf, cache: Arc<FactCache>) -> Disk {
        Disk::over(NativeFiles::new(Some(drive)), cache)
    }

    fn over(native: NativeFiles, cache: Arc<FactCache>) -> Disk {
        Disk { native, cache, answers: Memo::default(), being_read: Claims::default() }
    }

    /// Returns the same files with another cache of facts, and nothing else cached.
    pub(super) fn with_cache(&self, cache: Arc<FactCache>) -> Disk {
        Disk::over(NativeFiles::new(self.native.drive().map(Path::to_owned)), cache)
    }

    /// Returns the Windows path of a native file.
    pub fn windows_path(&self, native: &Path) -> WinPath {
        self.native.windows_path(native)
    }

    /// Returns the native path where a file would be if the case of its name were right.
    pub(super) fn spelled(&self, path: &WinPath) -> Option<PathBuf> {
        self.native.spelled(path)
    }

    /// Returns the native path of a directory, or that of its nearest existing parent.
    pub(super) fn place(&self, folder: &WinPath) -> Option<PathBuf> {
        self.native.place(folder)
    }

    /// Whether a path is a directory that can be listed.
    pub(super) fn is_listable(&self, folder: &WinPath) -> bool {
        self.native.folder(folder).is_ok()
    }

    /// Returns the native directory that stands for drive `C:` of the analysed machine.
    pub(super) fn drive(&self) -> Option<&Path> {
        self.native.drive()
    }

    /// Reads the API set schema, which Windows maps into every process, from the system directory.
    /// Returns `None` if it doesn't exist or has an unknown format.
    pub(super) fn api_sets(&self, system: &WinPath) -> Option<ApiSets> {
        let map = self.native.map(&system.join("apisetschema.dll")).ok()?;
        ApiSets::from_schema(map.image().ok()?.section(".apiset").ok()??)
    }

    /// Returns how many modules have been read so far because they weren't cached.
    pub fn modules_read(&self) -> u64 {
        self.native.modules_read()
    }

    fn cached(&self, fact: &dyn AnyFact, key: &FactKey) -> AnyAnswer {
        let stamp = self.native.stamp(fact.files())?;
        // A second thread waits here, and then finds the answer in the cache.
        let _claim = self.being_read.claim(key);
        self.cache.get_or_read(key, stamp, || fact.read(&self.native))
    }
}

impl Files for Disk {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.native.folder(path)
    }

    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        match fact.kind().retention {
            Retention::None => fact.read(&self.native),
            Retention::Memory => self.answers.get_or(&fact.key(), || fact.read(&self.native)),
            Retention::Cache => self.cached(fact, &fact.key()),
            Retention::MemoryAndCache => {
                let key = fact.key();
                self.answers.get_or(&key, || self.cached(fact, &key))
            }
        }
    }

    fn fingerprint(&self, path: &WinPath) -> Fingerprint {
        self.native.fingerprint(path)
    }
}

/// The facts that are being read. Each is read by one thread while others wait.
#[derive(Default)]
struct Claims {
    claimed: Mutex<FxHashSet<FactKey>>,
    released: Condvar,
}

/// A guard that is held while a fact is being read.
struct Claim<'a> {
    claims: &'a Claims,
    key: &'a FactKey,
}

impl Claims {
    fn claim<'a>(&'a self, key: &'a FactKey) -> Claim<'a> {
        let mut claimed = lock(&self.claimed);
        while !claimed.insert(key.clone()) {
            claimed = self.released.wait(claimed).unwrap_or_else(PoisonError::into_inner);
        }
        Claim { claims: self, key }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(&self.claims.claimed).remove(self.key);
        self.claims.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("Windows/System32")).unwrap();
        fs::write(root.path().join("Windows/System32/Kernel32.dll"), "no image").unwrap();
        let disk = Disk::with_drive(root.path().to_owned(), Arc::default());
        assert!(disk.is_file(&r"c:\WINDOWS\system32\KERNEL32.DLL".into()));
        assert!(!disk.is_file(&r"C:\Windows\System32\missing.dll".into()));
        assert!(!disk.is_file(&r"D:\Windows\System32\Kernel32.dll".into()));
        assert_eq!(disk.windows_path(&root.path().join("Windows/System32")).as_str(), r"C:\Windows\System32");
        let files: &dyn Files = &disk;
        assert_eq!(files.size(&r"C:\windows\system32\kernel32.dll".into()), Ok(8));
        assert_eq!(files.text(&r"C:\windows".into()), Err(FileError::WrongKind("a folder".into())));
    }
}
