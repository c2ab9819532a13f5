//! A Windows machine: its system directories, KnownDLLs, API sets, `PATH`, and files.
//!
//! The machine can be this one, a directory that holds a system drive, one of the built-in
//! [`Baseline`]s, or a recorded [`snapshot`]. They differ only in where their facts come from.
//! Everything that examines a machine uses a [`Host`].

mod account;
mod answer_cache;
mod api_sets;
mod archive;
mod baseline;
mod cache;
mod disk;
mod fact;
pub mod facts;
mod fault;
mod files;
mod fingerprint;
mod folder;
mod known_dlls;
#[cfg(windows)]
mod live;
mod map;
#[cfg(test)]
mod memory;
mod native_files;
mod overlay;
mod path;
mod read_set;
mod read_tracker;
pub mod redistributable;
pub mod registered_pythons;
mod running;
pub mod session;
pub mod snapshot;
mod spec;
pub mod variables;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use account::{is_always_set, profile_of};
pub use answer_cache::{AnswerCache, Question};
pub use api_sets::{ApiSet, ApiSets};
pub use baseline::{Baseline, BaselineFiles, is_of_windows};
pub use cache::FactCache;
pub use disk::Disk;
pub use fact::{AnyAnswer, AnyFact, AssumedImage, Fact, FactKey, FactKind};
pub use facts::{DllNames, ImageFacts};
pub use fault::{FileError, ImageFault};
pub use files::Files;
pub use fingerprint::{Fingerprint, Stamp};
pub use folder::{Entry, EntryKind, Folder, is_native};
#[cfg(test)]
pub use memory::MemoryFiles;
pub use native_files::NativeFiles;
pub use overlay::{Change, Overlay};
pub use path::{WinPath, fold_name, path_directories};
pub use read_set::ReadSet;
pub use read_tracker::{CancellationToken, Cancelled, ReadTracker};
pub use registered_pythons::{RegisteredPython, Registration};
pub use running::{MachineFacts, RegisteredRuntime};
pub use spec::HostSpec;
pub use watch::{Watched, Watcher};

use crate::image::{FileVersion, Machine};

/// A Windows machine to analyse.
#[derive(Clone)]
pub struct Host {
    /// The source of its facts.
    pub kind: HostKind,
    /// The version of Windows, such as `10.0.19045`, if it is known.
    pub windows_version: Option<String>,
    /// The machine for which the operating system is built.
    pub machine: Machine,
    /// `C:\Windows`.
    pub windows_directory: WinPath,
    /// The base names of its KnownDLLs, in lower case.
    pub known_dlls: Arc<BTreeSet<String>>,
    /// Its API set schema.
    pub api_sets: Arc<ApiSets>,
    /// The environment variables of the process that will run Python. Names are in upper case.
    pub variables: BTreeMap<String, String>,
    /// For a snapshot, the [`Host::usual_variables`] of the recorded machine.
    recorded_variables: BTreeMap<String, String>,
    /// For a snapshot, the [`Host::roaming_data`] of the recorded machine.
    recorded_roaming_data: Option<WinPath>,
    /// For a snapshot, whether the recorded machine [has a new PATH](Host::has_new_path).
    recorded_new_path: bool,
    /// The facts from its registry and its processor.
    pub running: MachineFacts,
    /// For a snapshot, the interpreter that was diagnosed when it was recorded.
    pub recorded_interpreter: Option<WinPath>,
    /// The Pythons in its registry. Empty if the registry isn't available.
    pub registered_pythons: Arc<Vec<RegisteredPython>>,
    /// Its files.
    pub files: Arc<dyn Files>,
    /// The mapping between its paths and the paths of the system that WhyDLL runs on. `None` for a
    /// snapshot, whose paths have no native counterpart.
    disk: Option<Arc<Disk>>,
}

/// The source of a machine's facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// The Windows that WhyDLL runs on.
    Live,
    /// A directory that holds a system drive.
    Directory,
    /// A clean Windows with this name.
    Baseline(String),
    /// A recorded machine.
    Snapshot {
        /// False if the snapshot is known to lack facts that change a diagnosis.
        is_exact: bool,
    },
}

impl HostKind {
    /// Whether it is a recorded machine.
    pub fn is_snapshot(&self) -> bool {
        matches!(self, HostKind::Snapshot { .. })
    }
}

impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostKind::Live => f.write_str("live"),
            HostKind::Directory => f.write_str("directory"),
            HostKind::Baseline(name) => f.write_str(name),
            HostKind::Snapshot { is_exact: true } => f.write_str("snapshot"),
            HostKind::Snapshot { is_exact: false } => {
                f.write_str("snapshot that lacks something, so its machine may say something else")
            }
        }
    }
}

/// The reason why `--host` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The name is neither a baseline nor a path.
    #[error(
        "unknown host {0:?}: use a folder that contains Windows/System32, a snapshot file, {names}",
        names = Baseline::names()
    )]
    Unknown(String),
    /// The directory has no system directory.
    #[error("{0} isn't a Windows system drive (no Windows/System32)")]
    NoSystemDirectory(String),
    /// The user has no access to the system directory.
    #[error("can't read Windows/System32 of {folder}: {error}")]
    UnreadableSystemDirectory {
        /// The path of the drive, as the user gave it, or `this machine`.
        folder: String,
        /// The reason why the system directory can't be read.
        error: FileError,
    },
    /// WhyDLL doesn't run on Windows.
    #[error("`--host live` is only available on Windows: use a folder, a snapshot, or a baseline instead")]
    NotWindows,
    /// The snapshot cannot be replayed.
    #[error(transparent)]
    Snapshot(#[from] snapshot::SnapshotError),
}

/// A VC++ runtime in a system directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VcRuntime {
    /// The machine for which it is built.
    pub machine: Machine,
    /// The version of `msvcp140.dll`.
    pub version: FileVersion,
    /// The path of `msvcp140.dll`.
    pub path: WinPath,
}

/// A VC++ redistributable that is installed according to the registry, but whose `msvcp140.dll` has
/// another version or is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misregistered {
    /// The entry in the registry.
    pub registered: RegisteredRuntime,
    /// The version of the DLL in the system directory, if it exists.
    pub found: Option<FileVersion>,
}

impl Host {
    /// Opens the machine that `name` names as a value of `--host`.
    ///
    /// # Errors
    /// As for [`HostSpec::open`].
    pub fn named(name: &str, cache: Arc<FactCache>) -> Result<Host, HostError> {
        HostSpec::from(name).open(None, cache)
    }

    /// Creates a clean Windows that also has the files of the system that WhyDLL runs on.
    pub fn baseline(baseline: Baseline, drive: Option<&Path>, cache: Arc<FactCache>) -> Host {
        let windows_directory = WinPath::new(r"C:\Windows");
        let disk = Arc::new(match drive {
            Some(drive) => Disk::with_drive(absolute(drive), cache),
            None => Disk::new(cache),
        });
        let api_sets = match baseline.is_windows_10() {
            true => ApiSets::of_windows_10(),
            false => ApiSets::of_windows_11(),
        };
        Host {
            kind: HostKind::Baseline(baseline.name.to_owned()),
            windows_version: Some(baseline.version().to_owned()),
            machine: baseline.machine(),
            known_dlls: Arc::new(known_dlls::of_clean_windows()),
            api_sets: Arc::new(api_sets),
            variables: BTreeMap::new(),
            recorded_variables: BTreeMap::new(),
            recorded_roaming_data: None,
            recorded_new_path: false,
            running: MachineFacts::default(),
            recorded_interpreter: None,
            registered_pythons: Arc::default(),
            files: Arc::new(BaselineFiles::new(baseline, &windows_directory, disk.clone())),
            windows_directory,
            disk: Some(disk),
        }
    }

    /// Returns the Windows that WhyDLL runs on.
    #[cfg(windows)]
    pub fn live(cache: Arc<FactCache>) -> Result<Host, HostError> {
        live::host(cache)
    }

    /// Returns an error, because WhyDLL doesn't run on Windows here.
    #[cfg(not(windows))]
    pub fn live(_: Arc<FactCache>) -> Result<Host, HostError> {
        Err(HostError::NotWindows)
    }

    /// Returns the clean Windows to assume for an interpreter on this system, or for the directory
    /// of its environment.
    pub fn baseline_for(python: &Path) -> Baseline {
        let places = [python.to_owned(), python.join("python.exe"), python.join("Scripts/python.exe")];
        let machine = places.iter().find_map(|program| map::machine(program));
        Baseline::for_program(machine.unwrap_or(Machine::X64))
    }

    /// Returns the machine whose system drive is in `folder`.
    pub fn directory(folder: &Path, cache: Arc<FactCache>) -> Result<Host, HostError> {
        let drive = absolute(folder);
        let disk = Arc::new(Disk::with_drive(drive, cache));
        let windows_directory = WinPath::new(r"C:\Windows");
        let system = readable_system_directory(&windows_directory, &disk, &folder.display().to_string())?;
        let kernel = (&*disk as &dyn Files).image(&system.join("kernel32.dll"));
        let machine = match kernel.as_ref().map_or(Machine::X64, |image| image.machine) {
            // On ARM64, kernel32.dll also serves x64 processes.
            Machine::Arm64X => Machine::Arm64,
            machine => machine,
        };
        let version = kernel.ok().and_then(|image| image.version);
        Ok(Host {
            kind: HostKind::Directory,
            windows_version: version.map(|v| format!("{}.{}.{}", v.0[0], v.0[1], v.0[2])),
            machine,
            known_dlls: Arc::new(known_dlls::of_directory(&system, &*disk)),
            api_sets: Arc::new(disk.api_sets(&system).unwrap_or_else(ApiSets::of_windows_11)),
            variables: BTreeMap::new(),
            recorded_variables: BTreeMap::new(),
            recorded_roaming_data: None,
            recorded_new_path: false,
            running: MachineFacts::default(),
            recorded_interpreter: None,
            registered_pythons: Arc::default(),
            windows_directory,
            files: disk.clone(),
            disk: Some(disk),
        })
    }

    /// Returns the nearest directory above `path` that holds a Windows drive, if there is one. It
    /// is assumed for an environment if no host is given.
    pub fn drive_of(path: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(path).ok()?;
        let drive = absolute.ancestors().find(|folder| {
            ["Windows/System32", "windows/system32"].iter().any(|s| folder.join(s).is_dir())
        })?;
        Some(drive.to_owned())
    }

    /// Returns the major and minor version of Windows, if they are known.
    pub fn version_number(&self) -> Option<(u16, u16)> {
        let mut parts = self.windows_version.as_deref()?.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }

    /// Sets an environment variable of the Python process.
    pub fn with_variable(mut self, name: &str, value: &str) -> Host {
        self.variables.insert(name.to_ascii_uppercase(), value.to_owned());
        self
    }

    /// Returns the Windows path of a native file. A path that is absolute only on Windows is
    /// returned unchanged.
    pub fn path_of(&self, native: &Path) -> WinPath {
        let foreign = WinPath::from_native(native);
        if foreign.is_absolute() && !native.is_absolute() {
            return foreign;
        }
        match &self.disk {
            Some(disk) => disk.windows_path(native),
            None => WinPath::from_native(native),
        }
    }

    /// Returns the native path of a file of this machine, whose letter case may differ from that on
    /// disk. Returns `None` if it has none.
    pub fn native_of(&self, path: &WinPath) -> Option<PathBuf> {
        self.disk.as_ref()?.spelled(path)
    }

    /// Returns the same machine with empty caches of its files, or `None` if the machine isn't on a
    /// disk.
    pub fn uncached(&self) -> Option<Host> {
        self.with_cache(Arc::default())
    }

    /// Returns the same machine with `cache` for the facts of its files, or `None` if the machine
    /// isn't on a disk.
    pub fn with_cache(&self, cache: Arc<FactCache>) -> Option<Host> {
        let disk = Arc::new(self.disk.as_ref()?.with_cache(cache));
        let files: Arc<dyn Files> = match &self.kind {
            HostKind::Baseline(name) => {
                let baseline = Baseline::named(name)?;
                Arc::new(BaselineFiles::new(baseline, &self.windows_directory, disk.clone()))
            }
            _ => disk.clone(),
        };
        Some(Host { files, disk: Some(disk), ..self.clone() })
    }

    /// Returns the files without read tracking, recording, and changes, for reading ahead: it only
    /// fills caches, so what it reads doesn't influence any result. Returns `None` if the machine
    /// isn't on a disk.
    pub fn untracked(&self) -> Option<Arc<Disk>> {
        self.disk.clone()
    }

    /// Returns everything besides the files that decides an answer about this machine, as bytes
    /// that are equal for equal machines. Returns `None` for a snapshot, which isn't read from a
    /// disk.
    pub fn facts(&self) -> Option<Vec<u8>> {
        let drive = self.disk.as_ref()?.drive().map(|drive| drive.to_string_lossy());
        let machine = (&self.kind, &self.windows_version, self.machine, &self.windows_directory);
        let rules = (
            &*self.known_dlls,
            &self.variables,
            &self.running,
            self.api_sets.sum(),
            &*self.registered_pythons,
        );
        postcard::to_stdvec(&(machine, rules, &self.recorded_interpreter, drive)).ok()
    }

    /// Returns the directory that a process sees as `C:\Windows\System32`. For a 32-bit process on
    /// a 64-bit Windows, that is `SysWOW64` (Microsoft, "File System Redirector").
    pub fn system_directory(&self, process: Machine) -> WinPath {
        let redirected = process == Machine::X86 && self.machine != Machine::X86;
        self.windows_directory.join(if redirected { "SysWOW64" } else { "System32" })
    }

    /// Returns the directories of `PATH` in order, each as an absolute path.
    pub fn path_directories(&self) -> Vec<WinPath> {
        path_directories(self.variables.get("PATH").map_or("", String::as_str))
    }

    fn vc_runtime(&self, process: Machine) -> Option<VcRuntime> {
        let path = self.system_directory(process).join("msvcp140.dll");
        let image = self.files.is_file(&path).then(|| self.files.image(&path))?.ok()?;
        Some(VcRuntime { machine: image.machine, version: image.version?, path })
    }

    /// Returns the VC++ redistributables whose registry entry doesn't match their DLL.
    pub fn misregistered_runtimes(&self) -> Vec<Misregistered> {
        let registered = self.running.registered_runtimes.iter().cloned();
        let entries = registered.map(|registered| {
            let found = self.vc_runtime(registered.machine).map(|runtime| runtime.version);
            Misregistered { registered, found }
        });
        entries
            .filter(|it| it.found.is_none_or(|found| found.build() != it.registered.version.build()))
            .collect()
    }

    /// Returns the VC++ runtimes in the system directories.
    pub fn vc_runtimes(&self) -> Vec<VcRuntime> {
        let runtime = |machine| self.vc_runtime(machine);
        let mut runtimes: Vec<VcRuntime> =
            [Machine::X64, Machine::X86].into_iter().filter_map(runtime).collect();
        runtimes.dedup_by(|a, b| a.path == b.path);
        runtimes
    }
}

/// Returns System32 of a machine on `disk`. `name` is the name of the machine in errors.
fn readable_system_directory(windows: &WinPath, disk: &Disk, name: &str) -> Result<WinPath, HostError> {
    let system = windows.join("System32");
    match disk.folder(&system) {
        Ok(_) => Ok(system),
        Err(FileError::NotFound) => Err(HostError::NoSystemDirectory(name.to_owned())),
        Err(error) => Err(HostError::UnreadableSystemDirectory { folder: name.to_owned(), error }),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
