//! What images and modules said, remembered as long as size and time of the file stay the same.
//!
//! Lives for the whole life of a server, and between runs of the command line in one file of the user's
//! cache folder. A cache that is torn, stale or of another version is thrown away: it costs time, never
//! truth.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{FileError, ImageFacts, ImageFault};
use super::path::WinPath;
use crate::image::Binding;
use crate::source::Script;

/// Size and time of last change: while both stay, the contents are taken to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u128,
}

/// A file that changed so short a time ago may change again without its time telling: times are as coarse as
/// two seconds (FAT).
const UNSETTLED: Duration = Duration::from_secs(2);

/// A time further in the future was set, and says nothing of when the file changed. What is nearer may come
/// from another machine's clock.
const SET: Duration = Duration::from_secs(24 * 60 * 60);

impl Stamp {
    /// The stamp of a file; none if it has no time.
    pub fn of(metadata: &fs::Metadata) -> Option<Stamp> {
        let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Stamp { bytes: metadata.len(), modified: since.as_nanos() })
    }

    /// Whether the file had been left alone for a while by now, so that its next change will leave another stamp.
    pub fn is_settled(self) -> bool {
        let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return false };
        let now = now.as_nanos();
        self.modified <= now.saturating_sub(UNSETTLED.as_nanos()) || self.modified >= now + SET.as_nanos()
    }

    /// The stamp of two files together.
    fn and(self, other: Stamp) -> Stamp {
        // Two times of this century, one in each half.
        Stamp {
            bytes: self.bytes.rotate_left(32) ^ other.bytes,
            modified: self.modified.rotate_left(64) ^ other.modified,
        }
    }
}

/// A remembered answer, encoded: that takes a tenth of the memory, and of a cache read from disk only what
/// this run needs is decoded.
struct Remembered {
    stamp: Stamp,
    bytes: Bytes,
}

#[derive(Clone)]
enum Bytes {
    /// A part of the cache that was read from disk.
    Stored(std::ops::Range<usize>),
    /// Learnt in this run.
    Fresh(Arc<[u8]>),
}

type Shelf = Mutex<FxHashMap<String, Remembered>>;

/// Writes a file of the cache folder beside its place and renames it, so that a reader never sees half of it.
/// What cannot be written to its end leaves nothing behind.
pub(super) fn replace(
    file: &Path,
    kind: &str,
    write: impl FnOnce(&mut BufWriter<fs::File>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!(".{kind}-{}-{number}.tmp", std::process::id()));
    let written = fs::File::create(&temporary).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.and_then(|()| fs::rename(&temporary, file)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Facts by file.
#[derive(Default)]
pub struct FactCache {
    /// Where they are stored. It is read when the first fact is asked for, since a run whose answer is remembered
    /// needs hardly any.
    file: Option<PathBuf>,
    contents: OnceLock<Contents>,
    changed: AtomicBool,
}

#[derive(Default)]
struct Contents {
    images: Shelf,
    bindings: Shelf,
    scripts: Shelf,
    archives: Shelf,
    /// The bytes of a cache read from disk.
    stored: Vec<u8>,
}

/// Changes with the meaning of what is stored.
const FORMAT: &[u8; 16] = b"whydll-facts-22\n";

/// The index at the head of a stored cache: name, stamp, and where the encoded answer lies.
type Index = Vec<(String, Stamp, u32, u32)>;

impl FactCache {
    /// The cache stored at `file`, or an empty one.
    pub fn open(file: &Path) -> FactCache {
        FactCache { file: Some(file.to_owned()), ..FactCache::default() }
    }

    fn contents(&self) -> &Contents {
        self.contents.get_or_init(|| self.file.as_deref().and_then(Contents::read).unwrap_or_default())
    }

    /// Stores the cache at `file`, if anything in it is new.
    pub fn store(&self, file: &Path) -> std::io::Result<()> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        // Held for as long as it takes to write, so that index and contents agree.
        let contents = self.contents();
        let shelves = [&contents.images, &contents.bindings, &contents.scripts, &contents.archives];
        let shelves = shelves.map(|shelf| lock(shelf));
        let mut end = 0_u32;
        let indexes = shelves.each_ref().map(|shelf| contents.index(shelf, &mut end));
        let index = postcard::to_stdvec(&indexes).map_err(std::io::Error::other)?;
        let blobs =
            || shelves.iter().flat_map(|shelf| shelf.values()).map(|known| contents.bytes(&known.bytes));
        let mut sum = flate2::Crc::new();
        std::iter::once(index.as_slice()).chain(blobs()).for_each(|part| sum.update(part));
        replace(file, "facts", |out| {
            out.write_all(FORMAT)?;
            out.write_all(&sum.sum().to_le_bytes())?;
            out.write_all(&index)?;
            blobs().try_for_each(|part| out.write_all(part))
        })
    }

    /// What `path` says, by `read` if nothing is remembered of a file with this stamp. Without a stamp nothing is.
    pub fn image(
        &self,
        path: &WinPath,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<ImageFacts, ImageFault>,
    ) -> Result<Arc<ImageFacts>, ImageFault> {
        self.recall(|contents| &contents.images, path.key(), stamp, read)
    }

    /// What an importer's symbols find in an exporter, by `read` if nothing is remembered of two files with these
    /// stamps.
    pub fn binding(
        &self,
        (importer, importer_stamp): (&WinPath, Option<Stamp>),
        dll: &str,
        (exporter, exporter_stamp): (&WinPath, Option<Stamp>),
        read: impl FnOnce() -> Result<Binding, ImageFault>,
    ) -> Result<Arc<Binding>, ImageFault> {
        // No path of Windows holds a `|`.
        let key = format!("{}|{dll}|{}", importer.key(), exporter.key());
        let stamp = importer_stamp.zip(exporter_stamp).map(|(importer, exporter)| importer.and(exporter));
        self.recall(|contents| &contents.bindings, key, stamp, read)
    }

    /// As [`FactCache::image`], of a Python module.
    pub fn script(
        &self,
        path: &WinPath,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<Script, FileError>,
    ) -> Result<Arc<Script>, FileError> {
        self.recall(|contents| &contents.scripts, path.key(), stamp, read)
    }

    /// As [`FactCache::image`], of a zip archive.
    pub fn archive(
        &self,
        path: &WinPath,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<Vec<String>, FileError>,
    ) -> Result<Arc<Vec<String>>, FileError> {
        self.recall(|contents| &contents.archives, path.key(), stamp, read)
    }

    fn recall<T: Serialize + DeserializeOwned, E>(
        &self,
        shelf: impl FnOnce(&Contents) -> &Shelf,
        key: String,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let Some(stamp) = stamp else { return read().map(Arc::new) };
        let contents = self.contents();
        let shelf = shelf(contents);
        // Decoded when others can have the shelf again.
        let known =
            lock(shelf).get(&key).filter(|known| known.stamp == stamp).map(|known| known.bytes.clone());
        if let Some(value) = known.and_then(|bytes| postcard::from_bytes(contents.bytes(&bytes)).ok()) {
            return Ok(Arc::new(value));
        }
        let value = read()?;
        if let Ok(bytes) = postcard::to_stdvec(&value) {
            self.changed.store(true, Ordering::Relaxed);
            let bytes = Bytes::Fresh(bytes.into());
            lock(shelf).insert(key, Remembered { stamp, bytes });
        }
        Ok(Arc::new(value))
    }
}

impl Contents {
    fn read(file: &Path) -> Option<Contents> {
        let stored = fs::read(file).ok()?;
        let body = stored.strip_prefix(FORMAT)?;
        // A torn or damaged file is told by its check sum, which stands in front.
        let (expected, body) = body.split_at_checked(4)?;
        if u32::from_le_bytes(expected.try_into().ok()?) != checksum(body) {
            return None;
        }
        let (indexes, blobs): ([Index; 4], &[u8]) = postcard::take_from_bytes(body).ok()?;
        let start = stored.len() - blobs.len();
        let [images, bindings, scripts, archives] = indexes;
        Some(Contents {
            images: shelf(images, start),
            bindings: shelf(bindings, start),
            scripts: shelf(scripts, start),
            archives: shelf(archives, start),
            stored,
        })
    }

    fn bytes<'a>(&'a self, bytes: &'a Bytes) -> &'a [u8] {
        match bytes {
            Bytes::Stored(range) => self.stored.get(range.clone()).unwrap_or_default(),
            Bytes::Fresh(bytes) => bytes,
        }
    }

    /// Where the answers of a shelf will lie, in the order in which they are written.
    fn index(&self, shelf: &FxHashMap<String, Remembered>, end: &mut u32) -> Index {
        let entries = shelf.iter().map(|(key, remembered)| {
            let length = self.bytes(&remembered.bytes).len() as u32;
            let start = *end;
            *end = end.saturating_add(length);
            (key.clone(), remembered.stamp, start, length)
        });
        entries.collect()
    }
}

pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

fn shelf(index: Index, base: usize) -> Shelf {
    let entries = index.into_iter().map(|(key, stamp, start, length)| {
        let start = base + start as usize;
        (key, Remembered { stamp, bytes: Bytes::Stored(start..start + length as usize) })
    });
    Mutex::new(entries.collect())
}

fn lock(shelf: &Shelf) -> std::sync::MutexGuard<'_, FxHashMap<String, Remembered>> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(bytes: u64) -> Option<Stamp> {
        Some(Stamp { bytes, modified: 7 })
    }

    fn module(text: &str) -> Result<Script, FileError> {
        Ok(crate::source::lower(text))
    }

    #[test]
    fn a_stored_cache_answers_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts");
        let path = WinPath::new("/a.py");
        let cache = FactCache::default();
        cache.script(&path, stamp(1), || module("import a")).unwrap();
        cache.store(&file).unwrap();

        let again = FactCache::open(&file);
        let known = again.script(&path, stamp(1), || Err(FileError::NotFound)).unwrap();
        assert_eq!(*known, module("import a").unwrap());
        let fresh = again.script(&path, stamp(2), || module("import b")).unwrap();
        assert_eq!(*fresh, module("import b").unwrap());
    }

    #[test]
    fn a_torn_or_foreign_cache_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts");
        let path = WinPath::new("/a.py");
        let cache = FactCache::default();
        cache.script(&path, stamp(1), || module("import a")).unwrap();
        cache.store(&file).unwrap();
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            let torn = FactCache::open(&file);
            let answer = torn.script(&path, stamp(1), || module("import b")).unwrap();
            assert_eq!(*answer, module("import b").unwrap(), "cut at {length}");
        }
    }
}
