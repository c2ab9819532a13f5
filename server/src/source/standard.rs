//! The names of Python's standard library.

use std::collections::HashSet;
use std::sync::LazyLock;

static STANDARD_LIBRARY: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../../data/standard-library.txt").lines().collect());

/// Whether a top-level module is part of the standard library of some Python 3.
pub fn is_standard(name: &str) -> bool {
    STANDARD_LIBRARY.contains(name)
}
