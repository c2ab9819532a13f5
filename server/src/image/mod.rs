//! Reads PE images: `.dll`, `.pyd`, and `.exe` files.
//!
//! The module answers the questions that the Windows loader asks about a file. Would the memory
//! manager map it, and if not, why not? Which DLLs does it import, and which symbols of each? What
//! does it export, and what does it merely forward? Search paths and other files are the business
//! of other modules.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use whydll::image::Image;
//!
//! let bytes = std::fs::read("MSVCP140.dll")?;
//! let image = Image::parse(&bytes)?;
//! println!("{} image, linked by {:?}", image.machine(), image.linker_version());
//! for import in image.imports()? {
//!     for symbol in image.symbols(&import)? {
//!         println!("{}!{symbol}", import.dll); // VCRUNTIME140_1.dll!__CxxFrameHandler4
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The error says what is wrong with a file that Windows wouldn't map:
//!
//! ```
//! use whydll::image::Image;
//!
//! let error = Image::parse(b"<!DOCTYPE html>, as a proxy saves it").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "the file is not a Windows program or DLL; it looks like a web page (HTML)"
//! );
//! ```
//!
//! [`pelite`] reads the headers. The tables are read here, lazily, so that a DLL of half a gigabyte
//! only costs the few pages that contain its headers and import table.
//!
//! | file | contents |
//! |---|---|
//! | `headers` | the headers, and the checks before anything is mapped |
//! | `memory` | where the mapper would put the file's bytes; the only code that turns an RVA into bytes |
//! | `machine` | the processors that an image can be for |
//! | `imports`, `delay_imports`, `exports`, `resources`, `load_config` | one data directory each |
//! | `hybrid` | an ARM64X image as an x64 process on ARM64 sees it |
//! | `binding` | one image's imports, compared with another's exports |
//! | `code` | decodes x64 and ARM64 machine code into the few operations that the analyses follow |
//! | `start` | which functions the code calls while the image starts |
//! | `instruction_sets` | which extensions of x64 an image needs to start |
//! | `module_imports` | which Python modules an extension module's code imports during initialization |
//! | `trampoline` | which Python a trampoline of uv starts |
//! | `manifest` | which side-by-side assemblies a manifest names |
//! | `error` | everything that can be wrong with a file |
//!
//! # Sources
//!
//! - "PE Format": <https://learn.microsoft.com/windows/win32/debug/pe-format>.
//! - Wine: `get_image_params` in `server/mapping.c`, `map_image_into_view` in
//!   `dlls/ntdll/unix/virtual.c`, and `dlls/ntdll/loader.c`. Wine's conformance tests
//!   (`dlls/kernel32/tests/loader.c`) compare its behaviour with Windows.
//! - ReactOS: `PeFmtCreateSection` in `ntoskrnl/mm/section.c`, for checks that Wine omits.

mod binding;
mod code;
mod delay_imports;
mod error;
mod exports;
mod headers;
mod hybrid;
mod imports;
mod instruction_sets;
mod load_config;
mod machine;
mod manifest;
mod memory;
mod module_imports;
mod resources;
mod start;
mod trampoline;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use binding::{Binding, CONSTEXPR_MUTEX, Forwarded};
pub use error::{ImageError, LooksLike, TableDefect};
pub use exports::Export;
pub use imports::{ImportedDll, Symbol};
pub use instruction_sets::instruction_sets;
pub use machine::Machine;
pub use manifest::{Assembly, LIBRARY_MANIFEST, Manifest, PROGRAM_MANIFEST};
pub use resources::FileVersion;

use headers::Headers;
use memory::Memory;
use pelite::image as pe;

/// The size of the DOS header in bytes. The DOS stub follows it.
const DOS_HEADER_LEN: u32 = 64;

/// A parsed image that borrows the (memory-mapped) file.
///
/// [`parse`](Image::parse) only reads the headers. Every other method reads what it needs when it
/// is called. No method panics, whatever the bytes are. Relative virtual addresses (RVAs) are byte
/// offsets from the address at which the image would be loaded.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    headers: Headers,
    memory: Memory<'a>,
}

impl<'a> Image<'a> {
    /// Reads the headers and checks what Windows checks before it maps an image. The slice may have
    /// any alignment.
    ///
    /// # Errors
    ///
    /// Returns an [`ImageError`] for anything that makes Windows refuse the file as "not a valid
    /// Win32 application" (error 193, or status `0xc000007b` for a dependency).
    pub fn parse(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let headers = Headers::read(bytes)?;
        let memory = Memory::lay_out(bytes, &headers)?;
        Ok(Image { headers, memory })
    }

    /// Returns the processor that the image's code is for.
    ///
    /// ARM64EC images have an x64 header, and ARM64X images an ARM64 header. In both cases, only the
    /// load configuration distinguishes them from ordinary images.
    pub fn machine(&self) -> Machine {
        match Machine::from_header(self.headers.machine) {
            Machine::X64 if self.is_hybrid() => Machine::Arm64Ec,
            Machine::Arm64 if self.is_hybrid() && self.turns_into_x64() => Machine::Arm64X,
            machine => machine,
        }
    }

    /// Whether the optional header has the 64-bit layout, PE32+.
    pub fn is_pe32_plus(&self) -> bool {
        self.headers.pe32_plus
    }

    /// Whether the header declares the image to be a DLL, like a `.pyd` and unlike an `.exe`.
    pub fn is_dll(&self) -> bool {
        self.headers.characteristics & pe::IMAGE_FILE_DLL != 0
    }

    /// Returns the linker's version, major and minor: (14, 29) is Visual Studio 2019's last.
    pub fn linker_version(&self) -> (u8, u8) {
        self.headers.linker_version
    }

    /// Returns the oldest Windows that the image claims to run on, major and minor: (6, 0) is Vista.
    pub fn subsystem_version(&self) -> (u16, u16) {
        self.headers.subsystem_version
    }

    /// Returns the Windows subsystem: 1 native (a driver), 2 graphical, 3 console.
    pub fn subsystem(&self) -> u16 {
        self.headers.subsystem
    }

    /// Whether the image contains .NET code, for which Windows loads `mscoree.dll`.
    ///
    /// Data directory 14 is the CLR header ("PE Format", "Optional Header Data Directories").
    pub fn is_clr(&self) -> bool {
        self.headers.directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR).is_some_and(|clr| clr.size != 0)
    }

    /// Whether the image contains only .NET code, for any processor ("Any CPU"). The header of such
    /// a file says x86, but a 64-bit process maps it nevertheless (Wine's `get_image_params`:
    /// `ComPlusNativeReady`).
    pub fn is_any_cpu(&self) -> bool {
        const IL_ONLY: u32 = 1;
        const REQUIRES_32_BIT: u32 = 2;
        let Some(clr) = self.headers.directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR) else {
            return false;
        };
        // IMAGE_COR20_HEADER: size, versions, metadata (two words), flags.
        let header = self.memory.words::<5>(clr.rva, "the CLR header");
        header.is_ok_and(|[_, _, _, _, flags]| flags & (IL_ONLY | REQUIRES_32_BIT) == IL_ONLY)
    }

    /// Whether the file is Wine's replacement for a DLL of Windows. Such a file has a signature
    /// after its DOS header (`tools/winebuild/spec32.c`).
    pub fn is_of_wine(&self) -> bool {
        let signature = self.memory.slice(DOS_HEADER_LEN, 16, "the DOS stub").unwrap_or_default();
        signature.starts_with(b"Wine builtin DLL") || signature.starts_with(b"Wine placeholder")
    }

    /// Returns the time at which the image was linked, in seconds since 1970. In a reproducible
    /// build, the field contains a hash.
    pub fn time_date_stamp(&self) -> u32 {
        self.headers.time_date_stamp
    }

    /// Returns the bytes of the section of this name; `None` if there is no such section.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the section is outside the image.
    pub fn section(&self, name: &str) -> Result<Option<&'a [u8]>, ImageError> {
        let named = self.headers.sections.iter().find(|section| {
            let bytes = section.Name.as_ref();
            bytes.split(|byte| *byte == 0).next() == Some(name.as_bytes())
        });
        let read = |section: &pe::IMAGE_SECTION_HEADER| {
            self.memory.slice(section.VirtualAddress, section.VirtualSize, "a section")
        };
        named.map(read).transpose()
    }

    /// Returns the size of the loaded image in bytes of address space.
    pub fn size_of_image(&self) -> u32 {
        self.headers.size_of_image
    }
}
