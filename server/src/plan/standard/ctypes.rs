//! `ctypes`.

use std::rc::Rc;

use super::super::value::{Exception, Value};
use super::super::world::World;
use super::super::{LoadFailure, Place, Plan};
use super::names::is_kernel;
use super::{KnownCall, Outcome};
use crate::cpython::{CtypesMode, LoadError};
use crate::loader::LoadFlags;
use crate::source::standard::{CtypesName, CtypesUtilName, LibraryLoaderName};
use crate::win32;

impl Plan<'_> {
    pub(super) fn call_ctypes(&mut self, name: CtypesName, call: &KnownCall<'_>) -> Outcome {
        Ok(match name {
            CtypesName::WinDll | CtypesName::CDll | CtypesName::PyDll | CtypesName::OleDll => {
                return self.load_by_ctypes(call);
            }
            CtypesName::CWcharP | CtypesName::CCharP => call.first().clone(),
            CtypesName::GetLastError => Value::Int(i64::from(self.world.last_error)),
            CtypesName::WinError => {
                let code = call.first().number().and_then(|code| u32::try_from(code).ok());
                let code = code.unwrap_or(self.world.last_error);
                let text = win32::message(code).unwrap_or("unknown error");
                let sentence = format!("[WinError {code}] {text}");
                let mut exception = Exception::new("OSError", Some(sentence.into()));
                // The error belongs to the last failed load.
                let last = self
                    .trace
                    .failures
                    .len()
                    .checked_sub(1)
                    .filter(|_| code != 0 && code == self.world.last_error);
                exception.failures.extend(last);
                Value::Exception(Rc::new(exception))
            }
            CtypesName::Windll
            | CtypesName::Cdll
            | CtypesName::Oledll
            | CtypesName::Pydll
            | CtypesName::Util => Value::Unknown,
        })
    }

    pub(super) fn call_library_loader(&mut self, name: LibraryLoaderName, call: &KnownCall<'_>) -> Outcome {
        match name {
            LibraryLoaderName::LoadLibrary => self.load_by_ctypes(call),
        }
    }

    fn load_by_ctypes(&mut self, call: &KnownCall<'_>) -> Outcome {
        let target = call.arguments.first().or(call.keyword("name"));
        let winmode = call.keyword("winmode").or(call.arguments.get(5)).and_then(Value::number);
        let winmode = winmode.and_then(|mode| u32::try_from(mode).ok());
        Ok(match target.and_then(Value::text) {
            Some(target) => {
                self.name_caller(call.place);
                let result = self.world.interpreter.load_library(&target, CtypesMode { winmode });
                self.world.note_last_error(&result);
                self.loaded_library(&target, result, call.place)?;
                Value::Library(target)
            }
            None if matches!(target, Some(Value::None)) => Value::Unknown,
            None => self.unknown_load("the name of a library that ctypes loads", call.place),
        })
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
        let result = self.world.interpreter.load_with_flags(&target, LoadFlags(flags.unwrap_or(0)));
        self.world.note_last_error(&result);
        if self.loaded_library(&target, result, place).is_ok() {
            return Ok(Value::Int(1));
        }
        // The result is NULL, without an exception. Most programs then raise ctypes.WinError.
        if let Some(LoadFailure { sentence, error: LoadError::Windows(failure), .. }) =
            self.trace.failures.last_mut()
        {
            let text = win32::message(failure.code()).unwrap_or("unknown error");
            *sentence = format!("OSError: [WinError {}] {text}", failure.code());
        }
        Ok(Value::None)
    }
}

impl World<'_> {
    pub(super) fn call_ctypes_util(&self, name: CtypesUtilName, call: &KnownCall<'_>) -> Value {
        let CtypesUtilName::FindLibrary = name;
        let Some(library) = call.first().text() else { return Value::Unknown };
        let host = self.host();
        let found = host.path_directories().iter().find_map(|folder| {
            [library.to_string(), format!("{library}.dll")]
                .iter()
                .map(|name| folder.join(name))
                .find(|path| host.files.is_file(path))
        });
        found.map_or(Value::None, |path| Value::str(path.as_str()))
    }

    /// Sets the value that `ctypes.get_last_error` returns.
    pub(super) fn note_last_error(&mut self, result: &Result<(), LoadError>) {
        self.last_error = match result {
            Ok(()) => 0,
            Err(LoadError::Windows(failure)) => failure.code(),
            Err(LoadError::OtherPython { .. } | LoadError::Crash(_)) => win32::ERROR_MOD_NOT_FOUND,
        };
    }
}
