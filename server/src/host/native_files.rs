//! The files of the system that WhyDLL runs on, listed and opened as Windows would open them.

use std::collections::VecDeque;
use std::fs;
use std::hash::Hash;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::archive::Archive;
use super::fault::{FileError, ImageFault};
use super::fingerprint::{Fingerprint, Stamp};
use super::folder::{Entry, EntryKind, Folder};
use super::map::Mapped;
use super::path::{WinPath, fold_name};
use crate::source;

/// The maximum number of bytes of module source that are kept for reading further parts.
const MAX_SOURCE_BYTES: usize = 2 << 20;

/// Real files, from which a [`Fact`](super::Fact) reads its answer. This value lists each directory
/// once.
pub struct NativeFiles {
    /// The directory that stands for drive `C:` if another system's drive is analysed.
    drive: Option<PathBuf>,
    folders: Mutex<FxHashMap<String, Result<Listed, FileError>>>,
    archives: Memo<WinPath, Result<Arc<Archive>, FileError>>,
    /// File metadata from the first access, so that a stamp is never newer than what was read.
    metadata: Memo<WinPath, Result<FileMetadata, FileError>>,
    modules_read: AtomicU64,
    /// The modules whose parts were read most recently.
    last_modules: Mutex<VecDeque<(WinPath, Arc<str>)>>,
}

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

impl NativeFiles {
    /// Creates access to this system's own files, or to those of a system whose drive `C:` is in
    /// the directory `drive`.
    pub(super) fn new(drive: Option<PathBuf>) -> NativeFiles {
        NativeFiles {
            drive,
            folders: Mutex::default(),
            archives: Memo::default(),
            metadata: Memo::default(),
            modules_read: AtomicU64::new(0),
            last_modules: Mutex::default(),
        }
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

    fn metadata(&self, path: &WinPath) -> Result<FileMetadata, FileError> {
        self.metadata.get_or(path, || {
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

    /// Lists a directory.
    pub(super) fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.listed(path).map(|listed| listed.folder)
    }

    /// Whether `path` is a file.
    pub(super) fn is_file(&self, path: &WinPath) -> bool {
        let listed = || self.listed(&path.parent()?).ok();
        listed().is_some_and(|listed| listed.folder.has_file(path.file_name()))
    }

    /// Returns the native path of a file, and not of a directory.
    pub(super) fn file(&self, path: &WinPath) -> Result<PathBuf, FileError> {
        self.stamped(path).map(|(native, _)| native)
    }

    /// Returns the combined stamp of some files. Returns `None` if one of them cannot be recognized
    /// by its stamp later. A file in an archive changes with the archive.
    pub(super) fn stamp(&self, paths: &[WinPath]) -> Result<Option<Stamp>, FileError> {
        let mut stamps = Vec::new();
        for path in paths {
            stamps.push(self.stamped(&path.container(|archive| self.is_file(archive)))?.1);
        }
        let stamps: Option<Vec<Stamp>> = stamps.into_iter().collect();
        Ok(stamps.and_then(|stamps| stamps.into_iter().reduce(Stamp::and)))
    }

    fn stamped(&self, path: &WinPath) -> Result<(PathBuf, Option<Stamp>), FileError> {
        let file = self.metadata(path)?;
        if file.is_folder {
            return Err(FileError::WrongKind("a folder".into()));
        }
        Ok((file.native, file.stamp.filter(|_| file.is_settled)))
    }

    /// Returns the size of a file in bytes.
    pub(super) fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.metadata(path).map(|file| file.bytes)
    }

    /// Reads a whole file of at most `limit` bytes.
    pub(super) fn read(&self, path: &WinPath, limit: u64) -> Result<Vec<u8>, FileError> {
        read(&self.native(path)?, limit)
    }

    /// Maps a file that isn't empty.
    pub(super) fn map(&self, path: &WinPath) -> Result<Mapped, ImageFault> {
        Mapped::of(&self.file(path)?)
    }

    /// Opens a zip archive.
    pub(super) fn archive(&self, path: &WinPath) -> Result<Arc<Archive>, FileError> {
        self.archives.get_or(path, || Archive::open(&self.native(path)?).map(Arc::new))
    }

    /// Reads the file of a module, which may be in an archive.
    pub(super) fn module(&self, path: &WinPath) -> Result<Vec<u8>, FileError> {
        self.modules_read.fetch_add(1, Ordering::Relaxed);
        self.module_bytes(path)
    }

    fn module_bytes(&self, path: &WinPath) -> Result<Vec<u8>, FileError> {
        let inner = path.in_archive().filter(|(archive, inner)| !inner.is_empty() && self.is_file(archive));
        match inner {
            Some((archive, inner)) => self.archive(&archive)?.read(&inner),
            None => read(&self.file(path)?, source::MAX_MODULE_BYTES),
        }
    }

    /// Returns how many modules have been read so far because they weren't cached.
    pub(super) fn modules_read(&self) -> u64 {
        self.modules_read.load(Ordering::Relaxed)
    }

    /// Returns the source of a module in order to read a part of it. Parts are requested
    /// repeatedly, between those of other modules.
    pub(super) fn module_source(&self, module: &WinPath) -> Result<Arc<str>, FileError> {
        if let Some((_, text)) = lock(&self.last_modules).iter().find(|(known, _)| known == module) {
            return Ok(text.clone());
        }
        let text: Arc<str> = match String::from_utf8(self.module_bytes(module)?) {
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

    /// Returns a fingerprint of the file's state when it was first accessed.
    pub(super) fn fingerprint(&self, path: &WinPath) -> Fingerprint {
        match self.metadata(path) {
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
/// slow. [`NativeFiles::fingerprint`] opens it if it matters.
#[cfg(not(unix))]
fn may_be_read(_: &Path, _: &fs::Metadata) -> bool {
    true
}

/// Whether an image cannot be opened, for example because a virus scanner blocks it.
#[cfg(not(unix))]
fn is_locked_away(native: &Path) -> bool {
    let extension = native.extension().unwrap_or_default();
    let is_image = ["dll", "exe", "pyd"].iter().any(|image| extension.eq_ignore_ascii_case(image));
    is_image && super::map::open(native).is_err()
}

/// Returns false: [`may_be_read`] has already checked the mode.
#[cfg(unix)]
fn is_locked_away(_: &Path) -> bool {
    false
}

/// Values that are computed once, kept for the life of this one.
pub(super) struct Memo<K, V>(Mutex<FxHashMap<K, V>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Memo<K, V> {
        Memo(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Memo<K, V> {
    /// Returns the known value for `key`, or computes it. If two threads do, both get the first
    /// one's value.
    pub(super) fn get_or(&self, key: &K, compute: impl FnOnce() -> V) -> V {
        if let Some(known) = lock(&self.0).get(key) {
            return known.clone();
        }
        let value = compute();
        lock(&self.0).entry(key.clone()).or_insert(value).clone()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
