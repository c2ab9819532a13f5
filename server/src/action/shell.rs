//! Formats a command as a line for a shell, which the user reads and confirms with Enter.
//!
//! Every argument must reach the program unchanged, whatever its characters mean to the shell.

use std::fmt::Write;

use super::Command;

/// The shell that a line is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// PowerShell 5, which is included in Windows.
    WindowsPowerShell,
    /// PowerShell 6 and later.
    PowerShell,
    /// `cmd.exe`.
    Cmd,
    /// sh, bash, and zsh, including Git's on Windows; and fish, for which our quoting works as
    /// well.
    Posix,
}

/// Formats a command. If it contains control characters, it must not be typed or pasted anywhere:
/// see [`Command::is_one_line`].
pub fn line(command: &Command, shell: Shell) -> String {
    let mut line = word(&command.program, shell, true);
    for argument in &command.arguments {
        let _ = write!(line, " {}", word(argument, shell, false));
    }
    line
}

fn word(word: &str, shell: Shell, is_program: bool) -> String {
    let backslash_is_plain = shell != Shell::Posix;
    if is_plain_option(word) || is_plain(word, backslash_is_plain) {
        return word.to_owned();
    }
    match shell {
        // A quoted word at the start of a line is an expression; `&` makes it a call
        // (about_Operators).
        Shell::WindowsPowerShell | Shell::PowerShell if is_program => {
            format!("& {}", powershell_string(word))
        }
        Shell::PowerShell => powershell_string(word),
        Shell::WindowsPowerShell => powershell_string(&escaped_for_windows_powershell(word)),
        Shell::Cmd => cmd_word(word),
        Shell::Posix => posix_word(word),
    }
}

/// Whether a word has no special meaning in any shell, as most paths, versions, and requirements.
fn is_plain(word: &str, backslash_is_plain: bool) -> bool {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || "_/.:+-=".contains(c) || (c == '\\' && backslash_is_plain);
    word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/') && word.chars().all(plain)
}

/// Whether a word is a plain option: `-m`, `--no-deps`. PowerShell splits `-a.b` and `-a:b` into
/// two words, and `--%` is a token of its own.
fn is_plain_option(word: &str) -> bool {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
    name.is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    })
}

/// Quotes a string for PowerShell, in which typographic quotes end a string like the plain one.
fn powershell_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// Escapes a word for Windows PowerShell, which quotes a word with spaces but escapes nothing in
/// it, and drops an empty one. PowerShell 7.3 fixed that with `PSNativeCommandArgumentPassing`.
fn escaped_for_windows_powershell(word: &str) -> String {
    if word.is_empty() {
        return "\"\"".to_owned();
    }
    let mut out = String::with_capacity(word.len());
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                out.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        out.push(c);
    }
    if word.contains(char::is_whitespace) {
        out.extend(std::iter::repeat_n('\\', backslashes));
    }
    out
}

/// Quotes a word for two parsers. To cmd, every `"` opens or closes a quoted part. To the program's
/// C runtime, `\"` is a quote, and backslashes are special only before a quote. `%` introduces a
/// variable in cmd even inside quotes. So everything else goes into quoted parts, and `"` and `%`
/// are between them, escaped for cmd.
fn cmd_word(word: &str) -> String {
    if word.is_empty() {
        return "\"\"".to_owned();
    }
    let mut out = String::with_capacity(word.len() + 2);
    for part in word.split_inclusive(['"', '%']) {
        let (text, mark) = match part.strip_suffix(['"', '%']) {
            Some(text) => (text, part.get(text.len()..)),
            None => (part, None),
        };
        if !text.is_empty() {
            let ending = text.len() - text.trim_end_matches('\\').len();
            let _ = write!(out, "\"{text}{}\"", "\\".repeat(ending));
        }
        match mark {
            Some("%") => out.push_str("^%"),
            Some(_) => out.push_str("\\^\""),
            None => {}
        }
    }
    out
}

/// Quotes a word for POSIX shells. Nothing is special in single quotes, but fish interprets a
/// backslash before another one, before a quote, and at the end. Such a backslash gets quotes of
/// its own.
fn posix_word(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 2);
    out.push('\'');
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\'', _) => out.push_str(r"'\''"),
            ('\\', None | Some('\\' | '\'')) => out.push_str(r"'\\'"),
            _ => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Words that are difficult for shells.
    #[rustfmt::skip]
    const NASTY: &[&str] = &[
        "", " ", "a b", "it's", "‘typographic’", "tensorflow==2.3.0", "numpy<2", "a&b", "a|b", "a;b", "a^b", "$HOME", "`id`", "$(id)",
        "%PATH%", "100%", "!x!", "*", "~", "#", "=ls", "é😀", r"C:\dir with space\", r"\", r"\\server\share", "-a.b", "-a:b", "--%", "--x=y",
        r"\'; id; '", r"a\\'b\\\", "say \"hi\"", "\\\"", r#"a\\"b\\"#, "\"", "\"\"", "\"%\"", "\"&\"", r#""a" & "b\""#,
    ];

    fn check(program: &str, arguments: &[&str], expected: Expect) {
        let command = Command::new(program, arguments.iter().copied());
        let shells = [Shell::WindowsPowerShell, Shell::PowerShell, Shell::Cmd, Shell::Posix];
        let lines: Vec<String> = shells.map(|shell| line(&command, shell)).into();
        expected.assert_eq(&format!("{}\n", lines.join("\n")));
    }

    #[test]
    fn a_plain_command_is_the_same_everywhere() {
        check(
            r"C:\Python38\python.exe",
            &["-m", "pip", "install", "tensorflow==2.3.0"],
            expect![[r"
                C:\Python38\python.exe -m pip install tensorflow==2.3.0
                C:\Python38\python.exe -m pip install tensorflow==2.3.0
                C:\Python38\python.exe -m pip install tensorflow==2.3.0
                'C:\Python38\python.exe' -m pip install tensorflow==2.3.0
            "]],
        );
    }

    #[test]
    fn quotes_where_they_are_needed() {
        check(
            r"C:\Users\Zoë's PC\py 3\python.exe",
            &["-m", "pip", "install", "numpy<2"],
            expect![[r#"
                & 'C:\Users\Zoë''s PC\py 3\python.exe' -m pip install 'numpy<2'
                & 'C:\Users\Zoë''s PC\py 3\python.exe' -m pip install 'numpy<2'
                "C:\Users\Zoë's PC\py 3\python.exe" -m pip install "numpy<2"
                'C:\Users\Zoë'\''s PC\py 3\python.exe' -m pip install 'numpy<2'
            "#]],
        );
        check(
            "python",
            &["say \"hi\"", "", r"C:\a b\", "‘a’", "%PATH%"],
            expect![[r#"
                python 'say \"hi\"' '""' 'C:\a b\\' '‘‘a’’' '%PATH%'
                python 'say "hi"' '' 'C:\a b\' '‘‘a’’' '%PATH%'
                python "say "\^""hi"\^" "" "C:\a b\\" "‘a’" ^%"PATH"^%
                python 'say "hi"' '' 'C:\a b'\\'' '‘a’' '%PATH%'
            "#]],
        );
    }

    #[cfg(unix)]
    #[test]
    fn arguments_pass_unchanged_through_a_real_sh() {
        let command = Command::new("/usr/bin/env", ["printf", r"%s\0"].iter().chain(NASTY).copied());
        let output = std::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(line(&command, Shell::Posix))
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.split_terminator('\0').collect::<Vec<_>>(), NASTY);
    }

    #[test]
    fn arguments_pass_unchanged_through_fish() {
        let line = line(&Command::new("p", NASTY.iter().copied()), Shell::Posix);
        assert_eq!(read_by_fish(&line)[1..], *NASTY);
    }

    /// Splits a line into words like fish (its documentation, *Quotes*), as far as our lines need
    /// it.
    fn read_by_fish(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            let escaped = rest.next_if(|&next| c == '\\' && (!quoted || matches!(next, '\\' | '\'')));
            match (c, escaped) {
                (_, Some(expected)) => word.get_or_insert_default().push(expected),
                ('\'', _) => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                (' ', _) if !quoted => words.extend(word.take()),
                _ => {
                    assert!(
                        quoted || !"$*?~#(){}[]<>^&|;\"\\%!`".contains(c),
                        "fish would interpret {c} in {line}"
                    );
                    word.get_or_insert_default().push(c);
                }
            }
        }
        assert!(!quoted, "no end of the string: {line}");
        words.extend(word);
        words
    }

    #[test]
    fn arguments_pass_unchanged_through_cmd_and_the_c_runtime() {
        let program = r"C:\Program Files\Python38\python.exe";
        let line = line(&Command::new(program, NASTY.iter().copied()), Shell::Cmd);
        let expected: Vec<&str> = std::iter::once(&program).chain(NASTY).copied().collect();
        assert_eq!(arguments_of_c_runtime(&read_by_cmd(&line)), expected);
    }

    #[test]
    fn arguments_pass_unchanged_through_windows_powershell_and_the_c_runtime() {
        let line = line(&Command::new("p", NASTY.iter().copied()), Shell::WindowsPowerShell);
        let passed_on: Vec<String> = read_by_powershell(&line)
            .into_iter()
            .map(|word| if word.contains(char::is_whitespace) { format!("\"{word}\"") } else { word })
            .collect();
        assert_eq!(arguments_of_c_runtime(&passed_on.join(" "))[1..], *NASTY);
    }

    #[test]
    fn arguments_pass_unchanged_through_powershell() {
        let line = line(&Command::new("p", NASTY.iter().copied()), Shell::PowerShell);
        assert_eq!(read_by_powershell(&line)[1..], *NASTY);
    }

    /// Splits a line into words like PowerShell, as far as our lines need it.
    fn read_by_powershell(line: &str) -> Vec<String> {
        let is_quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
        let mut words = Vec::new();
        let mut rest = line;
        while !rest.is_empty() {
            let mut word = String::new();
            if let Some(mut string) = rest.strip_prefix(is_quote) {
                loop {
                    let end = string.find(is_quote).unwrap_or_else(|| panic!("no end of the string: {line}"));
                    word.push_str(&string[..end]);
                    let mark = string[end..].chars().next().unwrap();
                    string = &string[end + mark.len_utf8()..];
                    match string.strip_prefix(is_quote) {
                        Some(after) => (word.push(mark), string = after).1,
                        None => break,
                    }
                }
                rest = string;
            } else {
                let end = rest.find(' ').unwrap_or(rest.len());
                word.push_str(&rest[..end]);
                rest = &rest[end..];
                let special = |c: char| "$`(){}[]|&;<>@#,\"%*?~".contains(c);
                assert!(!word.contains(special), "PowerShell would interpret {word}");
            }
            assert!(rest.is_empty() || rest.starts_with(' '), "one word becomes two: {rest}");
            rest = rest.strip_prefix(' ').unwrap_or(rest);
            words.push(word);
        }
        words
    }

    /// Returns the command line that cmd passes on after reading a line at its prompt. Panics on an
    /// operator or a variable.
    fn read_by_cmd(line: &str) -> String {
        let (mut quoted, mut escaped) = (false, false);
        let mut read = String::new();
        for c in line.chars() {
            match c {
                _ if escaped => escaped = false,
                '^' if !quoted => {
                    escaped = true;
                    continue;
                }
                '"' => quoted = !quoted,
                '&' | '|' | '<' | '>' | '(' | ')' => {
                    assert!(quoted, "cmd would interpret the operator {c} in {line}")
                }
                '%' => panic!("cmd would interpret a variable in {line}"),
                _ => {}
            }
            read.push(c);
        }
        read
    }

    /// Splits a command line like Microsoft's C runtime (its documented parsing rules).
    fn arguments_of_c_runtime(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let (mut word, mut quoted, mut backslashes) = (None::<String>, false, 0_usize);
        for c in line.chars() {
            let into = word.get_or_insert_default();
            match c {
                '\\' => backslashes += 1,
                '"' => {
                    into.truncate(into.len() - backslashes.div_ceil(2));
                    if backslashes % 2 == 1 {
                        into.push('"');
                    } else {
                        quoted = !quoted;
                    }
                    backslashes = 0;
                    continue;
                }
                _ => backslashes = 0,
            }
            if c == ' ' && !quoted {
                words.extend(word.take());
            } else {
                into.push(c);
            }
        }
        words.extend(word);
        words
    }
}
