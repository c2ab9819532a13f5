//! Rules of the source code itself, checked by reading it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::win32::ERRORS;

/// Other numbers in these directories have the same values: opcodes and the like.
const WITHOUT_WIN32_CODES: &[&str] = &["image", "source", "win32"];

/// Returns the source files below a directory of `src`, without those that only hold tests. Paths
/// are relative to `src`.
fn files(below: &str) -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if matches!(name, "tests" | "testing" | "architecture") {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(&root).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns the code of a file without comments, strings, and its tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
    let without_escapes = lines.replace(r"\\", "").replace(r#"\""#, "").replace("'\"'", "");
    without_escapes.split('"').step_by(2).collect()
}

#[test]
fn win32_codes_are_written_in_one_table() {
    let mut read = 0;
    for file in files("") {
        if WITHOUT_WIN32_CODES.iter().any(|known| file.starts_with(known)) {
            continue;
        }
        let code = code(&file);
        let numbers = code.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for number in numbers.filter_map(|word| word.parse::<u32>().ok()) {
            // 5 and 87 are common numbers.
            let known = ERRORS.iter().find(|error| error.code == number && number > 100);
            assert!(known.is_none(), "{}: write {} for {number}", file.display(), known.unwrap().symbol);
        }
        read += 1;
    }
    assert!(read > 100);
}
