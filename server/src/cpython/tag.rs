//! Platform tags in the names of native modules: `_native.cp313t-win_amd64.pyd`,
//! `_native.cpython-313-x86_64-linux-gnu.so`.
//!
//! Sources: `PC/pyconfig.h` and `Python/dynload_win.c` of CPython (`PYD_PLATFORM_TAG`), its
//! `configure` (`SOABI`, PEP 3149), PEP 703.

use crate::environment::with_build;
use crate::image::Machine;

/// The target platform of a native module, according to its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltFor {
    /// The minor version of Python 3, or `None` for the stable ABI.
    pub minor: Option<u8>,
    /// Whether it is for a free-threaded build of Python, without the global interpreter lock.
    pub free_threaded: bool,
    /// The operating system and processor.
    pub system: System,
}

/// An operating system, with the processor if it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum System {
    /// Windows, with the regular Python.
    Windows(Machine),
    /// Windows, with the Python of MSYS2.
    Msys2,
    /// Linux, on the processor of this name.
    Linux(String),
    /// macOS.
    MacOs,
    /// Linux, macOS, or a similar system.
    Unix,
}

impl BuiltFor {
    /// Returns the target platform of the file `name` of the module `module` (without its package).
    /// Returns `None` if the file isn't a native module of that name or has no tag.
    pub fn of(module: &str, name: &str) -> Option<BuiltFor> {
        let rest = name.strip_prefix(module)?.strip_prefix('.')?;
        let (tag, extension) = rest.rsplit_once('.').unwrap_or(("", rest));
        match extension {
            "pyd" => {
                let (version, system) = tag.strip_prefix("cp3")?.split_once('-')?;
                let (minor, free_threaded) = minor(version)?;
                let system = match system {
                    "win_amd64" => System::Windows(Machine::X64),
                    "win32" => System::Windows(Machine::X86),
                    "win_arm64" => System::Windows(Machine::Arm64),
                    system if system.starts_with("mingw") => System::Msys2,
                    _ => return None,
                };
                Some(BuiltFor { minor: Some(minor), free_threaded, system })
            }
            "so" => {
                let Some((version, system)) =
                    tag.strip_prefix("cpython-3").and_then(|tag| tag.split_once('-'))
                else {
                    // A file without a tag is usually a library for ctypes rather than a module.
                    return (tag == "abi3").then_some(BuiltFor {
                        minor: None,
                        free_threaded: false,
                        system: System::Unix,
                    });
                };
                let (minor, free_threaded) = minor(version)?;
                let system = match system.split_once("-linux") {
                    Some((processor, _)) => System::Linux(processor.to_owned()),
                    None if system == "darwin" => System::MacOs,
                    None => System::Unix,
                };
                Some(BuiltFor { minor: Some(minor), free_threaded, system })
            }
            _ => None,
        }
    }

    /// Returns "Python 3.13", "Python 3.13 free-threaded", or `None` if any Python will do.
    pub fn python(&self) -> Option<String> {
        let minor = self.minor?;
        Some(format!("Python {}", with_build(format_args!("3.{minor}"), self.free_threaded)))
    }
}

/// Parses `13`, `13t`, or `7m` (older Pythons).
fn minor(version: &str) -> Option<(u8, bool)> {
    let digits = version.trim_end_matches(|c: char| c.is_ascii_lowercase());
    Some((digits.parse().ok()?, version.ends_with('t')))
}

impl std::fmt::Display for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            System::Windows(machine) => write!(f, "Windows, {}", machine.words()),
            System::Msys2 => f.write_str("the Python of MSYS2"),
            System::Linux(processor) => write!(f, "Linux ({processor})"),
            System::MacOs => f.write_str("macOS"),
            System::Unix => f.write_str("Linux or macOS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_shows_the_target_platform() {
        let describe = |name: &str| {
            let built = BuiltFor::of("a", name)?;
            Some(format!("{}; {}", built.python().unwrap_or_default(), built.system))
        };
        let all = [
            ("a.cp38-win_amd64.pyd", Some("Python 3.8; Windows, 64-bit (x64)")),
            ("a.cp313t-win_arm64.pyd", Some("Python 3.13 free-threaded; Windows, ARM64")),
            ("a.cp312-mingw_x86_64_ucrt_gnu.pyd", Some("Python 3.12; the Python of MSYS2")),
            ("a.cpython-313-x86_64-linux-gnu.so", Some("Python 3.13; Linux (x86_64)")),
            ("a.cpython-37m-darwin.so", Some("Python 3.7; macOS")),
            ("a.abi3.so", Some("; Linux or macOS")),
            ("a.so", None),
            ("a.pyd", None),
            ("a.py", None),
            ("ab.so", None),
            ("a.b.so", None),
        ];
        for (name, expected) in all {
            assert_eq!(describe(name).as_deref(), expected, "{name}");
        }
    }
}
