//! A section under construction: bytes, and the address at which the loader will map them.
//!
//! Tables of a PE image refer to each other by RVA (an address relative to the image's base), so
//! appending data returns its RVA.

use object::pe::SectionFlags;

/// A section's bytes, the RVA of the first of them, and how they are mapped.
pub(super) struct Section {
    pub(super) name: &'static [u8; 8],
    pub(super) flags: SectionFlags,
    pub(super) start: u32,
    pub(super) bytes: Vec<u8>,
}

/// The content of a data directory: the RVA and the length of a table.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) rva: u32,
    pub(super) size: u32,
}

impl Section {
    pub(super) fn new(name: &'static [u8; 8], flags: SectionFlags, start: u32) -> Section {
        Section { name, flags, start, bytes: Vec::new() }
    }

    pub(super) fn end(&self) -> u32 {
        self.start + length(&self.bytes)
    }

    /// Returns the span from `rva` to the current end of the section.
    pub(super) fn since(&self, rva: u32) -> Span {
        Span { rva, size: self.end() - rva }
    }

    pub(super) fn align(&mut self, alignment: usize) {
        let len = self.bytes.len().next_multiple_of(alignment);
        self.bytes.resize(len, 0);
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> u32 {
        let rva = self.end();
        self.bytes.extend_from_slice(bytes);
        rva
    }

    /// Appends a string with a terminating zero.
    pub(super) fn put_string(&mut self, text: &str) -> u32 {
        let rva = self.put(text.as_bytes());
        self.put(&[0]);
        rva
    }

    /// Reserves space for a table whose entries are `fill`ed in later.
    pub(super) fn reserve(&mut self, len: usize) -> Span {
        let rva = self.put(&vec![0; len]);
        self.since(rva)
    }

    pub(super) fn fill(&mut self, rva: u32, bytes: &[u8]) {
        let start = (rva - self.start) as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }
}

/// Returns a length as it is in images, with 32 bits.
pub(super) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a fixture's section is far below 4 GiB")
}
