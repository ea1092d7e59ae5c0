//! The first line of an export, which describes its content, and the last line, which proves it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::{NAME, VERSION};

/// The content of an export: settings, tables in their order, and what is created after the rows.
/// It has no time, no path and no machine name, so equal content has an equal header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`NAME`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// `UTF-8`, `UTF-16le` or `UTF-16be`.
    pub encoding: String,
    /// `PRAGMA application_id`.
    pub application_id: i64,
    /// `PRAGMA user_version`.
    pub user_version: i64,
    /// The tables in the order of their rows: parents before children.
    pub tables: Vec<TableHead>,
    /// What is created after the rows, first the indexes, by name.
    pub indexes: Vec<Definition>,
    /// Then the views.
    pub views: Vec<Definition>,
    /// Then the triggers.
    pub triggers: Vec<Definition>,
}

/// What an export says of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableHead {
    /// Its name as it was created.
    pub name: String,
    /// Where its rows are.
    #[serde(default, skip_serializing_if = "Rows::are_here")]
    pub rows: Rows,
    /// Under which name each row begins with its rowid, if that is not a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rowid: Option<String>,
    /// The columns of its rows in their order; generated and hidden ones are left out.
    pub columns: Vec<String>,
    /// Whether those are all that a plain `INSERT` fills; not written.
    #[serde(skip)]
    pub is_whole: bool,
    /// The columns of its primary key, in the key's order.
    pub key: Vec<String>,
    /// The settings of a full-text index, to be made before its rows come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, Setting)>,
    /// The statement that creates it; `None` for SQLite's own counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

/// Where the rows of a table are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// In this export.
    #[default]
    Here,
    /// In the database: they were not wanted.
    LeftOut,
    /// They are another table's: the full-text index is rebuilt from those.
    Rebuilt,
    /// Nowhere: the full-text index keeps no texts (`content=''`).
    Unreadable,
    /// Its module keeps none.
    None,
}

/// A setting of a full-text index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
}

/// An index, a view or a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The table it belongs to; a view's own name.
    pub table: String,
    /// The statement that creates it.
    pub sql: String,
}

/// The last line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Footer {
    /// How many rows of each table there are; only of those whose rows are here.
    pub rows: BTreeMap<String, u64>,
    /// BLAKE3 of all lines before it.
    pub blake3: String,
}

impl Header {
    /// One of a database without tables.
    #[must_use]
    pub fn of_settings(encoding: String, application_id: i64, user_version: i64) -> Self {
        Self {
            format: NAME.to_owned(),
            version: VERSION,
            encoding,
            application_id,
            user_version,
            tables: Vec::new(),
            indexes: Vec::new(),
            views: Vec::new(),
            triggers: Vec::new(),
        }
    }

    /// The tables whose rows are here, with the numbers that belong to them.
    pub(crate) fn counted<'h>(
        &'h self,
        rows: &'h [u64],
    ) -> impl Iterator<Item = (&'h str, u64)> + Clone {
        let both = self.tables.iter().zip(rows);
        both.filter(|(table, _)| table.rows == Rows::Here).map(|(table, n)| (&*table.name, *n))
    }
}

impl TableHead {
    /// The names in a row, in their order: the rowid first where one is kept.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.rowid.iter().chain(&self.columns).map(String::as_str)
    }
}

impl Rows {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn are_here(&self) -> bool {
        *self == Self::Here
    }
}

/// An object whose members keep their order.
pub(crate) struct Ordered<I>(pub(crate) I);

impl<'h, I: Iterator<Item = (&'h str, u64)> + Clone> Serialize for Ordered<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}
