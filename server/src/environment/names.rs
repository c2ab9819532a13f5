//! Which distribution brings a module: the names differ (`cv2` comes with opencv-python).

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// See `data/README.md`.
const TABLE: &str = include_str!("../../data/import-names.txt");

/// Names that differ by more than so many letters are not taken for each other.
const MOST_TYPOS: usize = 2;

/// Of shorter names one letter.
const LONG: usize = 8;

static NAMES: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap_or((line, line))).collect()
});

/// The distribution of PyPI that brings a top-level module, as far as it is a well-known one.
pub fn distribution_of(module: &str) -> Option<&'static str> {
    NAMES.get(module).copied()
}

/// The module that somebody most likely wants who writes a name that nothing has: one of `installed`, or a well-known one.
pub fn meant_by<'n>(module: &str, installed: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let known = installed.into_iter().chain(NAMES.keys().copied());
    let distance = |name: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &module.to_lowercase());
    // Of a short name a letter is already much of it.
    let most = if module.len() < LONG { 1 } else { MOST_TYPOS }.min(module.len() / 3);
    // Another number is another thing, and so is what is not for others.
    let bare = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase();
    let is_other = |name: &str| bare(name) == bare(module) && name.to_lowercase() != module.to_lowercase();
    let known = known.filter(|name| !name.starts_with('_') && !is_other(name));
    let near = known
        .map(|name| (distance(&name), name))
        .filter(|(distance, name)| *distance <= most && *name != module);
    // A package that is called by its module's name is the better known one.
    let is_known_otherwise = |name: &str| NAMES.get(name).is_some_and(|distribution| *distribution != name);
    near.min_by_key(|(distance, name)| (*distance, is_known_otherwise(name))).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_distributions_have_different_names() {
        assert_eq!(distribution_of("cv2"), Some("opencv-python"));
        assert_eq!(distribution_of("sklearn"), Some("scikit-learn"));
        assert_eq!(distribution_of("numpy"), Some("numpy"));
        assert_eq!(distribution_of("no_such_module"), None);
    }

    #[test]
    fn a_slip_of_the_keys_is_recognized() {
        assert_eq!(meant_by("tensroflow", []), Some("tensorflow"));
        assert_eq!(meant_by("Numpy", []), Some("numpy"));
        assert_eq!(meant_by("my_featurs", ["my_features"]), Some("my_features"));
        assert_eq!(meant_by("panda", []), Some("pandas"));
        assert_eq!(meant_by("qt", []), None);
        assert_eq!(meant_by("PySide2", []), None);
        assert_eq!(meant_by("opencv", []), None);
        assert_eq!(meant_by("company_internal_package", []), None);
    }
}
