//! The distributions that provide modules of another name (`cv2` is part of opencv-python).

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The table of modules and distributions, see `data/README.md`.
const TABLE: &str = include_str!("../../data/import-names.txt");

/// The maximum number of typing errors in a name that is corrected.
const MAX_TYPOS: usize = 2;

/// The length below which only one error is corrected.
const LONG_NAME: usize = 8;

static NAMES: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap_or((line, line))).collect()
});

/// Returns the distribution on PyPI that provides a top-level module, if it is a well-known one.
pub fn distribution_of(module: &str) -> Option<&'static str> {
    NAMES.get(module).copied()
}

/// Returns the module that is most likely intended by a misspelled name: one of `installed`, or a
/// well-known one.
pub fn closest_name<'n>(module: &str, installed: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let known = installed.into_iter().chain(NAMES.keys().copied());
    let distance = |name: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &module.to_lowercase());
    // One letter is a large part of a short name.
    let most = if module.len() < LONG_NAME { 1 } else { MAX_TYPOS }.min(module.len() / 3);
    // A name with another number is another module, and a private module is never intended.
    let bare = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase();
    let is_other = |name: &str| bare(name) == bare(module) && name.to_lowercase() != module.to_lowercase();
    let known = known.filter(|name| !name.starts_with('_') && !is_other(name));
    let near = known
        .map(|name| (distance(&name), name))
        .filter(|(distance, name)| *distance <= most && *name != module);
    // Prefer a distribution with the same name as its module, because it is better known.
    let has_other_distribution =
        |name: &str| NAMES.get(name).is_some_and(|distribution| *distribution != name);
    near.min_by_key(|(distance, name)| (*distance, has_other_distribution(name))).map(|(_, name)| name)
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
    fn a_typing_error_is_recognized() {
        assert_eq!(closest_name("tensroflow", []), Some("tensorflow"));
        assert_eq!(closest_name("Numpy", []), Some("numpy"));
        assert_eq!(closest_name("my_featurs", ["my_features"]), Some("my_features"));
        assert_eq!(closest_name("panda", []), Some("pandas"));
        assert_eq!(closest_name("qt", []), None);
        assert_eq!(closest_name("PySide2", []), None);
        assert_eq!(closest_name("opencv", []), None);
        assert_eq!(closest_name("company_internal_package", []), None);
    }
}
