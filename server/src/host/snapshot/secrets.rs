//! What looks like a secret, wherever it stands in a snapshot: such a snapshot is not written.

/// What tokens of well-known services begin with, from the services' own documentation, and how many more characters they have at least.
const TOKENS: [(&str, usize); 18] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("ghu_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("sk-", 32),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("hf_", 30),
    ("pypi-AgEIcHlwaS5vcmc", 20),
    ("npm_", 36),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 35),
    ("eyJhbGciOi", 20),
];

/// What kind of secret a text seems to hold, if it seems to hold one.
pub fn secret_in(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if text.split("://").skip(1).any(has_password) {
        return Some("an address with a password");
    }
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_token = |word: &str| {
        TOKENS.iter().any(|(beginning, more)| {
            word.strip_prefix(beginning).is_some_and(|rest| rest.len() >= *more && is_mixed(rest))
        })
    };
    text.split(|c| !is_of_word(c)).any(is_token).then_some("a token")
}

/// Whether what follows `://` is `user:password@…`. Places for a name or password to be put in are none.
fn has_password(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#', ' ', '"', '\'', '\\']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| {
        !password.is_empty() && !password.contains(['%', '{', '$', '<', '*', '[', '\u{27e6}'])
    })
}

/// Words and names of files are not made of digits and letters in both cases.
fn is_mixed(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::secret_in;

    #[test]
    fn tokens_keys_and_passwords() {
        let token = "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";
        for text in [
            format!("ghp_{token}"),
            format!("the key is sk-{token}!"),
            format!("Bearer eyJhbGciOi{token}"),
            "postgres://ada:hunter2@db.example/prod".to_owned(),
            "pip install --index-url https://user:pass@host/simple x".to_owned(),
            "-----BEGIN RSA PRIVATE KEY-----\nMII".to_owned(),
        ] {
            assert!(secret_in(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_only_resembles_them() {
        for text in [
            "https://example.org/a:b@c",
            "postgres://{user}:{password}@host",
            "mysql://%s:%s@%s/%s",
            "https://user@host/x",
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
