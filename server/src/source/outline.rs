//! Blanks out the functions of a module that cannot matter, but for their names, before it is parsed.
//!
//! Two thirds of the text of large packages are bodies of functions that neither import nor load
//! anything, and methods, which are never followed. Finding where they end needs no syntax tree: indentation,
//! brackets and quotes tell. Every byte that stays keeps its place, so that offsets and lines stay true.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use rustc_hash::FxHashMap;

use super::prelude::LOADING_WORDS;
use super::prune::NATIVE;

/// A body of at most so many bytes is kept: it may be a single `return` whose value decides something.
const SHORT: usize = 200;

/// A function definition, by its place in the text.
#[derive(Debug, PartialEq)]
struct Definition<'a> {
    name: &'a str,
    /// What goes when the function does: of a method all from its first decorator on, of others what stands behind the name.
    rest: usize,
    /// From the first line of the body to the line after it.
    body: Range<usize>,
    is_method: bool,
    keep: bool,
}

/// Whether a body may import something, change where modules are searched, load DLLs or find out where they are.
fn matters(body: &str) -> bool {
    // Most of the text that there is goes through here, so all words are searched at once; only so the search makes use of
    // instructions that look at many bytes.
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let words = ["import", "sys.path", "_getframe"].iter().chain(&NATIVE).chain(&LOADING_WORDS);
        AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(words).ok()
    });
    let Some(words) = &*WORDS else { return true };
    // Examples in docstrings import most often.
    words.is_match(body) && logical_lines(body).any(|line| words.is_match(line))
}

/// The logical lines of a body that are neither comments nor begin with a string; all that is left where a string or bracket stays open.
fn logical_lines(body: &str) -> impl Iterator<Item = &str> {
    let bytes = body.as_bytes();
    let mut at = 0;
    let lines = std::iter::from_fn(move || {
        let start = indentation(bytes, at).1;
        if start >= bytes.len() {
            return None;
        }
        at = end_of_logical_line(bytes, start).unwrap_or(bytes.len());
        Some(body.get(start..at).unwrap_or_default())
    });
    lines.filter(|line| !line.starts_with(['#', '"', '\'']) && !line.starts_with("r\""))
}

/// The text with the functions that do not matter reduced to their names; none if the text is not understood, or has none.
pub(super) fn without_inert_bodies(text: &str) -> Option<String> {
    let mut definitions = definitions(text)?;
    for definition in definitions.iter_mut().filter(|definition| !definition.is_method) {
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
        let rest = bytes.get_mut(definition.rest..definition.body.end)?;
        blank(rest, if definition.is_method { b"0#" } else { b"():0#" });
        blanked = true;
    }
    if !blanked {
        return None;
    }
    // What was replaced, by ASCII, begins where a name ends or a line does, and ends with a line.
    String::from_utf8(bytes).ok()
}

/// A method becomes a single `0`, and what follows the name of another function a body of it; then comes a long comment of nothing,
/// which the parser passes over at once.
fn blank(rest: &mut [u8], by: &[u8]) {
    let ends_line = rest.last() == Some(&b'\n');
    rest.fill(b' ');
    if let Some(start) = rest.get_mut(..by.len()) {
        start.copy_from_slice(by);
    }
    if let Some(last) = rest.last_mut().filter(|_| ends_line) {
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
    for (index, definition) in definitions.iter().enumerate() {
        if definition.keep || definition.is_method {
            continue;
        }
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

/// The first line of a definition, while it is not known whether lines of its own follow.
struct Header<'a> {
    /// Of a function its name, and where that ends.
    function: Option<(&'a str, usize)>,
    /// Where it begins, or its first decorator.
    first: usize,
    depth: usize,
}

/// A definition whose body has begun: its place among those found if it is a function's, and its indentation.
struct Open {
    function: Option<usize>,
    depth: usize,
}

/// All function definitions with a body on lines of its own, in the order of their bodies' beginnings. None
/// where brackets or quotes do not close.
fn definitions(text: &str) -> Option<Vec<Definition<'_>>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Definition<'_>> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
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
                open.push(Open { function: function.map(|_| found.len()), depth });
                found.extend(function.map(|(name, name_end)| Definition {
                    name,
                    rest: if is_method { first } else { name_end },
                    body: start..bytes.len(),
                    is_method,
                    keep: false,
                }));
            }
            while let Some(Open { function, depth }) = open.last() {
                if indent > *depth {
                    break;
                }
                if let Some(definition) = function.and_then(|index| found.get_mut(index)) {
                    definition.body.end = start;
                }
                open.pop();
            }
            let first = decorators.take().unwrap_or(content);
            if sign == b'@' {
                decorators = Some(first);
            } else {
                header = header_of(text, content).map(|function| Header { function, first, depth: indent });
            }
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

/// Of `def f(x):` at `start` the name `f` and where it ends; of `class A:` no name; of other lines nothing.
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
        let shown: String = out.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        expected.assert_eq(&shown.replace(&long, "    LONG\n"));
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
                def f():0#
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
                    LONG
                        import c
                def g():
                    LONG
                        f()
                def h():0#
            "#]],
        );
    }

    #[test]
    fn quotes_brackets_and_comments_do_not_end_a_body() {
        check(
            "class A:\n    def f(self):\n    LONG\n        x = '''\nimport a\n'''\n        y = (1,\n2)\n# note\n        z = r'\\''\n    b = 1\nimport c\n",
            expect![[r#"
                class A:
                    0#
                    b = 1
                import c
            "#]],
        );
    }

    #[test]
    fn methods_are_never_followed() {
        check(
            "class A:\n    'About A'\n    @property\n    @other(\n        1)\n    # a note\n    def f(self): # of f\n        import b\n\n    async def g(self):\n        pass\n    def h(self): return 1\n    class B:\n        def f(self):\n            pass\n    c = 1\ndef f():\n    class D:\n        def f(self):\n            import e\n    return D\n",
            expect![[r#"
                class A:
                    'About A'
                    0#
                    0#
                    def h(self): return 1
                    class B:
                        0#
                    c = 1
                def f():
                    class D:
                        def f(self):
                            import e
                    return D
            "#]],
        );
    }

    #[test]
    fn what_docstrings_and_comments_tell_of_is_not_done() {
        check(
            "def f():\n    \"\"\"For example:\n\n    import a\n    \"\"\"\n    # import a\n    LONG\ndef g():\n    r\"import a\"\n    LONG\ndef h():\n    LONG\n        x = 'import a'\n",
            expect![[r#"
                def f():0#
                def g():0#
                def h():
                    LONG
                        x = 'import a'
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
