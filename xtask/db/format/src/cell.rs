//! One value of a row: borrowed when it is written, owned when it was read.

use anyhow::Result;
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// A value by its storage class, borrowed from the row that is being read.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'r> {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A real; never NaN, which SQLite takes for NULL.
    Real(f64),
    /// Text that is Unicode.
    Text(&'r str),
    /// The bytes of a text that is not Unicode, in the encoding of its database.
    OddText(&'r [u8]),
    /// Bytes.
    Blob(&'r [u8]),
}

/// The same, owned. Equal means the same class and the same bits: 1 is not 1.0.
#[derive(Debug, Clone)]
pub enum Value {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A real.
    Real(f64),
    /// Text that is Unicode.
    Text(String),
    /// The bytes of a text that is not Unicode, in the encoding of its database.
    OddText(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl<'r> Cell<'r> {
    /// The value of a column.
    ///
    /// # Errors
    ///
    /// If the row has no such column.
    pub(crate) fn of(row: &'r Row<'_>, column: usize) -> Result<Self> {
        Ok(match row.get_ref(column)? {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text),
                Err(_) => Self::OddText(bytes),
            },
            ValueRef::Blob(bytes) => Self::Blob(bytes),
        })
    }

    /// Owned.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(integer) => Value::Integer(integer),
            Self::Real(real) => Value::Real(real),
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::OddText(bytes) => Value::OddText(bytes.to_vec()),
            Self::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }
}

impl Value {
    /// Borrowed.
    #[must_use]
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(integer) => Cell::Integer(*integer),
            Self::Real(real) => Cell::Real(*real),
            Self::Text(text) => Cell::Text(text),
            Self::OddText(bytes) => Cell::OddText(bytes),
            Self::Blob(bytes) => Cell::Blob(bytes),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::OddText(a), Self::OddText(b)) | (Self::Blob(a), Self::Blob(b)) => a == b,
            _ => false,
        }
    }
}
