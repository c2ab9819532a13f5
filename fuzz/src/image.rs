//! PE images: headers, tables, resources, manifests, and the bindings between two images.

use whydll::host::ApiSets;
use whydll::image::{Binding, Image, ImportedDll, LooksLike, Manifest, Symbol};
use world::pe::{self, EntryPoint, Export, ForX64, ImageSpec, Machine};

use crate::Target;

pub const IMAGE: Target = Target { name: "image", run, seeds };

fn run(file: &[u8]) {
    let _ = LooksLike::of(file).words();
    if let Ok(text) = std::str::from_utf8(file) {
        let _ = Manifest::parse(text);
    }
    if let Ok(image) = Image::parse(file) {
        let _ = image.trampoline_target(file);
        look_at(&image);
        let seen = image.seen_by_x64().unwrap_or_default();
        if let Ok(image) = Image::parse(&seen) {
            look_at(&image);
        }
    }
}

/// Reads everything that can be read from an image.
pub fn look_at(image: &Image<'_>) {
    let _ = (image.machine().words(), image.is_dll(), image.is_clr(), image.is_any_cpu(), image.is_of_wine());
    let _ = (image.dependent_load_flags(), image.is_hybrid(), image.version(), image.manifests());
    let imports = [image.imports(), image.delay_imports()].into_iter().flatten().flatten();
    for import in imports {
        look_at_import(image, &import);
    }
    let _ = (image.exports_name(), image.export_that_begins_with("PyInit_"));
    for name in ["PyInit_a", "f", "g", "", "~"] {
        let _ = image.export(&Symbol::Name(name.to_owned()));
    }
    for ordinal in [0, 1, 7, u16::MAX] {
        let _ = image.export(&Symbol::Ordinal(ordinal));
    }
    if let Ok(Some(section)) = image.section(".apiset") {
        let _ = ApiSets::from_schema(section);
    }
    let _ = (image.module_imports(), image.instructions_at_start());
}

fn look_at_import(image: &Image<'_>, import: &ImportedDll) {
    let _ = (image.asks_for_something(import), Binding::between(image, &import.dll, image));
    let symbols = image.symbols(import).unwrap_or_default();
    for function in symbols.iter().take(10).filter_map(|symbol| match symbol {
        Symbol::Name(name) => Some(name),
        Symbol::Ordinal(_) => None,
    }) {
        let _ = (image.calls_at_start(function), image.calls_at_init(function));
    }
}

/// A library with one of everything.
fn everything(machine: Machine) -> ImageSpec {
    let named = |names: &[&str]| names.iter().map(|name| pe::Symbol::Name((*name).to_owned())).collect();
    ImageSpec {
        machine,
        exports: vec![
            Export::named("PyInit_a"),
            Export { ordinal: Some(7), ..Export::named("f") },
            Export { forward: Some("other.#7".to_owned()), ..Export::named("g") },
        ],
        imports: vec![
            pe::Import {
                dll: "python38.dll".to_owned(),
                symbols: named(&["PyImport_AddModule", "PyImport_ImportModule"]),
            },
            pe::Import { dll: "ws2_32.dll".to_owned(), symbols: vec![pe::Symbol::Ordinal(115)] },
        ],
        delay_imports: vec![pe::Import { dll: "later.dll".to_owned(), symbols: named(&["h"]) }],
        version: Some([14, 38, 33130, 0]),
        manifest: Some(
            r#"<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0"><dependency><dependentAssembly>
               <assemblyIdentity type="win32" name="Microsoft.VC90.CRT" version="9.0.21022.8" processorArchitecture="amd64"/>
               </dependentAssembly></dependency></assembly>"#
                .to_owned(),
        ),
        dependent_load_flags: Some(0x800),
        ..ImageSpec::dll("a.pyd")
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let x64 = everything(Machine::X86_64);
    let cython = ImageSpec { cimports: vec!["a".to_owned(), "b.c".to_owned()], ..x64.clone() };
    let avx = ImageSpec { entry_point: EntryPoint::UsesAvx, ..x64.clone() };
    let calls = ImageSpec { entry_point: EntryPoint::CallsFirstImport, ..x64.clone() };
    let managed = ImageSpec { clr: true, imports: Vec::new(), ..everything(Machine::X86) };
    let program = ImageSpec { clr: true, ..ImageSpec::exe("a.exe") };
    let mut both = everything(Machine::Arm64X);
    both.for_x64 = ForX64 { exports: vec![Export::named("f")], imports: both.imports.clone() };
    let starts = ImageSpec { starts: Some(r"C:\Python\python.exe".to_owned()), ..x64.clone() };
    let (x86, arm64) = (everything(Machine::X86), everything(Machine::Arm64));
    [x64, x86, arm64, both, cython, avx, calls, managed, program, starts].iter().map(pe::write).collect()
}
