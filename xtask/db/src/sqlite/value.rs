//! One value of a row: on one line for people, and as a literal for SQL that means exactly it.

use std::fmt::Write as _;

use rusqlite::types::ValueRef;
use serde_json::json;
use xtask_db_format::text_literal;

use crate::console::text;

/// Characters of a value that a line shows.
const MAX_SHOWN: usize = 60;

/// A value, by its storage class. Equal means the same class and the same bits: 1 is not 1.0.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A real.
    Real(f64),
    /// Text in UTF-8, or the bytes that represent it.
    Text(Vec<u8>),
    /// The bytes of a text in UTF-16 that is not Unicode, and so has no UTF-8.
    RawText(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => Self::Text(text.to_vec()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

/// Whether two values are the same, as [`Value`] means it.
#[must_use]
pub(crate) fn is_same(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b))
            | (Self::RawText(a), Self::RawText(b))
            | (Self::Blob(a), Self::Blob(b)) => a == b,
            _ => false,
        }
    }
}

impl Value {
    /// A value on one line: control characters made visible, a long one cut, with its length.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(integer) => integer.to_string(),
            Self::Real(real) => real_literal(*real),
            Self::Text(text) => {
                let lossy = String::from_utf8_lossy(text);
                let n_characters = lossy.chars().count();
                let shown: String = lossy.chars().take(MAX_SHOWN).collect();
                let shown = format!("'{}'", text::plain(&shown).replace('\'', "''"));
                if n_characters <= MAX_SHOWN {
                    shown
                } else {
                    format!("{shown}… ({})", text::count(n_characters as u64, "character"))
                }
            }
            Self::RawText(bytes) => format!("{} (no Unicode)", Self::Blob(bytes.clone()).shown()),
            Self::Blob(bytes) => {
                let shown = blob_literal(bytes.get(..MAX_SHOWN / 4).unwrap_or(bytes));
                if bytes.len() <= MAX_SHOWN / 4 {
                    shown
                } else {
                    format!("{shown}… ({})", text::count(bytes.len() as u64, "byte"))
                }
            }
        }
    }

    /// The value for `--json`: a number, a text or null; a value that JSON cannot represent is an
    /// object with its hex digits or its literal.
    #[must_use]
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Integer(integer) => json!(integer),
            Self::Real(real) if real.is_finite() => json!(real),
            Self::Real(real) => json!({ "real": real_literal(*real) }),
            Self::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => json!(text),
                Err(_) => json!({ "text_hex": hex(text) }),
            },
            Self::RawText(bytes) => json!({ "text_hex": hex(bytes) }),
            Self::Blob(bytes) => json!({ "blob_hex": hex(bytes) }),
        }
    }

    /// The SQL literal that means exactly this value, without control characters.
    #[must_use]
    pub(crate) fn literal(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(integer) => integer.to_string(),
            Self::Real(real) => real_literal(*real),
            Self::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => text_literal(text),
                // Only a UTF-8 database can contain such a text.
                Err(_) => format!("CAST({} AS TEXT)", blob_literal(text)),
            },
            Self::RawText(bytes) => format!("CAST({} AS TEXT)", blob_literal(bytes)),
            Self::Blob(bytes) => blob_literal(bytes),
        }
    }
}

/// The shortest digits that mean just this real; SQLite has no words for the infinite ones.
fn real_literal(real: f64) -> String {
    if real.is_finite() {
        format!("{real:?}")
    } else if real > 0.0 {
        "9e999".to_owned()
    } else {
        "-9e999".to_owned()
    }
}

fn blob_literal(bytes: &[u8]) -> String {
    format!("X'{}'", hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a text never fails.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_literal_means_exactly_its_value() {
        let connection = Connection::open_in_memory().expect("a database");
        for value in [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Integer(i64::MAX),
            Value::Real(0.1),
            Value::Real(1.0),
            Value::Real(1e300),
            Value::Real(5e-324),
            Value::Real(f64::INFINITY),
            Value::Real(f64::NEG_INFINITY),
            Value::Text(Vec::new()),
            Value::Text(b"it's".to_vec()),
            Value::Text(b"one\ntwo\r\n\tthree \\n \\\\n\\".to_vec()),
            Value::Text(b"a\0b\x1b[2J\x7f".to_vec()),
            Value::Text("\\\n\u{85}ü".as_bytes().to_vec()),
            Value::Text((0..=0xa0).filter_map(char::from_u32).collect::<String>().into_bytes()),
            Value::Text((1..40).map(char::from).collect::<String>().repeat(500).into_bytes()),
            Value::Text(vec![b'a', 0xff, b'\'']),
            Value::Blob(vec![0, 0xff, b'\'']),
            Value::Blob(Vec::new()),
        ] {
            let question = format!("SELECT {}", value.literal());
            assert!(!question.chars().any(char::is_control), "{question}");
            let found = connection
                .query_row(&question, [], |row| Ok(Value::from(row.get_ref(0).expect("a value"))));
            assert_eq!(found.expect("a value"), value, "{question}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        for (value, shown) in [
            (Value::Text(b"a\x1b[2J'\n".to_vec()), "'a\\u{1b}[2J''\\n'"),
            (Value::Blob(vec![1, 0xab]), "X'01AB'"),
            (Value::Real(1.0), "1.0"),
        ] {
            assert_eq!(value.shown(), shown);
        }
        let long = Value::Text(vec![b'a'; 1234]).shown();
        assert_eq!(long, format!("'{}'… (1,234 characters)", "a".repeat(60)));
    }
}
