//! Texts of others, so that they are shown and never obeyed: a control character moves a terminal's cursor or gives it orders, and
//! a mark of direction makes one name look like another (CVE-2021-42574).

use std::borrow::Cow;

/// The text on one line, with what could be obeyed written out: `\n`, `\u{1b}`, `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    written_out(text, is_obeyed, |c| c.escape_default().to_string())
}

/// Likewise, with its lines and tabs as they are.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    written_out(text, |c| is_obeyed(c) && !matches!(c, '\n' | '\t'), |c| c.escape_default().to_string())
}

/// The same JSON, written so that it can be shown.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    written_out(json, |c| is_obeyed(c) && c != '\n', |c| format!("\\u{:04x}", c as u32))
}

/// Whether a screen does something else with this character than to show it.
pub fn is_obeyed(c: char) -> bool {
    c.is_control() || is_mark_of_direction(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_mark_of_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn written_out<'t>(
    text: &'t str,
    is_written_out: impl Fn(char) -> bool,
    written: impl Fn(char) -> String,
) -> Cow<'t, str> {
    if !text.contains(&is_written_out) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_written_out(c) {
            true => out.push_str(&written(c)),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        let link = "\u{1b}]8;;http://example.com\u{7}a\u{1b}]8;;\u{7}";
        assert_eq!(visible(link), r"\u{1b}]8;;http://example.com\u{7}a\u{1b}]8;;\u{7}");
        assert_eq!(visible("a\r\nb\tc\u{9b}2J\u{7f}"), r"a\r\nb\tc\u{9b}2J\u{7f}");
        assert_eq!(visible("a\u{202e}lld.b\u{2028}"), r"a\u{202e}lld.b\u{2028}");
        assert_eq!(visible_lines("a\r\n\tb\u{1b}"), "a\\r\n\tb\\u{1b}");
    }

    #[test]
    fn json_stays_what_it_is() {
        let text = "\u{9b}2J\u{202e}\n\u{7f}\u{85}é";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let visible = visible_json(&json);
        assert!(!visible.contains(|c| is_obeyed(c) && c != '\n'), "{visible}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&visible).unwrap(), [text]);
    }

    #[test]
    fn names_of_all_languages_stay_as_they_are() {
        for name in [r"C:\Users\Zoë\日本語\😀.dll", "שלום", "مرحبا", "👩\u{200d}💻"] {
            assert!(matches!(visible(name), Cow::Borrowed(_)));
        }
    }
}
