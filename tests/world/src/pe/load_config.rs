//! The load configuration, as far as it says where the loader looks for the
//! image's dependencies.

use std::mem::offset_of;

use object::pe::{ImageLoadConfigDirectory32, ImageLoadConfigDirectory64};

use super::Machine;
use super::section::{Section, Span, length};

/// Puts a load configuration that ends where Control Flow Guard would begin: a
/// size that all versions of Windows know, with no field set but the flags.
pub(super) fn put(rdata: &mut Section, machine: Machine, dependent_load_flags: u16) -> Span {
    let (size, flags) = match machine {
        Machine::X86 => (
            offset_of!(ImageLoadConfigDirectory32, guard_cf_check_function_pointer),
            offset_of!(ImageLoadConfigDirectory32, dependent_load_flags),
        ),
        Machine::X86_64 | Machine::Arm64 => (
            offset_of!(ImageLoadConfigDirectory64, guard_cf_check_function_pointer),
            offset_of!(ImageLoadConfigDirectory64, dependent_load_flags),
        ),
    };
    let mut config = vec![0; size];
    let len = length(&config);
    config[..4].copy_from_slice(&len.to_le_bytes());
    config[flags..][..2].copy_from_slice(&dependent_load_flags.to_le_bytes());
    rdata.align(8);
    let rva = rdata.put(&config);
    rdata.since(rva)
}
