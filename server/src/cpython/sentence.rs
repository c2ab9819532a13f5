//! The messages that Python prints, word for word.

use super::{Clash, Interpreter, LoadError};

/// Returns the English message of a Win32 code, as FormatMessageW returns it without the line end.
/// Other display languages of Windows have their own messages, so compare codes rather than
/// messages.
pub fn windows_message(code: u32) -> Option<&'static str> {
    Some(match code {
        5 => "Access is denied.",
        126 => "The specified module could not be found.",
        127 => "The specified procedure could not be found.",
        87 => "The parameter is incorrect.",
        182 => "The operating system cannot run %1.",
        193 => "%1 is not a valid Win32 application.",
        206 => "The filename or extension is too long.",
        998 => "Invalid access to memory location.",
        1114 => "A dynamic link library (DLL) initialization routine failed.",
        14001 => {
            "The application has failed to start because its side-by-side configuration is incorrect. \
             Please see the application event log or use the command-line sxstrace.exe tool for more \
             detail."
        }
        _ => return None,
    })
}

/// Returns a code with its human-readable message: `Windows error 126, "The specified module could
/// not be found."`
pub fn windows_sentence(code: u32) -> String {
    match windows_message(code) {
        Some(text) => format!("Windows error {code}, \"{text}\""),
        None => format!("Windows error {code}"),
    }
}

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
        match (windows_message(failure.code()), names_module) {
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
            LoadError::OtherPython { .. } | LoadError::Crash(_) => 126,
            LoadError::Windows(failure) => failure.code(),
        };
        let text = windows_message(code).unwrap_or("unknown error").trim_end_matches('.');
        if code == 126 && !self.searches_path() {
            let text = format!(
                "Could not find module '{name}' (or one of its dependencies). \
                 Try using the full path with constructor syntax."
            );
            return ("FileNotFoundError", text);
        }
        // The class follows from the code (`PC/errmap.h`, `Objects/exceptions.c`).
        let class = if code == 5 { "PermissionError" } else { "OSError" };
        (class, format!("[WinError {code}] {text}"))
    }
}
