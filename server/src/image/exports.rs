//! The export table: the symbols that an image provides or forwards to other images.

use std::cmp::Ordering;

use pelite::image::IMAGE_DIRECTORY_ENTRY_EXPORT;
use serde::{Deserialize, Serialize};

use super::{
    Image, ImageError, Symbol, TableDefect,
    error::bad_table,
    headers::Directory,
    imports::{MAX_DLL_NAME, MAX_SYMBOL_NAME, MAX_SYMBOLS, SymbolRef, entry},
    memory::Memory,
};

/// The target of an exported symbol.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Export {
    /// Code or data of this image, at this RVA.
    Address(u32),
    /// A symbol of another DLL, which Windows loads to find it.
    Forward {
        /// The other DLL as the forwarder names it, mostly without `.dll`.
        dll: String,
        /// The symbol in the other DLL.
        symbol: Symbol,
    },
}

impl Image<'_> {
    /// Returns the DLL's name according to its export table; `None` if it has no exports or no
    /// name. Windows ignores it and uses the file's name.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the table or the name is outside the image, or the name is
    /// longer than 511 bytes.
    pub fn exports_name(&self) -> Result<Option<String>, ImageError> {
        match self.export_table()? {
            Some(table) if table.dll_name != 0 => {
                self.memory.string(table.dll_name, MAX_DLL_NAME, "the DLL's own name").map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Finds an export by its name or ordinal; `None` if it doesn't exist.
    ///
    /// Like Windows, this finds a name by binary search. Since the list may be unsorted, a linear
    /// search follows if that fails. Windows has no linear search: it finds a misplaced name only
    /// if the importer's hint is right.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if a visited part of the table is outside the image, or if a
    /// forwarder doesn't have the form `dll.symbol`; [`ImageError::TooMany`] if there are more than
    /// a million names.
    pub fn export(&self, symbol: &Symbol) -> Result<Option<Export>, ImageError> {
        match self.export_table()? {
            Some(table) => table.find(SymbolRef::new(symbol)),
            None => Ok(None),
        }
    }

    /// Returns the names that the image exports, in the order of its table.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the table or a name is outside the image, or a name is longer
    /// than 4095 bytes; [`ImageError::TooMany`] if there are more than a million names, or 64
    /// MiB of them.
    pub fn export_names(&self) -> Result<Vec<String>, ImageError> {
        let Some(table) = self.export_table()? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        let mut names_len = 0;
        for position in 0..table.checked_name_count()? {
            let name = self.memory.string(table.name(position)?, MAX_SYMBOL_NAME, EXPORTED_NAME)?;
            names_len = super::imports::count_name(names_len, name.as_bytes())?;
            names.push(name);
        }
        Ok(names)
    }

    /// Returns the first exported name that begins with `start`. Assumes a sorted table.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the table or a name is outside the image, or the name is longer
    /// than 4095 bytes.
    pub fn export_that_begins_with(&self, start: &str) -> Result<Option<String>, ImageError> {
        let Some(table) = self.export_table()? else { return Ok(None) };
        let position = table.first_not_before(start.as_bytes())?;
        if position >= table.name_count {
            return Ok(None);
        }
        let name = self.memory.string(table.name(position)?, MAX_SYMBOL_NAME, EXPORTED_NAME)?;
        Ok(Some(name).filter(|name| name.starts_with(start)))
    }

    /// Returns the export table; `None` if the image has no exports.
    pub(super) fn export_table(&self) -> Result<Option<ExportTable<'_>>, ImageError> {
        let Some(directory) = self.headers.directory(IMAGE_DIRECTORY_ENTRY_EXPORT) else {
            return Ok(None);
        };
        let [_, _, _, dll_name, ordinal_base, count, name_count, addresses, names, indices] =
            self.memory.words(directory.rva, EXPORT_TABLE)?;
        let memory = &self.memory;
        Ok(Some(ExportTable {
            memory,
            directory,
            dll_name,
            ordinal_base,
            count,
            name_count,
            addresses,
            names,
            indices,
        }))
    }
}

const EXPORT_TABLE: &str = "the export table";
const EXPORTED_NAME: &str = "the name of an exported symbol";
const FORWARDER: &str = "a forwarder";

/// The export directory. It refers to three arrays: the addresses, by ordinal; the sorted names;
/// and the index of each name's address.
pub(super) struct ExportTable<'m> {
    memory: &'m Memory<'m>,
    directory: Directory,
    dll_name: u32,
    /// The ordinal of the first address.
    ordinal_base: u32,
    count: u32,
    name_count: u32,
    addresses: u32,
    names: u32,
    indices: u32,
}

impl ExportTable<'_> {
    /// Finds the export of a symbol; see [`Image::export`].
    pub fn find(&self, symbol: SymbolRef<'_>) -> Result<Option<Export>, ImageError> {
        let index = match symbol {
            SymbolRef::Ordinal(ordinal) => u32::from(ordinal).checked_sub(self.ordinal_base),
            SymbolRef::Name { name, hint } => {
                self.position(name, hint)?.map(|position| self.index(position)).transpose()?
            }
        };
        match index {
            Some(index) => self.export(index),
            None => Ok(None),
        }
    }

    /// Finds a name's position in the list. Three of four hints are right and save the search.
    fn position(&self, name: &[u8], hint: u16) -> Result<Option<u32>, ImageError> {
        let hint = u32::from(hint);
        if hint < self.name_count && matches!(self.compare(hint, name), Ok(Ordering::Equal)) {
            return Ok(Some(hint));
        }
        match self.search(name)? {
            None => self.scan(name),
            found => Ok(found),
        }
    }

    /// Finds a name's position in the sorted list.
    fn search(&self, name: &[u8]) -> Result<Option<u32>, ImageError> {
        let position = self.first_not_before(name)?;
        let found = position < self.name_count && self.compare(position, name)? == Ordering::Equal;
        Ok(found.then_some(position))
    }

    /// Returns the position of the first name in the sorted list that isn't less than `name`. Reads
    /// O(log n) names.
    fn first_not_before(&self, name: &[u8]) -> Result<u32, ImageError> {
        let (mut start, mut end) = (0, self.name_count);
        while start < end {
            let middle = start + (end - start) / 2;
            match self.compare(middle, name)? {
                Ordering::Less => start = middle + 1,
                Ordering::Equal | Ordering::Greater => end = middle,
            }
        }
        Ok(start)
    }

    /// Finds a name's position in the list, sorted or not.
    fn scan(&self, name: &[u8]) -> Result<Option<u32>, ImageError> {
        for position in 0..self.checked_name_count()? {
            if self.compare(position, name)? == Ordering::Equal {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    /// Compares the name at a position with another, byte by byte like `strcmp`.
    fn compare(&self, position: u32, name: &[u8]) -> Result<Ordering, ImageError> {
        // One more byte than `name` has shows whether the exported name is longer.
        let exported = self.memory.until_nul(self.name(position)?, name.len() + 1, EXPORTED_NAME)?;
        Ok(exported.cmp(name))
    }

    /// Returns the RVA of the name at a position.
    fn name(&self, position: u32) -> Result<u32, ImageError> {
        let [name] = self.memory.words(entry(self.names, position, 4, EXPORT_TABLE)?, EXPORT_TABLE)?;
        Ok(name)
    }

    /// Returns the index in the addresses for the name at a position.
    fn index(&self, position: u32) -> Result<u32, ImageError> {
        let at = entry(self.indices, position, 2, EXPORT_TABLE)?;
        self.memory.bytes(at, EXPORT_TABLE).map(|index| u16::from_le_bytes(index).into())
    }

    fn export(&self, index: u32) -> Result<Option<Export>, ImageError> {
        if index >= self.count {
            return Ok(None);
        }
        let [address] = self.memory.words(entry(self.addresses, index, 4, EXPORT_TABLE)?, EXPORT_TABLE)?;
        // "PE Format", "Export Address Table": an address within the bounds of the data directory
        // is the address of a forwarder.
        match address.checked_sub(self.directory.rva) {
            _ if address == 0 => Ok(None), // a gap in the ordinals
            Some(offset) if offset < self.directory.size => self.forwarder(address).map(Some),
            _ => Ok(Some(Export::Address(address))),
        }
    }

    /// Reads the forwarder at an RVA: "dll.symbol" or "dll.#7". The DLL's name may contain dots, so
    /// the last dot is the separator, as in Wine, which uses `strrchr`.
    fn forwarder(&self, rva: u32) -> Result<Export, ImageError> {
        let forwarder = self.memory.string(rva, MAX_DLL_NAME + MAX_SYMBOL_NAME, FORWARDER)?;
        let malformed = || bad_table(FORWARDER, rva, TableDefect::Malformed);
        let (dll, symbol) = forwarder.rsplit_once('.').ok_or_else(malformed)?;
        let symbol = match symbol.strip_prefix('#') {
            Some(ordinal) => Symbol::Ordinal(ordinal.parse().map_err(|_| malformed())?),
            None => Symbol::Name(symbol.to_owned()),
        };
        Ok(Export::Forward { dll: dll.to_owned(), symbol })
    }

    fn checked_name_count(&self) -> Result<u32, ImageError> {
        match self.name_count {
            count if count <= MAX_SYMBOLS => Ok(count),
            _ => Err(ImageError::TooMany { what: "exported names".into(), limit: MAX_SYMBOLS.into() }),
        }
    }
}
