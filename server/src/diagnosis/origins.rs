//! What a DLL belongs to, and where that is to be had. The table explains a load that failed; it decides nothing.
//!
//! Sources, read on 2026-11-29: Microsoft, "Latest supported Visual C++ Redistributable downloads", "/openmp (Enable OpenMP Support)",
//! "Preparing a test machine to run a debug executable", "International Components for Unicode (ICU)", "Server Core: roles and
//! services", the reference pages of dxcore.h; the packages `gcc-libs`, `libwinpthread` and `python` of MSYS2; the wheels named here,
//! which were opened.

use crate::host::{Change, WinPath};
use crate::image::Machine;

use super::fix::Effect;

/// What is known of a DLL that is missing.
pub(super) struct Origin {
    /// "the Visual C++ 2013 Redistributable"
    pub belongs_to: String,
    /// What to do, in a sentence or two.
    pub advice: String,
}

/// An older Visual C++ runtime, which lives beside the current one.
pub(super) struct OlderRuntime {
    /// "Visual C++ 2013"
    pub name: &'static str,
    /// The digits in the names of its DLLs.
    digits: &'static str,
    x64: &'static str,
    x86: &'static str,
    /// Its DLLs lie in the system directory, and not only in WinSxS.
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

/// The libraries that each of them has.
const OLDER_DLLS: [&str; 5] = ["msvcr", "msvcp", "mfc", "vcomp", "vccorlib"];

impl OlderRuntime {
    /// The runtime that a DLL of this name belongs to.
    pub fn of(dll: &str) -> Option<&'static OlderRuntime> {
        let name = dll.to_ascii_lowercase();
        let name = name.strip_suffix(".dll")?;
        let rest = OLDER_DLLS.iter().find_map(|library| name.strip_prefix(library))?;
        OLDER_RUNTIMES.iter().find(|runtime| {
            let letters = rest.strip_prefix(runtime.digits);
            // `u` is for Unicode; a debug build has a `d`, and is nobody's to pass on.
            letters.is_some_and(|letters| matches!(letters, "" | "u"))
        })
    }

    /// "Visual C++ 2013 Redistributable (x64)"; there is none for ARM64 (Microsoft, "Latest supported Visual C++ Redistributable
    /// downloads").
    pub fn redistributable(&self, machine: Machine) -> String {
        let architecture = match machine {
            Machine::X86 => " (x86)",
            Machine::Arm64 => "",
            _ => " (x64)",
        };
        format!("{} Redistributable{architecture}", self.name)
    }

    /// Microsoft's address of it.
    pub fn address(&self, machine: Machine) -> &'static str {
        if machine == Machine::X86 { self.x86 } else { self.x64 }
    }

    /// What its installer does; none if the DLLs are then found by manifests alone.
    pub fn effect(&self, machine: Machine, system_directory: &WinPath) -> Option<Effect> {
        let image = Change::Image { machine, version: None, size: 0 };
        let all = OLDER_DLLS
            .iter()
            .flat_map(|library| ["", "u"].map(|letter| format!("{library}{}{letter}.dll", self.digits)));
        self.in_system_directory
            .then(|| Effect::of_files(all.map(|name| (system_directory.join(&name), image.clone()))))
    }
}

/// How the name of a DLL is compared.
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

/// Names without `.dll`, what they belong to, what to do.
const ORIGINS: &[(&[Name], &str, &str)] = &[
    (
        &[Name::Is("libomp140.x86_64")],
        "Visual Studio's LLVM OpenMP runtime, which its redistributable does not have",
        "Install another version of the package: Microsoft does not allow that DLL to be passed on, so its wheel cannot have it.",
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
        "The wheel should have brought it: install another version of the package, or MSYS2, and add the folder mingw64\\bin with os.add_dll_directory.",
    ),
    (
        &[Name::Begins("libpython3")],
        "the Python of MSYS2",
        "The module was built for the Python of MSYS2, and cannot be used with this one: install a wheel that was built for this Python.",
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
        "the debug runtime of Visual Studio, which may not be passed on",
        "The module is a debug build: install a release build of its package.",
    ),
    (
        &[Name::Is("libiomp5md")],
        "Intel's OpenMP runtime",
        "Install the distribution intel-openmp, which puts it into Library\\bin of the environment, and add that folder with os.add_dll_directory.",
    ),
    (
        &[Name::Begins("mkl_")],
        "Intel's Math Kernel Library",
        "Install the distribution mkl (mkl_rt.2.dll is of the versions before 2026), which puts it into Library\\bin of the environment, and add that folder with os.add_dll_directory.",
    ),
    (
        &[Name::Is("tbb12")],
        "Intel's Threading Building Blocks",
        "Install the distribution tbb, which puts it into Library\\bin of the environment, and add that folder with os.add_dll_directory.",
    ),
    (
        &[Name::Is("opencl"), Name::Is("vulkan-1")],
        "the driver of the graphics card",
        "Install the driver of your graphics card from its manufacturer.",
    ),
    (
        &[Name::Is("zlibwapi")],
        "cuDNN 8",
        "cuDNN 8 needs it and comes without it: NVIDIA's installation guide of cuDNN 8 says where it is to be had.",
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
        "GTK's libraries, of which Pango draws text",
        "Install MSYS2, in it mingw-w64-x86_64-pango, and name its folder mingw64\\bin to the package (WeasyPrint reads WEASYPRINT_DLL_DIRECTORIES).",
    ),
    (
        &[Name::Is("libmagic")],
        "libmagic",
        "Install the distribution python-magic-bin, which brings it, in place of python-magic.",
    ),
    (
        &[Name::Begins("geos_c"), Name::Begins("gdal")],
        "a build of conda or OSGeo4W: wheels of PyPI bring such libraries under names of their own",
        "Install the package from one source together with what it needs: all of it from PyPI, or all of it from conda-forge.",
    ),
];

/// Whether Python's own installers put a DLL of this name beside `python.exe`, or for the embeddable package what else is in `DLLs`
/// (CPython's PC/layout).
pub(super) fn is_of_python(dll: &str) -> bool {
    const NAMES: [&str; 10] =
        ["python", "vcruntime", "libffi", "libcrypto", "libssl", "sqlite3", "tcl", "tk", "zlib", "liblzma"];
    let name = dll.to_ascii_lowercase();
    NAMES.iter().any(|known| name.starts_with(known))
}

/// What a DLL belongs to, by its name; none if that says nothing.
pub(super) fn of(dll: &str) -> Option<Origin> {
    let name = dll.to_ascii_lowercase();
    let name = name.strip_suffix(".dll").unwrap_or(&name);
    let (_, belongs_to, advice) =
        ORIGINS.iter().find(|(names, ..)| names.iter().any(|known| known.fits(name)))?;
    Some(Origin { belongs_to: (*belongs_to).to_owned(), advice: (*advice).to_owned() })
}

/// Which Windows has a component that another one lacks, in a sentence; none if nothing is known of it but that it is one.
pub(super) fn of_windows(dll: &str) -> Option<&'static str> {
    let name = dll.to_ascii_lowercase();
    Some(match name.strip_suffix(".dll").unwrap_or(&name) {
        "mf" | "mfplat" | "mfreadwrite" | "mfplay" | "mfcore" | "evr" => {
            "It belongs to Media Foundation, which N editions of Windows lack: add the Media Feature Pack in the optional features of the settings. On Windows Server, install the feature Server-Media-Foundation."
        }
        "dxcore" => "Windows has it from Windows 10, version 2004 (build 19041) on.",
        "icu" => "Windows has it from Windows 10, version 1903 (build 18362) on.",
        "icuuc" | "icuin" => "Windows has it from Windows 10, version 1703 (build 15063) on.",
        "directml" => "Windows has it from Windows 10, version 1903 (build 18362) on.",
        "opengl32" | "glu32" | "dxva2" | "dsound" | "msdmo" | "avicap32" => {
            "Container images of Windows Server Core leave it out, and those of the full Windows have it."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_runtimes_are_known_by_their_digits() {
        assert_eq!(OlderRuntime::of("MSVCR120.dll").unwrap().name, "Visual C++ 2013");
        assert_eq!(OlderRuntime::of("mfc100u.dll").unwrap().name, "Visual C++ 2010");
        for other in ["msvcp140.dll", "msvcr120d.dll", "msvcrt.dll", "msvcr120"] {
            assert!(OlderRuntime::of(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_name_tells_what_it_belongs_to() {
        assert!(of("libSTDC++-6.dll").unwrap().belongs_to.contains("MinGW"));
        assert!(of("libpython3.12.dll").unwrap().advice.contains("MSYS2"));
        assert!(of("python312.dll").is_none());
    }
}
