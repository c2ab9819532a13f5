//! The CLR header, which makes an image a .NET assembly.

use object::pe::{COMIMAGE_FLAGS_ILONLY, CorFlags, ImageCor20Header, ImageDataDirectory};
use object::pod::bytes_of;

use super::ImageSpec;
use super::section::{Section, Span};

/// Appends the header of an assembly whose metadata is only a root. Loaders do not follow the
/// native imports of pure IL, so an image with imports is a mixed one, as made by C++/CLI.
pub(super) fn put(rdata: &mut Section, spec: &ImageSpec) -> Span {
    rdata.align(4);
    let metadata = rdata.put(&metadata_root());
    let metadata = rdata.since(metadata);
    let header = rdata.put(bytes_of(&ImageCor20Header {
        cb: (size_of::<ImageCor20Header>() as u32).into(),
        major_runtime_version: 2.into(),
        minor_runtime_version: 5.into(),
        meta_data: directory(metadata),
        flags: if spec.imports.is_empty() { COMIMAGE_FLAGS_ILONLY.into() } else { CorFlags(0).into() },
        entry_point_token_or_rva: 0.into(),
        resources: directory(NOWHERE),
        strong_name_signature: directory(NOWHERE),
        code_manager_table: directory(NOWHERE),
        vtable_fixups: directory(NOWHERE),
        export_address_table_jumps: directory(NOWHERE),
        managed_native_header: directory(NOWHERE),
    }));
    rdata.since(header)
}

const NOWHERE: Span = Span { rva: 0, size: 0 };

fn directory(span: Span) -> ImageDataDirectory {
    ImageDataDirectory { virtual_address: span.rva.into(), size: span.size.into() }
}

/// Returns a metadata root (ECMA-335, II.24.2.1) without streams.
fn metadata_root() -> Vec<u8> {
    let runtime = b"v4.0.30319\0\0";
    let mut root = b"BSJB".to_vec();
    root.extend_from_slice(&[1, 0, 1, 0]); // version 1.1
    root.extend_from_slice(&[0; 4]); // reserved
    root.extend_from_slice(&(runtime.len() as u32).to_le_bytes());
    root.extend_from_slice(runtime);
    root.extend_from_slice(&[0; 4]); // no flags, no streams
    root
}
