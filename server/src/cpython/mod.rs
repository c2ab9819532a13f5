//! CPython's rules for loads: how each version loads extension modules and libraries, what it
//! prints when that fails, and where its finders look for a module.
//!
//! Sources: `Python/dynload_win.c`, `Lib/ctypes/__init__.py`,
//! `Lib/importlib/_bootstrap_external.py`, `PC/config.c` of CPython; conda's patch
//! `CondaEcosystemModifyDllSearchPath`.

mod conda;
mod finder;
mod prefetch;
mod sentence;
mod stable_abi;
mod tag;

use crate::environment::{DllName, Environment, EnvironmentKind, Platform};
use crate::host::{Host, WinPath};
use crate::image::Symbol;
use crate::loader::{Failure, Fault, LoadFlags, Process};

pub use conda::CONDA_FOLDERS;
pub use finder::{Finder, Found, IMPORTED_AT_START, Inaccessible, offered_by};
pub use prefetch::Prefetcher;
pub use stable_abi::{StableAbi, is_of_other_python};
pub use tag::{BuiltFor, System};

#[cfg(test)]
mod tests;

/// A running interpreter: its process and its rules for loads.
#[derive(Clone)]
pub struct Interpreter<'e> {
    /// The environment that it runs in.
    pub environment: &'e Environment,
    /// The simulated process with its loaded modules.
    pub process: Process,
    /// The state for which conda's patch last added directories.
    conda: Option<conda::SearchState>,
    /// Whether the DLLs of the stable ABI were already looked up.
    has_stable_abi: bool,
}

/// The reason why an extension module can't be imported or a library can't be loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadError {
    /// Windows refused the load.
    Windows(Failure),
    /// The module was built for another Python, whose DLL it imports.
    OtherPython {
        /// `python38.dll`
        dll: String,
        /// The way in which it fails.
        clash: Clash,
    },
    /// The module was loaded and crashes when Python calls its `PyInit_…`. The process ends, and no
    /// `except` catches that.
    Crash(Box<Fault>),
}

/// The way in which a module for another Python fails, if Windows can load it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// Python refuses it, because the DLL's name is that of another version.
    Name,
    /// It lacks the function that this Python calls: `PyInit_…`.
    Function,
    /// Python doesn't notice. The DLL is loaded as a second, uninitialized Python, and the first
    /// call into it crashes.
    Crash,
}

impl LoadError {
    /// Returns the first culprit, or `None` for a module that is for another Python.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            LoadError::Windows(failure) => Some(&failure.first),
            LoadError::Crash(fault) => Some(fault),
            LoadError::OtherPython { .. } => None,
        }
    }

    /// Whether the process ends, regardless of the program's handlers.
    pub fn is_crash(&self) -> bool {
        matches!(self, LoadError::Crash(_) | LoadError::OtherPython { clash: Clash::Crash, .. })
    }

    /// Returns the name of the first culprit. This is `target` itself unless one of its
    /// dependencies is to blame.
    pub fn culprit<'a>(&'a self, target: &'a str) -> &'a str {
        match self {
            LoadError::Windows(failure) => failure.first.culprit(),
            LoadError::OtherPython { dll, .. } => dll,
            LoadError::Crash(_) => target,
        }
    }
}

/// The options with which ctypes loads a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CtypesMode {
    /// The `winmode` argument, since Python 3.8.
    pub winmode: Option<u32>,
}

impl<'e> Interpreter<'e> {
    /// Starts the interpreter of `environment`.
    ///
    /// # Errors
    ///
    /// Returns a failure if the program itself can't start because its DLL or the C runtime is
    /// missing.
    pub fn start(host: &Host, environment: &'e Environment) -> Result<Interpreter<'e>, Failure> {
        let Environment { program, interpreter, application_directory: application, .. } = environment;
        let process = match &environment.launcher_directory {
            _ if environment.platform == Platform::Linux => {
                Process::new(host.clone(), environment.machine, application.clone())
            }
            None if host.files.is_file(program) => start_process(host, environment, application, program)?,
            None => start_process(host, environment, application, interpreter)?,
            Some(directory) => {
                let mut process = start_process(host, environment, application, program)?;
                match load_into_launcher(&mut process, directory, environment.python_dll.file_name()) {
                    Ok(()) => process,
                    // The alias then starts the interpreter as another process.
                    Err(_) => {
                        start_process(host, environment, directory, &directory.join(interpreter.file_name()))?
                    }
                }
            }
        };
        let mut interpreter = Interpreter { environment, process, conda: None, has_stable_abi: false };
        if environment.platform == Platform::Windows {
            interpreter.start_conda();
        }
        Ok(interpreter)
    }

    /// Whether all loads succeed: the loader of Linux isn't simulated.
    fn loads_everything(&self) -> bool {
        self.environment.platform == Platform::Linux
    }

    /// Whether PATH is searched for the dependencies of extension modules. Up to Python 3.7,
    /// LoadLibraryEx is called with the old search, which ends with PATH.
    pub fn searches_path(&self) -> bool {
        let version = &self.environment.version;
        (version.major, version.minor) < (3, 8)
    }

    /// Implements `_Py_CheckPython3` in `dynload_win.c`, which runs before the first extension
    /// module. Modules for the stable ABI then find these DLLs by name.
    fn load_stable_abi(&mut self) {
        if std::mem::replace(&mut self.has_stable_abi, true) {
            return;
        }
        for copies in stable_abi::preloaded(self.environment) {
            let files = &self.process.host().files;
            if let Some(copy) = copies.iter().find(|path| files.is_file(path)).cloned() {
                let _ = self.process.load(copy.as_str(), LoadFlags::ALTERED_SEARCH_PATH);
            }
        }
    }

    /// Loads an extension module from `path`, as `_PyImport_FindSharedFuncptrWindows` does, and
    /// calls its `PyInit_…`.
    pub fn load_extension(&mut self, path: &WinPath) -> Result<(), LoadError> {
        if self.loads_everything() {
            return Ok(());
        }
        self.load_stable_abi();
        let flags = if self.searches_path() {
            LoadFlags::ALTERED_SEARCH_PATH
        } else {
            LoadFlags::SEARCH_DEFAULT_DIRS.with(LoadFlags::SEARCH_DLL_LOAD_DIR)
        };
        self.resync_conda();
        let first = self.process.modules().len();
        match self.other_python(path) {
            None => {
                let loaded = self.process.load(path.as_str(), flags).map(drop).map_err(LoadError::Windows);
                loaded.and_then(|()| match self.process.predict_crash_at_init(path, first) {
                    Some(fault) => Err(LoadError::Crash(Box::new(fault))),
                    None => Ok(()),
                })
            }
            Some(other) => {
                // The check comes after the load, which may fail first. The loaded modules are
                // discarded.
                let loaded = self.process.clone().load(path.as_str(), flags).map_err(LoadError::Windows);
                loaded.and(Err(other))
            }
        }
    }

    /// Returns the modules that an extension module imports from its own code, in execution order.
    pub fn imported_by(&self, path: &WinPath) -> Vec<String> {
        if self.loads_everything() {
            return Vec::new();
        }
        self.process.host().files.image(path).map(|image| image.module_imports.clone()).unwrap_or_default()
    }

    /// Returns the reason if the module is for another Python. CPython compares the first
    /// `pythonXY.dll` that it imports with the name for its own version. It doesn't recognize the
    /// names of free-threaded builds, including its own (`GetPythonImport` of 3.13).
    fn other_python(&self, path: &WinPath) -> Option<LoadError> {
        let files = &self.process.host().files;
        let image = files.image(path).ok()?;
        let Environment { version, debug, free_threaded, .. } = self.environment;
        let versioned = image.imports.iter().find_map(|import| Some((import, DllName::parse(import)?)));
        let (dll, clash) = match versioned {
            Some((dll, name)) => {
                let is_same = (name.version.major, name.version.minor) == (version.major, version.minor);
                let refused = !name.free_threaded && name.debug == *debug && !is_same;
                (dll, if refused { Clash::Name } else { Clash::Crash })
            }
            None => {
                let (dll, abi) =
                    image.imports.iter().find_map(|import| Some((import, StableAbi::of(import)?)))?;
                let stem = path.file_name().split('.').next().unwrap_or_default();
                let init = Symbol::Name(format!("PyInit_{stem}"));
                match abi {
                    StableAbi::Abi3t if files.export(path, &init).is_ok_and(|init| init.is_none()) => {
                        (dll, Clash::Function)
                    }
                    StableAbi::Abi3t if *free_threaded => return None,
                    StableAbi::Abi3 | StableAbi::Abi3t => (dll, Clash::Crash),
                }
            }
        };
        is_of_other_python(dll, self.environment).then(|| LoadError::OtherPython { dll: dll.clone(), clash })
    }

    /// Executes `ctypes.WinDLL(name)` or a similar call.
    pub fn load_library(&mut self, name: &str, mode: CtypesMode) -> Result<(), LoadError> {
        if self.loads_everything() {
            return Ok(());
        }
        let flags = match mode.winmode {
            _ if self.searches_path() => LoadFlags::NONE,
            Some(winmode) => LoadFlags(winmode),
            // If the name contains a separator, `_ctypes` makes it a full path and adds the DLL's
            // own directory to the search.
            None if name.contains(['/', '\\']) => {
                LoadFlags::SEARCH_DEFAULT_DIRS.with(LoadFlags::SEARCH_DLL_LOAD_DIR)
            }
            None => LoadFlags::SEARCH_DEFAULT_DIRS,
        };
        self.process.load(name, flags).map(drop).map_err(LoadError::Windows)
    }

    /// Executes a direct call of `LoadLibraryExW` with its flags.
    pub fn load_with_flags(&mut self, name: &str, flags: LoadFlags) -> Result<(), LoadError> {
        if self.loads_everything() {
            return Ok(());
        }
        self.process.load(name, flags).map(drop).map_err(LoadError::Windows)
    }
}

/// Starts a process of this executable.
fn start_process(
    host: &Host,
    environment: &Environment,
    application: &WinPath,
    executable: &WinPath,
) -> Result<Process, Failure> {
    let mut process = Process::new(host.clone(), environment.machine, application.clone());
    for (name, value) in host.usual_variables(&environment.interpreter, environment.machine) {
        if process.variable(&name).is_none() {
            process.set_variable(&name, Some(&value));
        }
    }
    if environment.base_kind == EnvironmentKind::Store {
        process.mark_packaged();
    }
    process.start(executable)?;
    Ok(process)
}

/// Does what an alias of the install manager does before it calls `Py_Main` (`try_load_python3_dll`
/// in pymanager's launcher.cpp). It sets the search for all later loads without flags of their own:
/// neither PATH nor the alias's own folder is used for them.
fn load_into_launcher(process: &mut Process, directory: &WinPath, python: &str) -> Result<(), Failure> {
    process.set_default_directories(LoadFlags::SEARCH_SYSTEM32.with(LoadFlags::SEARCH_USER_DIRS));
    process.add_dll_directory(directory.clone(), "the install manager's alias".to_owned());
    process.load("python3.dll", LoadFlags::NONE)?;
    // `python3.dll` has no dependencies. Its exports are forwarders to this DLL.
    process.load(python, LoadFlags::NONE).map(drop)
}
