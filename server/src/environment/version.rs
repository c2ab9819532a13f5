//! The version of a Python, and what the name of its DLL contains.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::image::FileVersion;

/// A version of Python. It is displayed and serialized as `3.8.10`, or as `3.8` if only a name
/// contained it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PythonVersion {
    /// The major version, such as 3.
    pub major: u16,
    /// The minor version, such as 8.
    pub minor: u16,
    /// The micro version, such as 10, if the DLL's version resource contains it.
    pub micro: Option<u16>,
}

impl PythonVersion {
    /// Whether it is at least `major.minor`.
    pub fn at_least(self, major: u16, minor: u16) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// Returns the version without its micro part: `3.14` for `3.14.2`.
    pub fn series(self) -> PythonVersion {
        PythonVersion { micro: None, ..self }
    }

    /// Parses the version at the start of a longer one, such as `3.11.4.final.0` or `3.14.0rc2`.
    pub(in crate::environment) fn from_prefix(text: &str) -> Option<PythonVersion> {
        let mut parts = text.split('.');
        let major = parts.next()?.parse().ok()?;
        let number = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse().ok()
        };
        Some(PythonVersion { major, minor: number(parts.next()?)?, micro: parts.next().and_then(number) })
    }

    /// Reads the version in pythonXY.dll's VERSIONINFO. The third field is micro * 1000 + level *
    /// 10 + serial, so 3.8.10150.1013 is 3.8.10 final (CPython, PC/python_ver_rc.h and
    /// PC/make_versioninfo.c).
    pub(super) fn from_file(version: FileVersion) -> Option<PythonVersion> {
        let FileVersion([major, minor, build, _]) = version;
        (major > 0).then_some(PythonVersion { major, minor, micro: Some(build / 1000) })
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        match self.micro {
            Some(micro) => write!(f, ".{micro}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PythonVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<PythonVersion, String> {
        let mut numbers = text.split('.').map(str::parse::<u16>);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), None, None) => Ok(PythonVersion { major, minor, micro: None }),
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(micro)), None) => {
                Ok(PythonVersion { major, minor, micro: Some(micro) })
            }
            _ => Err(format!("invalid Python version `{text}`")),
        }
    }
}

impl From<PythonVersion> for String {
    fn from(version: PythonVersion) -> String {
        version.to_string()
    }
}

impl TryFrom<String> for PythonVersion {
    type Error = String;

    fn try_from(text: String) -> Result<PythonVersion, String> {
        text.parse()
    }
}

/// The facts in the name of the interpreter's DLL: `python38.dll`, `python313t.dll`,
/// `python38_d.dll`. The stable ABI's forwarder `python3.dll` isn't such a DLL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DllName {
    /// The version without its micro part, such as 3.13.
    pub version: PythonVersion,
    /// Whether it is a free-threaded build, without the global interpreter lock (from 3.13 on).
    pub free_threaded: bool,
    /// Whether it is a debug build, which only imports `_d.pyd` modules.
    pub debug: bool,
}

impl DllName {
    /// Parses the name of a DLL. Returns `None` for any other DLL.
    pub fn parse(file_name: &str) -> Option<DllName> {
        let name = file_name.to_ascii_lowercase();
        let tag = name.strip_prefix("python")?.strip_suffix(".dll")?;
        let (tag, debug) = strip_flag(tag, "_d");
        let (digits, free_threaded) = strip_flag(tag, "t");
        let (major, minor) = digits.split_at_checked(1)?;
        let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        all_digits.then_some(DllName {
            version: PythonVersion { major, minor, micro: None },
            free_threaded,
            debug,
        })
    }
}

/// Returns the version in the name of a free-threaded build's program, as its installers name it:
/// `python3.14t.exe` (`PyExeName` in CPython's PCbuild/python.props).
pub(super) fn of_free_threaded_program(file_name: &str) -> Option<PythonVersion> {
    let name = file_name.to_ascii_lowercase();
    let version: PythonVersion = name.strip_prefix("python")?.strip_suffix("t.exe")?.parse().ok()?;
    version.micro.is_none().then_some(version)
}

/// Formats a version together with the build: "3.14", "3.14 free-threaded".
pub fn with_build(version: impl fmt::Display, free_threaded: bool) -> String {
    format!("{version}{}", if free_threaded { " free-threaded" } else { "" })
}

fn strip_flag<'a>(text: &'a str, flag: &str) -> (&'a str, bool) {
    match text.strip_suffix(flag) {
        Some(rest) => (rest, true),
        None => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dll_is_named_after_its_version() {
        let parse = |name: &str| {
            DllName::parse(name).map(|dll| (dll.version.to_string(), dll.free_threaded, dll.debug))
        };
        assert_eq!(parse("python38.dll"), Some(("3.8".into(), false, false)));
        assert_eq!(parse("Python310.DLL"), Some(("3.10".into(), false, false)));
        assert_eq!(parse("python313t.dll"), Some(("3.13".into(), true, false)));
        assert_eq!(parse("python312_d.dll"), Some(("3.12".into(), false, true)));
        assert_eq!(parse("python3.dll"), None, "the stable ABI's forwarder");
        for other in ["python.dll", "pythoncom38.dll", "python3x.dll", "python3t.dll", "python99999999.dll"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_of_a_free_threaded_build_is_named_after_its_version() {
        let version = |name: &str| of_free_threaded_program(name).map(|version| version.to_string());
        assert_eq!(version("python3.14t.exe"), Some("3.14".into()));
        assert_eq!(version("Python3.13T.exe"), Some("3.13".into()));
        for other in ["python.exe", "python3.14.exe", "pythonw3.14t.exe", "python3t.exe", "python3.14.1t.exe"]
        {
            assert_eq!(version(other), None, "{other}");
        }
    }

    #[test]
    fn a_version_is_stored_in_its_usual_notation() {
        let version: PythonVersion = "3.8.10".parse().unwrap();
        assert_eq!(version.to_string(), "3.8.10");
        assert!(version.at_least(3, 8) && !version.at_least(3, 11));
        assert!("3".parse::<PythonVersion>().is_err() && "3.8.x".parse::<PythonVersion>().is_err());
    }
}
