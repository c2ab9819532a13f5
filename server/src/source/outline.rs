//! Leaves out what of a module cannot matter before it is parsed.
//!
//! Three quarters of the text of large packages are bodies of functions that neither import nor load
//! anything, methods, which are never followed, docstrings, and what instances of classes are made of. Finding where they
//! end needs no syntax tree: indentation, brackets and quotes tell. Of the lines that are left out the number is kept.
//! What is left is import statements most of all, and those of the top level are read here too.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use rustc_hash::FxHashMap;

use super::import_lines;
use super::lines::{Cut, line_ends};
use super::prelude::LOADING_WORDS;
use super::prune::{NATIVE, opaque};
use super::script::Stmt;

/// A part of at most so many bytes is kept: it may be a single `return` whose value decides something.
const SHORT: usize = 200;

/// Stands for statements, where a block needs one.
const STATEMENT: &str = "0";

/// How import statements begin.
const IMPORTS: [&str; 2] = ["from ", "import "];

/// A part of the text that may be left out.
#[derive(Debug)]
struct Part<'a> {
    kind: PartKind,
    /// Of a function or table; others have none.
    name: &'a str,
    /// Where what goes begins: of a method, and a function of the top level, at its first decorator; of other functions
    /// behind the name.
    rest: usize,
    /// From the first line of a function's body to the line after it; of others the statement, with the end of the line.
    body: Range<usize>,
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum PartKind {
    Function,
    Method,
    /// A statement that is a string.
    Docstring,
    /// The arguments in `name = Class(…)`: an instance is not known by what it is made of.
    Arguments,
    /// `name = (1, 2, …)` on the top level, thousands of characters long.
    Numbers,
    /// An import statement of the top level.
    Import,
}

impl PartKind {
    /// What stands for the part, within a block.
    fn remains(self) -> &'static str {
        match self {
            PartKind::Function => "():0",
            PartKind::Method | PartKind::Docstring => STATEMENT,
            PartKind::Arguments => ")",
            PartKind::Import | PartKind::Numbers => "",
        }
    }
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

/// The text of a module without the parts that do not matter.
#[derive(Default)]
pub(super) struct Outline {
    pub text: String,
    /// Where lines were left out, in order.
    pub cuts: Vec<Cut>,
    /// Statements of the top level that are left out since they are read already, in order.
    pub statements: Vec<Read>,
}

/// A statement that was read without the parser.
pub(super) struct Read {
    /// Where it stood, in bytes of the text that is left.
    pub at: usize,
    pub stmt: Stmt,
}

/// The outline of a module; none if the text is not understood, or all of it matters.
pub(super) fn outline(text: &str) -> Option<Outline> {
    let mut parts = parts(text)?;
    for part in &mut parts {
        let body = text.get(part.body.clone())?;
        part.keep = match part.kind {
            PartKind::Method | PartKind::Docstring | PartKind::Import | PartKind::Numbers => false,
            PartKind::Function => body.len() <= SHORT || matters(body),
            PartKind::Arguments => matters(body) || body.contains("__file__"),
        };
    }
    keep_callers(text, &mut parts);
    let has_returns = memchr::memchr(b'\r', text.as_bytes()).is_some();
    let mut drawing = Drawing { text, has_returns, outline: Outline::default(), end: 0, line: 1, missing: 0 };
    let mut end_of_kept = 0;
    for part in &parts {
        // Within a function that is kept, nested ones are kept with it; within one that is left out all is.
        if part.keep && part.kind == PartKind::Function {
            end_of_kept = end_of_kept.max(part.body.end);
        }
        let is_kept = part.keep || (part.body.start < end_of_kept && part.kind != PartKind::Docstring);
        if !is_kept && part.body.start >= drawing.end {
            drawing.leave_out(part)?;
        }
    }
    let Drawing { mut outline, end, .. } = drawing;
    outline.text += text.get(end..)?;
    (!outline.cuts.is_empty()).then_some(outline)
}

/// An outline that is being made.
struct Drawing<'a> {
    text: &'a str,
    /// Whether lines end with carriage returns too.
    has_returns: bool,
    outline: Outline,
    /// How far the text is done, in bytes.
    end: usize,
    /// The line there, 1-based.
    line: u32,
    /// How many lines are left out so far.
    missing: u32,
}

impl Drawing<'_> {
    fn line_ends(&self, text: &str) -> u32 {
        match self.has_returns {
            true => line_ends(text),
            false => memchr::memchr_iter(b'\n', text.as_bytes()).count() as u32,
        }
    }

    /// Goes on up to the end of a part, and leaves that out. None where its range is none of the text.
    fn leave_out(&mut self, part: &Part<'_>) -> Option<()> {
        let before = self.text.get(self.end..part.rest)?;
        let rest = self.text.get(part.rest..part.body.end)?;
        let is_on_top_level = part.rest == 0 || self.text.as_bytes().get(part.rest - 1) == Some(&b'\n');
        let mut statements = Vec::new();
        match part.kind {
            PartKind::Import if import_lines::read(rest, &mut statements).is_none() => return Some(()),
            PartKind::Function | PartKind::Numbers if is_on_top_level => {
                statements.push(opaque(part.name.into()));
            }
            _ => {}
        }
        let line = self.line + self.line_ends(before);
        let (lines, mut kept) = (self.line_ends(rest), 0);
        let outline = &mut self.outline;
        // One statement is enough for all methods of a class.
        let joins = outline.text.ends_with("0\n") && before.trim_ascii().is_empty();
        if joins && !is_on_top_level && part.kind.remains() == STATEMENT {
            self.missing += line - self.line;
        } else {
            outline.text += before;
            if !is_on_top_level {
                outline.text += part.kind.remains();
                if rest.ends_with('\n') {
                    outline.text.push('\n');
                    kept = 1;
                }
            }
        }
        let at = outline.text.len();
        outline.statements.extend(statements.into_iter().map(|kind| Read { at, stmt: Stmt { line, kind } }));
        self.line = line + lines;
        self.missing += lines - kept;
        if outline.cuts.last().is_some_and(|last| last.at == at) {
            outline.cuts.pop();
        }
        outline.cuts.push(Cut { at, lines: self.missing });
        self.end = part.body.end;
        Some(())
    }
}

/// What calls a function that matters matters too.
fn keep_callers(text: &str, parts: &mut [Part<'_>]) {
    let loads = |part: &Part<'_>| part.keep && part.kind == PartKind::Function && part.body.len() > SHORT;
    let mut loading: Vec<&str> = parts.iter().filter(|part| loads(part)).map(|part| part.name).collect();
    if loading.is_empty() {
        return;
    }
    let mut callers: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (index, part) in parts.iter().enumerate() {
        if part.keep || !matches!(part.kind, PartKind::Function | PartKind::Arguments) {
            continue;
        }
        for name in called(text.get(part.body.clone()).unwrap_or_default()) {
            let known = callers.entry(name).or_default();
            if known.last() != Some(&index) {
                known.push(index);
            }
        }
    }
    while let Some(name) = loading.pop() {
        for index in callers.remove(name).unwrap_or_default() {
            if let Some(caller) = parts.get_mut(index).filter(|caller| !caller.keep) {
                caller.keep = true;
                if caller.kind == PartKind::Function {
                    loading.push(caller.name);
                }
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

/// All functions with a body on lines of its own, long docstrings and long lists of arguments, in the order of their beginnings.
/// None where brackets or quotes do not close.
fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Part<'_>> = Vec::new();
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
                found.extend(function.map(|(name, name_end)| Part {
                    kind: if is_method { PartKind::Method } else { PartKind::Function },
                    name,
                    rest: if is_method || depth == 0 { first } else { name_end },
                    body: start..bytes.len(),
                    keep: false,
                }));
            }
            while let Some(Open { function, depth }) = open.last() {
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
                Some(Part { kind, name, rest: content + rest, body: content..next, keep: false })
            };
            found.extend(if is_on_top_level && IMPORTS.iter().any(|import| statement.starts_with(import)) {
                part(PartKind::Import, "", 0)
            } else if statement.len() <= SHORT {
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

/// Whether a statement is a string.
fn is_docstring(statement: &str) -> bool {
    let string = usize::from(statement.starts_with('r'));
    let is_quoted = statement.get(string..).is_some_and(|text| text.starts_with(['\'', '"']));
    let rest = || end_of_string(statement.as_bytes(), string).and_then(|end| statement.get(end..));
    is_quoted && rest().is_some_and(|rest| rest.trim_ascii().is_empty())
}

/// `name = value`
fn assignment(statement: &str) -> Option<(&str, &str)> {
    let (name, value) = statement.split_once('=')?;
    let name = name.trim_ascii_end();
    name.bytes().all(is_part_of_name).then(|| (name, value.trim_ascii()))
}

fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the arguments begin in `name = module.Class(…)`.
fn arguments_of_class(statement: &str) -> Option<usize> {
    let (_, value) = assignment(statement)?;
    let open = value.find('(')?;
    let class = value.get(..open)?;
    // Classes are told by their names (PEP 8).
    let is_class = class.rsplit('.').next()?.starts_with(|first: char| first.is_ascii_uppercase());
    let is_call = is_class
        && class.bytes().all(|byte| is_part_of_name(byte) || byte == b'.')
        && end_of_bracket(value.as_bytes(), open) == Some(value.len());
    is_call.then(|| statement.find('(').map(|open| open + 1))?
}

/// Of a long `name = …` that holds nothing but numbers the name.
fn table_of_numbers(statement: &str) -> Option<&str> {
    const LONG: usize = 1024;
    let (name, value) = assignment(statement).filter(|(_, value)| value.len() > LONG)?;
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

/// Which bytes may mean something to the end of a logical line.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut at = 0;
    while at < b"\n#'\"\\()[]{}".len() {
        special[b"\n#'\"\\()[]{}"[at] as usize] = true;
        at += 1;
    }
    special
};

/// The beginning of the line after the logical line that goes through `at`. None where a string or bracket
/// stays open.
fn end_of_logical_line(bytes: &[u8], at: usize) -> Option<usize> {
    walk::<false>(bytes, at)
}

/// The place after the bracket that closes the one at `at`.
fn end_of_bracket(bytes: &[u8], at: usize) -> Option<usize> {
    walk::<true>(bytes, at)
}

/// Walks to the end of a bracket or of a logical line.
fn walk<const BRACKET: bool>(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_u32;
    while let Some(&byte) = bytes.get(at) {
        if !SPECIAL[usize::from(byte)] {
            at += 1;
            continue;
        }
        match byte {
            b'\n' if depth == 0 => return (!BRACKET).then_some(at + 1),
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
                if BRACKET && depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    (!BRACKET && depth == 0).then_some(bytes.len())
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

    use super::{Outline, Read, outline};
    use crate::source::lines::{LineCounter, LineIndex};
    use crate::source::script::{Expr, StmtKind};

    /// Bodies of more than 200 bytes are made by repeating a line. Of what was read without the parser names are shown.
    fn check(text: &str, expected: Expect) {
        let long = "        value = compute(value) + 1\n".repeat(8);
        let text = text.replace("    LONG\n", &long);
        let Some(outline) = outline(&text) else { return expected.assert_eq("unchanged\n") };
        let mut shown = String::new();
        let mut end = 0;
        for Read { at, stmt } in &outline.statements {
            shown += &outline.text[end..*at];
            end = *at;
            shown += &match &stmt.kind {
                StmtKind::Import { module, .. } => format!("[import {module}]\n"),
                StmtKind::ImportFrom { module, .. } => format!("[from {module}]\n"),
                StmtKind::Assign { targets, .. } => match targets.as_slice() {
                    [Expr::Name(function)] => format!("[def {function}]\n"),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            };
        }
        shown += &outline.text[end..];
        expected.assert_eq(&shown.replace(&long, "    LONG\n"));
        lines_stay_true(&text, &outline);
    }

    /// What is imported is imported where the text says.
    fn lines_stay_true(text: &str, outline: &Outline) {
        let (index, counter) = (LineIndex::new(text), LineCounter::new(&outline.text, &outline.cuts));
        let lines = |text: &str, line: &dyn Fn(usize) -> u32| -> Vec<(String, u32)> {
            let imports = text.match_indices("import ").map(|(at, _)| at);
            imports.map(|at| (text[at..].chars().take("import x".len()).collect(), line(at))).collect()
        };
        let in_outline = lines(&outline.text, &|at| counter.line_of(at));
        let in_text = lines(text, &|at| index.line_of(at));
        let read = outline.statements.iter().filter_map(|read| match &read.stmt.kind {
            StmtKind::Import { module, .. } => Some((format!("import {module}"), read.stmt.line - 1)),
            _ => None,
        });
        let all: Vec<(String, u32)> = in_outline.into_iter().chain(read).collect();
        assert!(all.iter().all(|import| in_text.contains(import)), "{all:?} of {in_text:?}");
    }

    #[test]
    fn a_long_body_that_loads_nothing_is_left_out() {
        check(
            "import a\ndef f(x,\n      y):\n    LONG\nimport b\n",
            expect![[r#"
                [import a]
                [def f]
                [import b]
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
                [def h]
            "#]],
        );
    }

    #[test]
    fn quotes_brackets_and_comments_do_not_end_a_body() {
        check(
            "class A:\n    def f(self):\n    LONG\n        x = '''\nimport a\n'''\n        y = (1,\n2)\n# note\n        z = r'\\''\n    b = 1\nimport c\n",
            expect![[r#"
                class A:
                    0
                    b = 1
                [import c]
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
                    0
                    def h(self): return 1
                    class B:
                        0
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
                [def f]
                [def g]
                def h():
                    LONG
                        x = 'import a'
            "#]],
        );
    }

    #[test]
    fn long_docstrings_are_left_out_wherever_they_stand() {
        check(
            "'''\n    LONG\n'''\nclass A:\n    r\"\"\"\n    LONG\n    \"\"\"\n    def f(self):\n        pass\ndef g():\n    '''\n    LONG\n    '''\n    import b\n    x = '''\n    LONG\n    '''\n",
            expect![[r#"
                class A:
                    0
                def g():
                    0
                    import b
                    x = '''
                    LONG
                    '''
            "#]],
        );
    }

    #[test]
    fn what_an_instance_is_made_of_is_left_out_unless_it_loads() {
        check(
            "a = b.c.Class(\n    LONG\n)\nclass A:\n    b = Class(\n    LONG\n    )\n    c = Path(\n    LONG\n    __file__)\nd = b.function(\n    LONG\n)\ne = b.Class(\n    LONG\n    b.WinDLL('f')\n)\nimport g\n",
            expect![[r#"
                a = b.c.Class()
                class A:
                    b = Class()
                    c = Path(
                    LONG
                    __file__)
                d = b.function(
                    LONG
                )
                e = b.Class(
                    LONG
                    b.WinDLL('f')
                )
                [import g]
            "#]],
        );
        check(
            "def f():\n    LONG\n        import a\nb = c.Class(\n    LONG\n    f()\n)\nd = c.Class(\n    LONG\n).e()\n",
            expect![[r#"
                unchanged
            "#]],
        );
    }

    #[test]
    fn long_tables_of_numbers_are_left_out_of_the_top_level() {
        let table = |numbers: &str| format!("(  # all\n{})", numbers.repeat(200));
        check(
            &format!("a = {}\nb = 1\n", table("0x1F, (-1, 2.5e3),\n")),
            expect![[r#"
                [def a]
                b = 1
            "#]],
        );
        assert!(outline(&format!("a = {}", table("1, a,"))).is_none());
        assert!(outline(&format!("a = {}", table("1, 'a',"))).is_none());
        assert!(outline(&format!("if a:\n    a = {}", table("1, 2,"))).is_none());
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
