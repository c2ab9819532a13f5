//! Memory-maps a PE file for as long as it takes to read its facts.
//!
//! The map is dropped at once: on Windows an image that is mapped cannot be replaced, and pip must never
//! fail because we looked.

use std::fs::File;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};

use super::files::{FileError, ImageFacts, ImageFault};
use crate::image::{Binding, Export, Image, ImageError, Symbol};

/// A map of a whole file, of which only the pages that are looked at are read.
pub struct Mapped(Mmap);

impl Mapped {
    /// Maps a file that is not empty.
    #[allow(unsafe_code)]
    pub fn of(native: &Path) -> Result<Mapped, ImageFault> {
        let file = File::open(native).map_err(FileError::from)?;
        if file.metadata().map_err(FileError::from)?.len() == 0 {
            return Err(ImageError::Empty.into());
        }
        // SAFETY: the map is private and read once. Another process that truncates the file meanwhile would
        // raise a fault; installers replace images rather than shorten them, as Windows enforces.
        let map = unsafe { MmapOptions::new().map(&file) }.map_err(FileError::from)?;
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::Random);
        Ok(Mapped(map))
    }

    /// The image in it.
    pub fn image(&self) -> Result<Image<'_>, ImageError> {
        Image::parse(&self.0)
    }
}

/// Reads what the loader needs to know; touches only the pages of headers, import tables and resources.
pub fn image_facts(native: &Path) -> Result<ImageFacts, ImageFault> {
    let map = Mapped::of(native)?;
    let image = map.image()?;
    let mut imports = image.imports()?;
    // A list of symbols that cannot be read is left to whoever binds it.
    imports.retain(|import| image.asks_for_something(import).unwrap_or(true));
    let names = |imports: Vec<crate::image::Import>| imports.into_iter().map(|i| i.dll).collect();
    Ok(ImageFacts {
        machine: image.machine(),
        is_dll: image.is_dll(),
        imports: names(imports),
        delay_imports: image.delay_imports().map(names).unwrap_or_default(),
        version: image.version().unwrap_or_default(),
        linker: image.linker_version(),
        subsystem_version: image.subsystem_version(),
        dependent_load_flags: image.dependent_load_flags(),
        manifests: image.manifests().unwrap_or_default(),
        any_cpu: image.is_any_cpu(),
        size: map.0.len() as u64,
    })
}

/// What one image imports under the name `dll`, held against the exports of another.
pub fn binding(importer: &Path, dll: &str, exporter: &Path) -> Result<Binding, ImageFault> {
    let (importer, exporter) = (Mapped::of(importer)?, Mapped::of(exporter)?);
    Ok(Binding::between(&importer.image()?, dll, &exporter.image()?)?)
}

/// What an image exports under a name or an ordinal. Of a DLL that Wine made nothing is known.
pub fn export(native: &Path, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
    let map = Mapped::of(native)?;
    let image = map.image()?;
    let found = image.export(symbol)?;
    Ok(found.or_else(|| image.is_of_wine().then_some(Export::Address(0))))
}
