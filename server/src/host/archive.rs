//! Zip archives on `sys.path`, such as `python38.zip` of an embeddable Python, and their modules.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::fault::FileError;
use crate::source;

/// The maximum number of entries. Archives of Python modules have fewer.
const MAX_ENTRIES: usize = 200_000;

/// An open archive from which modules are read.
pub(super) struct Archive(Mutex<zip::ZipArchive<File>>);

impl Archive {
    pub fn open(native: &Path) -> Result<Archive, FileError> {
        let archive = zip::ZipArchive::new(File::open(native)?).map_err(bad)?;
        if archive.len() > MAX_ENTRIES {
            return Err(FileError::BadArchive(format!("{} entries", archive.len())));
        }
        Ok(Archive(Mutex::new(archive)))
    }

    /// Returns the paths of the Python modules in it, such as `encodings/utf_8.pyc`, sorted by
    /// name.
    pub fn modules(&self) -> Vec<String> {
        let archive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = archive.file_names().filter_map(Result::ok);
        let mut modules: Vec<String> =
            names.filter(|name| is_module(name)).map(|name| name.to_string()).collect();
        modules.sort_unstable();
        modules.dedup();
        modules
    }

    /// Reads the file of a module by its full path in the archive.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, FileError> {
        let mut archive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match archive.by_name(name) {
            Err(zip::result::ZipError::FileNotFound) => return Err(FileError::NotFound),
            file => file.map_err(bad)?,
        };
        let mut bytes = Vec::new();
        file.take(source::MAX_MODULE_BYTES + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 {
            len if len > source::MAX_MODULE_BYTES => Err(FileError::TooLarge(len)),
            _ => Ok(bytes),
        }
    }
}

fn is_module(name: &str) -> bool {
    name.ends_with(".pyc") || name.ends_with(".py")
}

fn bad(error: zip::result::ZipError) -> FileError {
    FileError::BadArchive(error.to_string())
}
