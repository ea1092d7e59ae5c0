//! Judges what a migration did to a database, and whether that is allowed: a pure verdict over the
//! states before and after, and over the effects on values ([`effects`]).
//!
//! Adding and changing is allowed. Removing something (rows, values that are nowhere afterwards,
//! the parent of a row, a full-text index, a working trigger) is refused unless the user allowed
//! it by name. Contents decide, not names: a renamed table or column loses nothing, and neither
//! does an empty one. Damage of the file is never allowed.

pub(crate) mod allowance;
pub(crate) mod applied_migrations;
mod autoincrement;
mod broken_objects;
mod canonical_value;
mod column_pairing;
mod column_shape;
mod columns;
mod conversion;
pub(crate) mod effects;
mod full_text;
mod gone_tables;
pub(crate) mod loss;
pub(crate) mod losses;
mod lost_rows;
pub(crate) mod remarks;
pub(crate) mod table_effect;
mod table_pairing;
mod tally;
mod value_parts;
mod value_search;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::migrate::state::State;
use crate::migrate::verdict::allowance::Allowance;
use crate::migrate::verdict::loss::{Comparison, Loss};
use crate::migrate::verdict::losses::losses;

/// Verdict on a migration that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It changed nothing at all.
    NothingPending,
    /// It may not run, and why not.
    Refused(Vec<Loss>),
    /// It may run; the losses are those that the user let through.
    Allowed(Vec<Loss>),
}

/// The rows of a table before and after; `None` if it was not there or could not be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Rows {
    /// Before.
    pub before: Option<u64>,
    /// After.
    pub after: Option<u64>,
}

/// Judges a migration; `allowed` names the losses that are allowed.
#[must_use]
pub(crate) fn judge(of: &Comparison<'_>, allowed: &[Allowance]) -> Verdict {
    if of.before.is_equal(of.after) {
        return Verdict::NothingPending;
    }
    let is_allowed = |loss: &Loss| allowed.iter().any(|allowance| allowance.allows(loss));
    let (let_through, refused): (Vec<_>, Vec<_>) = losses(of).into_iter().partition(is_allowed);
    if refused.is_empty() { Verdict::Allowed(let_through) } else { Verdict::Refused(refused) }
}

/// The tables whose number of rows changed, those that came and went among them.
#[must_use]
pub(crate) fn rows(before: &State, after: &State) -> BTreeMap<String, Rows> {
    let mut rows = BTreeMap::new();
    for (table, n_before) in &before.tables {
        let n_after = after.n_rows(table);
        if n_after != *n_before || !after.has_table(table) {
            rows.insert(table.clone(), Rows { before: *n_before, after: n_after });
        }
    }
    for (table, n_after) in &after.tables {
        if !before.has_table(table) {
            rows.insert(table.clone(), Rows { before: None, after: *n_after });
        }
    }
    rows
}

#[cfg(test)]
mod tests;
