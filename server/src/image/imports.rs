//! The import table: the DLLs that an image needs before it can run, and the symbols of each.

use std::fmt;

use pelite::image::IMAGE_DIRECTORY_ENTRY_IMPORT;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::{Image, ImageError, TableDefect, error::bad_table};

/// A DLL that an image imports, as returned by [`Image::imports`] and [`Image::delay_imports`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedDll {
    /// The DLL's name exactly as in the image, including case and trailing spaces.
    pub dll: String,
    /// The RVA of the list of symbols, or zero if there is none. It is the import name table, or,
    /// with linkers that don't write one (Borland's), the import address table, which has the same
    /// contents until it is bound.
    pub(super) thunks: u32,
    /// The RVA of the import address table, through which code calls. Zero in a delay import.
    pub(super) addresses: u32,
    /// The number to subtract from each thunk to get an RVA. Zero except in the oldest delay
    /// imports.
    pub(super) thunk_base: u64,
}

/// The name or ordinal by which an image imports a function or variable of a DLL. Displayed as
/// `name` or `#7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Symbol {
    /// The name in the DLL's export table.
    Name(String),
    /// The number in the DLL's export table.
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

/// The maximum number of imported DLLs. Real images have tens.
pub(super) const MAX_IMPORTS: u32 = 1 << 16;

/// The maximum number of symbols of one import or of an export table.
pub(super) const MAX_SYMBOLS: u32 = 1_000_000;

/// The maximum total length of the names in one list of symbols, in bytes. A small file can refer
/// to a long string a million times.
pub(super) const MAX_NAMES_LEN: usize = 64 << 20;

/// The maximum length of a DLL's name in bytes, including the NUL. Wine's limit is 256.
pub(super) const MAX_DLL_NAME: usize = 512;

/// The maximum length of a symbol's name in bytes, including the NUL. It is the maximum length of
/// MSVC's decorated names.
pub(super) const MAX_SYMBOL_NAME: usize = 4096;

impl Image<'_> {
    /// Returns the DLLs that the image imports, in the order of the table, in which Windows loads
    /// them. Only reads the descriptors and the DLL names.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if a descriptor or a name is outside the image, or a name is longer
    /// than 511 bytes; [`ImageError::TooMany`] if there are more than 65536 descriptors.
    pub fn imports(&self) -> Result<Vec<ImportedDll>, ImageError> {
        let Some(table) = self.headers.directory(IMAGE_DIRECTORY_ENTRY_IMPORT) else {
            return Ok(Vec::new());
        };
        let mut imports = Vec::new();
        for index in 0..=MAX_IMPORTS {
            let at = entry(table.rva, index, 20, "the import table")?;
            let [name_table, _, _, dll, address_table] = self.memory.words(at, "the import table")?;
            // Like Wine's `fixup_imports` (`dlls/ntdll/loader.c`), end at the first descriptor that
            // lacks either, and ignore the directory's Size.
            if dll == 0 || address_table == 0 {
                return Ok(imports);
            }
            imports.push(ImportedDll {
                dll: self.memory.string(dll, MAX_DLL_NAME, "the name of an imported DLL")?,
                addresses: address_table,
                thunks: if name_table != 0 { name_table } else { address_table },
                thunk_base: 0,
            });
        }
        Err(ImageError::TooMany { what: "imported DLLs".into(), limit: MAX_IMPORTS.into() })
    }

    /// Whether an import has any symbols.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if its first thunk is outside the image.
    pub fn asks_for_something(&self, import: &ImportedDll) -> Result<bool, ImageError> {
        const WHAT: &str = "the list of imported symbols";
        Ok(import.thunks != 0
            && match self.is_pe32_plus() {
                true => self.memory.bytes::<8>(import.thunks, WHAT)? != [0; 8],
                false => self.memory.bytes::<4>(import.thunks, WHAT)? != [0; 4],
            })
    }

    /// Returns the symbols of an import, in the order of its table. An import without symbols is
    /// valid: Wine doesn't even load its DLL.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if a thunk or a name is outside the image, or a name is longer than
    /// 4095 bytes; [`ImageError::TooMany`] if there are more than a million symbols or 64 MiB of
    /// names.
    pub fn symbols(&self, import: &ImportedDll) -> Result<Vec<Symbol>, ImageError> {
        let mut symbols = Vec::new();
        self.visit_symbols(import, |_, symbol| {
            symbols.push(symbol.to_owned());
            Ok(())
        })?;
        Ok(symbols)
    }

    /// Visits the symbols of an import, each with its index in the table.
    pub(super) fn visit_symbols(
        &self,
        import: &ImportedDll,
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
            // The thunk is the RVA of a 16-bit hint and the name.
            let malformed = || bad_table("an imported symbol", at, TableDefect::Malformed);
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
    /// Returns the slots of the import address table whose functions are wanted, by RVA. `wanted`
    /// maps a function's name to a value, or to `None` to skip it; `is_wanted` selects the DLLs by
    /// name. Only for 64-bit images.
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

/// A [`Symbol`] that borrows its name from the image.
#[derive(Clone, Copy)]
pub(super) enum SymbolRef<'a> {
    /// `hint` is the position of the name in the exporter's list when the importer was linked.
    Name {
        name: &'a [u8],
        hint: u16,
    },
    Ordinal(u16),
}

impl<'a> SymbolRef<'a> {
    /// Borrows a symbol, without a hint.
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

/// Returns the RVA of the entry at `index` of a table whose entries have `size` bytes.
pub(super) fn entry(table: u32, index: u32, size: u32, what: &'static str) -> Result<u32, ImageError> {
    index
        .checked_mul(size)
        .and_then(|offset| table.checked_add(offset))
        .ok_or_else(|| bad_table(what, table, TableDefect::OutsideImage))
}

/// Adds a name's length to the total length so far, and checks the limit.
pub(super) fn count_name(names_len: usize, name: &[u8]) -> Result<usize, ImageError> {
    match names_len.saturating_add(name.len()) {
        sum if sum <= MAX_NAMES_LEN => Ok(sum),
        _ => Err(ImageError::TooMany { what: "bytes of symbol names".into(), limit: MAX_NAMES_LEN as u64 }),
    }
}
