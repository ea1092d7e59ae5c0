//! Passwords in URLs: whatever the scheme, they are never printed.

use std::borrow::Cow;

use serde_json::Value;

/// Text that replaces a secret.
const MASK: &str = "***";

/// Parts of the names of parameters whose values are secret.
const SECRET_NAMES: [&str; 9] =
    ["password", "passwd", "passphrase", "pwd", "token", "secret", "key", "auth", "credential"];

/// A text without the passwords of the URLs in it: `scheme://user:password@`, and parameters such as
/// `?password=`. Of web addresses the user is one too, which may be a token.
#[must_use]
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !text.contains(['?', '&']) {
        return Cow::Borrowed(text);
    }
    let words = text.split_inclusive(is_end_of_url);
    let masked: String = words.map(|word| parameters(&authority(word))).collect();
    if masked == text { Cow::Borrowed(text) } else { Cow::Owned(masked) }
}

/// The same of all texts in a document.
#[must_use]
pub(crate) fn masked_in(document: &Value) -> Value {
    match document {
        Value::String(text) => masked(text).into_owned().into(),
        Value::Array(values) => values.iter().map(masked_in).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), masked_in(value))).collect()
        }
        other => other.clone(),
    }
}

fn is_end_of_url(c: char) -> bool {
    c.is_whitespace() || "`\"'<>".contains(c)
}

/// One word without the part before the `@` of its URLs.
fn authority(word: &str) -> String {
    let mut shown = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let scheme = before.trim_end_matches("://");
        let user = userinfo(after);
        match user.split_once(':') {
            Some((name, _)) => {
                shown.push_str(name);
                shown.push(':');
                shown.push_str(MASK);
            }
            None if !user.is_empty() && is_web(scheme) => shown.push_str(MASK),
            None => shown.push_str(user),
        }
        rest = &after[user.len()..];
    }
    shown + rest
}

fn is_web(scheme: &str) -> bool {
    let is = |known: &str| {
        scheme.len() >= known.len()
            && scheme
                .get(scheme.len() - known.len()..)
                .is_some_and(|end| end.eq_ignore_ascii_case(known))
    };
    is("http") || is("https")
}

/// The part before the `@` of a URL's host; empty if there is none. A password that should have
/// been escaped may contain characters that end a host, so this reaches to the last `@` unless a
/// port comes before.
fn userinfo(after: &str) -> &str {
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    if let Some(at) = after[..end].rfind('@') {
        return &after[..at];
    }
    let port = after[..end].split_once(':').map(|(_, port)| port);
    let is_host = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    match after.rfind('@') {
        Some(at) if !is_host => &after[..at],
        _ => "",
    }
}

/// One word without the values of its secret parameters.
fn parameters(word: &str) -> String {
    let mut shown = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find(['?', '&', ';']) {
        let (before, after) = rest.split_at(at + 1);
        shown.push_str(before);
        rest = after;
        let Some((name, value)) = after.split_once('=') else { continue };
        let is_name = name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
        let lower = name.to_lowercase();
        if is_name && SECRET_NAMES.iter().any(|secret| lower.contains(secret)) {
            let end = value.find(|c: char| "&;#".contains(c) || is_end_of_url(c));
            shown.push_str(name);
            shown.push('=');
            shown.push_str(MASK);
            rest = &value[end.unwrap_or(value.len())..];
        }
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_in_a_url_is_shown() {
        for (text, expected) in [
            ("postgres://user:hunter2@host/db", "postgres://user:***@host/db"),
            (
                "no file `mysql://u:hunter2@h:3306/x`, sorry",
                "no file `mysql://u:***@h:3306/x`, sorry",
            ),
            ("redis://:hunter2@h", "redis://:***@h"),
            ("libsql://h?authToken=hunter2&a=b", "libsql://h?authToken=***&a=b"),
            ("postgresql://h/db?a=b&password=hunter2", "postgresql://h/db?a=b&password=***"),
            ("file:x.db?key=hunter2", "file:x.db?key=***"),
            ("postgres://u:hun/ter#2?@h/db", "postgres://u:***@h/db"),
            ("postgres://u:hun@ter2@h/db", "postgres://u:***@h/db"),
            ("https://hunter2@github.com/a/b.git", "https://***@github.com/a/b.git"),
            ("git+HTTPS://u:hunter2@h", "git+HTTPS://u:***@h"),
            ("a://b:hunter2@c,d://e:hunter2@f", "a://b:***@c,d://e:***@f"),
            ("\u{202e}x://u:hunter2@h", "\u{202e}x://u:***@h"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "ssh://git@github.com/a/b.git",
            "https://sqlite.org/wal.html?a=b",
            "http://localhost:8080/x@y",
            "what? a=b; nothing & more",
            "sqlite://data/a.db?mode=rwc",
            "a@b.example",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
