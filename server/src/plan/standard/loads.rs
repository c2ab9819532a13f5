//! Functions that load libraries or change the search path: `ctypes`, `os.add_dll_directory`, PATH,
//! `sys.path`.

use std::rc::Rc;

use super::super::doubt::UnknownDirectory;
use super::super::exceptions::traced;
use super::super::value::{Exception, Value};
use super::super::world::World;
use super::super::{Event, LoadFailure, LoadKind, Place, Plan};
use super::Outcome;
use crate::cpython::LoadError;
use crate::host::{WinPath, is_always_set};

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
            if self.world.unknown_directories.len() < MAX_UNKNOWN_DIRECTORIES {
                self.world.unknown_directories.push(UnknownDirectory { below, at: place.clone() });
            }
            return Ok(self.unknown_load("a directory given to os.add_dll_directory", place));
        };
        let path = path.normalized();
        if !self.world.files().is_folder(&path) {
            let quoted = Value::str(path.as_str()).to_repr().unwrap_or_default();
            let text = format!("[WinError 2] The system cannot find the file specified: {quoted}");
            return Err(traced(Rc::new(Exception::new("FileNotFoundError", Some(text.into()))), place));
        }
        self.step(Event::DirectoryAdded(path.clone()), place);
        let by = self.world.describe_place(place);
        self.world.interpreter.process.add_dll_directory(path.clone(), by);
        Ok(Value::AddedDirectory(path))
    }

    /// Sets the statement that makes the next load.
    pub(in crate::plan) fn name_caller(&mut self, place: &Place) {
        let caller = place.file.is_some().then(|| self.world.describe_place(place));
        self.world.interpreter.process.set_caller(caller.as_deref());
    }

    pub(super) fn loaded_library(
        &mut self,
        target: &str,
        result: Result<(), LoadError>,
        place: &Place,
    ) -> Result<(), Rc<Exception>> {
        let event = Event::Library { name: target.to_owned(), loaded: result.is_ok() };
        self.step(event, place);
        let Err(error) = result else {
            return Ok(());
        };
        let doubt = self.doubt(&error);
        let is_doubted = doubt.is_some();
        let (class, text) = self.world.interpreter.ctypes_sentence(target, &error);
        let failure = self.failed(LoadFailure {
            target: target.to_owned(),
            kind: LoadKind::Ctypes,
            at: place.clone(),
            error,
            sentence: format!("{class}: {text}"),
            uncertain: self.execution.uncertain > 0 || is_doubted,
            doubt,
        });
        if is_doubted {
            return Ok(());
        }
        let mut exception = Exception::new(class, Some(text.into()));
        exception.failures.push(failure);
        Err(traced(Rc::new(exception), place))
    }

    /// Executes `os.environ[name] = value`.
    pub(in crate::plan) fn set_variable(&mut self, name: &Value, value: &Value, place: &Place) {
        let Some(name) = name.text().map(|name| name.to_ascii_uppercase()) else {
            return;
        };
        match value.raw_text() {
            Some(value) => {
                self.world.unknown_variables.remove(&name);
                self.world.interpreter.process.set_variable(&name, Some(&value));
            }
            None => {
                if name == "PATH" {
                    self.unknown_load("a new value of PATH", place);
                }
                self.world.unknown_variables.insert(name);
            }
        }
    }
}

impl World<'_> {
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
            None if name == "PATH" => match self.host() {
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

    /// Returns a copy of `sys.path`.
    pub(in crate::plan) fn sys_path_entries(&self) -> Value {
        Value::list(self.sys_path.iter().map(|entry| Value::str(entry.as_str())).collect())
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
}
