//! Comments that silence findings: `# whydll: ignore[missing-dll]` on the line of an import, and `#
//! whydll: ignore-file[missing-dll]` anywhere. Without brackets, they silence every code.

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_text_size::Ranged;

use super::lines::LineIndex;

/// The codes that comments silence for an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignores {
    every: bool,
    codes: Vec<String>,
}

impl Ignores {
    /// Whether findings of this code are silenced.
    pub fn covers(&self, code: &str) -> bool {
        self.every || self.codes.iter().any(|known| known == code)
    }

    fn add(&mut self, other: &Ignores) {
        self.every |= other.every;
        self.codes.extend(other.codes.iter().cloned());
    }
}

/// All silencing comments of a document.
#[derive(Debug, Default)]
pub struct Comments {
    /// Those for the whole file.
    file: Ignores,
    /// Those for a line, with the 0-based line number.
    lines: Vec<(u32, Ignores)>,
}

/// The start of such a comment, after `#` and blanks.
const MARK: &str = "whydll:";

impl Comments {
    /// Collects the comments from the tokens of `text`.
    pub fn of(text: &str, tokens: &Tokens, lines: &LineIndex) -> Comments {
        let mut comments = Comments::default();
        if !text.contains(MARK) {
            return comments;
        }
        for token in tokens.iter().filter(|token| token.kind() == TokenKind::Comment) {
            let Some(comment) = text.get(token.range().start().to_usize()..token.range().end().to_usize())
            else {
                continue;
            };
            for part in comment.split('#') {
                match directive(part) {
                    Some((CommentScope::File, ignores)) => comments.file.add(&ignores),
                    Some((CommentScope::Line, ignores)) => {
                        comments.lines.push((lines.line_of(token.range().start().to_usize()), ignores));
                    }
                    None => {}
                }
            }
        }
        comments
    }

    /// Returns the codes that are silenced for a statement from line `first` to line `last`
    /// (0-based).
    pub fn on(&self, first: u32, last: u32) -> Ignores {
        let mut ignores = self.file.clone();
        for (_, own) in self.lines.iter().filter(|(line, _)| (first..=last).contains(line)) {
            ignores.add(own);
        }
        ignores
    }
}

enum CommentScope {
    Line,
    File,
}

/// Parses ` whydll: ignore[missing-dll, bad-image]`. Returns `None` for anything else, so that a
/// comment with a typo silences nothing.
fn directive(comment: &str) -> Option<(CommentScope, Ignores)> {
    let rest = comment.trim().strip_prefix(MARK)?.trim();
    let (word, codes) = match rest.split_once('[') {
        Some((word, list)) => (word.trim(), Some(list.strip_suffix(']')?)),
        None => (rest, None),
    };
    let reach = match word {
        "ignore" => CommentScope::Line,
        "ignore-file" => CommentScope::File,
        _ => return None,
    };
    let ignores = match codes {
        None => Ignores { every: true, codes: Vec::new() },
        Some(list) => Ignores {
            every: false,
            codes: list
                .split(',')
                .map(str::trim)
                .filter(|code| !code.is_empty())
                .map(str::to_owned)
                .collect(),
        },
    };
    Some((reach, ignores))
}

#[cfg(test)]
mod tests {
    use crate::source::Document;

    fn silenced(text: &str, code: &str) -> Vec<bool> {
        Document::parse(text).imports.iter().map(|import| import.ignores.covers(code)).collect()
    }

    #[test]
    fn a_comment_silences_its_line() {
        let text =
            "import a  # whydll: ignore[missing-dll, bad-image]\nimport b\nimport c # whydll: ignore\n";
        assert_eq!(silenced(text, "missing-dll"), [true, false, true]);
        assert_eq!(silenced(text, "bad-image"), [true, false, true]);
        assert_eq!(silenced(text, "not-installed"), [false, false, true]);
    }

    #[test]
    fn a_comment_may_be_on_any_line_of_the_statement_and_next_to_others() {
        let text = "from a import (  # noqa # whydll: ignore[missing-dll]\n    b,\n)\nfrom c import (\n    d,\n)  # whydll:ignore[missing-dll]\n";
        assert_eq!(silenced(text, "missing-dll"), [true, true]);
    }

    #[test]
    fn a_comment_for_the_file_may_be_anywhere() {
        assert_eq!(
            silenced("import a\nimport b\n# whydll: ignore-file[missing-dll]\n", "missing-dll"),
            [true, true]
        );
        assert_eq!(silenced("# whydll: ignore-file\nimport a\n", "bad-image"), [true]);
    }

    #[test]
    fn a_comment_with_a_typo_and_a_string_silence_nothing() {
        for comment in
            ["# whydll: ignored", "# whydll: ignore[missing-dll", "# whydll ignore", "# see whydll: ignore"]
        {
            assert_eq!(silenced(&format!("import a  {comment}\n"), "missing-dll"), [false], "{comment}");
        }
        assert_eq!(silenced("import a; x = '# whydll: ignore'\n", "missing-dll"), [false]);
    }
}
