//! The import and the delay-import directories. Both list DLLs, each with a table of thunks: for
//! each symbol one word with an ordinal or the RVA of a name.

use object::pe::{ImageDelayloadDescriptor, ImageImportDescriptor};
use object::pod::bytes_of;

use super::section::{Section, Span, length};
use super::{Import, Machine, Symbol};

/// The positions of the import tables.
pub(super) struct Imports {
    pub(super) directory: Span,
    /// The import address tables of all DLLs in one span, which the loader makes writable while
    /// it binds them.
    pub(super) addresses: Span,
}

/// Appends the tables of the imports.
pub(super) fn put(rdata: &mut Section, machine: Machine, imports: &[Import]) -> Imports {
    rdata.align(8);
    let addresses = rdata.reserve(imports.iter().map(|i| table_len(machine, i)).sum());
    let directory = rdata.reserve((imports.len() + 1) * size_of::<ImageImportDescriptor>());

    let mut slot = directory.rva;
    let mut address_table = addresses.rva;
    for import in imports {
        let thunks = thunks(rdata, machine, &import.symbols);
        let name = rdata.put_string(&import.dll);
        rdata.align(8);
        let lookup_table = rdata.put(&thunks);
        rdata.fill(address_table, &thunks);
        let descriptor = ImageImportDescriptor {
            original_first_thunk: lookup_table.into(),
            time_date_stamp: 0.into(),
            forwarder_chain: 0.into(),
            name: name.into(),
            first_thunk: address_table.into(),
        };
        rdata.fill(slot, bytes_of(&descriptor));
        slot += length(bytes_of(&descriptor));
        address_table += length(&thunks);
    }
    Imports { directory, addresses }
}

/// Returns the slot of the import address table for the address of `function`.
///
/// # Panics
///
/// If the image does not import it.
pub(super) fn slot(tables: &Imports, machine: Machine, imports: &[Import], function: &str) -> u32 {
    // Each DLL's table ends with a slot of its own.
    let slots = imports.iter().flat_map(|import| import.symbols.iter().map(Some).chain([None]));
    let is_it = |symbol: Option<&Symbol>| matches!(symbol, Some(Symbol::Name(name)) if name == function);
    let index = slots.into_iter().position(is_it).expect("cimports need an import of their functions");
    tables.addresses.rva + (index * machine.word()) as u32
}

/// The positions of the delay-import tables.
pub(super) struct DelayImports {
    pub(super) directory: Span,
    /// The words with an absolute address, which need relocations.
    pub(super) absolute: Vec<u32>,
}

/// Appends the tables of the delay imports. Until the first call, each address table points to
/// `unbound`, as an absolute address. The section has to be writable for the helper that binds
/// them.
pub(super) fn put_delayed(
    didat: &mut Section,
    machine: Machine,
    imports: &[Import],
    unbound: u64,
) -> DelayImports {
    let word = machine.word();
    let directory = didat.reserve((imports.len() + 1) * size_of::<ImageDelayloadDescriptor>());
    let mut absolute = Vec::new();

    let mut slot = directory.rva;
    for import in imports {
        let thunks = thunks(didat, machine, &import.symbols);
        let name = didat.put_string(&import.dll);
        didat.align(8);
        let name_table = didat.put(&thunks);
        let module_handle = didat.reserve(word).rva;
        let address_table = didat.end();
        for _ in &import.symbols {
            absolute.push(didat.put(&unbound.to_le_bytes()[..word]));
        }
        didat.reserve(word);
        let descriptor = ImageDelayloadDescriptor {
            // The addresses below are RVAs, not the absolute ones of Visual C++ 6.
            attributes: 1.into(),
            dll_name_rva: name.into(),
            module_handle_rva: module_handle.into(),
            import_address_table_rva: address_table.into(),
            import_name_table_rva: name_table.into(),
            bound_import_address_table_rva: 0.into(),
            unload_information_table_rva: 0.into(),
            time_date_stamp: 0.into(),
        };
        didat.fill(slot, bytes_of(&descriptor));
        slot += length(bytes_of(&descriptor));
    }
    DelayImports { directory, absolute }
}

/// Returns the size of one DLL's table including its terminating zero.
fn table_len(machine: Machine, import: &Import) -> usize {
    (import.symbols.len() + 1) * machine.word()
}

/// Returns one DLL's table, and appends its names to the section.
fn thunks(section: &mut Section, machine: Machine, symbols: &[Symbol]) -> Vec<u8> {
    let word = machine.word();
    let by_ordinal = 1 << (word * 8 - 1);
    let mut table = Vec::new();
    for symbol in symbols {
        let thunk = match symbol {
            Symbol::Ordinal(ordinal) => by_ordinal | u64::from(*ordinal),
            Symbol::Name(name) => {
                section.align(2);
                // The hint is the name's likely index in the DLL's names: unknown.
                let hint_and_name = section.put(&0u16.to_le_bytes());
                section.put_string(name);
                u64::from(hint_and_name)
            }
        };
        table.extend_from_slice(&thunk.to_le_bytes()[..word]);
    }
    table.resize(table.len() + word, 0);
    table
}
