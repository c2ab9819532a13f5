//! Detection of what looks like a secret anywhere in a snapshot. Such a snapshot isn't written.

/// The prefixes of the tokens of well-known services, from the services' own documentation, and the
/// minimum number of further characters.
const TOKENS: [(&str, usize); 26] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghr_", 30),
    ("ghs_", 30),
    ("ghu_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("gldt-", 20),
    ("glrt-", 20),
    ("dop_v1_", 40),
    ("ATATT3x", 40),
    ("ya29", 20),
    ("SG", 40),
    ("sk-", 32),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("xoxa-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("hf_", 30),
    ("pypi-Ag", 40),
    ("npm_", 36),
    ("AIza", 35),
    ("eyJhbGciOi", 20),
    ("eyJ0eXAi", 20),
];

/// Returns the kind of secret that a string seems to contain, or `None` if it doesn't seem to
/// contain one.
pub fn secret_in(string: &str) -> Option<&'static str> {
    if string.contains("-----BEGIN ") && string.contains("PRIVATE KEY") || string.contains("AGE-SECRET-KEY-1")
    {
        return Some("a private key");
    }
    if string.split("://").skip(1).any(has_password) {
        return Some("a URL with a password");
    }
    // Some tokens contain dots.
    let is_word_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    string.split(|c| !is_word_char(c)).any(is_token).then_some("a token")
}

fn is_token(word: &str) -> bool {
    // Amazon's keys have no lower-case letters.
    let is_key = |rest: &str| {
        rest.len() == 16
            && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && has_digit(rest)
    };
    ["AKIA", "ASIA"].iter().any(|prefix| word.strip_prefix(prefix).is_some_and(is_key))
        || TOKENS.iter().any(|(prefix, more)| {
            word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= *more && is_mixed(rest))
        })
}

/// Whether `://` is followed by `user:password@…`, or by a long token instead of a user name.
/// Placeholders don't count as passwords, nor do the words that manuals use.
fn has_password(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#', ' ', '"', '\'', '\\', '\n']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    match user.split_once(':') {
        Some((_, password)) => {
            let is_placeholder = password.contains(['{', '$', '<', '*', '[', '\u{27e6}'])
                || ["%s", "%(", "%r"].iter().any(|placeholder| password.contains(placeholder));
            !password.is_empty()
                && !is_placeholder
                && !EXAMPLE_PASSWORDS.contains(&password.to_ascii_lowercase().as_str())
        }
        None => user.len() >= 32 && is_mixed(user),
    }
}

/// The passwords in the examples of manuals.
const EXAMPLE_PASSWORDS: [&str; 6] = ["pass", "passwd", "password", "pwd", "secret", "xxx"];

/// Whether a string has digits and letters of both cases, unlike words and file names.
fn is_mixed(text: &str) -> bool {
    has_digit(text)
        && text.bytes().any(|b| b.is_ascii_uppercase())
        && text.bytes().any(|b| b.is_ascii_lowercase())
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::secret_in;

    #[test]
    fn tokens_keys_and_passwords_are_recognized() {
        let token = "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";
        for text in [
            format!("ghp_{token}"),
            format!("the key is sk-{token}!"),
            format!("Bearer eyJhbGciOi{token}"),
            "postgres://ada:hunter2@db.example/prod".to_owned(),
            "pip install --index-url https://user:p%40ss@host/simple x".to_owned(),
            format!("https://{token}@dev.example/x"),
            "AKIA0123456789ABCDEF".to_owned(),
            "-----BEGIN RSA PRIVATE KEY-----\nMII".to_owned(),
        ] {
            assert!(secret_in(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn strings_that_only_resemble_secrets_are_accepted() {
        for text in [
            "https://example.org/a:b@c",
            "postgres://{user}:{password}@host",
            "mysql://%s:%s@%s/%s",
            "https://user@host/x",
            "https://user:password@host/x",
            "ASIA_PACIFIC_REGION_CODES_2",
            "ASIAN_LANGUAGE_TABLE_V2",
            "npm_config_of_something_that_has_a_long_name_2",
            "gho_grid_higher_order_interpolation_2d",
            "sk-learn-contrib-imbalanced-learn-0-12-extra",
            "sk-learn",
            "hf_transfer_is_a_package_of_hugging_face",
            "libscipy_openblas64_-860d95b1c38e637ce4509f5fa24fbf2a.dll",
            "msvcp140-263139962577ecda4cd9469ca360a746.dll",
            "",
        ] {
            assert_eq!(secret_in(text), None, "{text}");
        }
    }
}
