//! Names and values in SQL of ours, and texts that psql must not look into.

use std::fmt::Write as _;

use crate::files::publish::random;

/// A name in double quotes, whatever it contains.
#[must_use]
pub(crate) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name in a schema, both in double quotes.
#[must_use]
pub(crate) fn qualified(schema: &str, object: &str) -> String {
    format!("{}.{}", name(schema), name(object))
}

/// A value in quotes that mean the same whatever `standard_conforming_strings` is
/// (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html>).
#[must_use]
pub(crate) fn literal(value: &str) -> String {
    format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// A word that nobody can foresee.
#[must_use]
pub(crate) fn random_word() -> String {
    format!("x{:016x}{:016x}", random(), random())
}

/// A dollar quote that occurs in none of the texts.
#[must_use]
pub(crate) fn dollar_quote(text: &[u8]) -> String {
    loop {
        let quote = format!("${}$", random_word());
        if !contains(text, quote.as_bytes()) {
            return quote;
        }
    }
}

/// A text of any encoding as UTF-8, so that different texts stay different.
#[must_use]
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Whether a text contains another one.
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_backslashes_kept() {
        assert_eq!(name("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's \\x"), "E'it''s \\\\x'");
    }

    #[test]
    fn a_dollar_quote_is_in_no_text() {
        let quote = dollar_quote(b"$a$ $$");
        assert!(quote.len() > 30 && quote.starts_with("$x") && quote.ends_with('$'));
        assert!(contains(b"abc", b"bc") && !contains(b"abc", b"bd") && !contains(b"a", b"ab"));
    }
}
