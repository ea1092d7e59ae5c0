//! Texts that SQLite would not read as they are: those that are not Unicode, and those with a NUL
//! byte, where it would stop. The literal becomes a cast of its bytes, which means the same.

use anyhow::{Context, Result, bail};

/// A statement that SQLite reads to the end as it is; none if it would not.
pub(super) fn plain(bytes: &[u8]) -> Option<&str> {
    if bytes.contains(&0) { None } else { std::str::from_utf8(bytes).ok() }
}

/// A statement with every odd text made readable, for a database of this encoding.
///
/// # Errors
///
/// If an odd byte is in no text.
pub(super) fn rewritten(bytes: &[u8], encoding: &str) -> Result<String> {
    let mut sql = Vec::with_capacity(bytes.len() + 64);
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let n_bytes = token(rest);
        let (token, others) = rest.split_at(n_bytes);
        if *first == b'\'' && plain(token).is_none() {
            sql.extend_from_slice(cast(token, encoding).as_bytes());
        } else {
            sql.extend_from_slice(token);
        }
        rest = others;
    }
    if sql.contains(&0) {
        bail!("there is a NUL byte outside of a text");
    }
    String::from_utf8(sql).context("there are bytes that are not UTF-8 outside of a text")
}

/// The number of bytes up to the end of a quoted text or a comment, or up to the next of these.
fn token(rest: &[u8]) -> usize {
    let find = |from: usize, wanted: &[u8]| {
        let found = rest[from..].windows(wanted.len()).position(|bytes| bytes == wanted);
        found.map_or(rest.len(), |at| from + at + wanted.len())
    };
    match rest {
        [b'\'', ..] => text_end(rest),
        [quote @ (b'"' | b'`'), ..] => find(1, &[*quote]),
        [b'[', ..] => find(1, b"]"),
        [b'-', b'-', ..] => find(2, b"\n"),
        [b'/', b'*', ..] => find(2, b"*/"),
        _ => {
            let is_other = |byte: &u8| b"'\"`[-/".contains(byte);
            1 + rest[1..].iter().position(is_other).unwrap_or(rest.len() - 1)
        }
    }
}

fn text_end(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        if rest[at] != b'\'' {
            at += 1;
        } else if rest.get(at + 1) == Some(&b'\'') {
            at += 2;
        } else {
            return at + 1;
        }
    }
    at
}

/// The bytes of a literal as a cast, which takes them in the database's encoding.
fn cast(literal: &[u8], encoding: &str) -> String {
    let inner = &literal[1..literal.len().saturating_sub(1).max(1)];
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        bytes.push(*byte);
        if *byte == b'\'' {
            rest.next();
        }
    }
    let units = || String::from_utf8_lossy(&bytes).encode_utf16().collect::<Vec<_>>();
    let bytes = match encoding {
        "UTF-16le" => units().iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        "UTF-16be" => units().iter().flat_map(|unit| unit.to_be_bytes()).collect(),
        _ => bytes,
    };
    let mut sql = "CAST(X'".to_owned();
    for byte in bytes {
        use std::fmt::Write as _;
        let _ = write!(sql, "{byte:02x}");
    }
    sql + "' AS TEXT)"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &[u8], expected: Option<&str>) {
        let found = rewritten(sql, "UTF-8").ok();
        assert_eq!(found.as_deref(), expected, "{}", String::from_utf8_lossy(sql));
    }

    #[test]
    fn odd_texts_become_casts() {
        check(b"VALUES('a', 'it''s')", Some("VALUES('a', 'it''s')"));
        check(b"VALUES('\xff', 'b')", Some("VALUES(CAST(X'ff' AS TEXT), 'b')"));
        check(b"VALUES('it''s\0', 'b')", Some("VALUES(CAST(X'6974277300' AS TEXT), 'b')"));
        check(
            b"VALUES(\"'\", '\0', `'`, ['], 1-1)",
            Some("VALUES(\"'\", CAST(X'00' AS TEXT), `'`, ['], 1-1)"),
        );
        check(
            b"VALUES('\0' /* ' */, -- '\n'\xfe')",
            Some("VALUES(CAST(X'00' AS TEXT) /* ' */, -- '\nCAST(X'fe' AS TEXT))"),
        );
    }

    #[test]
    fn odd_bytes_elsewhere_are_refused() {
        check(b"SELECT \"\xff\"", None);
        check(b"SELECT 1 \0;", None);
        check(b"SELECT 1 -- \xff\n", None);
    }

    #[test]
    fn in_a_database_of_utf_16_a_cast_takes_its_bytes() {
        let found = rewritten(b"'\0\xc3\xbc'", "UTF-16le").expect("readable");
        assert_eq!(found, "CAST(X'0000fc00' AS TEXT)");
        let found = rewritten(b"'\0\xc3\xbc'", "UTF-16be").expect("readable");
        assert_eq!(found, "CAST(X'000000fc' AS TEXT)");
    }
}
