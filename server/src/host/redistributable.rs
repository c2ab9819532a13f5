//! The Microsoft Visual C++ v14 Redistributable: what it installs, and in which version.

use crate::image::{FileVersion, Machine};

/// The version in the built-in Windows: that of Visual Studio 2022 17.14.
pub const VERSION: FileVersion = FileVersion([14, 44, 35211, 0]);

/// The newest version that is known here, of Visual Studio 2026 18.6 (May 2026): what `aka.ms/vc14` gave on 2026-11-29 is this or newer.
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

/// Whether it installs a DLL of this name for processes of this machine: `vcruntime140_1.dll` has nothing to do in 32-bit code.
pub fn installs(dll: &str, machine: Machine) -> bool {
    let is_there = DLLS.iter().any(|known| known.eq_ignore_ascii_case(dll));
    is_there && !(machine == Machine::X86 && dll.eq_ignore_ascii_case("vcruntime140_1.dll"))
}
