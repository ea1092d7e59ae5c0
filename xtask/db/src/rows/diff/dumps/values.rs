//! The values of a row that differs, for people and for `--json`.

use std::cmp::Ordering;

use xtask_db_format::postgres::{Kind, cells, unescape};

use crate::sqlite::value::Value;

/// The values of a line by the types of their columns: integers, bytes, and anything else as PostgreSQL
/// prints it.
pub(super) fn values(line: &[u8], types: &[Kind]) -> Vec<Value> {
    if types.is_empty() {
        return Vec::new();
    }
    let mut room = Vec::new();
    let mut value = |raw: Option<&[u8]>, kind: Kind| {
        let Some(raw) = raw else { return Value::Null };
        let text = unescape(raw, &mut room);
        let integer = || std::str::from_utf8(text).ok()?.parse().ok().map(Value::Integer);
        let bytes = || from_hex(text.strip_prefix(b"\\x")?).map(Value::Blob);
        let found = match kind {
            Kind::Integer => integer(),
            Kind::Bytes => bytes(),
            _ => None,
        };
        found.unwrap_or_else(|| Value::Text(text.to_vec()))
    };
    cells(line).zip(types).map(|(raw, kind)| value(raw, *kind)).collect()
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// The order in which rows are shown: numbers by value, texts by their bytes.
pub(super) fn order(a: &[Value], b: &[Value]) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) => 1,
        _ => 2,
    };
    let compare = |(a, b): (&Value, &Value)| match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    };
    a.iter().zip(b).map(compare).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
