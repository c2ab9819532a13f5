//! The size and contents of any file.

use std::sync::Arc;

use crate::host::fact::{AssumedImage, Fact, Retention};
use crate::host::fault::FileError;
use crate::host::map;
use crate::host::native_files::NativeFiles;
use crate::host::path::WinPath;

/// The maximum size of a text file in bytes. TensorFlow's RECORD has 2 MB.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// The size of a file in bytes.
#[derive(Debug, Clone)]
pub struct SizeOf(pub WinPath);

impl Fact for SizeOf {
    type Answer = u64;
    type Fault = FileError;

    const NAME: &'static str = "sizes";
    const RETENTION: Retention = Retention::None;

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.0)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.0)
    }

    fn read(&self, disk: &NativeFiles) -> Result<u64, FileError> {
        disk.size(&self.0)
    }

    fn of_assumed_image(&self, image: &AssumedImage, _: &dyn Fn(&WinPath, &str) -> bool) -> Option<u64> {
        image.size
    }
}

/// The contents of a small text file.
#[derive(Debug, Clone)]
pub struct TextOf(pub WinPath);

impl Fact for TextOf {
    type Answer = Arc<str>;
    type Fault = FileError;

    const NAME: &'static str = "texts";
    const RETENTION: Retention = Retention::None;

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.0)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.0)
    }

    fn read(&self, disk: &NativeFiles) -> Result<Arc<str>, FileError> {
        Ok(String::from_utf8_lossy(&disk.read(&self.0, MAX_TEXT_BYTES)?).into())
    }
}

/// Whether a file contains a string.
#[derive(Debug, Clone)]
pub struct Contains {
    /// The file.
    pub file: WinPath,
    /// The string.
    pub string: String,
}

impl Fact for Contains {
    type Answer = bool;
    type Fault = FileError;

    const NAME: &'static str = "held";

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.file)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.file)
    }

    fn detail(&self) -> String {
        self.string.clone()
    }

    fn read(&self, disk: &NativeFiles) -> Result<bool, FileError> {
        map::contains(&disk.file(&self.file)?, &self.string)
    }

    fn of_assumed_image(&self, _: &AssumedImage, _: &dyn Fn(&WinPath, &str) -> bool) -> Option<bool> {
        Some(false)
    }

    fn usual() -> Option<bool> {
        Some(false)
    }
}
