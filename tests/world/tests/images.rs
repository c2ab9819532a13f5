//! The images of a world, read back with `object`.

use std::fmt::Write as _;
use std::fs;

use expect_test::{Expect, expect};
use object::LittleEndian as LE;
use object::pe;
use object::read::pe::{
    ExportTarget, ImageNtHeaders, ImageOptionalHeader, Import, ImportThunkList, PeFile,
    ResourceDirectoryEntryData,
};
use world::World;
use world::pe::{ImageSpec, write};

/// Compares the images of a world with an expectation.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let world = World::new(text).unwrap();
    let mut files: Vec<_> = fs::read_dir(world.root()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let images = files.iter().map(|file| describe(&fs::read(file).unwrap()));
    expected.assert_eq(&images.collect::<String>());
}

#[test]
fn a_dll_exports_the_stand_in() {
    check(
        "/a.dll",
        expect![[r#"
            x86_64 dll a.dll, linker 14.0, windows 6.0
              export @1 whydll
        "#]],
    );
}

#[test]
fn an_extension_or_an_attribute_makes_a_program() {
    check(
        "
        /a.exe
        /b.dll  exe
        /c.PYD
        /d      arm64
        ",
        expect![[r#"
            x86_64 exe a.exe, linker 14.0, windows 6.0
              export @1 whydll
              entry point
            x86_64 exe b.dll, linker 14.0, windows 6.0
              export @1 whydll
              entry point
            x86_64 dll c.PYD, linker 14.0, windows 6.0
              export @1 whydll
            arm64 dll d, linker 14.0, windows 6.0
              export @1 whydll
        "#]],
    );
}

/// The rest of what makes them hybrid is tested in `server/src/image`.
#[test]
fn the_headers_of_hybrid_images_name_one_machine() {
    check(
        "
        /a.dll  arm64ec
        /b.dll  arm64x, exports f, x64 exports g, x64 imports c.dll
        ",
        expect![[r#"
            x86_64 dll a.dll, linker 14.0, windows 6.0
              export @1 whydll
              relocation 10
              dependent load flags 0x0
            arm64 dll b.dll, linker 14.0, windows 6.0
              export @1 f
              export @2 whydll
              relocation 10
              dependent load flags 0x0
        "#]],
    );
}

#[test]
fn imports_of_one_dll_are_one_entry() {
    check(
        "
        /a.dll  imports b.dll!f, c.dll, B.DLL!#7, d.dll!, b.dll!?g@@YAXXZ, exe
        /b.dll  x86, imports b.dll!f, b.dll!#7
        ",
        expect![[r#"
            x86_64 exe a.dll, linker 14.0, windows 6.0
              export @1 whydll
              import b.dll: f #7 ?g@@YAXXZ
              import c.dll: whydll
              import d.dll:
              entry point
            x86 dll b.dll, linker 14.0, windows 6.0
              export @1 whydll
              import b.dll: f #7
        "#]],
    );
}

#[test]
fn delay_imports() {
    check(
        "
        /a.dll  imports b.dll, delay imports d.dll!q, d.dll!#3, e.dll
        /b.dll  x86, delay imports d.dll!q, d.dll!#3, e.dll
        ",
        expect![[r#"
            x86_64 dll a.dll, linker 14.0, windows 6.0
              export @1 whydll
              import b.dll: whydll
              delay import d.dll: q #3
              delay import e.dll: whydll
              relocation 10
              relocation 10
              relocation 10
            x86 dll b.dll, linker 14.0, windows 6.0
              export @1 whydll
              delay import d.dll: q #3
              delay import e.dll: whydll
              relocation 3
              relocation 3
              relocation 3
        "#]],
    );
}

#[test]
fn exports() {
    check(
        "
        /a.dll  exports f, g=c.h, g2=c.d.#7, x@7, @9, @8=c.h, ?f@@YAXXZ, _f@12@11, version
        ",
        expect![[r#"
            x86_64 dll a.dll, linker 14.0, windows 6.0
              export @7 x
              export @8 = c.h
              export @9
              export @11 _f@12
              export @12 f
              export @13 g = c.h
              export @14 g2 = c.d.#7
              export @15 ?f@@YAXXZ
              export @16 version
              export @17 whydll
        "#]],
    );
}

#[test]
fn headers() {
    check(
        "
        /a.dll  linker 9.0, needs windows 10.0, x86
        /b.dll  dependent load flags 0x800
        /c.dll  dependent load flags 2048, x86
        /d.dll  clr
        /e.dll  clr, imports b.dll
        /f.dll  crashes
        /g.dll  refuses, arm64
        ",
        expect![[r#"
            x86 dll a.dll, linker 9.0, windows 10.0
              export @1 whydll
            x86_64 dll b.dll, linker 14.0, windows 6.0
              export @1 whydll
              dependent load flags 0x800
            x86 dll c.dll, linker 14.0, windows 6.0
              export @1 whydll
              dependent load flags 0x800
            x86_64 dll d.dll, linker 14.0, windows 6.0
              export @1 whydll
              clr flags 0x1
            x86_64 dll e.dll, linker 14.0, windows 6.0
              export @1 whydll
              import b.dll: whydll
              clr flags 0x0
            x86_64 dll f.dll, linker 14.0, windows 6.0
              export @1 whydll
              entry point
            arm64 dll g.dll, linker 14.0, windows 6.0
              export @1 whydll
              entry point
        "#]],
    );
}

#[test]
fn resources() {
    check(
        "
        /a.dll  version 14.0.24210.7
        /b.exe  version 3.8, manifest \"<assembly a='1, 2'/>\", imports a.dll
        /c.dll  manifest
            <assembly>
              <dependency/>

            </assembly>

        ",
        expect![[r#"
            x86_64 dll a.dll, linker 14.0, windows 6.0
              export @1 whydll
              resource 16/1/1033 VS_VERSION_INFO 14.0.24210.7
            x86_64 exe b.exe, linker 14.0, windows 6.0
              export @1 whydll
              import a.dll: whydll
              resource 16/1/1033 VS_VERSION_INFO 3.8.0.0
              resource 24/1/1033 "<assembly a='1, 2'/>"
              entry point
            x86_64 dll c.dll, linker 14.0, windows 6.0
              export @1 whydll
              resource 24/2/1033 "<assembly>\n  <dependency/>\n\n</assembly>\n"
        "#]],
    );
}

#[test]
fn an_empty_image() {
    expect![[r#"
        x86_64 dll -, linker 14.0, windows 6.0
    "#]]
    .assert_eq(&describe(&write(&ImageSpec::dll("a.dll"))));
}

#[test]
fn the_same_world_gives_the_same_bytes() {
    let text = "/a.dll  imports b.dll, exports f, g, version 1.2, delay imports c.dll";
    let bytes = || fs::read(World::new(text).unwrap().path("/a.dll")).unwrap();
    assert_eq!(bytes(), bytes());
}

/// Describes what an independent reader finds in an image.
fn describe(bytes: &[u8]) -> String {
    match object::FileKind::parse(bytes).unwrap() {
        object::FileKind::Pe32 => Described::<pe::ImageNtHeaders32>::describe(bytes),
        object::FileKind::Pe64 => Described::<pe::ImageNtHeaders64>::describe(bytes),
        other => panic!("{other:?} is not an image"),
    }
    .unwrap()
}

struct Described<'a, Pe: ImageNtHeaders> {
    file: PeFile<'a, Pe>,
    bytes: &'a [u8],
    text: String,
}

impl<'a, Pe: ImageNtHeaders> Described<'a, Pe> {
    fn describe(bytes: &'a [u8]) -> object::Result<String> {
        let mut described = Described { file: PeFile::<Pe>::parse(bytes)?, bytes, text: String::new() };
        described.check_layout();
        described.headers()?;
        described.exports()?;
        described.imports()?;
        described.delay_imports()?;
        described.relocations()?;
        described.load_config();
        described.clr();
        described.resources()?;
        if described.optional_header().address_of_entry_point() != 0 {
            described.line("entry point");
        }
        Ok(described.text)
    }

    fn line(&mut self, line: impl AsRef<str>) {
        writeln!(self.text, "  {}", line.as_ref()).unwrap();
    }

    fn optional_header(&self) -> &'a Pe::ImageOptionalHeader {
        self.file.nt_headers().optional_header()
    }

    /// Returns the bytes of a data directory.
    fn directory(&self, index: usize) -> Option<&'a [u8]> {
        let directory = self.file.data_directory(index)?;
        let data = directory.data(self.bytes, &self.file.section_table());
        let data = data.expect("a directory is inside a section");
        Some(&data[..directory.size.get(LE) as usize])
    }

    /// Checks what a loader requires and `object` doesn't check.
    fn check_layout(&self) {
        let header = self.optional_header();
        let mut next = header.section_alignment();
        assert!(header.size_of_headers() <= next);
        for section in self.file.section_table().iter() {
            assert_eq!(section.virtual_address.get(LE), next);
            let size = section.virtual_size.get(LE).max(1);
            next += size.next_multiple_of(header.section_alignment());
            let (offset, len) = section.pe_file_range();
            assert_eq!(offset % header.file_alignment(), 0);
            let raw = section.size_of_raw_data.get(LE);
            assert!(len <= raw && offset + raw <= self.bytes.len() as u32);
        }
        assert_eq!(header.size_of_image(), next);
        // An image that is moved needs relocations, even without effect.
        let dynamic_base = pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE;
        assert!(header.dll_characteristics().contains(dynamic_base));
        assert!(self.directory(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC).is_some());
    }

    fn headers(&mut self) -> object::Result<()> {
        let file_header = self.file.nt_headers().file_header();
        let machine = match file_header.machine.get(LE) {
            pe::IMAGE_FILE_MACHINE_I386 => "x86",
            pe::IMAGE_FILE_MACHINE_AMD64 => "x86_64",
            pe::IMAGE_FILE_MACHINE_ARM64 => "arm64",
            other => panic!("{other:?}"),
        };
        let is_dll = file_header.characteristics.get(LE).contains(pe::IMAGE_FILE_DLL);
        let name = match self.file.export_table()? {
            Some(table) => text(table.name_from_pointer(table.directory().name.get(LE))?),
            None => "-",
        };
        let header = self.optional_header();
        writeln!(
            self.text,
            "{machine} {} {name}, linker {}.{}, windows {}.{}",
            if is_dll { "dll" } else { "exe" },
            header.major_linker_version(),
            header.minor_linker_version(),
            header.major_subsystem_version(),
            header.minor_subsystem_version(),
        )
        .unwrap();
        Ok(())
    }

    fn exports(&mut self) -> object::Result<()> {
        let Some(table) = self.file.export_table()? else {
            return Ok(());
        };
        let names: Vec<_> =
            table.name_iter().map(|(name, _)| table.name_from_pointer(name).unwrap()).collect();
        assert!(names.is_sorted(), "names are found by binary search");
        for export in table.exports()? {
            if matches!(export.target, ExportTarget::Address(0)) {
                continue; // an unused ordinal between others
            }
            let mut line = format!("export @{}", export.ordinal.0);
            if let Some(name) = export.name {
                line += &format!(" {}", text(name));
            }
            match export.target {
                ExportTarget::Address(_) => {}
                ExportTarget::ForwardByName(dll, name) => {
                    line += &format!(" = {}.{}", text(dll), text(name));
                }
                ExportTarget::ForwardByOrdinal(dll, ordinal) => {
                    line += &format!(" = {}.#{}", text(dll), ordinal.0);
                }
            }
            self.line(line);
        }
        Ok(())
    }

    fn imports(&mut self) -> object::Result<()> {
        let Some(table) = self.file.import_table()? else {
            return Ok(());
        };
        let mut descriptors = table.descriptors()?;
        while let Some(descriptor) = descriptors.next()? {
            let dll = text(table.name(descriptor.name.get(LE))?);
            let lookup = table.thunks(descriptor.original_first_thunk.get(LE))?;
            let symbols = symbols::<Pe>(lookup, |thunk| table.import::<Pe>(thunk))?;
            let addresses = table.thunks(descriptor.first_thunk.get(LE))?;
            let unbound = self::symbols::<Pe>(addresses, |thunk| table.import::<Pe>(thunk))?;
            assert_eq!(symbols, unbound, "both tables agree before binding");
            self.line(format!("import {dll}:{symbols}"));
        }
        Ok(())
    }

    fn delay_imports(&mut self) -> object::Result<()> {
        let directories = self.file.data_directories();
        let sections = self.file.section_table();
        let Some(table) = directories.delay_load_import_table(self.bytes, &sections)? else {
            return Ok(());
        };
        let mut descriptors = table.descriptors()?;
        while let Some(descriptor) = descriptors.next()? {
            assert_eq!(descriptor.attributes.get(LE), 1, "addresses are relative");
            let dll = text(table.name(descriptor.dll_name_rva.get(LE))?);
            let names = table.thunks(descriptor.import_name_table_rva.get(LE))?;
            let symbols = symbols::<Pe>(names, |thunk| table.import::<Pe>(thunk))?;
            self.line(format!("delay import {dll}:{symbols}"));
        }
        Ok(())
    }

    fn relocations(&mut self) -> object::Result<()> {
        let directories = self.file.data_directories();
        let sections = self.file.section_table();
        let blocks = directories.relocation_blocks(self.bytes, &sections)?;
        let mut blocks = blocks.expect("there is always a block");
        while let Some(block) = blocks.next()? {
            for relocation in block {
                if relocation.typ != pe::IMAGE_REL_BASED_ABSOLUTE {
                    self.line(format!("relocation {}", relocation.typ.0));
                }
            }
        }
        Ok(())
    }

    fn load_config(&mut self) {
        let Some(config) = self.directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG) else {
            return;
        };
        assert_eq!(u32_at(config, 0) as usize, config.len());
        let at = if self.file.nt_headers().is_type_64() { 78 } else { 54 };
        let flags = u16_at(config, at);
        self.line(format!("dependent load flags {flags:#x}"));
    }

    fn clr(&mut self) {
        let Some(header) = self.directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR) else {
            return;
        };
        assert_eq!(u32_at(header, 0) as usize, header.len());
        self.line(format!("clr flags {:#x}", u32_at(header, 16)));
    }

    fn resources(&mut self) -> object::Result<()> {
        let directories = self.file.data_directories();
        let sections = self.file.section_table();
        let Some(tree) = directories.resource_directory(self.bytes, &sections)? else {
            return Ok(());
        };
        for kind in tree.root()?.entries {
            let ids = kind.data(tree)?.table().unwrap();
            for id in ids.entries {
                let languages = id.data(tree)?.table().unwrap();
                for language in languages.entries {
                    let ResourceDirectoryEntryData::Data(leaf) = language.data(tree)? else {
                        panic!("a resource has three levels");
                    };
                    let data = sections.pe_data_at(self.bytes, leaf.offset_to_data.get(LE));
                    let data = &data.unwrap()[..leaf.size.get(LE) as usize];
                    let [kind, id, language] = [kind, id, language].map(|entry| entry.name_or_id.get(LE));
                    let content = if kind == u32::from(pe::RT_VERSION) {
                        version(data)
                    } else {
                        format!("{:?}", text(data))
                    };
                    self.line(format!("resource {kind}/{id}/{language} {content}"));
                }
            }
        }
        Ok(())
    }
}

/// Returns the symbols of one DLL, each after a space.
fn symbols<'a, Pe: ImageNtHeaders>(
    mut thunks: ImportThunkList<'a>,
    import: impl Fn(Pe::ImageThunkData) -> object::Result<Import<'a>>,
) -> object::Result<String> {
    let mut symbols = String::new();
    while let Some(thunk) = thunks.next::<Pe>()? {
        match import(thunk)? {
            Import::Ordinal(ordinal) => symbols += &format!(" #{}", ordinal),
            Import::Name(_, name) => symbols += &format!(" {}", text(name)),
        }
    }
    Ok(symbols)
}

/// Returns the key and the file version of a VERSIONINFO. Offsets are from Microsoft's
/// documentation of VS_VERSIONINFO and VS_FIXEDFILEINFO.
fn version(data: &[u8]) -> String {
    assert_eq!(usize::from(u16_at(data, 0)), data.len());
    assert_eq!(u16_at(data, 2), 52, "the length of a VS_FIXEDFILEINFO");
    let units = (6..).step_by(2).map(|at| u16_at(data, at));
    let key: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    let key = String::from_utf16(&key).unwrap();
    let fixed = &data[40..];
    assert_eq!(u32_at(fixed, 0), 0xfeef_04bd);
    let [a, b, c, d] = [10, 8, 14, 12].map(|at| u16_at(fixed, at));
    format!("{key} {a}.{b}.{c}.{d}")
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(data[at..at + 2].try_into().unwrap())
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(data[at..at + 4].try_into().unwrap())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
