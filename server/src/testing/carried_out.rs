//! A machine on which a fix was really carried out: files are written and removed, instead of
//! overlaid.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use world::World;

use crate::diagnosis::FixEffect;
use crate::host::{Change, WinPath};
use crate::image::{Image, Symbol};

/// Returns a copy of the machine's drive with the changes of `effect`.
pub fn drive(root: &Path, effect: &FixEffect) -> TempDir {
    let copy = tempfile::Builder::new().prefix("world-").tempdir().unwrap();
    copy_folder(root, copy.path());
    let native = |path: &WinPath| real(copy.path(), path.as_str());
    let copies: Vec<(PathBuf, Vec<u8>)> = effect
        .files
        .iter()
        .filter_map(|(path, change)| match change {
            Change::CopyOf(source) => Some((native(path), fs::read(native(source)).unwrap())),
            _ => None,
        })
        .collect();
    let imported = imported_symbols(copy.path());
    let mut declared = String::new();
    for (path, change) in &effect.files {
        match change {
            Change::Gone => remove(&native(path), copy.path()),
            Change::Image { machine, version, size } => {
                let _ = fs::remove_file(native(path));
                let name = path.file_name().to_ascii_lowercase();
                let symbols = imported.iter().filter(|(dll, _)| *dll == name);
                let symbols: BTreeSet<&str> = symbols.map(|(_, symbol)| symbol.as_str()).collect();
                let symbols: Vec<&str> = symbols.into_iter().collect();
                let path = path.as_str().trim_start_matches("C:").replace('\\', "/");
                let _ = write!(declared, "\"{path}\"  {machine}");
                if !symbols.is_empty() {
                    let _ = write!(declared, ", exports {}", symbols.join(", "));
                }
                if let Some(version) = version {
                    let _ = write!(declared, ", version {version}");
                }
                if *size > 0 {
                    let _ = write!(declared, ", size {size}");
                }
                declared.push('\n');
            }
            Change::CopyOf(_) => {}
            Change::Unread => panic!("the contents of {path} are unknown"),
        }
    }
    World::at(&declared, copy.path()).unwrap_or_else(|error| panic!("{error}: {declared}"));
    for (path, bytes) in copies {
        fs::write(path, bytes).unwrap();
    }
    copy
}

fn real(root: &Path, path: &str) -> PathBuf {
    let mut real = root.to_owned();
    for name in path.trim_start_matches("C:").split('\\').filter(|name| !name.is_empty()) {
        // Names are case-insensitive on Windows, but may be case-sensitive here.
        let same = fs::read_dir(&real).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let mut same = same.filter(|known| known.eq_ignore_ascii_case(name));
        real.push(same.next().unwrap_or_else(|| name.into()));
    }
    real
}

/// Removes a file and the folders that it leaves empty, as pip does.
fn remove(path: &Path, root: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        let _ = fs::remove_file(path);
    }
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        let _ = fs::remove_dir_all(folder.join("__pycache__"));
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => {
                fs::create_dir_all(&target).unwrap();
                copy_folder(&entry.path(), &target);
            }
            false => drop(fs::copy(entry.path(), &target).unwrap()),
        }
    }
}

/// Returns the symbols that the images below a folder import, each with the name of its DLL in
/// lower case.
fn imported_symbols(folder: &Path) -> BTreeSet<(String, String)> {
    let mut imported = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            imported.extend(imported_symbols(&entry.path()));
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap_or_default();
        let Ok(image) = Image::parse(&bytes) else { continue };
        let all = [image.imports(), image.delay_imports()].into_iter().flatten().flatten();
        for import in all {
            for symbol in image.symbols(&import).unwrap_or_default() {
                // Every image of a world exports this one.
                if let Symbol::Name(name) = symbol
                    && name != "whydll"
                {
                    imported.insert((import.dll.to_ascii_lowercase(), name));
                }
            }
        }
    }
    imported
}
