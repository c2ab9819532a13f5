//! What the loader needs to know about an image.

use serde::{Deserialize, Serialize};

use crate::host::fact::{AssumedImage, Fact, Retention};
use crate::host::fault::ImageFault;
use crate::host::native_files::NativeFiles;
use crate::host::path::WinPath;
use crate::image::{FileVersion, Image, ImageError, Machine, Manifest};

/// The facts about an image.
#[derive(Debug, Clone)]
pub struct ImageOf(pub WinPath);

impl Fact for ImageOf {
    type Answer = ImageFacts;
    type Fault = ImageFault;

    const NAME: &'static str = "images";
    const RETENTION: Retention = Retention::MemoryAndCache;

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.0)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.0)
    }

    /// Only the pages with headers, import tables, and resources are accessed.
    fn read(&self, disk: &NativeFiles) -> Result<ImageFacts, ImageFault> {
        let map = disk.map(&self.0)?;
        let image = map.image()?;
        let DllNames { imports, delay_imports } = dll_names(&image)?;
        let for_x64 = match image.seen_by_x64() {
            Some(view) => Some(dll_names(&Image::parse(&view)?)?),
            None => None,
        };
        Ok(ImageFacts {
            machine: image.machine(),
            is_dll: image.is_dll(),
            imports,
            delay_imports,
            for_x64,
            version: image.version().unwrap_or_default(),
            linker: image.linker_version(),
            time_stamp: image.time_date_stamp(),
            subsystem_version: image.subsystem_version(),
            dependent_load_flags: image.dependent_load_flags(),
            manifests: image.manifests().unwrap_or_default(),
            any_cpu: image.is_any_cpu(),
            module_imports: image.module_imports().unwrap_or_default(),
            starts: image.trampoline_target(map.bytes()).unwrap_or_default(),
            size: map.bytes().len() as u64,
        })
    }

    fn of_assumed_image(
        &self,
        image: &AssumedImage,
        _: &dyn Fn(&WinPath, &str) -> bool,
    ) -> Option<ImageFacts> {
        let AssumedImage { machine, version, size } = *image;
        Some(ImageFacts { machine, version, size: size.unwrap_or_default(), ..ImageFacts::default() })
    }
}

fn dll_names(image: &Image<'_>) -> Result<DllNames, ImageError> {
    let mut imports = image.imports()?;
    // An unreadable list of symbols is left to the code that binds it.
    imports.retain(|import| image.asks_for_something(import).unwrap_or(true));
    let names = |imports: Vec<crate::image::ImportedDll>| imports.into_iter().map(|i| i.dll).collect();
    let delay_imports = image.delay_imports().map(names).unwrap_or_default();
    Ok(DllNames { imports: names(imports), delay_imports })
}

/// The facts about a PE file that the loader needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The machine for which it is built.
    pub machine: Machine,
    /// Whether it is a DLL rather than a program.
    #[serde(default = "yes")]
    pub is_dll: bool,
    /// The names in the import table, in order. DLLs without imported symbols are left out, because
    /// the loader skips them (ReactOS' `LdrpHandleOneNewFormatImportDescriptor`, Wine's
    /// `import_dll`).
    pub imports: Vec<String>,
    /// The names in the delay import table. These DLLs are loaded at the first call, not with the
    /// image.
    pub delay_imports: Vec<String>,
    /// For an ARM64X image, the names that an x64 process on ARM64 sees.
    #[serde(default)]
    pub for_x64: Option<DllNames>,
    /// The file version in VERSIONINFO.
    pub version: Option<FileVersion>,
    /// The version of the linker. For an image linked by MSVC, it identifies the toolset.
    pub linker: (u8, u8),
    /// The time of linking in seconds since 1970. It is a hash in a reproducible build, and some
    /// linkers write 0 ("PE Format", TimeDateStamp).
    #[serde(default)]
    pub time_stamp: u32,
    /// The lowest version of Windows that it requires (major, minor).
    pub subsystem_version: (u16, u16),
    /// The `LOAD_LIBRARY_SEARCH_*` flags for its imports, set by `/DEPENDENTLOADFLAG`. 0 selects
    /// the standard search.
    #[serde(default)]
    pub dependent_load_flags: u16,
    /// What its manifests say about DLLs, by resource number.
    #[serde(default)]
    pub manifests: Vec<(u32, Manifest)>,
    /// Whether it only contains .NET code for any processor, which every process can map.
    #[serde(default)]
    pub any_cpu: bool,
    /// The Python modules that its code imports while it is imported itself, and the level of the
    /// import if a Cython module's source makes it
    /// ([`Image::module_imports`](crate::image::Image)).
    #[serde(default)]
    pub module_imports: Vec<String>,
    /// The program that it starts in its place if it is a trampoline of uv
    /// ([`Image::trampoline_target`](crate::image::Image)).
    #[serde(default)]
    pub starts: Option<String>,
    /// The size of the file in bytes.
    pub size: u64,
}

/// The DLLs that an image imports.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DllNames {
    /// See [`ImageFacts::imports`].
    pub imports: Vec<String>,
    /// See [`ImageFacts::delay_imports`].
    pub delay_imports: Vec<String>,
}

impl ImageFacts {
    /// Returns the imports and the delay imports of the image in a process for the machine
    /// `process`.
    pub fn dlls(&self, process: Machine) -> (&[String], &[String]) {
        match &self.for_x64 {
            Some(names) if process != Machine::Arm64 => (&names.imports, &names.delay_imports),
            _ => (&self.imports, &self.delay_imports),
        }
    }
}

/// Returns the default for snapshots that were recorded before the field existed.
fn yes() -> bool {
    true
}

impl Default for ImageFacts {
    /// Returns an x64 image without imports, and otherwise with the least an image must have.
    fn default() -> ImageFacts {
        ImageFacts {
            machine: Machine::X64,
            is_dll: true,
            imports: Vec::new(),
            delay_imports: Vec::new(),
            for_x64: None,
            version: None,
            linker: (14, 0),
            time_stamp: 0,
            subsystem_version: (6, 0),
            dependent_load_flags: 0,
            manifests: Vec::new(),
            any_cpu: false,
            module_imports: Vec::new(),
            starts: None,
            size: 0,
        }
    }
}
