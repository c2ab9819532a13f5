//! The load configuration: those of its fields that affect how the loader treats an image.
//!
//! The table has grown for twenty years. Its size is in its own first field; the size in the data
//! directory is always 64 with old linkers.

use pelite::image::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG;

use super::Image;

/// The offset of a field in `IMAGE_LOAD_CONFIG_DIRECTORY32`, and in `...64`, from `winnt.h`.
struct Field {
    pe32: u32,
    pe32_plus: u32,
}

const DEPENDENT_LOAD_FLAGS: Field = Field { pe32: 54, pe32_plus: 78 };
const CHPE_METADATA_POINTER: Field = Field { pe32: 124, pe32_plus: 200 };
const DYNAMIC_RELOCATIONS_OFFSET: Field = Field { pe32: 136, pe32_plus: 224 };
const DYNAMIC_RELOCATIONS_SECTION: Field = Field { pe32: 140, pe32_plus: 228 };

impl Image<'_> {
    /// Returns the flags for the search for the image's imports: `LOAD_LIBRARY_SEARCH_*`, from the
    /// linker option `/DEPENDENTLOADFLAG`. Zero means the standard search, and is the default.
    ///
    /// Windows supports them since version 10, 1607; Wine doesn't.
    pub fn dependent_load_flags(&self) -> u16 {
        self.load_config(DEPENDENT_LOAD_FLAGS).map_or(0, u16::from_le_bytes)
    }

    /// Whether the image contains code for two processors, and metadata that distinguishes the two.
    /// An image with an x64 header is then ARM64EC, one with an ARM64 header possibly ARM64X, and
    /// one with an x86 header CHPE.
    ///
    /// Wine's `get_image_params` uses the same pointer.
    pub fn is_hybrid(&self) -> bool {
        let pointer = match self.is_pe32_plus() {
            true => self.load_config(CHPE_METADATA_POINTER).map_or(0, u64::from_le_bytes),
            false => self.load_config(CHPE_METADATA_POINTER).map_or(0, u32::from_le_bytes).into(),
        };
        pointer != 0
    }

    /// Returns the RVA of the dynamic value relocation table. The load configuration specifies a
    /// section, counted from 1, and an offset in it (`winnt.h`: `DynamicValueRelocTableSection`,
    /// `DynamicValueRelocTableOffset`).
    pub(super) fn dynamic_relocations(&self) -> Option<u32> {
        let section = self.load_config(DYNAMIC_RELOCATIONS_SECTION).map(u16::from_le_bytes)?;
        let offset = self.load_config(DYNAMIC_RELOCATIONS_OFFSET).map(u32::from_le_bytes)?;
        let section = self.headers.sections.get(usize::from(section).checked_sub(1)?)?;
        section.VirtualAddress.checked_add(offset)
    }

    /// Returns a field's bytes, if the image has a load configuration that includes the field. An
    /// image with a damaged load configuration can be loaded, so a damaged one is ignored.
    fn load_config<const N: usize>(&self, field: Field) -> Option<[u8; N]> {
        const WHAT: &str = "the load configuration";
        let table = self.headers.directory(IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)?.rva;
        let [size] = self.memory.words(table, WHAT).ok()?;
        let offset = if self.is_pe32_plus() { field.pe32_plus } else { field.pe32 };
        if offset + N as u32 > size {
            return None;
        }
        self.memory.bytes(table.checked_add(offset)?, WHAT).ok()
    }
}
