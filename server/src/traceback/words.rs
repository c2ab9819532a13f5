//! Parses the lines of a traceback that contain an exception.

use std::borrow::Cow;

use super::{TracebackFailure, WinError};
use crate::win32::{ERROR_MOD_NOT_FOUND, Win32Error};

/// An exception, as far as a line describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RaisedException {
    pub exception: Option<String>,
    pub message: String,
    pub failure: TracebackFailure,
    pub win_error: Option<WinError>,
}

/// The maximum length of a message in characters; the rest is cut off.
const MAX_MESSAGE: usize = 600;

impl RaisedException {
    /// Returns a rank that is lower the more the exception says about a failed load.
    pub fn rank(&self) -> u32 {
        match &self.failure {
            TracebackFailure::Extension { .. } => 0,
            TracebackFailure::Dlls { names } => u32::from(names.is_empty()),
            TracebackFailure::NoModule { .. } => 2,
            TracebackFailure::Part { .. } => 3,
            TracebackFailure::Other if self.is_import() => 4,
            TracebackFailure::Other => 5,
        }
    }

    /// Whether an import failed, or may have failed.
    pub fn is_import(&self) -> bool {
        let imports = |class: &String| class == "ImportError" || class == "ModuleNotFoundError";
        self.failure != TracebackFailure::Other || self.exception.as_ref().is_some_and(imports)
    }
}

/// Decodes the contents of a file, which may be UTF-16 from PowerShell, or UTF-8.
pub fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let units = |from: fn([u8; 2]) -> u16, rest: &[u8]| -> String {
        let units: Vec<u16> = rest.as_chunks().0.iter().map(|pair| from(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(units(u16::from_le_bytes, rest)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(units(u16::from_be_bytes, rest)),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// Strips colours, and normalizes quotes and line endings.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // `ESC [ … m`
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // `ESC ] … BEL`
                Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                _ => {}
            },
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push('\n');
            }
            '“' | '”' => out.push('"'),
            '‘' | '’' => out.push('\''),
            c => out.push(c),
        }
    }
    out
}

/// Whether Python or IPython prints this line between two tracebacks because the first led to the
/// second.
pub(super) fn is_chain_marker(line: &str) -> bool {
    line.contains("During handling of the above exception")
        || line.contains("was the direct cause of the following")
}

/// Returns the text before the words that begin a traceback.
pub(super) fn before_header(line: &str) -> Option<&str> {
    line.split_once("Traceback (most recent call last)").map(|(before, _)| before)
}

/// Parses the exception of a line. `above` is that of the lines above it, because a message may
/// span several lines.
pub(super) fn raised(line: &str, above: Option<&RaisedException>) -> Option<RaisedException> {
    let (exception, message) = match class(line) {
        Some((class, message)) => (Some(class.to_owned()), message),
        None => (above.and_then(|above| above.exception.clone()), line),
    };
    let (failure, win_error, message) = failure(message);
    let has_class = class(line).is_some();
    if failure == TracebackFailure::Other && !has_class {
        return None;
    }
    let message = message.trim().chars().take(MAX_MESSAGE).collect();
    Some(RaisedException { exception, message, failure, win_error })
}

/// Splits `ImportError: DLL load failed`, possibly after a logger's prefix, into class and message.
/// Code such as `except ImportError:` doesn't match.
fn class(line: &str) -> Option<(&str, &str)> {
    let mut before = None;
    let mut at = 0;
    for word in line.split(' ') {
        let rest = line.get(at + word.len()..).unwrap_or_default();
        at += word.len() + 1;
        let name = word.strip_suffix(':').unwrap_or(word).trim_start_matches(['[', '|']);
        let ends = word.ends_with(':') || (rest.trim().is_empty() && before.is_none());
        let is_code = before.is_some_and(|before| matches!(before, "except" | "raise" | "class" | "return"));
        if ends && !is_code && is_class(name) {
            return Some((name.rsplit('.').next().unwrap_or(name), rest));
        }
        if !word.is_empty() {
            before = Some(word);
        }
    }
    None
}

fn is_class(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    ["Error", "Exception"].iter().any(|end| last.ends_with(end))
        && last.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

/// Returns the failure that a message describes, and the part of the message that describes it.
fn failure(message: &str) -> (TracebackFailure, Option<WinError>, &str) {
    let numbered = number_after(message, "[WinError ")
        .or_else(|| number_after(message, "DLL load failed with error code "));
    let printed = numbered.map(|code| WinError { code, printed: true });
    // CPython, Python/dynload_win.c
    if let Some(at) = message.find("DLL load failed") {
        let words = message.get(at..).unwrap_or_default();
        let module = words
            .split_once("while importing ")
            .map(|(_, rest)| rest.split([':', ' ']).next().unwrap_or(rest));
        let sentence = words.split_once(": ").map(|(_, sentence)| sentence);
        let inferred = || {
            sentence
                .and_then(Win32Error::of_message)
                .map(|error| WinError { code: error.code, printed: false })
        };
        let module = module.filter(|module| !module.is_empty()).map(str::to_owned);
        return (TracebackFailure::Extension { module }, printed.or_else(inferred), words);
    }
    // TensorFlow, tensorflow/python/platform/self_check.py
    if let Some(names) = quoted_after(message, "Could not find the DLL(s) ") {
        let names = names.split(" or ").map(|name| name.trim().to_owned()).collect();
        return (TracebackFailure::Dlls { names }, printed.or(NOT_FOUND), message);
    }
    // ctypes, and older versions of the above
    let found = quoted_after(message, "Could not find module ").or_else(|| {
        quoted_after(message, "Could not find ").filter(|name| name.to_ascii_lowercase().ends_with(".dll"))
    });
    if let Some(name) = found {
        return (TracebackFailure::Dlls { names: vec![name.to_owned()] }, printed.or(NOT_FOUND), message);
    }
    if printed.is_some() {
        let library = quoted_after(message, "Error loading ").map(str::to_owned);
        return (TracebackFailure::Dlls { names: library.into_iter().collect() }, printed, message);
    }
    if let Some(at) = message.find("No module named ") {
        let name = message.get(at + "No module named ".len()..).unwrap_or_default();
        let name: &str = name.trim_start_matches(['\'', '"']);
        let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(name.len());
        let module = name[..end].trim_end_matches('.').to_owned();
        if !module.is_empty() {
            return (TracebackFailure::NoModule { module }, None, message);
        }
    }
    if message.contains("Failed to load the native TensorFlow runtime") {
        return (TracebackFailure::Part { module: "tensorflow".to_owned() }, None, message);
    }
    // NumPy's C API, in modules that use it
    if let Some(module) =
        message.trim().strip_suffix(" failed to import").and_then(|before| before.split(' ').next_back())
        && module.contains('.')
    {
        return (TracebackFailure::Part { module: module.to_owned() }, None, message);
    }
    (TracebackFailure::Other, None, message)
}

/// The error of messages that say that a DLL wasn't found.
const NOT_FOUND: Option<WinError> = Some(WinError { code: ERROR_MOD_NOT_FOUND, printed: false });

fn number_after(text: &str, mark: &str) -> Option<u32> {
    let (_, rest) = text.split_once(mark)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Returns the quoted string right after `mark`, as Python writes it: backslashes may be doubled.
fn quoted_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    rest[1..].split(quote).next().filter(|name| !name.is_empty())
}
