//! The description of a machine, whatever it was opened from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ApiSets, Disk, Files, MachineFacts, RegisteredPython, RegisteredRuntime, WinPath, path_directories,
};
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
    pub(super) recorded_variables: BTreeMap<String, String>,
    /// For a snapshot, the [`Host::roaming_data`] of the recorded machine.
    pub(super) recorded_roaming_data: Option<WinPath>,
    /// For a snapshot, whether the recorded machine [has a new PATH](Host::has_new_path).
    pub(super) recorded_new_path: bool,
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
    pub(super) disk: Option<Arc<Disk>>,
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
    /// Creates a machine of which nothing else is known.
    pub(super) fn new(
        kind: HostKind,
        machine: Machine,
        windows_directory: WinPath,
        files: Arc<dyn Files>,
    ) -> Host {
        Host {
            kind,
            windows_version: None,
            machine,
            windows_directory,
            known_dlls: Arc::default(),
            api_sets: Arc::default(),
            variables: BTreeMap::new(),
            recorded_variables: BTreeMap::new(),
            recorded_roaming_data: None,
            recorded_new_path: false,
            running: MachineFacts::default(),
            recorded_interpreter: None,
            registered_pythons: Arc::default(),
            files,
            disk: None,
        }
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

    /// Replaces the interpreters in its registry.
    pub fn with_registered_pythons(mut self, pythons: Vec<RegisteredPython>) -> Host {
        self.registered_pythons = pythons.into();
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
