//! A Windows machine: its system directories, KnownDLLs, API sets, PATH, and its files.
//!
//! The machine can be the one that we run on, a folder that holds a system drive, one of the built-in [`Baseline`]s, or a
//! recorded [`snapshot`]. They differ in where the facts come from and in
//! nothing else; whatever looks at a machine looks at a [`Host`].

mod account;
mod answers;
mod api_sets;
mod archive;
mod baseline;
mod cache;
mod disk;
mod files;
mod known_dlls;
#[cfg(windows)]
mod live;
mod map;
#[cfg(test)]
mod memory;
mod overlay;
mod path;
mod reading;
pub mod redistributable;
pub mod registered_pythons;
mod running;
pub mod session;
pub mod snapshot;
mod watch;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use account::{is_always_set, profile_of};
pub use answers::{Answers, Question};
pub use api_sets::{ApiSet, ApiSets};
pub use baseline::{Baseline, BaselineFiles, is_of_windows};
pub use cache::{FactCache, Stamp};
pub use disk::Disk;
pub use files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault, is_native};
#[cfg(test)]
pub use memory::MemoryFiles;
pub use overlay::{Change, Overlay};
pub use path::{WinPath, fold_name, path_directories};
pub use reading::{Proof, Reading};
pub use registered_pythons::{RegisteredPython, Registration};
pub use running::{RegisteredRuntime, Running};
pub use watch::{Watched, Watcher};
pub use witness::{Stop, Stopped, Witness};

use crate::image::{FileVersion, Machine};

/// A machine to analyse.
#[derive(Clone)]
pub struct Host {
    /// Where its facts come from.
    pub kind: HostKind,
    /// Version of Windows (`10.0.19045`), where it is known.
    pub windows_version: Option<String>,
    /// Machine of the operating system.
    pub machine: Machine,
    /// `C:\Windows`.
    pub windows_directory: WinPath,
    /// Base names in lower case.
    pub known_dlls: Arc<BTreeSet<String>>,
    /// Its schema of API sets.
    pub api_sets: Arc<ApiSets>,
    /// The environment of the process that will run Python; names in upper case.
    pub variables: BTreeMap<String, String>,
    /// For a snapshot, the [`Host::usual_variables`] of the machine that was recorded.
    recorded_variables: BTreeMap<String, String>,
    /// For a snapshot, the [`Host::roaming_data`] of the machine that was recorded.
    recorded_roaming_data: Option<WinPath>,
    /// For a snapshot, whether that machine [has a new PATH](Host::has_new_path).
    recorded_new_path: bool,
    /// What its registry and its processor say.
    pub running: Running,
    /// The interpreter that a snapshot was recorded of.
    pub recorded_interpreter: Option<WinPath>,
    /// The Pythons that its registry tells of; none where the registry cannot be seen.
    pub registered_pythons: Arc<Vec<RegisteredPython>>,
    /// Its files.
    pub files: Arc<dyn Files>,
    /// Where our system's paths lie on this machine; none if none of them does.
    disk: Option<Arc<Disk>>,
}

/// Where the facts of a machine come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// The Windows that we run on.
    Live,
    /// A folder that holds a system drive.
    Directory,
    /// A clean Windows of this name.
    Baseline(String),
    /// A recorded machine.
    Snapshot {
        /// False if it is known to lack something without which a diagnosis says something else.
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

/// `--host` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// A name that is neither a baseline nor a path.
    #[error(
        "there is no host {0:?}: name a folder that holds Windows/System32, a snapshot file, {names}",
        names = Baseline::names()
    )]
    Unknown(String),
    /// A folder without a system directory.
    #[error("{0} is no system drive: it has no Windows/System32")]
    NoSystemDirectory(String),
    /// A system directory that this user may not look into.
    #[error("Windows/System32 of {folder} cannot be read: {error}")]
    UnreadableSystemDirectory { folder: String, error: FileError },
    /// The machine that we run on is no Windows.
    #[error(
        "the host \"live\" is the Windows that whydll runs on, and this is none: name a folder, a snapshot or a baseline"
    )]
    NotWindows,
    /// A snapshot that cannot be replayed.
    #[error(transparent)]
    Snapshot(#[from] snapshot::SnapshotError),
}

/// A VC++ runtime in a system directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VcRuntime {
    /// Machine that it is for.
    pub machine: Machine,
    /// Version of `msvcp140.dll`.
    pub version: FileVersion,
    /// That file.
    pub path: WinPath,
}

/// A VC++ redistributable that the registry says is installed, while its `msvcp140.dll` is another or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misregistered {
    /// What the registry says.
    pub registered: RegisteredRuntime,
    /// Version of the DLL in the system directory, if it is there.
    pub found: Option<FileVersion>,
}

impl Host {
    /// The host that `--host` names: a baseline, a folder, or a snapshot file.
    pub fn named(name: &str, cache: Arc<FactCache>) -> Result<Host, HostError> {
        Host::named_on_drive(name, None, cache)
    }

    /// As [`Host::named`]; beside a baseline, the folder `drive` stands for `C:`.
    pub fn named_on_drive(
        name: &str,
        drive: Option<&Path>,
        cache: Arc<FactCache>,
    ) -> Result<Host, HostError> {
        if let Some(baseline) = Baseline::named(name) {
            return Ok(Host::baseline(baseline, drive, cache));
        }
        match name {
            "live" => Host::live(cache),
            _ => {
                let path = Path::new(name);
                if path.is_dir() {
                    Host::directory(path, cache)
                } else if path.is_file() {
                    Ok(snapshot::open(path)?)
                } else {
                    Err(HostError::Unknown(name.to_owned()))
                }
            }
        }
    }

    /// A clean Windows, with this system's files beside it.
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
            running: Running::default(),
            recorded_interpreter: None,
            registered_pythons: Arc::default(),
            files: Arc::new(BaselineFiles::new(baseline, &windows_directory, disk.clone())),
            windows_directory,
            disk: Some(disk),
        }
    }

    /// The Windows that we run on.
    #[cfg(windows)]
    pub fn live(cache: Arc<FactCache>) -> Result<Host, HostError> {
        live::host(cache)
    }

    /// The Windows that we run on, if it were one.
    #[cfg(not(windows))]
    pub fn live(_: Arc<FactCache>) -> Result<Host, HostError> {
        Err(HostError::NotWindows)
    }

    /// The name of the clean Windows to assume for an interpreter on this system, or for the folder of its environment.
    pub fn assumed_for(python: &Path) -> &'static str {
        let places = [python.to_owned(), python.join("python.exe"), python.join("Scripts/python.exe")];
        let machine = places.iter().find_map(|program| map::machine(program));
        Baseline::assumed_for(machine.unwrap_or(Machine::X64))
    }

    /// The machine whose system drive `folder` holds.
    pub fn directory(folder: &Path, cache: Arc<FactCache>) -> Result<Host, HostError> {
        let drive = absolute(folder);
        let disk = Arc::new(Disk::with_drive(drive, cache));
        let windows_directory = WinPath::new(r"C:\Windows");
        let system = readable_system_directory(&windows_directory, &disk, &folder.display().to_string())?;
        let kernel = disk.image(&system.join("kernel32.dll"));
        let machine = match kernel.as_ref().map_or(Machine::X64, |image| image.machine) {
            // On ARM64 it serves x64 processes, too.
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
            running: Running::default(),
            recorded_interpreter: None,
            registered_pythons: Arc::default(),
            windows_directory,
            files: disk.clone(),
            disk: Some(disk),
        })
    }

    /// The folder that holds a Windows drive and `path` on it, if there is one: what to assume for an
    /// environment without being told.
    pub fn drive_of(path: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(path).ok()?;
        let drive = absolute.ancestors().find(|folder| {
            ["Windows/System32", "windows/system32"].iter().any(|s| folder.join(s).is_dir())
        })?;
        Some(drive.to_owned())
    }

    /// Major and minor version of Windows, where it is known.
    pub fn version_number(&self) -> Option<(u16, u16)> {
        let mut parts = self.windows_version.as_deref()?.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }

    /// With the value of an environment variable, as the Python process will have it.
    pub fn with_variable(mut self, name: &str, value: &str) -> Host {
        self.variables.insert(name.to_ascii_uppercase(), value.to_owned());
        self
    }

    /// The path by which this machine knows a file of the system that we run on. A path that only it can understand is its own.
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

    /// The path by which the system that we run on knows a file of this machine, but for letter case; none if it has none.
    pub fn native_of(&self, path: &WinPath) -> Option<PathBuf> {
        self.disk.as_ref()?.spelled(path)
    }

    /// The same machine, of whose files nothing is known yet; none if it lies on no disk.
    pub fn afresh(&self) -> Option<Host> {
        let disk = Arc::new(self.disk.as_ref()?.afresh());
        Some(Host { files: self.files.on(&disk)?, disk: Some(disk), ..self.clone() })
    }

    /// All that decides an answer about this machine beside its files, as bytes that are equal for equal machines.
    /// None of a recorded one, which is not read from a disk.
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

    /// What a process of this machine sees as `C:\Windows\System32`: 32-bit processes on a 64-bit
    /// Windows see `SysWOW64` (Microsoft, "File System Redirector").
    pub fn system_directory(&self, process: Machine) -> WinPath {
        let redirected = process == Machine::X86 && self.machine != Machine::X86;
        self.windows_directory.join(if redirected { "SysWOW64" } else { "System32" })
    }

    /// The directories of PATH, in order, as an absolute path each.
    pub fn path_directories(&self) -> Vec<WinPath> {
        path_directories(self.variables.get("PATH").map_or("", String::as_str))
    }

    fn vc_runtime(&self, process: Machine) -> Option<VcRuntime> {
        let path = self.system_directory(process).join("msvcp140.dll");
        let image = self.files.is_file(&path).then(|| self.files.image(&path))?.ok()?;
        Some(VcRuntime { machine: image.machine, version: image.version?, path })
    }

    /// The VC++ redistributables of which the registry says something else than their DLLs do.
    pub fn misregistered_runtimes(&self) -> Vec<Misregistered> {
        let registered = self.running.registered_runtimes.iter().cloned();
        let found = registered.map(|registered| {
            let found = self.vc_runtime(registered.machine).map(|runtime| runtime.version);
            Misregistered { registered, found }
        });
        found
            .filter(|it| it.found.is_none_or(|found| found.build() != it.registered.version.build()))
            .collect()
    }

    /// The VC++ runtimes in the system directories.
    pub fn vc_runtimes(&self) -> Vec<VcRuntime> {
        let runtime = |machine| self.vc_runtime(machine);
        let mut runtimes: Vec<VcRuntime> =
            [Machine::X64, Machine::X86].into_iter().filter_map(runtime).collect();
        runtimes.dedup_by(|a, b| a.path == b.path);
        runtimes
    }
}

/// System32 of a machine that `name` stands for.
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
