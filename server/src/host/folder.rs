//! The listing of a directory.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::path::fold_name;

/// The listing of a directory.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    entries: FxHashMap<String, Entry>,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name as it is written on disk.
    pub name: String,
    /// Whether it is a file or a directory. A link counts as its target.
    pub kind: EntryKind,
}

/// The kind of an entry in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory, or a link to one.
    Folder,
}

impl Folder {
    /// Creates a listing of these entries.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Folder {
        Folder { entries: entries.into_iter().map(|entry| (fold_name(&entry.name), entry)).collect() }
    }

    /// Returns the entry with this name, ignoring case.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        if name.bytes().all(|b| !b.is_ascii_uppercase() && b.is_ascii()) {
            self.entries.get(name)
        } else {
            self.entries.get(&fold_name(name))
        }
    }

    /// Whether it contains a file with this name.
    pub fn has_file(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|e| e.kind == EntryKind::File)
    }

    /// Returns the names of the files that end in one of `endings`, in arbitrary order.
    pub fn files_ending_in(&self, endings: &[&str]) -> impl Iterator<Item = &str> {
        let files = self.entries.values().filter(|entry| entry.kind == EntryKind::File);
        files
            .map(|entry| entry.name.as_str())
            .filter(move |name| endings.iter().any(|ending| name.ends_with(ending)))
    }

    /// Returns all entries in arbitrary order.
    pub(super) fn unordered(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Returns all entries in the order of NTFS: sorted by upper-case names, so that `_` follows
    /// letters.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_by_cached_key(|entry| entry.name.to_uppercase());
        entries
    }
}

/// Whether a file with this name or path is native code, as far as the record of an installation is
/// concerned.
pub fn is_native(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["pyd", "dll", "so", "exe"].iter().any(|native| extension.eq_ignore_ascii_case(native))
}
