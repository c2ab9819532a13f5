//! The import table: which DLLs an image needs before it can run, and which symbols of each.

use std::fmt;

use pelite::image::IMAGE_DIRECTORY_ENTRY_IMPORT;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::{Image, ImageError, Problem, error::bad_table};

/// A DLL that an image imports, found by [`Image::imports`] or [`Image::delay_imports`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The DLL's name as the image has it: case, trailing spaces and all.
    pub dll: String,
    /// The RVA of the list of symbols: the import name table, or, where a linker made none
    /// (Borland's), the import address table, which says the same until it is bound. Zero if
    /// there is neither.
    pub(super) thunks: u32,
    /// The RVA of the import address table, through which code calls; zero in a delay import.
    pub(super) addresses: u32,
    /// What to subtract from each thunk to get an RVA; zero but for the oldest delay imports.
    pub(super) thunk_base: u64,
}

/// How an image asks for a function or variable of a DLL. Displayed as `name` or `#7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Symbol {
    /// By its name in the DLL's export table.
    Name(String),
    /// By its number there.
    Ordinal(u16),
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Symbol::Name(name) => f.write_str(name),
            Symbol::Ordinal(ordinal) => write!(f, "#{ordinal}"),
        }
    }
}

/// How many imported DLLs are read before the table is taken for garbage. Real images have tens.
pub(super) const MAX_IMPORTS: u32 = 1 << 16;

/// How many symbols are read of one import, or of an export table.
pub(super) const MAX_SYMBOLS: u32 = 1_000_000;

/// How many bytes of names are read of one list of symbols: a small file can name a long string
/// a million times.
pub(super) const MAX_NAMES_LEN: usize = 64 << 20;

/// The longest DLL name read, in bytes with the NUL. Wine gives up at 256.
pub(super) const MAX_DLL_NAME: usize = 512;

/// The longest symbol name read, in bytes with the NUL: as long as MSVC's decorated names get.
pub(super) const MAX_SYMBOL_NAME: usize = 4096;

impl Image<'_> {
    /// The DLLs the image imports, in the order of the table, which is the order Windows loads
    /// them in. Reads the descriptors and the DLL names only.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if a descriptor or a name lies outside the image, or a name is
    /// longer than 511 bytes; [`ImageError::TooMany`] beyond 65536 descriptors.
    pub fn imports(&self) -> Result<Vec<Import>, ImageError> {
        let Some(table) = self.headers.directory(IMAGE_DIRECTORY_ENTRY_IMPORT) else {
            return Ok(Vec::new());
        };
        let mut imports = Vec::new();
        for index in 0..=MAX_IMPORTS {
            let at = entry(table.rva, index, 20, "the import table")?;
            let [name_table, _, _, dll, address_table] = self.memory.words(at, "the import table")?;
            // The first descriptor that lacks either ends the table, and the directory's Size
            // plays no part: so Wine's `fixup_imports`, in `dlls/ntdll/loader.c`.
            if dll == 0 || address_table == 0 {
                return Ok(imports);
            }
            imports.push(Import {
                dll: self.memory.string(dll, MAX_DLL_NAME, "the name of an imported DLL")?,
                addresses: address_table,
                thunks: if name_table != 0 { name_table } else { address_table },
                thunk_base: 0,
            });
        }
        Err(ImageError::TooMany { what: "imported DLLs".into(), limit: MAX_IMPORTS.into() })
    }

    /// Whether an import asks for any symbol at all.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if its first thunk lies outside the image.
    pub fn asks_for_something(&self, import: &Import) -> Result<bool, ImageError> {
        const WHAT: &str = "the list of imported symbols";
        Ok(import.thunks != 0
            && match self.is_pe32_plus() {
                true => self.memory.bytes::<8>(import.thunks, WHAT)? != [0; 8],
                false => self.memory.bytes::<4>(import.thunks, WHAT)? != [0; 4],
            })
    }

    /// The symbols that one import asks for, in the order of its table. None is no mistake:
    /// Wine does not even load a DLL of which nothing is asked.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if a thunk or a name lies outside the image, or a name is longer
    /// than 4095 bytes; [`ImageError::TooMany`] beyond a million symbols, or 64 MiB of names.
    pub fn symbols(&self, import: &Import) -> Result<Vec<Symbol>, ImageError> {
        let mut symbols = Vec::new();
        self.visit_symbols(import, |_, symbol| {
            symbols.push(symbol.to_owned());
            Ok(())
        })?;
        Ok(symbols)
    }

    /// Goes through the symbols that one import asks for, each with its index in the table.
    pub(super) fn visit_symbols(
        &self,
        import: &Import,
        mut visit: impl FnMut(u32, SymbolRef<'_>) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        const WHAT: &str = "the list of imported symbols";
        const NAME: &str = "the name of an imported symbol";
        let (width, ordinal_flag) = if self.is_pe32_plus() { (8, 1 << 63) } else { (4, 1 << 31) };
        if import.thunks == 0 {
            return Ok(());
        }
        let mut names_len = 0;
        for index in 0..=MAX_SYMBOLS {
            let at = entry(import.thunks, index, width, WHAT)?;
            let thunk = match self.is_pe32_plus() {
                true => u64::from_le_bytes(self.memory.bytes(at, WHAT)?),
                false => u32::from_le_bytes(self.memory.bytes(at, WHAT)?).into(),
            };
            if thunk == 0 {
                return Ok(());
            }
            if thunk & ordinal_flag != 0 {
                visit(index, SymbolRef::Ordinal(thunk as u16))?; // the low 16 bits are the ordinal
                continue;
            }
            // The thunk is the RVA of a 16-bit hint, where to look first, and the name.
            let malformed = || bad_table("an imported symbol", at, Problem::Malformed);
            let hint = thunk.checked_sub(import.thunk_base).and_then(|hint| u32::try_from(hint).ok());
            let hint = hint.ok_or_else(malformed)?;
            let name = hint.checked_add(2).ok_or_else(malformed)?;
            let name = self.memory.terminated(name, MAX_SYMBOL_NAME, NAME)?;
            names_len = count_name(names_len, name)?;
            let hint = self.memory.bytes(hint, NAME).map(u16::from_le_bytes).unwrap_or_default();
            visit(index, SymbolRef::Name { name, hint })?;
        }
        Err(ImageError::TooMany { what: "symbols imported from one DLL".into(), limit: MAX_SYMBOLS.into() })
    }
}

impl Image<'_> {
    /// The slots of the import address table, by their RVAs, through which the code calls what `wanted` makes something of, given the
    /// name of a function, in the DLLs whose names are wanted. Of images for 64 bits.
    pub(super) fn slots<T>(
        &self,
        is_wanted: impl Fn(&str) -> bool,
        wanted: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<FxHashMap<u32, T>, ImageError> {
        let mut slots = FxHashMap::default();
        for import in self.imports()?.into_iter().filter(|import| is_wanted(&import.dll)) {
            let mut found = Vec::new();
            self.visit_symbols(&import, |index, symbol| {
                if let SymbolRef::Name { name, .. } = symbol {
                    found.extend(wanted(name).map(|called| (index, called)));
                }
                Ok(())
            })?;
            for (index, called) in found {
                slots.insert(entry(import.addresses, index, 8, "the import address table")?, called);
            }
        }
        Ok(slots)
    }
}

/// A [`Symbol`] as its bytes lie in the image.
#[derive(Clone, Copy)]
pub(super) enum SymbolRef<'a> {
    /// `hint` is where the exporter had the name in its list when the importer was linked.
    Name {
        name: &'a [u8],
        hint: u16,
    },
    Ordinal(u16),
}

impl<'a> SymbolRef<'a> {
    /// A symbol of which nobody says where it is.
    pub fn new(symbol: &'a Symbol) -> SymbolRef<'a> {
        match symbol {
            Symbol::Name(name) => SymbolRef::Name { name: name.as_bytes(), hint: 0 },
            Symbol::Ordinal(ordinal) => SymbolRef::Ordinal(*ordinal),
        }
    }

    pub fn to_owned(self) -> Symbol {
        match self {
            SymbolRef::Name { name, .. } => Symbol::Name(String::from_utf8_lossy(name).into_owned()),
            SymbolRef::Ordinal(ordinal) => Symbol::Ordinal(ordinal),
        }
    }
}

/// The RVA of the entry at `index` of a table of entries `size` bytes wide.
pub(super) fn entry(table: u32, index: u32, size: u32, what: &'static str) -> Result<u32, ImageError> {
    index
        .checked_mul(size)
        .and_then(|offset| table.checked_add(offset))
        .ok_or_else(|| bad_table(what, table, Problem::OutsideImage))
}

/// Adds a name to the length of all names read so far.
pub(super) fn count_name(names_len: usize, name: &[u8]) -> Result<usize, ImageError> {
    match names_len.saturating_add(name.len()) {
        sum if sum <= MAX_NAMES_LEN => Ok(sum),
        _ => Err(ImageError::TooMany { what: "bytes of symbol names".into(), limit: MAX_NAMES_LEN as u64 }),
    }
}
