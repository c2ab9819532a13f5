//! Removes the parts of a module that can't matter before it is parsed.
//!
//! Three quarters of the source of large packages are docstrings, arguments of constructors, and
//! bodies of functions and methods, most of which importing the package never calls. Finding where
//! they end takes no syntax tree, only indentation, brackets, and quotes. The number of removed
//! lines is kept, and so are the positions of functions, which are read if they are called. Most of
//! the rest are import statements, and those at the top level are read here, too.

use std::sync::Arc;

use super::import_lines;
use super::lines::{Cut, line_ends};
use super::script::{Expr, LeftOut, Stmt, StmtKind};
use callers::keep_callers;
use loading_lines::LoadingLines;
use parts::{MAX_SHORT, Part, PartKind, STATEMENT, parts};

mod callers;
mod loading_lines;
mod logical_lines;
mod parts;

/// The source of a module without the parts that don't matter.
#[derive(Default)]
pub(super) struct Outline {
    pub text: String,
    /// The places where lines were removed, in order.
    pub cuts: Vec<Cut>,
    /// Top-level statements that were removed because they have already been read, in order.
    pub statements: Vec<ReadStatement>,
    /// The numbers that replace functions within blocks, in order.
    pub placed: Vec<PlacedFunctions>,
}

/// Functions that were removed from a block.
pub(super) struct PlacedFunctions {
    /// The position of the number that replaces them, in bytes of the outline.
    pub at: usize,
    pub definitions: Arc<Vec<LeftOut>>,
}

/// A statement that was read without the parser.
pub(super) struct ReadStatement {
    /// Its position, in bytes of the outline.
    pub at: usize,
    pub stmt: Stmt,
}

/// Returns the outline of a module, or `None` if the source isn't understood or nothing can be
/// removed.
pub(super) fn outline(text: &str) -> Option<Outline> {
    let mut parts = parts(text)?;
    let mut lines = LoadingLines::new(text);
    for part in &mut parts {
        let body = &part.body;
        part.keep = match part.kind {
            PartKind::Method | PartKind::Docstring | PartKind::Import | PartKind::Numbers => false,
            PartKind::Function => body.len() <= MAX_SHORT || lines.is_one_in(body),
            PartKind::Arguments => lines.is_one_in(body) || text.get(body.clone())?.contains("__file__"),
        };
    }
    keep_callers(text, &mut parts);
    let has_returns = memchr::memchr(b'\r', text.as_bytes()).is_some();
    let mut builder = OutlineBuilder {
        text,
        has_returns,
        outline: Outline::default(),
        end: 0,
        line: 1,
        missing: 0,
        placed: Vec::new(),
    };
    let mut end_of_kept = 0;
    for part in &parts {
        // Functions nested in a kept function are kept. Those in a removed one are removed with it.
        if part.keep && part.kind == PartKind::Function {
            end_of_kept = end_of_kept.max(part.body.end);
        }
        let is_kept = part.keep || (part.body.start < end_of_kept && part.kind != PartKind::Docstring);
        if !is_kept && part.body.start >= builder.end {
            builder.leave_out(part)?;
        }
    }
    let OutlineBuilder { mut outline, end, placed, .. } = builder;
    let placed =
        placed.into_iter().map(|(at, definitions)| PlacedFunctions { at, definitions: definitions.into() });
    outline.placed = placed.collect();
    outline.text += text.get(end..)?;
    (!outline.cuts.is_empty()).then_some(outline)
}

/// An outline under construction.
struct OutlineBuilder<'a> {
    text: &'a str,
    /// Whether lines also end with carriage returns.
    has_returns: bool,
    outline: Outline,
    /// The end of the processed source, in bytes.
    end: usize,
    /// The 1-based line at that position.
    line: u32,
    /// The number of lines removed so far.
    missing: u32,
    /// The positions of numbers, with the functions that they replace.
    placed: Vec<(usize, Vec<LeftOut>)>,
}

impl OutlineBuilder<'_> {
    fn line_ends(&self, text: &str) -> u32 {
        match self.has_returns {
            true => line_ends(text),
            false => memchr::memchr_iter(b'\n', text.as_bytes()).count() as u32,
        }
    }

    /// Continues to the end of a part and removes that part. Returns `None` if its range is outside
    /// of the source.
    fn leave_out(&mut self, part: &Part<'_>) -> Option<()> {
        let before = self.text.get(self.end..part.rest)?;
        let rest = self.text.get(part.rest..part.body.end)?;
        let is_on_top_level = part.rest == 0 || self.text.as_bytes().get(part.rest - 1) == Some(&b'\n');
        let mut statements = Vec::new();
        match part.kind {
            PartKind::Import if import_lines::read(rest, &mut statements).is_none() => return Some(()),
            PartKind::Numbers if is_on_top_level => statements
                .push(StmtKind::Assign { targets: vec![Expr::Name(part.name.into())], value: Expr::Opaque }),
            _ => {}
        }
        let line = self.line + self.line_ends(before);
        let definition = match part.kind {
            PartKind::Function | PartKind::Method => {
                let header = self.text.get(part.first..part.rest)?;
                part.definition(self.text, line - self.line_ends(header))
            }
            _ => None,
        };
        let (lines, mut kept) = (self.line_ends(rest), 0);
        let outline = &mut self.outline;
        // A single statement replaces all methods of a class.
        let joins = outline.text.ends_with("0\n") && before.trim_ascii().is_empty();
        let mut place = None;
        if joins && !is_on_top_level && part.kind.replacement() == STATEMENT {
            self.missing += line - self.line;
            place = Some(outline.text.len() - "0\n".len());
        } else {
            outline.text += before;
            if !is_on_top_level {
                outline.text += part.kind.replacement();
                place = Some(outline.text.len() - 1);
                if rest.ends_with('\n') {
                    outline.text.push('\n');
                    kept = 1;
                }
            }
        }
        let at = outline.text.len();
        match (definition, place) {
            (Some(definition), None) => statements.push(StmtKind::LeftOut(vec![definition].into())),
            (Some(definition), Some(place)) => match self.placed.last_mut().filter(|(at, _)| *at == place) {
                Some((_, definitions)) => definitions.push(definition),
                None => self.placed.push((place, vec![definition])),
            },
            (None, _) => {}
        }
        outline
            .statements
            .extend(statements.into_iter().map(|kind| ReadStatement { at, stmt: Stmt { line, kind } }));
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Outline, ReadStatement, outline};
    use crate::source::lines::{LineCounter, LineIndex};
    use crate::source::script::{Expr, StmtKind};

    /// Bodies of more than 200 bytes are generated by repeating a line. Statements that were read
    /// without the parser are shown by their names.
    fn check(text: &str, expected: Expect) {
        let long = "        value = compute(value) + 1\n".repeat(8);
        let text = text.replace("    LONG\n", &long);
        let Some(outline) = outline(&text) else { return expected.assert_eq("unchanged\n") };
        let mut shown = String::new();
        let mut end = 0;
        for ReadStatement { at, stmt } in &outline.statements {
            shown += &outline.text[end..*at];
            end = *at;
            shown += &match &stmt.kind {
                StmtKind::Import { module, .. } => format!("[import {module}]\n"),
                StmtKind::ImportFrom { module, .. } => format!("[from {module}]\n"),
                StmtKind::Assign { targets, .. } => match targets.as_slice() {
                    [Expr::Name(function)] => format!("[def {function}]\n"),
                    other => panic!("{other:?}"),
                },
                StmtKind::LeftOut(definitions) => {
                    definitions.iter().map(|definition| format!("[def {}]\n", definition.name)).collect()
                }
                other => panic!("{other:?}"),
            };
        }
        shown += &outline.text[end..];
        expected.assert_eq(&shown.replace(&long, "    LONG\n"));
        check_lines(&text, &outline);
    }

    /// Checks that the line numbers of imports match the source.
    fn check_lines(text: &str, outline: &Outline) {
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
    fn functions_around_a_caller_are_callers() {
        check(
            "def f():\n    LONG\n        import c\ndef g():\n    def h():\n    LONG\n        f()\n    LONG\ndef i():\n    LONG\n        h()\ndef j():\n    def k():\n    LONG\n    LONG\n",
            expect![[r#"
                def f():
                    LONG
                        import c
                def g():
                    def h():
                    LONG
                        f()
                    LONG
                def i():
                    LONG
                        h()
                [def j]
            "#]],
        );
    }

    #[test]
    fn a_word_in_a_nested_function_does_not_keep_its_neighbors() {
        check(
            "def f():\n    def g():\n    LONG\n    def h():\n        # import a\n    LONG\n        import b\n    def i():\n    LONG\n    i()\ndef j():\n    LONG\n        g()\ndef k():\n    LONG\n        h()\n",
            expect![[r#"
                def f():
                    def g():
                    LONG
                    def h():
                        # import a
                    LONG
                        import b
                    def i():
                    LONG
                    i()
                [def j]
                def k():
                    LONG
                        h()
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
    fn code_in_docstrings_and_comments_does_not_count() {
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
    fn long_docstrings_are_left_out_everywhere() {
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
    fn arguments_of_constructors_are_left_out_unless_they_load() {
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
    fn unclosed_source_is_left_alone() {
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
