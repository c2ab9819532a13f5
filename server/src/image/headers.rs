//! The headers: their fields, and the checks before anything is mapped.
//!
//! [`pelite`] reads them. Its errors don't say where a file is wrong, so [`Prologue::check`] checks
//! everything first.

use pelite::{Wrap, image as pe, pe32, pe64};

use super::{ImageError, LooksLike};

/// The fields of the headers, copied out of the file and named as in "PE Format".
#[derive(Clone, Debug)]
pub(super) struct Headers {
    pub machine: u16,
    pub characteristics: u16,
    pub time_date_stamp: u32,
    pub pe32_plus: bool,
    pub linker_version: (u8, u8),
    pub subsystem: u16,
    pub subsystem_version: (u16, u16),
    /// The address at which the image prefers to be loaded.
    pub image_base: u64,
    /// The RVA of the entry point; 0 if the image has none.
    pub entry_point: u32,
    pub size_of_image: u32,
    pub size_of_headers: u32,
    pub section_alignment: u32,
    pub file_alignment: u32,
    pub sections: Vec<pe::IMAGE_SECTION_HEADER>,
    /// The file offset of the section table.
    pub section_table: u64,
    /// The file offset of the optional header.
    pub optional_header: u64,
    directories: Vec<Directory>,
}

/// The place of a data directory's table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directory {
    pub rva: u32,
    pub size: u32,
}

impl Headers {
    /// Reads and checks the headers of a file.
    pub fn read(bytes: &[u8]) -> Result<Headers, ImageError> {
        let prologue = Prologue::check(bytes)?;
        let mut copy = Vec::new();
        let aligned = prologue.align(bytes, &mut copy);
        let opened = match prologue.magic {
            pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC => pe32::PeFile::from_bytes(aligned).map(Wrap::T32),
            _ => pe64::PeFile::from_bytes(aligned).map(Wrap::T64),
        };
        let file: pelite::PeFile<'_> = opened.map_err(|error| ImageError::BadHeader {
            what: error.to_string().into(),
            at: prologue.nt_headers,
        })?;

        // The two layouts differ in the width of some fields and agree in their names.
        macro_rules! headers {
            ($optional:expr) => {
                Headers {
                    machine: file.file_header().Machine,
                    characteristics: file.file_header().Characteristics,
                    time_date_stamp: file.file_header().TimeDateStamp,
                    pe32_plus: prologue.magic == pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC,
                    linker_version: ($optional.LinkerVersion.Major, $optional.LinkerVersion.Minor),
                    subsystem: $optional.Subsystem,
                    subsystem_version: ($optional.SubsystemVersion.Major, $optional.SubsystemVersion.Minor),
                    image_base: $optional.ImageBase.into(),
                    entry_point: $optional.AddressOfEntryPoint,
                    size_of_image: $optional.SizeOfImage,
                    size_of_headers: $optional.SizeOfHeaders,
                    section_alignment: $optional.SectionAlignment,
                    file_alignment: $optional.FileAlignment,
                    sections: file.section_headers().image().to_vec(),
                    section_table: prologue.section_table,
                    optional_header: prologue.optional_header,
                    directories: file
                        .data_directory()
                        .iter()
                        .map(|entry| Directory { rva: entry.VirtualAddress, size: entry.Size })
                        .collect(),
                }
            };
        }
        Ok(match file.optional_header() {
            Wrap::T32(optional) => headers!(optional),
            Wrap::T64(optional) => headers!(optional),
        })
    }

    /// Returns a data directory's table, if the image has one. Like Windows, this only considers
    /// the address, since the sizes that linkers write are not always right.
    pub fn directory(&self, index: usize) -> Option<Directory> {
        self.directories.get(index).copied().filter(|directory| directory.rva != 0)
    }
}

/// The maximum offset and size of the headers in bytes. pelite has the same limit.
const MAX_HEADERS: u64 = 16 << 20;

/// The maximum number of sections of an image that Windows maps ("PE Format", "Section Table").
const MAX_SECTIONS: u16 = 96;

/// The offsets that the headers specify for the other headers.
struct Prologue {
    /// The file offset of `PE\0\0`.
    nt_headers: u64,
    optional_header: u64,
    /// Distinguishes PE32 from PE32+.
    magic: u16,
    section_table: u64,
    /// The file offset of the end of the last header.
    end: u64,
}

impl Prologue {
    /// Checks that all headers are in the file and consistent, in the order of Wine's
    /// `get_image_params`.
    fn check(bytes: &[u8]) -> Result<Prologue, ImageError> {
        let len = bytes.len() as u64;
        let reaches = |what: &'static str, needs: u64| match needs <= len {
            true => Ok(()),
            false => Err(ImageError::Truncated { what: what.into(), needs, len }),
        };
        let bad = |what: &'static str, at: u64| Err(ImageError::BadHeader { what: what.into(), at });

        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        if !bytes.starts_with(b"MZ") {
            return Err(ImageError::NotPe {
                looks_like: LooksLike::of(bytes),
                first_bytes: bytes.iter().take(16).copied().collect(),
            });
        }
        reaches("the MS-DOS header", 0x40)?;
        let nt_headers = u64::from(u32_at(bytes, 0x3c));
        if nt_headers > MAX_HEADERS {
            // An MS-DOS program has other data in place of `e_lfanew`.
            return Err(ImageError::NoPeHeader { at: nt_headers, found: Vec::new() });
        }
        reaches("the PE header", nt_headers + 24)?;
        let signature = u32_at(bytes, nt_headers).to_le_bytes();
        if signature != *b"PE\0\0" {
            return Err(ImageError::NoPeHeader { at: nt_headers, found: signature.to_vec() });
        }
        if !nt_headers.is_multiple_of(4) {
            return bad("the PE header is not at a multiple of 4", 0x3c);
        }
        let section_count = u16_at(bytes, nt_headers + 6);
        if section_count > MAX_SECTIONS {
            return Err(ImageError::TooMany { what: "sections".into(), limit: MAX_SECTIONS.into() });
        }
        let size_of_optional_header = u16_at(bytes, nt_headers + 20);
        if !size_of_optional_header.is_multiple_of(4) {
            // No linker does this, and pelite would read misaligned section headers.
            return bad("the size of the optional header is not a multiple of 4", nt_headers + 20);
        }

        let optional_header = nt_headers + 24;
        reaches("the optional header", optional_header + 2)?;
        let magic = u16_at(bytes, optional_header);
        let fixed_part = match magic {
            pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC => 96,
            pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC => 112,
            _ => {
                return bad("the optional header is neither PE32 nor PE32+", optional_header);
            }
        };
        reaches("the optional header", optional_header + fixed_part)?;
        let directories = u32_at(bytes, optional_header + fixed_part - 4).min(16);
        let directories_end = optional_header + fixed_part + 8 * u64::from(directories);
        reaches("the data directories", directories_end)?;
        // Like Windows, use SizeOfOptionalHeader instead of the end of the directories.
        let section_table = optional_header + u64::from(size_of_optional_header);
        let section_table_end = section_table + 40 * u64::from(section_count);
        reaches("the section table", section_table_end)?;

        let size_of_image = u32_at(bytes, optional_header + 56);
        let size_of_headers = u32_at(bytes, optional_header + 60);
        if size_of_headers > size_of_image {
            return bad("SizeOfHeaders is more than SizeOfImage", optional_header + 60);
        }
        if u64::from(size_of_headers) > MAX_HEADERS {
            return bad("SizeOfHeaders is more than 16 MiB", optional_header + 60);
        }
        // pelite requires this. Wine doesn't, but such a file lacks its sections as well.
        reaches("the headers", size_of_headers.into())?;

        let end = directories_end.max(section_table_end).max(size_of_headers.into());
        Ok(Prologue { nt_headers, optional_header, magic, section_table, end })
    }

    /// Returns the file, aligned so that pelite can refer to the headers in place: it requires the
    /// PE header at a multiple of 8 in memory. A memory map of a linker's output is already
    /// aligned. For any other slice, the headers are copied into `copy` at a suitable offset.
    fn align<'b>(&self, bytes: &'b [u8], copy: &'b mut Vec<u8>) -> &'b [u8] {
        let headers = bytes.get(..self.end as usize).unwrap_or(bytes);
        let shift = self.nt_headers as usize % 8;
        let off_by = |slice: &[u8]| slice.as_ptr().addr().wrapping_add(shift) % 8;
        if off_by(bytes) == 0 {
            return bytes;
        }
        copy.reserve_exact(headers.len() + 8);
        let start = (8 - off_by(copy)) % 8;
        copy.resize(start, 0);
        copy.extend_from_slice(headers);
        copy.get(start..).unwrap_or(headers)
    }
}

/// Returns the 16-bit field at a file offset, or zero if it is outside the file.
fn u16_at(bytes: &[u8], at: u64) -> u16 {
    field(bytes, at).map_or(0, u16::from_le_bytes)
}

/// Returns the 32-bit field at a file offset, or zero if it is outside the file.
fn u32_at(bytes: &[u8], at: u64) -> u32 {
    field(bytes, at).map_or(0, u32::from_le_bytes)
}

fn field<const N: usize>(bytes: &[u8], at: u64) -> Option<[u8; N]> {
    bytes.get(usize::try_from(at).ok()?..)?.first_chunk().copied()
}
