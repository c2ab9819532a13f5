//! The software that a DLL belongs to, and where to get it. The table only explains a load that
//! failed; it never decides that something fails.
//!
//! Sources, read on 2026-11-29: Microsoft, "Latest supported Visual C++ Redistributable downloads",
//! "/openmp (Enable OpenMP Support)", "Preparing a test machine to run a debug executable",
//! "International Components for Unicode (ICU)", "Server Core: roles and services", the reference
//! pages of dxcore.h; the packages `gcc-libs`, `libwinpthread` and `python` of MSYS2; the contents
//! of the wheels named here.

use crate::host::{Change, WinPath};
use crate::image::Machine;

use super::fix::FixEffect;

/// The origin of a missing DLL.
pub(super) struct DllOrigin {
    /// The software that contains the DLL: "the Visual C++ 2013 Redistributable".
    pub belongs_to: String,
    /// What to do, in one or two sentences.
    pub advice: String,
}

/// An older Visual C++ runtime, which is installed side by side with the current one.
pub(super) struct OlderRuntime {
    /// The name: "Visual C++ 2013".
    pub name: &'static str,
    /// The version digits in the names of its DLLs.
    digits: &'static str,
    x64: &'static str,
    x86: &'static str,
    /// Whether its DLLs are in the system directory and not only in WinSxS.
    in_system_directory: bool,
}

const OLDER_RUNTIMES: [OlderRuntime; 5] = [
    OlderRuntime {
        name: "Visual C++ 2013",
        digits: "120",
        x64: "https://aka.ms/highdpimfc2013x64enu",
        x86: "https://aka.ms/highdpimfc2013x86enu",
        in_system_directory: true,
    },
    OlderRuntime {
        name: "Visual C++ 2012",
        digits: "110",
        x64: "https://download.microsoft.com/download/1/6/B/16B06F60-3B20-4FF2-B699-5E9B7962F9AE/VSU_4/vcredist_x64.exe",
        x86: "https://download.microsoft.com/download/1/6/B/16B06F60-3B20-4FF2-B699-5E9B7962F9AE/VSU_4/vcredist_x86.exe",
        in_system_directory: true,
    },
    OlderRuntime {
        name: "Visual C++ 2010",
        digits: "100",
        x64: "https://download.microsoft.com/download/1/6/5/165255E7-1014-4D0A-B094-B6A430A6BFFC/vcredist_x64.exe",
        x86: "https://download.microsoft.com/download/1/6/5/165255E7-1014-4D0A-B094-B6A430A6BFFC/vcredist_x86.exe",
        in_system_directory: true,
    },
    OlderRuntime {
        name: "Visual C++ 2008",
        digits: "90",
        x64: "https://download.microsoft.com/download/5/D/8/5D8C65CB-C849-4025-8E95-C3966CAFD8AE/vcredist_x64.exe",
        x86: "https://download.microsoft.com/download/5/D/8/5D8C65CB-C849-4025-8E95-C3966CAFD8AE/vcredist_x86.exe",
        in_system_directory: false,
    },
    OlderRuntime {
        name: "Visual C++ 2005",
        digits: "80",
        x64: "https://download.microsoft.com/download/8/B/4/8B42259F-5D70-43F4-AC2E-4B208FD8D66A/vcredist_x64.EXE",
        x86: "https://download.microsoft.com/download/8/B/4/8B42259F-5D70-43F4-AC2E-4B208FD8D66A/vcredist_x86.EXE",
        in_system_directory: false,
    },
];

/// The libraries that each of the older runtimes contains.
const OLDER_DLLS: [&str; 5] = ["msvcr", "msvcp", "mfc", "vcomp", "vccorlib"];

impl OlderRuntime {
    /// Returns the runtime that a DLL of this name belongs to.
    pub fn of(dll: &str) -> Option<&'static OlderRuntime> {
        let name = dll.to_ascii_lowercase();
        let name = name.strip_suffix(".dll")?;
        let rest = OLDER_DLLS.iter().find_map(|library| name.strip_prefix(library))?;
        OLDER_RUNTIMES.iter().find(|runtime| {
            let letters = rest.strip_prefix(runtime.digits);
            // `u` stands for Unicode. A debug build has a `d` and isn't redistributable.
            letters.is_some_and(|letters| matches!(letters, "" | "u"))
        })
    }

    /// Returns "Visual C++ 2013 Redistributable (x64)". There is no version for ARM64 (Microsoft,
    /// "Latest supported Visual C++ Redistributable downloads").
    pub fn redistributable(&self, machine: Machine) -> String {
        let architecture = match machine {
            Machine::X86 => " (x86)",
            Machine::Arm64 => "",
            _ => " (x64)",
        };
        format!("{} Redistributable{architecture}", self.name)
    }

    /// Returns Microsoft's URL of the installer.
    pub fn url(&self, machine: Machine) -> &'static str {
        if machine == Machine::X86 { self.x86 } else { self.x64 }
    }

    /// Returns the effect of the installer, or `None` if its DLLs are found only through manifests.
    pub fn effect(&self, machine: Machine, system_directory: &WinPath) -> Option<FixEffect> {
        let image = Change::Image { machine, version: None, size: 0 };
        let all = OLDER_DLLS
            .iter()
            .flat_map(|library| ["", "u"].map(|letter| format!("{library}{}{letter}.dll", self.digits)));
        self.in_system_directory
            .then(|| FixEffect::of_files(all.map(|name| (system_directory.join(&name), image.clone()))))
    }
}

/// A pattern for a DLL's name.
enum Name {
    Is(&'static str),
    Begins(&'static str),
}

impl Name {
    fn fits(&self, name: &str) -> bool {
        match self {
            Name::Is(known) => *known == name,
            Name::Begins(known) => name.starts_with(known),
        }
    }
}

/// Patterns for names without `.dll`, the software that contains the DLL, and what to do.
const ORIGINS: &[(&[Name], &str, &str)] = &[
    (
        &[Name::Is("libomp140.x86_64")],
        "Visual Studio's LLVM OpenMP runtime, which its redistributable does not include",
        "Install another version of the package: Microsoft does not allow that DLL to be redistributed, so \
         its wheel cannot contain it.",
    ),
    (
        &[
            Name::Is("libgcc_s_seh-1"),
            Name::Is("libgcc_s_dw2-1"),
            Name::Is("libstdc++-6"),
            Name::Is("libwinpthread-1"),
            Name::Is("libgomp-1"),
            Name::Is("libquadmath-0"),
            Name::Begins("libgfortran-"),
        ],
        "the runtime of GCC for Windows (MinGW-w64)",
        "The wheel should have included it: install another version of the package, or install MSYS2 and add \
         its folder mingw64\\bin with os.add_dll_directory.",
    ),
    (
        &[Name::Begins("libpython3")],
        "the Python of MSYS2",
        "The module was built for the Python of MSYS2, and cannot be used with this one: install a wheel \
         that was built for this Python.",
    ),
    (
        &[
            Name::Is("vcruntime140d"),
            Name::Is("vcruntime140_1d"),
            Name::Is("msvcp140d"),
            Name::Is("ucrtbased"),
            Name::Is("mfc140ud"),
            Name::Is("vcomp140d"),
            Name::Is("concrt140d"),
        ],
        "the debug runtime of Visual Studio, which may not be redistributed",
        "The module is a debug build: install a release build of its package.",
    ),
    (
        &[Name::Is("libiomp5md")],
        "Intel's OpenMP runtime",
        "Install the distribution intel-openmp, which puts it into Library\\bin of the environment, and add \
         that folder with os.add_dll_directory.",
    ),
    (
        &[Name::Begins("mkl_")],
        "Intel's Math Kernel Library",
        "Install the distribution mkl (mkl_rt.2.dll belongs to versions before 2026), which puts it into \
         Library\\bin of the environment, and add that folder with os.add_dll_directory.",
    ),
    (
        &[Name::Is("tbb12")],
        "Intel's Threading Building Blocks",
        "Install the distribution tbb, which puts it into Library\\bin of the environment, and add that \
         folder with os.add_dll_directory.",
    ),
    (
        &[Name::Is("opencl"), Name::Is("vulkan-1")],
        "the driver of the graphics card",
        "Install the driver of your graphics card from its manufacturer.",
    ),
    (
        &[Name::Is("zlibwapi")],
        "cuDNN 8",
        "cuDNN 8 needs it but does not include it: NVIDIA's installation guide for cuDNN 8 explains where to \
         get it.",
    ),
    (
        &[Name::Begins("nvinfer")],
        "TensorRT",
        "Install TensorRT from NVIDIA, and add its folder with os.add_dll_directory.",
    ),
    (
        &[
            Name::Is("libgobject-2.0-0"),
            Name::Begins("libpango"),
            Name::Is("libharfbuzz-0"),
            Name::Is("libfontconfig-1"),
        ],
        "GTK's libraries, including Pango, which draws text",
        "Install MSYS2 and its package mingw-w64-x86_64-pango, and point the package to the folder \
         mingw64\\bin of MSYS2 (WeasyPrint reads WEASYPRINT_DLL_DIRECTORIES).",
    ),
    (
        &[Name::Is("libmagic")],
        "libmagic",
        "Install the distribution python-magic-bin, which includes it, instead of python-magic.",
    ),
    (
        &[Name::Begins("geos_c"), Name::Begins("gdal")],
        "a build of conda or OSGeo4W: wheels on PyPI include such libraries under names of their own",
        "Install the package from one source together with what it needs: all of it from PyPI, or all of it \
         from conda-forge.",
    ),
];

/// Whether Python's own installers put a DLL of this name next to `python.exe`. In the embeddable
/// package, that includes the DLLs that other installers put into `DLLs` (CPython's PC/layout).
pub(super) fn is_of_python(dll: &str) -> bool {
    const NAMES: [&str; 10] =
        ["python", "vcruntime", "libffi", "libcrypto", "libssl", "sqlite3", "tcl", "tk", "zlib", "liblzma"];
    let name = dll.to_ascii_lowercase();
    NAMES.iter().any(|known| name.starts_with(known))
}

/// Returns the origin of a DLL of this name, if it is known.
pub(super) fn of(dll: &str) -> Option<DllOrigin> {
    let name = dll.to_ascii_lowercase();
    let name = name.strip_suffix(".dll").unwrap_or(&name);
    let (_, belongs_to, advice) =
        ORIGINS.iter().find(|(names, ..)| names.iter().any(|known| known.fits(name)))?;
    Some(DllOrigin { belongs_to: (*belongs_to).to_owned(), advice: (*advice).to_owned() })
}

/// Returns a sentence that states which versions or editions of Windows contain a component, if
/// that is known.
pub(super) fn of_windows(dll: &str) -> Option<&'static str> {
    let name = dll.to_ascii_lowercase();
    Some(match name.strip_suffix(".dll").unwrap_or(&name) {
        "mf" | "mfplat" | "mfreadwrite" | "mfplay" | "mfcore" | "evr" => {
            "It belongs to Media Foundation, which N editions of Windows lack: add the Media Feature Pack \
             under Optional features in Settings. On Windows Server, install the feature \
             Server-Media-Foundation."
        }
        "dxcore" => "It is included in Windows 10, version 2004 (build 19041) and later.",
        "icu" => "It is included in Windows 10, version 1903 (build 18362) and later.",
        "icuuc" | "icuin" => "It is included in Windows 10, version 1703 (build 15063) and later.",
        "directml" => "It is included in Windows 10, version 1903 (build 18362) and later.",
        "opengl32" | "glu32" | "dxva2" | "dsound" | "msdmo" | "avicap32" => {
            "Container images of Windows Server Core do not include it; those of the full Windows do."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_runtimes_are_recognized_by_their_digits() {
        assert_eq!(OlderRuntime::of("MSVCR120.dll").unwrap().name, "Visual C++ 2013");
        assert_eq!(OlderRuntime::of("mfc100u.dll").unwrap().name, "Visual C++ 2010");
        for other in ["msvcp140.dll", "msvcr120d.dll", "msvcrt.dll", "msvcr120"] {
            assert!(OlderRuntime::of(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_dll_is_attributed_by_its_name() {
        assert!(of("libSTDC++-6.dll").unwrap().belongs_to.contains("MinGW"));
        assert!(of("libpython3.12.dll").unwrap().advice.contains("MSYS2"));
        assert!(of("python312.dll").is_none());
    }
}
