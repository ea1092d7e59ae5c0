//! Output of `db-diff --json`.

use serde::Deserialize;
use serde_json::Value;

/// What changed between two states, for each database.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Diff {
    pub(crate) differences: Vec<Difference>,
}

/// What changed in one database.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Difference {
    #[serde(default)]
    pub(crate) different: bool,
    /// Whether all tables could be compared.
    #[serde(default)]
    pub(crate) complete: Option<bool>,
    #[serde(default)]
    pub(crate) schema: Vec<SchemaChange>,
    #[serde(default)]
    pub(crate) tables: Vec<TableChange>,
    /// With `--rows`.
    #[serde(default)]
    pub(crate) rows: Vec<RowChange>,
}

/// The rows of one table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TableChange {
    pub(crate) table: String,
    #[serde(default)]
    pub(crate) added: Option<u64>,
    #[serde(default)]
    pub(crate) removed: Option<u64>,
    #[serde(default)]
    pub(crate) changed: Option<u64>,
    #[serde(default)]
    pub(crate) notes: Vec<String>,
    /// Why it could not be compared.
    #[serde(default)]
    pub(crate) unread: Option<String>,
}

/// A change of the schema.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SchemaChange {
    /// `added`, `removed` or `changed`.
    pub(crate) change: String,
    /// E.g. `table` or `column`.
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) table: Option<String>,
    #[serde(default)]
    pub(crate) before: Option<String>,
    #[serde(default)]
    pub(crate) after: Option<String>,
}

/// One row, before and after.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RowChange {
    pub(crate) table: String,
    pub(crate) key: Value,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl Difference {
    /// Rows that differ: added, removed and changed.
    #[must_use]
    pub(crate) fn n_rows(&self) -> u64 {
        self.tables.iter().map(TableChange::n_rows).sum()
    }

    /// Whether some tables could not be compared.
    #[must_use]
    pub(crate) fn is_partial(&self) -> bool {
        self.complete == Some(false)
    }
}

impl TableChange {
    /// Rows of this table that differ.
    #[must_use]
    pub(crate) fn n_rows(&self) -> u64 {
        [self.added, self.removed, self.changed].into_iter().flatten().sum()
    }
}
