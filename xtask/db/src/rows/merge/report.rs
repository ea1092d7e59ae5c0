//! The report of what a merge did, or would do, in numbers and by name: table by table, with reasons. `--json`
//! prints it as it is.

use serde::Serialize;

/// How many rows are named of each kind in each table.
pub(crate) const MAX_NAMED: usize = 20;

/// Result for all files.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// A report for each file that was read, in their order.
    pub files: Vec<FileReport>,
    /// Objections to the merge; if there are any, nothing was changed.
    pub problems: Vec<Problem>,
    /// Further remarks for the user.
    pub warnings: Vec<String>,
    /// Whether the database was changed.
    #[serde(skip)]
    pub is_written: bool,
}

/// Result for one file.
#[derive(Debug, Default, Serialize)]
pub(crate) struct FileReport {
    /// Name in messages.
    #[serde(rename = "file")]
    pub shown: String,
    /// Tables of which it has rows, in the order in which they were merged.
    pub tables: Vec<TableReport>,
    /// Values that are lost or taken on trust.
    pub warnings: Vec<String>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Result for the rows of one table.
#[derive(Debug, Default, Serialize)]
pub(crate) struct TableReport {
    /// The table.
    #[serde(rename = "table")]
    pub name: String,
    /// Rows that were added.
    pub inserted: Rows,
    /// Rows among those that have another number than in the file.
    pub renumbered: Rows,
    /// Rows that already exist with the same values.
    pub unchanged: u64,
    /// Rows that exist with different values, and were replaced.
    pub replaced: Rows,
    /// Rows that exist with different values, and stayed.
    pub kept: Rows,
    /// Rows that exist with different values, because of which nothing was merged.
    pub conflicting: Rows,
    /// New rows that cannot be here, because another row has the same key.
    pub left_out: Rows,
}

/// Some rows: how many, and the first of them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Rows {
    /// How many.
    #[serde(rename = "rows")]
    pub n: u64,
    /// At most [`MAX_NAMED`] of them.
    pub named: Vec<Named>,
}

/// A row by name.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    /// Its key or number, e.g. `id 12` or `name 'Anna'`.
    pub row: String,
    /// The reason.
    pub reason: String,
}

/// An objection to a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The file.
    pub file: String,
    /// The table.
    pub table: String,
    /// What: a lowercase fragment.
    pub what: String,
    /// The rows.
    pub rows: Rows,
    /// Hint for the user.
    pub hint: String,
}

impl Report {
    /// Rows that were added.
    #[must_use]
    pub(crate) fn n_inserted(&self) -> u64 {
        self.tables().map(|table| table.inserted.n).sum()
    }

    /// Rows that were replaced.
    #[must_use]
    pub(crate) fn n_replaced(&self) -> u64 {
        self.tables().map(|table| table.replaced.n).sum()
    }

    /// All tables of all files.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &TableReport> {
        self.files.iter().flat_map(|file| &file.tables)
    }
}
