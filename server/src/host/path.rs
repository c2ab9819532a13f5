//! Paths as Windows interprets them: `\` and `/` both separate, and letter case doesn't matter.
//!
//! `std::path` interprets a path by the rules of the system it runs on. Here a Windows machine is
//! analysed, often on another system (a mounted disk, a recorded snapshot), so Windows' rules must
//! apply everywhere. A native path (`/home/me/env`) is a valid value too.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::source::Span;

/// The Windows SDK's `MAX_PATH`: the maximum length of a path in characters, including the NUL at
/// its end.
const MAX_PATH: usize = 260;

/// An absolute or relative path. Comparison ignores case and the kind of separator.
///
/// ```
/// use whydll::host::WinPath;
///
/// let library = WinPath::new(r"C:\Python313\python313.dll");
/// assert_eq!(library, WinPath::new("c:/python313/PYTHON313.DLL"));
/// assert_eq!(library.file_name(), "python313.dll");
/// assert_eq!(library.parent(), Some(WinPath::new(r"C:\Python313")));
/// assert_eq!(WinPath::new(r"C:\Python313").join("DLLs").as_str(), r"C:\Python313\DLLs");
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WinPath(Arc<str>);

impl WinPath {
    /// Creates a path without trailing separators, except for that of a root.
    pub fn new(path: impl Into<String>) -> WinPath {
        let mut path = path.into();
        while path.len() > root_length(&path).max(1) && path.ends_with(is_separator) {
            path.pop();
        }
        WinPath(path.into())
    }

    /// Creates a path from a native path. Invalid Unicode is replaced, because neither JSON nor an
    /// editor could represent such a name.
    pub fn from_native(path: &Path) -> WinPath {
        WinPath::new(path.to_string_lossy().into_owned())
    }

    /// Returns the path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends `name` with the separator that this path uses. An absolute `name` replaces the path.
    pub fn join(&self, name: &str) -> WinPath {
        let other = WinPath::new(name);
        if other.is_absolute() || self.0.is_empty() {
            return other;
        }
        if other.0.is_empty() {
            return self.clone();
        }
        let separator = self.separator();
        let mut path = String::with_capacity(self.0.len() + 1 + other.0.len());
        path.push_str(&self.0);
        if !path.ends_with(is_separator) {
            path.push(separator);
        }
        path.extend(other.0.chars().map(|c| if is_separator(c) { separator } else { c }));
        WinPath(path.into())
    }

    /// Returns the directory that contains this path, or `None` for a root or a bare name.
    pub fn parent(&self) -> Option<WinPath> {
        let root = root_length(&self.0);
        let end = self.0.rfind(is_separator)?;
        if end >= root {
            Some(WinPath(self.0[..end].into()))
        } else if self.0.len() > root {
            Some(WinPath(self.0[..root].into()))
        } else {
            None
        }
    }

    /// Returns the last component; it is empty for a root.
    pub fn file_name(&self) -> &str {
        let root = root_length(&self.0);
        let tail = &self.0[root..];
        tail.rsplit(is_separator).next().unwrap_or(tail)
    }

    /// Returns the part after the last dot of the file name, or an empty string.
    pub fn extension(&self) -> &str {
        match self.file_name().rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => extension,
            _ => "",
        }
    }

    /// Whether it is a path on a Windows drive or share, as opposed to a native path of another
    /// system.
    pub fn is_on_drive(&self) -> bool {
        !self.0.starts_with('/')
    }

    /// Whether the file name ends in `.extension`, ignoring case.
    pub fn has_extension(&self, extension: &str) -> bool {
        self.extension().eq_ignore_ascii_case(extension)
    }

    /// Returns a path that stands for a definition in this module. No Windows path contains `|`.
    pub fn with_part(&self, part: Span) -> WinPath {
        let Span { start, end, line } = part;
        WinPath(format!("{}|{start}-{end}:{line}", self.0).into())
    }

    /// Splits a path made by [`WinPath::with_part`] into the module and the place in it.
    pub fn as_part(&self) -> Option<(WinPath, Span)> {
        let (module, part) = self.0.rsplit_once('|')?;
        let (start, rest) = part.split_once('-')?;
        let (end, line) = rest.split_once(':')?;
        let part = Span { start: start.parse().ok()?, end: end.parse().ok()?, line: line.parse().ok()? };
        Some((WinPath(module.into()), part))
    }

    /// Splits a path that leads into a zip archive into the archive and the path inside, with `/`
    /// between its parts, as in Python's `C:\Python\python38.zip\encodings` on `sys.path`. The path
    /// inside is empty for the archive itself.
    pub fn in_archive(&self) -> Option<(WinPath, String)> {
        // This is called for every file. Nearly all are in no archive, and for them nothing is
        // copied.
        let bytes = self.0.as_bytes();
        let ends = memchr::memchr2_iter(b'p', b'P', bytes).map(|at| at + 1).filter(|end| {
            let name = bytes.get(..*end).unwrap_or_default();
            name.last_chunk().is_some_and(|suffix: &[u8; 4]| suffix.eq_ignore_ascii_case(b".zip"))
                && bytes.get(*end).is_none_or(|next| is_separator(char::from(*next)))
        });
        let mut candidates = ends.map(|end| WinPath(self.0[..end].into()));
        let archive = candidates.find(|path| path.has_extension("zip"))?;
        let inside = self.0[archive.0.len()..].trim_start_matches(is_separator).replace('\\', "/");
        Some((archive, inside))
    }

    /// Returns the file on disk that contains this path: the zip archive that it leads into, if
    /// there is one, or else the path itself.
    pub(super) fn container(&self, is_file: impl Fn(&WinPath) -> bool) -> WinPath {
        let archive = self.in_archive().map(|(archive, _)| archive);
        archive.filter(is_file).unwrap_or_else(|| self.clone())
    }

    /// Whether it is a Windows path that, with the NUL at its end, exceeds `MAX_PATH` characters
    /// (Microsoft, "Maximum Path Length Limitation").
    pub fn is_long(&self) -> bool {
        self.is_on_drive() && self.0.len() >= MAX_PATH && self.0.encode_utf16().count() >= MAX_PATH
    }

    /// Whether it starts with a drive, a UNC share, or a Unix root.
    pub fn is_absolute(&self) -> bool {
        root_length(&self.0) > 0
    }

    /// Whether it is a name without a directory, which the loader searches for in directories.
    pub fn is_bare_name(&self) -> bool {
        !self.0.contains(is_separator) && !self.is_absolute()
    }

    /// Returns the part below `folder`, without a leading separator, if this path is in it.
    pub fn below(&self, folder: &WinPath) -> Option<&str> {
        let mut rest = self.0.chars();
        for expected in folder.0.chars() {
            if !rest.next().is_some_and(|c| same_char(c, expected)) {
                return None;
            }
        }
        let tail = rest.as_str();
        match tail.strip_prefix(is_separator) {
            Some(tail) => Some(tail),
            None if tail.is_empty() || folder.0.ends_with(is_separator) => Some(tail),
            None => None,
        }
    }

    /// Whether this path is `folder` or is below it.
    pub fn is_within(&self, folder: &WinPath) -> bool {
        self.below(folder).is_some()
    }

    /// Removes `.` and `..` components as GetFullPathName does: in the string only, without
    /// following links.
    pub fn normalized(&self) -> WinPath {
        let root = root_length(&self.0);
        let (head, tail) = self.0.split_at(root);
        if !tail.split(is_separator).any(|part| matches!(part, "." | ".." | "")) {
            return self.clone();
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in tail.split(is_separator) {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => {
                    parts.pop();
                }
                ".." if root > 0 => {}
                _ => parts.push(part),
            }
        }
        WinPath::new(format!("{head}{}", parts.join(&self.separator().to_string())))
    }

    /// Returns a spelling that is the same for all equal paths: lower case, with `/` between the
    /// parts.
    pub fn key(&self) -> String {
        fold_name(&self.0)
    }

    fn separator(&self) -> char {
        if self.0.starts_with('/') && !self.0.starts_with("//") { '/' } else { '\\' }
    }
}

/// Splits a value of `PATH` into its absolute directories, in order.
pub fn path_directories(path: &str) -> Vec<WinPath> {
    let entries = path.split(';').map(|entry| entry.trim().trim_matches('"'));
    entries.map(WinPath::new).filter(WinPath::is_absolute).collect()
}

/// Returns a spelling that is the same for all names that Windows considers equal.
pub fn fold_name(name: &str) -> String {
    // Path comparisons and lookups are the most frequent operation of all, and nearly all paths are
    // ASCII.
    if name.is_ascii()
        && let Ok(folded) = String::from_utf8(name.bytes().map(fold_ascii).collect())
    {
        return folded;
    }
    name.chars().map(fold).collect()
}

fn fold_ascii(byte: u8) -> u8 {
    if byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() }
}

/// Folds a character. NTFS compares with an upper-case table that maps single characters; simple
/// lower case agrees with it for all letters that occur in file names in practice.
fn fold(c: char) -> char {
    if c.is_ascii() { char::from(fold_ascii(c as u8)) } else { c.to_lowercase().next().unwrap_or(c) }
}

fn same_char(a: char, b: char) -> bool {
    a == b || fold(a) == fold(b)
}

fn is_separator(c: char) -> bool {
    c == '/' || c == '\\'
}

/// Returns the number of bytes of `C:\`, `\\server\share\`, `\\?\C:\`, `\\?\UNC\server\share\`, or
/// `/`. It is 0 for a relative path.
fn root_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let separator_at = |i: usize| bytes.get(i).is_some_and(|b| matches!(b, b'/' | b'\\'));
    let drive_at =
        |i: usize| bytes.get(i).is_some_and(u8::is_ascii_alphabetic) && bytes.get(i + 1) == Some(&b':');
    let share_end = |start: usize| {
        let mut ends = (start..bytes.len()).filter(|&i| separator_at(i));
        match (ends.next(), ends.next()) {
            (Some(_), Some(end)) => end + 1,
            _ => bytes.len(),
        }
    };
    let verbatim = separator_at(0) && separator_at(1) && bytes.get(2) == Some(&b'?') && separator_at(3);
    if verbatim && drive_at(4) {
        6 + usize::from(separator_at(6))
    } else if verbatim {
        share_end(if text[4..].to_ascii_lowercase().starts_with("unc") { 8 } else { 4 })
    } else if separator_at(0) && separator_at(1) {
        share_end(2)
    } else if drive_at(0) && separator_at(2) {
        3
    } else {
        usize::from(separator_at(0))
    }
}

impl PartialEq for WinPath {
    fn eq(&self, other: &WinPath) -> bool {
        self.0 == other.0 || self.cmp(other) == Ordering::Equal
    }
}

impl Eq for WinPath {}

impl PartialOrd for WinPath {
    fn partial_cmp(&self, other: &WinPath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WinPath {
    fn cmp(&self, other: &WinPath) -> Ordering {
        // Paths of one machine start alike. The equal prefix needs no folding.
        let alike = self.0.bytes().zip(other.0.bytes()).take_while(|(a, b)| a == b && a.is_ascii()).count();
        let rests = [self, other].map(|path| path.0.get(alike..).unwrap_or_default());
        let [a, b] = rests.map(|rest| rest.chars().map(fold));
        a.cmp(b)
    }
}

impl Hash for WinPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // In blocks, because a hasher needs the same time for one byte as for eight.
        const BLOCK: usize = 64;
        if !self.0.is_ascii() {
            let folded = self.key();
            return folded.as_bytes().chunks(BLOCK).for_each(|block| state.write(block));
        }
        for block in self.0.as_bytes().chunks(BLOCK) {
            let mut folded = [0; BLOCK];
            for (folded, byte) in folded.iter_mut().zip(block) {
                *folded = fold_ascii(*byte);
            }
            state.write(folded.get(..block.len()).unwrap_or_default());
        }
    }
}

impl fmt::Display for WinPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WinPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl From<&str> for WinPath {
    fn from(text: &str) -> WinPath {
        WinPath::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_unix_paths_are_split() {
        let parts = |text: &str| {
            let path = WinPath::new(text);
            (path.parent().map(|p| p.as_str().to_owned()), path.file_name().to_owned(), path.is_absolute())
        };
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(parts(r"C:\Py\python.exe"), (some(r"C:\Py"), "python.exe".into(), true));
        assert_eq!(parts(r"C:\Py"), (some(r"C:\"), "Py".into(), true));
        assert_eq!(parts(r"C:\"), (None, "".into(), true));
        assert_eq!(parts(r"\\nas\share\a"), (some(r"\\nas\share\"), "a".into(), true));
        assert_eq!(parts(r"\\?\C:\a\b"), (some(r"\\?\C:\a"), "b".into(), true));
        assert_eq!(parts("/opt/env"), (some("/opt"), "env".into(), true));
        assert_eq!(parts("/opt"), (some("/"), "opt".into(), true));
        assert_eq!(parts("b.dll"), (None, "b.dll".into(), false));
    }

    #[test]
    fn case_and_separator_do_not_matter() {
        assert_eq!(WinPath::new(r"C:\PY\Ä.dll"), WinPath::new("c:/py/ä.DLL"));
        assert_eq!(WinPath::new(r"C:\Env\a").below(&"c:/env".into()), Some("a"));
        assert_eq!(WinPath::new(r"C:\Environment").below(&r"C:\Env".into()), None);
        assert_eq!(WinPath::new(r"C:\a").below(&r"C:\".into()), Some("a"));
    }

    #[test]
    fn a_path_can_lead_into_an_archive() {
        let archive = |path: &str| WinPath::new(path).in_archive();
        let python = WinPath::new(r"C:\Python\python38.ZIP");
        assert_eq!(archive(r"C:\Python\python38.ZIP"), Some((python.clone(), String::new())));
        assert_eq!(archive(r"C:\Python\python38.ZIP\a/b.pyc"), Some((python, "a/b.pyc".to_owned())));
        assert_eq!(archive("/p.zip/a"), Some((WinPath::new("/p.zip"), "a".to_owned())));
        assert_eq!(archive(r"C:\zip\a.py"), None);
    }

    #[test]
    fn joining_keeps_the_separator_of_the_base() {
        assert_eq!(WinPath::new(r"C:\a").join("b/c").as_str(), r"C:\a\b\c");
        assert_eq!(WinPath::new("/a").join(r"b\c").as_str(), "/a/b/c");
        assert_eq!(WinPath::new("/a").join(r"D:\x").as_str(), r"D:\x");
        assert_eq!(WinPath::new(r"C:\a\.\b\..\c").normalized().as_str(), r"C:\a\c");
        assert_eq!(WinPath::new("/a/../../b").normalized().as_str(), "/b");
    }
}
