//! How many rows of a table are lost: those with a value that is nowhere afterwards.

use crate::migrate::verdict::canonical_value::{is_blank, said};
use crate::migrate::verdict::conversion::is_related;
use crate::migrate::verdict::tally::rest;
use crate::sqlite::schema::Table;
use crate::sqlite::value::Value;

/// The role of a column in finding lost rows of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is the number of the row.
    Number,
    /// It is part of another primary key.
    Key,
    /// It contains values.
    Value,
}

/// The values of one column in the rows that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Removed {
    /// Role of the column.
    pub role: Role,
    /// How many values it had there.
    pub n: u64,
    /// How many of them are not equal to others by chance.
    pub n_telling: u64,
    /// How many are nowhere.
    pub n_missing: u64,
    /// How many values its table lost, wherever they are.
    pub n_lost: u64,
}

/// The rows of a table that are gone from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    /// How many have no counterpart.
    pub n_removed: u64,
    /// How many fewer there are.
    pub n_fewer: u64,
    /// Whether rows are at other places, so that having no counterpart means nothing.
    pub are_shifted: bool,
    /// Their columns.
    pub columns: Vec<Removed>,
}

/// The role of a column in finding lost rows of a table.
#[must_use]
pub(super) fn role(table: &Table, column: &str) -> Role {
    let is_it = |name: &String| name.eq_ignore_ascii_case(column);
    if table.rowid_column().is_some_and(|key| is_it(&key.name)) {
        return Role::Number;
    }
    if table.primary_key().iter().any(is_it) { Role::Key } else { Role::Value }
}

/// Whether a row is not the one any more that had its number: of two values and more none is as it was,
/// in another form, or at another place of the row. An UPDATE rarely leaves nothing at all.
#[must_use]
pub(super) fn is_replaced(roles: &[Role], before: &[Value], after: &[Value]) -> bool {
    let mut n_values = 0;
    for ((role, old), new) in roles.iter().zip(before).zip(after) {
        if *role != Role::Value || is_blank(old) || is_blank(new) {
            continue;
        }
        if old == new || is_related(old, new) || rest(old, new).is_some() {
            return false;
        }
        let old = said(old);
        if roles.iter().zip(after).any(|(role, new)| *role == Role::Value && said(new) == old) {
            return false;
        }
        n_values += 1;
    }
    n_values >= 2
}

impl Rows {
    /// Rows that are gone permanently.
    #[must_use]
    pub(super) fn n_lost(&self) -> u64 {
        if self.n_removed == 0 || self.are_shifted && self.n_fewer == 0 {
            return 0;
        }
        let n_vanished = self.n_vanished();
        let is_found = self.columns.iter().any(|column| column.n_lost > 0);
        if n_vanished == 0 && (is_found || self.n_fewer == 0) {
            return 0;
        }
        n_vanished.max(self.n_fewer)
    }

    /// Rows that are gone from here, and whose values are elsewhere.
    #[must_use]
    pub(super) fn n_moved(&self) -> u64 {
        if self.are_shifted { 0 } else { self.n_removed.saturating_sub(self.n_lost()) }
    }

    /// Rows with a value that is nowhere afterwards. A row that only has another key is not lost if
    /// its other values distinguish it.
    fn n_vanished(&self) -> u64 {
        let with = |role| self.columns.iter().filter(move |column| column.role == role);
        let most = |role| with(role).map(|column| column.n_missing).max().unwrap_or(0);
        let of_values = most(Role::Value);
        let has_values = with(Role::Value).any(|column| column.n > 0);
        let is_told = with(Role::Value).any(|column| column.n_telling > 0);
        let n_vanished = if !has_values {
            most(Role::Key).max(most(Role::Number))
        } else if of_values == 0 && !is_told {
            most(Role::Key)
        } else {
            of_values
        };
        n_vanished.min(self.n_removed)
    }
}
