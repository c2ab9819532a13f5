//! The export directory: addresses by ordinal, and names with their ordinals.

use object::pe::ImageExportDirectory;
use object::pod::bytes_of;

use super::Export;
use super::section::{Section, Span};

/// Appends the directory and everything that it refers to, in one span, because an address inside
/// the directory marks a forwarder.
pub(super) fn put(
    rdata: &mut Section,
    image: &str,
    exports: &[Export],
    function: impl Fn(Option<&str>) -> u32,
) -> Span {
    let ordinals = ordinals(exports);
    let base = ordinals.iter().copied().min().unwrap_or(1);
    let last = ordinals.iter().copied().max().unwrap_or(base);
    let slots = usize::from(last - base) + 1;
    let mut named: Vec<(&str, u16)> = exports
        .iter()
        .zip(&ordinals)
        .filter_map(|(export, ordinal)| Some((export.name.as_deref()?, ordinal - base)))
        .collect();
    // The loader finds a name by binary search over bytes.
    named.sort_unstable();

    rdata.align(4);
    let directory = rdata.reserve(size_of::<ImageExportDirectory>());
    let addresses = rdata.reserve(slots * 4);
    let names = rdata.reserve(named.len() * 4);
    let name_ordinals = rdata.reserve(named.len() * 2);

    for (export, ordinal) in exports.iter().zip(&ordinals) {
        let target = match &export.forward {
            Some(forward) => rdata.put_string(forward),
            None => function(export.name.as_deref()),
        };
        let slot = addresses.rva + u32::from(ordinal - base) * 4;
        rdata.fill(slot, &target.to_le_bytes());
    }
    for (i, (name, index)) in (0..).zip(&named) {
        let name = rdata.put_string(name);
        rdata.fill(names.rva + i * 4, &name.to_le_bytes());
        rdata.fill(name_ordinals.rva + i * 2, &index.to_le_bytes());
    }
    let name = rdata.put_string(image);
    rdata.fill(
        directory.rva,
        bytes_of(&ImageExportDirectory {
            characteristics: 0.into(),
            time_date_stamp: 0.into(),
            major_version: 0.into(),
            minor_version: 0.into(),
            name: name.into(),
            base: u32::from(base).into(),
            number_of_functions: (addresses.size / 4).into(),
            number_of_names: (names.size / 4).into(),
            address_of_functions: addresses.rva.into(),
            address_of_names: names.rva.into(),
            address_of_name_ordinals: name_ordinals.rva.into(),
        }),
    );
    rdata.since(directory.rva)
}

/// Returns the ordinal of each export: the given one, or the next above all others.
fn ordinals(exports: &[Export]) -> Vec<u16> {
    let mut last = exports.iter().filter_map(|export| export.ordinal).max().unwrap_or(0);
    let mut next = || {
        last = last.checked_add(1).expect("an ordinal left above the given ones");
        last
    };
    exports.iter().map(|export| export.ordinal.unwrap_or_else(&mut next)).collect()
}
