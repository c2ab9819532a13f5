//! What the plan cannot know, by name. An entry that no import makes use of fails the test.

/// A native module that Python loads and the plan does not, or the reverse.
#[derive(Debug)]
pub struct Known {
    /// Its path below the folder of packages, up to the first dot.
    pub file: &'static str,
    /// Why the text does not tell.
    pub reason: &'static str,
}

/// Native modules that Python loads and the plan does not.
pub const MISSED: &[Known] = &[Known {
    file: "gevent/libev/corecext",
    reason: "the event loop is chosen by what one of several classes' tables says when an instance is asked",
}];

/// Native modules that the plan loads and Python does not.
pub const INVENTED: &[Known] = &[
    Known { file: "rapidfuzz/fuzz_cpp", reason: "which of three builds is loaded is the processor's say" },
    Known { file: "rapidfuzz/distance/metrics_cpp", reason: "the same" },
];

/// Imports whose native modules are loaded in another order.
pub const REORDERED: &[Known] = &[Known {
    file: "scipy/sparse",
    reason: "it takes NumPy's lazy modules in the order of a set of strings, that is, of their hashes",
}];

/// The entry of this file.
pub fn of<'k>(known: &'k [Known], file: &str) -> Option<&'k Known> {
    known.iter().find(|known| file.split('.').next() == Some(known.file))
}
