//! Output of `db-restore --json`.

use serde::Deserialize;

use crate::serve::documents::backup::Backup;

/// The plan of `--dry-run`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Plan {
    /// Name of the backup.
    pub(crate) would_restore: String,
    /// Path of the database; none with `--table`.
    #[serde(default)]
    pub(crate) into: Option<String>,
    /// With `--table`.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
}

/// A finished restore.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Restored {
    #[serde(rename = "restored")]
    pub(crate) backup: Backup,
    /// Name of the safety backup.
    #[serde(default)]
    pub(crate) safety: Option<String>,
    /// Where the raw files of a database that could not be read are kept.
    #[serde(default)]
    pub(crate) set_aside: Option<String>,
    /// With `--table`.
    #[serde(default)]
    pub(crate) tables: Vec<RestoredTable>,
}

/// A table that was restored, and its rows now.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RestoredTable {
    pub(crate) table: String,
    pub(crate) rows: u64,
}
