//! The files of the system that we run on, read as Windows would.

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
use super::files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault, TEXT_LIMIT};
use super::map;
use super::path::{WinPath, fold_name};
use super::reading::Proof;
use crate::image::{Binding, Export, Symbol};
use crate::source::{self, Script};

/// So many bytes of modules are kept of which parts were read.
const MOST_TEXT: usize = 2 << 20;

/// Real files. A folder is listed once for the life of this value; what images and modules say is kept
/// in a [`FactCache`] that outlives it.
pub struct Disk {
    /// Folder that stands for drive `C:`, when another system's drive is analysed.
    drive: Option<PathBuf>,
    cache: Arc<FactCache>,
    folders: Mutex<FxHashMap<String, Result<Listed, FileError>>>,
    /// Answers that are asked for again and again, for the life of this value.
    images: Answers<WinPath, Arc<ImageFacts>, ImageFault>,
    archives: Answers<WinPath, Arc<Archive>, FileError>,
    modules_in_archives: Answers<WinPath, Arc<Vec<String>>, FileError>,
    exports: Answers<(WinPath, Symbol), Option<Export>, ImageFault>,
    held: Answers<(WinPath, String), bool, FileError>,
    instructions: Answers<WinPath, Arc<BTreeSet<String>>, ImageFault>,
    /// What the system said of a file when it was first looked at: so a stamp is never newer than what was read.
    looks: Answers<WinPath, Look, FileError>,
    modules_read: AtomicU64,
    /// Modules that somebody is reading right now.
    being_read: Claims,
    /// The modules of which parts were read last.
    last_modules: Mutex<VecDeque<(WinPath, Arc<str>)>>,
}

type Answers<K, T, E> = Mutex<FxHashMap<K, Result<T, E>>>;

/// A folder and where it really lies.
#[derive(Clone)]
struct Listed {
    native: PathBuf,
    folder: Arc<Folder>,
    /// What the list itself says of sizes and times, by names that are folded: on Windows it does, and to ask each file costs
    /// more than all else. NTFS keeps it up to date for the name by which a file was written (Microsoft, "FindFirstFileW"), and
    /// installers write files by the names that Python will find.
    looks: Arc<FxHashMap<String, fs::Metadata>>,
}

/// A name, looked at without opening it.
#[derive(Clone)]
struct Look {
    native: PathBuf,
    bytes: u64,
    is_folder: bool,
    /// None if it may not be read, or has no time.
    stamp: Option<Stamp>,
    /// That stamp serves as a proof later.
    is_settled: bool,
}

impl Disk {
    /// This system's own files.
    pub fn new(cache: Arc<FactCache>) -> Disk {
        Disk {
            drive: None,
            cache,
            folders: Mutex::default(),
            images: Mutex::default(),
            archives: Mutex::default(),
            modules_in_archives: Mutex::default(),
            exports: Mutex::default(),
            held: Mutex::default(),
            instructions: Mutex::default(),
            looks: Mutex::default(),
            modules_read: AtomicU64::new(0),
            being_read: Claims::default(),
            last_modules: Mutex::default(),
        }
    }

    /// This system's files, and a folder that holds what `C:` holds on the analysed machine.
    pub fn with_drive(drive: PathBuf, cache: Arc<FactCache>) -> Disk {
        Disk { drive: Some(drive), ..Disk::new(cache) }
    }

    /// The path by which the analysed machine knows a file of ours.
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

    /// Where a path may lie here, before regard to case.
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
        // Another thread may have been faster; all shall see the same.
        lock(&self.folders).entry(key).or_insert(listed).clone()
    }

    fn list(&self, path: &WinPath) -> Result<Listed, FileError> {
        let spelled = self.spelled(path).ok_or(FileError::NotFound)?;
        let native = match fs::read_dir(&spelled) {
            Ok(entries) => return Ok(listing(spelled, entries)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Perhaps it is written in another case: the folder above knows.
                let parent = path.parent().ok_or(FileError::NotFound)?;
                let above = self.listed(&parent)?;
                let entry = above.folder.entry(path.file_name()).ok_or(FileError::NotFound)?;
                above.native.join(&entry.name)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(listing(native.clone(), fs::read_dir(native)?))
    }

    /// The file as this system names it.
    fn native(&self, path: &WinPath) -> Result<PathBuf, FileError> {
        let parent = path.parent().ok_or(FileError::NotFound)?;
        match self.listed(&parent) {
            Ok(listed) => {
                let entry = listed.folder.entry(path.file_name()).ok_or(FileError::NotFound)?;
                Ok(listed.native.join(&entry.name))
            }
            // A folder may refuse to be listed and yet let its files be opened.
            Err(FileError::AccessDenied) => self.spelled(path).ok_or(FileError::NotFound),
            Err(error) => Err(error),
        }
    }

    fn look(&self, path: &WinPath) -> Result<Look, FileError> {
        once(&self.looks, path, || {
            let native = self.native(path)?;
            let metadata = self.listed_look(path).map_or_else(|| fs::metadata(&native), Ok)?;
            let (bytes, is_folder) = (metadata.len(), metadata.is_dir());
            let stamp = Stamp::of(&metadata).filter(|_| may_be_read(&native, &metadata));
            let is_settled = stamp.is_some_and(Stamp::is_settled);
            Ok(Look { native, bytes, is_folder, stamp, is_settled })
        })
    }

    fn listed_look(&self, path: &WinPath) -> Option<fs::Metadata> {
        let listed = self.listed(&path.parent()?).ok()?;
        listed.looks.get(&fold_name(path.file_name())).cloned()
    }

    fn stamped(&self, path: &WinPath) -> Result<(PathBuf, Option<Stamp>), FileError> {
        let look = self.look(path)?;
        if look.is_folder {
            return Err(FileError::WrongKind("a folder".into()));
        }
        Ok((look.native, look.stamp.filter(|_| look.is_settled)))
    }

    /// The text of a module of which a part is read. Parts of one module are asked for again and again, between those of others.
    fn text_of_module(
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
        let mut left = MOST_TEXT;
        last.retain(|(_, text)| {
            let fits = text.len() <= left;
            left = left.saturating_sub(text.len());
            fits
        });
        Ok(text)
    }

    /// The same files, of which nothing is known yet.
    pub(super) fn afresh(&self) -> Disk {
        Disk { drive: self.drive.clone(), ..Disk::new(Arc::default()) }
    }

    /// Whether it is a folder that can be listed.
    pub(super) fn is_there(&self, folder: &WinPath) -> bool {
        self.listed(folder).is_ok()
    }

    /// The folder here that stands for one of the machine, or, if that is not there, the nearest one above it that is.
    pub(super) fn place(&self, folder: &WinPath) -> Option<PathBuf> {
        let above = std::iter::successors(Some(folder.clone()), WinPath::parent);
        above.into_iter().find_map(|folder| match self.listed(&folder) {
            Ok(listed) => Some(listed.native),
            // It is there, and only its list is refused.
            Err(FileError::AccessDenied) => self.spelled(&folder),
            Err(_) => None,
        })
    }

    fn opened(&self, archive: &WinPath) -> Result<Arc<Archive>, FileError> {
        once(&self.archives, archive, || Archive::open(&self.native(archive)?).map(Arc::new))
    }

    /// The schema of API sets that Windows maps into every process, out of the system directory; none if there is none that
    /// we understand.
    pub(super) fn api_sets(&self, system: &WinPath) -> Option<ApiSets> {
        map::api_sets(&self.native(&system.join("apisetschema.dll")).ok()?).ok()?
    }

    /// Where the drive `C:` of the analysed machine lies here.
    pub(super) fn drive(&self) -> Option<&Path> {
        self.drive.as_deref()
    }
}

/// Whether this user may read a file: its size and time say nothing of that. Most files let everybody.
#[cfg(unix)]
fn may_be_read(native: &Path, metadata: &fs::Metadata) -> bool {
    let public = std::os::unix::fs::MetadataExt::mode(metadata) & 0o444 == 0o444;
    public || rustix::fs::access(native, rustix::fs::Access::READ_OK).is_ok()
}

/// Only opening tells, and virus scanners make that slow; [`Disk::proof`] does it where it counts.
#[cfg(not(unix))]
fn may_be_read(_: &Path, _: &fs::Metadata) -> bool {
    true
}

/// Whether an image cannot be opened: a virus scanner may have locked it away.
#[cfg(not(unix))]
fn is_locked_away(native: &Path) -> bool {
    let extension = native.extension().unwrap_or_default();
    let is_image = ["dll", "exe", "pyd"].iter().any(|image| extension.eq_ignore_ascii_case(image));
    is_image && map::open(native).is_err()
}

/// Its mode has told already.
#[cfg(unix)]
fn is_locked_away(_: &Path) -> bool {
    false
}

/// Files each of which one thread reads while others wait for it.
#[derive(Default)]
struct Claims {
    claimed: Mutex<FxHashSet<WinPath>>,
    given_back: Condvar,
}

/// Held while its file is read.
struct Claim<'a> {
    claims: &'a Claims,
    path: &'a WinPath,
}

impl Claims {
    fn claim<'a>(&'a self, path: &'a WinPath) -> Claim<'a> {
        let mut claimed = lock(&self.claimed);
        while !claimed.insert(path.clone()) {
            claimed = self.given_back.wait(claimed).unwrap_or_else(PoisonError::into_inner);
        }
        Claim { claims: self, path }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(&self.claims.claimed).remove(self.path);
        self.claims.given_back.notify_all();
    }
}

/// An answer that is worked out once.
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
    let mut looks = FxHashMap::default();
    let entries = entries.filter_map(Result::ok).map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Elsewhere it would ask each file; and of a link it tells nothing of what that leads to.
        if cfg!(windows)
            && let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            looks.insert(fold_name(&name), metadata);
        }
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_dir() => EntryKind::Folder,
            Ok(kind) if kind.is_symlink() && entry.path().is_dir() => EntryKind::Folder,
            _ => EntryKind::File,
        };
        Entry { name, kind }
    });
    let folder = Arc::new(Folder::new(entries));
    Listed { native, folder, looks: Arc::new(looks) }
}

impl Files for Disk {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.listed(path).map(|listed| listed.folder)
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.look(path).map(|look| look.bytes)
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        let bytes = read(&self.native(path)?, TEXT_LIMIT)?;
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
        // Who comes second finds it remembered.
        let _claim = self.being_read.claim(path);
        self.cache.script(path, stamp, || {
            let bytes = || match &archived {
                Some((archive, inside)) => self.opened(archive)?.read(inside),
                None => read(&native, source::LONGEST_MODULE),
            };
            if let Some((_, span)) = part {
                let text = self.text_of_module(module, bytes)?;
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

    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        once(&self.held, &(path.clone(), text.to_owned()), || map::holds(&self.stamped(path)?.0, text))
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        once(&self.instructions, path, || map::instructions(&self.stamped(path)?.0).map(Arc::new))
    }

    fn proof(&self, path: &WinPath) -> Proof {
        match self.look(path) {
            Err(error) => Proof::Fails(error),
            Ok(look) if look.is_folder => Proof::Fails(FileError::WrongKind("a folder".into())),
            Ok(Look { stamp: Some(stamp), native, is_settled, .. }) if !is_locked_away(&native) => {
                if is_settled {
                    Proof::Stamp(stamp)
                } else {
                    Proof::Young(stamp)
                }
            }
            Ok(_) => Proof::Nothing,
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

/// Reads a whole file, but never more than `limit` bytes: pipes and devices have no size.
fn read(native: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut file = fs::File::open(native).map_err(|error| match native.is_dir() {
        // Windows denies access to it.
        true => FileError::WrongKind("a folder".into()),
        false => error.into(),
    })?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(FileError::WrongKind("a folder".into()));
    }
    if !metadata.is_file() {
        return Err(FileError::WrongKind("no ordinary file".into()));
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
