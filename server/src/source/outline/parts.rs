//! The parts of a module that can be removed, found by indentation, brackets, and quotes.

use std::ops::Range;

use crate::source::script::{Decoration, LeftOut, Span};
use crate::source::standard;

use super::logical_lines::{end_of_bracket, end_of_logical_line, end_of_string, indentation};

/// The size, in bytes, up to which a part is kept. A short one may be a single `return` whose value
/// decides something.
pub(super) const MAX_SHORT: usize = 200;

/// The replacement for statements in a block, which can't be empty.
pub(super) const STATEMENT: &str = "0";

/// The beginnings of import statements.
const IMPORTS: [&str; 2] = ["from ", "import "];

/// A part of the source that can be removed.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub kind: PartKind,
    /// The name of a function or table, empty for other parts.
    pub name: &'a str,
    /// The start of a function or of its first decorator. Otherwise the same as `rest`.
    pub first: usize,
    /// The start of the removed range: the first decorator of a method or top-level function, the
    /// end of the name of another function.
    pub rest: usize,
    /// The range from the first line of a function's body to the line after it. Otherwise the
    /// statement with its line end.
    pub body: Range<usize>,
    /// Whether the part is kept.
    pub keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PartKind {
    Function,
    Method,
    /// A statement that consists of a string.
    Docstring,
    /// The arguments in `name = Class(…)`. An instance is unknown regardless of its arguments.
    Arguments,
    /// `name = (1, 2, …)` at the top level, thousands of characters long.
    Numbers,
    /// An import statement at the top level.
    Import,
}

impl PartKind {
    /// Returns the replacement of the part, within a block.
    pub fn replacement(self) -> &'static str {
        match self {
            PartKind::Function => "():0",
            PartKind::Method | PartKind::Docstring => STATEMENT,
            PartKind::Arguments => ")",
            PartKind::Import | PartKind::Numbers => "",
        }
    }
}

impl Part<'_> {
    /// Returns the position, line, and decoration of a function. Returns `None` for a definition
    /// that only adds a setter or deleter to a property.
    pub fn definition(&self, text: &str, line: u32) -> Option<LeftOut> {
        let start = u32::try_from(self.first).ok()?;
        let end = u32::try_from(self.body.end).ok()?;
        let mut decoration = Decoration::None;
        for line in text.get(self.first..self.body.start)?.lines() {
            let Some(decorator) = line.trim_start().strip_prefix('@') else { continue };
            let name = decorator.split(['(', ' ', '#']).next().unwrap_or_default();
            match name.rsplit('.').next().unwrap_or_default() {
                "setter" | "deleter" => return None,
                name => decoration = standard::decoration(name).unwrap_or(decoration),
            }
        }
        Some(LeftOut { name: self.name.into(), at: Span { start, end, line }, decoration })
    }
}

/// The first line of a definition, until it is known whether a body on separate lines follows.
struct Header<'a> {
    /// The name of a function and the end of the name.
    function: Option<(&'a str, usize)>,
    /// The start of the definition or of its first decorator.
    first: usize,
    depth: usize,
}

/// A definition whose body has begun: the index of its part if it is a function, and its
/// indentation.
struct OpenDefinition {
    function: Option<usize>,
    depth: usize,
}

/// Finds all functions with a body on separate lines, long docstrings, long argument lists, long
/// tables of numbers, and top-level imports, ordered by their start. Returns `None` if brackets or
/// quotes are unclosed.
pub(super) fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Part<'_>> = Vec::new();
    let mut open: Vec<OpenDefinition> = Vec::new();
    let mut header: Option<Header<'_>> = None;
    let mut decorators = None;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let (indent, content) = indentation(bytes, start);
        let next = end_of_logical_line(bytes, content)?;
        let sign = bytes.get(content).copied().unwrap_or(b'\n');
        if !matches!(sign, b'\n' | b'\r' | b'#') {
            if let Some(Header { function, first, depth }) = header.take()
                && indent > depth
            {
                let is_method = open.last().is_some_and(|around| around.function.is_none());
                open.push(OpenDefinition { function: function.map(|_| found.len()), depth });
                found.extend(function.map(|(name, name_end)| Part {
                    kind: if is_method { PartKind::Method } else { PartKind::Function },
                    name,
                    first,
                    rest: if is_method || depth == 0 { first } else { name_end },
                    body: start..bytes.len(),
                    keep: false,
                }));
            }
            while let Some(OpenDefinition { function, depth }) = open.last() {
                if indent > *depth {
                    break;
                }
                if let Some(function) = function.and_then(|index| found.get_mut(index)) {
                    function.body.end = start;
                }
                open.pop();
            }
            let first = decorators.take().unwrap_or(content);
            if sign == b'@' {
                decorators = Some(first);
            } else {
                let function = matches!(sign, b'a' | b'c' | b'd').then(|| header_of(text, content)).flatten();
                header = function.map(|function| Header { function, first, depth: indent });
            }
            let statement = text.get(content..next)?;
            let is_on_top_level = indent == 0 && open.is_empty() && first == content;
            let part = |kind, name, rest| {
                Some(Part {
                    kind,
                    name,
                    first: content,
                    rest: content + rest,
                    body: content..next,
                    keep: false,
                })
            };
            found.extend(if is_on_top_level && IMPORTS.iter().any(|import| statement.starts_with(import)) {
                part(PartKind::Import, "", 0)
            } else if statement.len() <= MAX_SHORT {
                None
            } else if is_docstring(statement) {
                part(PartKind::Docstring, "", 0)
            } else if let Some(rest) = arguments_of_class(statement) {
                part(PartKind::Arguments, "", rest)
            } else if is_on_top_level && let Some(name) = table_of_numbers(statement) {
                part(PartKind::Numbers, name, 0)
            } else {
                None
            });
        }
        at = next;
    }
    Some(found)
}

/// Whether a statement consists of a string.
fn is_docstring(statement: &str) -> bool {
    let string = usize::from(statement.starts_with('r'));
    let is_quoted = statement.get(string..).is_some_and(|text| text.starts_with(['\'', '"']));
    let rest = || end_of_string(statement.as_bytes(), string).and_then(|end| statement.get(end..));
    is_quoted && rest().is_some_and(|rest| rest.trim_ascii().is_empty())
}

/// Splits `name = value`.
fn assignment(statement: &str) -> Option<(&str, &str)> {
    let (name, value) = statement.split_once('=')?;
    let name = name.trim_ascii_end();
    name.bytes().all(is_part_of_name).then(|| (name, value.trim_ascii()))
}

fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Returns the start of the arguments in `name = module.Class(…)`.
fn arguments_of_class(statement: &str) -> Option<usize> {
    let (_, value) = assignment(statement)?;
    let open = value.find('(')?;
    let class = value.get(..open)?;
    // Classes are recognized by their names (PEP 8).
    let is_class = class.rsplit('.').next()?.starts_with(|first: char| first.is_ascii_uppercase());
    let is_call = is_class
        && class.bytes().all(|byte| is_part_of_name(byte) || byte == b'.')
        && end_of_bracket(value.as_bytes(), open) == Some(value.len());
    is_call.then(|| statement.find('(').map(|open| open + 1))?
}

/// Returns the name in a long `name = …` whose value consists only of numbers.
fn table_of_numbers(statement: &str) -> Option<&str> {
    const MIN_TABLE: usize = 1024;
    let (name, value) = assignment(statement).filter(|(_, value)| value.len() > MIN_TABLE)?;
    let bytes = value.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => at += memchr::memchr(b'\n', &bytes[at..])?,
            byte if byte.is_ascii_alphabetic() && at > 0 && bytes[at - 1].is_ascii_alphanumeric() => at += 1,
            b'0'..=b'9' | b' ' | b'\t' | b'\r' | b'\n' | b',' | b'.' | b':' | b'-' | b'+' => at += 1,
            b'(' | b'[' | b'{' | b'}' | b']' | b')' => at += 1,
            _ => return None,
        }
    }
    Some(name)
}

/// Returns the name `f` and its end for `def f(x):` at `start`, no name for `class A:`, and `None`
/// for other lines.
fn header_of(text: &str, start: usize) -> Option<Option<(&str, usize)>> {
    let line = text.get(start..)?;
    if line.starts_with("class ") {
        return Some(None);
    }
    let rest = line.strip_prefix("async ").unwrap_or(line).trim_start_matches(' ');
    let rest = rest.strip_prefix("def ")?.trim_start_matches(' ');
    let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    Some(Some((&rest[..length], text.len() - rest.len() + length)))
}
