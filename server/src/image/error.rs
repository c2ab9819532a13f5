//! The errors of reading an image.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// The reason why a file, or one table in it, can't be read as an image.
///
/// [`Image::parse`](super::Image::parse) returns the first six, each of which keeps Windows from
/// mapping the file. A damaged table in a file that can be mapped is a
/// [`BadTable`](Self::BadTable).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum ImageError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,

    /// The file doesn't begin with `MZ`.
    #[error("the file is not a Windows program or DLL; it looks like {looks_like}")]
    NotPe {
        /// The kind of file that it seems to be.
        looks_like: LooksLike,
        /// Its first bytes, at most sixteen.
        first_bytes: Vec<u8>,
    },

    /// The file begins with `MZ`, but has no valid PE header. This is the case for MS-DOS and
    /// 16-bit Windows programs, and for partially overwritten files.
    #[error("the file begins like a program, but has no PE header at offset {at:#x}")]
    NoPeHeader {
        /// The file offset of the header according to `e_lfanew`.
        at: u64,
        /// The bytes in place of `PE\0\0`; empty if the offset is implausible.
        found: Vec<u8>,
    },

    /// The file is shorter than its headers specify, such as after an interrupted copy or download.
    #[error("the file has only {len} bytes, but {what} should end at byte {needs}")]
    Truncated {
        /// The part that is truncated: "section .text".
        what: Cow<'static, str>,
        /// The file offset at which it should end, in bytes.
        needs: u64,
        /// The length of the file, in bytes.
        len: u64,
    },

    /// A header field has a value that keeps Windows from mapping the image.
    #[error("a header field at offset {at:#x} is wrong: {what}")]
    BadHeader {
        /// The problem: "section .data extends beyond SizeOfImage".
        what: Cow<'static, str>,
        /// The file offset of the field, or of the header it is in.
        at: u64,
    },

    /// A number is higher than in any real image, or than is safe to read.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// The things that are too many: "sections".
        what: Cow<'static, str>,
        /// The maximum number that is accepted.
        limit: u64,
    },

    /// A table is damaged in an image that can be mapped.
    #[error("{what} at RVA {at:#x} {problem}")]
    BadTable {
        /// The data that was read: "the name of an imported DLL".
        what: Cow<'static, str>,
        /// The RVA of the data.
        at: u32,
        /// The problem with the data.
        problem: TableDefect,
    },
}

/// The problem with data in a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum TableDefect {
    /// The data is partly or wholly outside the image's memory.
    OutsideImage,
    /// A string has no terminating NUL within the maximum length.
    Unterminated,
    /// The data has invalid contents.
    Malformed,
}

impl fmt::Display for TableDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TableDefect::OutsideImage => "is outside the image",
            TableDefect::Unterminated => "is not terminated",
            TableDefect::Malformed => "is malformed",
        })
    }
}

/// The kind of a file that isn't an image, judged by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum LooksLike {
    /// A zip archive, such as a wheel.
    Zip,
    /// Another kind of archive: gzip, xz, bzip2, zstd, 7z.
    Archive,
    /// A web page that was saved instead of a download.
    Html,
    /// A Linux library or program.
    Elf,
    /// A macOS library or program.
    MachO,
    /// A Git LFS pointer to a file that was never fetched.
    GitLfsPointer,
    /// A static or import library (`.lib`), which is for linking, not for loading.
    StaticLibrary,
    /// Only zeros: space was allocated for the file, but nothing was written.
    Zeros,
    /// Text of some other kind.
    Text,
    /// None of these.
    Unknown,
}

impl LooksLike {
    /// Determines the kind of a file from its first bytes.
    pub fn of(bytes: &[u8]) -> LooksLike {
        const ARCHIVES: [&[u8]; 5] = [b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"];
        // Thin images of either width and byte order, and universal ones. Java classes also begin
        // with `cafebabe`, but are unlikely among DLLs.
        const MACH_O: [&[u8]; 5] = [
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
        ];

        let head = bytes.get(..512).unwrap_or(bytes);
        let begins_with = |mark: &&[u8]| head.starts_with(mark);
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            LooksLike::Zip
        } else if ARCHIVES.iter().any(begins_with) {
            LooksLike::Archive
        } else if head.starts_with(b"\x7fELF") {
            LooksLike::Elf
        } else if MACH_O.iter().any(begins_with) {
            LooksLike::MachO
        } else if head.starts_with(b"!<arch>\n") {
            LooksLike::StaticLibrary
        } else if head.starts_with(b"version https://git-lfs") {
            LooksLike::GitLfsPointer
        } else if is_html(head) {
            LooksLike::Html
        } else if !head.is_empty() && head.iter().all(|&byte| byte == 0) {
            LooksLike::Zeros
        } else if is_text(head) {
            LooksLike::Text
        } else {
            LooksLike::Unknown
        }
    }

    /// Returns a human-readable description that can follow "it looks like".
    pub fn words(self) -> &'static str {
        match self {
            LooksLike::Zip => "a zip archive, such as a wheel",
            LooksLike::Archive => "a compressed archive",
            LooksLike::Html => "a web page (HTML)",
            LooksLike::Elf => "a Linux library or program (ELF)",
            LooksLike::MachO => "a macOS library or program (Mach-O)",
            LooksLike::GitLfsPointer => "a Git LFS pointer, not the file it stands for",
            LooksLike::StaticLibrary => "a library for linking (.lib), not for loading",
            LooksLike::Zeros => "a file filled with zeros",
            LooksLike::Text => "a text file",
            LooksLike::Unknown => "a file in an unknown format",
        }
    }
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

fn is_html(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    [&b"<!doctype html"[..], b"<html", b"<head", b"<body"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
}

fn is_text(head: &[u8]) -> bool {
    let printable = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    // The head may end inside a character; then the error has no length.
    let utf8 = std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true);
    !head.is_empty() && utf8 && head.iter().all(printable)
}

/// Returns an [`ImageError::BadTable`].
pub(super) fn bad_table(what: &'static str, at: u32, problem: TableDefect) -> ImageError {
    ImageError::BadTable { what: what.into(), at, problem }
}
