//! The stable ABI: modules for it import `python3.dll` or `python3t.dll`, whose exports are
//! forwarders to the running `pythonXY.dll`.
//!
//! Sources: `_Py_CheckPython3` in `Python/dynload_win.c` of CPython, PEP 803, and CPython's issues
//! 148690 and 150930.

use crate::environment::{DllName, Environment};
use crate::host::WinPath;

/// A stable ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StableAbi {
    /// `abi3`, for builds with the global interpreter lock: `python3.dll`.
    Abi3,
    /// `abi3t`, for both kinds of build, since 3.15: `python3t.dll`.
    Abi3t,
}

impl StableAbi {
    /// Returns the stable ABI that a DLL implements.
    pub fn of(dll: &str) -> Option<StableAbi> {
        let name = dll.to_ascii_lowercase();
        let stem = name.strip_suffix(".dll")?;
        match stem.strip_suffix("_d").unwrap_or(stem) {
            "python3" => Some(StableAbi::Abi3),
            "python3t" => Some(StableAbi::Abi3t),
            _ => None,
        }
    }
}

/// Returns the DLLs of the stable ABI that Python loads before the first extension module, each
/// with its possible paths: next to pythonXY.dll, next to the program, and in `DLLs`.
///
/// Since 3.15, a GIL-enabled build has its `python3t.dll` in a separate folder, because the one
/// next to pythonXY.dll may belong to a free-threaded build in the same folder.
pub(super) fn preloaded(environment: &Environment) -> Vec<Vec<WinPath>> {
    let debug = if environment.debug { "_d" } else { "" };
    let own = format!("python3{}{debug}.dll", if environment.free_threaded { "t" } else { "" });
    let dll_folder = environment.python_dll.parent();
    let old_folder = environment.base_prefix.join("DLLs");
    let folders = dll_folder.iter().chain([&environment.application_directory, &old_folder]);
    let mut dlls = vec![folders.map(|folder| folder.join(&own)).collect()];
    if environment.version.at_least(3, 15) && !environment.free_threaded {
        let compatible = format!("abi3t-compat\\python3t{debug}.dll");
        dlls.push(dll_folder.iter().map(|folder| folder.join(&compatible)).collect());
    }
    dlls
}

/// Whether a module that imports this DLL is for another Python than the environment's, because the
/// DLL belongs to another version or build. A free-threaded build supports only the stable ABI of
/// `python3t.dll`, and no module can be built for that before 3.15 (PEP 803).
pub fn is_of_other_python(dll: &str, environment: &Environment) -> bool {
    match StableAbi::of(dll) {
        Some(StableAbi::Abi3) => environment.free_threaded,
        Some(StableAbi::Abi3t) => !environment.version.at_least(3, 15),
        None => {
            let own = environment.python_dll.file_name();
            DllName::parse(dll).is_some() && !dll.eq_ignore_ascii_case(own)
        }
    }
}
