//! Programs that start a Python in another directory: the aliases of the Python Install Manager,
//! and uv's trampolines.
//!
//! An alias `NAME.exe` has its target in the file `NAME.exe.__target__`. If possible, it runs
//! Python in its own process with the DLLs of the target's directory: it calls
//! `SetDefaultDllDirectories` for System32 and added directories, adds that directory, and loads
//! `python3.dll`. If that fails, or if it isn't the `python3.dll` of Python 3.11 or newer, it
//! starts the target as another process (python/pymanager, `src/pymanager/launcher.cpp`). A
//! trampoline of uv always does the latter, and contains the target's path itself.

use serde::{Deserialize, Serialize};

use super::EnvironmentError;
use super::layout::{PythonDll, canonical};
use super::version::DllName;
use crate::host::{FileError, Files, WinPath};
use crate::image::{Export, Symbol};

/// The suffix of the file that contains the target of an alias.
const TARGET: &str = ".__target__";

/// The maximum length of a target that an alias reads, in bytes including the NUL.
const MAX_TARGET_BYTES: u64 = 32_768;

/// The maximum number of launchers that start each other. Real aliases and trampolines start an
/// interpreter directly.
const MAX_LAUNCHERS: usize = 4;

/// The maximum number of characters of a malformed target that a message quotes.
const MAX_QUOTED_CHARS: usize = 260;

/// The program that runs Python, after following launchers.
pub(super) struct Started {
    /// The executable of the process.
    pub program: WinPath,
    /// The path that Python takes for its executable. It differs from `program` if that is an
    /// alias.
    pub executable: WinPath,
    /// The DLL that an alias loads into its process from another directory.
    pub dll: Option<PythonDll>,
}

impl Started {
    pub fn directly(program: WinPath) -> Started {
        Started { executable: program.clone(), program, dll: None }
    }
}

/// The target of a launcher.
struct Target {
    path: WinPath,
    /// Whether the launcher is an alias, which may run the target in its own process.
    is_of_alias: bool,
}

/// Follows launchers from `selected` to the program that runs Python.
pub(super) fn followed(selected: &WinPath, files: &dyn Files) -> Result<Started, EnvironmentError> {
    let broken = |launcher: &WinPath, reason| {
        let launcher = launcher.clone();
        Err(EnvironmentError::BrokenLauncher { launcher, reason })
    };
    let mut program = selected.clone();
    for _ in 0..MAX_LAUNCHERS {
        let target = match target_of(&program, files) {
            Ok(Some(target)) => target,
            Ok(None) => return Ok(Started::directly(program)),
            Err(reason) => return broken(&program, reason),
        };
        if let Some(dll) = dll_in_process(&program, &target, files) {
            return Ok(Started { program, executable: canonical(&target.path), dll: Some(dll) });
        }
        match files.size(&target.path) {
            Ok(_) => program = canonical(&target.path),
            Err(FileError::NotFound | FileError::WrongKind(_) | FileError::NotRecorded) => {
                return broken(&program, LauncherFault::missing(&target.path));
            }
            Err(reason) => return Err(EnvironmentError::Unreadable { path: target.path, reason }),
        }
    }
    broken(selected, LauncherFault::Circle)
}

/// Returns the program that the trampoline of a virtual environment starts, or `None` for any other
/// program.
pub(super) fn trampoline_in_venv(
    program: &WinPath,
    files: &dyn Files,
) -> Option<Result<WinPath, LauncherFault>> {
    let image = files.image(program).ok()?;
    image.starts.as_deref().map(|target| trampoline_target(program, target))
}

/// Returns a fault if a program has no target file, although other aliases next to it do.
pub(super) fn lost_target(
    program: &WinPath,
    directory: &WinPath,
    files: &dyn Files,
) -> Option<LauncherFault> {
    let listing = files.folder(directory).ok()?;
    let is_among_aliases = listing.files_ending_in(&[TARGET]).next().is_some();
    is_among_aliases.then(|| LauncherFault::NoTarget { file: target_file(program) })
}

fn target_file(alias: &WinPath) -> WinPath {
    WinPath::new(format!("{alias}{TARGET}"))
}

fn target_of(program: &WinPath, files: &dyn Files) -> Result<Option<Target>, LauncherFault> {
    let file = target_file(program);
    let image = files.image(program).ok();
    let is_file = files.is_file(&file);
    if is_file && !image.iter().flat_map(|image| &image.imports).any(|dll| DllName::parse(dll).is_some()) {
        return alias_target(program, file, files).map(|path| Some(Target { path, is_of_alias: true }));
    }
    // In a virtual environment, a trampoline sets itself as Python's executable (`is_virtualenv` in
    // uv's bounce.rs).
    let is_in_venv = || {
        let above = program.parent().and_then(|folder| folder.parent());
        above.is_some_and(|folder| files.is_file(&folder.join("pyvenv.cfg")))
    };
    match image.as_ref().and_then(|image| image.starts.as_deref()) {
        Some(target) if !is_in_venv() => {
            trampoline_target(program, target).map(|path| Some(Target { path, is_of_alias: false }))
        }
        _ => Ok(None),
    }
}

/// Reads a `__target__` file up to a NUL, including spaces and line ends, as the alias does.
fn alias_target(alias: &WinPath, file: WinPath, files: &dyn Files) -> Result<WinPath, LauncherFault> {
    let unreadable = |reason| LauncherFault::Unreadable { file: file.clone(), reason };
    if files.size(&file).map_err(unreadable)? >= MAX_TARGET_BYTES {
        return Err(LauncherFault::TooLong { file });
    }
    let text = files.text(&file).map_err(unreadable)?;
    let target = text.split('\0').next().unwrap_or_default();
    if !is_on_a_drive(target) && !target.starts_with(r"\\") {
        return Err(LauncherFault::NotAbsolute { target: quoted(target) });
    }
    checked_server(alias, WinPath::new(target))
}

fn trampoline_target(trampoline: &WinPath, target: &str) -> Result<WinPath, LauncherFault> {
    let target = match (is_on_a_drive(target) || target.starts_with(r"\\"), trampoline.parent()) {
        (false, Some(folder)) => folder.join(target),
        _ => WinPath::new(target),
    };
    checked_server(trampoline, target.normalized())
}

/// Returns the target unless it is on another server than the launcher. Anybody may have written
/// the path, so no other server is contacted.
fn checked_server(launcher: &WinPath, target: WinPath) -> Result<WinPath, LauncherFault> {
    match server_of(target.as_str()) {
        None => Ok(target),
        server if server == server_of(launcher.as_str()) => Ok(target),
        Some(_) => Err(LauncherFault::OnServer { target: quoted(target.as_str()) }),
    }
}

/// Returns `server` of `\\server\share\…`. Device paths (`\\.\`, `\\?\`) count as servers too.
fn server_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix(['\\', '/'])?.strip_prefix(['\\', '/'])?;
    rest.split(['\\', '/']).next().map(str::to_lowercase)
}

fn is_on_a_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

fn quoted(target: &str) -> String {
    target.chars().take(MAX_QUOTED_CHARS).collect()
}

/// Returns the DLL of the Python that an alias runs in its own process: the DLL to which the
/// `python3.dll` in the target's directory forwards `Py_Main`, provided that it also exports
/// `Py_Version`, which was added in Python 3.11.
fn dll_in_process(alias: &WinPath, target: &Target, files: &dyn Files) -> Option<PythonDll> {
    // The alias determines the directory by the last backslash.
    if !target.is_of_alias || !target.path.as_str().contains('\\') {
        return None;
    }
    let folder = target.path.parent()?;
    let stable = folder.join("python3.dll");
    if !files.is_file(&stable) || files.image(&stable).ok()?.machine != files.image(alias).ok()?.machine {
        return None;
    }
    let exported = |name: &str| files.export(&stable, &Symbol::Name(name.to_owned())).ok().flatten();
    exported("Py_Version")?;
    let Export::Forward { dll, .. } = exported("Py_Main")? else { return None };
    let path = folder.join(&format!("{}.dll", dll.trim_end_matches(".dll")));
    let name = DllName::parse(path.file_name())?;
    files.is_file(&path).then_some(PythonDll { path, name })
}

/// The reason why a launcher cannot start anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LauncherFault {
    /// The file with its target is missing.
    #[error("{file}, which names the program to start, is missing")]
    NoTarget {
        /// The path where it should be.
        file: WinPath,
    },
    /// The file with its target cannot be read.
    #[error("{file}, which names the program to start, cannot be read: {reason}")]
    Unreadable {
        /// The path of the file.
        file: WinPath,
        /// The reason.
        reason: FileError,
    },
    /// The file with its target is longer than the launcher supports.
    #[error("{file}, which names the program to start, is too long")]
    TooLong {
        /// The path of the file.
        file: WinPath,
    },
    /// The target depends on the current directory.
    #[error("its target is not a full path: \"{target}\"")]
    NotAbsolute {
        /// The first characters of the target.
        target: String,
    },
    /// The target is on another computer, or isn't on a drive.
    #[error("its target is on another computer or device, which is not contacted: {target}")]
    OnServer {
        /// The first characters of the target.
        target: String,
    },
    /// The target doesn't exist.
    #[error("the Python that it starts is gone: {target} does not exist")]
    Missing {
        /// The first characters of the target.
        target: String,
    },
    /// Launchers start each other.
    #[error("it only starts other launchers")]
    Circle,
}

impl LauncherFault {
    pub(super) fn missing(target: &WinPath) -> LauncherFault {
        LauncherFault::Missing { target: quoted(target.as_str()) }
    }
}
