//! Blanks out the function bodies of a module that cannot matter, before it is parsed.
//!
//! Two thirds of the text of large packages are bodies of functions that neither import nor load
//! anything. Finding where they end needs no syntax tree: indentation, brackets and quotes tell. Every byte
//! keeps its place, so that offsets and lines stay true.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::prelude::may_load;
use super::prune::NATIVE;

/// A body of at most so many bytes is kept: it may be a single `return` whose value decides something.
const SHORT: usize = 200;

/// A function definition, by its place in the text.
#[derive(Debug, PartialEq)]
struct Definition<'a> {
    name: &'a str,
    /// From the first line of the body to the line after it.
    body: Range<usize>,
    keep: bool,
}

/// Whether a body may import something, change where modules are searched, load DLLs or find out where they are.
fn matters(body: &str) -> bool {
    ["import", "sys.path", "_getframe"].iter().chain(&NATIVE).any(|word| body.contains(word))
        || may_load(body)
}

/// The text with the bodies that do not matter blanked out; none if the text is not understood, or has none.
pub(super) fn without_inert_bodies(text: &str) -> Option<String> {
    let mut definitions = definitions(text)?;
    for definition in &mut definitions {
        let body = text.get(definition.body.clone())?;
        definition.keep = body.len() <= SHORT || matters(body);
    }
    keep_callers(text, &mut definitions);
    let mut bytes = text.as_bytes().to_vec();
    let mut blanked = false;
    let mut end_of_kept = 0;
    let mut end_of_blank = 0;
    for definition in &definitions {
        // Within a body that is kept, nested functions are kept with it; within a blank one all is blank.
        if definition.keep {
            end_of_kept = end_of_kept.max(definition.body.end);
        }
        let nested = definition.body.start < end_of_kept || definition.body.start < end_of_blank;
        if definition.keep || nested {
            continue;
        }
        end_of_blank = definition.body.end;
        blank(bytes.get_mut(definition.body.clone())?);
        blanked = true;
    }
    if !blanked {
        return None;
    }
    // Only whole lines were replaced, by ASCII.
    String::from_utf8(bytes).ok()
}

/// A body becomes a single `0` at its own indentation, and a long comment of nothing, which the parser passes over at once.
fn blank(body: &mut [u8]) {
    let indent = body.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0c')).count();
    let ends_line = body.last() == Some(&b'\n');
    for byte in body.iter_mut().skip(indent) {
        *byte = b' ';
    }
    if let Some(start) = body.get_mut(indent..indent + 2) {
        start.copy_from_slice(b"0#");
    }
    if let Some(last) = body.last_mut().filter(|_| ends_line) {
        *last = b'\n';
    }
}

/// A function that calls one which matters matters too.
fn keep_callers(text: &str, definitions: &mut [Definition<'_>]) {
    let loads = |definition: &Definition<'_>| definition.keep && definition.body.len() > SHORT;
    let mut loading: Vec<&str> = definitions.iter().filter(|d| loads(d)).map(|d| d.name).collect();
    if loading.is_empty() {
        return;
    }
    let mut callers: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (index, definition) in definitions.iter().enumerate().filter(|(_, definition)| !definition.keep) {
        for name in called(text.get(definition.body.clone()).unwrap_or_default()) {
            let known = callers.entry(name).or_default();
            if known.last() != Some(&index) {
                known.push(index);
            }
        }
    }
    while let Some(name) = loading.pop() {
        for index in callers.remove(name).unwrap_or_default() {
            if let Some(caller) = definitions.get_mut(index).filter(|caller| !caller.keep) {
                caller.keep = true;
                loading.push(caller.name);
            }
        }
    }
}

/// The names that are called in `body`, as far as its text tells.
fn called(body: &str) -> impl Iterator<Item = &str> {
    memchr::memchr_iter(b'(', body.as_bytes()).filter_map(|at| {
        let before = body.get(..at)?;
        let start = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        (!start.ends_with('.')).then(|| before.get(start.len()..)).flatten()
    })
}

/// All function definitions with a body on lines of its own, in the order of their bodies' beginnings. None
/// where brackets or quotes do not close.
fn definitions(text: &str) -> Option<Vec<Definition<'_>>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Definition<'_>> = Vec::new();
    // Definitions whose body has begun, with their indentation.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut header: Option<(&str, usize)> = None;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let (indent, content) = indentation(bytes, start);
        let next = end_of_logical_line(bytes, content)?;
        let first = bytes.get(content).copied().unwrap_or(b'\n');
        if !matches!(first, b'\n' | b'\r' | b'#') {
            if let Some((name, depth)) = header.take()
                && indent > depth
            {
                open.push((found.len(), depth));
                found.push(Definition { name, body: start..bytes.len(), keep: false });
            }
            while let Some((index, depth)) = open.last().copied() {
                if indent > depth {
                    break;
                }
                open.pop();
                if let Some(definition) = found.get_mut(index) {
                    definition.body.end = start;
                }
            }
            header = function_name(text.get(content..next).unwrap_or_default()).map(|name| (name, indent));
        }
        at = next;
    }
    Some(found)
}

/// Columns of white space at the beginning of a line, and where it ends.
fn indentation(bytes: &[u8], start: usize) -> (usize, usize) {
    let mut column = 0;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' => column += 1,
            b'\t' => column = (column / 8 + 1) * 8,
            b'\x0c' => column = 0,
            _ => break,
        }
        at += 1;
    }
    (column, at)
}

/// `f` of `def f(x):`
fn function_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line).trim_start();
    let rest = line.strip_prefix("def ")?.trim_start();
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    Some(&rest[..end])
}

/// The beginning of the line after the logical line that goes through `at`. None where a string or bracket
/// stays open.
fn end_of_logical_line(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_u32;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' if depth == 0 => return Some(at + 1),
            b'#' => at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length),
            b'\'' | b'"' => at = end_of_string(bytes, at)?,
            b'\\' => at += if bytes.get(at + 1) == Some(&b'\r') { 3 } else { 2 },
            b'(' | b'[' | b'{' => {
                depth += 1;
                at += 1;
            }
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ => at += plain(&bytes[at..]),
        }
    }
    (depth == 0).then_some(bytes.len())
}

/// How many bytes from the first one on mean nothing to the end of a line; at least that one.
fn plain(bytes: &[u8]) -> usize {
    const SPECIAL: [bool; 256] = {
        let mut special = [false; 256];
        let mut at = 0;
        while at < b"\n#'\"\\()[]{}".len() {
            special[b"\n#'\"\\()[]{}"[at] as usize] = true;
            at += 1;
        }
        special
    };
    let rest = bytes.iter().skip(1).position(|byte| SPECIAL[usize::from(*byte)]);
    rest.map_or(bytes.len(), |skipped| skipped + 1)
}

/// The place after the string that begins at `at`. A backslash protects the next character in raw strings
/// too, as far as the end of the string is concerned.
fn end_of_string(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = *bytes.get(at)?;
    let triple = bytes.get(at + 1) == Some(&quote) && bytes.get(at + 2) == Some(&quote);
    let mut at = at + if triple { 3 } else { 1 };
    loop {
        // In a long string, a docstring most often, nearly every byte is neither quote nor backslash.
        at += memchr::memchr3(quote, b'\\', if triple { quote } else { b'\n' }, bytes.get(at..)?)?;
        match *bytes.get(at)? {
            b'\\' => at += 2,
            b'\n' => return None,
            _ if !triple => return Some(at + 1),
            _ if bytes.get(at + 1) == Some(&quote) && bytes.get(at + 2) == Some(&quote) => {
                return Some(at + 3);
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::without_inert_bodies;

    /// Bodies of more than 200 bytes are made by repeating a line.
    fn check(text: &str, expected: Expect) {
        let long = "        value = compute(value) + 1\n".repeat(8);
        let text = text.replace("    LONG\n", &long);
        let out = without_inert_bodies(&text).unwrap_or_else(|| "unchanged".to_owned());
        let shown: Vec<String> = out.lines().map(|line| line.trim_end().to_owned()).collect();
        expected.assert_eq(&(shown.join("\n") + "\n"));
        if out != "unchanged" {
            assert_eq!(out.len(), text.len());
        }
    }

    #[test]
    fn a_long_body_that_loads_nothing_is_blanked() {
        check(
            "import a\ndef f(x,\n      y):\n    LONG\nimport b\n",
            expect![[r#"
                import a
                def f(x,
                      y):
                        0#
                import b
            "#]],
        );
    }

    #[test]
    fn a_body_that_loads_and_its_callers_are_kept() {
        check(
            "def f():\n    LONG\n        import c\ndef g():\n    LONG\n        f()\ndef h():\n    LONG\n",
            expect![[r#"
                def f():
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        import c
                def g():
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        value = compute(value) + 1
                        f()
                def h():
                        0#
            "#]],
        );
    }

    #[test]
    fn quotes_brackets_and_comments_do_not_end_a_body() {
        check(
            "class A:\n    def f(self):\n    LONG\n        x = '''\nimport a\n'''\n        y = (1,\n2)\n# note\n        z = r'\\''\n    b = 1\nimport c\n",
            expect![[r#"
                unchanged
            "#]],
        );
    }

    #[test]
    fn a_text_that_does_not_close_is_left_alone() {
        check(
            "def f():\n    LONG\n    x = 'open\n",
            expect![[r#"
            unchanged
        "#]],
        );
        check(
            "x = (\ndef f():\n    LONG\n",
            expect![[r#"
            unchanged
        "#]],
        );
    }
}
