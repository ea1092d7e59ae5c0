//! A value by its meaning instead of its storage: lost values are searched for in this form, so
//! that a moved value may change its type, its case or the blanks around it.

use std::hash::{DefaultHasher, Hasher as _};

use crate::sqlite::value::Value;

/// The meaning of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// A hash of it.
    pub hash: i64,
    /// Whether other values are equal by chance: numbers, and texts of one character.
    pub is_common: bool,
}

/// The meaning of a value; nothing, if it is NULL or blank.
#[must_use]
pub(super) fn said(value: &Value) -> Option<Said> {
    match value {
        Value::Null => None,
        Value::Integer(integer) => Some(common(&integer.to_string())),
        Value::Real(real) => Some(common(&real_text(*real))),
        Value::Text(bytes) | Value::RawText(bytes) => of_bytes(bytes),
        Value::Blob(bytes) if bytes.is_empty() => None,
        Value::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => of_text(text),
            Err(_) => Some(rare(&hex(bytes))),
        },
    }
}

/// The meaning of a text; nothing, if it is blank.
#[must_use]
pub(super) fn of_text(text: &str) -> Option<Said> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if let Some(number) = decimal(text) {
        return Some(common(&number));
    }
    let lower = text.to_lowercase();
    if lower.chars().nth(1).is_none() {
        return Some(common(&lower));
    }
    Some(rare(&without_dashes(&lower).unwrap_or(lower)))
}

fn of_bytes(bytes: &[u8]) -> Option<Said> {
    match std::str::from_utf8(bytes) {
        Ok(text) => of_text(text),
        Err(_) => Some(rare(&hex(bytes))),
    }
}

/// Whether a value is NULL, empty or nothing but blanks.
#[must_use]
pub(super) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Integer(_) | Value::Real(_) => false,
        Value::Text(bytes) | Value::RawText(bytes) => {
            String::from_utf8_lossy(bytes).trim().is_empty()
        }
        Value::Blob(bytes) => bytes.is_empty(),
    }
}

/// A value as a text; of bytes that are none, their hexadecimal digits.
#[must_use]
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => real_text(*real),
        Value::Text(bytes) | Value::RawText(bytes) | Value::Blob(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| hex(bytes), str::to_owned)
        }
    }
}

/// A value as a number, if it is one or a text that is one.
#[must_use]
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "numbers are compared within a tolerance")]
        Value::Integer(integer) => Some(*integer as f64),
        Value::Real(real) => Some(*real),
        Value::Text(bytes) => {
            let text = std::str::from_utf8(bytes).ok()?.trim();
            decimal(text).and_then(|_| text.parse().ok())
        }
        _ => None,
    }
}

/// A 64-bit hash, the same throughout a run.
#[must_use]
pub(super) fn hash(text: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn common(text: &str) -> Said {
    Said { hash: hash(text).cast_signed(), is_common: true }
}

fn rare(text: &str) -> Said {
    Said { hash: hash(text).cast_signed(), is_common: false }
}

/// A plain decimal number as SQLite prints its value; a number with leading zeros is a text.
fn decimal(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.len() <= 40
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.matches('.').count() <= 1
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
    if !is_plain {
        return None;
    }
    match text.parse::<i64>() {
        Ok(integer) => Some(integer.to_string()),
        Err(_) => text.parse::<f64>().ok().map(real_text),
    }
}

/// A real; one without a fraction as an integer.
fn real_text(real: f64) -> String {
    if real.fract() == 0.0 && real.abs() < 9e15 {
        format!("{real:.0}")
    } else {
        format!("{real:?}")
    }
}

/// A UUID without its dashes, in the form of a blob of it in hexadecimal digits.
fn without_dashes(text: &str) -> Option<String> {
    let is_uuid = text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    is_uuid.then(|| text.replace('-', ""))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_say_the_same_are_the_same() {
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        for (one, other) in [
            (Value::Integer(5), text(" 5 ")),
            (Value::Integer(5), Value::Real(5.0)),
            (text("1.50"), Value::Real(1.5)),
            (text("Ada "), text("ada")),
            (text("x1"), Value::Blob(b"x1".to_vec())),
            (
                text("00112233-4455-6677-8899-AABBCCDDEEFF"),
                Value::Blob((0..16).map(|at| at * 0x11).collect()),
            ),
        ] {
            assert_eq!(said(&one), said(&other), "{one:?} {other:?}");
            assert!(said(&one).is_some());
        }
        for (one, other) in [(text("007"), Value::Integer(7)), (text("ab"), text("a b"))] {
            assert_ne!(said(&one), said(&other), "{one:?} {other:?}");
        }
        for blank in [Value::Null, text(""), text(" \n"), Value::Blob(Vec::new())] {
            assert_eq!(said(&blank), None, "{blank:?}");
            assert!(is_blank(&blank));
        }
    }
}
