//! The lines of functions that may load something.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::logical_lines::{end_of_logical_line, indentation};
use crate::source::prelude::LOADING_WORDS;
/// How the names of native files end.
const NATIVE: [&str; 3] = [".dll", ".pyd", ".so"];

/// What may import something, change where modules are searched, load DLLs or find out where they are.
fn loading_words() -> Option<&'static AhoCorasick> {
    // Most of the text that there is goes through here, so all words are searched at once; only so the search makes use of
    // instructions that look at many bytes.
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let words = ["import", "sys.path", "_getframe"].iter().chain(&NATIVE).chain(&LOADING_WORDS);
        AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(words).ok()
    });
    WORDS.as_ref()
}

/// Looks for the lines with such words, in bodies in the order of their beginnings. Where one is within another it goes on with
/// what it knows of that: however deep functions nest, a line is looked at once.
pub(super) struct LoadingLines<'a> {
    text: &'a str,
    /// The outermost body.
    body: Range<usize>,
    /// How far it is searched.
    at: usize,
    /// Where the last line with such a word begins that was found.
    found: Option<usize>,
}

impl<'a> LoadingLines<'a> {
    pub(super) fn new(text: &'a str) -> LoadingLines<'a> {
        LoadingLines { text, body: 0..0, at: 0, found: None }
    }

    /// Whether there is one in a body. Lines that are comments or begin with a string do not count: examples in docstrings import
    /// most often.
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
            // All that is left, where a string or bracket stays open.
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
