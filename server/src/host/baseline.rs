//! A clean Windows 10 or 11 as shipped by Microsoft: the names in its system directories.
//!
//! It is used if the machine itself isn't available. The DLLs of Windows are assumed to load; what
//! they import isn't known and doesn't matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::account::PROFILE;
use super::fact::{AnyAnswer, AnyFact, AssumedImage};
use super::fault::FileError;
use super::files::Files;
use super::fingerprint::Fingerprint;
use super::folder::{Entry, EntryKind, Folder};
use super::path::{WinPath, fold_name};
use super::redistributable;
use crate::image::{FileVersion, Machine};

/// A clean Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Baseline {
    /// Its name for `--host`.
    pub name: &'static str,
    windows: Windows,
    with_redistributable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Windows {
    /// Windows 10 22H2 for x64.
    Ten,
    /// Windows 11 23H2 for x64.
    Eleven,
    /// Windows 11 for ARM64.
    ElevenOnArm,
}

impl Baseline {
    /// The built-in baselines. Some have the Visual C++ v14 Redistributable for processes of each
    /// kind.
    pub const ALL: [Baseline; 5] = [
        Baseline { name: "windows-10", windows: Windows::Ten, with_redistributable: false },
        Baseline::DEFAULT,
        Baseline { name: "windows-11+vcredist", windows: Windows::Eleven, with_redistributable: true },
        Baseline::ON_ARM,
        Baseline {
            name: "windows-11-arm64+vcredist",
            windows: Windows::ElevenOnArm,
            with_redistributable: true,
        },
    ];

    /// The one to assume if nothing is known: Windows 11 for x64.
    pub const DEFAULT: Baseline =
        Baseline { name: "windows-11", windows: Windows::Eleven, with_redistributable: false };

    /// Windows 11 for ARM64.
    const ON_ARM: Baseline =
        Baseline { name: "windows-11-arm64", windows: Windows::ElevenOnArm, with_redistributable: false };

    /// Returns the baseline with this name.
    pub fn named(name: &str) -> Option<Baseline> {
        Baseline::ALL.into_iter().find(|baseline| baseline.name == name)
    }

    /// Returns their names as a list for a sentence.
    pub fn names() -> String {
        let [first @ .., last] = Baseline::ALL.map(|baseline| baseline.name);
        format!("{} or {last}", first.join(", "))
    }

    /// Returns the baseline to assume for a program for this machine.
    pub fn for_program(program: Machine) -> Baseline {
        if program == Machine::Arm64 { Baseline::ON_ARM } else { Baseline::DEFAULT }
    }

    /// Returns the version of Windows: major, minor, build.
    pub fn version(self) -> &'static str {
        match self.windows {
            Windows::Ten => "10.0.19045",
            Windows::Eleven | Windows::ElevenOnArm => "10.0.22631",
        }
    }

    /// Returns the machine for which it is built.
    pub fn machine(self) -> Machine {
        match self.windows {
            Windows::Ten | Windows::Eleven => Machine::X64,
            Windows::ElevenOnArm => Machine::Arm64,
        }
    }

    /// Whether it is Windows 10.
    pub fn is_windows_10(self) -> bool {
        self.windows == Windows::Ten
    }

    /// Returns the contents of the [`DIRECTORIES`].
    fn system_folders(self) -> [SystemFolder; 2] {
        static KNOWN: Mutex<BTreeMap<&str, [SystemFolder; 2]>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = known.entry(self.name).or_insert_with(|| {
            DIRECTORIES.map(|directory| {
                let dlls = || self.dlls(directory);
                let machines = dlls().map(|(name, machine)| (fold_name(&name), machine)).collect();
                let listing = Folder::new(dlls().map(|(name, _)| Entry { name, kind: EntryKind::File }));
                SystemFolder { listing: Arc::new(listing), machines: Arc::new(machines) }
            })
        });
        folders.clone()
    }

    /// Returns the DLLs in a directory, each with the machine for which it is built.
    ///
    /// The DLLs in System32 on ARM64 serve both ARM64 and x64 processes (Microsoft, "Arm64X PE
    /// files"). Some of them contain no ARM64 code, but nobody has published a list. DLLs that are
    /// only known from Windows for x64 are assumed to be such DLLs, so that x64 processes find
    /// them.
    fn dlls(self, directory: Directory) -> impl Iterator<Item = (String, Machine)> {
        let on_arm = self.windows == Windows::ElevenOnArm;
        let version = if self.is_windows_10() { "10" } else { "11" };
        let machine = match directory {
            Directory::System32 if on_arm => Machine::Arm64X,
            _ => directory.machine(),
        };
        let differences = lines(ON_ARM).filter(|_| on_arm).map(|line| (line.name, line.column(directory)));
        let differences: HashMap<&str, &str> = differences.collect();
        let added = differences.iter().filter(|(_, mark)| **mark == "+").map(|(name, _)| (*name, machine));
        let added: Vec<(&str, Machine)> = added.collect();
        let listed = lines(SYSTEM_DLLS).filter_map(move |line| {
            let owner = line.column(directory);
            let is_here = owner.is_empty() || owner == version;
            let machine = match (differences.get(line.name), directory) {
                (Some(&"-"), Directory::SysWow64) => None,
                (Some(&"-"), Directory::System32) => Some(Machine::X64),
                _ => Some(machine),
            };
            Some((line.name, machine.filter(|_| is_here)?))
        });
        let suffixed = |(name, machine): (&str, Machine)| match name.ends_with(DRIVER) {
            true => (name.to_owned(), machine),
            false => (format!("{name}.dll"), machine),
        };
        let others = OTHER_SUFFIXES.map(|name| (name.to_owned(), machine));
        let installed = redistributable::DLLS.into_iter().filter_map(move |name| {
            let machine = redistributable::installed(name, directory.machine(), self.machine())?;
            self.with_redistributable.then(|| (name.to_owned(), machine))
        });
        listed.chain(added).map(suffixed).chain(others).chain(installed)
    }
}

/// Whether Windows 10 22H2 or 11 ships a DLL of this name in its system directories. Any other DLL
/// there was added by a program, or belongs to another Windows.
pub fn is_of_windows(name: &str) -> bool {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let clean = Baseline::ALL.into_iter().filter(|baseline| !baseline.with_redistributable);
        let all = clean.flat_map(|baseline| DIRECTORIES.map(|directory| (baseline, directory)));
        let dlls = all.flat_map(|(baseline, directory)| baseline.dlls(directory));
        dlls.map(|(name, _)| name.to_ascii_lowercase()).collect()
    });
    NAMES.contains(&name.to_ascii_lowercase())
}

#[derive(Clone, Copy)]
enum Directory {
    System32,
    SysWow64,
}

const DIRECTORIES: [Directory; 2] = [Directory::System32, Directory::SysWow64];

impl Directory {
    fn name(self) -> &'static str {
        match self {
            Directory::System32 => "System32",
            Directory::SysWow64 => "SysWOW64",
        }
    }

    /// Returns the machine of the x86 or x64 processes that find their DLLs here.
    fn machine(self) -> Machine {
        match self {
            Directory::System32 => Machine::X64,
            Directory::SysWow64 => Machine::X86,
        }
    }
}

/// The DLLs in each of the directories, see `data/README.md`.
const SYSTEM_DLLS: &str = include_str!("../../data/system-dlls.txt");

/// The DLLs that Windows 11 for ARM64 has (`+`) or lacks (`-`) in comparison with x64.
const ON_ARM: &str = include_str!("../../data/system-dlls-arm64.txt");

/// A line of these tables.
struct Line {
    name: &'static str,
    in_system32: &'static str,
    /// `None` if it is the same as `in_system32`.
    in_syswow64: Option<&'static str>,
}

impl Line {
    fn column(&self, directory: Directory) -> &'static str {
        match directory {
            Directory::System32 => self.in_system32,
            Directory::SysWow64 => self.in_syswow64.unwrap_or(self.in_system32),
        }
    }
}

fn lines(table: &'static str) -> impl Iterator<Item = Line> {
    table.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        let (name, in_system32) = (columns.next()?, columns.next().unwrap_or_default());
        Some(Line { name, in_system32, in_syswow64: columns.next() })
    })
}

/// The suffix that names in the table may have. All other names are listed without their `.dll`.
const DRIVER: &str = ".drv";

/// System DLLs that are missing in the lists because they don't end in `.dll`. Programs import them
/// through the SDK's import libraries of the same names (`bthprops.lib`, `irprops.lib`).
const OTHER_SUFFIXES: [&str; 2] = ["bthprops.cpl", "irprops.cpl"];

/// The system directories of a clean Windows, on top of the files of `rest`.
pub struct BaselineFiles {
    rest: Arc<dyn Files>,
    /// `C:\Windows`.
    windows: WinPath,
    folders: HashMap<String, SystemFolder>,
    version: FileVersion,
}

#[derive(Clone)]
struct SystemFolder {
    listing: Arc<Folder>,
    /// The machine of each DLL by case-folded name.
    machines: Arc<HashMap<String, Machine>>,
}

impl BaselineFiles {
    /// Puts the system directories of `baseline` below `windows` (`C:\Windows`), on top of `rest`.
    pub fn new(baseline: Baseline, windows: &WinPath, rest: Arc<dyn Files>) -> BaselineFiles {
        let names = DIRECTORIES.map(|directory| windows.join(directory.name()).key());
        let folders = names.into_iter().zip(baseline.system_folders()).collect();
        let mut version = FileVersion([10, 0, 0, 0]);
        for (part, number) in version.0.iter_mut().zip(baseline.version().split('.')) {
            *part = number.parse().unwrap_or_default();
        }
        BaselineFiles { rest, windows: windows.clone(), folders, version }
    }

    fn system_folder(&self, path: &WinPath) -> Option<&SystemFolder> {
        self.folders.get(&path.key())
    }

    /// Returns what is known of a system DLL, or `None` if `path` isn't in a system directory.
    fn system_image(&self, path: &WinPath) -> Option<Result<AssumedImage, FileError>> {
        // Most files are elsewhere.
        if !path.is_within(&self.windows) {
            return None;
        }
        let folder = self.system_folder(&path.parent()?)?;
        let Some(machine) = folder.machines.get(&fold_name(path.file_name())) else {
            return Some(Err(FileError::NotFound));
        };
        let is_redistributable = redistributable::contains(path.file_name());
        let version = if is_redistributable { redistributable::NEWEST } else { self.version };
        Some(Ok(AssumedImage { machine: *machine, version: Some(version), size: None }))
    }
}

/// Returns a directory in the profile of a new account, which only contains such directories.
fn profile_folder(path: &WinPath) -> Option<Arc<Folder>> {
    PROFILE.iter().find(|folder| *path == WinPath::new(**folder))?;
    let inner = PROFILE.map(WinPath::new).into_iter().filter(|folder| folder.parent().as_ref() == Some(path));
    let entries = inner.map(|folder| Entry { name: folder.file_name().to_owned(), kind: EntryKind::Folder });
    Some(Arc::new(Folder::new(entries)))
}

impl Files for BaselineFiles {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        match self.system_folder(path) {
            Some(folder) => Ok(folder.listing.clone()),
            None => match self.rest.folder(path) {
                Err(FileError::NotFound) => profile_folder(path).ok_or(FileError::NotFound),
                folder => folder,
            },
        }
    }

    /// Only the names of system DLLs are known, so they are assumed to export everything and to need
    /// nothing.
    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        let system_image = fact.files().iter().rev().find_map(|file| self.system_image(file));
        let Some(image) = system_image.transpose()? else { return self.rest.answer(fact) };
        let contains = |file: &WinPath, string: &str| self.rest.contains(file, string).unwrap_or(true);
        fact.of_assumed_image(&image, &contains).map_or_else(|| self.rest.answer(fact), Ok)
    }

    fn fingerprint(&self, path: &WinPath) -> Fingerprint {
        match self.system_image(path) {
            None => self.rest.fingerprint(path),
            Some(Ok(_)) => Fingerprint::BuiltIn,
            Some(Err(error)) => Fingerprint::Error(error),
        }
    }
}
