//! The facts about images and modules, cached as long as the size and time of the file stay the
//! same.
//!
//! The cache lives as long as a server runs, and between runs of the command line in one file of
//! the user's cache directory. A cache that is truncated, outdated, or of another version is
//! discarded: this costs time, but never gives a wrong answer.

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

/// The size and modification time of a file. While both stay the same, so do its contents, by
/// assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    bytes: u64,
    /// The modification time in nanoseconds since 1970.
    modified: u128,
}

/// The age up to which a file may change again without a new modification time. The times of FAT
/// have a resolution of two seconds.
const SETTLING_TIME: Duration = Duration::from_secs(2);

/// The distance beyond which a time in the future was set on purpose and says nothing about the
/// last change. A nearer one may come from another machine's clock.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(24 * 60 * 60);

impl Stamp {
    /// Returns the stamp of a file, or `None` if it has no modification time.
    pub fn of(metadata: &fs::Metadata) -> Option<Stamp> {
        let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Stamp { bytes: metadata.len(), modified: since.as_nanos() })
    }

    /// Whether the file hasn't changed for a while, so that its next change will leave another
    /// stamp.
    pub fn is_settled(self) -> bool {
        let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return false };
        let now = now.as_nanos();
        self.modified <= now.saturating_sub(SETTLING_TIME.as_nanos())
            || self.modified >= now + MAX_CLOCK_SKEW.as_nanos()
    }

    /// Combines the stamps of two files.
    fn and(self, other: Stamp) -> Stamp {
        // Two times of this century fit, one in each half.
        Stamp {
            bytes: self.bytes.rotate_left(32) ^ other.bytes,
            modified: self.modified.rotate_left(64) ^ other.modified,
        }
    }
}

/// A cached answer, encoded. This takes a tenth of the memory, and of a cache on disk only the
/// entries that this run needs are decoded.
struct CacheEntry {
    stamp: Stamp,
    bytes: Bytes,
}

#[derive(Clone)]
enum Bytes {
    /// A range of the cache that was read from disk.
    Stored(std::ops::Range<usize>),
    /// Computed in this run.
    Fresh(Arc<[u8]>),
}

type Table = Mutex<FxHashMap<String, CacheEntry>>;

/// Writes a file of the cache directory to a temporary name and renames it, so that a reader never
/// sees half of it. If writing fails, nothing is left behind.
pub(super) fn replace(
    file: &Path,
    kind: &str,
    write: impl FnOnce(&mut BufWriter<fs::File>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
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

/// A cache of facts by file.
#[derive(Default)]
pub struct FactCache {
    /// The file where the facts are stored. It is read when the first fact is requested, because a
    /// run with a cached answer needs hardly any.
    file: Option<PathBuf>,
    contents: OnceLock<Contents>,
    changed: AtomicBool,
}

#[derive(Default)]
struct Contents {
    images: Table,
    bindings: Table,
    scripts: Table,
    archives: Table,
    /// The bytes of a cache that was read from disk.
    stored: Vec<u8>,
}

/// The version of the file format. It changes with the meaning of the stored data.
const FORMAT: &[u8; 16] = b"whydll-facts-23\n";

/// The index at the start of a stored cache: name, stamp, and the start and length of the encoded
/// answer.
type Index = Vec<(String, Stamp, u32, u32)>;

impl FactCache {
    /// Opens the cache stored at `file`; it is empty if the file doesn't exist.
    pub fn open(file: &Path) -> FactCache {
        FactCache { file: Some(file.to_owned()), ..FactCache::default() }
    }

    fn contents(&self) -> &Contents {
        self.contents.get_or_init(|| self.file.as_deref().and_then(Contents::read).unwrap_or_default())
    }

    /// Stores the cache at `file` if it has new entries.
    pub fn store(&self, file: &Path) -> std::io::Result<()> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        // The locks are held while writing, so that index and contents agree.
        let contents = self.contents();
        let tables = [&contents.images, &contents.bindings, &contents.scripts, &contents.archives];
        let tables = tables.map(|table| lock(table));
        let mut end = 0_u32;
        let indexes = tables.each_ref().map(|table| contents.index(table, &mut end));
        let index = postcard::to_stdvec(&indexes).map_err(std::io::Error::other)?;
        let blobs =
            || tables.iter().flat_map(|table| table.values()).map(|known| contents.bytes(&known.bytes));
        let mut sum = flate2::Crc::new();
        std::iter::once(index.as_slice()).chain(blobs()).for_each(|part| sum.update(part));
        replace(file, "facts", |out| {
            out.write_all(FORMAT)?;
            out.write_all(&sum.sum().to_le_bytes())?;
            out.write_all(&index)?;
            blobs().try_for_each(|part| out.write_all(part))
        })
    }

    /// Returns the facts about an image, calling `read` if none are cached for this stamp. Without
    /// a stamp nothing is cached.
    pub fn image(
        &self,
        path: &WinPath,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<ImageFacts, ImageFault>,
    ) -> Result<Arc<ImageFacts>, ImageFault> {
        self.get_or_read(|contents| &contents.images, path.key(), stamp, read)
    }

    /// Returns what an importer's symbols resolve to in an exporter, calling `read` if nothing is
    /// cached for the stamps of both files.
    pub fn binding(
        &self,
        (importer, importer_stamp): (&WinPath, Option<Stamp>),
        dll: &str,
        (exporter, exporter_stamp): (&WinPath, Option<Stamp>),
        read: impl FnOnce() -> Result<Binding, ImageFault>,
    ) -> Result<Arc<Binding>, ImageFault> {
        // A Windows path cannot contain `|`.
        let key = format!("{}|{dll}|{}", importer.key(), exporter.key());
        let stamp = importer_stamp.zip(exporter_stamp).map(|(importer, exporter)| importer.and(exporter));
        self.get_or_read(|contents| &contents.bindings, key, stamp, read)
    }

    /// Like [`FactCache::image`], for a Python module.
    pub fn script(
        &self,
        path: &WinPath,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<Script, FileError>,
    ) -> Result<Arc<Script>, FileError> {
        self.get_or_read(|contents| &contents.scripts, path.key(), stamp, read)
    }

    /// Like [`FactCache::image`], for a zip archive.
    pub fn archive(
        &self,
        path: &WinPath,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<Vec<String>, FileError>,
    ) -> Result<Arc<Vec<String>>, FileError> {
        self.get_or_read(|contents| &contents.archives, path.key(), stamp, read)
    }

    fn get_or_read<T: Serialize + DeserializeOwned, E>(
        &self,
        table: impl FnOnce(&Contents) -> &Table,
        key: String,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let Some(stamp) = stamp else { return read().map(Arc::new) };
        let contents = self.contents();
        let table = table(contents);
        // Decode after releasing the lock.
        let known =
            lock(table).get(&key).filter(|known| known.stamp == stamp).map(|known| known.bytes.clone());
        if let Some(value) = known.and_then(|bytes| postcard::from_bytes(contents.bytes(&bytes)).ok()) {
            return Ok(Arc::new(value));
        }
        let value = read()?;
        if let Ok(bytes) = postcard::to_stdvec(&value) {
            self.changed.store(true, Ordering::Relaxed);
            let bytes = Bytes::Fresh(bytes.into());
            lock(table).insert(key, CacheEntry { stamp, bytes });
        }
        Ok(Arc::new(value))
    }
}

impl Contents {
    fn read(file: &Path) -> Option<Contents> {
        let stored = fs::read(file).ok()?;
        let body = stored.strip_prefix(FORMAT)?;
        // The checksum at the front detects a truncated or damaged file.
        let (expected, body) = body.split_at_checked(4)?;
        if u32::from_le_bytes(expected.try_into().ok()?) != checksum(body) {
            return None;
        }
        let (indexes, blobs): ([Index; 4], &[u8]) = postcard::take_from_bytes(body).ok()?;
        let start = stored.len() - blobs.len();
        let [images, bindings, scripts, archives] = indexes;
        Some(Contents {
            images: table(images, start),
            bindings: table(bindings, start),
            scripts: table(scripts, start),
            archives: table(archives, start),
            stored,
        })
    }

    fn bytes<'a>(&'a self, bytes: &'a Bytes) -> &'a [u8] {
        match bytes {
            Bytes::Stored(range) => self.stored.get(range.clone()).unwrap_or_default(),
            Bytes::Fresh(bytes) => bytes,
        }
    }

    /// Returns the index of a table, in the order in which its answers are written.
    fn index(&self, table: &FxHashMap<String, CacheEntry>, end: &mut u32) -> Index {
        let entries = table.iter().map(|(key, entry)| {
            let length = self.bytes(&entry.bytes).len() as u32;
            let start = *end;
            *end = end.saturating_add(length);
            (key.clone(), entry.stamp, start, length)
        });
        entries.collect()
    }
}

pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

fn table(index: Index, base: usize) -> Table {
    let entries = index.into_iter().map(|(key, stamp, start, length)| {
        let start = base + start as usize;
        (key, CacheEntry { stamp, bytes: Bytes::Stored(start..start + length as usize) })
    });
    Mutex::new(entries.collect())
}

fn lock(table: &Table) -> std::sync::MutexGuard<'_, FxHashMap<String, CacheEntry>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_stored_cache_is_used_until_the_file_changes() {
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
    fn a_truncated_or_foreign_cache_is_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts");
        let path = WinPath::new("/a.py");
        let cache = FactCache::default();
        cache.script(&path, stamp(1), || module("import a")).unwrap();
        cache.store(&file).unwrap();
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            let truncated = FactCache::open(&file);
            let answer = truncated.script(&path, stamp(1), || module("import b")).unwrap();
            assert_eq!(*answer, module("import b").unwrap(), "truncated at {length}");
        }
    }
}
