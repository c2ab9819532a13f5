//! Escapes strings from untrusted sources for display. A control character can move a terminal's
//! cursor or send it commands, and a bidirectional formatting character can make one name look like
//! another (CVE-2021-42574).

use std::borrow::Cow;

/// Returns the string as a single line, with control characters escaped: `\n`, `\u{1b}`,
/// `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_interpreted, |c| c.escape_default().to_string())
}

/// Escapes control characters except line feeds and tabs.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_interpreted(c) && !matches!(c, '\n' | '\t'), |c| c.escape_default().to_string())
}

/// Escapes control characters in JSON, without changing its value.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    escaped(json, |c| is_interpreted(c) && c != '\n', |c| format!("\\u{:04x}", c as u32))
}

/// Whether a terminal or editor interprets this character instead of displaying it.
pub fn is_interpreted(c: char) -> bool {
    c.is_control() || is_bidirectional_format(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_bidirectional_format(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped<'t>(
    text: &'t str,
    is_escaped: impl Fn(char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'t, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_escaped(c) {
            true => out.push_str(&escape(c)),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let link = "\u{1b}]8;;http://example.com\u{7}a\u{1b}]8;;\u{7}";
        assert_eq!(visible(link), r"\u{1b}]8;;http://example.com\u{7}a\u{1b}]8;;\u{7}");
        assert_eq!(visible("a\r\nb\tc\u{9b}2J\u{7f}"), r"a\r\nb\tc\u{9b}2J\u{7f}");
        assert_eq!(visible("a\u{202e}lld.b\u{2028}"), r"a\u{202e}lld.b\u{2028}");
        assert_eq!(visible_lines("a\r\n\tb\u{1b}"), "a\\r\n\tb\\u{1b}");
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "\u{9b}2J\u{202e}\n\u{7f}\u{85}é";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let visible = visible_json(&json);
        assert!(!visible.contains(|c| is_interpreted(c) && c != '\n'), "{visible}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&visible).unwrap(), [text]);
    }

    #[test]
    fn names_in_all_languages_are_unchanged() {
        for name in [r"C:\Users\Zoë\日本語\😀.dll", "שלום", "مرحبا", "👩\u{200d}💻"] {
            assert!(matches!(visible(name), Cow::Borrowed(_)));
        }
    }
}
