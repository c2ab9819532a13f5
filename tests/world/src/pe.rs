//! Writes PE images that Windows loads, from a description.
//!
//! The images only contain what a loader reads: headers, exports, imports, a version, a manifest,
//! and functions that return zero. Header fields that are not in [`ImageSpec`] have the values of
//! Microsoft's linker. The same description always gives the same bytes.

mod clr;
mod code;
mod exports;
mod hybrid;
mod imports;
mod load_config;
mod resources;
mod section;

use object::pe;
use object::write::pe::{NtHeaders, Writer};

use code::Code;
use section::{Section, Span, length};

/// The description of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSpec {
    /// The file name in the export directory and in the version resource.
    pub name: String,
    /// Whether it is a program or a library.
    pub kind: Kind,
    /// The machine that it runs on, which decides between PE32 and PE32+.
    pub machine: Machine,
    /// Whether its `PyInit_…` calls the first imported function (x86_64 only).
    pub init_calls_first_import: bool,
    /// The exports and imports that x64 processes see instead, if it is ARM64X; `None` if they see
    /// the same.
    pub for_x64: ForX64,
    /// Its exports. Those without an ordinal are numbered in order, above the highest given
    /// ordinal.
    pub exports: Vec<Export>,
    /// Its imports, which are loaded together with it.
    pub imports: Vec<Import>,
    /// Its delay imports, which are loaded at the first call.
    pub delay_imports: Vec<Import>,
    /// The file and product version of the VERSIONINFO resource.
    pub version: Option<[u16; 4]>,
    /// The content of the RT_MANIFEST resource: number 1 of a program, 2 of a library.
    pub manifest: Option<String>,
    /// The program that it starts, if it is a trampoline of uv.
    pub starts: Option<String>,
    /// The major and minor version of the linker.
    pub linker: (u8, u8),
    /// The version of Windows that it requires (operating system and subsystem version).
    pub needs_windows: (u16, u16),
    /// Whether it has a CLR header. Without imports it is then pure IL.
    pub clr: bool,
    /// The flags that the loader applies to the search for the image's own imports
    /// (`LOAD_LIBRARY_SEARCH_...`), in a load configuration.
    pub dependent_load_flags: Option<u16>,
    /// The behaviour of its entry point.
    pub entry_point: EntryPoint,
    /// The Python modules that the code of its `PyInit_…` imports as Cython's does, on x86_64. It
    /// has to import `PyImport_AddModule` and `PyImport_ImportModule`.
    pub cimports: Vec<String>,
}

impl ImageSpec {
    /// Describes an x86_64 library without imports and exports.
    pub fn dll(name: impl Into<String>) -> ImageSpec {
        ImageSpec {
            name: name.into(),
            kind: Kind::Dll,
            machine: Machine::X86_64,
            init_calls_first_import: false,
            for_x64: ForX64::default(),
            exports: Vec::new(),
            imports: Vec::new(),
            delay_imports: Vec::new(),
            version: None,
            manifest: None,
            starts: None,
            linker: (14, 0),
            needs_windows: (6, 0),
            clr: false,
            dependent_load_flags: None,
            entry_point: EntryPoint::Succeeds,
            cimports: Vec::new(),
        }
    }

    /// Describes an x86_64 program without imports and exports.
    pub fn exe(name: impl Into<String>) -> ImageSpec {
        ImageSpec { kind: Kind::Exe, ..ImageSpec::dll(name) }
    }
}

/// The tables of an ARM64X image that only x64 processes see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForX64 {
    /// Its exports.
    pub exports: Vec<Export>,
    /// Its imports, which are loaded together with it.
    pub imports: Vec<Import>,
}

/// Whether an image is a program or a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program.
    Exe,
    /// A library.
    Dll,
}

/// The machine that an image's code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 32-bit x86, in a PE32 file.
    X86,
    /// AMD64, in a PE32+ file.
    X86_64,
    /// ARM64, in a PE32+ file.
    Arm64,
    /// ARM64 for x64 processes: the header says x86_64.
    Arm64Ec,
    /// ARM64 for ARM64 and x64 processes: the header says ARM64.
    Arm64X,
}

impl Machine {
    /// Returns the size of an address in bytes.
    fn word(self) -> usize {
        match self {
            Machine::X86 => 4,
            _ => 8,
        }
    }
}

/// One entry of an image's export table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// The exported name; `None` if the entry is only found by its ordinal.
    pub name: Option<String>,
    /// The ordinal, from 1.
    pub ordinal: Option<u16>,
    /// The target of a forwarder, such as `other.f` or `other.#7`; `None` if the entry is a
    /// function, which returns zero.
    pub forward: Option<String>,
}

impl Export {
    /// Describes a function that is exported by name.
    pub fn named(name: impl Into<String>) -> Export {
        Export { name: Some(name.into()), ..Export::default() }
    }
}

/// The imports from one DLL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The DLL's file name.
    pub dll: String,
    /// The imported symbols. Loaders skip a DLL from which nothing is imported.
    pub symbols: Vec<Symbol>,
}

/// An imported symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// By an exported name.
    Name(String),
    /// By ordinal.
    Ordinal(u16),
}

/// The behaviour of an image's entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// A program ends with code 0; a library has no `DllMain`.
    Succeeds,
    /// A library's `DllMain` returns `FALSE`; a program ends with code 0.
    Refuses,
    /// Writes to address 0.
    Crashes,
    /// A library's `DllMain` calls the first function that the image imports, without arguments,
    /// and returns `TRUE`: in code for x86_64; for other machines as
    /// [`Succeeds`](EntryPoint::Succeeds).
    CallsFirstImport,
    /// A library's `DllMain` begins with an AVX instruction, in code for x86_64.
    UsesAvx,
}

/// Returns the bytes of the image's file.
///
/// # Panics
///
/// If no ordinal is left above the given ones for an export without an ordinal.
pub fn write(spec: &ImageSpec) -> Vec<u8> {
    let image = Image::of(spec);
    let mut file = Vec::new();
    let mut writer = Writer::new(spec.machine.word() == 8, SECTION_ALIGNMENT, FILE_ALIGNMENT, &mut file);

    writer.reserve_dos_header_and_stub();
    writer.reserve_nt_headers(pe::IMAGE_NUMBEROF_DIRECTORY_ENTRIES);
    writer.reserve_section_headers(image.sections.len() as u16 + 1);
    let mut offsets = Vec::new();
    for section in &image.sections {
        let len = length(&section.bytes);
        let range = writer.reserve_section(*section.name, section.flags, len, len);
        assert_eq!(range.virtual_address, section.start);
        offsets.push(range.file_offset);
    }
    for (index, span) in &image.directories {
        writer.set_data_directory(*index, span.rva, span.size);
    }
    for (rva, kind) in &image.relocations {
        writer.add_reloc(*rva, *kind);
    }
    writer.reserve_reloc_section();

    writer.write_dos_header_and_stub().expect("a vector grows as needed");
    writer.write_nt_headers(headers(spec, image.entry_point));
    writer.write_section_headers();
    for (section, offset) in image.sections.iter().zip(offsets) {
        writer.write_section(offset, &section.bytes);
    }
    writer.write_reloc_section();
    file
}

const SECTION_ALIGNMENT: u32 = 0x1000;
const FILE_ALIGNMENT: u32 = 0x200;

/// An image without its headers and the relocation section.
struct Image {
    sections: Vec<Section>,
    /// The data directories, by index.
    directories: Vec<(usize, Span)>,
    relocations: Vec<(u32, pe::BaseRelocationType)>,
    /// The RVA of the entry point, or 0.
    entry_point: u32,
}

impl Image {
    fn of(spec: &ImageSpec) -> Image {
        let machine = spec.machine;
        let mut directories = Vec::new();

        // The headers are smaller than one unit of alignment.
        let mut text = Section::new(
            b".text\0\0\0",
            pe::IMAGE_SCN_CNT_CODE | pe::IMAGE_SCN_MEM_EXECUTE | pe::IMAGE_SCN_MEM_READ,
            SECTION_ALIGNMENT,
        );
        let code = Code::put(&mut text, machine);
        let entry_point = match (spec.entry_point, spec.kind) {
            (EntryPoint::Succeeds, Kind::Dll) => 0,
            (EntryPoint::Succeeds, Kind::Exe) => code.returns_zero,
            (EntryPoint::Refuses, _) => code.refuses,
            (EntryPoint::Crashes, _) => code.faults,
            (EntryPoint::CallsFirstImport, _) if machine == Machine::X86_64 => Code::put_call(&mut text),
            (EntryPoint::UsesAvx, _) if machine == Machine::X86_64 => Code::put_avx(&mut text),
            (EntryPoint::CallsFirstImport | EntryPoint::UsesAvx, _) => 0,
        };

        let init_call = spec.init_calls_first_import.then(|| Code::put_call(&mut text));
        let initializer =
            (!spec.cimports.is_empty()).then(|| Code::reserve_initializer(&mut text, &spec.cimports));

        let data = pe::IMAGE_SCN_CNT_INITIALIZED_DATA | pe::IMAGE_SCN_MEM_READ;
        let mut rdata = Section::new(b".rdata\0\0", data, after(&text));
        if !spec.imports.is_empty() {
            let imports = imports::put(&mut rdata, machine, &spec.imports);
            if spec.entry_point == EntryPoint::CallsFirstImport && entry_point != 0 {
                Code::lead_call_to(&mut text, entry_point, imports.addresses.rva);
            }
            if let Some(call) = init_call {
                Code::lead_call_to(&mut text, call, imports.addresses.rva);
            }
            if let Some(initializer) = initializer {
                let slot = |function| imports::slot(&imports, machine, &spec.imports, function);
                let (add, import) = (slot("PyImport_AddModule"), slot("PyImport_ImportModule"));
                let names = std::iter::once("cython_runtime").chain(spec.cimports.iter().map(String::as_str));
                let calls = names.zip(std::iter::once(add).chain(std::iter::repeat(import)));
                let calls = calls.map(|(name, slot)| (rdata.put_string(name), slot));
                Code::fill_initializer(&mut text, initializer, calls);
            }
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_IMPORT, imports.directory));
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_IAT, imports.addresses));
        }
        if !spec.exports.is_empty() {
            let function = |name: Option<&str>| match initializer.or(init_call) {
                Some(initializer) if name.is_some_and(|name| name.starts_with("PyInit_")) => initializer,
                _ => code.returns_zero,
            };
            let span = exports::put(&mut rdata, &spec.name, &spec.exports, function);
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_EXPORT, span));
        }
        let hybrid = Image::put_hybrid(&mut rdata, spec, code.returns_zero);
        // Windows treats an image without relocations as one that cannot be moved. This one is
        // padding, and moves nothing.
        let mut relocations = vec![(text.start, pe::IMAGE_REL_BASED_ABSOLUTE)];
        if spec.dependent_load_flags.is_some() || hybrid.is_some() {
            let flags = spec.dependent_load_flags.unwrap_or_default();
            let span = load_config::put(&mut rdata, machine, flags, hybrid.as_ref());
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG, span));
            let pointer = span.rva + load_config::CHPE_METADATA_POINTER as u32;
            relocations.extend(hybrid.map(|_| (pointer, pe::IMAGE_REL_BASED_DIR64)));
        }
        if spec.clr {
            let span = clr::put(&mut rdata, spec);
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR, span));
        }

        let mut didat = Section::new(b".didat\0\0", data | pe::IMAGE_SCN_MEM_WRITE, after(&rdata));
        if !spec.delay_imports.is_empty() {
            let unbound = image_base(spec) + u64::from(code.faults);
            let delayed = imports::put_delayed(&mut didat, machine, &spec.delay_imports, unbound);
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT, delayed.directory));
            let kind = match machine {
                Machine::X86 => pe::IMAGE_REL_BASED_HIGHLOW,
                _ => pe::IMAGE_REL_BASED_DIR64,
            };
            relocations.extend(delayed.absolute.into_iter().map(|rva| (rva, kind)));
        }

        let mut rsrc = Section::new(b".rsrc\0\0\0", data, after(&didat));
        resources::put(&mut rsrc, spec);
        if !rsrc.bytes.is_empty() {
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_RESOURCE, rsrc.since(rsrc.start)));
        }

        let mut sections = vec![text, rdata, didat, rsrc];
        sections.retain(|section| !section.bytes.is_empty());
        Image { sections, directories, relocations, entry_point }
    }

    /// Appends what only ARM64EC and ARM64X images have.
    fn put_hybrid(rdata: &mut Section, spec: &ImageSpec, function: u32) -> Option<load_config::Hybrid> {
        let is_hybrid = matches!(spec.machine, Machine::Arm64Ec | Machine::Arm64X);
        let metadata = is_hybrid.then(|| image_base(spec) + u64::from(hybrid::put_metadata(rdata)))?;
        let mut directories = Vec::new();
        let ForX64 { exports, imports } = &spec.for_x64;
        if !imports.is_empty() {
            let imports = imports::put(rdata, spec.machine, imports);
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_IMPORT, imports.directory));
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_IAT, imports.addresses));
        }
        if !exports.is_empty() {
            let span = exports::put(rdata, &spec.name, exports, |_| function);
            directories.push((pe::IMAGE_DIRECTORY_ENTRY_EXPORT, span));
        }
        let fixups = (spec.machine == Machine::Arm64X).then(|| {
            let rva = hybrid::put_fixups(rdata, &directories);
            (NUMBER_OF_RDATA, rva - rdata.start)
        });
        Some(load_config::Hybrid { metadata, fixups })
    }
}

/// The number of the section `.rdata`, which follows `.text`.
const NUMBER_OF_RDATA: u16 = 2;

/// Returns the RVA of the section after this one; the same RVA if this one is empty.
fn after(section: &Section) -> u32 {
    section.end().next_multiple_of(SECTION_ALIGNMENT)
}

fn headers(spec: &ImageSpec, entry_point: u32) -> NtHeaders {
    let of_machine = match spec.machine {
        Machine::X86 => pe::IMAGE_FILE_32BIT_MACHINE,
        _ => pe::IMAGE_FILE_LARGE_ADDRESS_AWARE,
    };
    let of_kind = match spec.kind {
        Kind::Exe => pe::FileFlags(0),
        Kind::Dll => pe::IMAGE_FILE_DLL,
    };
    let address_space = match spec.machine {
        Machine::X86 => pe::DllFlags(0),
        _ => pe::IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA,
    };
    NtHeaders {
        machine: match spec.machine {
            Machine::X86 => pe::IMAGE_FILE_MACHINE_I386,
            Machine::X86_64 | Machine::Arm64Ec => pe::IMAGE_FILE_MACHINE_AMD64,
            Machine::Arm64 | Machine::Arm64X => pe::IMAGE_FILE_MACHINE_ARM64,
        },
        time_date_stamp: 0,
        characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE | of_machine | of_kind,
        major_linker_version: spec.linker.0,
        minor_linker_version: spec.linker.1,
        address_of_entry_point: entry_point,
        image_base: image_base(spec),
        major_operating_system_version: spec.needs_windows.0,
        minor_operating_system_version: spec.needs_windows.1,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: spec.needs_windows.0,
        minor_subsystem_version: spec.needs_windows.1,
        subsystem: match spec.kind {
            Kind::Exe => pe::IMAGE_SUBSYSTEM_WINDOWS_CUI,
            Kind::Dll => pe::IMAGE_SUBSYSTEM_WINDOWS_GUI,
        },
        dll_characteristics: pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
            | pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT
            | address_space,
        size_of_stack_reserve: 0x10_0000,
        size_of_stack_commit: 0x1000,
        size_of_heap_reserve: 0x10_0000,
        size_of_heap_commit: 0x1000,
    }
}

/// Returns the address that Microsoft's linker would choose.
fn image_base(spec: &ImageSpec) -> u64 {
    match (spec.kind, spec.machine) {
        (Kind::Exe, Machine::X86) => 0x40_0000,
        (Kind::Dll, Machine::X86) => 0x1000_0000,
        (Kind::Exe, _) => 0x1_4000_0000,
        (Kind::Dll, _) => 0x1_8000_0000,
    }
}
