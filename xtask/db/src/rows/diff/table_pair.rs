//! Two tables to compare, and what is read of them.

use anyhow::Result;

use crate::sqlite::schema::Table;
use crate::sqlite::value::Value;

/// One of two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// The older one.
    Before,
    /// The newer one.
    After,
}

/// The way in which the rows of two tables are paired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// The numbers of their rows, which an `INTEGER PRIMARY KEY` keeps.
    Numbers,
    /// Columns that both have, the primary key of the older one.
    Key(Vec<String>),
    /// The numbers of their rows, which nothing keeps when a table is rebuilt.
    Places,
    /// Nothing: no row has a counterpart.
    Nothing,
}

/// A column as its table is read, and as the user knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name in the source of the rows.
    pub source: String,
    /// Name for the user.
    pub shown: String,
}

/// Two tables, and the columns to read: those that both have come first, in one order.
#[derive(Debug, Clone)]
pub(crate) struct Pair<'t> {
    /// The older table.
    pub before: &'t Table,
    /// The newer one.
    pub after: &'t Table,
    /// Columns of the older one.
    pub columns_before: Vec<Column>,
    /// Columns of the newer one.
    pub columns_after: Vec<Column>,
    /// How many of them are in both.
    pub n_shared: usize,
    /// The way in which the rows are paired.
    pub way: Way,
}

/// A row that is not equal in both tables, or any row if one has columns of its own.
pub(crate) struct PairedRow<'v> {
    /// Its values in the older table.
    pub before: Option<&'v [Value]>,
    /// Its values in the newer one.
    pub after: Option<&'v [Value]>,
}

/// Receives rows.
pub(crate) type Each<'e> = &'e mut dyn FnMut(&PairedRow<'_>) -> Result<()>;
