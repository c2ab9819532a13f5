//! The parts of sentences that several codes share.

use crate::environment::Distribution;
use crate::host::Files;
use crate::image::Symbol;

/// The maximum number of symbols that a sentence names.
pub(super) const MOST_SYMBOLS: usize = 3;

/// Returns a distribution's name as its author writes it. The directory's name has `_` for `-`.
pub(super) fn name_of(distribution: &Distribution, files: &dyn Files) -> String {
    let metadata = distribution.metadata(files).ok();
    metadata.and_then(|metadata| metadata.name.clone()).unwrap_or_else(|| distribution.name.clone())
}

/// Returns " (Windows error 126)", or an empty string if the load itself succeeds.
pub(super) fn windows_error(code: Option<u32>) -> String {
    code.map_or(String::new(), |code| format!(" (Windows error {code})"))
}

/// Returns the first [`MOST_SYMBOLS`] names: "`a`, `b` and `c`".
pub(super) fn first_symbols(symbols: &[Symbol]) -> String {
    let names: Vec<String> = symbols.iter().take(MOST_SYMBOLS).map(|symbol| format!("`{symbol}`")).collect();
    list(&names, "and")
}

/// Names the first `most` items and counts the rest: "a and b", "a, b and c", "a, b and 5 more".
pub(super) fn some_of(all: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = all.len().saturating_sub(most);
    // Instead of "and 1 more", the last item is named as well.
    let named = if more == 1 { most + 1 } else { most };
    let mut names: Vec<String> = all.take(named).collect();
    if more > 1 {
        names.push(format!("{more} more"));
    }
    list(&names, "and")
}

/// Joins names: "a", "a and b", "a, b and c".
pub(super) fn list(names: &[String], last: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}
