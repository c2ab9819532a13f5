//! The image's memory: where the mapper would put the file's bytes, without putting them there.
//!
//! The rules are those of Wine's `map_image_into_view` (`dlls/ntdll/unix/virtual.c`), with the
//! checks of ReactOS' `PeFmtCreateSection` that Wine, more lenient than Windows, leaves out.

use pelite::image::IMAGE_SECTION_HEADER;

use super::{ImageError, Problem, error::bad_table, headers::Headers};

/// What reading at an RVA finds, once the image is loaded.
#[derive(Clone, Debug)]
pub(super) struct Memory<'a> {
    file: &'a [u8],
    /// The headers and the sections, by ascending address, without gaps.
    regions: Vec<Region<'a>>,
}

/// A run of memory: bytes of the file first, then zeros.
#[derive(Clone, Copy, Debug)]
struct Region<'a> {
    rva: u32,
    /// Bytes of memory, at least `stored.len()`.
    size: u32,
    /// Where in the file the bytes begin.
    start: usize,
    stored: &'a [u8],
}

/// A page of memory on every machine Windows runs on.
const PAGE: u32 = 0x1000;

/// The mapper counts a file in sectors, whatever its FileAlignment.
const SECTOR: u64 = 0x200;

impl<'a> Memory<'a> {
    /// Lays out a file as the mapper would. Looks at no byte of it.
    pub fn lay_out(bytes: &'a [u8], headers: &Headers) -> Result<Memory<'a>, ImageError> {
        let (sections, files) = (headers.section_alignment, headers.file_alignment);
        // ReactOS: both are powers of two, and sections are no finer than the file, unless the
        // two are equal.
        if !sections.is_power_of_two() || !files.is_power_of_two() || sections < files {
            return Err(ImageError::BadHeader {
                what: format!("sections are aligned to {sections:#x} in memory, {files:#x} in the file")
                    .into(),
                at: headers.optional_header.saturating_add(32),
            });
        }
        if sections < PAGE { Memory::flat(bytes, headers) } else { Memory::paged(bytes, headers) }
    }

    /// An image whose sections are not page-aligned (drivers, mostly) is mapped as it is in the
    /// file, and must be laid out in the file as in memory.
    fn flat(bytes: &'a [u8], headers: &Headers) -> Result<Memory<'a>, ImageError> {
        if headers.section_alignment != headers.file_alignment {
            return Err(ImageError::BadHeader {
                what: "sections are aligned to less than a page, but not as in the file".into(),
                at: headers.optional_header.saturating_add(32),
            });
        }
        for (index, section) in headers.sections.iter().enumerate() {
            if section.VirtualAddress != section.PointerToRawData {
                let what = format!("section {} is elsewhere in memory than in the file", name(section));
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
            // ReactOS: no gaps, no overlaps, ascending. Wine is content with less.
            if u64::from(section.VirtualAddress) != end {
                return Err(bad("does not follow what is before it in memory"));
            }
            end = end.saturating_add(memory_size);
            if end > size_of_image {
                return Err(bad("reaches beyond SizeOfImage"));
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

    /// The whole file that is mapped.
    pub fn file(&self) -> &'a [u8] {
        self.file
    }

    /// Where in the file the `len` bytes at an RVA are stored.
    pub fn file_range(&self, rva: u32, len: usize) -> Option<std::ops::Range<usize>> {
        let next = self.regions.partition_point(|region| region.rva <= rva);
        let region = self.regions.get(next.checked_sub(1)?)?;
        let offset = rva.checked_sub(region.rva)? as usize;
        let start = region.start.checked_add(offset)?;
        (offset.checked_add(len)? <= region.stored.len()).then(|| start..start + len)
    }

    /// The 32-bit words at an RVA; a fixed-size table entry is best read as an array of them.
    pub fn words<const N: usize>(&self, rva: u32, what: &'static str) -> Result<[u32; N], ImageError> {
        let (whole, rest) = self.here(rva, 4 * N, what)?.stored.as_chunks();
        let last = padded(rest);
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(whole.iter().chain([&last])) {
            *word = u32::from_le_bytes(*bytes);
        }
        Ok(words)
    }

    /// The `N` bytes at an RVA.
    pub fn bytes<const N: usize>(&self, rva: u32, what: &'static str) -> Result<[u8; N], ImageError> {
        let stored = self.here(rva, N, what)?.stored;
        Ok(stored.first_chunk().copied().unwrap_or_else(|| padded(stored)))
    }

    /// The `len` bytes at an RVA, all of which the file must store.
    pub fn slice(&self, rva: u32, len: u32, what: &'static str) -> Result<&'a [u8], ImageError> {
        let here = self.here(rva, len as usize, what)?;
        here.stored.get(..len as usize).ok_or_else(|| bad_table(what, rva, Problem::OutsideImage))
    }

    /// The bytes that the file stores from an RVA on, at most `limit` of them.
    pub fn stored(&self, rva: u32, limit: usize, what: &'static str) -> Result<&'a [u8], ImageError> {
        let stored = self.here(rva, 1, what)?.stored;
        Ok(stored.get(..limit).unwrap_or(stored))
    }

    /// The bytes at an RVA before the next NUL, but at most `limit` of them.
    pub fn until_nul(&self, rva: u32, limit: usize, what: &'static str) -> Result<&'a [u8], ImageError> {
        let here = self.here(rva, 1, what)?;
        let window = here.stored.get(..limit).unwrap_or(here.stored);
        match memchr::memchr(0, window) {
            Some(nul) => Ok(window.get(..nul).unwrap_or(window)),
            None if window.len() == limit || window.len() < here.room => Ok(window),
            None => Err(bad_table(what, rva, Problem::OutsideImage)),
        }
    }

    /// The fewer than `limit` bytes up to a NUL at an RVA.
    pub fn terminated(&self, rva: u32, limit: usize, what: &'static str) -> Result<&'a [u8], ImageError> {
        match self.until_nul(rva, limit, what)? {
            bytes if bytes.len() < limit => Ok(bytes),
            _ => Err(bad_table(what, rva, Problem::Unterminated)),
        }
    }

    /// The NUL-terminated string of fewer than `limit` bytes at an RVA. Names are ASCII in
    /// practice; what is not UTF-8 is replaced.
    pub fn string(&self, rva: u32, limit: usize, what: &'static str) -> Result<String, ImageError> {
        Ok(String::from_utf8_lossy(self.terminated(rva, limit, what)?).into_owned())
    }

    /// The memory at an RVA, if there are `len` bytes of it before the next region.
    fn here(&self, rva: u32, len: usize, what: &'static str) -> Result<Here<'a>, ImageError> {
        let next = self.regions.partition_point(|region| region.rva <= rva);
        next.checked_sub(1)
            .and_then(|index| self.regions.get(index))
            .and_then(|region| {
                let offset = rva.checked_sub(region.rva)?;
                let room = region.size.checked_sub(offset)? as usize;
                let stored = region.stored.get(offset as usize..).unwrap_or_default();
                (room >= len.max(1)).then_some(Here { stored, room })
            })
            .ok_or_else(|| bad_table(what, rva, Problem::OutsideImage))
    }
}

/// What follows an RVA, up to the end of its region.
struct Here<'a> {
    stored: &'a [u8],
    /// Bytes of memory, stored or zero.
    room: usize,
}

/// What the file does not store of a region is zero.
fn padded<const N: usize>(stored: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(stored).for_each(|(byte, stored)| *byte = *stored);
    bytes
}

/// The mapper reads whole sectors, and takes no notice if the file lacks a part of its last one:
/// Wine's `map_image_into_view` compares the section's end with the file's size rounded up.
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

/// The file offset and length of what is mapped of a section: whole sectors, and no more than
/// fits its memory. Nothing at all, if PointerToRawData is zero.
fn file_range(section: &IMAGE_SECTION_HEADER, memory_size: u64) -> (u64, u64) {
    let (pointer, size) = (u64::from(section.PointerToRawData), u64::from(section.SizeOfRawData));
    if pointer == 0 {
        return (0, 0);
    }
    let start = pointer - pointer % SECTOR;
    let size = round_up(pointer % SECTOR + size, SECTOR).min(memory_size);
    (start, size)
}

/// The part of `start..start + len` that the file has.
fn range(bytes: &[u8], start: u64, len: u64) -> &[u8] {
    let rest = usize::try_from(start).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    usize::try_from(len).ok().and_then(|len| rest.get(..len)).unwrap_or(rest)
}

/// The next multiple of a power of two.
fn round_up(size: u64, alignment: u64) -> u64 {
    size.checked_next_multiple_of(alignment).unwrap_or(u64::MAX)
}

fn clamp(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// A section's name: eight bytes, padded with NULs. In a damaged file, any bytes.
fn name(section: &IMAGE_SECTION_HEADER) -> String {
    let len = section.Name.iter().position(|&byte| byte == 0);
    section.Name.iter().take(len.unwrap_or(8)).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}

fn bad_section(headers: &Headers, index: usize, what: String) -> ImageError {
    let at = headers.section_table.saturating_add(40 * index as u64);
    ImageError::BadHeader { what: what.into(), at }
}
