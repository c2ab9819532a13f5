//! The load configuration: the flags of the search for the image's dependencies, and the
//! processes that the image is for.

use std::mem::{offset_of, size_of};

use object::pe::{ImageLoadConfigDirectory32, ImageLoadConfigDirectory64};

use super::Machine;
use super::section::{Section, Span, length};

/// The targets of the load configuration of an ARM64EC or ARM64X image.
pub(super) struct Hybrid {
    /// The address of the metadata.
    pub metadata: u64,
    /// The number of the section with the dynamic value relocation table, and its offset there.
    pub fixups: Option<(u16, u32)>,
}

/// Appends a load configuration. That of an ordinary image ends before the fields of Control Flow
/// Guard: a size that all versions of Windows accept, with only the flags set.
pub(super) fn put(rdata: &mut Section, machine: Machine, flags: u16, hybrid: Option<&Hybrid>) -> Span {
    let (size, flags_at) = match machine {
        Machine::X86 => (
            offset_of!(ImageLoadConfigDirectory32, guard_cf_check_function_pointer),
            offset_of!(ImageLoadConfigDirectory32, dependent_load_flags),
        ),
        _ => (
            offset_of!(ImageLoadConfigDirectory64, guard_cf_check_function_pointer),
            offset_of!(ImageLoadConfigDirectory64, dependent_load_flags),
        ),
    };
    let size = if hybrid.is_some() { size_of::<ImageLoadConfigDirectory64>() } else { size };
    let mut config = vec![0; size];
    let len = length(&config);
    let mut fill = |at: usize, bytes: &[u8]| config[at..][..bytes.len()].copy_from_slice(bytes);
    fill(0, &len.to_le_bytes());
    fill(flags_at, &flags.to_le_bytes());
    if let Some(Hybrid { metadata, fixups }) = hybrid {
        fill(CHPE_METADATA_POINTER, &metadata.to_le_bytes());
        if let Some((section, offset)) = fixups {
            fill(
                offset_of!(ImageLoadConfigDirectory64, dynamic_value_reloc_table_offset),
                &offset.to_le_bytes(),
            );
            fill(
                offset_of!(ImageLoadConfigDirectory64, dynamic_value_reloc_table_section),
                &section.to_le_bytes(),
            );
        }
    }
    rdata.align(8);
    let rva = rdata.put(&config);
    rdata.since(rva)
}

/// The field with an address, which needs a relocation.
pub(super) const CHPE_METADATA_POINTER: usize = offset_of!(ImageLoadConfigDirectory64, chpe_metadata_pointer);
