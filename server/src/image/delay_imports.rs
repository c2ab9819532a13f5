//! The delay-load import table: the DLLs that an image loads when it first calls them.
//!
//! The Windows loader ignores this table; code that the linker adds to the image reads it. pelite
//! doesn't read it.

use pelite::image::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT;

use super::{
    Image, ImageError, ImportedDll, TableDefect,
    error::bad_table,
    imports::{MAX_DLL_NAME, MAX_IMPORTS, entry},
};

/// The bit of a descriptor's attributes for addresses that are RVAs (`dlattrRva` in MSVC's
/// `delayimp.h`). Visual C++ 6 wrote virtual addresses, and didn't set the bit.
const ADDRESSES_ARE_RVAS: u32 = 1;

impl Image<'_> {
    /// Returns the DLLs that the image loads on first use, in the order of the table.
    /// [`Image::symbols`] returns their symbols.
    ///
    /// # Errors
    ///
    /// The same as of [`Image::imports`].
    pub fn delay_imports(&self) -> Result<Vec<ImportedDll>, ImageError> {
        const WHAT: &str = "the delay-load import table";
        let Some(table) = self.headers.directory(IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT) else {
            return Ok(Vec::new());
        };
        let mut imports = Vec::new();
        for index in 0..=MAX_IMPORTS {
            let at = entry(table.rva, index, 32, WHAT)?;
            let [attributes, dll, _module, _addresses, names, ..] = self.memory.words::<8>(at, WHAT)?;
            if dll == 0 {
                return Ok(imports);
            }
            let base = match attributes & ADDRESSES_ARE_RVAS {
                0 => self.headers.image_base,
                _ => 0,
            };
            let rva = |address: u32| {
                u64::from(address)
                    .checked_sub(base)
                    .and_then(|rva| u32::try_from(rva).ok())
                    .ok_or_else(|| bad_table(WHAT, at, TableDefect::Malformed))
            };
            imports.push(ImportedDll {
                dll: self.memory.string(rva(dll)?, MAX_DLL_NAME, "the name of a delay-loaded DLL")?,
                // Unlike in an import, the address table isn't a substitute: it refers to code.
                thunks: if names != 0 { rva(names)? } else { 0 },
                addresses: 0,
                thunk_base: base,
            });
        }
        Err(ImageError::TooMany { what: "delay-loaded DLLs".into(), limit: MAX_IMPORTS.into() })
    }
}
