//! The effect of a migration on one table and the values of its columns.

use std::collections::BTreeMap;

use crate::migrate::verdict::tally::Fate;
use crate::sqlite::schema::Table;
use crate::sqlite::trouble;

/// The effect of a migration on one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableEffect {
    /// Its name.
    pub before: String,
    /// Its name now; `None` if it is gone.
    pub after: Option<String>,
    /// Its rows before.
    pub n_before: u64,
    /// Its rows now.
    pub n_after: u64,
    /// Rows that are gone permanently.
    pub n_lost: u64,
    /// Rows that have another key now, or are in another table.
    pub n_moved: u64,
    /// Effects on its columns, of those that changed.
    pub columns: Vec<ColumnEffect>,
    /// Reason why it could not be read.
    pub unread: Option<String>,
}

/// The effect of a migration on the values of one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ColumnEffect {
    /// Its name.
    pub name: String,
    /// Its name now; `None` if it is gone.
    pub after: Option<String>,
    /// Whether it stored values and computes them now.
    pub is_computed: bool,
    /// Values that are others now.
    pub n_changed: u64,
    /// Values that it had and no longer has at all.
    pub n_values: u64,
    /// How many of them are nowhere, by their fate.
    pub missing: BTreeMap<Fate, u64>,
    /// The column that has the values that this one lost.
    pub taken_by: Option<String>,
    /// The column that it was exchanged with.
    pub swapped_with: Option<String>,
}

impl ColumnEffect {
    /// Whether there is nothing to report.
    pub(super) fn is_nothing(&self) -> bool {
        let is_here =
            self.after.as_ref().is_some_and(|after| after.eq_ignore_ascii_case(&self.name));
        is_here && self.n_changed == 0 && self.n_values == 0
    }
}

impl TableEffect {
    pub(super) fn unread(table: &Table, error: &anyhow::Error) -> Self {
        let unread = Some(trouble::message(error));
        Self { before: table.name.clone(), unread, ..Self::default() }
    }
}
