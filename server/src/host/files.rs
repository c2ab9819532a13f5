//! The files of a machine as facts: the contents of directories, and what images and Python modules
//! contain.
//!
//! Every access to the disk goes through [`Files`], so that it happens once, can be recorded in a
//! snapshot, and can be watched. No layer above this module opens a file.

use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::path::{WinPath, fold_name};
use super::read_set::Fingerprint;
use crate::image::{Binding, Export, FileVersion, ImageError, Machine, Manifest, Symbol};
use crate::source::Script;

/// Access to the files of a machine. Names are matched regardless of case. Implementations cache
/// every answer, so repeating a call is cheap.
pub trait Files: Send + Sync {
    /// Lists a directory.
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError>;

    /// Returns the size of a file in bytes.
    fn size(&self, path: &WinPath) -> Result<u64, FileError>;

    /// Reads a small text file (configuration, metadata) of at most [`MAX_TEXT_BYTES`] bytes.
    /// Invalid UTF-8 is replaced.
    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError>;

    /// Reads the facts about a PE file.
    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault>;

    /// Reads what importing a Python module does, or, for a [part](WinPath::with_part) of a module,
    /// what the definition in that part does.
    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError>;

    /// Lists the modules in a zip archive on `sys.path` as paths with `/` between packages, such as
    /// `encodings/utf_8.pyc`.
    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError>;

    /// Matches what the image `importer` imports from `dll` with the exports of the image
    /// `exporter`.
    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault>;

    /// Returns the export of an image with a name or an ordinal.
    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault>;

    /// Whether a file of at most [`MAX_SEARCHED_BYTES`] bytes contains `text`. This reads the whole
    /// file, so callers should have another reason to expect the text in it.
    fn contains(&self, path: &WinPath, text: &str) -> Result<bool, FileError>;

    /// Returns the instruction sets without which an image cannot start, see
    /// [`Image::instructions_at_start`]. Only needed if the processor lacks some.
    ///
    /// [`Image::instructions_at_start`]: crate::image::Image::instructions_at_start
    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault>;

    /// Returns a fingerprint of the file's state when it was first accessed through this value.
    fn fingerprint(&self, _path: &WinPath) -> Fingerprint {
        Fingerprint::Unavailable
    }

    /// Returns the same files without tracking, for prefetching: it doesn't influence any result,
    /// so its reads need not be recorded. Returns `None` if this value doesn't track reads.
    fn untracked(&self) -> Option<Arc<dyn Files>> {
        None
    }

    /// Returns the same files on another `disk`, or `None` if they are not on a disk.
    fn on(&self, _disk: &Arc<Disk>) -> Option<Arc<dyn Files>> {
        None
    }

    /// Returns how many modules have been read so far because they weren't cached.
    fn modules_read(&self) -> u64 {
        0
    }

    /// Whether `path` is a file. Once its directory has been listed, this doesn't access the disk.
    fn is_file(&self, path: &WinPath) -> bool {
        self.kind(path) == Some(EntryKind::File)
    }

    /// Whether `path` is a directory.
    fn is_folder(&self, path: &WinPath) -> bool {
        self.kind(path) == Some(EntryKind::Folder)
    }

    /// Returns whether `path` is a file or a directory, or `None` if it doesn't exist.
    fn kind(&self, path: &WinPath) -> Option<EntryKind> {
        let Some(parent) = path.parent() else {
            return self.folder(path).is_ok().then_some(EntryKind::Folder);
        };
        let folder = self.folder(&parent).ok()?;
        folder.entry(path.file_name()).map(|entry| entry.kind)
    }
}

/// Whether a file with this name or path is native code, as far as the record of an installation is
/// concerned.
pub fn is_native(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["pyd", "dll", "so", "exe"].iter().any(|native| extension.eq_ignore_ascii_case(native))
}

/// The maximum size of a text file in bytes. TensorFlow's RECORD has 2 MB.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;

/// The maximum size in bytes of a file that is searched for a string. Images are not larger,
/// because their size has 32 bits.
pub const MAX_SEARCHED_BYTES: u64 = 4 << 30;

/// The listing of a directory.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    entries: FxHashMap<String, Entry>,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name as it is written on disk.
    pub name: String,
    /// Whether it is a file or a directory. A link counts as its target.
    pub kind: EntryKind,
}

/// The kind of an entry in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory, or a link to one.
    Folder,
}

impl Folder {
    /// Creates a listing of these entries.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Folder {
        Folder { entries: entries.into_iter().map(|entry| (fold_name(&entry.name), entry)).collect() }
    }

    /// Returns the entry with this name, ignoring case.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        if name.bytes().all(|b| !b.is_ascii_uppercase() && b.is_ascii()) {
            self.entries.get(name)
        } else {
            self.entries.get(&fold_name(name))
        }
    }

    /// Whether it contains a file with this name.
    pub fn has_file(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|e| e.kind == EntryKind::File)
    }

    /// Returns the names of the files that end in one of `endings`, in arbitrary order.
    pub fn files_ending_in(&self, endings: &[&str]) -> impl Iterator<Item = &str> {
        let files = self.entries.values().filter(|entry| entry.kind == EntryKind::File);
        files
            .map(|entry| entry.name.as_str())
            .filter(move |name| endings.iter().any(|ending| name.ends_with(ending)))
    }

    /// Returns all entries in arbitrary order.
    pub(super) fn unordered(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Returns all entries in the order of NTFS: sorted by upper-case names, so that `_` follows
    /// letters.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_by_cached_key(|entry| entry.name.to_uppercase());
        entries
    }
}

/// The facts about a PE file that the loader needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The machine for which it is built.
    pub machine: Machine,
    /// Whether it is a DLL rather than a program.
    #[serde(default = "yes")]
    pub is_dll: bool,
    /// The names in the import table, in order. DLLs without imported symbols are left out, because
    /// the loader skips them (ReactOS' `LdrpHandleOneNewFormatImportDescriptor`, Wine's
    /// `import_dll`).
    pub imports: Vec<String>,
    /// The names in the delay import table. These DLLs are loaded at the first call, not with the
    /// image.
    pub delay_imports: Vec<String>,
    /// For an ARM64X image, the names that an x64 process on ARM64 sees.
    #[serde(default)]
    pub for_x64: Option<DllNames>,
    /// The file version in VERSIONINFO.
    pub version: Option<FileVersion>,
    /// The version of the linker. For an image linked by MSVC, it identifies the toolset.
    pub linker: (u8, u8),
    /// The time of linking in seconds since 1970. It is a hash in a reproducible build, and some
    /// linkers write 0 ("PE Format", TimeDateStamp).
    #[serde(default)]
    pub time_stamp: u32,
    /// The lowest version of Windows that it requires (major, minor).
    pub subsystem_version: (u16, u16),
    /// The `LOAD_LIBRARY_SEARCH_*` flags for its imports, set by `/DEPENDENTLOADFLAG`. 0 selects
    /// the standard search.
    #[serde(default)]
    pub dependent_load_flags: u16,
    /// What its manifests say about DLLs, by resource number.
    #[serde(default)]
    pub manifests: Vec<(u32, Manifest)>,
    /// Whether it only contains .NET code for any processor, which every process can map.
    #[serde(default)]
    pub any_cpu: bool,
    /// The Python modules that its code imports while it is imported itself, and the level of the
    /// import if a Cython module's source makes it
    /// ([`Image::module_imports`](crate::image::Image)).
    #[serde(default)]
    pub module_imports: Vec<String>,
    /// The program that it starts in its place if it is a trampoline of uv
    /// ([`Image::trampoline_target`](crate::image::Image)).
    #[serde(default)]
    pub starts: Option<String>,
    /// The size of the file in bytes.
    pub size: u64,
}

/// The DLLs that an image imports.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DllNames {
    /// See [`ImageFacts::imports`].
    pub imports: Vec<String>,
    /// See [`ImageFacts::delay_imports`].
    pub delay_imports: Vec<String>,
}

impl ImageFacts {
    /// Returns the imports and the delay imports of the image in a process for the machine
    /// `process`.
    pub fn dlls(&self, process: Machine) -> (&[String], &[String]) {
        match &self.for_x64 {
            Some(names) if process != Machine::Arm64 => (&names.imports, &names.delay_imports),
            _ => (&self.imports, &self.delay_imports),
        }
    }
}

/// Returns the default for snapshots that were recorded before the field existed.
fn yes() -> bool {
    true
}

impl Default for ImageFacts {
    /// Returns an x64 image without imports, and otherwise with the least an image must have.
    fn default() -> ImageFacts {
        ImageFacts {
            machine: Machine::X64,
            is_dll: true,
            imports: Vec::new(),
            delay_imports: Vec::new(),
            for_x64: None,
            version: None,
            linker: (14, 0),
            time_stamp: 0,
            subsystem_version: (6, 0),
            dependent_load_flags: 0,
            manifests: Vec::new(),
            any_cpu: false,
            module_imports: Vec::new(),
            starts: None,
            size: 0,
        }
    }
}

/// The reason why a file or directory could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum FileError {
    /// The file or directory doesn't exist.
    #[error("it does not exist")]
    NotFound,
    /// The user may not read it.
    #[error("access is denied")]
    AccessDenied,
    /// Its path is longer than programs may use on this machine.
    #[error("its path is too long")]
    PathTooLong,
    /// A directory instead of a file, or the reverse.
    #[error("it is {0}")]
    WrongKind(String),
    /// The file is larger than the limit.
    #[error("it is too large ({0} bytes)")]
    TooLarge(u64),
    /// The directory of the zip archive cannot be read.
    #[error("it is not a readable zip archive: {0}")]
    BadArchive(String),
    /// The snapshot doesn't contain it.
    #[error("the snapshot does not contain it")]
    NotRecorded,
    /// The compiled module cannot be read.
    #[error("{0}")]
    BadModule(String),
    /// Any other error of the operating system.
    #[error("{0}")]
    Other(String),
}

/// The reason why an image could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ImageFault {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file isn't a valid image.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> FileError {
        match error.kind() {
            std::io::ErrorKind::NotFound => FileError::NotFound,
            std::io::ErrorKind::PermissionDenied => FileError::AccessDenied,
            std::io::ErrorKind::NotADirectory => FileError::WrongKind("not a folder".into()),
            std::io::ErrorKind::IsADirectory => FileError::WrongKind("a folder".into()),
            _ => FileError::Other(error.to_string()),
        }
    }
}

impl<F: Files + ?Sized> Files for Arc<F> {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        (**self).folder(path)
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        (**self).size(path)
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        (**self).text(path)
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        (**self).image(path)
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        (**self).script(path)
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        (**self).archive(path)
    }

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        (**self).binding(importer, dll, exporter)
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        (**self).export(path, symbol)
    }

    fn contains(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        (**self).contains(path, text)
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        (**self).instructions(path)
    }

    fn fingerprint(&self, path: &WinPath) -> Fingerprint {
        (**self).fingerprint(path)
    }

    fn untracked(&self) -> Option<Arc<dyn Files>> {
        (**self).untracked()
    }

    fn on(&self, disk: &Arc<Disk>) -> Option<Arc<dyn Files>> {
        (**self).on(disk)
    }

    fn modules_read(&self) -> u64 {
        (**self).modules_read()
    }
}
