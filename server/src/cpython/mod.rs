//! CPython on top of the loader: how a version loads extension modules and libraries, what it says when
//! that fails, and where its finders look for a module.
//!
//! Sources: `Python/dynload_win.c`, `Lib/ctypes/__init__.py`, `Lib/importlib/_bootstrap_external.py`,
//! `PC/config.c` of CPython; conda's patch `CondaEcosystemModifyDllSearchPath`.

mod conda;
mod finder;
mod sentence;
mod stable_abi;
mod tag;

use crate::environment::{DllName, Environment, Kind, Platform};
use crate::host::{Host, WinPath};
use crate::image::Symbol;
use crate::loader::{Failure, Fault, LoadFlags, Process};

pub use conda::CONDA_FOLDERS;
pub use finder::{Finder, Found, IMPORTED_AT_START, Withheld, offered_by};
pub use sentence::{windows_message, windows_sentence};
pub use stable_abi::{StableAbi, is_of_other_python};
pub use tag::{BuiltFor, System};

#[cfg(test)]
mod tests;

/// A running interpreter: its process, and what it adds to every load.
#[derive(Clone)]
pub struct Interpreter<'e> {
    /// The environment that it runs in.
    pub environment: &'e Environment,
    /// What is loaded.
    pub process: Process,
    /// What conda's patch made of PATH last.
    conda: Option<conda::Added>,
    /// Loads that fail are taken to work, to see what would come after them.
    overlooks_failures: bool,
    /// Whether the DLLs of the stable ABI were looked for.
    has_stable_abi: bool,
}

/// An extension module cannot be imported, or a library not be loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadError {
    /// Windows refused.
    Windows(Failure),
    /// The module was built for another Python, whose DLL it imports.
    OtherPython {
        /// `python38.dll`
        dll: String,
        /// How it fails.
        clash: Clash,
    },
    /// The module is loaded, and crashes as Python calls its `PyInit_…`: the process ends, and no `except` catches that.
    Crash(Box<Fault>),
}

/// How a module for another Python fails where Windows can load it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// Python refuses it: the name of the DLL is another version's.
    Name,
    /// It does not define the function that this Python asks for: `PyInit_…`.
    Function,
    /// Python does not notice. The DLL is loaded as a second Python that nobody has initialized, and the first
    /// call into it crashes.
    Crash,
}

impl LoadError {
    /// The first culprit; none of a module that is for another Python.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            LoadError::Windows(failure) => Some(&failure.first),
            LoadError::Crash(fault) => Some(fault),
            LoadError::OtherPython { .. } => None,
        }
    }

    /// Whether the process ends, whatever the program would catch.
    pub fn is_crash(&self) -> bool {
        matches!(self, LoadError::Crash(_) | LoadError::OtherPython { clash: Clash::Crash, .. })
    }

    /// The name of the file to blame first: `target` itself where nothing below it is.
    pub fn culprit<'a>(&'a self, target: &'a str) -> &'a str {
        match self {
            LoadError::Windows(failure) => failure.first.culprit(),
            LoadError::OtherPython { dll, .. } => dll,
            LoadError::Crash(_) => target,
        }
    }
}

/// How a library is loaded from Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CtypesMode {
    /// The `winmode` argument, from Python 3.8 on.
    pub winmode: Option<u32>,
}

impl<'e> Interpreter<'e> {
    /// Starts the interpreter of `environment`.
    ///
    /// # Errors
    /// The program itself cannot be started: its DLL or the C runtime is missing.
    pub fn start(host: &Host, environment: &'e Environment) -> Result<Interpreter<'e>, Failure> {
        let Environment { program, interpreter, application_directory: application, .. } = environment;
        let process = match &environment.launcher_directory {
            _ if environment.platform == Platform::Linux => {
                Process::new(host.clone(), environment.machine, application.clone())
            }
            None if host.files.is_file(program) => started(host, environment, application, program)?,
            None => started(host, environment, application, interpreter)?,
            Some(directory) => {
                let mut process = started(host, environment, application, program)?;
                match load_into_launcher(&mut process, directory, environment.python_dll.file_name()) {
                    Ok(()) => process,
                    // Then it starts the interpreter as another process.
                    Err(_) => {
                        started(host, environment, directory, &directory.join(interpreter.file_name()))?
                    }
                }
            }
        };
        let mut interpreter = Interpreter {
            environment,
            process,
            conda: None,
            overlooks_failures: false,
            has_stable_abi: false,
        };
        if environment.platform == Platform::Windows {
            interpreter.start_conda();
        }
        Ok(interpreter)
    }

    /// What Linux loads is not simulated.
    fn loads_everything(&self) -> bool {
        self.environment.platform == Platform::Linux
    }

    /// Python up to 3.7 gives LoadLibraryEx the old search, which ends with PATH.
    pub fn searches_path(&self) -> bool {
        let version = &self.environment.version;
        (version.major, version.minor) < (3, 8)
    }

    /// From now on it goes on after a failed load as if that had worked.
    pub fn overlook_failures(&mut self) {
        self.overlooks_failures = true;
    }

    /// Whether it does.
    pub fn overlooks_failures(&self) -> bool {
        self.overlooks_failures
    }

    /// `_Py_CheckPython3` in `dynload_win.c`, before the first extension module: so those of the stable ABI find these DLLs by their
    /// names.
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

    fn looked_at(&self, result: Result<(), LoadError>) -> Result<(), LoadError> {
        if self.overlooks_failures { Ok(()) } else { result }
    }

    /// Loads an extension module from `path`, as `_PyImport_FindSharedFuncptrWindows` does, and calls its `PyInit_…`.
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
        let result = match self.other_python(path) {
            None => {
                let loaded = self.process.load(path.as_str(), flags).map(drop).map_err(LoadError::Windows);
                loaded.and_then(|()| match self.process.crash_at_init(path, first) {
                    Some(fault) => Err(LoadError::Crash(Box::new(fault))),
                    None => Ok(()),
                })
            }
            Some(other) => {
                // The check comes after the load, which may fail first; its modules do not stay.
                let loaded = self.process.clone().load(path.as_str(), flags).map_err(LoadError::Windows);
                loaded.and(Err(other))
            }
        };
        self.looked_at(result)
    }

    /// The modules that an extension module imports from its own code, in order, as its code is run.
    pub fn imported_by(&self, path: &WinPath) -> Vec<String> {
        if self.loads_everything() {
            return Vec::new();
        }
        self.process.host().files.image(path).map(|image| image.module_imports.clone()).unwrap_or_default()
    }

    /// Why the module is for another Python, if it is. CPython compares the first `pythonXY.dll` that it imports
    /// with the name that this version's has; it knows no name of a free-threaded build there, not its own
    /// either (`GetPythonImport` of 3.13).
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

    /// `ctypes.WinDLL(name)` and its kin.
    pub fn load_library(&mut self, name: &str, mode: CtypesMode) -> Result<(), LoadError> {
        if self.loads_everything() {
            return Ok(());
        }
        let flags = match mode.winmode {
            _ if self.searches_path() => LoadFlags::NONE,
            Some(winmode) => LoadFlags(winmode),
            // `_ctypes` asks for the DLL's own directory too where the name holds a separator, after
            // making it a full path.
            None if name.contains(['/', '\\']) => {
                LoadFlags::SEARCH_DEFAULT_DIRS.with(LoadFlags::SEARCH_DLL_LOAD_DIR)
            }
            None => LoadFlags::SEARCH_DEFAULT_DIRS,
        };
        let result = self.process.load(name, flags).map(drop).map_err(LoadError::Windows);
        self.looked_at(result)
    }

    /// `LoadLibraryExW` called by hand, with its flags.
    pub fn load_with_flags(&mut self, name: &str, flags: LoadFlags) -> Result<(), LoadError> {
        if self.loads_everything() {
            return Ok(());
        }
        let result = self.process.load(name, flags).map(drop).map_err(LoadError::Windows);
        self.looked_at(result)
    }
}

/// A process of this executable.
fn started(
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
    if environment.base_kind == Kind::Store {
        process.be_packaged();
    }
    process.start(executable)?;
    Ok(process)
}

/// What an alias of the install manager does before it calls `Py_Main` (`try_load_python3_dll` in pymanager's
/// launcher.cpp). The search that it sets holds for all later loads that ask for no other: neither PATH nor
/// the alias' own folder counts for them.
fn load_into_launcher(process: &mut Process, directory: &WinPath, python: &str) -> Result<(), Failure> {
    process.set_default_directories(LoadFlags::SEARCH_SYSTEM32.with(LoadFlags::SEARCH_USER_DIRS));
    process.add_dll_directory(directory.clone(), "the install manager's alias".to_owned());
    process.load("python3.dll", LoadFlags::NONE)?;
    // `python3.dll` needs nothing; the functions that are asked of it are forwarded there.
    process.load(python, LoadFlags::NONE).map(drop)
}
