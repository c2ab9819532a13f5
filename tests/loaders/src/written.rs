//! The worlds written by hand: the files of the folder `worlds`.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A world and what it is called.
#[derive(Debug, Clone)]
pub struct Written {
    /// `file: title`
    pub title: String,
    /// The world.
    pub text: String,
}

/// All worlds of the folder.
///
/// # Errors
/// It cannot be read.
pub fn all() -> io::Result<Vec<Written>> {
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

/// The worlds of one file: each begins with a line `== title`. What stands above the first one says what they have in
/// common.
///
/// # Errors
/// It cannot be read.
pub fn of_file(file: &Path) -> io::Result<Vec<Written>> {
    let group = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut worlds: Vec<Written> = Vec::new();
    for line in fs::read_to_string(file)?.lines() {
        if let Some(title) = line.strip_prefix("== ") {
            worlds.push(Written { title: format!("{group}: {title}"), text: String::new() });
        } else if let Some(world) = worlds.last_mut() {
            world.text += line;
            world.text += "\n";
        }
    }
    Ok(worlds)
}
