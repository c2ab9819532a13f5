//! The worlds that were written by hand, in the files of the directory `worlds`.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A world and its title.
#[derive(Debug, Clone)]
pub struct WrittenWorld {
    /// `file: title`
    pub title: String,
    /// Its source.
    pub text: String,
}

/// Reads all worlds of the directory.
///
/// # Errors
/// The directory or a file in it cannot be read.
pub fn all() -> io::Result<Vec<WrittenWorld>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds");
    let files: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = files?;
    files.sort();
    let mut worlds = Vec::new();
    for file in files {
        worlds.extend(of_file(&file)?);
    }
    Ok(worlds)
}

/// Reads the worlds of one file. Each begins with a line `== title`; the lines above the first one
/// say what they have in common.
///
/// # Errors
/// The file cannot be read.
pub fn of_file(file: &Path) -> io::Result<Vec<WrittenWorld>> {
    let group = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut worlds: Vec<WrittenWorld> = Vec::new();
    for line in fs::read_to_string(file)?.lines() {
        if let Some(title) = line.strip_prefix("== ") {
            worlds.push(WrittenWorld { title: format!("{group}: {title}"), text: String::new() });
        } else if let Some(world) = worlds.last_mut() {
            world.text += line;
            world.text += "\n";
        }
    }
    Ok(worlds)
}
