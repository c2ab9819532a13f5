//! The selected Python, as described by its files: everything that decides what an import finds.
//!
//! The path of an interpreter, or the directory of an environment, becomes an [`Environment`] with
//! version, machine, prefixes, `sys.path`, and installed distributions. Nothing is run, and the
//! disk is only accessed through [`Files`], so that an environment for Windows can be read on any
//! system.
//!
//! | file | question |
//! |---|---|
//! | `layout` | which DLL, which folders, what kind of Python is it? |
//! | `launcher` | which Python does a launcher start, and in which process? |
//! | `search_path` | what is `sys.path`, and where does each entry come from? |
//! | `distributions` | what is installed, and what provides a module or owns a file? |
//! | `editable` | which editable installs are not on `sys.path`? |
//! | `record` | which native files should exist, and do they? |
//! | `metadata` | what does a distribution require? |
//! | `version` | which version do the DLL and its name indicate? |
//! | `platform` | which operating system does the program see? |
//! | `names` | which distribution provides a module? |
//! | `installer` | which installer manages it, and with which command? |
//! | `discovery` | which Pythons exist, and which one is selected? |
//! | `target` | which machine and which environment did the user select? |
//!
//! Facts that cannot be known without running Python are in [`Environment::notes`]. The influence
//! of environment variables is described by [`Surroundings`].

pub mod discovery;
mod distributions;
mod editable;
mod installer;
mod launcher;
mod layout;
mod metadata;
pub mod names;
mod platform;
mod record;
mod search_path;
mod target;
mod version;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::host::{FileError, Files, Host, ImageFault, WinPath, path_directories};
use crate::image::Machine;

pub use distributions::{Distribution, DistributionKind};
pub use installer::Installer;
pub use launcher::LauncherFault;
pub use layout::VenvFault;
pub use metadata::{Metadata, Requirement, normalized};
pub use platform::Platform;
pub use record::{DamagedFile, FileState, Record, RecordRow};
pub use search_path::{Origin, PathEntry};
pub use target::{Assumption, InterpreterSpec, OpenTarget, Target, TargetError, TargetMachine};
pub use version::{DllName, PythonVersion, with_build};

use layout::Layout;
use search_path::SearchPath;

/// Everything about the selected Python that decides what an import finds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Environment {
    /// The program that was selected: the interpreter, or a launcher that starts it (an alias of
    /// the install manager, a trampoline of uv).
    pub selected: WinPath,
    /// `sys.executable`: in a virtual environment the `python.exe` of its `Scripts`.
    pub interpreter: WinPath,
    /// The operating system that Python runs on.
    #[serde(default)]
    pub platform: Platform,
    /// The kind of the environment.
    pub kind: EnvironmentKind,
    /// The kind of the Python that runs. It differs from `kind` only for a virtual environment.
    pub base_kind: EnvironmentKind,
    /// The version, from the version resource of pythonXY.dll or else from its name.
    pub version: PythonVersion,
    /// The machine for which pythonXY.dll is built.
    pub machine: Machine,
    /// Whether it is a free-threaded build, without the global interpreter lock (`python313t.dll`).
    pub free_threaded: bool,
    /// Whether it is a debug build (`python38_d.dll`).
    pub debug: bool,
    /// `sys.prefix`.
    pub prefix: WinPath,
    /// `sys.base_prefix`.
    pub base_prefix: WinPath,
    /// The executable of the process that runs Python. The `python.exe` of a virtual environment is
    /// usually a redirector that starts the base interpreter, so this is the base interpreter. If
    /// `Scripts` holds a copy of the interpreter with its DLL, this is the copy. An alias of the
    /// install manager runs Python in its own process, so this is the alias.
    pub program: WinPath,
    /// The directory of `program`.
    pub application_directory: WinPath,
    /// The directory in which the process finds DLLs if an alias of the install manager runs
    /// Python; besides it, only System32 is searched. `None` for any other program.
    pub launcher_directory: Option<WinPath>,
    /// pythonXY.dll.
    pub python_dll: WinPath,
    /// `sys.path` in order, without the entry of the script.
    pub sys_path: Vec<PathEntry>,
    /// The site-packages directories on `sys.path`, in order.
    pub site_packages: Vec<WinPath>,
    /// Editable installs by module name, which are looked up after `sys.path`: a package's
    /// directory, or a module's file without its suffix.
    #[serde(default)]
    pub editable: BTreeMap<String, WinPath>,
    /// Whether a `._pth` file isolates it: PYTHONPATH, the user site, and the script's directory
    /// are not searched.
    pub isolated: bool,
    /// Whether site.py runs at start-up.
    pub site: bool,
    /// The user site-packages, if they are searched. They are on `sys_path` if [`Surroundings`]
    /// named them; otherwise this is their probable place, and a note says so.
    pub user_site: Option<WinPath>,
    /// The installed distributions in the order of `sys.path`. If a name occurs twice, the first
    /// one counts.
    pub distributions: Vec<Distribution>,
    /// Facts that cannot be known from the files, and problems.
    pub notes: Vec<Note>,
}

/// The kind of a Python or of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentKind {
    /// Installed by python.org's installer, or with the same layout (NuGet, uv, pyenv-win).
    Installed,
    /// The embeddable package, whose standard library is a zip archive.
    Embeddable,
    /// A virtual environment made by venv, virtualenv, or uv.
    Venv,
    /// A conda prefix.
    Conda,
    /// Installed from the Microsoft Store.
    Store,
}

impl fmt::Display for EnvironmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EnvironmentKind::Installed => "installed",
            EnvironmentKind::Embeddable => "embeddable",
            EnvironmentKind::Venv => "venv",
            EnvironmentKind::Conda => "conda",
            EnvironmentKind::Store => "store",
        })
    }
}

/// The facts about an environment that its own files don't contain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The directories in `PYTHONPATH`.
    pub python_path: Vec<WinPath>,
    /// The directory above the user site-packages, if they are searched: `PYTHONUSERBASE`, or
    /// `%APPDATA%\Python`.
    pub user_base: Option<WinPath>,
    /// `%LOCALAPPDATA%`, where packages of the Store keep their user site-packages.
    pub local_data: Option<WinPath>,
    /// Whether `PYTHONNOUSERSITE` is set, so that the user site-packages aren't searched.
    pub no_user_site: bool,
}

impl Surroundings {
    /// Reads the environment variables of a machine.
    pub fn of(host: &Host) -> Surroundings {
        let variable = |name: &str| host.variables.get(name).filter(|value| !value.is_empty());
        let roaming = || host.roaming_data().map(|data| data.join("Python"));
        Surroundings {
            python_path: path_directories(variable("PYTHONPATH").map_or("", String::as_str)),
            user_base: variable("PYTHONUSERBASE").map(WinPath::new).or_else(roaming),
            local_data: variable("LOCALAPPDATA").map(WinPath::new),
            no_user_site: variable("PYTHONNOUSERSITE").is_some(),
        }
    }
}

/// A remark about an environment that its user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Note {
    /// A `.pth` file runs code at each start.
    #[error("{file}:{line} runs code when Python starts")]
    PthCode {
        /// The file.
        file: WinPath,
        /// The line, 1-based.
        line: u32,
        /// The code. A very long line is truncated.
        text: String,
        /// Whether it is a well-known line that doesn't change what imports find.
        usual: bool,
    },
    /// A module runs at each start.
    #[error("{path} runs when Python starts")]
    Customization {
        /// `sitecustomize.py` or `usercustomize.py`.
        path: WinPath,
    },
    /// The user seems to have packages that Python would search before site-packages.
    #[error("packages in {path} take precedence over those of the environment if that user runs Python")]
    UserSite {
        /// The directory of these packages.
        path: WinPath,
    },
    /// A `._pth` file has no `import site`.
    #[error("{file} has no `import site`, so site-packages and .pth files are not used")]
    NoSite {
        /// The file.
        file: WinPath,
    },
    /// A `._pth` file has an `import` line other than `import site`: an error up to Python 3.10,
    /// ignored since.
    #[error("{file}:{line}: a ._pth file may only import site")]
    BadPathFile {
        /// The file.
        file: WinPath,
        /// The line, 1-based.
        line: u32,
    },
    /// An interrupted installation left a directory behind. pip renames directories before it
    /// removes them.
    #[error("{path} is left over from an interrupted installation")]
    Leftover {
        /// The directory.
        path: WinPath,
    },
    /// Neither `Lib\os.py` nor the zip archive was found.
    #[error("this Python cannot start: no standard library in {searched_from} or above")]
    NoStandardLibrary {
        /// Where the search began.
        searched_from: WinPath,
    },
    /// It isn't known which of several Python DLLs the executable uses.
    #[error("several Python DLLs in the same folder; {chosen} is used")]
    SeveralPythonDlls {
        /// The newest DLL, which is used.
        chosen: WinPath,
        /// The other DLLs.
        others: Vec<WinPath>,
    },
    /// pythonXY.dll is damaged, so its name and python.exe are the only sources.
    #[error("{path} cannot be read: {fault}")]
    BadImage {
        /// The DLL.
        path: WinPath,
        /// The defect.
        fault: ImageFault,
    },
    /// A relevant file or directory could not be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file or directory.
        path: WinPath,
        /// The reason.
        reason: FileError,
    },
}

/// The reason why a path has no Python for Windows that can be analysed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// The path doesn't exist.
    #[error("{path} does not exist")]
    NoSuchPath {
        /// The path as given.
        path: WinPath,
    },
    /// The directory has no interpreter.
    #[error("{folder} isn't a Python environment: it contains neither python.exe nor Scripts\\python.exe")]
    NotAnEnvironment {
        /// The path as given.
        folder: WinPath,
    },
    /// The file isn't an executable.
    #[error(
        "{path} isn't a Python interpreter for Windows: use a python.exe or the folder of an environment"
    )]
    NotAnInterpreter {
        /// The path as given.
        path: WinPath,
    },
    /// The environment is for another operating system.
    #[error("{prefix} is a Python environment for Linux or macOS, so Windows cannot load anything in it")]
    Linux {
        /// The directory of the environment.
        prefix: WinPath,
    },
    /// The file is Windows' app execution alias, an empty file.
    #[error(
        "{interpreter} is only an alias for the Python from the Microsoft Store: use the python.exe itself (`py -0p` lists it)"
    )]
    StoreAlias {
        /// The path as given.
        interpreter: WinPath,
    },
    /// The virtual environment cannot start.
    #[error("{config}: this virtual environment is broken: {reason}")]
    BrokenVenv {
        /// Its `pyvenv.cfg`.
        config: WinPath,
        /// The reason.
        reason: VenvFault,
    },
    /// The environment belongs to PyPy or GraalPy.
    #[error("{config}: this virtual environment was made with {name}, and only CPython is simulated")]
    OtherImplementation {
        /// Its `pyvenv.cfg`.
        config: WinPath,
        /// The implementation's name for itself.
        name: String,
    },
    /// The program starts a Python elsewhere that cannot start.
    #[error("{launcher} cannot start: {reason}")]
    BrokenLauncher {
        /// The program.
        launcher: WinPath,
        /// The reason.
        reason: LauncherFault,
    },
    /// The executable has no Python DLL.
    #[error("{interpreter} cannot start: {} is not next to it", .name.as_deref().unwrap_or("pythonXY.dll"))]
    NoPythonDll {
        /// The executable.
        interpreter: WinPath,
        /// The DLL that it imports, if its imports could be read.
        name: Option<String>,
    },
    /// Neither pythonXY.dll nor python.exe is a valid image.
    #[error("{path}: {fault}")]
    BadInterpreter {
        /// The DLL.
        path: WinPath,
        /// The defect.
        fault: ImageFault,
    },
    /// The path cannot be accessed.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file or directory.
        path: WinPath,
        /// The reason.
        reason: FileError,
    },
}

impl Environment {
    /// Describes the environment of this `python.exe` or in this directory, ignoring environment
    /// variables.
    pub fn at(path: &WinPath, files: &dyn Files) -> Result<Environment, EnvironmentError> {
        Environment::within(path, &Surroundings::default(), files)
    }

    /// Describes the environment of this `python.exe` on this machine, including the influence of
    /// environment variables. An alias of the Store is followed to the program that it starts.
    pub fn on(path: &WinPath, host: &Host) -> Result<Environment, EnvironmentError> {
        let package = discovery::store_alias_target(path, host);
        Environment::within(package.as_ref().unwrap_or(path), &Surroundings::of(host), &*host.files)
    }

    /// Describes the environment of this `python.exe` or in this directory in the given
    /// surroundings.
    pub fn within(
        path: &WinPath,
        surroundings: &Surroundings,
        files: &dyn Files,
    ) -> Result<Environment, EnvironmentError> {
        let mut notes = Vec::new();
        let layout = Layout::of(path, files, &mut notes)?;
        let search = SearchPath::of(&layout, surroundings, files, &mut notes);
        let conda_prefix = (layout.kind == EnvironmentKind::Conda).then_some(&layout.prefix);
        let distributions = distributions::installed(&search.entries, conda_prefix, files, &mut notes);
        let editable = editable::mapped(&notes, files);
        let site_packages = search
            .entries
            .iter()
            .filter(|entry| entry.path.file_name().eq_ignore_ascii_case("site-packages"))
            .map(|entry| entry.path.clone())
            .collect();
        Ok(Environment {
            selected: layout.selected,
            interpreter: layout.interpreter,
            platform: Platform::Windows,
            kind: layout.kind,
            base_kind: layout.base_kind,
            version: layout.version,
            machine: layout.machine,
            free_threaded: layout.dll.name.free_threaded,
            debug: layout.dll.name.debug,
            prefix: layout.prefix,
            base_prefix: layout.base_prefix,
            program: layout.program,
            application_directory: layout.application_directory,
            launcher_directory: layout.launcher_directory,
            python_dll: layout.dll.path,
            sys_path: search.entries,
            site_packages,
            editable,
            isolated: search.isolated,
            site: search.site,
            user_site: search.user_site,
            distributions,
            notes,
        })
    }

    /// Returns the version, as in "3.14.2" or "3.14.2 free-threaded".
    pub fn full_version(&self) -> String {
        with_build(self.version, self.free_threaded)
    }

    /// Returns the minor version, as in "3.14" or "3.14 free-threaded".
    pub fn series(&self) -> String {
        with_build(self.version.series(), self.free_threaded)
    }

    /// Returns the selected launcher, or `None` if the interpreter itself was selected.
    pub fn launcher(&self) -> Option<&WinPath> {
        Some(&self.selected).filter(|selected| **selected != self.interpreter)
    }

    /// Returns a short path for display: relative to site-packages if possible, or else the full
    /// path.
    pub fn short(&self, path: &WinPath) -> String {
        let folders = self.site_packages.iter();
        let below = folders.filter_map(|folder| path.below(folder)).min_by_key(|tail| tail.len());
        let below = below.filter(|tail| !tail.is_empty());
        below.map_or_else(|| path.as_str().to_owned(), |tail| tail.replace('\\', "/"))
    }

    /// Returns a copy whose distributions haven't been read yet, so that each read goes through
    /// `Files` and is recorded.
    pub fn unread(&self) -> Environment {
        let mut unread = self.clone();
        unread.distributions.iter_mut().for_each(Distribution::forget);
        unread
    }

    /// Returns the suffixes of extension modules in the order in which CPython tries them:
    /// `.cp38-win_amd64.pyd`, then `.pyd` (Python/dynload_win.c and
    /// Include/internal/pycore_importdl.h); for Linux, Python/dynload_shlib.c.
    pub fn extension_suffixes(&self) -> Vec<String> {
        if self.platform == Platform::Linux {
            let PythonVersion { major, minor, .. } = self.version;
            let tagged = format!(".cpython-{major}{minor}-x86_64-linux-gnu.so");
            return vec![tagged, ".abi3.so".to_owned(), ".so".to_owned()];
        }
        let platform = match self.machine {
            Machine::X86 => Some("win32"),
            Machine::X64 | Machine::Arm64Ec => Some("win_amd64"),
            Machine::Arm64 | Machine::Arm64X => Some("win_arm64"),
            Machine::Arm => Some("win_arm32"),
            Machine::Other(_) => None,
        };
        let PythonVersion { major, minor, .. } = self.version;
        let debug = if self.debug { "_d" } else { "" };
        let threads = if self.free_threaded { "t" } else { "" };
        let tagged = platform
            .filter(|_| self.version.at_least(3, 5))
            .map(|platform| format!("{debug}.cp{major}{minor}{threads}-{platform}.pyd"));
        tagged.into_iter().chain([format!("{debug}.pyd")]).collect()
    }

    /// Returns the distribution with this name in any spelling. If there are several, it is the
    /// first one on `sys.path`.
    pub fn find(&self, name: &str) -> Option<&Distribution> {
        let name = normalized(name);
        self.distributions.iter().find(|distribution| distribution.normalized == name)
    }

    /// Returns the distributions that provide this top-level package or module. If there are
    /// several, they overwrite each other's files.
    pub fn providers(&self, import_name: &str, files: &dyn Files) -> Vec<&Distribution> {
        self.distributions
            .iter()
            .filter(|distribution| distribution.top_level(files).contains(import_name))
            .collect()
    }

    /// Returns the missing requirements of the distribution that provides the package of this file.
    /// Requirements that depend on an extra or a Python version are left out; conditions on the
    /// operating system are evaluated for Windows.
    pub fn lacks_for<'e>(
        &'e self,
        file: &WinPath,
        files: &dyn Files,
    ) -> impl Iterator<Item = Requirement> + use<'e> {
        let below = self.site_packages.iter().find_map(|folder| file.below(folder));
        let first = below.and_then(|below| below.split(['/', '\\']).next()).unwrap_or_default();
        let package = first.split('.').next().unwrap_or_default();
        let provider = self.providers(package, files).into_iter().next();
        let metadata = provider.and_then(|provider| provider.metadata(files).ok());
        let requires = metadata.map(|metadata| metadata.requires.clone()).unwrap_or_default();
        requires.into_iter().filter(|needed| {
            let is_plain = !needed.marker.contains("python") && !needed.marker.contains("extra");
            is_plain && needed.applies_on_windows() && self.find(&needed.name).is_none()
        })
    }

    /// Returns the distribution to which a file belongs: the one whose RECORD lists it, or else the
    /// only one that provides the package of the file. Providers of the package are searched first.
    pub fn owner_of(&self, path: &WinPath, files: &dyn Files) -> Option<&Distribution> {
        let lists = |distribution: &&Distribution| {
            let record = distribution.record(files);
            record.is_ok_and(|record| record.rows.iter().any(|row| row.path == *path))
        };
        let (conda, others): (Vec<&Distribution>, Vec<&Distribution>) = self
            .distributions
            .iter()
            .filter(|distribution| path.is_within(&distribution.folder))
            .partition(|distribution| distribution.kind == DistributionKind::Conda);
        let provides = |distribution: &Distribution| {
            let below = path.below(&distribution.folder).unwrap_or_default();
            let first = below.split(['/', '\\']).next().unwrap_or_default();
            distribution.top_level(files).contains(first)
        };
        let (providers, others): (Vec<&Distribution>, Vec<&Distribution>) =
            others.into_iter().partition(|distribution| provides(distribution));
        let listing = providers.iter().copied().find(lists);
        match (listing, providers.as_slice()) {
            (Some(owner), _) => Some(owner),
            (None, [only]) => Some(only),
            _ => others.into_iter().find(lists).or_else(|| conda.into_iter().find(lists)),
        }
    }
}
