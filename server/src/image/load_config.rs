//! The load configuration: the few of its fields that decide how the loader treats an image.
//!
//! Linkers have let this table grow for twenty years. How much of it an image has is said by the
//! table's own first field, not by the data directory, whose size old linkers froze at 64.

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
    /// Where the image wants its imports searched: `LOAD_LIBRARY_SEARCH_*` flags, as given to the
    /// linker by `/DEPENDENTLOADFLAG`. Zero, the usual search, if it says nothing.
    ///
    /// Windows heeds them from version 10, 1607, on; Wine does not.
    pub fn dependent_load_flags(&self) -> u16 {
        self.load_config(DEPENDENT_LOAD_FLAGS).map_or(0, u16::from_le_bytes)
    }

    /// Whether the image holds code for two processors: ARM64EC if its header says x64, perhaps ARM64X if
    /// it says ARM64, CHPE if x86. It then has metadata to tell the two apart.
    ///
    /// Wine's `get_image_params` judges by the same pointer.
    pub fn is_hybrid(&self) -> bool {
        let pointer = match self.is_pe32_plus() {
            true => self.load_config(CHPE_METADATA_POINTER).map_or(0, u64::from_le_bytes),
            false => self.load_config(CHPE_METADATA_POINTER).map_or(0, u32::from_le_bytes).into(),
        };
        pointer != 0
    }

    /// Where the dynamic value relocation table lies: at an offset in a section, which is counted from 1 (`winnt.h`:
    /// `DynamicValueRelocTableOffset`, `DynamicValueRelocTableSection`).
    pub(super) fn dynamic_relocations(&self) -> Option<u32> {
        let section = self.load_config(DYNAMIC_RELOCATIONS_SECTION).map(u16::from_le_bytes)?;
        let offset = self.load_config(DYNAMIC_RELOCATIONS_OFFSET).map(u32::from_le_bytes)?;
        let section = self.headers.sections.get(usize::from(section).checked_sub(1)?)?;
        section.VirtualAddress.checked_add(offset)
    }

    /// A field's bytes, if the image has a load configuration that reaches so far. A damaged one
    /// keeps no image from loading, so it is as good as none.
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
