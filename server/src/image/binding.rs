//! Compares the symbols that one image imports with those that another exports.

use serde::{Deserialize, Serialize};

use super::imports::SymbolRef;
use super::{Export, FileVersion, Image, ImageError, Symbol};

/// The result of resolving an importer's symbols in the image that provides them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The symbols that aren't exported, in the order of the import table; at most [`MAX_MISSING`].
    pub missing: Vec<Symbol>,
    /// The symbols that are exported as forwarders, in the order of the import table.
    pub forwarded: Vec<Forwarded>,
    /// Whether the importer's start locks a `std::mutex` with a `constexpr` constructor, which the
    /// exporter doesn't support; see [`Binding::between`].
    pub constexpr_mutex: bool,
    /// Whether the importer's `PyInit_…` does the same, and its start doesn't.
    #[serde(default)]
    pub constexpr_mutex_at_init: bool,
}

/// An imported symbol that is forwarded to another DLL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// The symbol that is imported.
    pub symbol: Symbol,
    /// The DLL that the forwarder names, mostly without `.dll`.
    pub dll: String,
    /// The symbol in that DLL.
    pub target: Symbol,
}

/// The maximum number of missing symbols that are recorded.
pub const MAX_MISSING: usize = 64;

/// The first version of the C++ runtime in which a `std::mutex` needs no call to initialize it
/// (microsoft/STL, changelog of Visual Studio 2022 17.10).
pub const CONSTEXPR_MUTEX: FileVersion = FileVersion([14, 40, 0, 0]);

impl Binding {
    /// Resolves the symbols that `importer` imports under the name `dll` in `exporter`.
    ///
    /// Until Visual Studio 2022 17.10, the constructor of `std::mutex` called `_Mtx_init_in_situ`.
    /// Since then it is `constexpr`, and `_Mtx_lock` of a runtime older than 14.40 takes the memory
    /// of such a mutex for a pointer (microsoft/STL, changelog of VS 2022 17.10; issues 4730
    /// and 4978). No symbol is missing: such code is recognized by importing `_Mtx_lock` without
    /// `_Mtx_init_in_situ`. Many modules only lock a mutex when a function is called later, and can
    /// be imported. The import only fails if loading or initializing the module leads to a
    /// lock.
    ///
    /// # Errors
    ///
    /// The same as of [`Image::symbols`] and [`Image::export`].
    pub fn between(importer: &Image<'_>, dll: &str, exporter: &Image<'_>) -> Result<Binding, ImageError> {
        let mut binding = Binding::default();
        // Wine's own DLLs export other symbols than those of Windows, and Wine's loader accepts missing
        // ones.
        let is_known = !exporter.is_of_wine();
        let exports = if is_known { exporter.export_table()? } else { None };
        let (mut locks, mut initializes) = (false, false);
        for import in importer.imports()?.iter().filter(|import| import.dll.eq_ignore_ascii_case(dll)) {
            importer.visit_symbols(import, |_, symbol| {
                if let SymbolRef::Name { name, .. } = symbol {
                    locks |= name == b"_Mtx_lock";
                    initializes |= name == b"_Mtx_init_in_situ";
                }
                if !is_known || binding.missing.len() >= MAX_MISSING {
                    return Ok(());
                }
                match exports.as_ref().map_or(Ok(None), |exports| exports.find(symbol))? {
                    Some(Export::Address(_)) => {}
                    Some(Export::Forward { dll, symbol: target }) => {
                        binding.forwarded.push(Forwarded { symbol: symbol.to_owned(), dll, target });
                    }
                    None => binding.missing.push(symbol.to_owned()),
                }
                Ok(())
            })?;
        }
        let is_older = || exporter.version().ok().flatten().is_some_and(|version| version < CONSTEXPR_MUTEX);
        if locks && !initializes && is_older() {
            binding.constexpr_mutex = importer.calls_at_start("_Mtx_lock")?;
            binding.constexpr_mutex_at_init =
                !binding.constexpr_mutex && importer.calls_at_init("_Mtx_lock")?;
        }
        Ok(binding)
    }

    /// Returns the problems that both bindings have.
    pub fn in_common(mut self, other: &Binding) -> Binding {
        self.missing.retain(|symbol| other.missing.contains(symbol));
        self.forwarded.retain(|forwarded| other.forwarded.contains(forwarded));
        self.constexpr_mutex &= other.constexpr_mutex;
        self.constexpr_mutex_at_init &= other.constexpr_mutex_at_init;
        self
    }
}
