//! Output of `db-import --json`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A merge into the live database, or a new database.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Import {
    Merge(Merge),
    New(NewDatabase),
}

/// A merge.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Merge {
    pub(crate) files: Vec<MergedFile>,
    #[serde(default)]
    pub(crate) inserted: u64,
    #[serde(default)]
    pub(crate) replaced: u64,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    #[serde(default)]
    pub(crate) safety: Option<String>,
}

/// One file of a merge.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MergedFile {
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) tables: Vec<MergedTable>,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

/// The rows of one table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MergedTable {
    pub(crate) table: String,
    #[serde(default)]
    pub(crate) inserted: Rows,
    #[serde(default)]
    pub(crate) renumbered: Rows,
    #[serde(default)]
    pub(crate) unchanged: u64,
    #[serde(default)]
    pub(crate) replaced: Rows,
    #[serde(default)]
    pub(crate) kept: Rows,
    #[serde(default)]
    pub(crate) conflicting: Rows,
    #[serde(default)]
    pub(crate) left_out: Rows,
}

/// Some rows: how many, and the first of them.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Rows {
    pub(crate) rows: u64,
    #[serde(default)]
    pub(crate) named: Vec<NamedRow>,
}

/// A row by its key.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NamedRow {
    pub(crate) row: String,
    #[serde(default)]
    pub(crate) reason: String,
}

/// A database created from a file.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewDatabase {
    pub(crate) imported: String,
    pub(crate) into: String,
    #[serde(default)]
    pub(crate) size_bytes: u64,
    #[serde(default)]
    pub(crate) tables: BTreeMap<String, Option<u64>>,
    #[serde(default)]
    pub(crate) violations: Vec<String>,
    #[serde(default)]
    pub(crate) remarks: Vec<String>,
    #[serde(default)]
    pub(crate) safety: Option<String>,
}
