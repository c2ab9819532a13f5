//! Other names for users, servers and companies in texts that people pass on, and no secrets: reports, debug information, logs.

use super::secrets::secret_in;
use super::users::{Users, homes_of};
use crate::host::Host;

/// Takes the place of a backslash that only escapes what follows it in Markdown.
pub const ESCAPE: char = '\u{e000}';

/// Replaces what strangers need not know, always in the same way.
pub struct Redactor {
    /// None if names are kept.
    users: Option<Users>,
}

impl Redactor {
    /// Of a machine, whose homes may lie anywhere. In these `paths` it is clear where a user's name ends.
    pub fn of<'p>(host: &Host, paths: impl IntoIterator<Item = &'p str>) -> Redactor {
        let mut users = Users::with_homes(homes_of(host), &host.windows_directory);
        paths.into_iter().for_each(|path| users.meet(path));
        Redactor { users: Some(users) }
    }

    /// What withholds secrets alone, for texts that stay on their machine as long as nobody copies them or shows his screen.
    pub fn of_secrets() -> Redactor {
        Redactor { users: None }
    }

    /// Of no machine in particular.
    pub fn knowing<'p>(paths: impl IntoIterator<Item = &'p str>) -> Redactor {
        let mut users = Users::default();
        paths.into_iter().for_each(|path| users.meet(path));
        Redactor { users: Some(users) }
    }

    /// A plain text.
    pub fn text(&mut self, text: &str) -> String {
        let hidden =
            without_keys(self.users.as_mut().map_or_else(|| text.to_owned(), |users| users.hidden(text)));
        let seems = |text: &str| secret_in(&text.replace(ESCAPE, "")).is_some();
        if !seems(&hidden) {
            return hidden;
        }
        let words = hidden.split_inclusive(char::is_whitespace).map(|word| match seems(word.trim_end()) {
            true => format!("{WITHHELD}{}", &word[word.trim_end().len()..]),
            false => word.to_owned(),
        });
        words.collect()
    }

    /// A document in Markdown, where a backslash may be no part of a path.
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

/// Without private keys, which are secrets of many words; of one that has no end, without what follows.
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
        let told = redactor().markdown(document);
        assert_eq!(
            told,
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
