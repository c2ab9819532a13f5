//! ARM64EC and ARM64X images: metadata that the load configuration points to, and a dynamic value
//! relocation table that turns one view of the image into the other.

use std::mem::{offset_of, size_of};

use object::pe::{self, ImageDataDirectory, ImageFileHeader, ImageNtHeaders64, ImageOptionalHeader64};

use super::section::{Section, Span, length};

/// The offset of the PE header, after the DOS header and its stub.
pub(super) const NT_HEADERS: u32 = 0x80;

/// The length of `IMAGE_ARM64EC_METADATA`, in words.
const METADATA: usize = 26;

/// `IMAGE_DYNAMIC_RELOCATION_ARM64X`.
const ARM64X: u64 = 6;

/// `IMAGE_DVRT_ARM64X_FIXUP_TYPE_VALUE`, shifted to its bits in a record.
const VALUE: u16 = 1 << 12;

/// Appends metadata without code ranges. Returns their RVA.
pub(super) fn put_metadata(rdata: &mut Section) -> u32 {
    let mut words = [0_u32; METADATA];
    words[0] = 1; // the version
    rdata.align(8);
    rdata.put(&words.map(u32::to_le_bytes).concat())
}

/// Appends a table that changes the header's machine to x64 and replaces data directories. Returns
/// its RVA.
pub(super) fn put_fixups(rdata: &mut Section, directories: &[(usize, Span)]) -> u32 {
    let file_header = NT_HEADERS as usize + offset_of!(ImageNtHeaders64, file_header);
    let optional_header = NT_HEADERS as usize + offset_of!(ImageNtHeaders64, optional_header);
    let machine = file_header + offset_of!(ImageFileHeader, machine);
    let mut records = record(machine, &pe::IMAGE_FILE_MACHINE_AMD64.0.to_le_bytes());
    for (index, span) in directories {
        let directory =
            optional_header + size_of::<ImageOptionalHeader64>() + index * size_of::<ImageDataDirectory>();
        records.extend(record(directory, &span.rva.to_le_bytes()));
        records.extend(record(directory + 4, &span.size.to_le_bytes()));
    }
    records.resize(records.len().next_multiple_of(4), 0);
    // One block, for the page of the headers.
    let block = [words(&[0, 8 + length(&records)]), records].concat();
    let entry = [ARM64X.to_le_bytes().to_vec(), words(&[length(&block)]), block].concat();
    rdata.align(4);
    rdata.put(&[words(&[1, length(&entry)]), entry].concat())
}

/// Returns a record that overwrites bytes at an offset in the first page.
fn record(offset: usize, value: &[u8]) -> Vec<u8> {
    let offset = u16::try_from(offset).expect("headers are in the first page");
    let size = value.len().trailing_zeros() as u16;
    [&(offset | VALUE | size << 14).to_le_bytes(), value].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
