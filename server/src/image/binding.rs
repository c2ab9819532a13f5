//! What one image asks of another, held against what that one exports.

use serde::{Deserialize, Serialize};

use super::imports::SymbolRef;
use super::{Export, FileVersion, Image, ImageError, Symbol};

/// What an importer's symbols find in the image that serves the import.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Symbols that are not exported, in the order of the import table; at most [`MOST_MISSING`].
    pub missing: Vec<Symbol>,
    /// Symbols that are exported as forwarders, in that order.
    pub forwarded: Vec<Forwarded>,
    /// The importer locks, as it starts, a `std::mutex` that was initialized without the runtime's help, and the
    /// exporter cannot do that; see [`Binding::between`].
    pub constexpr_mutex: bool,
    /// The same as its `PyInit_…` is called, if not before.
    #[serde(default)]
    pub constexpr_mutex_at_init: bool,
}

/// An imported symbol that leads to another DLL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// As it is imported.
    pub symbol: Symbol,
    /// The DLL that the forwarder names, mostly without `.dll`.
    pub dll: String,
    /// What to look for there.
    pub target: Symbol,
}

/// So many missing symbols say all that there is to say.
pub const MOST_MISSING: usize = 64;

/// The first runtime in whose memory layout a `std::mutex` needs no initialization (microsoft/STL, changelog of Visual
/// Studio 2022 17.10).
pub const CONSTEXPR_MUTEX: FileVersion = FileVersion([14, 40, 0, 0]);

impl Binding {
    /// Looks up all that `importer` imports under the name `dll` in `exporter`.
    ///
    /// Until Visual Studio 2022 17.10 the constructor of `std::mutex` called `_Mtx_init_in_situ`. Since then
    /// it is `constexpr`, and `_Mtx_lock` of a runtime from before 14.40 meets memory that it takes for a pointer
    /// (microsoft/STL, changelog of VS 2022 17.10; issues 4730 and 4978). No symbol is missing: what tells
    /// such code is that it imports the one and not the other. Many a module locks none before it is asked for something,
    /// and is imported well: only a lock that its start leads to makes the import fail.
    ///
    /// # Errors
    /// As [`Image::symbols`] and [`Image::export`].
    pub fn between(importer: &Image<'_>, dll: &str, exporter: &Image<'_>) -> Result<Binding, ImageError> {
        let mut binding = Binding::default();
        // Wine's own DLLs export what Wine has, not what Windows has, and its loader lets every symbol pass.
        let is_known = !exporter.is_of_wine();
        let exports = if is_known { exporter.export_table()? } else { None };
        let (mut locks, mut initializes) = (false, false);
        for import in importer.imports()?.iter().filter(|import| import.dll.eq_ignore_ascii_case(dll)) {
            importer.visit_symbols(import, |_, symbol| {
                if let SymbolRef::Name { name, .. } = symbol {
                    locks |= name == b"_Mtx_lock";
                    initializes |= name == b"_Mtx_init_in_situ";
                }
                if !is_known || binding.missing.len() >= MOST_MISSING {
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

    /// What is wrong by both bindings.
    pub fn in_common(mut self, other: &Binding) -> Binding {
        self.missing.retain(|symbol| other.missing.contains(symbol));
        self.forwarded.retain(|forwarded| other.forwarded.contains(forwarded));
        self.constexpr_mutex &= other.constexpr_mutex;
        self.constexpr_mutex_at_init &= other.constexpr_mutex_at_init;
        self
    }
}
