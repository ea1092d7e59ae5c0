//! How values of PostgreSQL's types are written.

use anyhow::{Result, ensure};

use crate::cell::Cell;
use crate::sink::Sink;
use crate::{digits, json};

/// How the values of a type are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `t` or `f`.
    Boolean,
    /// An integer of up to 64 bits.
    Integer,
    /// A binary floating-point number, NaN and the infinite ones among them.
    Real,
    /// A decimal number of any length.
    Numeric,
    /// Bytes, printed as `\x00ff`.
    Bytes,
    /// Anything else, as PostgreSQL prints it.
    Text,
}

impl Kind {
    /// That of a type of `pg_catalog` by its name there; of a domain, ask for its base.
    #[must_use]
    pub fn of_type(name: &str) -> Self {
        match name {
            "bool" | "boolean" => Self::Boolean,
            "int2" | "int4" | "int8" | "oid" | "smallint" | "integer" | "bigint" => Self::Integer,
            "float4" | "float8" | "real" | "double precision" => Self::Real,
            "numeric" => Self::Numeric,
            "bytea" => Self::Bytes,
            _ => Self::Text,
        }
    }
}

/// Whether a number has digits, so that it may be written without quotes.
pub(super) fn is_finite(number: &[u8]) -> bool {
    number.iter().any(u8::is_ascii_digit)
        && number.iter().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(byte))
}

/// The bytes that `\x00ff` means.
pub(super) fn bytes(printed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(printed.len() / 2);
    let found = printed.strip_prefix(b"\\x").and_then(|hex| digits::from_hex(hex, &mut bytes));
    ensure!(found.is_some(), "a value of type bytea is not printed in hexadecimal digits");
    Ok(bytes)
}

/// Appends a value as JSON.
///
/// # Errors
///
/// As the outlet's.
pub(super) fn json(kind: Kind, value: Option<&[u8]>, to: &mut Sink<'_>) -> Result<()> {
    let Some(value) = value else { return json::value(Cell::Null, to) };
    match kind {
        Kind::Boolean if value == b"t" => to.push(b"true"),
        Kind::Boolean if value == b"f" => to.push(b"false"),
        Kind::Integer => match std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
            Some(integer) => json::value(Cell::Integer(integer), to)?,
            None => text(value, to)?,
        },
        Kind::Real if is_finite(value) => {
            to.push(value);
            if !value.iter().any(|byte| b".e".contains(byte)) {
                to.push(b".0");
            }
        }
        Kind::Real => {
            to.push(b"{\"real\":");
            text(value, to)?;
            to.push(b"}");
        }
        Kind::Bytes => json::value(Cell::Blob(&bytes(value)?), to)?,
        Kind::Boolean | Kind::Numeric | Kind::Text => text(value, to)?,
    }
    Ok(())
}

/// A text; one that is not UTF-8, which only a database in `SQL_ASCII` may have, by its bytes.
fn text(value: &[u8], to: &mut Sink<'_>) -> Result<()> {
    match std::str::from_utf8(value) {
        Ok(text) => json::value(Cell::Text(text), to),
        Err(_) => json::value(Cell::OddText(value), to),
    }
}
