//! Which DLLs belong to Microsoft's VC++ redistributable, and where to get it. Explains and cures only.

use crate::environment::Environment;
use crate::fix::{Action, Command, Fix};
use crate::image::Machine;

/// The DLLs of the redistributable 2015–2022 (Microsoft, "Determining which DLLs to redistribute").
const DLLS: [&str; 13] = [
    "concrt140.dll",
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
    "mfc140u.dll",
];

/// Those whose version stands for that of the whole, the better one first.
pub const MAIN: [&str; 2] = ["msvcp140.dll", "vcruntime140.dll"];

/// Whether a DLL is part of it.
pub fn contains(dll: &str) -> bool {
    DLLS.iter().any(|known| known.eq_ignore_ascii_case(dll))
}

/// Its name for people, with the architecture to choose.
pub fn name(machine: Machine) -> String {
    format!("Microsoft Visual C++ Redistributable 2015–2022 ({})", architecture(machine))
}

fn architecture(machine: Machine) -> &'static str {
    match machine {
        Machine::X86 => "x86",
        Machine::Arm64 => "arm64",
        _ => "x64",
    }
}

/// Ways to get it, the preferred one first.
pub fn fixes(environment: &Environment) -> Vec<Fix> {
    let machine = environment.machine;
    // Microsoft's permanent links ("Latest supported Visual C++ Redistributable downloads").
    let address = format!("https://aka.ms/vs/17/release/vc_redist.{}.exe", architecture(machine));
    let mut download = Fix::new(format!("Download the {}", name(machine)), Action::Open(address));
    download.preferred = true;
    let mut fixes = vec![download];
    if machine == Machine::X64 || machine == Machine::X86 {
        // It puts the DLLs beside python.exe of the interpreter that runs pip. In a virtual environment the
        // process that runs is the base interpreter's, so they must lie there.
        let python = environment.application_directory.join("python.exe");
        let command = Command::new(python.as_str(), ["-m", "pip", "install", "msvc-runtime"]);
        fixes.push(Fix::new(
            "Install the runtime into this Python with pip (no administrator needed)",
            Action::Run(command),
        ));
    }
    fixes
}
