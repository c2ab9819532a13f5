//! Line starts, and columns in the units of editors.

use std::cell::Cell;

/// A position in a document: the 0-based line, and the column in UTF-16 code units, which is LSP's
/// default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The 0-based line.
    pub line: u32,
    /// The 0-based column, in UTF-16 code units.
    pub character: u32,
}

/// A range from `start` up to, but not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first position in the range.
    pub start: Position,
    /// The position after the range.
    pub end: Position,
}

/// The byte offsets of the line starts of a document. A line ends with `\n`, `\r\n`, or `\r`.
#[derive(Debug, Clone)]
pub struct LineIndex {
    starts: Vec<u32>,
    /// For each character with more bytes than UTF-16 units, its end and the cumulative surplus up
    /// to there. With this, finding a column takes the same time anywhere in a line, however long.
    surplus: Vec<(u32, u32)>,
}

impl LineIndex {
    /// Indexes `text` (up to 4 GiB, which is also the limit of the parser).
    pub fn new(text: &str) -> LineIndex {
        let bytes = text.as_bytes();
        let ends = memchr::memchr2_iter(b'\n', b'\r', bytes);
        let ends = ends.filter(|at| bytes.get(*at) == Some(&b'\n') || bytes.get(at + 1) != Some(&b'\n'));
        let starts = ends.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX));
        let starts = std::iter::once(0).chain(starts).collect();
        let mut surplus = Vec::new();
        if !text.is_ascii() {
            let mut more = 0;
            for (at, c) in text.char_indices().filter(|(_, c)| !c.is_ascii()) {
                more += (c.len_utf8() - c.len_utf16()) as u32;
                surplus.push((u32::try_from(at + c.len_utf8()).unwrap_or(u32::MAX), more));
            }
        }
        LineIndex { starts, surplus }
    }

    /// Returns the number of bytes in excess of UTF-16 units before a byte offset.
    fn surplus_before(&self, offset: usize) -> usize {
        let after = self.surplus.partition_point(|(end, _)| *end as usize <= offset);
        after.checked_sub(1).and_then(|last| self.surplus.get(last)).map_or(0, |(_, more)| *more as usize)
    }

    /// Returns the 0-based line of a byte offset.
    pub fn line_of(&self, offset: usize) -> u32 {
        let after = self.starts.partition_point(|start| *start as usize <= offset);
        u32::try_from(after.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Returns the position of a byte offset in `text`, which must be the indexed document.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let line = self.line_of(offset);
        let start = self.starts.get(line as usize).map_or(0, |s| *s as usize);
        let offset = offset.min(text.len());
        let surplus = self.surplus_before(offset).saturating_sub(self.surplus_before(start));
        let character = offset.saturating_sub(start).saturating_sub(surplus);
        Position { line, character: u32::try_from(character).unwrap_or(u32::MAX) }
    }

    /// Returns the byte offset of a position. A position beyond the end of a line or of the
    /// document is clamped to it, as LSP requires.
    pub fn offset(&self, text: &str, position: Position) -> usize {
        let Some(start) = self.starts.get(position.line as usize) else {
            return text.len();
        };
        let start = *start as usize;
        let end = self.starts.get(position.line as usize + 1).map_or(text.len(), |end| *end as usize);
        let line = text.get(start..end).unwrap_or_default();
        let line = line.trim_end_matches(['\n', '\r']);
        let mut units = 0;
        for (at, c) in line.char_indices() {
            if units >= position.character {
                return start + at;
            }
            units += c.len_utf16() as u32;
        }
        start + line.len()
    }
}

/// Counts the line ends in a string.
pub(super) fn line_ends(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let returns = memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count();
    u32::try_from(memchr::memchr_iter(b'\n', bytes).count() + returns).unwrap_or(u32::MAX)
}

/// A place where lines were removed from the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// The position in the remaining source, in bytes.
    pub at: usize,
    /// The number of lines removed up to here.
    pub lines: u32,
}

/// Computes the lines of positions that are queried roughly in order. For few queries, counting is
/// cheaper than an index.
pub(super) struct LineCounter<'a> {
    text: &'a str,
    cuts: &'a [Cut],
    /// The last queried position and its line in the remaining source.
    last: Cell<(usize, u32)>,
}

impl<'a> LineCounter<'a> {
    /// Creates a counter for source that lacks lines at these places, in order.
    pub fn new(text: &'a str, cuts: &'a [Cut]) -> LineCounter<'a> {
        LineCounter { text, cuts, last: Cell::default() }
    }

    /// Returns the same as [`LineIndex::line_of`] for the complete source, given a byte offset in
    /// the remaining source.
    pub fn line_of(&self, offset: usize) -> u32 {
        let (last, line) = self.last.get();
        let ends = line_ends(self.text.get(offset.min(last)..offset.max(last)).unwrap_or_default());
        let line = if offset < last { line.saturating_sub(ends) } else { line + ends };
        self.last.set((offset, line));
        let cuts = self.cuts.partition_point(|cut| cut.at <= offset);
        line + cuts.checked_sub(1).and_then(|cut| self.cuts.get(cut)).map_or(0, |cut| cut.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_they_are_indexed() {
        let text = "a\nb\r\n\r\rc\n\r\n😀\rd";
        let (counter, index) = (LineCounter::new(text, &[]), LineIndex::new(text));
        // No statement or expression begins within a character or a line end.
        let places =
            || (0..=text.len()).filter(|at| text.is_char_boundary(*at) && !text[..*at].ends_with('\r'));
        for from in places() {
            for to in places() {
                assert_eq!(counter.line_of(from), index.line_of(from), "at {from}");
                assert_eq!(counter.line_of(to), index.line_of(to), "from {from} to {to}");
            }
        }
    }

    #[test]
    fn columns_are_utf_16_units() {
        let text = "s = \"😀é\"; import x\r\nsecond\rthird\n";
        let lines = LineIndex::new(text);
        let at = text.find("import").unwrap();
        let position = lines.position(text, at);
        assert_eq!(position, Position { line: 0, character: 11 });
        assert_eq!(lines.offset(text, position), at);
        let third = text.find("third").unwrap();
        assert_eq!(lines.position(text, third), Position { line: 2, character: 0 });
        // Positions beyond the end of a line or of the document are clamped to it.
        assert_eq!(lines.offset(text, Position { line: 1, character: 99 }), third - 1);
        assert_eq!(lines.offset(text, Position { line: 99, character: 0 }), text.len());
    }
}
