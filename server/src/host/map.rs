//! Memory-maps a PE file for as long as it takes to read its facts.
//!
//! The map is dropped at once: on Windows an image that is mapped cannot be replaced, and pip must never
//! fail because we looked.

use std::fs::File;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};

use super::files::{FileError, ImageFacts, ImageFault};
use crate::image::{Image, ImageError};

/// Reads what the loader needs to know; touches only the pages of headers, import tables and version.
#[allow(unsafe_code)]
pub fn image_facts(native: &Path) -> Result<ImageFacts, ImageFault> {
    let file = File::open(native).map_err(FileError::from)?;
    let size = file.metadata().map_err(FileError::from)?.len();
    if size == 0 {
        return Err(ImageError::Empty.into());
    }
    // SAFETY: the map is private and read once. Another process that truncates the file meanwhile would
    // raise a fault; installers replace images rather than shorten them, as Windows enforces.
    let map: Mmap = unsafe { MmapOptions::new().map(&file) }.map_err(FileError::from)?;
    #[cfg(unix)]
    let _ = map.advise(memmap2::Advice::Random);
    let image = Image::parse(&map)?;
    let names = |imports: Vec<crate::image::Import>| imports.into_iter().map(|i| i.dll).collect();
    Ok(ImageFacts {
        machine: image.machine(),
        imports: names(image.imports()?),
        delay_imports: image.delay_imports().map(names).unwrap_or_default(),
        version: image.version().unwrap_or_default(),
        linker: image.linker_version(),
        subsystem_version: image.subsystem_version(),
        size,
    })
}
