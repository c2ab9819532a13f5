//! Lines in functions that may load something.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::logical_lines::{end_of_logical_line, indentation};
use crate::source::standard;

/// The extensions of native files.
const NATIVE: [&str; 3] = [".dll", ".pyd", ".so"];

/// Returns a searcher for words in code that may import something, change the module search path,
/// load DLLs, or determine their location.
fn loading_words() -> Option<&'static AhoCorasick> {
    // Most of the source is searched here, so all words are searched at once. Only a combined
    // search uses SIMD instructions.
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let words = ["import"].into_iter().chain(NATIVE).chain(standard::relevant_words());
        AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(words).ok()
    });
    WORDS.as_ref()
}

/// Searches for lines with such words, in bodies ordered by their start. The search of a nested
/// body reuses the result of the outer one. However deeply functions are nested, each line is
/// searched once.
pub(super) struct LoadingLines<'a> {
    text: &'a str,
    /// The outermost body.
    body: Range<usize>,
    /// The end of the searched range.
    at: usize,
    /// The start of the last matching line.
    found: Option<usize>,
}

impl<'a> LoadingLines<'a> {
    pub(super) fn new(text: &'a str) -> LoadingLines<'a> {
        LoadingLines { text, body: 0..0, at: 0, found: None }
    }

    /// Whether a body contains such a line. Lines that are comments or begin with a string don't
    /// count, because examples in docstrings usually contain imports.
    pub(super) fn is_one_in(&mut self, body: &Range<usize>) -> bool {
        let Some(words) = loading_words() else { return true };
        if body.end > self.body.end {
            self.body = body.clone();
            self.at = body.start;
            self.found = None;
            if !self.text.get(body.clone()).is_some_and(|body| words.is_match(body)) {
                self.at = body.end;
            }
        }
        self.at = self.at.max(body.start);
        while self.found.is_none_or(|found| found < body.start) && self.at < self.body.end {
            let bytes = self.text.as_bytes().get(..self.body.end).unwrap_or_default();
            let start = indentation(bytes, self.at).1;
            // Skips the rest if a string or bracket is unclosed.
            self.at = end_of_logical_line(bytes, start).unwrap_or(bytes.len());
            let line = self.text.get(start..self.at).unwrap_or_default();
            let counts = !line.starts_with(['#', '"', '\'']) && !line.starts_with("r\"");
            if counts && words.is_match(line) {
                self.found = Some(start);
            }
        }
        self.found.is_some_and(|found| body.contains(&found))
    }
}
