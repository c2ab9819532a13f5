//! The delay-load import table: DLLs an image loads when it first calls them, not before.
//!
//! Windows' loader ignores this table; code that the linker puts into the image reads it. pelite
//! has no reader for it.

use pelite::image::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT;

use super::{
    Image, ImageError, Import, Problem,
    error::bad_table,
    imports::{MAX_DLL_NAME, MAX_IMPORTS, entry},
};

/// The bit of a descriptor's attributes that says its addresses are RVAs (`dlattrRva` in MSVC's
/// `delayimp.h`). Visual C++ 6 wrote descriptors of virtual addresses, without it.
const ADDRESSES_ARE_RVAS: u32 = 1;

impl Image<'_> {
    /// The DLLs the image loads on first use, in the order of the table. Their symbols are read
    /// by [`Image::symbols`], like others.
    ///
    /// # Errors
    ///
    /// As of [`Image::imports`].
    pub fn delay_imports(&self) -> Result<Vec<Import>, ImageError> {
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
                    .ok_or_else(|| bad_table(WHAT, at, Problem::Malformed))
            };
            imports.push(Import {
                dll: self.memory.string(rva(dll)?, MAX_DLL_NAME, "the name of a delay-loaded DLL")?,
                // The address table is no substitute, as it is of an import: it points at code.
                thunks: if names != 0 { rva(names)? } else { 0 },
                addresses: 0,
                thunk_base: base,
            });
        }
        Err(ImageError::TooMany { what: "delay-loaded DLLs".into(), limit: MAX_IMPORTS.into() })
    }
}
