//! The Microsoft Visual C++ v14 Redistributable: the DLLs that it installs, and their version.

use crate::image::{FileVersion, Machine};

/// The newest known version, which the built-in baselines have: that of Visual Studio 2026 18.6
/// (May 2026). The version at `aka.ms/vc14` on 2026-11-29 is this or newer.
pub const NEWEST: FileVersion = FileVersion([14, 51, 36247, 0]);

/// The DLLs that it installs into the system directory, except for those of C++/CLI (Microsoft,
/// "Redistributing Visual C++ Files"). Versions up to 14.29 had no `vcruntime140_threads.dll`.
pub const DLLS: [&str; 26] = [
    "concrt140.dll",
    "mfc140.dll",
    "mfc140chs.dll",
    "mfc140cht.dll",
    "mfc140deu.dll",
    "mfc140enu.dll",
    "mfc140esn.dll",
    "mfc140fra.dll",
    "mfc140ita.dll",
    "mfc140jpn.dll",
    "mfc140kor.dll",
    "mfc140rus.dll",
    "mfc140u.dll",
    "mfcm140.dll",
    "mfcm140u.dll",
    "msvcp140.dll",
    "msvcp140_1.dll",
    "msvcp140_2.dll",
    "msvcp140_atomic_wait.dll",
    "msvcp140_codecvt_ids.dll",
    "vcamp140.dll",
    "vccorlib140.dll",
    "vcomp140.dll",
    "vcruntime140.dll",
    "vcruntime140_1.dll",
    "vcruntime140_threads.dll",
];

/// Whether a DLL is part of the redistributable.
pub fn contains(dll: &str) -> bool {
    DLLS.iter().any(|known| known.eq_ignore_ascii_case(dll))
}

/// Returns the machine of the DLL of this name that it installs for processes of one machine on a
/// Windows for another, or `None` if it doesn't install one.
///
/// 32-bit and ARM64 code doesn't need `vcruntime140_1.dll`. On ARM64, the installer for x64
/// includes what both kinds of 64-bit processes need (Microsoft, "Latest supported Visual C++
/// Redistributable downloads"): ARM64X images, and `vcruntime140_1.dll` as ARM64EC, like the copies
/// of 14.44 to 14.51 in the wheels of `PyQt6-Qt6`, `PySide6-Essentials`, and `msvc-runtime` for
/// `win_arm64`.
pub fn installed(dll: &str, process: Machine, windows: Machine) -> Option<Machine> {
    let is_of_x64 = dll.eq_ignore_ascii_case("vcruntime140_1.dll");
    match (process, windows) {
        _ if !contains(dll) => None,
        (Machine::X86, _) => (!is_of_x64).then_some(Machine::X86),
        (_, Machine::Arm64) if is_of_x64 => Some(Machine::Arm64Ec),
        (_, Machine::Arm64) => Some(Machine::Arm64X),
        (process, _) => Some(process),
    }
}
