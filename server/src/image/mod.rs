//! Reads a PE image: the bytes of a `.dll`, `.pyd` or `.exe` in, facts about it out.
//!
//! The room answers the questions the Windows loader asks of a file. Would the memory manager map
//! it, and if not, why not? Which DLLs does it import, and which symbols of each? What does it
//! export, and what does it merely forward? It knows nothing of search paths or of other files.
//!
//! ```ignore
//! let bytes = unsafe { memmap2::Mmap::map(&file)? };
//! let image = Image::parse(&bytes)?;
//! println!("{} image, linked by {:?}", image.machine(), image.linker_version());
//! for import in image.imports()? {
//!     for symbol in image.symbols(&import)? {
//!         println!("{}!{symbol}", import.dll);      // VCRUNTIME140_1.dll!__CxxFrameHandler4
//!     }
//! }
//! ```
//!
//! The headers are read through [`pelite`]; the tables behind them are read here, lazily, so that
//! a DLL of half a gigabyte costs the few pages its headers and import table lie on.
//!
//! | file | what it knows |
//! |---|---|
//! | `headers` | the headers, and what is checked before anything is mapped |
//! | `memory` | where the mapper would put the file's bytes; the only code that turns an RVA into bytes |
//! | `imports`, `delay_imports`, `exports`, `resources`, `load_config` | one data directory each |
//! | `hybrid` | what an x64 process on ARM64 sees of an ARM64X image |
//! | `binding` | what one image's imports find in another |
//! | `start` | what the code calls as the image starts, and which processor it needs for that |
//! | `module_imports` | which Python modules the code of an extension module imports as it is initialized |
//! | `trampoline` | which Python a trampoline of uv starts |
//! | `manifest` | which side-by-side assemblies a manifest names |
//! | `error` | everything that can be wrong with a file |
//!
//! # Sources
//!
//! - "PE Format": <https://learn.microsoft.com/windows/win32/debug/pe-format>.
//! - Wine, whose behaviour its conformance tests (`dlls/kernel32/tests/loader.c`) compare with
//!   Windows: `get_image_params` in `server/mapping.c`, `map_image_into_view` in
//!   `dlls/ntdll/unix/virtual.c`, and `dlls/ntdll/loader.c`.
//! - ReactOS: `PeFmtCreateSection` in `ntoskrnl/mm/section.c`, for checks Wine leaves out.

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
pub use error::{ImageError, LooksLike, Problem};
pub use exports::Export;
pub use imports::{Import, Symbol};
pub use instruction_sets::instruction_sets;
pub use machine::Machine;
pub use manifest::{Assembly, LIBRARY_MANIFEST, Manifest, PROGRAM_MANIFEST};
pub use resources::FileVersion;

use headers::Headers;
use memory::Memory;
use pelite::image as pe;

/// Where the DOS stub begins, in bytes.
const DOS_HEADER_LEN: u32 = 64;

/// A parsed image that borrows the (memory-mapped) file.
///
/// Only the headers are read by [`parse`](Image::parse); every other method reads what it needs
/// when it is called, and never panics, whatever the bytes. Relative virtual addresses (RVAs) are
/// byte distances from where the image would be loaded.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    headers: Headers,
    memory: Memory<'a>,
}

impl<'a> Image<'a> {
    /// Reads the headers and checks what Windows checks before it maps an image.
    ///
    /// # Errors
    ///
    /// Whatever makes Windows refuse the file as "not a valid Win32 application" (error 193, or
    /// status `0xc000007b` when it is a dependency): see [`ImageError`]. The slice may have any
    /// alignment.
    pub fn parse(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let headers = Headers::read(bytes)?;
        let memory = Memory::lay_out(bytes, &headers)?;
        Ok(Image { headers, memory })
    }

    /// The processor the image's code is for.
    ///
    /// An x64 or ARM64 header is not the last word: ARM64EC and ARM64X code hide behind them, and are told
    /// apart by the load configuration, which this reads in that case.
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

    /// Whether the image says it is a DLL. A `.pyd` is one; an `.exe` is not.
    pub fn is_dll(&self) -> bool {
        self.headers.characteristics & pe::IMAGE_FILE_DLL != 0
    }

    /// The linker's version, major and minor: (14, 29) is Visual Studio 2019's last.
    pub fn linker_version(&self) -> (u8, u8) {
        self.headers.linker_version
    }

    /// The oldest Windows the image says it runs on, major and minor: (6, 0) is Vista.
    pub fn subsystem_version(&self) -> (u16, u16) {
        self.headers.subsystem_version
    }

    /// The Windows subsystem: 1 native (a driver), 2 graphical, 3 console.
    pub fn subsystem(&self) -> u16 {
        self.headers.subsystem
    }

    /// Whether the image holds .NET code, for which Windows loads `mscoree.dll`.
    ///
    /// Data directory 14 is the CLR header ("PE Format", "Optional Header Data Directories").
    pub fn is_clr(&self) -> bool {
        self.headers.directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR).is_some_and(|clr| clr.size != 0)
    }

    /// Whether the image holds nothing but .NET code that no processor is prescribed for. Such a file says that it is for
    /// x86, and a 64-bit process maps it all the same (Wine's `get_image_params`: `ComPlusNativeReady`).
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

    /// Whether Wine made the file, as a stand-in for a DLL of Windows. It says so behind its DOS header
    /// (`tools/winebuild/spec32.c`).
    pub fn is_of_wine(&self) -> bool {
        let mark = self.memory.slice(DOS_HEADER_LEN, 16, "the DOS stub").unwrap_or_default();
        mark.starts_with(b"Wine builtin DLL") || mark.starts_with(b"Wine placeholder")
    }

    /// When the image was linked, in seconds since 1970; or, of a reproducible build, a hash.
    pub fn time_date_stamp(&self) -> u32 {
        self.headers.time_date_stamp
    }

    /// The bytes of the section of this name.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the section lies outside the image; none of that name is `None`.
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

    /// How many bytes of address space the loaded image takes.
    pub fn size_of_image(&self) -> u32 {
        self.headers.size_of_image
    }
}
