//! KnownDLLs: DLLs that are always taken from the system directory, without a search.
//!
//! The registry lists them (`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\KnownDLLs`). The
//! DLLs that they import are KnownDLLs too (Microsoft, "Dynamic-link library search order").

use std::collections::{BTreeSet, VecDeque};

use super::files::Files;
use super::path::{WinPath, fold_name};

/// The KnownDLLs in the registry of Windows 10 and 11, without the DLLs that only run 32-bit
/// programs.
pub const REGISTERED: [&str; 32] = [
    "advapi32.dll",
    "clbcatq.dll",
    "combase.dll",
    "comdlg32.dll",
    "coml2.dll",
    "difxapi.dll",
    "gdi32.dll",
    "gdiplus.dll",
    "imagehlp.dll",
    "imm32.dll",
    "kernel32.dll",
    "msctf.dll",
    "msvcrt.dll",
    "normaliz.dll",
    "nsi.dll",
    "ole32.dll",
    "oleaut32.dll",
    "psapi.dll",
    "rpcrt4.dll",
    "sechost.dll",
    "setupapi.dll",
    "shcore.dll",
    "shell32.dll",
    "shlwapi.dll",
    "user32.dll",
    "wldap32.dll",
    "wow64.dll",
    "wow64base.dll",
    "wow64con.dll",
    "wow64cpu.dll",
    "wow64win.dll",
    "ws2_32.dll",
];

/// The DLLs that the registered ones import on Windows 10 or 11, for a machine whose system DLLs
/// cannot be read.
const IMPORTED: [&str; 9] = [
    "bcryptprimitives.dll",
    "cfgmgr32.dll",
    "gdi32full.dll",
    "kernelbase.dll",
    "msvcp_win.dll",
    "ntdll.dll",
    "ucrtbase.dll",
    "win32u.dll",
    "wintypes.dll",
];

/// Returns the KnownDLLs of a clean Windows.
pub fn of_clean_windows() -> BTreeSet<String> {
    REGISTERED.iter().chain(&IMPORTED).map(|name| (*name).to_owned()).collect()
}

/// Returns the DLLs in `system` that every Windows registers, and everything that they import from
/// there.
pub fn of_directory(system: &WinPath, files: &dyn Files) -> BTreeSet<String> {
    with_imports(REGISTERED.map(str::to_owned).to_vec(), system, files)
}

/// Returns the DLLs in `system` that are registered, and everything that they import from there.
pub fn with_imports(registered: Vec<String>, system: &WinPath, files: &dyn Files) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut waiting = VecDeque::from(registered);
    waiting.push_back("ntdll.dll".to_owned());
    while let Some(name) = waiting.pop_front() {
        let path = system.join(&name);
        if known.contains(&name) || !files.is_file(&path) {
            continue;
        }
        if let Ok(image) = files.image(&path) {
            waiting.extend(image.imports.iter().map(|import| fold_name(import)));
        }
        known.insert(name);
    }
    known
}
