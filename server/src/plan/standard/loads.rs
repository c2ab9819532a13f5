//! Functions that load libraries or change the search path: `ctypes`, `os.add_dll_directory`, PATH,
//! `sys.path`.

use std::rc::Rc;

use super::super::doubt::UnknownDirectory;
use super::super::frame::Frame;
use super::super::import::traced;
use super::super::value::{Exception, Value};
use super::super::{Event, LoadFailure, LoadKind, Place, Plan};
use super::Outcome;
use super::names::is_kernel;
use crate::cpython::LoadError;
use crate::environment::Platform;
use crate::host::{WinPath, is_always_set};
use crate::image::Machine;
use crate::loader::LoadFlags;
use crate::win32;

/// The maximum number of unknown directories to record. The first ones suffice to explain the
/// doubt.
const MAX_UNKNOWN_DIRECTORIES: usize = 100;

impl Plan<'_> {
    pub(super) fn add_dll_directory(&mut self, directory: &Value, place: &Place) -> Outcome {
        let path = directory.text().map(|text| WinPath::new(&*text));
        let Some(path) = path.filter(WinPath::is_absolute) else {
            let below = match directory {
                Value::Below(folder) => Some(WinPath::new(&**folder)),
                _ => None,
            };
            if self.unknown_directories.len() < MAX_UNKNOWN_DIRECTORIES {
                self.unknown_directories.push(UnknownDirectory { below, at: place.clone() });
            }
            return Ok(self.unknown_load("a directory given to os.add_dll_directory", place));
        };
        let path = path.normalized();
        if !self.interpreter.process.host().files.is_folder(&path) {
            let quoted = Value::str(path.as_str()).to_repr().unwrap_or_default();
            let text = format!("[WinError 2] The system cannot find the file specified: {quoted}");
            return Err(traced(Rc::new(Exception::new("FileNotFoundError", Some(text.into()))), place));
        }
        self.step(Event::DirectoryAdded(path.clone()), place);
        let by = self.describe_place(place);
        self.interpreter.process.add_dll_directory(path.clone(), by);
        Ok(Value::AddedDirectory(path))
    }

    /// Sets the statement that makes the next load.
    pub(in crate::plan) fn name_caller(&mut self, place: &Place) {
        let caller = place.file.is_some().then(|| self.describe_place(place));
        self.interpreter.process.set_caller(caller.as_deref());
    }

    /// Describes a place by its path relative to `sys.path`: `numpy/__init__.py:12`.
    fn describe_place(&self, place: &Place) -> String {
        let Some(file) = &place.file else {
            return format!("line {}", place.line);
        };
        let below =
            self.sys_path.iter().filter_map(|folder| file.below(folder)).min_by_key(|tail| tail.len());
        let tail = below.unwrap_or(file.as_str()).replace('\\', "/");
        format!("{tail}:{}", place.line)
    }

    pub(super) fn loaded_library(
        &mut self,
        target: &str,
        result: Result<(), crate::cpython::LoadError>,
        place: &Place,
    ) -> Result<(), Rc<Exception>> {
        let event = Event::Library { name: target.to_owned(), loaded: result.is_ok() };
        self.step(event, place);
        let Err(error) = result else {
            return Ok(());
        };
        let doubt = self.doubt(&error);
        let is_doubted = doubt.is_some();
        let (class, text) = self.interpreter.ctypes_sentence(target, &error);
        let failure = self.failed(LoadFailure {
            target: target.to_owned(),
            kind: LoadKind::Ctypes,
            at: place.clone(),
            error,
            sentence: format!("{class}: {text}"),
            uncertain: self.uncertain > 0 || is_doubted,
            doubt,
        });
        if is_doubted {
            return Ok(());
        }
        let mut exception = Exception::new(class, Some(text.into()));
        exception.failures.push(failure);
        Err(traced(Rc::new(exception), place))
    }

    /// Calls a function of a library that ctypes has loaded. Packages that need flags which ctypes
    /// doesn't pass call LoadLibrary directly. It returns NULL on failure.
    pub(super) fn library_function(
        &mut self,
        library: &str,
        name: &str,
        arguments: &[Value],
        place: &Place,
    ) -> Outcome {
        if !is_kernel(library) || !name.starts_with("LoadLibrary") {
            return Ok(Value::Unknown);
        }
        let Some(target) = arguments.first().and_then(Value::text) else {
            return Ok(self.unknown_load("the name of a library that LoadLibrary loads", place));
        };
        let flags = arguments.get(2).and_then(Value::number).and_then(|flags| u32::try_from(flags).ok());
        self.name_caller(place);
        let result = self.interpreter.load_with_flags(&target, LoadFlags(flags.unwrap_or(0)));
        self.note_last_error(&result);
        if self.loaded_library(&target, result, place).is_ok() {
            return Ok(Value::Int(1));
        }
        // The result is NULL, without an exception. Most programs then raise ctypes.WinError.
        if let Some(LoadFailure { sentence, error: LoadError::Windows(failure), .. }) =
            self.failures.last_mut()
        {
            let text = win32::message(failure.code()).unwrap_or("unknown error");
            *sentence = format!("OSError: [WinError {}] {text}", failure.code());
        }
        Ok(Value::None)
    }

    /// Sets the value that `ctypes.get_last_error` returns.
    pub(super) fn note_last_error(&mut self, result: &Result<(), LoadError>) {
        self.last_error = match result {
            Ok(()) => 0,
            Err(LoadError::Windows(failure)) => failure.code(),
            Err(LoadError::OtherPython { .. } | LoadError::Crash(_)) => win32::ERROR_MOD_NOT_FOUND,
        };
    }

    /// Evaluates `ffi.dlopen(name, flags)` of cffi. Without flags, a path is loaded as Python loads
    /// extension modules, and a name as in any program (`src/c/misc_win32.h` of cffi 2.1; before
    /// 1.15, this applies to a path, too).
    pub(super) fn load_by_cffi(&mut self, target: &str, flags: u32, place: &Place) -> Outcome {
        let flags = match flags {
            0 if target.contains(['/', '\\']) => {
                LoadFlags::SEARCH_DEFAULT_DIRS.with(LoadFlags::SEARCH_DLL_LOAD_DIR)
            }
            flags => LoadFlags(flags),
        };
        self.name_caller(place);
        let result = self.interpreter.load_with_flags(target, flags);
        let Err(failed) = self.loaded_library(target, result, place) else { return Ok(Value::Unknown) };
        // The message contains the code in the form of Windows' own message (`b_do_dlopen`).
        let code = self.failures.last().and_then(|failure| match &failure.error {
            LoadError::Windows(failure) => Some(failure.code()),
            LoadError::OtherPython { .. } | LoadError::Crash(_) => None,
        });
        let text = match code {
            Some(code) => format!("cannot load library '{target}': error 0x{code:x}"),
            None => format!("cannot load library '{target}'"),
        };
        if let Some(failure) = self.failures.last_mut() {
            failure.sentence = format!("OSError: {text}");
        }
        let exception = Exception::new("OSError", Some(text.into()));
        Err(traced(Rc::new(Exception { failures: failed.failures.clone(), ..exception }), place))
    }

    /// Loads a library of TensorFlow operations. `LoadDynamicLibrary`
    /// (`tsl/platform/windows/load_library.cc`) uses the altered search path, which starts in the
    /// library's own folder, and reports every failure as its own error.
    pub(super) fn load_operations(&mut self, target: &str, place: &Place) -> Outcome {
        self.name_caller(place);
        let result = self.interpreter.load_with_flags(target, LoadFlags::ALTERED_SEARCH_PATH);
        let Err(failed) = self.loaded_library(target, result, place) else {
            return Ok(Value::Unknown);
        };
        let text = format!("{target} not found");
        if let Some(failure) = self.failures.last_mut() {
            failure.sentence = format!("tensorflow.errors.NotFoundError: {text}");
        }
        let exception = Exception::new("NotFoundError", Some(text.into()));
        Err(traced(Rc::new(Exception { failures: failed.failures.clone(), ..exception }), place))
    }

    /// Returns an environment variable of the process, or Python's `None` if it is unset.
    pub(in crate::plan) fn variable(&self, name: &Value) -> Value {
        let Some(name) = name.text() else {
            return Value::Unknown;
        };
        let name = name.to_ascii_uppercase();
        if self.unknown_variables.contains(&name) {
            return Value::Unknown;
        }
        match self.interpreter.process.variable(&name) {
            Some(value) => Value::str(value),
            // Every process has a PATH, even if its value is unknown. On a clean Windows, it starts
            // with these directories.
            None if name == "PATH" => match self.interpreter.process.host() {
                host if host.has_new_path() && !self.is_linux() => {
                    let windows = &host.windows_directory;
                    Value::str(format!(r"{windows}\system32;{windows}"))
                }
                _ => Value::str(""),
            },
            None if !self.is_linux() && is_always_set(&name) => Value::Unknown,
            None => Value::None,
        }
    }

    pub(super) fn is_32_bit(&self) -> bool {
        self.interpreter.environment.machine == Machine::X86
    }

    /// Returns the machine that `platform.machine()` returns. A 32-bit process gets that of Windows
    /// from `PROCESSOR_ARCHITEW6432`. Since Python 3.12, so does an emulated x64 process
    /// (`Lib/platform.py`: `_get_machine_win32`).
    pub(super) fn platform_machine(&self) -> Machine {
        let environment = self.interpreter.environment;
        match environment.machine {
            Machine::X86 => self.interpreter.process.host().machine,
            _ if environment.version.at_least(3, 12) => self.interpreter.process.host().machine,
            own => own,
        }
    }

    pub(super) fn is_linux(&self) -> bool {
        self.interpreter.environment.platform == Platform::Linux
    }

    /// Returns the user's profile folder (`os.path.expanduser("~")`), if known.
    pub(super) fn home(&self) -> Option<WinPath> {
        Some(WinPath::new(self.variable(&Value::str("USERPROFILE")).text()?.as_ref()))
    }

    /// Evaluates `os.path.expanduser(path)`: a tilde alone, or before a backslash or slash, stands
    /// for the user's own profile.
    pub(super) fn with_home(&self, path: &str) -> Option<String> {
        match path.strip_prefix('~') {
            None => Some(path.to_owned()),
            Some(rest) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
                Some(format!("{}{rest}", self.home()?))
            }
            // The profile of another user.
            Some(_) => None,
        }
    }

    /// Executes `os.environ["PATH"] = …`.
    pub(in crate::plan) fn set_variable(&mut self, name: &Value, value: &Value, frame: &Frame) {
        self.set_variable_at(name, value, &frame.place());
    }

    pub(super) fn set_variable_at(&mut self, name: &Value, value: &Value, place: &Place) {
        let Some(name) = name.text().map(|name| name.to_ascii_uppercase()) else {
            return;
        };
        match value.raw_text() {
            Some(value) => {
                self.unknown_variables.remove(&name);
                self.interpreter.process.set_variable(&name, Some(&value));
            }
            None => {
                if name == "PATH" {
                    self.unknown_load("a new value of PATH", place);
                }
                self.unknown_variables.insert(name);
            }
        }
    }

    /// Returns a copy of `sys.path`.
    pub(in crate::plan) fn sys_path_entries(&self) -> Value {
        Value::list(self.sys_path.iter().map(|entry| Value::str(entry.as_str())).collect())
    }

    pub(in crate::plan) fn set_sys_path(&mut self, value: &Value) {
        if let Some(entries) = value.items() {
            self.sys_path =
                entries.iter().filter_map(Value::text).map(|entry| WinPath::new(&*entry)).collect();
        }
    }
}
