//! The files of a machine, as facts: what a folder holds, what an image or a Python module says.
//!
//! Every look at the disk goes through [`Files`], so that it happens once, can be recorded into a
//! snapshot, and can be watched. Nothing above this room opens a file.

use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::path::{WinPath, fold_name};
use super::reading::Proof;
use crate::image::{Binding, Export, FileVersion, ImageError, Machine, Manifest, Symbol};
use crate::source::Script;

/// What can be asked of the files of a machine. Names are found without regard to case. Each answer is
/// remembered by the implementation, so asking twice is cheap.
pub trait Files: Send + Sync {
    /// The names in a folder.
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError>;

    /// Size of a file in bytes.
    fn size(&self, path: &WinPath) -> Result<u64, FileError>;

    /// The text of a small file (configuration, metadata), at most [`TEXT_LIMIT`] bytes; bytes that are
    /// no UTF-8 are replaced.
    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError>;

    /// What a PE file says about itself.
    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault>;

    /// What importing a Python source file does; of a [part](WinPath::with_part) of one the definition that stands there.
    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError>;

    /// The module names (dotted, with `/` between packages and without suffix: `encodings/utf_8`) that a
    /// zip archive on `sys.path` offers.
    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError>;

    /// What the image `importer` imports under the name `dll`, held against the exports of the image `exporter`.
    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault>;

    /// What an image exports under a name or an ordinal.
    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault>;

    /// Whether the bytes of a file, at most [`LARGEST_SEARCHED`], hold this text. It reads the whole file: to be asked only
    /// where something else gives reason to.
    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError>;

    /// The sets of instructions without which an image cannot start, see [`Image::instructions_at_start`]: to be asked only where the
    /// processor lacks some.
    ///
    /// [`Image::instructions_at_start`]: crate::image::Image::instructions_at_start
    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault>;

    /// What proves later that a file says what it said when it was first looked at through this value.
    fn proof(&self, _path: &WinPath) -> Proof {
        Proof::Nothing
    }

    /// The same files, for one who reads ahead what may be asked for later: it decides nothing, and so need not
    /// be witnessed. None if nobody witnesses what these are asked.
    fn unwitnessed(&self) -> Option<Arc<dyn Files>> {
        None
    }

    /// The same files with `disk` below them; none if they lie on no disk.
    fn on(&self, _disk: &Arc<Disk>) -> Option<Arc<dyn Files>> {
        None
    }

    /// How many modules had to be read so far, because nothing was remembered of them.
    fn modules_read(&self) -> u64 {
        0
    }

    /// Whether `path` names a file. A folder listed once answers without another look at the disk.
    fn is_file(&self, path: &WinPath) -> bool {
        self.kind(path) == Some(EntryKind::File)
    }

    /// Whether `path` names a folder.
    fn is_folder(&self, path: &WinPath) -> bool {
        self.kind(path) == Some(EntryKind::Folder)
    }

    /// What `path` names, if it exists.
    fn kind(&self, path: &WinPath) -> Option<EntryKind> {
        let Some(parent) = path.parent() else {
            return self.folder(path).is_ok().then_some(EntryKind::Folder);
        };
        let folder = self.folder(&parent).ok()?;
        folder.entry(path.file_name()).map(|entry| entry.kind)
    }
}

/// Whether the record of an installation counts a file of this name, or path, as native code.
pub fn is_native(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["pyd", "dll", "so", "exe"].iter().any(|native| extension.eq_ignore_ascii_case(native))
}

/// The longest text that is read: TensorFlow's RECORD has 2 MB.
pub const TEXT_LIMIT: u64 = 16 << 20;

/// The longest file that is searched for a text, in bytes: no image is larger (the size of one has 32 bits).
pub const LARGEST_SEARCHED: u64 = 4 << 30;

/// A folder, listed once.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    entries: FxHashMap<String, Entry>,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name as it is written on disk.
    pub name: String,
    /// File or folder; a link counts as what it leads to.
    pub kind: EntryKind,
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder, or a link to one.
    Folder,
}

impl Folder {
    /// A folder of these entries.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Folder {
        Folder { entries: entries.into_iter().map(|entry| (fold_name(&entry.name), entry)).collect() }
    }

    /// The entry of this name, in any case.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        if name.bytes().all(|b| !b.is_ascii_uppercase() && b.is_ascii()) {
            self.entries.get(name)
        } else {
            self.entries.get(&fold_name(name))
        }
    }

    /// Whether a file of this name is there.
    pub fn has_file(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|e| e.kind == EntryKind::File)
    }

    /// The names of the files with one of these endings, in no order that means anything.
    pub fn files_ending_in(&self, endings: &[&str]) -> impl Iterator<Item = &str> {
        let files = self.entries.values().filter(|entry| entry.kind == EntryKind::File);
        files
            .map(|entry| entry.name.as_str())
            .filter(move |name| endings.iter().any(|ending| name.ends_with(ending)))
    }

    /// All entries, in no order that means anything.
    pub(super) fn unordered(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// All entries as NTFS lists them: sorted by their names in upper case, so that `_` follows letters.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_by_cached_key(|entry| entry.name.to_uppercase());
        entries
    }
}

/// What the loader needs to know of a PE file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The machine that the code is for.
    pub machine: Machine,
    /// It is a DLL, and not a program.
    #[serde(default = "yes")]
    pub is_dll: bool,
    /// Names in the import table, in its order. Those of which nothing is imported are not among them: the loader
    /// passes over them (ReactOS' `LdrpHandleOneNewFormatImportDescriptor`, Wine's `import_dll`).
    pub imports: Vec<String>,
    /// Names in the delay import table: loaded at the first call, not with the image.
    pub delay_imports: Vec<String>,
    /// Those names as an x64 process on ARM64 sees them, of an ARM64X image.
    #[serde(default)]
    pub for_x64: Option<DllNames>,
    /// VERSIONINFO's file version.
    pub version: Option<FileVersion>,
    /// Version of the linker that made it: the toolset, for an image linked by MSVC.
    pub linker: (u8, u8),
    /// When it was linked, in seconds since 1970; of a reproducible build it is a hash, and of some linkers 0 ("PE Format",
    /// TimeDateStamp).
    #[serde(default)]
    pub time_stamp: u32,
    /// Lowest version of Windows that it asks for.
    pub subsystem_version: (u16, u16),
    /// `/DEPENDENTLOADFLAG`: `LOAD_LIBRARY_SEARCH_*` for its imports; 0 is the usual search.
    #[serde(default)]
    pub dependent_load_flags: u16,
    /// What its manifests say of DLLs, by the number of the resource.
    #[serde(default)]
    pub manifests: Vec<(u32, Manifest)>,
    /// It holds nothing but .NET code for any processor, which a process of any machine can map.
    #[serde(default)]
    pub any_cpu: bool,
    /// The Python modules that its code imports while it is imported itself, and at which level if its text does
    /// ([`Image::module_imports`](crate::image::Image)).
    #[serde(default)]
    pub module_imports: Vec<String>,
    /// The program that it starts in its own place: it is a trampoline of uv
    /// ([`Image::trampoline_target`](crate::image::Image)).
    #[serde(default)]
    pub starts: Option<String>,
    /// Size of the file in bytes.
    pub size: u64,
}

/// The DLLs that an image asks for.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DllNames {
    /// See [`ImageFacts::imports`].
    pub imports: Vec<String>,
    /// See [`ImageFacts::delay_imports`].
    pub delay_imports: Vec<String>,
}

impl ImageFacts {
    /// The DLLs that are loaded with the image into a process of this machine, and those that wait for the first call.
    pub fn dlls(&self, process: Machine) -> (&[String], &[String]) {
        match &self.for_x64 {
            Some(names) if process != Machine::Arm64 => (&names.imports, &names.delay_imports),
            _ => (&self.imports, &self.delay_imports),
        }
    }
}

/// Snapshots from before a field existed.
fn yes() -> bool {
    true
}

impl Default for ImageFacts {
    /// An x64 image that imports nothing and says no more of itself than it must.
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

/// A file or folder could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum FileError {
    /// No such file or folder.
    #[error("it does not exist")]
    NotFound,
    /// This user may not read it.
    #[error("access is denied")]
    AccessDenied,
    /// Its path is longer than programs may use on this machine.
    #[error("its path is too long")]
    PathTooLong,
    /// A folder where a file was asked for, or the reverse.
    #[error("it is {0}")]
    WrongKind(String),
    /// Longer than what we read.
    #[error("it is too large ({0} bytes)")]
    TooLarge(u64),
    /// The archive's directory cannot be read.
    #[error("it is no zip archive that can be read: {0}")]
    BadArchive(String),
    /// A recorded snapshot holds nothing about it.
    #[error("the snapshot does not hold it")]
    NotRecorded,
    /// The compiled module cannot be read.
    #[error("{0}")]
    BadModule(String),
    /// Anything else that the system said.
    #[error("{0}")]
    Other(String),
}

/// An image could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ImageFault {
    /// The file itself cannot be had.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no valid image.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> FileError {
        match error.kind() {
            std::io::ErrorKind::NotFound => FileError::NotFound,
            std::io::ErrorKind::PermissionDenied => FileError::AccessDenied,
            std::io::ErrorKind::NotADirectory => FileError::WrongKind("no folder".into()),
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

    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        (**self).holds(path, text)
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        (**self).instructions(path)
    }

    fn proof(&self, path: &WinPath) -> Proof {
        (**self).proof(path)
    }

    fn unwitnessed(&self) -> Option<Arc<dyn Files>> {
        (**self).unwitnessed()
    }

    fn on(&self, disk: &Arc<Disk>) -> Option<Arc<dyn Files>> {
        (**self).on(disk)
    }

    fn modules_read(&self) -> u64 {
        (**self).modules_read()
    }
}
