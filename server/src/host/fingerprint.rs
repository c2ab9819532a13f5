//! What identifies the state of a file or directory without reading its contents.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::fault::FileError;
use super::folder::{Entry, Folder};

/// The size and modification time of a file. While both stay the same, so do its contents, by
/// assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub(super) bytes: u64,
    /// The modification time in nanoseconds since 1970.
    pub(super) modified: u128,
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
    pub(super) fn and(self, other: Stamp) -> Stamp {
        // Two times of this century fit, one in each half.
        Stamp {
            bytes: self.bytes.rotate_left(32) ^ other.bytes,
            modified: self.modified.rotate_left(64) ^ other.modified,
        }
    }
}

/// The recorded state of a file or directory. As long as it is the same, so is the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fingerprint {
    /// The size and time of a readable file.
    Stamp(Stamp),
    /// The size and time of a file that changed a moment ago. If the file system's times are
    /// coarse, its next change may leave the same stamp. This is enough for a file that is also
    /// watched, but not for a later comparison.
    Recent(Stamp),
    /// A hash of the names and kinds in a directory. Its time isn't used, because not every file
    /// system maintains it.
    Listing(u64),
    /// The error of the access, most often that the file doesn't exist.
    Error(FileError),
    /// The file is part of WhyDLL.
    BuiltIn,
    /// No state could be recorded: the file is unreadable or locked, or its source has no stamps.
    Unavailable,
}

impl Fingerprint {
    pub(super) fn still_holds(&self, now: &Fingerprint) -> bool {
        match (self, now) {
            (
                Fingerprint::Stamp(then) | Fingerprint::Recent(then),
                Fingerprint::Stamp(now) | Fingerprint::Recent(now),
            ) => then == now,
            _ => self == now,
        }
    }
}

/// Returns the fingerprint of a directory listing.
pub(super) fn of_listing(folder: &Result<Arc<Folder>, FileError>) -> Fingerprint {
    match folder {
        Ok(folder) => Fingerprint::Listing(sum(folder)),
        Err(error) => Fingerprint::Error(error.clone()),
    }
}

/// Returns a hash that doesn't depend on the order of the entries.
fn sum(folder: &Folder) -> u64 {
    let of_entry = |entry: &Entry| {
        let mut hasher = DefaultHasher::new();
        (entry.kind as u8).hash(&mut hasher);
        entry.name.hash(&mut hasher);
        hasher.finish()
    };
    folder.unordered().map(of_entry).fold(folder.unordered().count() as u64, u64::wrapping_add)
}
