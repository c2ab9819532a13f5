//! The selected Python, from its files: everything that decides what an import finds.
//!
//! An interpreter's path, or the folder of an environment, becomes an [`Environment`]: version, machine,
//! prefixes, `sys.path`, installed distributions. Nothing is run, and the disk is seen only through
//! [`Files`], so that an environment for Windows can be read from anywhere.
//!
//! | file | question |
//! |---|---|
//! | `layout` | which DLL, which folders, what kind of Python is it? |
//! | `launcher` | which Python does an alias or a trampoline start, and in which process? |
//! | `search_path` | what is `sys.path`, and who put each entry there? |
//! | `distributions` | what is installed, and who provides or owns a thing? |
//! | `editable` | what is installed in place, beside `sys.path`? |
//! | `record` | which native files should be there, and are they? |
//! | `metadata` | what does a distribution require? |
//! | `version` | what do the DLL and its name say? |
//! | `platform` | whose answers does a program get? |
//! | `names` | which distribution brings a module? |
//! | `installer` | who installs into it, and with which command? |
//! | `discovery` | which Pythons are there, and which one is meant? |
//!
//! What cannot be known without running Python is in [`Environment::notes`]. What environment variables add are
//! [`Surroundings`].

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
pub use record::{DamagedFile, Found, Record, RecordRow};
pub use search_path::{Origin, PathEntry};
pub use version::{DllName, PythonVersion, with_build};

use layout::Layout;
use search_path::SearchPath;

/// Everything about the selected Python that decides what an import finds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Environment {
    /// What was selected: the interpreter, or a launcher that starts it (an alias of the install manager, a
    /// trampoline of uv).
    pub selected: WinPath,
    /// `sys.executable`: in a virtual environment the `python.exe` of its `Scripts`.
    pub interpreter: WinPath,
    /// The system that it runs on.
    #[serde(default)]
    pub platform: Platform,
    /// What kind of environment it is.
    pub kind: Kind,
    /// What kind of Python runs in the end: other than `kind` only for a virtual environment.
    pub base_kind: Kind,
    /// From the version resource of pythonXY.dll, or else from its name.
    pub version: PythonVersion,
    /// The machine that pythonXY.dll is for.
    pub machine: Machine,
    /// A free-threaded build, without the global interpreter lock (`python313t.dll`).
    pub free_threaded: bool,
    /// A debug build (`python38_d.dll`).
    pub debug: bool,
    /// `sys.prefix`.
    pub prefix: WinPath,
    /// `sys.base_prefix`.
    pub base_prefix: WinPath,
    /// The executable of the process that runs Python. The `python.exe` of a virtual environment is a
    /// redirector that starts the base interpreter, so it is the base's; where `Scripts` holds a copy of the
    /// interpreter with its DLL, it is that. An alias of the install manager runs Python in its own process,
    /// so it is the alias.
    pub program: WinPath,
    /// Its folder.
    pub application_directory: WinPath,
    /// The folder whose DLLs such an alias finds, and no others but those of System32: none of any other
    /// program.
    pub launcher_directory: Option<WinPath>,
    /// pythonXY.dll.
    pub python_dll: WinPath,
    /// `sys.path` without the entry of the script, in order.
    pub sys_path: Vec<PathEntry>,
    /// The site-packages folders on `sys.path`, in order.
    pub site_packages: Vec<WinPath>,
    /// Packages that are installed in place, by name, which are looked for after `sys.path`: a folder, or a module's file without
    /// its suffix.
    #[serde(default)]
    pub editable: BTreeMap<String, WinPath>,
    /// A `._pth` file isolates it: no PYTHONPATH, no user site, and the script's folder is not searched.
    pub isolated: bool,
    /// Whether site.py runs at start-up.
    pub site: bool,
    /// The user's site-packages, where they are searched: on `sys_path` if [`Surroundings`] named them, and
    /// else where they seem to be (then a note says so).
    pub user_site: Option<WinPath>,
    /// What is installed, in the order of `sys.path`; where a name occurs twice, the first one counts.
    pub distributions: Vec<Distribution>,
    /// What cannot be known from the files, or should not be so.
    pub notes: Vec<Note>,
}

/// Kinds of environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From python.org's installer, or laid out alike (NuGet, uv, pyenv-win).
    Installed,
    /// The embeddable package: the standard library is a zip archive.
    Embeddable,
    /// A virtual environment, by venv, virtualenv or uv.
    Venv,
    /// A prefix of conda.
    Conda,
    /// From the Microsoft Store.
    Store,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Installed => "installed",
            Kind::Embeddable => "embeddable",
            Kind::Venv => "venv",
            Kind::Conda => "conda",
            Kind::Store => "store",
        })
    }
}

/// What the environment's own files do not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The folders of the variable `PYTHONPATH`.
    pub python_path: Vec<WinPath>,
    /// What the user's site-packages lie below, to be searched: `PYTHONUSERBASE`, or `%APPDATA%\Python`.
    pub user_base: Option<WinPath>,
    /// `%LOCALAPPDATA%`, where packages of the Store keep theirs.
    pub local_data: Option<WinPath>,
    /// `PYTHONNOUSERSITE` is set: the user's site-packages are not searched.
    pub no_user_site: bool,
}

impl Surroundings {
    /// What the variables of a machine tell.
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

/// Something that a reader of the result should know.
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
        /// The code; a very long line is cut.
        text: String,
        /// A well-known line that does not touch what imports find.
        usual: bool,
    },
    /// A module that runs at each start.
    #[error("{path} runs when Python starts")]
    Customization {
        /// `sitecustomize.py` or `usercustomize.py`.
        path: WinPath,
    },
    /// It seems that this user has packages of their own, which Python would search before site-packages.
    #[error("packages in {path} come before those of the environment, if Python is run by that user")]
    UserSite {
        /// That folder.
        path: WinPath,
    },
    /// A `._pth` file without `import site`.
    #[error("{file} does not say `import site`: neither site-packages nor .pth files are searched")]
    NoSite {
        /// That file.
        file: WinPath,
    },
    /// A line that a `._pth` file must not have: an error up to 3.10, passed over since.
    #[error("{file}:{line}: a ._pth file may import nothing but site")]
    BadPathFile {
        /// The file.
        file: WinPath,
        /// The line, 1-based.
        line: u32,
    },
    /// pip renames what it is about to remove; what is left was an interrupted installation.
    #[error("{path} is left over from an interrupted installation")]
    Leftover {
        /// The folder.
        path: WinPath,
    },
    /// Neither `Lib\os.py` nor the zip archive.
    #[error("no standard library found, searching upwards from {searched_from}: this Python cannot start")]
    NoStandardLibrary {
        /// Where the search began.
        searched_from: WinPath,
    },
    /// It could not be told which DLL the executable runs.
    #[error("several Pythons beside each other; {chosen} was taken")]
    SeveralPythonDlls {
        /// The newest.
        chosen: WinPath,
        /// The others.
        others: Vec<WinPath>,
    },
    /// pythonXY.dll is damaged; what is known of it comes from its name and from python.exe.
    #[error("{path} cannot be read: {fault}")]
    BadImage {
        /// The DLL.
        path: WinPath,
        /// What is wrong.
        fault: ImageFault,
    },
    /// A file or folder that counts could not be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file or folder.
        path: WinPath,
        /// Why not.
        reason: FileError,
    },
}

/// There is no Python for Windows to be analysed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Nothing there.
    #[error("{path} does not exist")]
    NoSuchPath {
        /// As given.
        path: WinPath,
    },
    /// A folder without an interpreter.
    #[error("{folder} is no Python environment: neither python.exe nor Scripts\\python.exe is in it")]
    NotAnEnvironment {
        /// As given.
        folder: WinPath,
    },
    /// A file that is not an executable.
    #[error(
        "{path} is no Python interpreter for Windows: name a python.exe, or the folder of an environment"
    )]
    NotAnInterpreter {
        /// As given.
        path: WinPath,
    },
    /// An environment of another system.
    #[error("{prefix} is a Python environment for Linux or macOS: nothing in it is for Windows to load")]
    Linux {
        /// Its folder.
        prefix: WinPath,
    },
    /// Windows' alias, an empty file.
    #[error(
        "{interpreter} is only Windows' alias for the Python of the Microsoft Store: name the python.exe itself (`py -0p` lists it)"
    )]
    StoreAlias {
        /// As given.
        interpreter: WinPath,
    },
    /// A virtual environment that cannot start.
    #[error("{config}: this virtual environment is broken: {reason}")]
    BrokenVenv {
        /// Its `pyvenv.cfg`.
        config: WinPath,
        /// What is wrong.
        reason: VenvFault,
    },
    /// An environment of PyPy or GraalPy.
    #[error("{config}: this virtual environment was made with {name}, and only CPython is simulated")]
    OtherImplementation {
        /// Its `pyvenv.cfg`.
        config: WinPath,
        /// What the implementation calls itself.
        name: String,
    },
    /// A program that starts a Python elsewhere, in vain.
    #[error("{launcher} cannot start: {reason}")]
    BrokenLauncher {
        /// The program.
        launcher: WinPath,
        /// Why not.
        reason: LauncherFault,
    },
    /// An executable without Python's DLL.
    #[error("{interpreter} cannot start: {} is not beside it", .name.as_deref().unwrap_or("pythonXY.dll"))]
    NoPythonDll {
        /// The executable.
        interpreter: WinPath,
        /// The DLL that it imports, if its imports are known.
        name: Option<String>,
    },
    /// Neither pythonXY.dll nor python.exe is a valid image.
    #[error("{path}: {fault}")]
    BadInterpreter {
        /// The DLL.
        path: WinPath,
        /// What is wrong.
        fault: ImageFault,
    },
    /// No access.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file or folder.
        path: WinPath,
        /// Why not.
        reason: FileError,
    },
}

impl Environment {
    /// The environment of this `python.exe`, or in this folder.
    pub fn at(path: &WinPath, files: &dyn Files) -> Result<Environment, EnvironmentError> {
        Environment::within(path, &Surroundings::default(), files)
    }

    /// The environment of this `python.exe` on this machine, with what its variables tell. An alias of the Store stands for what it
    /// starts.
    pub fn on(path: &WinPath, host: &Host) -> Result<Environment, EnvironmentError> {
        let package = discovery::behind_alias(path, host);
        Environment::within(package.as_ref().unwrap_or(path), &Surroundings::of(host), &*host.files)
    }

    /// The same, with what the caller knows of variables and of the user.
    pub fn within(
        path: &WinPath,
        surroundings: &Surroundings,
        files: &dyn Files,
    ) -> Result<Environment, EnvironmentError> {
        let mut notes = Vec::new();
        let layout = Layout::of(path, files, &mut notes)?;
        let search = SearchPath::of(&layout, surroundings, files, &mut notes);
        let conda_prefix = (layout.kind == Kind::Conda).then_some(&layout.prefix);
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

    /// "3.14.2", "3.14.2 free-threaded"
    pub fn full_version(&self) -> String {
        with_build(self.version, self.free_threaded)
    }

    /// "3.14", "3.14 free-threaded"
    pub fn series(&self) -> String {
        with_build(self.version.series(), self.free_threaded)
    }

    /// The launcher that was selected, where it was not the interpreter itself.
    pub fn launcher(&self) -> Option<&WinPath> {
        Some(&self.selected).filter(|selected| **selected != self.interpreter)
    }

    /// The file as people know it: from its package on, or its full path.
    pub fn short(&self, path: &WinPath) -> String {
        let folders = self.site_packages.iter();
        let below = folders.filter_map(|folder| path.below(folder)).min_by_key(|tail| tail.len());
        let below = below.filter(|tail| !tail.is_empty());
        below.map_or_else(|| path.as_str().to_owned(), |tail| tail.replace('\\', "/"))
    }

    /// The same environment, of whose distributions nothing has been read yet: whoever asks it is seen to ask.
    pub fn unread(&self) -> Environment {
        let mut unread = self.clone();
        unread.distributions.iter_mut().for_each(Distribution::forget);
        unread
    }

    /// The endings of native modules, in the order in which CPython tries them: `.cp38-win_amd64.pyd`, then
    /// `.pyd` (Python/dynload_win.c and Include/internal/pycore_importdl.h); for Linux Python/dynload_shlib.c.
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

    /// The distribution of this name, however it is written: the one that `sys.path` finds first.
    pub fn find(&self, name: &str) -> Option<&Distribution> {
        let name = normalized(name);
        self.distributions.iter().find(|distribution| distribution.normalized == name)
    }

    /// The distributions that provide this top-level package or module. Several ones overwrite each other.
    pub fn providers(&self, import_name: &str, files: &dyn Files) -> Vec<&Distribution> {
        self.distributions
            .iter()
            .filter(|distribution| distribution.top_level(files).contains(import_name))
            .collect()
    }

    /// The distributions that are required by the one which provides the package of this file, and are not installed. What is required under a
    /// condition does not count, but for that it runs on Windows.
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

    /// The distribution that a file belongs to: the one whose RECORD lists it, or else the only one that
    /// provides the package that it lies in. Looks first at those that provide this package.
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
