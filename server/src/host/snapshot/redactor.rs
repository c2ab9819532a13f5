//! Redaction of what users share (reports, debug information, logs): names of users, servers, and
//! companies are replaced, and secrets are removed.

use super::secrets::secret_in;
use super::users::{ESCAPE, Users, homes_of};
use crate::host::Host;

/// Replaces private names and secrets, always in the same way.
pub struct Redactor {
    /// `None` if names are kept.
    users: Option<Users>,
}

impl Redactor {
    /// Creates a redactor for a machine, whose home directories may be anywhere. Users' names are
    /// also collected from `paths`, in which it is clear where a name ends.
    pub fn of<'p>(host: &Host, paths: impl IntoIterator<Item = &'p str>) -> Redactor {
        let mut users = Users::with_homes(homes_of(host), &host.windows_directory);
        paths.into_iter().for_each(|path| users.add_from_path(path));
        Redactor { users: Some(users) }
    }

    /// Creates a redactor that only removes secrets, for output that stays on the machine unless it
    /// is copied or shown on a shared screen.
    pub fn of_secrets() -> Redactor {
        Redactor { users: None }
    }

    /// Creates a redactor for no particular machine. Users' names are collected from `paths`.
    pub fn knowing<'p>(paths: impl IntoIterator<Item = &'p str>) -> Redactor {
        let mut users = Users::default();
        paths.into_iter().for_each(|path| users.add_from_path(path));
        Redactor { users: Some(users) }
    }

    /// Redacts plain text.
    pub fn text(&mut self, text: &str) -> String {
        let redacted =
            without_keys(self.users.as_mut().map_or_else(|| text.to_owned(), |users| users.redacted(text)));
        let has_secret = |text: &str| secret_in(&text.replace(ESCAPE, "")).is_some();
        if !has_secret(&redacted) {
            return redacted;
        }
        let words =
            redacted.split_inclusive(char::is_whitespace).map(|word| match has_secret(word.trim_end()) {
                true => format!("{WITHHELD}{}", &word[word.trim_end().len()..]),
                false => word.to_owned(),
            });
        words.collect()
    }

    /// Redacts a Markdown document, in which a backslash may be an escape instead of a part of a
    /// path.
    pub fn markdown(&mut self, document: &str) -> String {
        let mut plain = String::with_capacity(document.len());
        let mut is_code = false;
        let mut characters = document.chars().peekable();
        while let Some(c) = characters.next() {
            is_code ^= c == '`';
            match characters.peek() {
                Some('\\') if c == '\\' && !is_code => {
                    characters.next();
                    plain.push_str("\\\\");
                }
                Some(next) if c == '\\' && !is_code && next.is_ascii_punctuation() => plain.push(ESCAPE),
                _ => plain.push(c),
            }
        }
        self.text(&plain).replace(ESCAPE, "\\")
    }
}

const WITHHELD: &str = "[withheld]";

/// Removes private keys, which are secrets of many words. If a key has no end, everything after its
/// start is removed.
fn without_keys(mut text: String) -> String {
    let mut from = 0;
    while let Some(found) = text[from..].find("-----BEGIN ") {
        let start = from + found;
        let first = text[start..].lines().next().unwrap_or_default();
        if !first.contains("PRIVATE KEY") {
            from = start + 1;
            continue;
        }
        let end = text[start..].find("-----END ").map_or(text.len(), |end| {
            let after = start + end + "-----END ".len();
            text[after..].find("-----").map_or(text.len(), |dashes| after + dashes + "-----".len())
        });
        text.replace_range(start..end, WITHHELD);
        from = start + WITHHELD.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::knowing([r"C:\Users\ada_l\env"])
    }

    #[test]
    fn names_are_replaced_in_markdown() {
        let document = r"## C:\\Users\\ada\_l\\a\_b runs \[x\]: `C:\Users\ada_l\a_b`, `import _x` and \_y\_";
        let redacted = redactor().markdown(document);
        assert_eq!(
            redacted,
            r"## C:\\Users\\user0\\a\_b runs \[x\]: `C:\Users\user0\a_b`, `import _x` and \_y\_"
        );
    }

    #[test]
    fn secrets_are_withheld() {
        let text = "at https://ada:hunter2@example.org/x\nit fails";
        assert_eq!(redactor().text(text), "at [withheld]\nit fails");
        let text = "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b -----BEGIN PRIVATE KEY-----";
        assert_eq!(redactor().text(text), "a [withheld] b [withheld]");
        assert_eq!(
            redactor().markdown(r"says ghp\_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R!"),
            "says [withheld]"
        );
        let hover = r"of C:\Users\ada: https://ada:hunter2@example\.org";
        assert_eq!(Redactor::of_secrets().markdown(hover), r"of C:\Users\ada: [withheld]");
    }
}
