//! The load configuration, as far as it says where the loader looks for the
//! image's dependencies, and for which processes the image is.

use std::mem::{offset_of, size_of};

use object::pe::{ImageLoadConfigDirectory32, ImageLoadConfigDirectory64};

use super::Machine;
use super::section::{Section, Span, length};

/// What the load configuration of an ARM64EC or ARM64X image points to.
pub(super) struct Hybrid {
    /// The address of the metadata.
    pub metadata: u64,
    /// The number of the section that holds the dynamic value relocation table, and where in it.
    pub fixups: Option<(u16, u32)>,
}

/// Puts a load configuration. Of an ordinary image it ends where Control Flow Guard would begin: a
/// size that all versions of Windows know, with no field set but the flags.
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

/// The field that holds an address, and so needs a relocation.
pub(super) const CHPE_METADATA_POINTER: usize = offset_of!(ImageLoadConfigDirectory64, chpe_metadata_pointer);
