//! Arbitrary bytes for everything that reads what anybody may have written.
//!
//! A [`Target`] hands its input to one reader of WhyDLL, and to all that works with what that has read.
//! Whatever the input, there must be no panic, no hang, and no more than [`MOST_MEMORY`] in use.
//! `fuzz_targets/` has libFuzzer look for such inputs for as long as one likes (`fuzz/run`), and
//! `tests/short.rs` tries some thousands of altered [seeds](Target::seeds) with every test run.

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

/// So much memory may be in use for one input, in bytes.
pub const MOST_MEMORY: usize = 100_000_000;

/// Something that reads what is not trusted.
pub struct Target {
    /// The name of its program in `fuzz_targets/`.
    pub name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [&Target; 10] =
    [&API_SETS, &CODE, &COMPILED, &IMAGE, &LSP, &METADATA, &NOTEBOOK, &SNAPSHOT, &SOURCE, &TRACEBACK];

impl Target {
    /// Reads an input, on a stack such as WhyDLL's own threads have.
    ///
    /// # Panics
    ///
    /// If a reader panics, or more than [`MOST_MEMORY`] was in use.
    pub fn check(&self, input: &[u8]) {
        let before = in_use();
        ALLOCATOR.reset_peak_usage();
        stacker::grow(whydll::source::STACK, || (self.run)(input));
        let used = ALLOCATOR.peak_usage().saturating_sub(before);
        assert!(used <= MOST_MEMORY, "{used} bytes were in use");
    }

    /// Inputs that are as they should be.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        (self.seeds)()
    }
}

/// Memory, in bytes.
fn in_use() -> usize {
    ALLOCATOR.current_usage()
}

/// Seeds that are texts.
fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}
