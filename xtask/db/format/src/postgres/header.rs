//! What an export of a PostgreSQL database says of itself in its first line.

use serde::Serialize;

use crate::postgres::ENGINE;
use crate::postgres::value::Kind;
use crate::{NAME, VERSION};

/// The content of an export. It has no time, no server and no version of one, so equal content has an
/// equal header.
#[derive(Debug, Clone, Serialize)]
pub struct Header {
    format: &'static str,
    version: u32,
    engine: &'static str,
    /// The encoding of the database, e.g. `UTF8`.
    pub encoding: String,
    /// What is created before the rows, in order.
    pub before: Vec<Definition>,
    /// The tables in the order of their rows: parents before children.
    pub tables: Vec<Table>,
    /// Where the sequences are.
    pub sequences: Vec<Sequence>,
    /// What is created after the rows, in order.
    pub after: Vec<Definition>,
}

/// An object in the words of `pg_dump`.
#[derive(Debug, Clone, Serialize)]
pub struct Definition {
    /// The kind, e.g. `table` or `fk constraint`.
    pub kind: String,
    /// The name that `pg_dump` writes above it.
    pub name: String,
    /// The statements.
    pub sql: String,
}

/// A table that has rows.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// The name with its schema, as SQL.
    pub name: String,
    /// `left-out` if its rows are not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<&'static str>,
    /// The columns of its rows in their order; generated ones are left out.
    pub columns: Vec<Column>,
    /// The names of the columns of its primary key, in the key's order.
    pub key: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type, as SQL.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How its values are written.
    #[serde(skip)]
    pub kind: Kind,
}

/// A sequence and where it is.
#[derive(Debug, Clone, Serialize)]
pub struct Sequence {
    /// The name with its schema, as SQL.
    pub name: String,
    /// The number that it gave last, or will give first.
    pub last_value: i64,
    /// Whether it has given that number.
    pub is_called: bool,
}

impl Header {
    /// One without content.
    #[must_use]
    pub fn of_encoding(encoding: String) -> Self {
        Self {
            format: NAME,
            version: VERSION,
            engine: ENGINE,
            encoding,
            before: Vec::new(),
            tables: Vec::new(),
            sequences: Vec::new(),
            after: Vec::new(),
        }
    }

    /// The tables whose rows are here, with the numbers that belong to them.
    pub(crate) fn counted<'h>(
        &'h self,
        rows: &'h [u64],
    ) -> impl Iterator<Item = (&'h str, u64)> + Clone {
        let both = self.tables.iter().zip(rows);
        both.filter(|(table, _)| table.rows.is_none()).map(|(table, n)| (&*table.name, *n))
    }
}

impl Table {
    /// How its values are written.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.columns.iter().map(|column| column.kind).collect()
    }
}
