//! The layout of a Python: its DLL, its configuration, and its prefixes.
//!
//! The rules are CPython's own: `PC/getpathp.c` up to 3.10, `Modules/getpath.py` from 3.11 on, and
//! `PC/venvlauncher.c` (before 3.13 `PC/launcher.c`) for the `python.exe` of a virtual environment.
//! What they read from the registry and from environment variables isn't considered here.

use crate::host::{EntryKind, FileError, Files, WinPath};
use crate::image::Machine;

use super::discovery::is_store_alias;
use super::launcher::{self, LauncherFault, Started};
use super::version::{DllName, PythonVersion, of_free_threaded_program};
use super::{EnvironmentError, EnvironmentKind, Note};

/// The parts of a Python from which `sys.path` is built.
#[derive(Debug)]
pub(super) struct Layout {
    /// The program that was selected: the interpreter, or a launcher that starts it.
    pub selected: WinPath,
    pub interpreter: WinPath,
    pub kind: EnvironmentKind,
    pub base_kind: EnvironmentKind,
    pub version: PythonVersion,
    pub machine: Machine,
    pub dll: PythonDll,
    /// The executable of the process that runs Python.
    pub program: WinPath,
    /// The directory of `program`.
    pub application_directory: WinPath,
    /// The directory whose DLLs an alias of the install manager adds to the search, if `program` is
    /// an alias.
    pub launcher_directory: Option<WinPath>,
    /// The directory that CPython takes for the executable's when it searches for its library:
    /// `home` in a virtual environment.
    pub home: WinPath,
    pub prefix: WinPath,
    pub base_prefix: WinPath,
    pub venv: Option<Venv>,
    /// The `._pth` file, which alone determines `sys.path`.
    pub path_file: Option<WinPath>,
    /// The path of `python38.zip` next to the DLL, whether it exists or not.
    pub zip: WinPath,
}

/// The interpreter's DLL, and the facts that its name contains.
#[derive(Debug, Clone)]
pub(super) struct PythonDll {
    pub path: WinPath,
    pub name: DllName,
}

/// The settings of a virtual environment.
#[derive(Debug, Clone)]
pub(super) struct Venv {
    pub system_site_packages: bool,
    /// Whether it was made by a virtualenv older than 20, which has no `pyvenv.cfg` and changes
    /// `sys.path` with its own site.py.
    pub legacy: bool,
}

const CONFIG: &str = "pyvenv.cfg";

impl Layout {
    pub fn of(path: &WinPath, files: &dyn Files, notes: &mut Vec<Note>) -> Result<Layout, EnvironmentError> {
        let selected = interpreter_at(&canonical(path), files)?;
        let Started { mut program, executable, dll: loaded } = launcher::followed(&selected, files)?;
        let interpreter = executable;
        let directory = folder_of(&interpreter);
        let config = Config::beside(&directory, files)?;
        let own_dll = match loaded.clone() {
            Some(dll) => Ok(dll),
            None => python_dll(&directory, &interpreter, config.is_some(), files, notes),
        };
        let mut is_loaded = loaded.is_some();

        let (home, dll) = match (&config, own_dll) {
            // Python searches for its library starting at the executable of the process.
            (None, Ok(dll)) => (folder_of(&program), dll),
            (None, Err(missing)) => {
                return Err(start_error(interpreter, &directory, missing, files));
            }
            (Some(config), own_dll) => {
                let Base { home, started, dll: base_dll } = config.base(&interpreter, files, notes)?;
                match own_dll {
                    // A copy of the interpreter, whose library is still in the base.
                    Ok(dll) => (home, dll),
                    // A redirector, which starts the base's executable.
                    Err(_) => {
                        is_loaded = started.dll.is_some();
                        program = started.program;
                        (home, base_dll?)
                    }
                }
            }
        };
        let application_directory = folder_of(&program);

        let (mut version, machine) = identity(&dll, &interpreter, &program, files, notes)?;
        if let Some(made_with) = config.as_ref().and_then(|config| config.version)
            && version.micro.is_none()
            && (version.major, version.minor) == (made_with.major, made_with.minor)
        {
            version = made_with;
        }
        let zip = zip_beside(&dll);
        let path_file = path_file(&dll, &interpreter, &program, version, files);
        let library = match &path_file {
            Some(file) => file.parent(),
            None => library_prefix(&home, &dll, &zip, version, files),
        };
        let base_prefix = library.unwrap_or_else(|| {
            notes.push(Note::NoStandardLibrary { searched_from: home.clone() });
            home.clone()
        });

        let mut layout = Layout {
            base_kind: base_kind(&base_prefix, path_file.is_some(), &zip, files),
            kind: EnvironmentKind::Installed,
            prefix: base_prefix.clone(),
            selected,
            interpreter,
            version,
            machine,
            launcher_directory: is_loaded.then(|| folder_of(&dll.path)),
            dll,
            program,
            application_directory,
            home,
            base_prefix,
            venv: None,
            path_file,
            zip,
        };
        if let Some(config) = config {
            layout.prefix = config.prefix(&directory, version);
            layout.venv = Some(Venv { system_site_packages: config.system_site_packages, legacy: false });
        } else if let Some(original) = legacy_virtualenv(&layout.base_prefix, files) {
            layout.base_kind = base_kind(&original, false, &layout.zip, files);
            layout.base_prefix = original;
            layout.venv = Some(Venv { system_site_packages: false, legacy: true });
        }
        layout.kind = if layout.venv.is_some() { EnvironmentKind::Venv } else { layout.base_kind };
        Ok(layout)
    }
}

/// Returns the path with one kind of separator and without `.` and `..`, as PathCchCanonicalizeEx
/// does. A native path keeps its own separator.
pub(super) fn canonical(path: &WinPath) -> WinPath {
    let path = path.normalized();
    if path.as_str().starts_with('/') { path } else { WinPath::new(path.as_str().replace('/', "\\")) }
}

fn folder_of(path: &WinPath) -> WinPath {
    path.parent().unwrap_or_else(|| WinPath::new("."))
}

/// Returns the `python.exe` that `path` is or contains.
fn interpreter_at(path: &WinPath, files: &dyn Files) -> Result<WinPath, EnvironmentError> {
    match kind_of(path, files)? {
        EntryKind::File if path.has_extension("exe") => Ok(path.clone()),
        EntryKind::File => Err(match path.parent().as_ref().and_then(|bin| linux_prefix(bin, files)) {
            Some(prefix) => EnvironmentError::Linux { prefix },
            None => EnvironmentError::NotAnInterpreter { path: path.clone() },
        }),
        EntryKind::Folder => interpreter_in(path, files),
    }
}

fn interpreter_in(folder: &WinPath, files: &dyn Files) -> Result<WinPath, EnvironmentError> {
    for place in ["", "Scripts"] {
        let directory = folder.join(place);
        let listing = files.folder(&directory);
        if let Err(error @ FileError::AccessDenied) = listing {
            return Err(EnvironmentError::Unreadable { path: directory, reason: error });
        }
        if let Ok(listing) = listing
            && let Some(entry) = listing.entry("python.exe")
            && entry.kind == EntryKind::File
        {
            return Ok(directory.join(&entry.name));
        }
        if let Some(program) = free_threaded_programs(&directory, files).into_iter().next() {
            return Ok(program);
        }
    }
    if let Some(prefix) = linux_prefix(folder, files) {
        return Err(EnvironmentError::Linux { prefix });
    }
    let config = folder.join(CONFIG);
    if files.is_file(&config) {
        let executable = folder.join("Scripts").join("python.exe");
        return Err(EnvironmentError::BrokenVenv { config, reason: VenvFault::NoExecutable { executable } });
    }
    Err(EnvironmentError::NotAnEnvironment { folder: folder.clone() })
}

/// Returns the programs of free-threaded builds in a directory, the newest first. They have names
/// of their own, because python.org's installer puts them next to the python.exe of the other
/// build.
pub(in crate::environment) fn free_threaded_programs(folder: &WinPath, files: &dyn Files) -> Vec<WinPath> {
    let listing = files.folder(folder).unwrap_or_default();
    let mut programs: Vec<(PythonVersion, WinPath)> = listing
        .files_ending_in(&["t.exe"])
        .filter_map(|name| Some((of_free_threaded_program(name)?, folder.join(name))))
        .collect();
    programs.sort_by(|(one, _), (other, _)| other.cmp(one));
    programs.into_iter().map(|(_, program)| program).collect()
}

/// Returns the kind of what is at `path`. Its parent directory need not be readable: nobody may
/// list `C:\Program Files\WindowsApps`, but everybody may access a package in it.
fn kind_of(path: &WinPath, files: &dyn Files) -> Result<EntryKind, EnvironmentError> {
    if let Some(kind) = files.kind(path) {
        return Ok(kind);
    }
    match files.folder(path) {
        Ok(_) => Ok(EntryKind::Folder),
        Err(FileError::WrongKind(_)) => Ok(EntryKind::File),
        Err(FileError::NotFound) => match files.size(path) {
            Ok(_) => Ok(EntryKind::File),
            Err(_) => Err(EnvironmentError::NoSuchPath { path: path.clone() }),
        },
        Err(reason) => Err(EnvironmentError::Unreadable { path: path.clone(), reason }),
    }
}

/// Returns the prefix of an environment for Linux or macOS at `folder`, or at its parent if
/// `folder` is a `bin`.
fn linux_prefix(folder: &WinPath, files: &dyn Files) -> Option<WinPath> {
    let in_bin = folder.file_name().eq_ignore_ascii_case("bin");
    let prefix = if in_bin { folder.parent()? } else { folder.clone() };
    let bin = files.folder(&prefix.join("bin")).ok()?;
    let has_interpreter = bin
        .entries()
        .iter()
        .any(|entry| entry.name.starts_with("python") && !entry.name.to_ascii_lowercase().ends_with(".exe"));
    let lib_python = files
        .folder(&prefix.join("lib"))
        .is_ok_and(|lib| lib.entries().iter().any(|entry| entry.name.starts_with("python3.")));
    (has_interpreter || lib_python).then_some(prefix)
}

/// The contents of a `pyvenv.cfg` that CPython reads, and what the tools that create environments
/// write into it.
#[derive(Debug)]
struct Config {
    path: WinPath,
    home: Option<WinPath>,
    /// The interpreter that created the environment, if venv or virtualenv recorded it.
    executable: Option<WinPath>,
    system_site_packages: bool,
    /// The version of Python that created the environment: venv calls it `version`, virtualenv and
    /// uv `version_info`. For a Python that uv updates, it has no third number.
    version: Option<PythonVersion>,
    /// The implementation that it was made with, such as `CPython`, if virtualenv or uv recorded it.
    implementation: Option<String>,
}

/// The Python that a virtual environment was made with.
struct Base {
    /// Its directory.
    home: WinPath,
    /// The program that a redirector starts there.
    started: Started,
    /// Its DLL. A copied interpreter doesn't need it.
    dll: Result<PythonDll, EnvironmentError>,
}

impl Config {
    /// Reads the configuration in the executable's directory or in its parent. site.py and the
    /// launcher search in this order, getpath.py in the reverse order; this only matters if both
    /// exist.
    fn beside(directory: &WinPath, files: &dyn Files) -> Result<Option<Config>, EnvironmentError> {
        let places = [Some(directory.clone()), directory.parent()];
        let Some(path) =
            places.into_iter().flatten().map(|place| place.join(CONFIG)).find(|path| files.is_file(path))
        else {
            return Ok(None);
        };
        match files.text(&path) {
            Ok(text) => Ok(Some(Config::parse(path, &text))),
            Err(reason) => Err(EnvironmentError::Unreadable { path, reason }),
        }
    }

    /// Parses `key = value` lines. The first `home` counts (getpath.py), and the last
    /// `include-system-site-packages`, which is true by default (site.py).
    fn parse(path: WinPath, text: &str) -> Config {
        let mut config = Config {
            path,
            home: None,
            executable: None,
            system_site_packages: true,
            version: None,
            implementation: None,
        };
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim();
            match key.trim_matches(['\u{feff}', ' ', '\t']).to_ascii_lowercase().as_str() {
                "home" if config.home.is_none() && !value.is_empty() => {
                    config.home = Some(WinPath::new(value))
                }
                "executable" | "base-executable" => config.executable = Some(canonical(&WinPath::new(value))),
                "include-system-site-packages" => {
                    config.system_site_packages = value.eq_ignore_ascii_case("true");
                }
                "version" | "version_info" => {
                    config.version = PythonVersion::from_prefix(value).or(config.version)
                }
                "implementation" if !value.is_empty() => {
                    config.implementation = Some(value.chars().take(MAX_NAME_CHARS).collect());
                }
                _ => {}
            }
        }
        config
    }

    /// Returns the Python that it was made with.
    fn base(
        &self,
        interpreter: &WinPath,
        files: &dyn Files,
        notes: &mut Vec<Note>,
    ) -> Result<Base, EnvironmentError> {
        let broken = |reason| EnvironmentError::BrokenVenv { config: self.path.clone(), reason };
        let Some(home) = self.home.as_ref().map(canonical) else {
            return Err(broken(VenvFault::NoHome));
        };
        if let Err(reason) = files.folder(&home) {
            return Err(broken(match reason {
                FileError::NotFound | FileError::WrongKind(_) | FileError::NotRecorded => {
                    VenvFault::HomeMissing { home, version: self.version }
                }
                reason => VenvFault::HomeUnreadable { home, reason },
            }));
        }
        if let Some(name) = self.implementation.as_ref().filter(|name| !name.eq_ignore_ascii_case("CPython"))
        {
            let (config, name) = (self.path.clone(), name.clone());
            return Err(EnvironmentError::OtherImplementation { config, name });
        }
        let started = self.started(interpreter, &home, files)?;
        let dll = match started.dll.clone() {
            Some(dll) => Ok(dll),
            None => {
                let home = folder_of(&started.program);
                python_dll(&home, &started.program, false, files, notes)
                    .map_err(|_| broken(VenvFault::NoInterpreter { home }))
            }
        };
        Ok(Base { home, started, dll })
    }

    /// Returns the program that runs if the environment's `python.exe` is started. uv's trampoline
    /// contains that path itself.
    fn started(
        &self,
        interpreter: &WinPath,
        home: &WinPath,
        files: &dyn Files,
    ) -> Result<Started, EnvironmentError> {
        let broken = |reason| EnvironmentError::BrokenVenv { config: self.path.clone(), reason };
        match launcher::trampoline_in_venv(interpreter, files) {
            Some(Ok(target)) if !files.is_file(&target) => {
                Err(broken(VenvFault::Trampoline { reason: LauncherFault::missing(&target) }))
            }
            Some(Ok(target)) => launcher::followed(&target, files),
            Some(Err(reason)) => Err(broken(VenvFault::Trampoline { reason })),
            None => launcher::followed(&self.started_in(home, interpreter, files), files),
        }
    }

    /// Returns the program in `home` that the redirector `interpreter` starts. The redirector of a
    /// free-threaded build starts `python3.14t.exe`, whatever its own name is (`EXENAME` in
    /// PCbuild/venvlauncher.vcxproj). The tools that create such an environment record the build,
    /// or also put the redirector under that name into `Scripts` (Lib/venv/__init__.py of 3.13,
    /// virtualenv, uv). Any other redirector starts the executable of its own name, except for
    /// pythonw.exe.
    fn started_in(&self, home: &WinPath, interpreter: &WinPath, files: &dyn Files) -> WinPath {
        let in_home = |name: &str| Some(home.join(name)).filter(|program| files.is_file(program));
        let scripts = interpreter.parent().map(|scripts| free_threaded_programs(&scripts, files));
        let named = self.executable.iter().filter(|program| program.parent().as_ref() == Some(home));
        named
            .chain(scripts.iter().flatten())
            .map(WinPath::file_name)
            .chain([interpreter.file_name(), "python.exe"])
            .find_map(in_home)
            .or_else(|| free_threaded_programs(home, files).into_iter().next())
            .unwrap_or_else(|| home.join("python.exe"))
    }

    /// Returns `sys.prefix`. Up to 3.13, site.py takes the parent of the executable's directory,
    /// wherever the configuration is; from 3.14 on, getpath.py takes the directory of the
    /// configuration.
    fn prefix(&self, directory: &WinPath, version: PythonVersion) -> WinPath {
        let above = if version.at_least(3, 14) { self.path.parent() } else { directory.parent() };
        above.unwrap_or_else(|| directory.clone())
    }
}

/// The reason why a virtual environment cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenvFault {
    /// It has no interpreter.
    #[error("{executable} is missing")]
    NoExecutable {
        /// The path where it should be.
        executable: WinPath,
    },
    /// Its redirector has no configuration.
    #[error("that file is missing, so its python.exe cannot determine which Python to start")]
    NoConfig,
    /// The configuration has no `home` line.
    #[error("it has no `home` line")]
    NoHome,
    /// The Python that it was made with is gone: uninstalled, moved, or on another disk.
    #[error("the Python{} that it was made with is gone: {home} does not exist", spaced(.version.as_ref()))]
    HomeMissing {
        /// Its directory.
        home: WinPath,
        /// Its version, if the configuration contains it.
        version: Option<PythonVersion>,
    },
    /// The Python that it was made with isn't accessible.
    #[error("the Python that it was made with cannot be read: {home}: {reason}")]
    HomeUnreadable {
        /// Its directory.
        home: WinPath,
        /// The reason.
        reason: FileError,
    },
    /// The directory exists, but has no interpreter.
    #[error("the Python that it was made with is gone: no python.exe with its pythonXY.dll in {home}")]
    NoInterpreter {
        /// The directory.
        home: WinPath,
    },
    /// uv's trampoline cannot start a Python.
    #[error("its python.exe cannot start: {reason}")]
    Trampoline {
        /// The reason.
        reason: LauncherFault,
    },
}

fn spaced(version: Option<&PythonVersion>) -> String {
    version.map_or_else(String::new, |version| format!(" {version}"))
}

/// The maximum number of characters that are kept of an implementation's name.
const MAX_NAME_CHARS: usize = 40;

/// Returns the reason why an executable without a Python DLL next to it cannot start.
fn start_error(
    interpreter: WinPath,
    directory: &WinPath,
    missing: Option<String>,
    files: &dyn Files,
) -> EnvironmentError {
    // Windows' aliases are empty reparse points, and their targets cannot be read.
    if is_store_alias(&interpreter) {
        return EnvironmentError::StoreAlias { interpreter };
    }
    let is_script_folder = directory.file_name().eq_ignore_ascii_case("Scripts");
    if missing.is_none() && is_script_folder && files.is_file(&interpreter) {
        let config = directory.parent().unwrap_or_else(|| directory.clone()).join(CONFIG);
        return EnvironmentError::BrokenVenv { config, reason: VenvFault::NoConfig };
    }
    if missing.is_none()
        && let Some(reason) = launcher::lost_target(&interpreter, directory, files)
    {
        return EnvironmentError::BrokenLauncher { launcher: interpreter, reason };
    }
    EnvironmentError::NoPythonDll { interpreter, name: missing }
}

/// Returns the DLL that `executable` in `directory` uses: the one that it imports, or the one next
/// to it. `Err` contains the name of a DLL that it imports but that doesn't exist, if its imports
/// could be read.
fn python_dll(
    directory: &WinPath,
    executable: &WinPath,
    may_redirect: bool,
    files: &dyn Files,
    notes: &mut Vec<Note>,
) -> Result<PythonDll, Option<String>> {
    let image = files.image(executable);
    let imported = image
        .iter()
        .flat_map(|image| &image.imports)
        .find_map(|import| Some((import.clone(), DllName::parse(import)?)));
    let listing = files.folder(directory).map_err(|_| None)?;
    if let Some((import, name)) = imported {
        return match listing.entry(&import) {
            Some(entry) if entry.kind == EntryKind::File => {
                Ok(PythonDll { path: directory.join(&entry.name), name })
            }
            _ => Err(Some(import)),
        };
    }
    // A launcher doesn't import Python. Only an executable that cannot be read may still be a copy.
    if may_redirect && image.is_ok() {
        return Err(None);
    }
    let mut beside: Vec<(DllName, WinPath)> = listing
        .entries()
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .filter_map(|entry| Some((DllName::parse(&entry.name)?, directory.join(&entry.name))))
        .collect();
    // Both builds of one version may exist.
    let free_threaded = of_free_threaded_program(executable.file_name()).is_some();
    beside.sort_by_key(|(name, _)| (name.version, name.free_threaded == free_threaded, *name));
    let (name, path) = beside.pop().ok_or(None)?;
    if !beside.is_empty() {
        notes.push(Note::SeveralPythonDlls {
            chosen: path.clone(),
            others: beside.into_iter().map(|(_, path)| path).collect(),
        });
    }
    Ok(PythonDll { path, name })
}

/// Returns version and machine, from the DLL if it can be read.
fn identity(
    dll: &PythonDll,
    interpreter: &WinPath,
    program: &WinPath,
    files: &dyn Files,
    notes: &mut Vec<Note>,
) -> Result<(PythonVersion, Machine), EnvironmentError> {
    let fault = match files.image(&dll.path) {
        Ok(image) => {
            let version = image.version.and_then(PythonVersion::from_file);
            return Ok((version.unwrap_or(dll.name.version), image.machine));
        }
        Err(fault) => fault,
    };
    match files.image(program).or_else(|_| files.image(interpreter)) {
        Ok(image) => {
            notes.push(Note::BadImage { path: dll.path.clone(), fault });
            Ok((dll.name.version, image.machine))
        }
        Err(_) => Err(EnvironmentError::BadInterpreter { path: dll.path.clone(), fault }),
    }
}

/// Returns the path of `python38.zip` for `python38.dll`. The free-threaded build uses the same
/// name.
fn zip_beside(dll: &PythonDll) -> WinPath {
    let version = dll.name.version;
    let debug = if dll.name.debug { "_d" } else { "" };
    let name = format!("python{}{}{debug}.zip", version.major, version.minor);
    dll.path.parent().unwrap_or_else(|| WinPath::new(".")).join(&name)
}

/// Returns the `._pth` file, which is named after the DLL, after the selected executable, or, since
/// 3.11, after the executable that runs.
fn path_file(
    dll: &PythonDll,
    interpreter: &WinPath,
    program: &WinPath,
    version: PythonVersion,
    files: &dyn Files,
) -> Option<WinPath> {
    let running = version.at_least(3, 11).then_some(program);
    [&dll.path, interpreter].into_iter().chain(running).find_map(|image| {
        let (stem, _) = image.file_name().rsplit_once('.')?;
        let file = image.parent()?.join(&format!("{stem}._pth"));
        files.is_file(&file).then_some(file)
    })
}

/// Returns `sys.base_prefix`: where the standard library is, as a zip archive or a directory.
fn library_prefix(
    home: &WinPath,
    dll: &PythonDll,
    zip: &WinPath,
    version: PythonVersion,
    files: &dyn Files,
) -> Option<WinPath> {
    let has_library = |prefix: &WinPath| {
        let library = prefix.join("Lib");
        files.is_file(&library.join("os.py")) || files.is_file(&library.join("os.pyc"))
    };
    let beside_dll = dll.path.parent()?;
    if files.is_file(zip) {
        return Some(beside_dll);
    }
    if version.at_least(3, 11) {
        if has_library(&beside_dll) {
            return Some(beside_dll);
        }
        if files.is_file(&home.join(zip.file_name())) {
            return Some(home.clone());
        }
    }
    std::iter::successors(Some(home.clone()), WinPath::parent).find(has_library)
}

/// Returns the kind of the Python at this prefix, ignoring virtual environments.
fn base_kind(prefix: &WinPath, has_path_file: bool, zip: &WinPath, files: &dyn Files) -> EnvironmentKind {
    let is_store = |folder: &WinPath| {
        let above = folder.parent();
        folder.file_name().starts_with("PythonSoftwareFoundation.Python")
            && above.is_some_and(|above| above.file_name().eq_ignore_ascii_case("WindowsApps"))
    };
    if files.is_folder(&prefix.join("conda-meta")) {
        EnvironmentKind::Conda
    } else if is_store(prefix) {
        EnvironmentKind::Store
    } else if has_path_file || (files.is_file(zip) && !files.is_file(&prefix.join("Lib").join("os.py"))) {
        EnvironmentKind::Embeddable
    } else {
        EnvironmentKind::Installed
    }
}

/// Returns the Python that a virtualenv older than 20 was made with, from the file that its site.py
/// reads.
fn legacy_virtualenv(prefix: &WinPath, files: &dyn Files) -> Option<WinPath> {
    let text = files.text(&prefix.join("Lib").join("orig-prefix.txt")).ok()?;
    let original = text.trim();
    (!original.is_empty()).then(|| canonical(&WinPath::new(original)))
}
