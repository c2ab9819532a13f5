//! What loads, or decides where is searched: `ctypes`, `os.add_dll_directory`, PATH, `sys.path`.

use std::rc::Rc;

use super::super::doubt::UnknownDirectory;
use super::super::frame::Frame;
use super::super::import::traced;
use super::super::value::{Exception, Value};
use super::super::{Event, LoadFailure, LoadKind, Place, Plan};
use super::Outcome;
use super::names::is_kernel;
use crate::cpython::{LoadError, windows_message};
use crate::environment::Platform;
use crate::host::{WinPath, is_always_set};
use crate::image::Machine;
use crate::loader::LoadFlags;

/// Directories of which no more than these are remembered: the first ones tell why nothing is certain.
const MOST_UNKNOWN: usize = 100;

impl Plan<'_> {
    pub(super) fn add_dll_directory(&mut self, directory: &Value, place: &Place) -> Outcome {
        let path = directory.text().map(|text| WinPath::new(&*text));
        let Some(path) = path.filter(WinPath::is_absolute) else {
            let below = match directory {
                Value::Below(folder) => Some(WinPath::new(&**folder)),
                _ => None,
            };
            if self.unknown_directories.len() < MOST_UNKNOWN {
                self.unknown_directories.push(UnknownDirectory { below, at: place.clone() });
            }
            return Ok(self.cannot_know("a directory given to os.add_dll_directory", place));
        };
        let path = path.normalized();
        if !self.interpreter.process.host().files.is_folder(&path) {
            let quoted = Value::str(path.as_str()).to_repr().unwrap_or_default();
            let text = format!("[WinError 2] The system cannot find the file specified: {quoted}");
            return Err(traced(Rc::new(Exception::new("FileNotFoundError", Some(text.into()))), place));
        }
        self.step(Event::DirectoryAdded(path.clone()), place);
        let by = self.described(place);
        self.interpreter.process.add_dll_directory(path.clone(), by);
        Ok(Value::AddedDirectory(path))
    }

    /// `numpy/__init__.py:12`, from the folder of packages on.
    /// Tells the process which statement makes the next load.
    pub(in crate::plan) fn name_caller(&mut self, place: &Place) {
        let caller = place.file.is_some().then(|| self.described(place));
        self.interpreter.process.set_caller(caller.as_deref());
    }

    fn described(&self, place: &Place) -> String {
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

    /// A function of a library that ctypes has loaded. LoadLibrary is called by hand by packages that
    /// need flags which ctypes does not give; it returns NULL where it fails.
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
            return Ok(self.cannot_know("the name of a library that LoadLibrary loads", place));
        };
        let flags = arguments.get(2).and_then(Value::number).and_then(|flags| u32::try_from(flags).ok());
        self.name_caller(place);
        let result = self.interpreter.load_with_flags(&target, LoadFlags(flags.unwrap_or(0)));
        self.note_last_error(&result);
        if self.loaded_library(&target, result, place).is_ok() {
            return Ok(Value::Int(1));
        }
        // NULL, and no exception: what the program makes of it is in its own code. Most raise ctypes.WinError.
        if let Some(LoadFailure { sentence, error: LoadError::Windows(failure), .. }) =
            self.failures.last_mut()
        {
            let text = windows_message(failure.code()).unwrap_or("unknown error");
            *sentence = format!("OSError: [WinError {}] {text}", failure.code());
        }
        Ok(Value::None)
    }

    /// What `ctypes.get_last_error` tells after this.
    pub(super) fn note_last_error(&mut self, result: &Result<(), LoadError>) {
        self.last_error = match result {
            Ok(()) => 0,
            Err(LoadError::Windows(failure)) => failure.code(),
            Err(LoadError::OtherPython { .. } | LoadError::Crash(_)) => 126,
        };
    }

    /// `ffi.dlopen(name, flags)` of cffi: without flags a path is loaded as Python loads extension modules, and a name as any program
    /// does (`src/c/misc_win32.h` of cffi 2.1; before 1.15 a path is, too).
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
        // Its message names the code as Windows' own text does (`b_do_dlopen`).
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

    /// A library of TensorFlow's operations. `LoadDynamicLibrary` (`tsl/platform/windows/load_library.cc`) gives it the old search from its own
    /// folder, and makes an error of its own of whatever fails.
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

    /// A variable of the process's environment, None if it is not set.
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
            // Every process has a PATH, even if we do not know which. That of a clean Windows begins so.
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

    /// The machine that `platform.machine()` names: that of Windows to a 32-bit process, which Windows tells in
    /// `PROCESSOR_ARCHITEW6432`, and since Python 3.12 to an emulated x64 process, too (`Lib/platform.py`: `_get_machine_win32`).
    pub(super) fn machine_that_platform_tells(&self) -> Machine {
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

    /// The folder of the user's profile (`os.path.expanduser("~")`), where it is known.
    pub(super) fn home(&self) -> Option<WinPath> {
        Some(WinPath::new(self.variable(&Value::str("USERPROFILE")).text()?.as_ref()))
    }

    /// `os.path.expanduser(path)`: a tilde alone, or before a backslash or slash, stands for the user's own profile.
    pub(super) fn with_home(&self, path: &str) -> Option<String> {
        match path.strip_prefix('~') {
            None => Some(path.to_owned()),
            Some(rest) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
                Some(format!("{}{rest}", self.home()?))
            }
            // Somebody else's.
            Some(_) => None,
        }
    }

    /// `os.environ["PATH"] = …`
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
                    self.cannot_know("a new value of PATH", place);
                }
                self.unknown_variables.insert(name);
            }
        }
    }

    /// `sys.path`, as a list of its own.
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
