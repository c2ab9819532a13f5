//! Maps a PE file into memory only while its facts are read.
//!
//! On Windows a mapped image cannot be replaced, and pip must never fail because of WhyDLL.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};

use super::api_sets::ApiSets;
use super::files::{DllNames, FileError, ImageFacts, ImageFault, MAX_SEARCHED_BYTES};
use crate::image::{Binding, Export, Image, ImageError, Machine, Symbol};

/// A memory map of a whole file. Only the pages that are accessed are read.
pub struct Mapped(Mmap);

impl Mapped {
    /// Maps a file that isn't empty.
    pub fn of(native: &Path) -> Result<Mapped, ImageFault> {
        let file = open(native).map_err(FileError::from)?;
        if file.metadata().map_err(FileError::from)?.len() == 0 {
            return Err(ImageError::Empty.into());
        }
        let map = Mapped::whole(&file)?;
        #[cfg(unix)]
        let _ = map.0.advise(memmap2::Advice::Random);
        Ok(map)
    }

    #[allow(unsafe_code)]
    fn whole(file: &File) -> Result<Mapped, FileError> {
        // SAFETY: the map is private and read once. Another process that truncates the file meanwhile would
        // raise a fault; installers replace images rather than shorten them, as Windows enforces.
        Ok(Mapped(unsafe { MmapOptions::new().map(file) }?))
    }

    /// Parses the mapped image.
    pub fn image(&self) -> Result<Image<'_>, ImageError> {
        Image::parse(&self.0)
    }
}

/// Opens an image as the loader does. A user who may read but not execute it cannot load it
/// (Microsoft, "File Security and Access Rights"; `open_dll_file` in Wine's `dlls/ntdll/loader.c`).
#[cfg(windows)]
pub fn open(native: &Path) -> std::io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Foundation::{GENERIC_EXECUTE, GENERIC_READ};
    File::options().access_mode(GENERIC_READ | GENERIC_EXECUTE).open(native)
}

/// Opens an image for reading only, because it isn't executed on this system.
#[cfg(not(windows))]
pub fn open(native: &Path) -> std::io::Result<File> {
    File::open(native)
}

/// Reads the facts that the loader needs. Only the pages with headers, import tables, and resources
/// are accessed.
pub fn image_facts(native: &Path) -> Result<ImageFacts, ImageFault> {
    let map = Mapped::of(native)?;
    let image = map.image()?;
    let DllNames { imports, delay_imports } = dll_names(&image)?;
    let for_x64 = match image.seen_by_x64() {
        Some(view) => Some(dll_names(&Image::parse(&view)?)?),
        None => None,
    };
    Ok(ImageFacts {
        machine: image.machine(),
        is_dll: image.is_dll(),
        imports,
        delay_imports,
        for_x64,
        version: image.version().unwrap_or_default(),
        linker: image.linker_version(),
        time_stamp: image.time_date_stamp(),
        subsystem_version: image.subsystem_version(),
        dependent_load_flags: image.dependent_load_flags(),
        manifests: image.manifests().unwrap_or_default(),
        any_cpu: image.is_any_cpu(),
        module_imports: image.module_imports().unwrap_or_default(),
        starts: image.trampoline_target(&map.0).unwrap_or_default(),
        size: map.0.len() as u64,
    })
}

/// Returns the machine for which a file is built if it is an image.
pub fn machine(native: &Path) -> Option<Machine> {
    let map = native.is_file().then(|| Mapped::of(native))?.ok()?;
    map.image().ok().map(|image| image.machine())
}

fn dll_names(image: &Image<'_>) -> Result<DllNames, ImageError> {
    let mut imports = image.imports()?;
    // An unreadable list of symbols is left to the code that binds it.
    imports.retain(|import| image.asks_for_something(import).unwrap_or(true));
    let names = |imports: Vec<crate::image::Import>| imports.into_iter().map(|i| i.dll).collect();
    let delay_imports = image.delay_imports().map(names).unwrap_or_default();
    Ok(DllNames { imports: names(imports), delay_imports })
}

/// Matches what one image imports from `dll` with the exports of another. An ARM64X image is seen
/// as the process of the other image would see it. If both are ARM64X, only symbols that are
/// missing in both kinds of process count as missing.
pub fn binding(importer: &Path, dll: &str, exporter: &Path) -> Result<Binding, ImageFault> {
    let (importer, exporter) = (Mapped::of(importer)?, Mapped::of(exporter)?);
    let (importer, exporter) = (importer.image()?, exporter.image()?);
    let views = (importer.seen_by_x64(), exporter.seen_by_x64());
    let (importing, exporting) = (parsed(&views.0)?, parsed(&views.1)?);
    let native = || Binding::between(&importer, dll, &exporter);
    let emulated = || {
        Binding::between(
            importing.as_ref().unwrap_or(&importer),
            dll,
            exporting.as_ref().unwrap_or(&exporter),
        )
    };
    Ok(match (&importing, &exporting) {
        (Some(_), Some(_)) => native()?.in_common(&emulated()?),
        (Some(_), None) if exporter.machine() != Machine::Arm64 => emulated()?,
        (None, Some(_)) if importer.machine() != Machine::Arm64 => emulated()?,
        _ => native()?,
    })
}

fn parsed(view: &Option<Vec<u8>>) -> Result<Option<Image<'_>>, ImageError> {
    view.as_deref().map(Image::parse).transpose()
}

/// Returns the export of an image with a name or an ordinal, in any kind of process for an ARM64X
/// image. DLLs made by Wine are assumed to export everything, because nothing is known about them.
pub fn export(native: &Path, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
    let map = Mapped::of(native)?;
    let image = map.image()?;
    let found = match (image.export(symbol)?, image.seen_by_x64()) {
        (None, Some(view)) => Image::parse(&view)?.export(symbol)?,
        (found, _) => found,
    };
    Ok(found.or_else(|| image.is_of_wine().then_some(Export::Address(0))))
}

/// Returns the instruction sets that an image needs to start.
pub fn instructions(native: &Path) -> Result<BTreeSet<String>, ImageFault> {
    Ok(Mapped::of(native)?.image()?.instructions_at_start()?)
}

/// Reads the API set schema from `apisetschema.dll`, if its format is known.
pub fn api_sets(native: &Path) -> Result<Option<ApiSets>, ImageFault> {
    let map = Mapped::of(native)?;
    Ok(map.image()?.section(".apiset")?.and_then(ApiSets::from_schema))
}

/// Whether a file contains `text`.
pub fn contains(native: &Path, text: &str) -> Result<bool, FileError> {
    let file = File::open(native)?;
    match file.metadata()?.len() {
        // No system maps an empty file.
        0 => Ok(text.is_empty()),
        size if size > MAX_SEARCHED_BYTES => Err(FileError::TooLarge(size)),
        _ => Ok(memchr::memmem::find(&Mapped::whole(&file)?.0, text.as_bytes()).is_some()),
    }
}
