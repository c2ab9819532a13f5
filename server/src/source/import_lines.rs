//! Reads import statements without the parser.
//!
//! Half of the statements in large packages are plain imports, such as `from a.b import c as d`.
//! They are read word by word. All other forms are left to the parser.

use super::script::{Name, StmtKind};

/// Whether a word is a Python keyword and so can't be a name.
fn is_keyword(word: &str) -> bool {
    match word.len() {
        2 => matches!(word, "as" | "if" | "in" | "is" | "or"),
        3 => matches!(word, "and" | "def" | "del" | "for" | "not" | "try"),
        4 => matches!(word, "None" | "True" | "elif" | "else" | "from" | "pass" | "with"),
        5 => matches!(word, "False" | "async" | "await" | "break" | "class" | "raise" | "while" | "yield"),
        6 => matches!(word, "assert" | "except" | "global" | "import" | "lambda" | "return"),
        7 => matches!(word, "finally"),
        8 => matches!(word, "continue" | "nonlocal"),
        _ => false,
    }
}

/// Adds the imports in a logical line to `found`, if it is a single statement with plain names.
/// Returns `None` if the line must be parsed; `found` is then meaningless.
pub(super) fn read(line: &str, found: &mut Vec<StmtKind>) -> Option<()> {
    // A lone carriage return also ends a line.
    let mut returns = memchr::memchr_iter(b'\r', line.as_bytes());
    if returns.any(|at| line.as_bytes().get(at + 1) != Some(&b'\n')) {
        return None;
    }
    let mut words = LineReader { text: line, at: 0, in_brackets: false };
    match words.word() {
        "import" => modules(&mut words, found)?,
        "from" => found.push(names(&mut words)?),
        _ => return None,
    }
    words.is_at_end().then_some(())
}

/// Reads `a.b as c, d`.
fn modules(words: &mut LineReader<'_>, found: &mut Vec<StmtKind>) -> Option<()> {
    loop {
        let module = words.dotted()?;
        found.push(StmtKind::Import { module, alias: words.alias()? });
        if !words.eat(b',') {
            return Some(());
        }
    }
}

/// Reads `..a import b as c, d`, with or without parentheses, or `*`.
fn names(words: &mut LineReader<'_>) -> Option<StmtKind> {
    words.skip();
    let mut level = 0;
    while words.eat(b'.') {
        level += 1;
    }
    let mut module = Name::default();
    if level == 0 || !words.eat_word("import") {
        module = words.dotted()?;
        words.eat_word("import").then_some(())?;
    }
    let mut names = Vec::with_capacity(1);
    if words.eat(b'*') {
        names.push((Name::const_new("*"), None));
    } else {
        words.in_brackets = words.eat(b'(');
        loop {
            names.push((words.name()?.into(), words.alias()?));
            if !words.eat(b',') {
                break;
            }
            if words.in_brackets && words.peek() == Some(b')') {
                break;
            }
        }
        if words.in_brackets {
            words.eat(b')').then_some(())?;
            words.in_brackets = false;
        }
    }
    Some(StmtKind::ImportFrom { level, module, names })
}

struct LineReader<'a> {
    text: &'a str,
    at: usize,
    /// Whether line ends are white space here.
    in_brackets: bool,
}

impl<'a> LineReader<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space.
    fn skip(&mut self) {
        while let Some(byte) = self.byte() {
            match byte {
                b' ' | b'\t' | b'\x0c' => self.at += 1,
                b'\r' | b'\n' if self.in_brackets => self.at += 1,
                b'#' if self.in_brackets => {
                    let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip();
        self.byte()
    }

    fn eat(&mut self, sign: u8) -> bool {
        let is_next = self.peek() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    /// Reads the letters, digits, and underscores that follow.
    fn word(&mut self) -> &'a str {
        self.skip();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = rest.as_bytes().iter().take_while(|byte| is_part(byte)).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let before = self.at;
        let is_next = self.word() == word && self.byte().is_none_or(|byte| byte.is_ascii());
        if !is_next {
            self.at = before;
        }
        is_next
    }

    fn name(&mut self) -> Option<&'a str> {
        let name = self.word();
        let is_name = name.starts_with(|first: char| !first.is_ascii_digit()) && !is_keyword(name);
        // Names with non-ASCII letters are compared in a normalized form.
        (is_name && self.byte().is_none_or(|byte| byte.is_ascii())).then_some(name)
    }

    fn dotted(&mut self) -> Option<Name> {
        self.skip();
        let start = self.at;
        self.name()?;
        while self.byte() == Some(b'.') {
            self.at += 1;
            self.byte().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'#')?;
            self.name()?;
        }
        self.text.get(start..self.at).map(Name::from)
    }

    /// Reads the name after `as`. The inner value is `None` if there is no `as`.
    fn alias(&mut self) -> Option<Option<Name>> {
        match self.eat_word("as") {
            true => self.name().map(|name| Some(name.into())),
            false => Some(None),
        }
    }

    /// Whether only a comment follows.
    fn is_at_end(&mut self) -> bool {
        matches!(self.peek(), None | Some(b'\n' | b'\r' | b'#'))
    }
}

#[cfg(test)]
mod tests {
    use crate::source::lower::lower_whole;
    use crate::source::script::StmtKind;

    fn read(line: &str) -> Option<Vec<StmtKind>> {
        let mut found = Vec::new();
        super::read(line, &mut found).map(|()| found)
    }

    /// Returns the result of the parser for a line.
    fn parsed(line: &str) -> Option<Vec<StmtKind>> {
        let script = lower_whole(line);
        script.syntax_error.is_none().then(|| script.body.into_iter().map(|stmt| stmt.kind).collect())
    }

    #[test]
    fn plain_statements_are_read_as_the_parser_reads_them() {
        for line in [
            "import a",
            "import a.b.c as d, e ,f.g\n",
            "import  a\t,b # and c\r\n",
            "from a import b",
            "from a.b import c as d, e, f as g\n",
            "from .a import b\n",
            "from . import a\n",
            "from ... import a as b\n",
            "from .import a\n",
            "from ..a.b import *  # pylint: disable=wildcard-import\n",
            "from a import(b)\n",
            "from a import (b, c as d,)\n",
            "from a import (\n    b,  # the (first\n    # and\n    c,\r\n)\n",
            "from match import type, case as _\n",
            "from importer import asset as fromage\n",
        ] {
            let found = read(line);
            assert!(found.is_some(), "{line:?}");
            assert_eq!(found, parsed(line), "{line:?}");
        }
    }

    #[test]
    fn anything_else_is_left_to_the_parser() {
        for line in [
            "",
            "import",
            "import a b",
            "import a; b",
            "import a\rimport b",
            "import a # \rimport b",
            "import a,",
            "import .a",
            "import a . b",
            "import a.",
            "import 1a",
            "import if",
            "import a as",
            "import a as b.c",
            "import é",
            "import aé",
            "import a.é as b",
            "import asé",
            "from a import",
            "from a import b,",
            "from a import ()",
            "from a import (b",
            "from a import (*)",
            "from a import *, b",
            "from a import b.c",
            "from a import b \\\n, c",
            "from a import b as cé",
            "from import a",
            "from .a. import b",
            "from a.b import c; d()",
            "from a.b import c if",
            "from_a = 1",
            "imported()",
        ] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }
}
