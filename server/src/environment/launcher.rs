//! Programs that start a Python in another folder: the aliases of the Python Install Manager, and uv's
//! trampolines.
//!
//! An alias `NAME.exe` has its target in the file `NAME.exe.__target__`. It runs Python in its own process if
//! it can, with the DLLs of the target's folder: it calls `SetDefaultDllDirectories` for System32 and added
//! directories, adds that folder, and loads `python3.dll`. If that fails or is no `python3.dll` of Python
//! 3.11 or newer, it starts the target as another process (python/pymanager, `src/pymanager/launcher.cpp`). A
//! trampoline of uv always does that, and carries the target's path in itself.

use serde::{Deserialize, Serialize};

use super::EnvironmentError;
use super::layout::{PythonDll, canonical};
use super::version::DllName;
use crate::host::{FileError, Files, WinPath};
use crate::image::{Export, Symbol};

/// What follows the name of an alias in that of the file that has its target.
const TARGET: &str = ".__target__";

/// The longest target that an alias reads, in bytes with its NUL.
const LONGEST_TARGET: u64 = 32_768;

/// So many launchers start each other; aliases and trampolines lead to an interpreter at once.
const MOST_LAUNCHERS: usize = 4;

/// How much of a malformed target a message quotes, in characters.
const LONGEST_TOLD: usize = 260;

/// The program that runs a Python in the end.
pub(super) struct Started {
    /// The executable of the process.
    pub program: WinPath,
    /// What Python takes for its executable: other than `program` if that is an alias.
    pub executable: WinPath,
    /// The DLL that an alias has loaded into its process from elsewhere.
    pub dll: Option<PythonDll>,
}

impl Started {
    pub fn directly(program: WinPath) -> Started {
        Started { executable: program.clone(), program, dll: None }
    }
}

/// What a launcher names as its target.
struct Target {
    path: WinPath,
    /// It is that of an alias, which may run it in its own process.
    is_of_alias: bool,
}

/// Follows launchers from `selected` on to the program that runs Python.
pub(super) fn followed(selected: &WinPath, files: &dyn Files) -> Result<Started, EnvironmentError> {
    let broken = |launcher: &WinPath, reason| {
        let launcher = launcher.clone();
        Err(EnvironmentError::BrokenLauncher { launcher, reason })
    };
    let mut program = selected.clone();
    for _ in 0..MOST_LAUNCHERS {
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

/// What the trampoline of a virtual environment starts; none of any other program.
pub(super) fn trampoline_in_venv(
    program: &WinPath,
    files: &dyn Files,
) -> Option<Result<WinPath, LauncherFault>> {
    let image = files.image(program).ok()?;
    image.starts.as_deref().map(|target| trampoline_target(program, target))
}

/// A program without a target file, while other aliases beside it have theirs.
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
    // In a virtual environment a trampoline sets itself as Python's executable (`is_virtualenv` in uv's
    // bounce.rs).
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

/// The text of a `__target__` file up to a NUL, blanks and line ends included, as the alias takes it.
fn alias_target(alias: &WinPath, file: WinPath, files: &dyn Files) -> Result<WinPath, LauncherFault> {
    let unreadable = |reason| LauncherFault::Unreadable { file: file.clone(), reason };
    if files.size(&file).map_err(unreadable)? >= LONGEST_TARGET {
        return Err(LauncherFault::TooLong { file });
    }
    let text = files.text(&file).map_err(unreadable)?;
    let target = text.split('\0').next().unwrap_or_default();
    if !is_on_a_drive(target) && !target.starts_with(r"\\") {
        return Err(LauncherFault::NotAbsolute { target: told(target) });
    }
    local(alias, WinPath::new(target))
}

fn trampoline_target(trampoline: &WinPath, target: &str) -> Result<WinPath, LauncherFault> {
    let target = match (is_on_a_drive(target) || target.starts_with(r"\\"), trampoline.parent()) {
        (false, Some(folder)) => folder.join(target),
        _ => WinPath::new(target),
    };
    local(trampoline, target.normalized())
}

/// A path to a server is followed only by a launcher on that server: anybody may have written it, and no other
/// server is contacted.
fn local(launcher: &WinPath, target: WinPath) -> Result<WinPath, LauncherFault> {
    match server_of(target.as_str()) {
        None => Ok(target),
        server if server == server_of(launcher.as_str()) => Ok(target),
        Some(_) => Err(LauncherFault::OnServer { target: told(target.as_str()) }),
    }
}

/// `server` of `\\server\share\…`. Paths of devices (`\\.\`, `\\?\`) count as such, too.
fn server_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix(['\\', '/'])?.strip_prefix(['\\', '/'])?;
    rest.split(['\\', '/']).next().map(str::to_lowercase)
}

fn is_on_a_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

fn told(target: &str) -> String {
    target.chars().take(LONGEST_TOLD).collect()
}

/// The DLL of the Python that an alias runs in its own process: what the `python3.dll` in the target's folder
/// forwards `Py_Main` to, if it has `Py_Version`, too, which came with Python 3.11.
fn dll_in_process(alias: &WinPath, target: &Target, files: &dyn Files) -> Option<PythonDll> {
    // The alias finds the folder by the last backslash.
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

/// Why a launcher starts nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LauncherFault {
    /// The file with its target is not there.
    #[error("{file}, which tells what it starts, is missing")]
    NoTarget {
        /// Where it should be.
        file: WinPath,
    },
    /// The file with its target cannot be read.
    #[error("{file}, which tells what it starts, cannot be read: {reason}")]
    Unreadable {
        /// That file.
        file: WinPath,
        /// Why not.
        reason: FileError,
    },
    /// The file with its target is longer than the launcher reads.
    #[error("{file}, which tells what it starts, is too long")]
    TooLong {
        /// That file.
        file: WinPath,
    },
    /// What it names depends on the current directory.
    #[error("what it starts is no full path: \"{target}\"")]
    NotAbsolute {
        /// The first characters of what it names.
        target: String,
    },
    /// What it names lies on another computer, or is none of a drive.
    #[error("what it starts lies on another computer or device, which is not asked: {target}")]
    OnServer {
        /// The first characters of what it names.
        target: String,
    },
    /// Nothing to start is there.
    #[error("the Python that it starts is gone: there is no file {target}")]
    Missing {
        /// The first characters of what it names.
        target: String,
    },
    /// Launchers start each other.
    #[error("it starts nothing but other launchers")]
    Circle,
}

impl LauncherFault {
    pub(super) fn missing(target: &WinPath) -> LauncherFault {
        LauncherFault::Missing { target: told(target.as_str()) }
    }
}
