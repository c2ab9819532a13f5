//! The names of users, servers, and companies in paths, which snapshots replace for privacy.
//!
//! A user's name is the path component after the directory of all profiles (`C:\Users\`, `/home/`,
//! and its names on other systems, such as `/mnt/c/Users/` and `\\wsl.localhost\Ubuntu\home\`),
//! both in paths and within longer strings. A server and its share are at the start of a path
//! (`\\server\share`), and a company follows `OneDrive - `. Nothing else is changed: if a user is
//! called `python`, other directories of that name stay as they are. The replacement has the length
//! of the name, so that a path that is too long stays too long, and is always the same for the same
//! name.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use crate::host::Host;
use crate::host::path::{WinPath, fold_name};

/// A placeholder for a backslash that only escapes the next character in Markdown.
pub const ESCAPE: char = '\u{e000}';

/// The replacement for a user's name. It is truncated, or extended by a number, to the length of
/// the name.
const USER: &str = "user";

/// Directories next to the users' own that exist on every machine.
const COMMON_PROFILES: [&str; 7] =
    ["public", "default", "default user", "all users", "defaultuser0", "shared", "linuxbrew"];

/// The names that were found so far, with their replacements.
#[derive(Default)]
pub struct Users {
    /// The replacement by name in lower case.
    names: HashMap<String, String>,
    /// Home directories in other places, each as its components in lower case.
    homes: Vec<Vec<String>>,
    /// The number of used replacements by length.
    used: HashMap<usize, usize>,
}

impl Users {
    /// Creates an empty collection. `homes` are known home directories in any place; those that
    /// contain `windows` are ignored.
    pub fn with_homes(homes: impl IntoIterator<Item = WinPath>, windows: &WinPath) -> Users {
        let mut users = Users::default();
        for home in homes.into_iter().filter(|home| !windows.is_within(home)) {
            users.homes.extend(Some(parts_of(&home)).filter(|parts| !parts.is_empty()));
            users.add_from_path(home.as_str());
        }
        users
    }

    /// Returns the number of users, servers, and companies that were found.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Collects the names in a path. In a path it is clear where a name ends; in other strings it
    /// isn't.
    pub fn add_from_path(&mut self, path: &str) {
        for name in self.names_in(path, true) {
            self.replacement(&path[name]);
        }
    }

    /// Returns the replacement for a name.
    pub fn replacement(&mut self, name: &str) -> String {
        let written = decoded(name);
        let key = fold_name(&written);
        if COMMON_PROFILES.contains(&key.as_str()) {
            return name.to_owned();
        }
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        let length = written.encode_utf16().count();
        let number = self.used.entry(length).or_default();
        let free = numbered_name(length, *number);
        *number += 1;
        self.names.insert(key, free.clone());
        free
    }

    /// Replaces the names in a string.
    pub fn redacted(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for name in self.names_in(text, false) {
            out.push_str(&text[done..name.start]);
            out.push_str(&self.replacement(&text[name.clone()]));
            done = name.end;
        }
        out.push_str(&text[done..]);
        out
    }

    /// Returns the replacement for the file or directory `name` in `folder` if it contains a
    /// private name. It is the same as in [`Users::redacted`] of the whole path.
    pub fn redacted_entry(&mut self, folder: &WinPath, name: &str) -> Option<String> {
        let path = folder.join(name);
        let start = path.as_str().len() - name.len();
        let last = self.names_in(path.as_str(), true).pop().filter(|last| last.end == path.as_str().len());
        let last = last.filter(|last| last.start >= start)?;
        Some(format!("{}{}", &path.as_str()[start..last.start], self.replacement(&path.as_str()[last])))
    }

    /// Replaces the names in all strings of a JSON document.
    pub fn redacted_json(&mut self, json: &str) -> String {
        let mut out = String::with_capacity(json.len());
        let mut rest = json;
        while let Some(start) = rest.find('"') {
            let end = start + end_of_string(&rest[start..]);
            out.push_str(&rest[..start]);
            let quoted = &rest[start..end];
            let text =
                quoted.contains(SEPARATORS).then(|| serde_json::from_str::<String>(quoted).ok()).flatten();
            match text.map(|text| (self.redacted(&text), text)) {
                Some((redacted, text)) if redacted != text => {
                    out.push_str(&serde_json::Value::String(redacted).to_string())
                }
                _ => out.push_str(quoted),
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        out
    }

    /// Returns the ranges of names in a string. `is_path` says that the whole string is a path.
    fn names_in(&self, text: &str, is_path: bool) -> Vec<Range<usize>> {
        let mut names = Vec::new();
        // The directory that was read so far, or `None` before the start of a path.
        let mut folder: Option<PathPrefix> = None;
        let mut position = 0;
        while let Some(found) = text[position..].find(SEPARATORS) {
            let before = &text[position..position + found];
            let rest = text[position + found..].trim_start_matches(SEPARATORS);
            let after = text.len() - rest.len();
            let is_device = folder.as_ref().is_some_and(|folder| folder.is_device(before));
            let begins = if is_path || is_device {
                position + found == 0
            } else {
                position + found == 0 || before.ends_with(can_precede_path)
            };
            folder = match folder {
                _ if let Some(drive) = drive_at_end(before) => {
                    Some(PathPrefix { parts: vec![drive], is_share: false, is_unc: false })
                }
                _ if begins => {
                    let separators = &text[position + found..after];
                    // `file://server/share` is a share too.
                    let is_file = before.ends_with("file:") && separators.len() == 2;
                    let is_share = is_file || separators.len() > 1 && !before.ends_with(':');
                    let is_unc = is_file || is_share && separators.starts_with('\\');
                    Some(PathPrefix { parts: Vec::new(), is_share, is_unc })
                }
                Some(_) if !is_path && !is_device && before.contains(is_never_in_path) => None,
                Some(mut folder) => {
                    match before {
                        // Device names start with `\\.\`.
                        "." if !folder.is_share || !folder.parts.is_empty() => {}
                        ".." => drop(folder.parts.pop()),
                        _ => folder.parts.push(fold_name(&decoded(before))),
                    }
                    Some(folder)
                }
                None => None,
            };
            position = after;
            let Some(folder) = &folder else { continue };
            let part = rest.split(|c| SEPARATORS.contains(&c) || !is_path && is_never_in_path(c)).next();
            let part = part.unwrap_or_default();
            let continues = rest[part.len()..].starts_with(SEPARATORS);
            let (before, name) = if self.is_home(folder, part) {
                (0, part)
            } else if folder.contains_homes() {
                (0, if is_path { part } else { self.name_at(rest, part) })
            } else if folder.contains_servers_or_shares(part)
                && (is_path || folder.is_unc && (continues || folder.parts.len() % 2 == 1))
            {
                (0, part)
            } else if let Some(company) = company_in(part) {
                (part.len() - company.len(), company)
            } else {
                continue;
            };
            // Placeholders such as `C:\Users\%USERNAME%`, `/home/$USER`, and `/home/..` aren't
            // names.
            let is_name = match is_path {
                true => !matches!(name, "" | "." | "..") && !name.starts_with('%'),
                false => decoded(name).starts_with(|c: char| c.is_alphanumeric() || c == '_'),
            };
            if is_name {
                names.push(after + before..after + before + name.len());
            }
        }
        names
    }

    fn is_home(&self, folder: &PathPrefix, part: &str) -> bool {
        let part = fold_name(&decoded(part));
        self.homes.iter().any(|home| home.split_last() == Some((&part, &folder.parts)))
    }

    /// Returns the name at the start of `rest`. `part` is everything there that can belong to a
    /// name.
    fn name_at<'t>(&self, rest: &'t str, part: &'t str) -> &'t str {
        let next = |length: usize| rest[length..].chars().next();
        let known = self.names.keys().filter_map(|name| {
            let end = rest.char_indices().nth(name.chars().count()).map_or(rest.len(), |(end, _)| end);
            (fold_name(&rest[..end]) == *name).then_some(end)
        });
        let known = known.filter(|end| next(*end).is_none_or(|c| !c.is_alphanumeric())).max();
        // A name may contain spaces, but in a longer string they are often its end.
        let continues =
            next(part.len()).is_some_and(|c| SEPARATORS.contains(&c)) && !part.ends_with(can_precede_path);
        match known {
            Some(end) if !continues || next(end).is_some_and(|c| SEPARATORS.contains(&c)) => &rest[..end],
            _ if continues => part,
            _ => {
                let end =
                    part.find(|c: char| c.is_whitespace() || ",()[]{}".contains(c)).unwrap_or(part.len());
                part[..end].trim_end_matches('.')
            }
        }
    }
}

const SEPARATORS: [char; 2] = ['/', '\\'];

/// Whether a character cannot be in a file name, or, like the last one, is used for quoting.
fn is_never_in_path(c: char) -> bool {
    c.is_control() || "\"<>|*?;:'".contains(c)
}

/// Whether a path can start after a character.
fn can_precede_path(c: char) -> bool {
    is_never_in_path(c) || c.is_whitespace() || "=,([{`".contains(c)
}

/// Returns the drive at the end of a string, written as `c:` or as in URLs.
fn drive_at_end(text: &str) -> Option<String> {
    let lower = text.len() >= 4 && text.is_char_boundary(text.len() - 3);
    let letter = text.strip_suffix(':').or_else(|| {
        let (head, tail) = lower.then(|| text.split_at(text.len() - 3))?;
        tail.eq_ignore_ascii_case("%3a").then_some(head)
    })?;
    let mut ends = letter.chars().rev();
    let drive = ends.next().filter(char::is_ascii_alphabetic)?;
    ends.next().is_none_or(|c| !c.is_alphanumeric()).then(|| format!("{}:", drive.to_ascii_lowercase()))
}

fn parts_of(path: &WinPath) -> Vec<String> {
    path.as_str().split(SEPARATORS).filter(|part| !part.is_empty()).map(fold_name).collect()
}

/// The start of a path, as its components in lower case.
struct PathPrefix {
    parts: Vec<String>,
    /// Whether it starts with the name of another machine.
    is_share: bool,
    /// Whether it starts with the name of another machine in Windows' syntax.
    is_unc: bool,
}

impl PathPrefix {
    /// Whether `part` makes it a path of the form `\\?\`.
    fn is_device(&self, part: &str) -> bool {
        self.is_unc && self.parts.is_empty() && part == "?"
    }

    /// Whether it contains servers or the shares of a server (`\\server\share`,
    /// `\\?\UNC\server\share`), and `part` is a private name of one. Names that every machine may
    /// have aren't private.
    fn contains_servers_or_shares(&self, part: &str) -> bool {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        let parts = parts.strip_prefix(&["?", "unc"]).unwrap_or(&parts);
        let part = fold_name(part);
        match parts {
            _ if !self.is_share => false,
            [] => !COMMON_SERVERS.contains(&part.as_str()),
            [server] => {
                !COMMON_SERVERS.contains(server)
                    && !part.ends_with('$')
                    && !COMMON_SHARES.contains(&part.as_str())
            }
            _ => false,
        }
    }

    /// Whether it contains the users' home directories.
    fn contains_homes(&self) -> bool {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        let is_letter = |part: &str| part.len() == 1;
        // Wine and network shares present a Unix file system as a drive.
        let parts = match parts.as_slice() {
            ["?" | ".", "unc", _, share, parts @ ..] if share.ends_with('$') => parts,
            ["?" | ".", "unc", _, parts @ ..] => parts,
            ["?" | ".", "globalroot", "device", _, parts @ ..] | ["device", _, parts @ ..] => parts,
            ["?" | ".", _, parts @ ..] => parts,
            ["wsl$" | "wsl.localhost", _, parts @ ..] if self.is_share => parts,
            [_, share, parts @ ..] if self.is_share && share.ends_with('$') => parts,
            [_, parts @ ..] if self.is_share => parts,
            [drive, parts @ ..] if drive.ends_with(':') => parts,
            parts => parts,
        };
        match parts {
            ["users" | "home" | "documents and settings" | "dokumente und einstellungen"] => true,
            ["var" | "export" | "data" | "usr", "home"] | ["nfs", "users" | "home"] | ["run", "media"] => {
                true
            }
            [letter, "users"] => is_letter(letter),
            ["mnt" | "cygdrive" | "volumes" | "host_mnt", _, "users" | "documents and settings"] => true,
            ["run", "desktop", "mnt", "host", _, "users"] | ["system", "volumes", _, "users"] => true,
            ["media", _, _, "users"] | ["run", "media", _, _, "users"] => true,
            [.., "drive_c", "users"] => true,
            _ => false,
        }
    }
}

/// Returns the replacement with the given number among those of this length, which is measured in
/// UTF-16 units like Windows' path lengths.
fn numbered_name(length: usize, number: usize) -> String {
    let number = if number == 0 { String::new() } else { number.to_string() };
    let word = length.saturating_sub(number.len());
    let zeros = "0".repeat(word.saturating_sub(USER.len()));
    format!("{}{zeros}{number}", &USER[..word.min(USER.len())])
}

/// Names in the place of a server that don't identify one.
const COMMON_SERVERS: [&str; 7] = ["?", ".", "localhost", "wsl$", "wsl.localhost", "tsclient", "127.0.0.1"];

/// Share names that many servers have.
const COMMON_SHARES: [&str; 5] = ["users", "home", "homes", "public", "share"];

/// Returns the company in the name of a OneDrive directory, as in `OneDrive - Contoso`.
fn company_in(part: &str) -> Option<&str> {
    const PREFIX: &str = "onedrive - ";
    let prefix = [PREFIX, "onedrive%20-%20"]
        .into_iter()
        .find(|prefix| part.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))?;
    Some(&part[prefix.len()..]).filter(|company| !company.is_empty())
}

/// Decodes the percent-encoding of a URL and removes Markdown's escapes.
fn decoded(part: &str) -> Cow<'_, str> {
    if part.contains(ESCAPE) {
        return decoded(&part.replace(ESCAPE, "")).into_owned().into();
    }
    let byte = |at: usize| u8::from_str_radix(part.get(at + 1..at + 3)?, 16).ok();
    if !part.contains('%') {
        return part.into();
    }
    let mut bytes = Vec::new();
    let mut at = 0;
    while let Some(&next) = part.as_bytes().get(at) {
        let decoded = byte(at).filter(|_| next == b'%');
        bytes.push(decoded.unwrap_or(next));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(bytes).map_or(part.into(), Cow::Owned)
}

/// Returns all strings in a JSON document, including the names of fields.
pub fn strings_of(json: &str) -> impl Iterator<Item = String> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let quoted = rest.get(rest.find('"')?..)?;
        let (string, after) = quoted.split_at(end_of_string(quoted));
        rest = after;
        Some(serde_json::from_str(string).unwrap_or_default())
    })
}

/// Returns the end of the JSON string at the start of `json`.
fn end_of_string(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// Returns the home directories of the analysed user and of the user who runs WhyDLL.
pub fn homes_of(host: &Host) -> impl Iterator<Item = WinPath> {
    let mut homes: Vec<WinPath> = host.variables.get("USERPROFILE").map(WinPath::new).into_iter().collect();
    if !host.kind.is_snapshot() {
        homes.extend(std::env::home_dir().map(|home| host.path_of(&home)));
    }
    homes.into_iter().filter(|home| home.is_absolute() && *home != WinPath::new("/root"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Checks the redaction of several strings in one snapshot.
    fn check(texts: &[&str], expected: Expect) {
        let mut users = Users::with_homes([WinPath::new(r"D:\profiles\Carla")], &WinPath::new(r"C:\Windows"));
        users.add_from_path(r"C:\Users\Anna Maria");
        let redacted: Vec<String> = texts.iter().map(|text| users.redacted(text)).collect();
        expected.assert_eq(&redacted.join("\n"));
    }

    #[test]
    fn names_are_replaced_in_every_kind_of_path() {
        check(
            &[
                r"C:\Users\Anna Maria\env\python.exe",
                "c:/users/anna maria/env|kernel32.dll|c:/users/anna maria/b.dll",
                r"C:\Users\bob",
                r"\\?\C:\Users\bob\x",
                "/home/bob/env",
                "/mnt/c/Users/bob/env",
                "/c/Users/bob/env",
                "/mnt/disk/Users/bob/env",
                "/run/media/bob/Windows/Users/bob/env",
                "/home/bob/.wine/drive_c/users/bob/env",
                r"Z:\home\bob\env",
                r"\\wsl.localhost\Ubuntu\home\bob\env",
                r"\\nas\users\bob\env",
                r"C:\Documents and Settings\bob\env",
                r"d:\Profiles\carla\env",
                "file:///C:/Users/Anna%20Maria/project",
                "file:///c%3A/Users/bob/project",
            ],
            expect![[r#"
                C:\Users\user000000\env\python.exe
                c:/users/user000000/env|kernel32.dll|c:/users/user000000/b.dll
                C:\Users\use
                \\?\C:\Users\use\x
                /home/use/env
                /mnt/c/Users/use/env
                /c/Users/use/env
                /mnt/disk/Users/use/env
                /run/media/use/Windows/Users/use/env
                /home/use/.wine/drive_c/users/use/env
                Z:\home\use\env
                \\wsl.localhost\Ubuntu\home\use\env
                \\us1\users\use\env
                C:\Documents and Settings\use\env
                d:\Profiles\user0\env
                file:///C:/Users/user000000/project
                file:///c%3A/Users/use/project"#]],
        );
    }

    #[test]
    fn names_are_replaced_within_longer_strings() {
        check(
            &[
                r"C:\Users\Anna Maria\bin;C:\Windows;C:\Users\bob;D:\profiles\carla\bin",
                r#"{"source": "C:\\Users\\bob\\pkgs"}"#,
                "'C:\\Users\\O'Brien\\x'",
                "see C:\\Users\\Anna Maria, or /home/bob. That is all",
                "in C:\\Users\\eve and /home/eve or C:\\Users\\anna maria and",
                "import sys; sys.path.append('/home/bob/lib')",
                "home = C:\\Users\\bob\\python\nversion = 3.11",
                "--prefix=/home/bob",
            ],
            expect![[r#"
                C:\Users\user000000\bin;C:\Windows;C:\Users\use;D:\profiles\user0\bin
                {"source": "C:\\Users\\use\\pkgs"}
                'C:\Users\u'Brien\x'
                see C:\Users\user000000, or /home/use. That is all
                in C:\Users\us1 and /home/us1 or C:\Users\user000000 and
                import sys; sys.path.append('/home/use/lib')
                home = C:\Users\use\python
                version = 3.11
                --prefix=/home/use"#]],
        );
    }

    #[test]
    fn servers_and_companies_are_replaced() {
        check(
            &[
                r"C:\Users\Anna Maria\OneDrive - Contoso GmbH\env\python.exe",
                r"D:\OneDrive - contoso gmbh",
                r"D:\OneDrive\env",
                r"\\corp-nas\finance\env\python.exe",
                r"\\?\UNC\CORP-NAS\Finance\env",
                r"loads from \\corp-nas\finance\x.dll, and \\localhost\c$\x",
                r"\\wsl$\Ubuntu\opt\env",
                r"\\corp-nas\c$\Users\bob\env",
                r"\\?\Volume{0-1}\Users\bob\env",
                r"C:\ProgramData\..\Users\.\bob\env",
                "file://corp-nas/finance/env",
                "file:///C:/OneDrive%20-%20Contoso%20GmbH/env",
                r"\\.\pipe\x",
                r"\\d+",
                "//cdn.example.org/x",
                "https://example.org/x",
            ],
            expect![[r#"
                C:\Users\user000000\OneDrive - user00000000\env\python.exe
                D:\OneDrive - user00000000
                D:\OneDrive\env
                \\user0000\user000\env\python.exe
                \\?\UNC\user0000\user000\env
                loads from \\user0000\user000\x.dll, and \\localhost\c$\x
                \\wsl$\Ubuntu\opt\env
                \\user0000\c$\Users\use\env
                \\?\Volume{0-1}\Users\use\env
                C:\ProgramData\..\Users\.\use\env
                file://user0000/user000/env
                file:///C:/OneDrive%20-%20user00000000/env
                \\.\pipe\x
                \\d+
                //cdn.example.org/x
                https://example.org/x"#]],
        );
    }

    #[test]
    fn other_parts_of_paths_are_left_alone() {
        let texts = [
            r"C:\Users\Public\x",
            r"C:\Users\%USERNAME%\x",
            "/home/$USER/x /home/{user}/x",
            r"C:\Python\Lib\site-packages\users\bob\x.py",
            "site-packages/home/bob",
            "../home/bob",
            "https://example.org/users/bob",
            "/usr/lib/python/home/bob",
            "/homes/bob",
            "Users\\bob",
            "/root/env",
            r"C:\Windows\Users\bob",
            r"D:\profiles\dora",
            "C:\\Users\\",
            "/home",
        ];
        check(
            &texts,
            expect![[r#"
            C:\Users\Public\x
            C:\Users\%USERNAME%\x
            /home/$USER/x /home/{user}/x
            C:\Python\Lib\site-packages\users\bob\x.py
            site-packages/home/bob
            ../home/bob
            https://example.org/users/bob
            /usr/lib/python/home/bob
            /homes/bob
            Users\bob
            /root/env
            C:\Windows\Users\bob
            D:\profiles\dora
            C:\Users\
            /home"#]],
        );
    }

    #[test]
    fn a_user_may_have_the_name_of_a_folder() {
        check(
            &[
                r"C:\Users\python\python\Lib\python.exe",
                r"C:\Users\lib\lib\users\lib",
                r"C:\python\lib",
                "/home/users/users/home/users",
                r"C:\Users\user\x",
            ],
            expect![[r#"
                C:\Users\user00\python\Lib\python.exe
                C:\Users\use\lib\users\lib
                C:\python\lib
                /home/user1/users/home/users
                C:\Users\user\x"#]],
        );
    }

    #[test]
    fn the_replacement_is_as_long_as_the_name_and_always_the_same() {
        let names = [
            "Zoë",
            "ZOË",
            "al",
            "bo",
            "a",
            "b",
            "Анна",
            "анна",
            "李雷",
            "😀",
            "annabella",
            "annabelle",
            "anna",
            "Jürgen",
        ];
        let mut users = Users::default();
        let replaced: Vec<String> =
            names.iter().map(|name| format!("{name} {}", users.replacement(name))).collect();
        expect![[r#"
            Zoë use
            ZOË use
            al us
            bo u1
            a u
            b 1
            Анна user
            анна user
            李雷 u2
            😀 u3
            annabella user00000
            annabelle user00001
            anna use1
            Jürgen user00"#]]
        .assert_eq(&replaced.join("\n"));
        assert_eq!(users.replacement("J%C3%BCrgen"), users.replacement("jürgen"));
    }

    #[test]
    fn strings_of_json_are_changed_and_nothing_else() {
        let mut users = Users::default();
        let json =
            r#"{"C:\\Users\\Jürgen \"x\"":["/home/j\u00fcrgen","",1,"\\\"/home/bob\""],"a":"/home/bob"}"#;
        expect![[r#"{"C:\\Users\\user00 \"x\"":["/home/user00","",1,"\\\"/home/use\""],"a":"/home/use"}"#]]
            .assert_eq(&users.redacted_json(json));
    }

    #[test]
    fn malicious_strings_do_not_panic() {
        let mut users =
            Users::with_homes([WinPath::new("/"), WinPath::new("")], &WinPath::new(r"C:\Windows"));
        for text in [
            "/",
            "\\",
            "//////",
            "/home/%",
            "/home/%zz%C3/",
            "/home/é",
            "C:\\Users\\😀",
            "é:/users/x",
            "%3a/",
            "/home/\u{0}",
        ] {
            users.redacted(text);
            users.add_from_path(text);
        }
        expect![[r#""/home/bob\"#]].assert_eq(&users.redacted_json("\"/home/bob\\"));
    }
}
