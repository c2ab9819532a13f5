//! An image's resources: its version, its manifests, and resources with names.
//!
//! Resources are a tree of three levels: type, name, language. Only the requested branch is read,
//! and always the first language.

use std::fmt;

use pelite::image::{IMAGE_DIRECTORY_ENTRY_RESOURCE, RT_MANIFEST, RT_VERSION, VS_FIXEDFILEINFO_SIGNATURE};
use serde::{Deserialize, Serialize};

use super::{Image, ImageError, TableDefect, error::bad_table, imports::entry};

/// A file's version, as in its Properties in Explorer: "14.38.33130.0".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FileVersion(pub [u16; 4]);

impl FileVersion {
    /// Parses `14.38.33130.0`, or only its first numbers.
    pub fn parse(version: &str) -> Option<FileVersion> {
        let mut parts = version.split('.').map(str::parse);
        let mut version = [0; 4];
        version[0] = parts.next()?.ok()?;
        for number in &mut version[1..] {
            *number = parts.next().unwrap_or(Ok(0)).ok()?;
        }
        Some(FileVersion(version))
    }

    /// Returns the major and minor version and the build, without the revision, for comparisons in
    /// which revisions of a build are equal.
    pub fn build(&self) -> [u16; 3] {
        let [major, minor, build, _] = self.0;
        [major, minor, build]
    }
}

impl fmt::Display for FileVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, build, revision] = self.0;
        write!(f, "{major}.{minor}.{build}.{revision}")
    }
}

/// The maximum size of a manifest in bytes. Real ones have a few thousand.
const MAX_MANIFEST: u32 = 1 << 20;

/// The maximum offset in bytes of the end of a version resource's key. It is at most 38 in real
/// ones.
const MAX_VERSION_HEADER: u32 = 64;

/// The maximum number of entries of a directory.
const MAX_ENTRIES: u32 = 4096;

const WHAT: &str = "the resource directory";

impl Image<'_> {
    /// Returns the file's version from the language-independent part of its version resource;
    /// `None` if it has no such resource.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the resources are outside the image, or the version resource has
    /// no `VS_FIXEDFILEINFO` after its key; [`ImageError::TooMany`] if there are more than 4096
    /// resources.
    pub fn version(&self) -> Result<Option<FileVersion>, ImageError> {
        const WHAT: &str = "the version resource";
        let Some(data) = self.resource(RT_VERSION, Key::First)? else {
            return Ok(None);
        };
        // VS_VERSIONINFO: three 16-bit numbers, a key in UTF-16 with a NUL, padding to a multiple of
        // four bytes, and VS_FIXEDFILEINFO, whose second word is its own version. The key should be
        // "VS_VERSION_INFO", but isn't checked, as in Wine's `VersionInfo32_Value`
        // (`dlls/kernelbase/version.c`). In pywin32's files for Python 2.7, it is ASCII.
        let malformed = || bad_table(WHAT, data.rva, TableDefect::Malformed);
        let header = self.memory.stored(data.rva, data.size.min(MAX_VERSION_HEADER) as usize, WHAT)?;
        let nul =
            header.as_chunks().0.iter().skip(3).position(|unit| *unit == [0, 0]).ok_or_else(malformed)?;
        let offset = (2 * (3 + nul + 1) as u32).next_multiple_of(4);
        let at = data.rva.checked_add(offset).filter(|_| data.size >= offset + 16).ok_or_else(malformed)?;
        let [signature, _, high, low] = self.memory.words(at, WHAT)?;
        if signature != VS_FIXEDFILEINFO_SIGNATURE {
            return Err(bad_table(WHAT, at, TableDefect::Malformed));
        }
        let halves = |word: u32| ((word >> 16) as u16, word as u16);
        let ((major, minor), (build, revision)) = (halves(high), halves(low));
        Ok(Some(FileVersion([major, minor, build, revision])))
    }

    /// Returns the manifest with this number, in its first language; `None` if it doesn't exist.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the resources or the manifest are outside the image;
    /// [`ImageError::TooMany`] if the manifest is longer than 1 MiB, or if there are more than 4096
    /// resources.
    pub fn manifest(&self, number: u32) -> Result<Option<String>, ImageError> {
        let Some(data) = self.resource(RT_MANIFEST, Key::Id(number))? else {
            return Ok(None);
        };
        if data.size > MAX_MANIFEST {
            return Err(ImageError::TooMany { what: "bytes of manifest".into(), limit: MAX_MANIFEST.into() });
        }
        self.memory.slice(data.rva, data.size, "the manifest").map(|bytes| Some(decode(bytes)))
    }

    /// Returns the bytes of a resource in its first language; `None` if it doesn't exist or has
    /// more than `limit` bytes.
    pub(super) fn data(&self, kind: u16, name: Key, limit: u32) -> Result<Option<&[u8]>, ImageError> {
        match self.resource(kind, name)?.filter(|data| data.size <= limit) {
            Some(data) => self.memory.slice(data.rva, data.size, WHAT).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the place of a resource's data in its first language.
    fn resource(&self, kind: u16, name: Key) -> Result<Option<Data>, ImageError> {
        let Some(directory) = self.headers.directory(IMAGE_DIRECTORY_ENTRY_RESOURCE) else {
            return Ok(None);
        };
        let root = Node { tree: directory.rva, link: DIRECTORY };
        let Some(kind) = self.child(root, Key::Id(kind.into()))? else {
            return Ok(None);
        };
        let Some(name) = self.child(kind, name)? else {
            return Ok(None);
        };
        self.child(name, Key::First)?.map(|language| self.leaf(language)).transpose()
    }

    /// Returns the child of a directory's first entry that matches a key.
    fn child(&self, node: Node, key: Key) -> Result<Option<Node>, ImageError> {
        let at = node.rva(DIRECTORY)?;
        // IMAGE_RESOURCE_DIRECTORY, and then an array of pairs: entries with names, sorted, and
        // entries with numbers, sorted.
        let [_, _, _, counts] = self.memory.words(at, WHAT)?;
        let count = (counts & 0xffff) + (counts >> 16);
        for index in 0..count.min(MAX_ENTRIES) {
            // The directory itself has 16 bytes, the size of two entries.
            let [id, link] = self.memory.words(entry(at, index + 2, 8, WHAT)?, WHAT)?;
            let matches = match key {
                Key::First => true,
                Key::Id(wanted) => wanted == id,
                Key::Name(wanted) => {
                    id & NAME != 0 && self.has_name(Node { link: id & !NAME, ..node }, wanted)?
                }
            };
            if matches {
                return Ok(Some(Node { link, ..node }));
            }
        }
        match count {
            0..=MAX_ENTRIES => Ok(None),
            _ => Err(ImageError::TooMany { what: "resources".into(), limit: MAX_ENTRIES.into() }),
        }
    }

    /// Whether an IMAGE_RESOURCE_DIR_STRING_U, a length and UTF-16, equals this ASCII name.
    fn has_name(&self, node: Node, name: &str) -> Result<bool, ImageError> {
        let at = node.rva(0)?;
        let length = u16::from_le_bytes(self.memory.bytes(at, WHAT)?);
        if usize::from(length) != name.len() {
            return Ok(false);
        }
        let bytes = self.memory.slice(at, 2 + 2 * u32::from(length), WHAT)?;
        let units = bytes.as_chunks().0.iter().skip(1).map(|unit| u16::from_le_bytes(*unit));
        Ok(units.eq(name.encode_utf16()))
    }

    /// Reads an IMAGE_RESOURCE_DATA_ENTRY. Unlike everything else in the tree, it contains an RVA,
    /// not an offset from the root.
    fn leaf(&self, node: Node) -> Result<Data, ImageError> {
        let [rva, size, _code_page, _] = self.memory.words(node.rva(0)?, WHAT)?;
        Ok(Data { rva, size })
    }
}

/// The bit of a link to another directory. Without it, the link refers to data.
const DIRECTORY: u32 = 1 << 31;

/// The bit of an entry's first word if the entry has a name. Without it, the word is a number.
const NAME: u32 = 1 << 31;

/// A place in the tree.
#[derive(Clone, Copy)]
struct Node {
    /// The RVA of the root.
    tree: u32,
    /// The offset from the root in bytes, possibly with the bit [`DIRECTORY`].
    link: u32,
}

impl Node {
    /// Returns the RVA of the node, if it is of the expected kind: [`DIRECTORY`], or zero for
    /// others.
    fn rva(self, expected: u32) -> Result<u32, ImageError> {
        match self.tree.checked_add(self.link & !DIRECTORY) {
            Some(rva) if self.link & DIRECTORY == expected => Ok(rva),
            _ => Err(bad_table(WHAT, self.tree, TableDefect::Malformed)),
        }
    }
}

/// The selection of an entry of a directory.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Id(u32),
    Name(&'static str),
    First,
}

/// The place of a resource's data.
struct Data {
    rva: u32,
    /// In bytes.
    size: u32,
}

/// Decodes an XML file: UTF-16 if it begins with a byte order mark of it, otherwise UTF-8.
fn decode(bytes: &[u8]) -> String {
    match bytes.strip_prefix(b"\xff\xfe") {
        Some(utf16) => {
            let units = utf16.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair));
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        None => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
    }
}
