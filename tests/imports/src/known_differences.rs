//! Differences that the plan cannot know about, by name. An entry that no import needs fails the
//! test.

/// A native module on which Python and the plan differ.
#[derive(Debug)]
pub struct Known {
    /// Its path in the directory of packages, up to the first dot.
    pub file: &'static str,
    /// Why the source doesn't show it.
    pub reason: &'static str,
}

/// Native modules that only Python loads.
pub const MISSED: &[Known] = &[Known {
    file: "gevent/libev/corecext",
    reason: "the event loop is chosen by what one of several classes' tables says when an instance is asked",
}];

/// Native modules that only the plan loads.
pub const INVENTED: &[Known] = &[
    Known { file: "rapidfuzz/fuzz_cpp", reason: "which of three builds is loaded is the processor's say" },
    Known { file: "rapidfuzz/distance/metrics_cpp", reason: "the same" },
];

/// Imports whose native modules are loaded in a different order.
pub const REORDERED: &[Known] = &[Known {
    file: "scipy/sparse",
    reason: "it takes NumPy's lazy modules in the order of a set of strings, that is, of their hashes",
}];

/// Returns the entry of a file.
pub fn of<'k>(known: &'k [Known], file: &str) -> Option<&'k Known> {
    known.iter().find(|known| file.split('.').next() == Some(known.file))
}
