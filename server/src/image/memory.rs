//! The layout of an image in memory, computed without mapping the file.
//!
//! The rules are those of Wine's `map_image_into_view` (`dlls/ntdll/unix/virtual.c`). Wine is more
//! lenient than Windows, so checks of ReactOS' `PeFmtCreateSection` are added.

use pelite::image::IMAGE_SECTION_HEADER;

use super::{ImageError, TableDefect, error::bad_table, headers::Headers};

/// The memory of the loaded image, as a read at an RVA would find it.
#[derive(Clone, Debug)]
pub(super) struct Memory<'a> {
    file: &'a [u8],
    /// The headers and the sections, in ascending order of their addresses and without gaps.
    regions: Vec<Region<'a>>,
}

/// A range of memory: bytes of the file, followed by zeros.
#[derive(Clone, Copy, Debug)]
struct Region<'a> {
    rva: u32,
    /// The size in memory in bytes, at least `stored.len()`.
    size: u32,
    /// The file offset of the stored bytes.
    start: usize,
    stored: &'a [u8],
}

/// The size of a page in bytes on every machine that Windows supports.
const PAGE: u32 = 0x1000;

/// The size of a sector in bytes. The mapper reads whole sectors, whatever the FileAlignment is.
const SECTOR: u64 = 0x200;

impl<'a> Memory<'a> {
    /// Lays out a file like the mapper, without reading its bytes.
    pub fn lay_out(bytes: &'a [u8], headers: &Headers) -> Result<Memory<'a>, ImageError> {
        let (sections, files) = (headers.section_alignment, headers.file_alignment);
        // ReactOS requires powers of two, and a SectionAlignment that isn't less than the
        // FileAlignment.
        if !sections.is_power_of_two() || !files.is_power_of_two() || sections < files {
            return Err(ImageError::BadHeader {
                what: format!("sections are aligned to {sections:#x} in memory, {files:#x} in the file")
                    .into(),
                at: headers.optional_header.saturating_add(32),
            });
        }
        if sections < PAGE { Memory::flat(bytes, headers) } else { Memory::paged(bytes, headers) }
    }

    /// Lays out an image whose sections are not page-aligned, which is mostly a driver. The mapper
    /// maps the file as it is, so every section must have the same offset in the file and in
    /// memory.
    fn flat(bytes: &'a [u8], headers: &Headers) -> Result<Memory<'a>, ImageError> {
        if headers.section_alignment != headers.file_alignment {
            return Err(ImageError::BadHeader {
                what: "SectionAlignment is less than a page and differs from FileAlignment".into(),
                at: headers.optional_header.saturating_add(32),
            });
        }
        for (index, section) in headers.sections.iter().enumerate() {
            if section.VirtualAddress != section.PointerToRawData {
                let what =
                    format!("section {} has different offsets in memory and in the file", name(section));
                return Err(bad_section(headers, index, what));
            }
            check_not_truncated(bytes, section, section.SizeOfRawData.into())?;
        }
        let size = headers.size_of_image;
        let stored = bytes.get(..size as usize).unwrap_or(bytes);
        Ok(Memory { file: bytes, regions: vec![Region { rva: 0, size, start: 0, stored }] })
    }

    fn paged(bytes: &'a [u8], headers: &Headers) -> Result<Memory<'a>, ImageError> {
        let alignment = headers.section_alignment.into();
        let size_of_image = round_up(headers.size_of_image.into(), alignment);
        let header_size = round_up(headers.size_of_headers.into(), alignment);
        let stored = bytes.get(..headers.size_of_headers as usize).unwrap_or(bytes);

        let mut regions = vec![Region { rva: 0, size: clamp(header_size), start: 0, stored }];
        let mut end = header_size;
        for (index, section) in headers.sections.iter().enumerate() {
            let bad = |what: &str| bad_section(headers, index, format!("section {} {what}", name(section)));
            let memory_size = match section.VirtualSize {
                0 => section.SizeOfRawData,
                size => size,
            };
            let memory_size = round_up(memory_size.into(), alignment);
            if memory_size == 0 {
                return Err(bad("is empty"));
            }
            // ReactOS requires ascending sections without gaps or overlaps. Wine is more lenient.
            if u64::from(section.VirtualAddress) != end {
                return Err(bad("overlaps the memory before it or leaves a gap"));
            }
            end = end.saturating_add(memory_size);
            if end > size_of_image {
                return Err(bad("extends beyond SizeOfImage"));
            }
            check_not_truncated(bytes, section, memory_size)?;
            let (start, len) = file_range(section, memory_size);
            regions.push(Region {
                rva: section.VirtualAddress,
                size: clamp(memory_size),
                start: usize::try_from(start).unwrap_or(usize::MAX),
                stored: range(bytes, start, len),
            });
        }
        Ok(Memory { file: bytes, regions })
    }

    /// Returns the whole file.
    pub fn file(&self) -> &'a [u8] {
        self.file
    }

    /// Returns the place in the file of the `len` bytes at an RVA; `None` if the file doesn't store
    /// all of them.
    pub fn file_range(&self, rva: u32, len: usize) -> Option<std::ops::Range<usize>> {
        let next = self.regions.partition_point(|region| region.rva <= rva);
        let region = self.regions.get(next.checked_sub(1)?)?;
        let offset = rva.checked_sub(region.rva)? as usize;
        let start = region.start.checked_add(offset)?;
        (offset.checked_add(len)? <= region.stored.len()).then(|| start..start + len)
    }

    /// Returns the 32-bit words at an RVA, such as the fields of a table entry.
    pub fn words<const N: usize>(&self, rva: u32, what: &'static str) -> Result<[u32; N], ImageError> {
        let (whole, rest) = self.tail(rva, 4 * N, what)?.stored.as_chunks();
        let last = padded(rest);
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(whole.iter().chain([&last])) {
            *word = u32::from_le_bytes(*bytes);
        }
        Ok(words)
    }

    /// Returns the `N` bytes at an RVA.
    pub fn bytes<const N: usize>(&self, rva: u32, what: &'static str) -> Result<[u8; N], ImageError> {
        let stored = self.tail(rva, N, what)?.stored;
        Ok(stored.first_chunk().copied().unwrap_or_else(|| padded(stored)))
    }

    /// Returns the `len` bytes at an RVA. The file must store all of them.
    pub fn slice(&self, rva: u32, len: u32, what: &'static str) -> Result<&'a [u8], ImageError> {
        let tail = self.tail(rva, len as usize, what)?;
        tail.stored.get(..len as usize).ok_or_else(|| bad_table(what, rva, TableDefect::OutsideImage))
    }

    /// Returns the bytes that the file stores from an RVA on, at most `limit` of them.
    pub fn stored(&self, rva: u32, limit: usize, what: &'static str) -> Result<&'a [u8], ImageError> {
        let stored = self.tail(rva, 1, what)?.stored;
        Ok(stored.get(..limit).unwrap_or(stored))
    }

    /// Returns the bytes from an RVA to the next NUL (exclusive), at most `limit` of them.
    pub fn until_nul(&self, rva: u32, limit: usize, what: &'static str) -> Result<&'a [u8], ImageError> {
        let tail = self.tail(rva, 1, what)?;
        let window = tail.stored.get(..limit).unwrap_or(tail.stored);
        match memchr::memchr(0, window) {
            Some(nul) => Ok(window.get(..nul).unwrap_or(window)),
            None if window.len() == limit || window.len() < tail.size => Ok(window),
            None => Err(bad_table(what, rva, TableDefect::OutsideImage)),
        }
    }

    /// Returns the bytes of the NUL-terminated string at an RVA, which must be fewer than `limit`.
    pub fn terminated(&self, rva: u32, limit: usize, what: &'static str) -> Result<&'a [u8], ImageError> {
        match self.until_nul(rva, limit, what)? {
            bytes if bytes.len() < limit => Ok(bytes),
            _ => Err(bad_table(what, rva, TableDefect::Unterminated)),
        }
    }

    /// Returns the NUL-terminated string of fewer than `limit` bytes at an RVA. Names are ASCII in
    /// practice; bytes that aren't UTF-8 are replaced.
    pub fn string(&self, rva: u32, limit: usize, what: &'static str) -> Result<String, ImageError> {
        Ok(String::from_utf8_lossy(self.terminated(rva, limit, what)?).into_owned())
    }

    /// Returns the memory from an RVA to the end of its region, which must have `len` bytes.
    fn tail(&self, rva: u32, len: usize, what: &'static str) -> Result<RegionTail<'a>, ImageError> {
        let next = self.regions.partition_point(|region| region.rva <= rva);
        next.checked_sub(1)
            .and_then(|index| self.regions.get(index))
            .and_then(|region| {
                let offset = rva.checked_sub(region.rva)?;
                let size = region.size.checked_sub(offset)? as usize;
                let stored = region.stored.get(offset as usize..).unwrap_or_default();
                (size >= len.max(1)).then_some(RegionTail { stored, size })
            })
            .ok_or_else(|| bad_table(what, rva, TableDefect::OutsideImage))
    }
}

/// The part of a region from an RVA to the region's end.
struct RegionTail<'a> {
    stored: &'a [u8],
    /// The size in bytes, stored or zero.
    size: usize,
}

/// Fills up stored bytes with zeros, like memory that the file doesn't store.
fn padded<const N: usize>(stored: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(stored).for_each(|(byte, stored)| *byte = *stored);
    bytes
}

/// Checks that the file contains a section. A part of the last sector may be missing: the mapper
/// reads whole sectors, and Wine's `map_image_into_view` compares the section's end with the file's
/// size rounded up.
fn check_not_truncated(
    bytes: &[u8],
    section: &IMAGE_SECTION_HEADER,
    memory_size: u64,
) -> Result<(), ImageError> {
    let len = bytes.len() as u64;
    let (start, size) = file_range(section, memory_size);
    let pointer = u64::from(section.PointerToRawData);
    if size == 0 || (pointer < len && start + size <= round_up(len, SECTOR)) {
        return Ok(());
    }
    Err(ImageError::Truncated {
        what: format!("section {}", name(section)).into(),
        needs: (pointer + u64::from(section.SizeOfRawData)).min(start + size),
        len,
    })
}

/// Returns the file offset and length of the part of a section that is mapped: whole sectors, but
/// at most the section's size in memory. It is empty if PointerToRawData is zero.
fn file_range(section: &IMAGE_SECTION_HEADER, memory_size: u64) -> (u64, u64) {
    let (pointer, size) = (u64::from(section.PointerToRawData), u64::from(section.SizeOfRawData));
    if pointer == 0 {
        return (0, 0);
    }
    let start = pointer - pointer % SECTOR;
    let size = round_up(pointer % SECTOR + size, SECTOR).min(memory_size);
    (start, size)
}

/// Returns the part of `start..start + len` that is in the file.
fn range(bytes: &[u8], start: u64, len: u64) -> &[u8] {
    let rest = usize::try_from(start).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    usize::try_from(len).ok().and_then(|len| rest.get(..len)).unwrap_or(rest)
}

/// Returns the next multiple of a power of two.
fn round_up(size: u64, alignment: u64) -> u64 {
    size.checked_next_multiple_of(alignment).unwrap_or(u64::MAX)
}

fn clamp(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Returns a section's name, which is up to eight bytes, padded with NULs. A damaged file may
/// contain any bytes, so they are escaped.
fn name(section: &IMAGE_SECTION_HEADER) -> String {
    let len = section.Name.iter().position(|&byte| byte == 0);
    section.Name.iter().take(len.unwrap_or(8)).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}

fn bad_section(headers: &Headers, index: usize, what: String) -> ImageError {
    let at = headers.section_table.saturating_add(40 * index as u64);
    ImageError::BadHeader { what: what.into(), at }
}
