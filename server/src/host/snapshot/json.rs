//! Reads JSON that nests deeper than `serde_json` allows.

use serde::Deserialize;

/// The maximum nesting depth of a snapshot, which allows for the longest chain of `elif` in a
/// module.
pub(super) const MAX_DEPTH: usize = 2_000;

/// Parses JSON without `serde_json`'s own limit of 128 levels, which modules exceed. The caller
/// checks [`nesting`] instead.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    json.disable_recursion_limit();
    let value = T::deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// Returns how deep brackets are nested outside of strings.
pub(super) fn nesting(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut quoted = false;
    let mut escaped = false;
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
