//! Which images can be loaded into which processes, on which Windows.

use crate::host::ImageFacts;
use crate::image::Machine;

/// Whether an image can be loaded into a process for the machine `process` on a Windows for `host`
/// (Microsoft, "Arm64X PE files"). ARM64EC code looks like x64 code and runs on ARM64 only; ARM64X
/// is both.
pub(super) fn runs_in(image: &ImageFacts, process: Machine, host: Machine) -> bool {
    let on_arm = host == Machine::Arm64;
    match (image.machine, process) {
        _ if image.any_cpu => true,
        (Machine::Arm64Ec, Machine::X64 | Machine::Arm64Ec) => on_arm,
        (Machine::X64, Machine::Arm64Ec) => true,
        (Machine::Arm64X, Machine::X64 | Machine::Arm64Ec | Machine::Arm64) => on_arm,
        (image, process) => image == process,
    }
}

/// Whether an image ends a search in a process for the machine `process`. .NET code for any
/// processor is loaded by its full path, but passed over in a search.
pub fn answers_search(image: &ImageFacts, process: Machine, host: Machine) -> bool {
    runs_in(image, process, host) && (!image.any_cpu || image.machine == process)
}

/// Whether a Windows for `host` maps images for `image` in any process. An image that it doesn't
/// map ends a search instead of being passed over (Wine's conformance test `map_image_section` in
/// `dlls/kernel32/tests/loader.c`).
pub(super) fn is_mapped_by(image: Machine, host: Machine) -> bool {
    match host {
        Machine::X86 => image == Machine::X86,
        Machine::Arm64 => !matches!(image, Machine::Other(_)),
        _ => matches!(image, Machine::X86 | Machine::X64 | Machine::Arm64Ec),
    }
}
