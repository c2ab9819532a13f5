//! Python's standard library: the names of its modules, and the names in them that matter for
//! loading.

mod names;

use std::collections::HashSet;
use std::sync::LazyLock;

pub use names::*;

static STANDARD_LIBRARY: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../../data/standard-library.txt").lines().collect());

/// Whether a top-level module is part of the standard library of some Python 3.
pub fn is_standard(name: &str) -> bool {
    STANDARD_LIBRARY.contains(name)
}

/// Returns the words without which Python code doesn't load a DLL itself and doesn't change where
/// DLLs are searched.
pub(super) fn loading_words() -> impl Iterator<Item = &'static str> {
    words(|effect| matches!(effect, NameEffect::Loads | NameEffect::ChangesDllSearch))
}

/// Returns the words without which a function neither loads anything nor determines what is loaded
/// or where.
pub(super) fn relevant_words() -> impl Iterator<Item = &'static str> {
    words(|effect| !matches!(effect, NameEffect::Decorates(_) | NameEffect::ReadsMachine))
}

/// Whether Python code may load DLLs itself, or change where DLLs or modules are searched.
pub(super) fn may_load(text: &str) -> bool {
    static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| loading_words().collect());
    WORDS.iter().any(|word| text.contains(word)) || may_change_module_path(text)
}

/// Whether Python code may change where modules are found.
pub fn may_change_module_path(text: &str) -> bool {
    static WORDS: LazyLock<Vec<&str>> =
        LazyLock::new(|| words(|effect| effect == NameEffect::ChangesModuleSearch).collect());
    WORDS.iter().any(|word| text.contains(word))
}

/// Returns the words that code contains if it uses one of the names with such an effect.
fn words(counts: impl Fn(NameEffect) -> bool) -> impl Iterator<Item = &'static str> {
    let names = StandardName::all().filter(move |name| name.effect().is_some_and(&counts));
    names.map(|name| {
        // Where other modules have a name like it, as `path`, it counts only with its module.
        let is_common = StandardName::all()
            .any(|other| other.last_part() == name.last_part() && other.effect() != name.effect());
        if is_common { name.dotted() } else { name.last_part() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_follow_from_the_table() {
        let sorted = |words: &mut dyn Iterator<Item = &'static str>| {
            let mut words: Vec<_> = words.collect();
            words.sort_unstable();
            words.join(" ")
        };
        assert_eq!(
            sorted(&mut loading_words()),
            "CDLL LoadLibrary OleDLL PyDLL TF_LoadLibrary WinDLL add_dll_directory cdll dlopen environ \
             load_library oledll putenv pydll windll"
        );
        assert_eq!(
            sorted(&mut words(|effect| effect == NameEffect::ChangesModuleSearch)),
            "addsitedir sys.path"
        );
        assert!(relevant_words().any(|word| word == "_getframe"));
        assert!(relevant_words().all(|word| word != "path" && word != "property"));
    }

    #[test]
    fn every_name_is_found_once() {
        let mut dotted: Vec<_> = StandardName::all().map(StandardName::dotted).collect();
        let count = dotted.len();
        dotted.sort_unstable();
        dotted.dedup();
        assert_eq!(dotted.len(), count);
        for name in StandardName::all() {
            let found = StandardName::find(name.module(), name.last_part());
            assert!(found == Some(name) || found.is_none() && !name.is_reachable(), "{name:?}");
        }
    }
}
