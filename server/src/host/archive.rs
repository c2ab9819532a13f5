//! The directory of a zip archive on `sys.path` (`python38.zip` of an embeddable Python).

use std::fs::File;
use std::path::Path;

use super::files::FileError;

/// More entries than any archive of Python modules has.
const MOST_ENTRIES: usize = 200_000;

/// Names of the Python modules in an archive: `encodings/utf_8` for `encodings/utf_8.pyc`.
pub fn python_modules(native: &Path) -> Result<Vec<String>, FileError> {
    let bad = |error: zip::result::ZipError| FileError::BadArchive(error.to_string());
    let archive = zip::ZipArchive::new(File::open(native)?).map_err(bad)?;
    if archive.len() > MOST_ENTRIES {
        return Err(FileError::BadArchive(format!("{} entries", archive.len())));
    }
    let mut modules: Vec<String> =
        archive.file_names().filter_map(Result::ok).filter_map(|name| python_module(&name)).collect();
    modules.sort_unstable();
    modules.dedup();
    Ok(modules)
}

/// `encodings/utf_8` of `encodings/utf_8.pyc`.
fn python_module(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".pyc").or_else(|| name.strip_suffix(".py"))?;
    Some(stem.strip_suffix("/__init__").unwrap_or(stem).to_owned())
}
