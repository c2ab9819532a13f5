//! The resource directory: a tree of three levels (type, id or name, language) whose leaves are the
//! version, the manifest, and the path in a trampoline.

use std::iter;

use object::pe::{
    IMAGE_RESOURCE_DATA_IS_DIRECTORY, IMAGE_RESOURCE_NAME_IS_STRING, ImageResourceDataEntry,
    ImageResourceDirectory, ImageResourceDirectoryEntry, RT_MANIFEST, RT_RCDATA, RT_VERSION,
};
use object::pod::bytes_of;

use super::section::{Section, length};
use super::{ImageSpec, Kind};

/// English (United States), the language that most linkers use for resources.
const LANGUAGE: u16 = 0x0409;

/// Fills the resource section, which has to begin with the directory. It stays empty for an image
/// without resources.
pub(super) fn put(rsrc: &mut Section, spec: &ImageSpec) {
    // In ascending order of type, as the loader searches them.
    let mut resources = Vec::new();
    if let Some(program) = &spec.starts {
        // `crates/uv-trampoline/src/bounce.rs` of uv: 2 is a trampoline that starts Python.
        let path = (Id::Name("UV_PYTHON_PATH"), program.clone().into_bytes());
        resources.push((RT_RCDATA, vec![path, (Id::Name("UV_TRAMPOLINE_KIND"), vec![2])]));
    }
    if let Some(version) = spec.version {
        resources.push((RT_VERSION, vec![(Id::Number(1), version_info(spec, version))]));
    }
    if let Some(manifest) = &spec.manifest {
        // The number that the loader looks for: CREATEPROCESS_MANIFEST_RESOURCE_ID in a
        // program, ISOLATIONAWARE_MANIFEST_RESOURCE_ID in a library.
        let id = match spec.kind {
            Kind::Exe => 1,
            Kind::Dll => 2,
        };
        resources.push((RT_MANIFEST, vec![(Id::Number(id), manifest.clone().into_bytes())]));
    }
    if resources.is_empty() {
        return;
    }

    // Offsets in the tree are relative to the section; only the leaves have an RVA.
    let start = rsrc.end();
    put_directory(rsrc, 0, resources.len());
    for (i, (kind, of_kind)) in resources.iter().enumerate() {
        let names = of_kind.iter().filter(|(id, _)| matches!(id, Id::Name(_))).count();
        let ids = put_directory(rsrc, names, of_kind.len() - names);
        put_entry(rsrc, start, i, u32::from(*kind), subdirectory(ids - start));
        for (j, (id, data)) in of_kind.iter().enumerate() {
            let id = match id {
                Id::Number(number) => u32::from(*number),
                Id::Name(name) => IMAGE_RESOURCE_NAME_IS_STRING | (put_name(rsrc, name) - start),
            };
            let languages = put_directory(rsrc, 0, 1);
            let leaf = rsrc.reserve(size_of::<ImageResourceDataEntry>()).rva;
            put_entry(rsrc, ids, j, id, subdirectory(languages - start));
            put_entry(rsrc, languages, 0, u32::from(LANGUAGE), leaf - start);
            let rva = rsrc.put(data);
            rsrc.align(4);
            rsrc.fill(
                leaf,
                bytes_of(&ImageResourceDataEntry {
                    offset_to_data: rva.into(),
                    size: length(data).into(),
                    code_page: 0.into(),
                    reserved: 0.into(),
                }),
            );
        }
    }
}

/// The key of a resource.
enum Id {
    Number(u16),
    Name(&'static str),
}

/// Appends an IMAGE_RESOURCE_DIR_STRING_U.
fn put_name(rsrc: &mut Section, name: &str) -> u32 {
    let units: Vec<u16> = name.encode_utf16().collect();
    let all = iter::once(units.len() as u16).chain(units);
    let rva = rsrc.put(&all.flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    rsrc.align(4);
    rva
}

fn subdirectory(offset: u32) -> u32 {
    IMAGE_RESOURCE_DATA_IS_DIRECTORY | offset
}

/// Appends a directory with space for its entries.
fn put_directory(rsrc: &mut Section, names: usize, numbers: usize) -> u32 {
    let directory = rsrc.put(bytes_of(&ImageResourceDirectory {
        characteristics: 0.into(),
        time_date_stamp: 0.into(),
        major_version: 0.into(),
        minor_version: 0.into(),
        number_of_named_entries: (names as u16).into(),
        number_of_id_entries: (numbers as u16).into(),
    }));
    rsrc.reserve((names + numbers) * size_of::<ImageResourceDirectoryEntry>());
    directory
}

fn put_entry(rsrc: &mut Section, directory: u32, index: usize, id: u32, target: u32) {
    let offset = size_of::<ImageResourceDirectory>() + index * size_of::<ImageResourceDirectoryEntry>();
    rsrc.fill(
        directory + offset as u32,
        bytes_of(&ImageResourceDirectoryEntry {
            name_or_id: id.into(),
            offset_to_data_or_directory: target.into(),
        }),
    );
}

/// Returns a VERSIONINFO with the version as numbers and as strings.
fn version_info(spec: &ImageSpec, version: [u16; 4]) -> Vec<u8> {
    let [a, b, c, d] = version;
    let text = format!("{a}.{b}.{c}.{d}");
    let strings =
        [("FileVersion", text.as_str()), ("OriginalFilename", &spec.name), ("ProductVersion", &text)];
    let translation = [LANGUAGE, UTF_16].map(u16::to_le_bytes).concat();
    block(
        "VS_VERSION_INFO",
        Value::Binary(&fixed_file_info(spec.kind, version)),
        &[
            block(
                "StringFileInfo",
                Value::None,
                &[block(
                    &format!("{LANGUAGE:04x}{UTF_16:04x}"),
                    Value::None,
                    &strings.map(|(key, text)| block(key, Value::Text(text), &[])),
                )],
            ),
            block("VarFileInfo", Value::None, &[block("Translation", Value::Binary(&translation), &[])]),
        ],
    )
}

/// The code page of the version's strings.
const UTF_16: u16 = 1200;

/// Returns a VS_FIXEDFILEINFO.
fn fixed_file_info(kind: Kind, version: [u16; 4]) -> Vec<u8> {
    let [a, b, c, d] = version.map(u32::from);
    let (high, low) = (a << 16 | b, c << 16 | d);
    let fields: [u32; 13] = [
        0xfeef_04bd, // signature
        0x0001_0000, // version of this structure
        high,
        low, // file version
        high,
        low,         // product version
        0x3f,        // all file flags are valid,
        0,           // none is set
        0x0004_0004, // VOS_NT_WINDOWS32
        match kind {
            Kind::Exe => 1, // VFT_APP
            Kind::Dll => 2, // VFT_DLL
        },
        0, // no subtype
        0,
        0, // no date
    ];
    fields.map(u32::to_le_bytes).concat()
}

/// The value of a block of a VERSIONINFO.
enum Value<'a> {
    None,
    Binary(&'a [u8]),
    Text(&'a str),
}

/// Returns a block of a VERSIONINFO: lengths and kind, a key, then a value and nested blocks, each
/// aligned to four bytes.
fn block(key: &str, value: Value, children: &[Vec<u8>]) -> Vec<u8> {
    // The length of a string is in characters including the zero, that of binary data in bytes.
    let (is_text, value_len, value) = match value {
        Value::None => (1, 0, Vec::new()),
        Value::Binary(bytes) => (0, bytes.len(), bytes.to_vec()),
        Value::Text(text) => {
            let wide = wide(text);
            (1, wide.len() / 2, wide)
        }
    };
    let head: [u16; 3] = [0, value_len as u16, is_text];
    let mut block = head.map(u16::to_le_bytes).concat();
    block.extend_from_slice(&wide(key));
    for part in iter::once(&value).chain(children) {
        block.resize(block.len().next_multiple_of(4), 0);
        block.extend_from_slice(part);
    }
    let len = block.len() as u16;
    block[..2].copy_from_slice(&len.to_le_bytes());
    block
}

/// Returns UTF-16 with a terminating zero.
fn wide(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}
