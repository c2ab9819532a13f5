//! Libraries that native modules load on request: by cffi, and by TensorFlow.

use std::rc::Rc;

use super::super::exceptions::traced;
use super::super::value::{Exception, Value};
use super::super::{Place, Plan};
use super::{KnownCall, Outcome};
use crate::cpython::LoadError;
use crate::loader::LoadFlags;
use crate::source::standard::{AnonymousName, CffiName, CffiObjectName, ExportedName, StandardName};

impl Plan<'_> {
    pub(super) fn call_cffi(&mut self, name: CffiName, call: &KnownCall<'_>) -> Outcome {
        match name {
            CffiName::Ffi => Ok(Value::Known(StandardName::Anonymous(AnonymousName::FfiObject))),
            CffiName::LoadLibrary => self.call_dlopen(call),
        }
    }

    pub(super) fn call_cffi_object(&mut self, name: CffiObjectName, call: &KnownCall<'_>) -> Outcome {
        match name {
            CffiObjectName::Dlopen => self.call_dlopen(call),
        }
    }

    fn call_dlopen(&mut self, call: &KnownCall<'_>) -> Outcome {
        match call.first().text() {
            Some(target) => {
                let flags = call.second().and_then(Value::number).and_then(|flags| u32::try_from(flags).ok());
                self.load_by_cffi(&target, flags.unwrap_or(0), call.place)
            }
            None if matches!(call.first(), Value::None) => Ok(Value::Unknown),
            None => Ok(self.unknown_load("the name of a library that cffi loads", call.place)),
        }
    }

    /// Calls a function that loads its argument and that a native module exports.
    pub(super) fn call_exported(&mut self, name: ExportedName, call: &KnownCall<'_>) -> Outcome {
        let ExportedName::TfLoadLibrary = name;
        match call.first().text() {
            Some(target) => self.load_operations(&target, call.place),
            None => Ok(self.unknown_load("the name of a library that TensorFlow loads", call.place)),
        }
    }

    /// Evaluates `ffi.dlopen(name, flags)` of cffi. Without flags, a path is loaded as Python loads
    /// extension modules, and a name as in any program (`src/c/misc_win32.h` of cffi 2.1; before
    /// 1.15, this applies to a path, too).
    fn load_by_cffi(&mut self, target: &str, flags: u32, place: &Place) -> Outcome {
        let flags = match flags {
            0 if target.contains(['/', '\\']) => {
                LoadFlags::SEARCH_DEFAULT_DIRS.with(LoadFlags::SEARCH_DLL_LOAD_DIR)
            }
            flags => LoadFlags(flags),
        };
        self.name_caller(place);
        let result = self.world.interpreter.load_with_flags(target, flags);
        let Err(failed) = self.loaded_library(target, result, place) else { return Ok(Value::Unknown) };
        // The message contains the code in the form of Windows' own message (`b_do_dlopen`).
        let code = self.trace.failures.last().and_then(|failure| match &failure.error {
            LoadError::Windows(failure) => Some(failure.code()),
            LoadError::OtherPython { .. } | LoadError::Crash(_) => None,
        });
        let text = match code {
            Some(code) => format!("cannot load library '{target}': error 0x{code:x}"),
            None => format!("cannot load library '{target}'"),
        };
        if let Some(failure) = self.trace.failures.last_mut() {
            failure.sentence = format!("OSError: {text}");
        }
        let exception = Exception::new("OSError", Some(text.into()));
        Err(traced(Rc::new(Exception { failures: failed.failures.clone(), ..exception }), place))
    }

    /// Loads a library of TensorFlow operations. `LoadDynamicLibrary`
    /// (`tsl/platform/windows/load_library.cc`) uses the altered search path, which starts in the
    /// library's own folder, and reports every failure as its own error.
    fn load_operations(&mut self, target: &str, place: &Place) -> Outcome {
        self.name_caller(place);
        let result = self.world.interpreter.load_with_flags(target, LoadFlags::ALTERED_SEARCH_PATH);
        let Err(failed) = self.loaded_library(target, result, place) else {
            return Ok(Value::Unknown);
        };
        let text = format!("{target} not found");
        if let Some(failure) = self.trace.failures.last_mut() {
            failure.sentence = format!("tensorflow.errors.NotFoundError: {text}");
        }
        let exception = Exception::new("NotFoundError", Some(text.into()));
        Err(traced(Rc::new(Exception { failures: failed.failures.clone(), ..exception }), place))
    }
}
