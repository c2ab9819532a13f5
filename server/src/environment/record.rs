//! RECORD: the native files that an installer wrote, and which of them are missing or changed.
//!
//! # Wrong RECORD files
//!
//! The wheels of tensorflow-cpu 1.15.0 and tensorflow-gpu 2.3.0 were derived from those of another
//! distribution by replacing `tensorflow` with their own name throughout RECORD, including paths,
//! but not in the archive. RECORD lists `tensorflow_gpu/python/_pywrap_tensorflow_gpu_internal.pyd`
//! with hash and size, but the archive contains
//! `tensorflow/python/_pywrap_tensorflow_internal.pyd`. pip (23.2) keeps such rows and appends a
//! row without hash and size for each file that it actually wrote. uv (0.13) drops them and writes
//! a row with the size, but without a hash, for each file. An installer that trusts the wheel
//! leaves RECORD as it is.
//!
//! Therefore a rule without package names applies. If the file of a row is absent, the renaming is
//! undone (the distribution's name is replaced by the name without its last word). If for any row
//! this leads to a file of exactly the row's size, or to a row without a hash, then this RECORD is
//! a renamed one, and each of its absent rows refers to the file under its old name. A row that is
//! still absent is only excused if a row without a hash, to which no other row refers, has an
//! existing file of the same size. A RECORD without a renaming isn't affected by this: its absent
//! files are missing.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::host::{EntryKind, FileError, Files, WinPath, is_native};

/// The files that an installer recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The native files (`.pyd`, `.dll`, `.so`, `.exe`), in the order of RECORD.
    pub rows: Vec<RecordRow>,
    /// Whether a native file below site-packages has no hash, because the wheel's own RECORD didn't
    /// list it. Such a RECORD proves little; see [the module](self).
    pub inconsistent: bool,
    /// The names of the packages and modules at the top level of site-packages, which can be
    /// imported.
    pub top_level: BTreeSet<String>,
    /// Whether it lists files other than the distribution's own metadata.
    pub has_content: bool,
}

/// A native file listed in RECORD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    /// The path to which it was written, resolved because rows may refer to files outside of
    /// site-packages.
    pub path: WinPath,
    /// Its size in bytes, if RECORD contains it.
    pub size: Option<u64>,
    /// Its SHA-256 as in RECORD: URL-safe base64 without padding (conda: hexadecimal).
    pub sha256: Option<String>,
}

/// A native file that differs from the installed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedFile {
    /// The path where it should be.
    pub path: WinPath,
    /// The expected size in bytes, if it is known.
    pub expected: Option<u64>,
    /// The actual state of the file.
    pub found: FileState,
}

/// The state of an installed file that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// It doesn't exist: it was removed by the user or by an antivirus program, or never written.
    Missing,
    /// It has this size in bytes: it was truncated, or overwritten by another distribution.
    Size(u64),
}

impl Record {
    /// Parses the RECORD of a `.dist-info` directory in `folder`: rows of path, hash, and size in
    /// CSV.
    pub(super) fn parse(text: &str, folder: &WinPath, own_folder: &str) -> Record {
        let mut record = Record::default();
        let text = text.trim_start_matches('\u{feff}');
        if memchr::memchr(b'"', text.as_bytes()).is_some() {
            record.add_quoted(text, folder, own_folder);
        } else {
            // Large packages have tens of thousands of rows, most of which only say that a package
            // has another file.
            let mut last = "";
            for line in text.lines() {
                let first = line.split_once('/').map_or("", |(first, _)| first);
                let mut fields = line.rsplitn(3, ',');
                let row = match [fields.next(), fields.next(), fields.next()] {
                    [Some(size), Some(hash), Some(path)] => [path, hash, size],
                    _ => [line.split(',').next().unwrap_or_default(), "", ""],
                };
                let [path, ..] = row;
                let is_like_last =
                    first == last && !first.is_empty() && !is_native(path) && !path.contains("..");
                if !is_like_last && !path.is_empty() && record.add_row(row, folder, own_folder) {
                    last = first;
                }
            }
        }
        record.inconsistent =
            record.rows.iter().any(|row| row.sha256.is_none() && row.path.is_within(folder));
        record
    }

    /// Adds the rows of a RECORD that contains quotes.
    fn add_quoted(&mut self, text: &str, folder: &WinPath, own_folder: &str) {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut row = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut row) {
                Ok(true) => {}
                Ok(false) => break,
                // An unreadable row (for example with a stray quote) is skipped.
                Err(_) => continue,
            }
            let fields: Vec<&str> = row.iter().collect();
            match fields.as_slice() {
                // Some builders don't quote paths with commas; the hash and size are the last
                // fields.
                [path @ .., hash, size] if !path.is_empty() => {
                    self.add_row([&path.join(","), hash, size], folder, own_folder);
                }
                [path, ..] => {
                    self.add_row([path, "", ""], folder, own_folder);
                }
                [] => {}
            }
        }
    }

    /// Adds a row of path, hash, and size. Returns whether it is a plain file that is installed
    /// under this path.
    fn add_row(&mut self, [path, hash, size]: [&str; 3], folder: &WinPath, own_folder: &str) -> bool {
        // A snapshot only records that there is a hash.
        let hash = hash.strip_prefix("sha256=").or_else(|| hash.strip_prefix("withheld="));
        self.add(path, hash, size.trim().parse().ok(), folder, own_folder)
    }

    /// Parses `installed-files.txt`, which pip wrote for a `setup.py install`. Its paths are
    /// relative to the egg-info directory.
    pub(super) fn parse_installed_files(text: &str, folder: &WinPath, own_folder: &str) -> Record {
        let mut record = Record::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let path = folder.join(own_folder).join(line).normalized();
            if let Some(path) = path.below(folder) {
                record.add(path, None, None, folder, own_folder);
            }
        }
        record
    }

    /// Parses the `paths_data` in conda's JSON for a package. Its paths are relative to the prefix.
    pub(super) fn parse_conda(text: &str, prefix: &WinPath) -> Option<Record> {
        #[derive(Deserialize)]
        struct Package {
            #[serde(default)]
            files: Vec<String>,
            #[serde(default)]
            paths_data: Paths,
        }
        #[derive(Default, Deserialize)]
        struct Paths {
            #[serde(default)]
            paths: Vec<File>,
        }
        #[derive(Deserialize)]
        struct File {
            _path: String,
            sha256_in_prefix: Option<String>,
            sha256: Option<String>,
            size_in_bytes: Option<u64>,
        }
        let package: Package = serde_json::from_str(text).ok()?;
        let mut record = Record::default();
        let mut known = HashSet::new();
        for file in &package.paths_data.paths {
            let hash = file.sha256_in_prefix.as_deref().or(file.sha256.as_deref());
            record.add(&file._path, hash, file.size_in_bytes, prefix, "conda-meta");
            known.insert(file._path.as_str());
        }
        for file in package.files.iter().filter(|file| !known.contains(file.as_str())) {
            record.add(file, None, None, prefix, "conda-meta");
        }
        record.top_level.clear();
        Some(record)
    }

    /// Adds a file. Returns whether it is a plain file that is installed under this path.
    fn add(
        &mut self,
        text: &str,
        sha256: Option<&str>,
        size: Option<u64>,
        folder: &WinPath,
        own_folder: &str,
    ) -> bool {
        let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let is_plain = !text.starts_with(['/', '\\']) && !text.contains(':') && !text.contains("..");
        // Most of the many thousand rows are plain and not native, so a path is only created for
        // the others.
        if is_plain && !is_native(name) {
            return self.add_top_level(text, own_folder);
        }
        let path = folder.join(text).normalized();
        let is_own = match path.below(folder) {
            Some(below) => self.add_top_level(below, own_folder),
            None => true,
        };
        if is_own && is_native(name) {
            self.rows.push(RecordRow { path, size, sha256: sha256.map(str::to_owned) });
        }
        false
    }

    /// Records the name that can be imported because of this file. Returns false for a file that is
    /// installed elsewhere.
    fn add_top_level(&mut self, below: &str, own_folder: &str) -> bool {
        let mut parts = below.split(['/', '\\']);
        let (first, is_module) = (parts.next().unwrap_or_default(), parts.next().is_none());
        if first.is_empty() || first.eq_ignore_ascii_case(own_folder) || first.ends_with(".data") {
            // The files of a wheel in `NAME.data` are installed elsewhere; old versions of pip left
            // their rows.
            return false;
        }
        self.has_content = true;
        let name = if is_module { module_name(first) } else { Some(first) };
        match name {
            Some(name) if !name.is_empty() && !name.contains('.') && !self.top_level.contains(name) => {
                self.top_level.insert(name.to_owned());
            }
            _ => {}
        }
        true
    }

    /// Returns the native files that should be below `folder`, under their actual names.
    ///
    /// Programs are left out: no import needs them, each installer creates its own launchers, and
    /// repackagers remove those for other systems.
    pub(super) fn expected(&self, folder: &WinPath, name: &str, files: &dyn Files) -> Vec<RecordRow> {
        let mut rows: Vec<RecordRow> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        let renaming = self.renaming(folder, name, files);
        // Rows without a hash come last, so that they add nothing if a renamed row refers to the
        // same file.
        let (hashed, unhashed): (Vec<_>, Vec<_>) = self.rows.iter().partition(|row| row.sha256.is_some());
        for row in hashed.into_iter().chain(unhashed) {
            if !row.path.is_within(folder) || row.path.has_extension("exe") {
                continue;
            }
            let mut row = row.clone();
            if let Some(renaming) = &renaming
                && presence(&row.path, files) == Presence::Absent
                && let Some(original) = renaming.original(&row.path, folder)
            {
                row.path = original;
            }
            if known.insert(row.path.key()) {
                rows.push(row);
            }
        }
        rows
    }

    /// Returns the native files below `folder` that are missing or have another size. Only listings
    /// and sizes are read.
    pub(super) fn damaged(&self, folder: &WinPath, name: &str, files: &dyn Files) -> Vec<DamagedFile> {
        let mut damaged = Vec::new();
        let mut sizes_without_hash: Vec<u64> = Vec::new();
        for row in self.expected(folder, name, files) {
            let found = match (presence(&row.path, files), row.size) {
                (Presence::Unknown, _) => continue,
                (Presence::Absent, _) => FileState::Missing,
                (Presence::Present, None) => {
                    sizes_without_hash.extend(files.size(&row.path));
                    continue;
                }
                (Presence::Present, Some(expected)) => match files.size(&row.path) {
                    Ok(size) if size != expected => FileState::Size(size),
                    _ => continue,
                },
            };
            damaged.push(DamagedFile { path: row.path, expected: row.size, found });
        }
        damaged.retain(|file| {
            let moved_to = sizes_without_hash
                .iter()
                .position(|size| file.found == FileState::Missing && file.expected == Some(*size));
            moved_to.map(|at| sizes_without_hash.swap_remove(at)).is_none()
        });
        damaged
    }

    /// Returns the renaming of this RECORD, if undoing it explains any of its absent files.
    fn renaming(&self, folder: &WinPath, name: &str, files: &dyn Files) -> Option<Renaming> {
        let name = name.replace(['-', '.'], "_");
        let without_hash: HashSet<String> =
            self.rows.iter().filter(|row| row.sha256.is_none()).map(|row| row.path.key()).collect();
        let absent: Vec<&RecordRow> = self
            .rows
            .iter()
            .filter(|row| row.sha256.is_some() && row.path.is_within(folder))
            .filter(|row| presence(&row.path, files) == Presence::Absent)
            .collect();
        shortened(&name).map(|old| Renaming { old: old.to_owned(), new: name.clone() }).find(|renaming| {
            absent.iter().any(|row| {
                renaming.original(&row.path, folder).is_some_and(|original| {
                    without_hash.contains(&original.key())
                        || (row.size.is_some() && files.size(&original).ok() == row.size)
                })
            })
        })
    }
}

/// A renaming, such as from `tensorflow` to `tensorflow_gpu`.
#[derive(Debug)]
struct Renaming {
    old: String,
    new: String,
}

impl Renaming {
    fn original(&self, path: &WinPath, folder: &WinPath) -> Option<WinPath> {
        let below = path.below(folder)?;
        below.contains(&self.new).then(|| folder.join(&below.replace(&self.new, &self.old)))
    }
}

/// Returns `a_b_c` without its last words: `a_b`, then `a`.
fn shortened(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.rsplit_once('_').map(|(rest, _)| rest)).skip(1)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Present,
    Absent,
    /// The directory cannot be read.
    Unknown,
}

fn presence(path: &WinPath, files: &dyn Files) -> Presence {
    let Some(folder) = path.parent() else {
        return Presence::Unknown;
    };
    match files.folder(&folder) {
        Ok(listing) => match listing.entry(path.file_name()) {
            Some(entry) if entry.kind == EntryKind::File => Presence::Present,
            _ => Presence::Absent,
        },
        Err(FileError::NotFound | FileError::WrongKind(_)) => Presence::Absent,
        Err(_) => Presence::Unknown,
    }
}

/// Returns the module that a file at the top level of site-packages defines: `six` for `six.py`,
/// `_x` for `_x.cp38-win_amd64.pyd`.
fn module_name(file_name: &str) -> Option<&str> {
    let (stem, extension) = file_name.rsplit_once('.')?;
    match extension {
        "py" | "pyc" => Some(stem),
        "pyd" => stem.split('.').next(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::Record;
    use crate::host::WinPath;

    #[test]
    fn rows_are_read_in_the_same_way_with_and_without_quotes() {
        let rows = "pkg/__init__.py,sha256=aa,10\npkg/_a.pyd,sha256=aa,10\n\npkg/../other/b.py,,\nsix.py,,\r\n\
            pkg/c, d.dll,sha256=bb,20\n../../Scripts/pkg.exe,,\n/abs/e.dll,,\npkg-2.0.data/f.py,,\n\
            pkg-2.0.data/g.dll,,\npkg-2.0.dist-info/RECORD,,\nlone\nh.pyd,sha256=cc\n";
        let folder = WinPath::new("/x/Lib/site-packages");
        let parse = |text: &str| Record::parse(text, &folder, "pkg-2.0.dist-info");
        let record = parse(rows);
        assert_eq!(record, parse(&format!("{rows}\"pkg/last.py\",,\n")));
        let mut out = format!("{:?}\n", record.top_level);
        for row in record.rows {
            out += &format!("{} {:?} {:?}\n", row.path, row.size, row.sha256);
        }
        expect![[r#"
            {"h", "other", "pkg", "six"}
            /x/Lib/site-packages/pkg/_a.pyd Some(10) Some("aa")
            /x/Lib/site-packages/pkg/c, d.dll Some(20) Some("bb")
            /x/Scripts/pkg.exe None None
            /abs/e.dll None None
            /x/Lib/site-packages/h.pyd None None
        "#]]
        .assert_eq(&out);
    }
}
