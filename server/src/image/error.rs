//! Everything that can be wrong with a file that should be an image, and where.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// Why a file, or one table in it, cannot be read as an image.
///
/// [`Image::parse`](super::Image::parse) returns the first six: with any of them Windows does not
/// map the file. A damaged table inside a file that does map is a [`BadTable`](Self::BadTable).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum ImageError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,

    /// The file does not begin with `MZ`: it is something else.
    #[error("the file is not a Windows program or DLL; it looks like {looks_like}")]
    NotPe {
        /// What it seems to be instead.
        looks_like: LooksLike,
        /// Its first bytes, at most sixteen.
        first_bytes: Vec<u8>,
    },

    /// The file begins with `MZ`, but what should be its PE header is not one. MS-DOS and 16-bit
    /// Windows programs are like this, and files overwritten in part.
    #[error("the file begins like a program, but has no PE header at offset {at:#x}")]
    NoPeHeader {
        /// Where the header should be: the file offset that `e_lfanew` gives.
        at: u64,
        /// The bytes found there in place of `PE\0\0`; none if the offset is absurd.
        found: Vec<u8>,
    },

    /// The headers promise more than the file has: a copy or download that broke off.
    #[error("the file ends at {len} bytes, but {what} should reach to {needs}")]
    Truncated {
        /// What is cut off: "section .text".
        what: Cow<'static, str>,
        /// The file offset it should reach to, in bytes.
        needs: u64,
        /// The length of the file, in bytes.
        len: u64,
    },

    /// A header field has a value with which Windows does not map the image.
    #[error("a header field at offset {at:#x} is wrong: {what}")]
    BadHeader {
        /// What is wrong: "section .data does not follow the section before it".
        what: Cow<'static, str>,
        /// The file offset of the field, or of the header it is in.
        at: u64,
    },

    /// There are more of something than any real image has, or than is safe to read.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// What there is too much of: "sections".
        what: Cow<'static, str>,
        /// How many of it are accepted.
        limit: u64,
    },

    /// A table of an image that maps is damaged.
    #[error("{what} at RVA {at:#x} {problem}")]
    BadTable {
        /// What was being read: "the name of an imported DLL".
        what: Cow<'static, str>,
        /// The RVA it was read at.
        at: u32,
        /// What is the matter there.
        problem: Problem,
    },
}

/// What is the matter with a place in a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Problem {
    /// It lies, in whole or in part, where the image has no memory.
    OutsideImage,
    /// A string has no terminating NUL within the longest length accepted.
    Unterminated,
    /// Its contents are not what belongs there.
    Malformed,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::OutsideImage => "lies outside the image",
            Problem::Unterminated => "has no end",
            Problem::Malformed => "is malformed",
        })
    }
}

/// What a file that is not an image seems to be, judged by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum LooksLike {
    /// A zip archive, which a wheel is.
    Zip,
    /// Another kind of archive: gzip, xz, bzip2, zstd, 7z.
    Archive,
    /// A web page, saved in place of what it offered for download.
    Html,
    /// A Linux library or program.
    Elf,
    /// A macOS library or program.
    MachO,
    /// A Git LFS pointer, standing for a file that was never fetched.
    GitLfsPointer,
    /// A static or import library (`.lib`), which is for linking, not for loading.
    StaticLibrary,
    /// Nothing but zeros: space was set aside for the file, and nothing written.
    Zeros,
    /// Text of some other kind.
    Text,
    /// None of these.
    Unknown,
}

impl LooksLike {
    /// Judges by the first bytes of a file.
    pub fn of(bytes: &[u8]) -> LooksLike {
        const ARCHIVES: [&[u8]; 5] = [b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"];
        // Thin images of either width and byte order. A universal one begins with `cafebabe`, as
        // does a Java class; among DLLs the former is meant.
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

    /// How to say it to people, after "it looks like".
    pub fn words(self) -> &'static str {
        match self {
            LooksLike::Zip => "a zip archive (a wheel is one)",
            LooksLike::Archive => "a compressed archive",
            LooksLike::Html => "a web page (HTML)",
            LooksLike::Elf => "a Linux library or program (ELF)",
            LooksLike::MachO => "a macOS library or program (Mach-O)",
            LooksLike::GitLfsPointer => "a Git LFS pointer, not the file it stands for",
            LooksLike::StaticLibrary => "a library for linking (.lib), not for loading",
            LooksLike::Zeros => "a file filled with zeros",
            LooksLike::Text => "a text file",
            LooksLike::Unknown => "nothing known",
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
    // The head may end inside a character, which is an error of a known kind.
    let utf8 = std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true);
    !head.is_empty() && utf8 && head.iter().all(printable)
}

/// A [`ImageError::BadTable`]; the three words every reader of a table needs.
pub(super) fn bad_table(what: &'static str, at: u32, problem: Problem) -> ImageError {
    ImageError::BadTable { what: what.into(), at, problem }
}
