//! Texts of a database in UTF-16, which may contain half a surrogate pair. SQLite answers in UTF-8,
//! in which two such texts may be the same; so their bytes are read too.

use anyhow::Result;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::sqlite::connection;
use crate::sqlite::value::Value;

/// The order of the two bytes of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Utf16 {
    /// The lower one.
    Little,
    /// The higher one.
    Big,
}

/// The columns of a row that contain the bytes of its texts, in the order of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw {
    /// The first of them.
    pub from: usize,
    /// How they are to be read.
    pub utf16: Utf16,
}

impl Utf16 {
    /// The byte order of a database; `None` for UTF-8.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn of(connection: &Connection) -> Result<Option<Self>> {
        let encoding: String = connection::pragma(connection, "encoding")?;
        Ok(match encoding.as_str() {
            "UTF-16le" => Some(Self::Little),
            "UTF-16be" => Some(Self::Big),
            _ => None,
        })
    }

    /// Whether bytes are Unicode in this order.
    pub(crate) fn is_unicode(self, bytes: &[u8]) -> bool {
        let number = match self {
            Self::Little => u16::from_le_bytes,
            Self::Big => u16::from_be_bytes,
        };
        let units = bytes.chunks_exact(2).map(|unit| number([unit[0], unit[1]]));
        bytes.len().is_multiple_of(2) && char::decode_utf16(units).all(|unit| unit.is_ok())
    }
}

/// One value of a row.
///
/// # Errors
///
/// If the row has no such column.
pub(crate) fn value(row: &Row<'_>, column: usize, raw: Option<Raw>) -> Result<Value> {
    let value = row.get_ref(column)?;
    if let (ValueRef::Text(_), Some(raw)) = (value, raw)
        && let ValueRef::Blob(bytes) = row.get_ref(raw.from + column)?
        && !raw.utf16.is_unicode(bytes)
    {
        return Ok(Value::RawText(bytes.to_vec()));
    }
    Ok(value.into())
}
