//! Arbitrary bytes for every parser of untrusted input.
//!
//! A [`Target`] passes its input to one reader of WhyDLL, and the result to everything that uses
//! it. No input may cause a panic, a hang, or use more than [`MAX_MEMORY`]. `fuzz_targets/` lets
//! libFuzzer search for such inputs (`fuzz/run`), and `tests/short.rs` tries some thousands of
//! altered [seeds](Target::seeds) in every test run.

mod api_sets;
mod code;
mod compiled;
mod image;
mod lsp;
mod machine;
mod metadata;
mod notebook;
mod snapshot;
mod source;
mod traceback;

use peak_alloc::PeakAlloc;

pub use api_sets::API_SETS;
pub use code::CODE;
pub use compiled::COMPILED;
pub use image::IMAGE;
pub use lsp::LSP;
pub use metadata::METADATA;
pub use notebook::NOTEBOOK;
pub use snapshot::SNAPSHOT;
pub use source::SOURCE;
pub use traceback::TRACEBACK;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The maximum amount of memory in use for one input, in bytes.
pub const MAX_MEMORY: usize = 100_000_000;

/// A reader of untrusted input.
pub struct Target {
    /// The name of its program in `fuzz_targets/`.
    pub name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: [&Target; 10] =
    [&API_SETS, &CODE, &COMPILED, &IMAGE, &LSP, &METADATA, &NOTEBOOK, &SNAPSHOT, &SOURCE, &TRACEBACK];

impl Target {
    /// Reads an input, on a stack as large as that of WhyDLL's own threads.
    ///
    /// # Panics
    ///
    /// If a reader panics, or more than [`MAX_MEMORY`] was in use.
    pub fn check(&self, input: &[u8]) {
        let before = in_use();
        ALLOCATOR.reset_peak_usage();
        stacker::grow(whydll::source::STACK, || (self.run)(input));
        let used = ALLOCATOR.peak_usage().saturating_sub(before);
        assert!(used <= MAX_MEMORY, "{used} bytes were in use");
    }

    /// Returns valid inputs.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        (self.seeds)()
    }
}

/// Returns the memory in use, in bytes.
fn in_use() -> usize {
    ALLOCATOR.current_usage()
}

/// Returns strings as seeds.
fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}
