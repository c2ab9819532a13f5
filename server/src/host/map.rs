//! Maps a PE file into memory only while its facts are read.
//!
//! On Windows a mapped image cannot be replaced, and pip must never fail because of WhyDLL.

use std::fs::File;
use std::path::Path;

use memmap2::{Mmap, MmapOptions};

use super::fault::{FileError, ImageFault};
use crate::image::{Image, ImageError, Machine};

/// The maximum size in bytes of a file that is searched for a string. Images are not larger,
/// because their size has 32 bits.
const MAX_SEARCHED_BYTES: u64 = 4 << 30;

/// A memory map of a whole file. Only the pages that are accessed are read.
pub(super) struct Mapped(Mmap);

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

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parses the mapped image.
    pub fn image(&self) -> Result<Image<'_>, ImageError> {
        Image::parse(&self.0)
    }
}

/// Opens an image as the loader does. A user who may read but not execute it cannot load it
/// (Microsoft, "File Security and Access Rights"; `open_dll_file` in Wine's `dlls/ntdll/loader.c`).
#[cfg(windows)]
pub(super) fn open(native: &Path) -> std::io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Foundation::{GENERIC_EXECUTE, GENERIC_READ};
    File::options().access_mode(GENERIC_READ | GENERIC_EXECUTE).open(native)
}

/// Opens an image for reading only, because it isn't executed on this system.
#[cfg(not(windows))]
pub(super) fn open(native: &Path) -> std::io::Result<File> {
    File::open(native)
}

/// Returns the machine for which a file is built if it is an image.
pub(super) fn machine(native: &Path) -> Option<Machine> {
    let map = native.is_file().then(|| Mapped::of(native))?.ok()?;
    map.image().ok().map(|image| image.machine())
}

/// Whether a file contains `text`.
pub(super) fn contains(native: &Path, text: &str) -> Result<bool, FileError> {
    let file = File::open(native)?;
    match file.metadata()?.len() {
        // No system maps an empty file.
        0 => Ok(text.is_empty()),
        size if size > MAX_SEARCHED_BYTES => Err(FileError::TooLarge(size)),
        _ => Ok(memchr::memmem::find(&Mapped::whole(&file)?.0, text.as_bytes()).is_some()),
    }
}
