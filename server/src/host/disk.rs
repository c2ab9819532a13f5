//! The files of the system that WhyDLL runs on, read as Windows would read them.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::hash::Hash;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};

use super::api_sets::ApiSets;
use super::archive::Archive;
use super::cache::{FactCache, Stamp};
use super::files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault, MAX_TEXT_BYTES};
use super::map;
use super::path::{WinPath, fold_name};
use super::read_set::Fingerprint;
use crate::image::{Binding, Export, Symbol};
use crate::source::{self, Script};

/// The maximum number of bytes of module source that are kept for reading further parts.
const MAX_SOURCE_BYTES: usize = 2 << 20;

/// Real files. This value lists each directory once. The facts about images and modules are kept in
/// a [`FactCache`] that outlives it.
pub struct Disk {
    /// The directory that stands for drive `C:` if another system's drive is analysed.
    drive: Option<PathBuf>,
    cache: Arc<FactCache>,
    folders: Mutex<FxHashMap<String, Result<Listed, FileError>>>,
    /// Answers that are requested repeatedly, kept for the life of this value.
    images: Memo<WinPath, Arc<ImageFacts>, ImageFault>,
    archives: Memo<WinPath, Arc<Archive>, FileError>,
    modules_in_archives: Memo<WinPath, Arc<Vec<String>>, FileError>,
    exports: Memo<(WinPath, Symbol), Option<Export>, ImageFault>,
    contained: Memo<(WinPath, String), bool, FileError>,
    instructions: Memo<WinPath, Arc<BTreeSet<String>>, ImageFault>,
    /// File metadata from the first access, so that a stamp is never newer than what was read.
    metadata: Memo<WinPath, FileMetadata, FileError>,
    modules_read: AtomicU64,
    /// The modules that a thread is currently reading.
    being_read: Claims,
    /// The modules whose parts were read most recently.
    last_modules: Mutex<VecDeque<(WinPath, Arc<str>)>>,
}

type Memo<K, T, E> = Mutex<FxHashMap<K, Result<T, E>>>;

/// A directory listing and its native path.
#[derive(Clone)]
struct Listed {
    native: PathBuf,
    folder: Arc<Folder>,
    /// The metadata of files that the listing itself contains, by case-folded names. Only Windows
    /// provides it, where querying each file would cost more than everything else. NTFS keeps it up
    /// to date for the name by which a file was written (Microsoft, "FindFirstFileW"), and
    /// installers write files by the names that Python will find.
    metadata: Arc<FxHashMap<String, fs::Metadata>>,
}

/// The metadata of a file or directory.
#[derive(Clone)]
struct FileMetadata {
    native: PathBuf,
    bytes: u64,
    is_folder: bool,
    /// `None` if the file may not be read, or has no modification time.
    stamp: Option<Stamp>,
    /// Whether the stamp can serve as a fingerprint later.
    is_settled: bool,
}

impl Disk {
    /// Creates access to this system's own files.
    pub fn new(cache: Arc<FactCache>) -> Disk {
        Disk {
            drive: None,
            cache,
            folders: Mutex::default(),
            images: Mutex::default(),
            archives: Mutex::default(),
            modules_in_archives: Mutex::default(),
            exports: Mutex::default(),
            contained: Mutex::default(),
            instructions: Mutex::default(),
            metadata: Mutex::default(),
            modules_read: AtomicU64::new(0),
            being_read: Claims::default(),
            last_modules: Mutex::default(),
        }
    }

    /// Creates access to this system's files, with a directory that holds the drive `C:` of the
    /// analysed machine.
    pub fn with_drive(drive: PathBuf, cache: Arc<FactCache>) -> Disk {
        Disk { drive: Some(drive), ..Disk::new(cache) }
    }

    /// Returns the Windows path of a native file.
    pub fn windows_path(&self, native: &Path) -> WinPath {
        let absolute = std::path::absolute(native).unwrap_or_else(|_| native.to_owned());
        let path = WinPath::from_native(&absolute).normalized();
        match &self.drive {
            Some(drive) => match path.below(&WinPath::from_native(drive)) {
                Some(tail) => WinPath::new(r"C:\").join(tail),
                None => path,
            },
            None => path,
        }
    }

    /// Returns the native path where a file would be if the case of its name were right.
    pub(super) fn spelled(&self, path: &WinPath) -> Option<PathBuf> {
        match &self.drive {
            Some(drive) => {
                let tail = path.below(&WinPath::new(r"C:\"));
                match tail {
                    Some(tail) => {
                        let parts = tail.split(['/', '\\']).filter(|part| !part.is_empty());
                        Some(parts.fold(drive.clone(), |folder, part| folder.join(part)))
                    }
                    None if path.as_str().starts_with('/') => Some(PathBuf::from(path.as_str())),
                    None => None,
                }
            }
            None if cfg!(windows) || path.as_str().starts_with('/') => Some(PathBuf::from(path.as_str())),
            None => None,
        }
    }

    fn listed(&self, path: &WinPath) -> Result<Listed, FileError> {
        let key = path.key();
        if let Some(known) = lock(&self.folders).get(&key) {
            return known.clone();
        }
        let listed = self.list(path);
        // Another thread may have been faster; all threads must see the same listing.
        lock(&self.folders).entry(key).or_insert(listed).clone()
    }

    fn list(&self, path: &WinPath) -> Result<Listed, FileError> {
        let spelled = self.spelled(path).ok_or(FileError::NotFound)?;
        let native = match fs::read_dir(&spelled) {
            Ok(entries) => return Ok(listing(spelled, entries)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // It may be spelled in another case: look in the listing of the parent directory.
                let parent = path.parent().ok_or(FileError::NotFound)?;
                let above = self.listed(&parent)?;
                let entry = above.folder.entry(path.file_name()).ok_or(FileError::NotFound)?;
                above.native.join(&entry.name)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(listing(native.clone(), fs::read_dir(native)?))
    }

    /// Returns the native path of a file.
    fn native(&self, path: &WinPath) -> Result<PathBuf, FileError> {
        let parent = path.parent().ok_or(FileError::NotFound)?;
        match self.listed(&parent) {
            Ok(listed) => {
                let entry = listed.folder.entry(path.file_name()).ok_or(FileError::NotFound)?;
                Ok(listed.native.join(&entry.name))
            }
            // A directory may refuse to be listed but still allow opening its files.
            Err(FileError::AccessDenied) => self.spelled(path).ok_or(FileError::NotFound),
            Err(error) => Err(error),
        }
    }

    fn file_metadata(&self, path: &WinPath) -> Result<FileMetadata, FileError> {
        once(&self.metadata, path, || {
            let native = self.native(path)?;
            let metadata = self.listed_metadata(path).map_or_else(|| fs::metadata(&native), Ok)?;
            let (bytes, is_folder) = (metadata.len(), metadata.is_dir());
            let stamp = Stamp::of(&metadata).filter(|_| may_be_read(&native, &metadata));
            let is_settled = stamp.is_some_and(Stamp::is_settled);
            Ok(FileMetadata { native, bytes, is_folder, stamp, is_settled })
        })
    }

    fn listed_metadata(&self, path: &WinPath) -> Option<fs::Metadata> {
        let listed = self.listed(&path.parent()?).ok()?;
        listed.metadata.get(&fold_name(path.file_name())).cloned()
    }

    fn stamped(&self, path: &WinPath) -> Result<(PathBuf, Option<Stamp>), FileError> {
        let file = self.file_metadata(path)?;
        if file.is_folder {
            return Err(FileError::WrongKind("a folder".into()));
        }
        Ok((file.native, file.stamp.filter(|_| file.is_settled)))
    }

    /// Returns the source of a module in order to read a part of it. Parts are requested
    /// repeatedly, between those of other modules.
    fn module_source(
        &self,
        module: &WinPath,
        bytes: impl FnOnce() -> Result<Vec<u8>, FileError>,
    ) -> Result<Arc<str>, FileError> {
        if let Some((_, text)) = lock(&self.last_modules).iter().find(|(known, _)| known == module) {
            return Ok(text.clone());
        }
        let text: Arc<str> = match String::from_utf8(bytes()?) {
            Ok(text) => text.into(),
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into(),
        };
        let mut last = lock(&self.last_modules);
        last.push_front((module.clone(), text.clone()));
        let mut left = MAX_SOURCE_BYTES;
        last.retain(|(_, text)| {
            let fits = text.len() <= left;
            left = left.saturating_sub(text.len());
            fits
        });
        Ok(text)
    }

    /// Returns the same files with another cache of facts, and nothing else cached.
    pub(super) fn with_cache(&self, cache: Arc<FactCache>) -> Disk {
        Disk { drive: self.drive.clone(), ..Disk::new(cache) }
    }

    /// Whether a path is a directory that can be listed.
    pub(super) fn is_listable(&self, folder: &WinPath) -> bool {
        self.listed(folder).is_ok()
    }

    /// Returns the native path of a directory, or that of its nearest existing parent.
    pub(super) fn place(&self, folder: &WinPath) -> Option<PathBuf> {
        let above = std::iter::successors(Some(folder.clone()), WinPath::parent);
        above.into_iter().find_map(|folder| match self.listed(&folder) {
            Ok(listed) => Some(listed.native),
            // The directory exists; only its listing is refused.
            Err(FileError::AccessDenied) => self.spelled(&folder),
            Err(_) => None,
        })
    }

    fn opened(&self, archive: &WinPath) -> Result<Arc<Archive>, FileError> {
        once(&self.archives, archive, || Archive::open(&self.native(archive)?).map(Arc::new))
    }

    /// Reads the API set schema, which Windows maps into every process, from the system directory.
    /// Returns `None` if it doesn't exist or has an unknown format.
    pub(super) fn api_sets(&self, system: &WinPath) -> Option<ApiSets> {
        map::api_sets(&self.native(&system.join("apisetschema.dll")).ok()?).ok()?
    }

    /// Returns the native directory that stands for drive `C:` of the analysed machine.
    pub(super) fn drive(&self) -> Option<&Path> {
        self.drive.as_deref()
    }
}

/// Whether the user may read a file, which its size and time don't show. Most files are readable by
/// everybody.
#[cfg(unix)]
fn may_be_read(native: &Path, metadata: &fs::Metadata) -> bool {
    let public = std::os::unix::fs::MetadataExt::mode(metadata) & 0o444 == 0o444;
    public || rustix::fs::access(native, rustix::fs::Access::READ_OK).is_ok()
}

/// Returns true, because only opening the file would answer this, and virus scanners make that
/// slow. [`Disk::fingerprint`] opens it if it matters.
#[cfg(not(unix))]
fn may_be_read(_: &Path, _: &fs::Metadata) -> bool {
    true
}

/// Whether an image cannot be opened, for example because a virus scanner blocks it.
#[cfg(not(unix))]
fn is_locked_away(native: &Path) -> bool {
    let extension = native.extension().unwrap_or_default();
    let is_image = ["dll", "exe", "pyd"].iter().any(|image| extension.eq_ignore_ascii_case(image));
    is_image && map::open(native).is_err()
}

/// Returns false: [`may_be_read`] has already checked the mode.
#[cfg(unix)]
fn is_locked_away(_: &Path) -> bool {
    false
}

/// The files that are being read. Each is read by one thread while others wait.
#[derive(Default)]
struct Claims {
    claimed: Mutex<FxHashSet<WinPath>>,
    released: Condvar,
}

/// A guard that is held while a file is being read.
struct Claim<'a> {
    claims: &'a Claims,
    path: &'a WinPath,
}

impl Claims {
    fn claim<'a>(&'a self, path: &'a WinPath) -> Claim<'a> {
        let mut claimed = lock(&self.claimed);
        while !claimed.insert(path.clone()) {
            claimed = self.released.wait(claimed).unwrap_or_else(PoisonError::into_inner);
        }
        Claim { claims: self, path }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(&self.claims.claimed).remove(self.path);
        self.claims.released.notify_all();
    }
}

/// Returns the cached answer for `key`, or computes and caches it.
fn once<K: Clone + Eq + Hash, T: Clone>(
    answers: &Mutex<FxHashMap<K, T>>,
    key: &K,
    work: impl FnOnce() -> T,
) -> T {
    if let Some(known) = lock(answers).get(key) {
        return known.clone();
    }
    let answer = work();
    lock(answers).entry(key.clone()).or_insert(answer).clone()
}

fn lock<T>(answers: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listing(native: PathBuf, entries: fs::ReadDir) -> Listed {
    let mut all_metadata = FxHashMap::default();
    let entries = entries.filter_map(Result::ok).map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Other systems would query each file; and for a link, this is not the metadata of its
        // target.
        if cfg!(windows)
            && let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            all_metadata.insert(fold_name(&name), metadata);
        }
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_dir() => EntryKind::Folder,
            Ok(kind) if kind.is_symlink() && entry.path().is_dir() => EntryKind::Folder,
            _ => EntryKind::File,
        };
        Entry { name, kind }
    });
    let folder = Arc::new(Folder::new(entries));
    Listed { native, folder, metadata: Arc::new(all_metadata) }
}

impl Files for Disk {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.listed(path).map(|listed| listed.folder)
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.file_metadata(path).map(|file| file.bytes)
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        let bytes = read(&self.native(path)?, MAX_TEXT_BYTES)?;
        Ok(String::from_utf8_lossy(&bytes).into())
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        once(&self.images, path, || {
            let (native, stamp) = self.stamped(path)?;
            self.cache.image(path, stamp, || map::image_facts(&native))
        })
    }

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        let (importing, importer_stamp) = self.stamped(importer)?;
        let (exporting, exporter_stamp) = self.stamped(exporter)?;
        let read = || map::binding(&importing, dll, &exporting);
        self.cache.binding((importer, importer_stamp), dll, (exporter, exporter_stamp), read)
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        once(&self.exports, &(path.clone(), symbol.clone()), || map::export(&self.stamped(path)?.0, symbol))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        let part = path.as_part();
        let module = part.as_ref().map_or(path, |(module, _)| module);
        let archived =
            module.in_archive().filter(|(archive, inside)| !inside.is_empty() && self.is_file(archive));
        let (native, stamp) = self.stamped(archived.as_ref().map_or(module, |(archive, _)| archive))?;
        // A second thread waits here, and then finds the script in the cache.
        let _claim = self.being_read.claim(path);
        self.cache.script(path, stamp, || {
            let bytes = || match &archived {
                Some((archive, inside)) => self.opened(archive)?.read(inside),
                None => read(&native, source::MAX_MODULE_BYTES),
            };
            if let Some((_, span)) = part {
                let text = self.module_source(module, bytes)?;
                return Ok(source::lower_part(&text, span));
            }
            self.modules_read.fetch_add(1, Ordering::Relaxed);
            let bytes = bytes()?;
            if module.has_extension("pyc") {
                return source::lower_compiled(&bytes)
                    .map_err(|error| FileError::BadModule(error.to_string()));
            }
            Ok(match std::str::from_utf8(&bytes) {
                Ok(text) => source::lower(text),
                Err(_) => source::lower(&String::from_utf8_lossy(&bytes)),
            })
        })
    }

    fn contains(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        once(&self.contained, &(path.clone(), text.to_owned()), || {
            map::contains(&self.stamped(path)?.0, text)
        })
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        once(&self.instructions, path, || map::instructions(&self.stamped(path)?.0).map(Arc::new))
    }

    fn fingerprint(&self, path: &WinPath) -> Fingerprint {
        match self.file_metadata(path) {
            Err(error) => Fingerprint::Error(error),
            Ok(file) if file.is_folder => Fingerprint::Error(FileError::WrongKind("a folder".into())),
            Ok(FileMetadata { stamp: Some(stamp), native, is_settled, .. }) if !is_locked_away(&native) => {
                if is_settled {
                    Fingerprint::Stamp(stamp)
                } else {
                    Fingerprint::Recent(stamp)
                }
            }
            Ok(_) => Fingerprint::Unavailable,
        }
    }

    fn on(&self, disk: &Arc<Disk>) -> Option<Arc<dyn Files>> {
        Some(disk.clone())
    }

    fn modules_read(&self) -> u64 {
        self.modules_read.load(Ordering::Relaxed)
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        once(&self.modules_in_archives, path, || {
            let (_, stamp) = self.stamped(path)?;
            self.cache.archive(path, stamp, || self.opened(path).map(|archive| archive.modules()))
        })
    }
}

/// Reads a whole file of at most `limit` bytes. Pipes and devices have no size.
fn read(native: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut file = fs::File::open(native).map_err(|error| match native.is_dir() {
        // Windows reports that access is denied.
        true => FileError::WrongKind("a folder".into()),
        false => error.into(),
    })?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(FileError::WrongKind("a folder".into()));
    }
    if !metadata.is_file() {
        return Err(FileError::WrongKind("not a regular file".into()));
    }
    if metadata.len() > limit {
        return Err(FileError::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    (&mut file).take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
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
        assert_eq!(disk.size(&r"C:\windows\system32\kernel32.dll".into()), Ok(8));
        assert_eq!(disk.text(&r"C:\windows".into()), Err(FileError::WrongKind("a folder".into())));
    }
}
