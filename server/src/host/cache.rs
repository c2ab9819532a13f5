//! Answers about images and modules, cached as long as the size and time of the file stay the same.
//!
//! The cache lives as long as a server runs, and between runs of the command line in one file of
//! the user's cache directory. A cache that is truncated, outdated, or of another version is
//! discarded: this costs time, but never gives a wrong answer.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustc_hash::FxHashMap;

use super::fact::{AnyAnswer, FactKey};
use super::fingerprint::Stamp;

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

type Table = FxHashMap<String, CacheEntry>;

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
    table: Mutex<Table>,
    /// The bytes of a cache that was read from disk.
    stored: Vec<u8>,
}

/// The version of the file format. It changes with the meaning of the stored data.
const FORMAT: &[u8; 16] = b"whydll-facts-24\n";

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
        // The lock is held while writing, so that index and contents agree.
        let contents = self.contents();
        let table = lock(&contents.table);
        let index = postcard::to_stdvec(&contents.index(&table)).map_err(std::io::Error::other)?;
        let blobs = || table.values().map(|known| contents.bytes(&known.bytes));
        let mut sum = flate2::Crc::new();
        std::iter::once(index.as_slice()).chain(blobs()).for_each(|part| sum.update(part));
        replace(file, "facts", |out| {
            out.write_all(FORMAT)?;
            out.write_all(&sum.sum().to_le_bytes())?;
            out.write_all(&index)?;
            blobs().try_for_each(|part| out.write_all(part))
        })
    }

    /// Returns the answer to a question, calling `read` if none is cached for this stamp. Without a
    /// stamp nothing is cached.
    ///
    /// # Errors
    ///
    /// Those of `read`, which are not cached.
    pub fn get_or_read(
        &self,
        key: &FactKey,
        stamp: Option<Stamp>,
        read: impl FnOnce() -> AnyAnswer,
    ) -> AnyAnswer {
        let Some(stamp) = stamp else { return read() };
        let contents = self.contents();
        let name = name_of(key);
        // Decode after releasing the lock.
        let known = lock(&contents.table)
            .get(&name)
            .filter(|known| known.stamp == stamp)
            .map(|known| known.bytes.clone());
        if let Some(value) = known.and_then(|bytes| key.kind.decode(contents.bytes(&bytes))) {
            return Ok(value);
        }
        let value = read()?;
        if let Some(bytes) = key.kind.encode(&value) {
            self.changed.store(true, Ordering::Relaxed);
            let bytes = Bytes::Fresh(bytes.into());
            lock(&contents.table).insert(name, CacheEntry { stamp, bytes });
        }
        Ok(value)
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
        let (index, blobs): (Index, &[u8]) = postcard::take_from_bytes(body).ok()?;
        let start = stored.len() - blobs.len();
        Some(Contents { table: Mutex::new(table(index, start)), stored })
    }

    fn bytes<'a>(&'a self, bytes: &'a Bytes) -> &'a [u8] {
        match bytes {
            Bytes::Stored(range) => self.stored.get(range.clone()).unwrap_or_default(),
            Bytes::Fresh(bytes) => bytes,
        }
    }

    /// Returns the index of a table, in the order in which its answers are written.
    fn index(&self, table: &Table) -> Index {
        let mut end = 0_u32;
        let entries = table.iter().map(|(key, entry)| {
            let length = self.bytes(&entry.bytes).len() as u32;
            let start = end;
            end = end.saturating_add(length);
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
    entries.collect()
}

/// Returns the name of an answer in the cache. No Windows path contains `|`.
fn name_of(FactKey { kind, file, detail }: &FactKey) -> String {
    [kind.name, "|", &file.key(), "|", detail].concat()
}

fn lock(table: &Mutex<Table>) -> std::sync::MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fact::AnyFact;
    use crate::host::facts::ScriptOf;
    use crate::host::path::WinPath;
    use crate::source::{Script, lower};

    fn stamp(bytes: u64) -> Option<Stamp> {
        Some(Stamp { bytes, modified: 7 })
    }

    /// Asks the cache for the script of a module, whose file has this source.
    fn script(cache: &FactCache, bytes: u64, source: &str) -> Script {
        let key = ScriptOf::at(&WinPath::new("/a.py")).key();
        let answer = cache.get_or_read(&key, stamp(bytes), || Ok(Arc::new(lower(source))));
        Script::clone(&answer.unwrap().downcast().unwrap())
    }

    #[test]
    fn a_stored_cache_is_used_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts");
        let cache = FactCache::default();
        script(&cache, 1, "import a");
        cache.store(&file).unwrap();

        let again = FactCache::open(&file);
        assert_eq!(script(&again, 1, "import b"), lower("import a"));
        assert_eq!(script(&again, 2, "import b"), lower("import b"));
    }

    #[test]
    fn a_truncated_or_foreign_cache_is_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts");
        let cache = FactCache::default();
        script(&cache, 1, "import a");
        cache.store(&file).unwrap();
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            let truncated = FactCache::open(&file);
            assert_eq!(script(&truncated, 1, "import b"), lower("import b"), "truncated at {length}");
        }
    }
}
