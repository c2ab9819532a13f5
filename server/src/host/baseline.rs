//! A clean Windows 10 or 11 (x64) as it comes from Microsoft: the names in its system directories.
//!
//! Used where the machine itself is not at hand. Its own DLLs are taken to load; what they import is not
//! known and does not matter.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use super::account::PROFILE;
use super::disk::Disk;
use super::files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::reading::Proof;
use super::redistributable;
use crate::image::{Binding, Export, FileVersion, Machine, Symbol};
use crate::source::Script;

/// Which clean Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// Windows 10 22H2.
    Windows10,
    /// Windows 11 23H2.
    Windows11,
    /// Windows 11 23H2 with the Visual C++ v14 Redistributable, x64 and x86.
    Windows11WithRedistributable,
}

impl Baseline {
    /// Version of Windows: major, minor, build.
    pub fn version(self) -> &'static str {
        match self {
            Baseline::Windows10 => "10.0.19045",
            Baseline::Windows11 | Baseline::Windows11WithRedistributable => "10.0.22631",
        }
    }

    /// The names that this Windows has in a directory.
    fn names(self, directory: Directory) -> impl Iterator<Item = String> {
        let ours = if self == Baseline::Windows10 { "10" } else { "11" };
        let names = SYSTEM_DLLS.lines().filter_map(move |line| {
            let mut columns = line.split('\t');
            let name = columns.next()?;
            let in_system32 = columns.next().unwrap_or_default();
            let who = match directory {
                Directory::System32 => in_system32,
                Directory::SysWow64 => columns.next().unwrap_or(in_system32),
            };
            (who.is_empty() || who == ours).then_some(name)
        });
        names.map(|name| if name.ends_with(DRIVER) { name.to_owned() } else { format!("{name}.dll") })
    }
}

/// Whether Windows 10 22H2 or 11 23H2 comes with a DLL of this name in its system directories. What has another name there was put
/// there by some program, or belongs to another Windows.
pub fn is_of_windows(name: &str) -> bool {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let baselines = [Baseline::Windows10, Baseline::Windows11];
        let all = baselines.into_iter().flat_map(|one| DIRECTORIES.map(|(directory, ..)| (one, directory)));
        all.flat_map(|(one, directory)| one.names(directory)).map(|name| name.to_ascii_lowercase()).collect()
    });
    NAMES.contains(&name.to_ascii_lowercase())
}

#[derive(Clone, Copy)]
enum Directory {
    System32,
    SysWow64,
}

/// The system directories: name, machine.
const DIRECTORIES: [(Directory, &str, Machine); 2] =
    [(Directory::System32, "System32", Machine::X64), (Directory::SysWow64, "SysWOW64", Machine::X86)];

/// What is in which of them, see `data/README.md`.
const SYSTEM_DLLS: &str = include_str!("../../data/system-dlls.txt");

/// Names in the table that end so stand there in full; behind all others `.dll` is left out.
const DRIVER: &str = ".drv";

/// What the lists leave out, since it does not end in `.dll`, and programs import all the same: the SDK's import libraries of
/// these names (`bthprops.lib`, `irprops.lib`) lead there.
const OTHER_SUFFIXES: [&str; 2] = ["bthprops.cpl", "irprops.cpl"];

/// A clean Windows' system directories over the files of `rest`.
pub struct BaselineFiles<F> {
    rest: F,
    folders: HashMap<String, (Machine, Arc<Folder>)>,
    version: FileVersion,
}

impl<F: Files> BaselineFiles<F> {
    /// Lays the system directories of `baseline` under `windows` (`C:\Windows`) over `rest`.
    pub fn new(baseline: Baseline, windows: &WinPath, rest: F) -> BaselineFiles<F> {
        let with_redistributable = baseline == Baseline::Windows11WithRedistributable;
        let folders = DIRECTORIES.map(|(directory, name, machine)| {
            let added = redistributable::DLLS.iter();
            let added = added.filter(|name| with_redistributable && redistributable::installs(name, machine));
            let others = OTHER_SUFFIXES.iter().chain(added).map(|name| (*name).to_owned());
            let names = baseline.names(directory).chain(others);
            let entries = names.map(|name| Entry { name, kind: EntryKind::File });
            (windows.join(name).key(), (machine, Arc::new(Folder::new(entries))))
        });
        let mut version = FileVersion([10, 0, 0, 0]);
        for (part, number) in version.0.iter_mut().zip(baseline.version().split('.')) {
            *part = number.parse().unwrap_or_default();
        }
        BaselineFiles { rest, folders: folders.into(), version }
    }

    fn system_folder(&self, path: &WinPath) -> Option<&(Machine, Arc<Folder>)> {
        self.folders.get(&path.key())
    }

    /// The machine that a DLL of a system directory is for, if `path` is one.
    fn system_image(&self, path: &WinPath) -> Option<Result<Machine, FileError>> {
        let (machine, folder) = self.system_folder(&path.parent()?)?;
        let found = folder.has_file(path.file_name());
        Some(found.then_some(*machine).ok_or(FileError::NotFound))
    }
}

/// A folder of the profile of a new account, which holds nothing but such folders.
fn profile_folder(path: &WinPath) -> Option<Arc<Folder>> {
    PROFILE.iter().find(|folder| *path == WinPath::new(**folder))?;
    let inner = PROFILE.map(WinPath::new).into_iter().filter(|folder| folder.parent().as_ref() == Some(path));
    let entries = inner.map(|folder| Entry { name: folder.file_name().to_owned(), kind: EntryKind::Folder });
    Some(Arc::new(Folder::new(entries)))
}

impl<F: Files> Files for BaselineFiles<F> {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        match self.system_folder(path) {
            Some((_, folder)) => Ok(folder.clone()),
            None => match self.rest.folder(path) {
                Err(FileError::NotFound) => profile_folder(path).ok_or(FileError::NotFound),
                folder => folder,
            },
        }
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.rest.size(path)
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        self.rest.text(path)
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        match self.system_image(path) {
            None => self.rest.image(path),
            Some(machine) => {
                let name = path.file_name().to_ascii_lowercase();
                let is_redistributable = redistributable::DLLS.contains(&name.as_str());
                Ok(Arc::new(ImageFacts {
                    machine: machine?,
                    version: Some(if is_redistributable { redistributable::VERSION } else { self.version }),
                    ..ImageFacts::default()
                }))
            }
        }
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        self.rest.script(path)
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        self.rest.archive(path)
    }

    /// Of the system's DLLs only the names are known: what is asked of them, they have.
    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        match self.system_image(exporter).or_else(|| self.system_image(importer)) {
            None => self.rest.binding(importer, dll, exporter),
            Some(found) => Ok(found.map(|_| Arc::default())?),
        }
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        match self.system_image(path) {
            None => self.rest.export(path, symbol),
            Some(found) => Ok(found.map(|_| Some(Export::Address(0)))?),
        }
    }

    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        match self.system_image(path) {
            None => self.rest.holds(path, text),
            Some(found) => found.map(|_| false),
        }
    }

    /// Windows runs on every processor that it starts on.
    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        match self.system_image(path) {
            None => self.rest.instructions(path),
            Some(found) => Ok(found.map(|_| Arc::default())?),
        }
    }

    fn proof(&self, path: &WinPath) -> Proof {
        match self.system_image(path) {
            None => self.rest.proof(path),
            Some(Ok(_)) => Proof::BuiltIn,
            Some(Err(error)) => Proof::Fails(error),
        }
    }

    fn on(&self, disk: &Arc<Disk>) -> Option<Arc<dyn Files>> {
        let BaselineFiles { folders, version, .. } = self;
        Some(Arc::new(BaselineFiles { rest: disk.clone(), folders: folders.clone(), version: *version }))
    }

    fn modules_read(&self) -> u64 {
        self.rest.modules_read()
    }
}
