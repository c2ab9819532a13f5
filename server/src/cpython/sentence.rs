//! The messages that Python prints, word for word.

use super::{Clash, Interpreter, LoadError};
use crate::win32::{self, ERROR_ACCESS_DENIED, ERROR_MOD_NOT_FOUND};

impl Interpreter<'_> {
    /// Returns the message of the ImportError if the extension module `name` (without its package)
    /// fails to load (`Python/dynload_win.c`, `Python/importdl.c`).
    pub fn import_sentence(&self, name: &str, error: &LoadError) -> String {
        let failure = match error {
            LoadError::OtherPython { dll, clash: Clash::Name } => {
                return format!("Module use of {dll} conflicts with this version of Python.");
            }
            LoadError::OtherPython { clash: Clash::Function, .. } => {
                return format!("dynamic module does not define module export function (PyInit_{name})");
            }
            LoadError::OtherPython { clash: Clash::Crash, .. } | LoadError::Crash(_) => {
                return "access violation".to_owned();
            }
            LoadError::Windows(failure) => failure,
        };
        let version = &self.environment.version;
        let names_module = (version.major, version.minor) >= (3, 8);
        match (win32::message(failure.code()), names_module) {
            (Some(text), true) => format!("DLL load failed while importing {name}: {text}"),
            (Some(text), false) => format!("DLL load failed: {text}"),
            (None, true) => {
                format!("DLL load failed with error code {} while importing {name}", failure.code())
            }
            (None, false) => format!("DLL load failed with error code {}", failure.code()),
        }
    }

    /// Returns the class and message of the exception if `ctypes.WinDLL(name)` fails
    /// (`Modules/_ctypes/callproc.c`).
    pub fn ctypes_sentence(&self, name: &str, error: &LoadError) -> (&'static str, String) {
        let code = match error {
            LoadError::OtherPython { .. } | LoadError::Crash(_) => ERROR_MOD_NOT_FOUND,
            LoadError::Windows(failure) => failure.code(),
        };
        let text = win32::message(code).unwrap_or("unknown error").trim_end_matches('.');
        if code == ERROR_MOD_NOT_FOUND && !self.searches_path() {
            let text = format!(
                "Could not find module '{name}' (or one of its dependencies). \
                 Try using the full path with constructor syntax."
            );
            return ("FileNotFoundError", text);
        }
        // The class follows from the code (`PC/errmap.h`, `Objects/exceptions.c`).
        let class = if code == ERROR_ACCESS_DENIED { "PermissionError" } else { "OSError" };
        (class, format!("[WinError {code}] {text}"))
    }
}
