//! Installed distributions. Their names are read from one directory listing each, everything else
//! on demand.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::host::{EntryKind, FileError, Files, WinPath};

use super::Note;
use super::metadata::{Metadata, normalized};
use super::record::{DamagedFile, Record, RecordRow};
use super::search_path::{Origin, PathEntry};

/// An installed distribution. RECORD and METADATA are read when they are first requested.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Distribution {
    /// The name as in its directory. [`Metadata::name`] has the author's spelling.
    pub name: String,
    /// The name as normalized by PEP 503, such as `tensorflow-cpu`.
    pub normalized: String,
    /// The version, if the name of its directory contains it.
    pub version: Option<String>,
    /// The format of its description.
    pub kind: DistributionKind,
    /// The path of its `.dist-info` or `.egg-info`, or of conda's JSON.
    pub location: WinPath,
    /// The directory to which its paths are relative: site-packages, or conda's prefix.
    pub folder: WinPath,
    #[serde(skip)]
    metadata: OnceLock<Result<Arc<Metadata>, FileError>>,
    #[serde(skip)]
    record: OnceLock<Result<Arc<Record>, FileError>>,
}

/// The format in which a distribution is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DistributionKind {
    /// A wheel's directory.
    DistInfo,
    /// A directory or file of setuptools.
    EggInfo,
    /// A conda package, in `conda-meta`.
    Conda,
}

/// Returns the distributions in the directories of `sys.path`, in order, followed by conda's
/// packages.
pub(super) fn installed(
    sys_path: &[PathEntry],
    conda_prefix: Option<&WinPath>,
    files: &dyn Files,
    notes: &mut Vec<Note>,
) -> Vec<Distribution> {
    let mut found = Vec::new();
    for PathEntry { path, origin } in sys_path {
        if *origin == Origin::Zip {
            continue;
        }
        if let Some(egg) = Distribution::of_egg(path, files) {
            found.push(egg);
            continue;
        }
        let listing = match files.folder(path) {
            Ok(listing) => listing,
            Err(FileError::NotFound | FileError::WrongKind(_)) => continue,
            Err(reason) => {
                let note = Note::Unreadable { path: path.clone(), reason };
                if !notes.contains(&note) {
                    notes.push(note);
                }
                continue;
            }
        };
        for entry in listing.entries() {
            if entry.name.starts_with('~') && entry.kind == EntryKind::Folder {
                notes.push(Note::Leftover { path: path.join(&entry.name) });
            } else {
                found.extend(Distribution::of_entry(&entry.name, entry.kind, path));
            }
        }
    }
    if let Some(prefix) = conda_prefix {
        let folder = prefix.join("conda-meta");
        let listing = files.folder(&folder).unwrap_or_default();
        let entries = listing.entries();
        found.extend(entries.iter().filter_map(|entry| Distribution::of_conda(&entry.name, prefix)));
    }
    found
}

impl Distribution {
    fn new(
        name: &str,
        version: Option<&str>,
        kind: DistributionKind,
        location: WinPath,
        folder: &WinPath,
    ) -> Self {
        Distribution {
            name: name.to_owned(),
            normalized: normalized(name),
            version: version.filter(|version| !version.is_empty()).map(str::to_owned),
            kind,
            location,
            folder: folder.clone(),
            metadata: OnceLock::new(),
            record: OnceLock::new(),
        }
    }

    /// Parses `NAME-VERSION.dist-info`, or `NAME-VERSION-py3.8.egg-info`, a directory or a file.
    fn of_entry(entry: &str, entry_kind: EntryKind, folder: &WinPath) -> Option<Distribution> {
        let (stem, extension) = entry.rsplit_once('.')?;
        let (kind, (name, version)) = match extension.to_ascii_lowercase().as_str() {
            "dist-info" if entry_kind == EntryKind::Folder => {
                // Wheels replace `-` with `_`; if a name contains a `-` all the same, the version
                // comes last.
                (DistributionKind::DistInfo, stem.rsplit_once('-').unwrap_or((stem, "")))
            }
            "egg-info" => (DistributionKind::EggInfo, split_egg(stem)),
            _ => return None,
        };
        (!name.is_empty()).then(|| Distribution::new(name, Some(version), kind, folder.join(entry), folder))
    }

    /// Parses `NAME-VERSION-py3.8.egg`, a directory on `sys.path` that easy_install created.
    fn of_egg(path: &WinPath, files: &dyn Files) -> Option<Distribution> {
        if !path.has_extension("egg") {
            return None;
        }
        let location = path.join("EGG-INFO");
        let (stem, _) = path.file_name().rsplit_once('.')?;
        let (name, version) = split_egg(stem);
        files
            .is_folder(&location)
            .then(|| Distribution::new(name, Some(version), DistributionKind::EggInfo, location, path))
    }

    /// Parses `NAME-VERSION-BUILD.json`.
    fn of_conda(entry: &str, prefix: &WinPath) -> Option<Distribution> {
        let mut parts = entry.strip_suffix(".json")?.rsplitn(3, '-');
        let (_build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
        let location = prefix.join("conda-meta").join(entry);
        Some(Distribution::new(name, Some(version), DistributionKind::Conda, location, prefix))
    }

    /// Forgets everything that was read on demand.
    pub(super) fn forget(&mut self) {
        self.metadata = OnceLock::new();
        self.record = OnceLock::new();
    }

    /// Returns its metadata. For a conda package, this is only the name and version.
    pub fn metadata(&self, files: &dyn Files) -> Result<Arc<Metadata>, FileError> {
        let read = || {
            let file = match self.kind {
                DistributionKind::DistInfo => self.location.join("METADATA"),
                DistributionKind::EggInfo if files.is_folder(&self.location) => {
                    self.location.join("PKG-INFO")
                }
                DistributionKind::EggInfo => self.location.clone(),
                DistributionKind::Conda => {
                    return Ok(Arc::new(Metadata {
                        name: Some(self.name.clone()),
                        version: self.version.clone(),
                        ..Metadata::default()
                    }));
                }
            };
            files.text(&file).map(|text| Arc::new(Metadata::parse(&text)))
        };
        self.metadata.get_or_init(read).clone()
    }

    /// Returns the native files that its installer recorded.
    pub fn record(&self, files: &dyn Files) -> Result<Arc<Record>, FileError> {
        let own_folder = self.location.file_name();
        let read = || match self.kind {
            DistributionKind::DistInfo => {
                let text = files.text(&self.location.join("RECORD"))?;
                Ok(Arc::new(Record::parse(&text, &self.folder, own_folder)))
            }
            DistributionKind::EggInfo => {
                let text = files.text(&self.location.join("installed-files.txt"))?;
                Ok(Arc::new(Record::parse_installed_files(&text, &self.folder, own_folder)))
            }
            DistributionKind::Conda => {
                let text = files.text(&self.location)?;
                let record = Record::parse_conda(&text, &self.folder);
                record
                    .map(Arc::new)
                    .ok_or_else(|| FileError::Other("it is not the JSON of a conda package".into()))
            }
        };
        self.record.get_or_init(read).clone()
    }

    /// Returns all recorded files, native or not: those that uninstalling it removes.
    pub fn all_files(&self, files: &dyn Files) -> Result<Vec<WinPath>, FileError> {
        if self.kind != DistributionKind::DistInfo {
            return Ok(self.record(files)?.rows.iter().map(|row| row.path.clone()).collect());
        }
        let text = files.text(&self.location.join("RECORD"))?;
        let mut rows =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let paths = rows.records().filter_map(|row| Some(row.ok()?.get(0)?.to_owned()));
        Ok(paths.map(|path| self.folder.join(&path).normalized()).collect())
    }

    /// Returns the native files that should be in its directory, under their actual names, with
    /// size and hash if RECORD contains them.
    pub fn expected_files(&self, files: &dyn Files) -> Result<Vec<RecordRow>, FileError> {
        Ok(self.record(files)?.expected(&self.folder, &self.normalized, files))
    }

    /// Returns the native files that are missing or whose size differs from RECORD. Hashes aren't
    /// checked.
    pub fn missing_files(&self, files: &dyn Files) -> Result<Vec<DamagedFile>, FileError> {
        Ok(self.record(files)?.damaged(&self.folder, &self.normalized, files))
    }

    /// Returns the tags of its wheel, such as `cp313-cp313-win_amd64`.
    pub fn wheel_tags(&self, files: &dyn Files) -> Vec<String> {
        let text = files.text(&self.location.join("WHEEL")).unwrap_or_else(|_| Arc::from(""));
        text.lines().filter_map(|line| Some(line.strip_prefix("Tag:")?.trim().to_owned())).collect()
    }

    /// Returns the top-level names that it provides: those declared in `top_level.txt`, or else
    /// those implied by RECORD, like `importlib.metadata.packages_distributions`. Empty for conda
    /// packages, because those that can be imported also have a `.dist-info`.
    pub fn top_level(&self, files: &dyn Files) -> BTreeSet<String> {
        if self.kind == DistributionKind::Conda {
            return BTreeSet::new();
        }
        let declared = files.text(&self.location.join("top_level.txt")).unwrap_or_else(|_| Arc::from(""));
        let declared: BTreeSet<String> = declared.split_whitespace().map(str::to_owned).collect();
        if !declared.is_empty() {
            return declared;
        }
        self.record(files).map(|record| record.top_level.clone()).unwrap_or_default()
    }

    /// Returns the distribution that this one stands for, if it is an empty shim: it contains only
    /// its metadata, and on Windows requires its own version of another distribution of the same
    /// family. The `tensorflow` wheels 2.11 to 2.18.0 are shims that require `tensorflow-intel`.
    pub fn shim_for(&self, files: &dyn Files) -> Option<String> {
        if self.kind != DistributionKind::DistInfo || self.record(files).ok()?.has_content {
            return None;
        }
        let metadata = self.metadata(files).ok()?;
        let pin = format!("=={}", metadata.version.as_deref().or(self.version.as_deref())?);
        let (family, _) = self.normalized.split_once('-').unwrap_or((&self.normalized, ""));
        metadata
            .requires
            .iter()
            .find(|needed| {
                needed.versions == pin
                    && needed.name.split('-').next() == Some(family)
                    && needed.name != self.normalized
                    && needed.applies_on_windows()
            })
            .map(|needed| needed.name.clone())
    }
}

/// Splits the name of an egg into name and version. What follows the version (`-py3.8-win-amd64`)
/// is ignored.
fn split_egg(stem: &str) -> (&str, &str) {
    let (name, rest) = stem.split_once('-').unwrap_or((stem, ""));
    (name, rest.split('-').next().unwrap_or_default())
}
