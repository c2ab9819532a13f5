//! The Microsoft Visual C++ v14 Redistributable: what it installs, and in which version.

use crate::image::{FileVersion, Machine};

/// The newest version that is known here, which the built-in Windows have: that of Visual Studio 2026 18.6 (May 2026). What
/// `aka.ms/vc14` gave on 2026-11-29 is this or newer.
pub const NEWEST: FileVersion = FileVersion([14, 51, 36247, 0]);

/// What it installs into the system directory (Microsoft, "Redistributing Visual C++ Files"), but for C++/CLI. Up to 14.29 there was no
/// `vcruntime140_threads.dll`.
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

/// Whether a DLL is part of it.
pub fn contains(dll: &str) -> bool {
    DLLS.iter().any(|known| known.eq_ignore_ascii_case(dll))
}

/// The machine of the DLL of this name that it installs for processes of one machine on a Windows for another; none if it
/// installs none.
///
/// `vcruntime140_1.dll` has nothing to do in 32-bit code, nor in ARM64's. On ARM64 the installer for x64 brings what is for
/// both kinds of 64-bit processes (Microsoft, "Latest supported Visual C++ Redistributable downloads"): ARM64X images, and that DLL as
/// ARM64EC, as the copies of 14.44 to 14.51 are in the wheels of `PyQt6-Qt6`, `PySide6-Essentials` and `msvc-runtime` for
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
