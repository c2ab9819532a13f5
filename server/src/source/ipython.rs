//! Converts a notebook cell to Python by blanking out IPython syntax.
//!
//! Every byte keeps its position, so offsets and lines stay valid.

use std::borrow::Cow;

use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};
use ruff_python_ast::{self as ast, IpyEscapeKind, PySourceType};
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::{Ranged, TextRange};

use super::lower::with_stack_for;

/// Cell magics that run the rest of the cell as Python in the notebook's process. The behavior of
/// others (`%%bash`, `%%sql`, `%%writefile`) is unknown.
const RUN_PYTHON: [&str; 12] = [
    "capture", "debug", "heat", "ipytest", "lprun", "memit", "mprun", "prun", "scalene", "time", "timeit",
    "wandb",
];

/// Line magics that run the statement after them.
const RUN_STATEMENT: [&str; 3] = ["prun", "time", "timeit"];

/// Returns the Python source of a cell, or `None` if the whole cell is for something else.
pub(super) fn python_of(cell: &str) -> Option<Cow<'_, str>> {
    if let Some(magic) = cell_magic(cell)
        && !RUN_PYTHON.contains(&magic)
    {
        return None;
    }
    // A cell without any of these is plain Python.
    let quotes = |line: &str| line.trim_start().starts_with([',', ';', '/']);
    if !cell.contains(['%', '!', '?']) && !cell.lines().any(quotes) {
        return Some(Cow::Borrowed(cell));
    }
    let mut escapes = Escapes { cell, found: Vec::new() };
    with_stack_for(cell, || {
        escapes.visit_body(&parse_unchecked_source(&with_one_sign(cell), PySourceType::Ipynb).syntax().body);
    });
    if escapes.found.is_empty() {
        return Some(Cow::Borrowed(cell));
    }
    let mut bytes = cell.as_bytes().to_vec();
    for (range, replacement) in escapes.found {
        if let Some(place) = bytes.get_mut(range.to_std_range()) {
            replace(place, replacement);
        }
    }
    // Only whole commands were replaced, by ASCII.
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Returns `bash` for a cell that begins with `%%bash`. Leading empty lines don't count.
fn cell_magic(cell: &str) -> Option<&str> {
    let first = cell.lines().find(|line| !line.trim().is_empty())?;
    first.trim_start().strip_prefix("%%")?.split_whitespace().next()
}

/// Replaces the other signs that begin a command by `%`, because `ruff_python_parser` 0.0.10
/// sometimes panics on them in a broken cell. A sign that doesn't begin a command becomes an
/// operator, or remains in a string.
fn with_one_sign(cell: &str) -> String {
    let mut begins = true;
    let in_place = |c: char| {
        let is_sign = begins && matches!(c, ',' | ';' | '/' | '?');
        // Characters that aren't part of a token don't begin a statement either.
        let is_in_token = c.is_alphanumeric() || (c.is_ascii_punctuation() && !matches!(c, '\\' | '$' | '`'));
        begins = matches!(c, '\n' | '\r') || (begins && !is_in_token);
        if is_sign { '%' } else { c }
    };
    cell.chars().map(in_place).collect()
}

/// The replacement of a command.
#[derive(Clone, Copy)]
enum Replacement {
    /// A statement without effect.
    Nothing,
    /// An unknown value.
    Unknown,
    /// The statement after this number of bytes.
    Statement(usize),
}

/// Replaces a command and keeps its line ends.
fn replace(command: &mut [u8], replacement: Replacement) {
    let (text, end): (&[u8], usize) = match replacement {
        Replacement::Nothing => (b"0", command.len()),
        Replacement::Unknown => (b"~0", command.len()),
        Replacement::Statement(after) => (b"0;", after),
    };
    for byte in command.iter_mut().take(end).filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    for (byte, put) in command.iter_mut().zip(text) {
        *byte = *put;
    }
}

/// The IPython commands in a cell.
struct Escapes<'a> {
    cell: &'a str,
    found: Vec<(TextRange, Replacement)>,
}

impl StatementVisitor<'_> for Escapes<'_> {
    fn visit_stmt(&mut self, stmt: &ast::Stmt) {
        let value = match stmt {
            ast::Stmt::IpyEscapeCommand(command) => {
                let is_magic = self.cell.as_bytes().get(command.start().to_usize()) == Some(&b'%');
                let replacement = if is_magic { magic_replacement(command) } else { Replacement::Nothing };
                self.found.push((command.range(), replacement));
                return;
            }
            ast::Stmt::Assign(assign) => Some(&*assign.value),
            ast::Stmt::AnnAssign(assign) => assign.value.as_deref(),
            _ => None,
        };
        match value {
            Some(ast::Expr::IpyEscapeCommand(command)) => {
                self.found.push((command.range(), Replacement::Unknown));
            }
            _ => walk_stmt(self, stmt),
        }
    }
}

/// Handles `%time import x`, which imports x. Options and nested commands aren't supported.
fn magic_replacement(command: &ast::StmtIpyEscapeCommand) -> Replacement {
    if command.kind != IpyEscapeKind::Magic {
        return Replacement::Nothing;
    }
    let Some((name, statement)) = command.value.split_once([' ', '\t']) else { return Replacement::Nothing };
    let first = statement.trim_start().chars().next();
    match RUN_STATEMENT.contains(&name) && first.is_some_and(|first| first.is_alphabetic() || first == '_') {
        // The sign, and the white space after the name.
        true => Replacement::Statement(1 + name.len() + 1),
        false => Replacement::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(cell: &str, expected: Expect) {
        let python = python_of(cell);
        if let Some(python) = &python {
            assert_eq!(python.len(), cell.len());
            let ends =
                |text: &str| -> Vec<usize> { text.match_indices(['\n', '\r']).map(|(at, _)| at).collect() };
            assert_eq!(ends(python), ends(cell));
            let parsed = parse_unchecked_source(python, PySourceType::Python);
            assert_eq!(parsed.errors(), []);
        }
        let lines: Vec<&str> =
            python.as_deref().unwrap_or("(no Python)").lines().map(str::trim_end).collect();
        expected.assert_eq(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn lines_for_ipython_do_nothing() {
        check(
            "%pip install x\n%matplotlib inline\n!cmd 'a\n?name\nname?\na.b[0]??\n%load_ext x\n,f a b\n;f a\n/f a\nimport x\n",
            expect![[r#"
                0
                0
                0
                0
                0
                0
                0
                0
                0
                0
                import x
            "#]],
        );
    }

    #[test]
    fn values_of_commands_are_unknown() {
        check(
            "x = !cmd\ny = %magic a=b\nz: str = !w\nf(a=1)\nv = a % b\nif a != b: pass\n",
            expect![[r#"
                x = ~0
                y = ~0
                z: str = ~0
                f(a=1)
                v = a % b
                if a != b: pass
            "#]],
        );
    }

    #[test]
    fn commands_may_span_lines_and_be_in_blocks() {
        check(
            "!pip install a \\\n    b \\\r\n    c\r\nif x:\n    %pip install y\n    import y\ntry:\n    !é\nexcept E:\n    a?\n",
            expect![[r#"
                0


                if x:
                    0
                    import y
                try:
                    0
                except E:
                    0
            "#]],
        );
    }

    #[test]
    fn apparent_commands_stay() {
        check(
            "a = '''\n%pip\n!x\n'''\nb = (1\n%2)\nc = 'x?'  # what?\n",
            expect![[r#"
                a = '''
                %pip
                !x
                '''
                b = (1
                %2)
                c = 'x?'  # what?
            "#]],
        );
    }

    #[test]
    fn a_line_that_begins_with_an_operator_is_not_a_command() {
        check(
            "!x\na = (1\n, 2\n/ 3)\n,time import b\nd = \\\n4 \\\n/ 5\n",
            expect![[r#"
                0
                a = (1
                , 2
                / 3)
                0
                d = \
                4 \
                / 5
            "#]],
        );
    }

    /// The parser must get only this sign at the start of a line, since the others trigger its bug.
    #[test]
    fn the_parser_sees_one_sign() {
        let odd = ["", " ", "\t", "\x0C", "\0 ", "😀", "\u{feff}", "$", "\\ "];
        for before in odd.map(|odd| format!("import a\n{odd}")) {
            for sign in [",", ";", "/", "?"] {
                assert_eq!(with_one_sign(&format!("{before}{sign}c\n")), format!("{before}%c\n"));
            }
        }
        assert_eq!(with_one_sign("a = b / c, d\n"), "a = b / c, d\n");
    }

    #[test]
    fn a_whole_cell_may_be_for_something_else() {
        check("%%bash\nimport -window root x.png\n", expect!["(no Python)\n"]);
        check("\n  \n%%writefile a.py\nimport a\n", expect!["(no Python)\n"]);
        check("%%unheard_of\nimport a\n", expect!["(no Python)\n"]);
        check(
            "%%time\nimport a\n",
            expect![[r#"
                0
                import a
            "#]],
        );
        check(
            "\n%%capture --no-stderr out\nimport a\n",
            expect![[r#"

                0
                import a
            "#]],
        );
        // Only the first line can be a cell magic.
        check(
            "import a\n%%bash\nimport b\n",
            expect![[r#"
                import a
                0
                import b
            "#]],
        );
    }

    #[test]
    fn a_statement_that_is_timed_is_run() {
        check(
            "%time import a\nif x:\n    %timeit\timport b\n%timeit -n 1 import c\n%time\n%time !cmd\n",
            expect![[r#"
                0;    import a
                if x:
                    0;      import b
                0
                0
                0
            "#]],
        );
    }
}
