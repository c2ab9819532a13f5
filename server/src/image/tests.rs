//! Checks the facts that are read from generated images, and that no bytes cause a panic.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::testing::{Pe, RDATA, RDATA_OFFSET, version_resource};
use super::*;

/// Returns a human-readable description of all facts about a file.
fn describe(bytes: &[u8]) -> String {
    let image = match Image::parse(bytes) {
        Ok(image) => image,
        Err(error) => return format!("cannot be mapped: {error}\n"),
    };
    let mut out = String::new();
    let kind = if image.is_dll() { "DLL" } else { "program" };
    let width = if image.is_pe32_plus() { "PE32+" } else { "PE32" };
    let clr = if image.is_clr() { ", with .NET code" } else { "" };
    writeln!(out, "{} {width} {kind}{clr}, {:#x} bytes in memory", image.machine(), image.size_of_image())
        .unwrap();
    writeln!(
        out,
        "linker {:?}, subsystem {} {:?}, time {:#x}, flags {:#x}",
        image.linker_version(),
        image.subsystem(),
        image.subsystem_version(),
        image.time_date_stamp(),
        image.dependent_load_flags(),
    )
    .unwrap();
    for (table, imports) in [("imports", image.imports()), ("delay-loads", image.delay_imports())] {
        match imports {
            Err(error) => writeln!(out, "{table}: {error}").unwrap(),
            Ok(imports) => {
                for import in imports {
                    match image.symbols(&import) {
                        Err(error) => writeln!(out, "{table} {}: {error}", import.dll).unwrap(),
                        Ok(symbols) => {
                            let symbols: Vec<String> = symbols.iter().map(Symbol::to_string).collect();
                            writeln!(out, "{table} {}: {}", import.dll, symbols.join(" ")).unwrap();
                        }
                    }
                }
            }
        }
    }
    match image.exports_name() {
        Err(error) => writeln!(out, "own name: {error}").unwrap(),
        Ok(None) => {}
        Ok(Some(name)) => writeln!(out, "is called {name}").unwrap(),
    }
    match image.export_names() {
        Err(error) => writeln!(out, "exports: {error}").unwrap(),
        Ok(names) => {
            for name in names {
                let export = image.export(&Symbol::Name(name.clone()));
                writeln!(out, "exports {name}: {}", show(export)).unwrap();
            }
        }
    }
    match image.version() {
        Err(error) => writeln!(out, "version: {error}").unwrap(),
        Ok(None) => {}
        Ok(Some(version)) => writeln!(out, "version {version}").unwrap(),
    }
    for number in [PROGRAM_MANIFEST, LIBRARY_MANIFEST] {
        match image.manifest(number) {
            Err(error) => writeln!(out, "manifest {number}: {error}").unwrap(),
            Ok(None) => {}
            Ok(Some(manifest)) => writeln!(out, "manifest {number} {manifest:?}").unwrap(),
        }
    }
    out
}

fn show(export: Result<Option<Export>, ImageError>) -> String {
    match export {
        Ok(None) => "none".to_owned(),
        Ok(Some(Export::Address(rva))) => format!("at {rva:#x}"),
        Ok(Some(Export::Forward { dll, symbol })) => format!("{symbol} of {dll}"),
        Err(error) => error.to_string(),
    }
}

fn check(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&describe(bytes));
}

/// Adds one table of each kind to an image.
fn everything(start: Pe, by_rva: bool) -> Pe {
    start
        .imports(&[("KERNEL32.dll", &["Sleep", "HeapAlloc"]), ("WS2_32.dll", &["#115"]), ("empty.dll", &[])])
        .delay_imports(by_rva, &[("dbghelp.dll", &["SymInitialize", "#9"])])
        .exports("me.dll", &[("alpha", "4096"), ("beta", "api-ms-win.v1.2.gamma"), ("delta", "other.#7")])
        .resources(&[
            (16, 1, &version_resource([14, 38, 33130, 0])),
            (24, 1, b"<program/>"),
            (24, 2, b"\xef\xbb\xbf<dll/>"),
        ])
        .load_config(0x140, &[])
}

#[test]
fn a_64_bit_dll() {
    check(
        &everything(Pe::x64(), true).build(),
        expect![[r#"
            x86_64 PE32+ DLL, 0x3000 bytes in memory
            linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
            imports KERNEL32.dll: Sleep HeapAlloc
            imports WS2_32.dll: #115
            imports empty.dll: 
            delay-loads dbghelp.dll: SymInitialize #9
            is called me.dll
            exports alpha: at 0x1000
            exports beta: gamma of api-ms-win.v1.2
            exports delta: #7 of other
            version 14.38.33130.0
            manifest 1 "<program/>"
            manifest 2 "<dll/>"
        "#]],
    );
}

#[test]
fn a_32_bit_program_with_delay_imports_of_visual_c_6() {
    check(
        &everything(Pe::x86(), false).program().build(),
        expect![[r#"
            x86 PE32 program, 0x3000 bytes in memory
            linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
            imports KERNEL32.dll: Sleep HeapAlloc
            imports WS2_32.dll: #115
            imports empty.dll: 
            delay-loads dbghelp.dll: SymInitialize #9
            is called me.dll
            exports alpha: at 0x1000
            exports beta: gamma of api-ms-win.v1.2
            exports delta: #7 of other
            version 14.38.33130.0
            manifest 1 "<program/>"
            manifest 2 "<dll/>"
        "#]],
    );
}

#[test]
fn a_driver_is_the_same_in_memory_as_in_the_file() {
    check(
        &everything(Pe::x64().flat(), true).build(),
        expect![[r#"
            x86_64 PE32+ DLL, 0xa00 bytes in memory
            linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
            imports KERNEL32.dll: Sleep HeapAlloc
            imports WS2_32.dll: #115
            imports empty.dll: 
            delay-loads dbghelp.dll: SymInitialize #9
            is called me.dll
            exports alpha: at 0x1000
            exports beta: gamma of api-ms-win.v1.2
            exports delta: #7 of other
            version 14.38.33130.0
            manifest 1 "<program/>"
            manifest 2 "<dll/>"
        "#]],
    );
}

#[test]
fn an_image_with_no_tables() {
    check(
        &Pe::x64().build(),
        expect![[r#"
        x86_64 PE32+ DLL, 0x3000 bytes in memory
        linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
    "#]],
    );
}

#[test]
fn the_bytes_may_have_any_alignment() {
    let image = everything(Pe::x64(), true).build();
    let expected = describe(&image);
    for shift in 0..16 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&image);
        assert_eq!(describe(&shifted[shift..]), expected, "shifted by {shift}");
    }
}

#[test]
fn the_pe_header_may_be_at_an_odd_multiple_of_4() {
    let mut image = everything(Pe::x64(), true).build();
    let expected = describe(&image);
    image.copy_within(0x40..0x1fc, 0x44);
    image[0x3c] = 0x44;
    assert_eq!(describe(&image), expected);
}

#[test]
fn the_import_table_ends_where_a_descriptor_lacks_addresses() {
    let mut pe = Pe::x64();
    let name = pe.put_name("a.dll");
    let thunks = pe.put_thunks(&["symbol"], 0);
    let good = [thunks, 0, 0, name, thunks];
    let table = pe.put_words(&[good, [thunks, 0, 0, name, 0], good, [0; 5]].concat());
    pe.directory(1, table, 80);
    check(
        &pe.build(),
        expect![[r#"
        x86_64 PE32+ DLL, 0x3000 bytes in memory
        linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
        imports a.dll: symbol
    "#]],
    );
}

#[test]
fn imports_without_a_name_table_are_read_from_the_address_table() {
    let mut pe = Pe::x86();
    let name = pe.put_name("borlndmm.dll");
    let addresses = pe.put_thunks(&["@Borlndmm@SysGetMem$qqri"], 0);
    let table = pe.put_words(&[0, 0, 0, name, addresses, 0, 0, 0, 0, 0]);
    pe.directory(1, table, 40);
    check(
        &pe.build(),
        expect![[r#"
        x86 PE32 DLL, 0x3000 bytes in memory
        linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
        imports borlndmm.dll: @Borlndmm@SysGetMem$qqri
    "#]],
    );
}

#[test]
fn the_version_follows_any_key() {
    let version = version_resource([2, 7, 228, 0]);
    let (fixed, header) = (&version[40..], &version[..6]);
    for key in [&b"VS_VERSION_INFO\0\0\0"[..], b"\0\0", b"V\0S\0\0\0"] {
        let resource = [header, key, fixed].concat();
        let image = Pe::x64().resources(&[(16, 1, &resource)]).build();
        let version = Image::parse(&image).unwrap().version().unwrap();
        assert_eq!(version, Some(FileVersion([2, 7, 228, 0])), "{key:?}");
    }
}

#[test]
fn machines() {
    let chpe = |pe: Pe, size| pe.load_config(size, &[(200, 0x1000_1000), (78, 0x0800)]);
    let cases = [
        ("x64", Pe::x64()),
        ("x64, metadata", chpe(Pe::x64(), 0x140)),
        ("x64, metadata beyond Size", chpe(Pe::x64(), 207)),
        ("x64, flags beyond Size", chpe(Pe::x64(), 79)),
        ("ARM64", Pe::x64().machine(0xaa64)),
        ("ARM64, metadata, nothing to change for x64", chpe(Pe::x64().machine(0xaa64), 0x140)),
        ("x86", Pe::x86()),
        ("ARM", Pe::x86().machine(0x01c4)),
        ("Itanium", Pe::x64().machine(0x0200)),
    ];
    let mut out = String::new();
    for (case, pe) in cases {
        let bytes = pe.build();
        let image = Image::parse(&bytes).unwrap();
        let machine = image.machine();
        let stored = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&stored).unwrap(), machine);
        let (hybrid, flags) = (image.is_hybrid(), image.dependent_load_flags());
        writeln!(out, "{case}: {stored}, {}, hybrid {hybrid}, flags {flags:#x}", machine.words()).unwrap();
    }
    expect![[r#"
        x64: "x86_64", 64-bit (x64), hybrid false, flags 0x0
        x64, metadata: "arm64ec", ARM64EC (ARM64 code for x64 processes), hybrid true, flags 0x800
        x64, metadata beyond Size: "x86_64", 64-bit (x64), hybrid false, flags 0x800
        x64, flags beyond Size: "x86_64", 64-bit (x64), hybrid false, flags 0x0
        ARM64: "arm64", ARM64, hybrid false, flags 0x0
        ARM64, metadata, nothing to change for x64: "arm64", ARM64, hybrid true, flags 0x800
        x86: "x86", 32-bit (x86), hybrid false, flags 0x0
        ARM: "arm", 32-bit ARM, hybrid false, flags 0x0
        Itanium: "machine 0x0200", an unknown processor, hybrid false, flags 0x0
    "#]]
    .assert_eq(&out);
}

/// Returns an ARM64X image with other imports and exports for x64 processes.
fn arm64x() -> Vec<u8> {
    let import = |dll: &str| world::pe::Import {
        dll: dll.to_owned(),
        symbols: vec![world::pe::Symbol::Name("f".to_owned())],
    };
    world::pe::write(&world::pe::ImageSpec {
        machine: world::pe::Machine::Arm64X,
        exports: vec![world::pe::Export::named("native")],
        imports: vec![import("native.dll")],
        for_x64: world::pe::ForX64 {
            exports: vec![world::pe::Export::named("emulated")],
            imports: vec![import("emulated.dll")],
        },
        ..world::pe::ImageSpec::dll("x.dll")
    })
}

#[test]
fn x64_processes_see_other_imports_and_exports_of_an_arm64x_image() {
    fn imports_and_exports(bytes: &[u8]) -> String {
        let image = Image::parse(bytes).unwrap();
        let imports: Vec<String> = image.imports().unwrap().into_iter().map(|import| import.dll).collect();
        let exports = ["native", "emulated"]
            .map(|name| image.export(&Symbol::Name(name.to_owned())).unwrap().is_some());
        format!("{}: {imports:?}, {exports:?}", image.machine())
    }
    let bytes = arm64x();
    let seen = Image::parse(&bytes).unwrap().seen_by_x64().unwrap();
    assert_eq!(imports_and_exports(&bytes), r#"arm64x: ["native.dll"], [true, false]"#);
    assert_eq!(imports_and_exports(&seen), r#"arm64ec: ["emulated.dll"], [false, true]"#);
    assert_eq!(Image::parse(&seen).unwrap().seen_by_x64(), None);
}

#[test]
fn an_altered_arm64x_image_keeps_its_size_and_does_not_panic() {
    let whole = arm64x();
    for at in 0..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut altered = whole.clone();
            altered[at] = value;
            if let Ok(image) = Image::parse(&altered) {
                let seen = image.seen_by_x64();
                assert!(seen.is_none_or(|seen| seen.len() == whole.len()));
            }
        }
    }
}

#[test]
fn an_image_with_a_clr_header_has_net_code() {
    let mut pe = Pe::x86();
    pe.directory(14, RDATA, 72);
    check(
        &pe.build(),
        expect![[r#"
        x86 PE32 DLL, with .NET code, 0x3000 bytes in memory
        linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
    "#]],
    );
}

#[test]
fn exports_are_found_by_name_and_by_ordinal() {
    let sorted =
        Pe::x64().exports("s.dll", &[("a", "4096"), ("ab", "4097"), ("b", "x.y"), ("é", "4098")]).build();
    let unsorted =
        Pe::x64().exports("u.dll", &[("zeta", "4096"), ("alpha", "4097"), ("mid", "nodot.")]).build();
    let name = |name: &str| Symbol::Name(name.to_owned());
    let wanted = [
        name("a"),
        name("ab"),
        name("abc"),
        name(""),
        name("é"),
        name("zeta"),
        name("alpha"),
        name("mid"),
        Symbol::Ordinal(9),
        Symbol::Ordinal(10),
        Symbol::Ordinal(11),
        Symbol::Ordinal(12),
        Symbol::Ordinal(14),
        Symbol::Ordinal(15),
    ];
    let mut out = String::new();
    for symbol in wanted {
        let [sorted, unsorted] =
            [&sorted, &unsorted].map(|file| show(Image::parse(file).unwrap().export(&symbol)));
        writeln!(out, "{:5} sorted: {sorted:10} unsorted: {unsorted}", symbol.to_string()).unwrap();
    }
    expect![[r#"
        a     sorted: at 0x1000  unsorted: none
        ab    sorted: at 0x1001  unsorted: none
        abc   sorted: none       unsorted: none
              sorted: none       unsorted: none
        é     sorted: at 0x1002  unsorted: none
        zeta  sorted: none       unsorted: at 0x1000
        alpha sorted: none       unsorted: at 0x1001
        mid   sorted: none       unsorted:  of nodot
        #9    sorted: none       unsorted: none
        #10   sorted: at 0x1000  unsorted: at 0x1000
        #11   sorted: none       unsorted: none
        #12   sorted: at 0x1001  unsorted: at 0x1001
        #14   sorted: at 0x1002  unsorted: none
        #15   sorted: none       unsorted: none
    "#]]
    .assert_eq(&out);
}

#[test]
fn an_address_after_the_export_directory_is_not_a_forwarder() {
    let end = Pe::x64().exports("e.dll", &[("a", "4096")]).next();
    let pe = Pe::x64().exports("e.dll", &[("a", &end.to_string())]);
    assert_eq!(pe.next(), end);
    let file = pe.build();
    let export = Image::parse(&file).unwrap().export(&Symbol::Ordinal(10));
    assert_eq!(export, Ok(Some(Export::Address(end))));
}

#[test]
fn files_that_are_not_images() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 12345\n";
    let ne = [&b"MZ"[..], &[0; 0x3a], &[0x40, 0, 0, 0], b"NE\x05\x0a", &[0; 0x40]].concat();
    let cases: [(&str, &[u8]); 19] = [
        ("empty", b""),
        ("one byte", b"M"),
        ("text", b"Traceback (most recent call last):\n"),
        ("utf-8", "Übergrößenträger".as_bytes()),
        ("web page", b"\xef\xbb\xbf\r\n<!DOCTYPE html><html>"),
        ("wheel", b"PK\x03\x04\x14\x00"),
        ("tar.gz", b"\x1f\x8b\x08\x00"),
        ("ELF", b"\x7fELF\x02\x01\x01"),
        ("Mach-O", b"\xcf\xfa\xed\xfe\x07"),
        ("LFS", lfs),
        (".lib", b"!<arch>\n/               "),
        ("zeros", &[0; 4096]),
        ("bytecode", b"U\r\r\n\0\0\0\0"),
        ("MZ alone", b"MZ"),
        ("MZ and zeros", &[&b"MZ"[..], &[0; 100]].concat()),
        ("MS-DOS", &[&b"MZ"[..], &[0xcd; 100]].concat()),
        ("16-bit Windows", &ne),
        ("cut in the stub", &Pe::x64().build()[..0x30]),
        ("cut in the PE header", &Pe::x64().build()[..0x50]),
    ];
    let mut out = String::new();
    for (case, bytes) in cases {
        let error = Image::parse(bytes).map(drop).unwrap_err();
        let stored = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<ImageError>(&stored).unwrap(), error);
        writeln!(out, "{case}: {error}").unwrap();
    }
    expect![[r#"
        empty: the file is empty
        one byte: the file is not a Windows program or DLL; it looks like a text file
        text: the file is not a Windows program or DLL; it looks like a text file
        utf-8: the file is not a Windows program or DLL; it looks like a text file
        web page: the file is not a Windows program or DLL; it looks like a web page (HTML)
        wheel: the file is not a Windows program or DLL; it looks like a zip archive, such as a wheel
        tar.gz: the file is not a Windows program or DLL; it looks like a compressed archive
        ELF: the file is not a Windows program or DLL; it looks like a Linux library or program (ELF)
        Mach-O: the file is not a Windows program or DLL; it looks like a macOS library or program (Mach-O)
        LFS: the file is not a Windows program or DLL; it looks like a Git LFS pointer, not the file it stands for
        .lib: the file is not a Windows program or DLL; it looks like a library for linking (.lib), not for loading
        zeros: the file is not a Windows program or DLL; it looks like a file filled with zeros
        bytecode: the file is not a Windows program or DLL; it looks like a file in an unknown format
        MZ alone: the file has only 2 bytes, but the MS-DOS header should end at byte 64
        MZ and zeros: the file begins like a program, but has no PE header at offset 0x0
        MS-DOS: the file begins like a program, but has no PE header at offset 0xcdcdcdcd
        16-bit Windows: the file begins like a program, but has no PE header at offset 0x40
        cut in the stub: the file has only 48 bytes, but the MS-DOS header should end at byte 64
        cut in the PE header: the file has only 80 bytes, but the PE header should end at byte 88
    "#]].assert_eq(&out);
}

#[test]
fn damaged_headers() {
    // Offsets in the file: the PE header is at 0x40, the optional one at 0x58, the sections' at
    // 0x148 and 0x170.
    let patches: [(&str, &[(usize, u32)]); 14] = [
        ("e_lfanew beyond the file", &[(0x3c, 0x9000)]),
        ("no optional header", &[(0x54, 0)]),
        ("odd optional header", &[(0x54, 0x2022_00ef)]),
        ("unknown magic", &[(0x58, 0x0107)]),
        ("97 sections", &[(0x44, 97 << 16 | 0x8664)]),
        ("90 sections", &[(0x44, 90 << 16 | 0x8664)]),
        ("SizeOfHeaders", &[(0x94, 0x2000)]),
        ("SizeOfImage", &[(0x90, 0x2000)]),
        ("no SizeOfImage", &[(0x90, 0)]),
        ("alignments", &[(0x78, 0x1000), (0x7c, 0x2000)]),
        ("alignment zero", &[(0x7c, 0)]),
        ("less than a page", &[(0x78, 0x400)]),
        ("a gap", &[(0x170 + 12, 0x3000)]),
        ("an empty section", &[(0x170 + 8, 0), (0x170 + 16, 0)]),
    ];
    let mut out = String::new();
    for (case, fields) in patches {
        let mut file = Pe::x64().build();
        for (offset, value) in fields {
            file[*offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        }
        let result = Image::parse(&file).map_or_else(|error| error.to_string(), |_| "maps".to_owned());
        writeln!(out, "{case}: {result}").unwrap();
    }
    expect![[r#"
        e_lfanew beyond the file: the file has only 1536 bytes, but the PE header should end at byte 36888
        no optional header: a header field at offset 0x58 is wrong: section \x0b\x02\x0e\x1d overlaps the memory before it or leaves a gap
        odd optional header: a header field at offset 0x54 is wrong: the size of the optional header is not a multiple of 4
        unknown magic: a header field at offset 0x58 is wrong: the optional header is neither PE32 nor PE32+
        97 sections: there are more than 96 sections
        90 sections: the file has only 1536 bytes, but the section table should end at byte 3928
        SizeOfHeaders: the file has only 1536 bytes, but the headers should end at byte 8192
        SizeOfImage: a header field at offset 0x170 is wrong: section .text extends beyond SizeOfImage
        no SizeOfImage: a header field at offset 0x94 is wrong: SizeOfHeaders is more than SizeOfImage
        alignments: a header field at offset 0x78 is wrong: sections are aligned to 0x1000 in memory, 0x2000 in the file
        alignment zero: a header field at offset 0x78 is wrong: sections are aligned to 0x1000 in memory, 0x0 in the file
        less than a page: a header field at offset 0x78 is wrong: SectionAlignment is less than a page and differs from FileAlignment
        a gap: a header field at offset 0x170 is wrong: section .text overlaps the memory before it or leaves a gap
        an empty section: a header field at offset 0x170 is wrong: section .text is empty
    "#]].assert_eq(&out);
}

#[test]
fn truncation_is_detected_in_whole_sectors() {
    let file = everything(Pe::x64(), true).build();
    let mut out = String::new();
    for missing in [0, 1, 511, 512, 513, 1024, file.len() - 0x210, file.len() - 0x100] {
        let result = match Image::parse(&file[..file.len() - missing]) {
            Ok(_) => "maps".to_owned(),
            Err(error) => error.to_string(),
        };
        writeln!(out, "{missing} bytes short: {result}").unwrap();
    }
    expect![[r#"
        0 bytes short: maps
        1 bytes short: maps
        511 bytes short: maps
        512 bytes short: the file has only 2048 bytes, but section .text should end at byte 2560
        513 bytes short: the file has only 2047 bytes, but section .text should end at byte 2560
        1024 bytes short: the file has only 1536 bytes, but section .rdata should end at byte 2048
        2032 bytes short: the file has only 528 bytes, but section .rdata should end at byte 2048
        2304 bytes short: the file has only 256 bytes, but the data directories should end at byte 328
    "#]]
    .assert_eq(&out);
}

#[test]
fn memory_that_the_file_does_not_store_is_zero() {
    // An import table without a terminator ends with the section's stored bytes.
    let mut pe = Pe::x64();
    let name = pe.put_name("last.dll");
    let thunks = pe.put_thunks(&["symbol"], 0);
    pe.put(&vec![0; 0x200 - 20 - (pe.next() - RDATA) as usize - 4]);
    let table = pe.put_words(&[thunks, 0, 0, name, thunks]);
    pe.directory(1, table, 20);
    check(
        &pe.build(),
        expect![[r#"
        x86_64 PE32+ DLL, 0x3000 bytes in memory
        linker (14, 29), subsystem 2 (6, 1), time 0x65432100, flags 0x0
        imports last.dll: symbol
    "#]],
    );
}

#[test]
fn damaged_tables() {
    let mut out = String::new();
    let mut case = |name: &str, pe: &Pe| {
        let description = describe(&pe.build());
        writeln!(out, "{name}: {}", description.lines().skip(2).collect::<Vec<_>>().join("; ")).unwrap();
    };
    let with_directory = |index, rva| {
        let mut pe = Pe::x64();
        pe.directory(index, rva, 0x100);
        pe
    };
    for (name, index) in
        [("imports", 1), ("delay imports", 13), ("exports", 0), ("resources", 2), ("load config", 10)]
    {
        case(&format!("{name} outside"), &with_directory(index, 0x7777_0000));
        case(&format!("{name} at the end"), &with_directory(index, 0x2ffc));
        case(&format!("{name} at the top"), &with_directory(index, u32::MAX));
    }
    let with_import = |dll: &[u8], thunk: Option<u64>| {
        let mut pe = Pe::x64();
        let dll = pe.put(dll);
        let thunks = match thunk {
            Some(thunk) => pe.put(&[thunk.to_le_bytes(), [0; 8]].concat()),
            None => 0x5555_0000,
        };
        let table = pe.put_words(&[thunks, 0, 0, dll, thunks, 0, 0, 0, 0, 0]);
        pe.directory(1, table, 40);
        pe
    };
    case("longest DLL name", &with_import(&[&[b'd'; 511][..], b"\0"].concat(), Some(0)));
    case("longer DLL name", &with_import(&[&[b'd'; 512][..], b"\0"].concat(), Some(0)));
    case("DLL name not UTF-8", &with_import(b"caf\xe9.dll\0", Some(0)));
    case("thunks outside", &with_import(b"a.dll\0", None));
    case("symbol outside", &with_import(b"a.dll\0", Some(0x6666_0000)));
    case("symbol beyond 32 bits", &with_import(b"a.dll\0", Some(1 << 40)));
    case("symbol at the top", &with_import(b"a.dll\0", Some(0xffff_ffff)));
    case("delay import without names", &{
        let mut pe = Pe::x64();
        let dll = pe.put_name("d.dll") + 0x1000_0000; // a descriptor of virtual addresses
        let table = pe.put_words(&[0, dll, 0, dll, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        pe.directory(13, table, 64);
        pe
    });
    case("forwarder without dot", &{
        let mut pe = Pe::x64().exports("e.dll", &[("a", "x.y")]);
        let target =
            RDATA + pe.build()[RDATA_OFFSET..].windows(4).position(|w| w == b"x.y\0").unwrap() as u32;
        pe.patch(target, &[u32::from_le_bytes(*b"xxy\0")]);
        pe
    });
    case("forwarder to ordinal 70000", &Pe::x64().exports("e.dll", &[("a", "x.#70000")]));
    case("no VS_FIXEDFILEINFO", &Pe::x64().resources(&[(16, 1, &[0; 92])]));
    case("short version", &Pe::x64().resources(&[(16, 1, &[0; 20])]));
    case("version without end of its key", &Pe::x64().resources(&[(16, 1, &[1; 92])]));
    case("UTF-16 manifest", &Pe::x64().resources(&[(24, 2, b"\xff\xfe<\0a\0/\0>\0")]));
    case("other manifest", &Pe::x64().resources(&[(24, 7, b"<other/>")]));
    case("long manifest", &Pe::x64().resources(&[(24, 2, &vec![b' '; (1 << 20) + 1])]));
    case("a tree of data", &{
        let mut pe = Pe::x64();
        let tree = pe.put_words(&[0, 0, 0, 1 << 16, 16, 0x18]);
        pe.directory(2, tree, 24);
        pe
    });
    case("a tree in a circle", &{
        let mut pe = Pe::x64();
        let tree = pe.put_words(&[0, 0, 0, 1 << 16, 16, 1 << 31]);
        pe.directory(2, tree, 24);
        pe
    });
    expect![[r#"
        imports outside: imports: the import table at RVA 0x77770000 is outside the image
        imports at the end: imports: the import table at RVA 0x2ffc is outside the image
        imports at the top: imports: the import table at RVA 0xffffffff is outside the image
        delay imports outside: delay-loads: the delay-load import table at RVA 0x77770000 is outside the image
        delay imports at the end: delay-loads: the delay-load import table at RVA 0x2ffc is outside the image
        delay imports at the top: delay-loads: the delay-load import table at RVA 0xffffffff is outside the image
        exports outside: own name: the export table at RVA 0x77770000 is outside the image; exports: the export table at RVA 0x77770000 is outside the image
        exports at the end: own name: the export table at RVA 0x2ffc is outside the image; exports: the export table at RVA 0x2ffc is outside the image
        exports at the top: own name: the export table at RVA 0xffffffff is outside the image; exports: the export table at RVA 0xffffffff is outside the image
        resources outside: version: the resource directory at RVA 0x77770000 is outside the image; manifest 1: the resource directory at RVA 0x77770000 is outside the image; manifest 2: the resource directory at RVA 0x77770000 is outside the image
        resources at the end: version: the resource directory at RVA 0x2ffc is outside the image; manifest 1: the resource directory at RVA 0x2ffc is outside the image; manifest 2: the resource directory at RVA 0x2ffc is outside the image
        resources at the top: version: the resource directory at RVA 0xffffffff is outside the image; manifest 1: the resource directory at RVA 0xffffffff is outside the image; manifest 2: the resource directory at RVA 0xffffffff is outside the image
        load config outside: 
        load config at the end: 
        load config at the top: 
        longest DLL name: imports ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd: 
        longer DLL name: imports: the name of an imported DLL at RVA 0x1008 is not terminated
        DLL name not UTF-8: imports caf�.dll: 
        thunks outside: imports a.dll: the list of imported symbols at RVA 0x55550000 is outside the image
        symbol outside: imports a.dll: the name of an imported symbol at RVA 0x66660002 is outside the image
        symbol beyond 32 bits: imports a.dll: an imported symbol at RVA 0x1010 is malformed
        symbol at the top: imports a.dll: an imported symbol at RVA 0x1010 is malformed
        delay import without names: delay-loads d.dll: 
        forwarder without dot: is called e.dll; exports a: a forwarder at RVA 0x1040 is malformed
        forwarder to ordinal 70000: is called e.dll; exports a: a forwarder at RVA 0x1040 is malformed
        no VS_FIXEDFILEINFO: version: the version resource at RVA 0x1010 is malformed
        short version: version: the version resource at RVA 0x1008 is malformed
        version without end of its key: version: the version resource at RVA 0x1008 is malformed
        UTF-16 manifest: manifest 2 "<a/>"
        other manifest: 
        long manifest: manifest 2: there are more than 1048576 bytes of manifest
        a tree of data: version: the resource directory at RVA 0x1008 is malformed
        a tree in a circle: version: the resource directory at RVA 0x1008 is malformed
    "#]].assert_eq(&out);
}

#[test]
fn tables_have_limits() {
    let mut out = String::new();
    let mut case = |name: &str, pe: &Pe| {
        let description = describe(&pe.build());
        writeln!(out, "{name}: {}", description.lines().nth(2).unwrap()).unwrap();
    };

    let mut pe = Pe::x64();
    let dll = pe.put_name("a.dll");
    let table = pe.put_words(&[0, 0, 0, dll, dll].repeat(65537));
    pe.directory(1, table, 40);
    case("imports", &pe);

    // A million thunks that refer to the same 4095 bytes, and then a million ordinals.
    for (name, bit) in [("names", 0), ("ordinals", 1 << 63)] {
        let mut pe = Pe::x64();
        let dll = pe.put_name("a.dll");
        let symbol = pe.put_name(&"s".repeat(4095));
        let thunk = (u64::from(symbol - 2) | bit).to_le_bytes();
        let thunks = pe.put(&thunk.repeat(1_000_001));
        let table = pe.put_words(&[thunks, 0, 0, dll, thunks, 0, 0, 0, 0, 0]);
        pe.directory(1, table, 40);
        case(name, &pe);
    }

    let mut pe = Pe::x64();
    let table = pe.put_words(&[0, 0, 0, 0, 1, 1, 1_000_001, RDATA, RDATA, RDATA]);
    pe.directory(0, table, 40);
    case("exports", &pe);

    let mut pe = Pe::x64();
    let tree = pe.put_words(&[&[0, 0, 0, 0xffff][..], &[1; 10_000]].concat());
    pe.directory(2, tree, 40);
    case("resources", &pe);
    expect![[r#"
        imports: imports: there are more than 65536 imported DLLs
        names: imports a.dll: there are more than 67108864 bytes of symbol names
        ordinals: imports a.dll: there are more than 1000000 symbols imported from one DLL
        exports: exports: there are more than 1000000 exported names
        resources: version: there are more than 4096 resources
    "#]]
    .assert_eq(&out);
}

#[test]
fn versions_are_ordered_and_have_a_plain_serialization() {
    let [old, new] = [[14, 9, 0, 0], [14, 38, 33130, 0]].map(FileVersion);
    assert!(old < new);
    let symbols = [Symbol::Name("PyInit".to_owned()), Symbol::Ordinal(7)];
    expect![[r#"[[{"Name":"PyInit"},{"Ordinal":7}],[14,38,33130,0]]"#]]
        .assert_eq(&serde_json::to_string(&(symbols, new)).unwrap());
}

/// Calls every method, with the image's own symbols and imports.
fn exercise(bytes: &[u8]) {
    describe(bytes);
    if let Ok(image) = Image::parse(bytes) {
        for ordinal in [0, 1, 10, u16::MAX] {
            let _ = image.export(&Symbol::Ordinal(ordinal));
        }
        let _ = (image.export(&Symbol::Name(String::new())), image.is_hybrid());
    }
}

/// Generates a change to a file: the offset of a 32-bit value in its first `reach` bytes, where the
/// headers and tables are, and the new value, which often has a special meaning.
fn change(reach: usize) -> impl Strategy<Value = (usize, u32)> {
    let value = prop_oneof![
        any::<u32>(),
        0u32..0x4000,
        Just(0),
        Just(u32::MAX),
        Just(0x7fff_ffff),
        Just(0x8000_0000),
        Just(0x8000_0010),
    ];
    (0..reach, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_do_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600), mz: bool) {
        if let (true, Some(start)) = (mz, bytes.get_mut(..2)) {
            start.copy_from_slice(b"MZ");
        }
        exercise(&bytes);
    }

    #[test]
    fn damaged_images_do_not_panic(
        pe32_plus: bool,
        flat: bool,
        changes in prop::collection::vec(change(0xa00), 1..8),
        keep in prop_oneof![Just(usize::MAX), 0..0x1000usize],
        shift in 0..8usize,
    ) {
        let start = if pe32_plus { Pe::x64() } else { Pe::x86() };
        let image = everything(if flat { start.flat() } else { start }, pe32_plus).build();
        let mut file = vec![0; shift];
        file.extend_from_slice(&image);
        for (offset, value) in changes {
            if let Some(field) = file.get_mut(shift + offset..shift + offset + 4) {
                field.copy_from_slice(&value.to_le_bytes());
            }
        }
        file.truncate(shift.saturating_add(keep));
        exercise(&file[shift.min(file.len())..]);
    }
}
