//! The stable ABI: modules that are linked to it import `python3.dll` or `python3t.dll`, whose exports lead
//! into the `pythonXY.dll` that runs.
//!
//! Sources: `_Py_CheckPython3` in `Python/dynload_win.c` of CPython, PEP 803, and CPython's issues 148690 and
//! 150930.

use crate::environment::{DllName, Environment};
use crate::host::WinPath;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StableAbi {
    /// That of builds with the global interpreter lock, `abi3`: `python3.dll`.
    Abi3,
    /// That of both kinds of build, `abi3t`, since 3.15: `python3t.dll`.
    Abi3t,
}

impl StableAbi {
    /// The one whose DLL this is.
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

/// The DLLs of the stable ABI that Python loads before the first extension module, each with the places where
/// it looks for it: beside pythonXY.dll, beside the program, and in `DLLs`.
///
/// A GIL-enabled build from 3.15 on has its `python3t.dll` in a folder of its own, since the one beside
/// pythonXY.dll may be that of a free-threaded build, installed into the same folder.
pub(super) fn preloaded(environment: &Environment) -> Vec<Vec<WinPath>> {
    let debug = if environment.debug { "_d" } else { "" };
    let own = format!("python3{}{debug}.dll", if environment.free_threaded { "t" } else { "" });
    let beside_dll = environment.python_dll.parent();
    let old_place = environment.base_prefix.join("DLLs");
    let folders = beside_dll.iter().chain([&environment.application_directory, &old_place]);
    let mut dlls = vec![folders.map(|folder| folder.join(&own)).collect()];
    if environment.version.at_least(3, 15) && !environment.free_threaded {
        let compatible = format!("abi3t-compat\\python3t{debug}.dll");
        dlls.push(beside_dll.iter().map(|folder| folder.join(&compatible)).collect());
    }
    dlls
}

/// Whether a module that imports this DLL is for another Python than that of the environment: the DLL is
/// another version's or another build's. Of the stable ABIs a free-threaded build has only that of
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
