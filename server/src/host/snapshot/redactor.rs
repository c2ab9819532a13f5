//! Other names for users, servers and companies in texts that people pass on, and no secrets: reports, debug information, logs.

use super::homes_of;
use super::secrets::secret_in;
use super::users::Users;
use crate::host::Host;

/// Takes the place of a backslash that only escapes what follows it in Markdown.
pub const ESCAPE: char = '\u{e000}';

/// Replaces what strangers need not know, always in the same way.
pub struct Redactor {
    users: Users,
}

impl Redactor {
    /// Of a machine, whose homes may lie anywhere. In these `paths` it is clear where a user's name ends.
    pub fn of<'p>(host: &Host, paths: impl IntoIterator<Item = &'p str>) -> Redactor {
        let mut users = Users::with_homes(homes_of(host), &host.windows_directory);
        paths.into_iter().for_each(|path| users.meet(path));
        Redactor { users }
    }

    /// Of no machine in particular.
    pub fn knowing<'p>(paths: impl IntoIterator<Item = &'p str>) -> Redactor {
        let mut users = Users::default();
        paths.into_iter().for_each(|path| users.meet(path));
        Redactor { users }
    }

    /// A plain text.
    pub fn text(&mut self, text: &str) -> String {
        let hidden = self.users.hidden(text);
        if secret_in(&hidden).is_none() {
            return hidden;
        }
        let words =
            hidden.split_inclusive(char::is_whitespace).map(|word| match secret_in(word.trim_end()) {
                Some(_) => format!("[withheld]{}", &word[word.trim_end().len()..]),
                None => word.to_owned(),
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
    }
}
