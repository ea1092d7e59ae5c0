//! Counts what happened to the values of one table, while its rows are streamed: none is kept.

use std::collections::BTreeMap;

use crate::migrate::verdict::canonical_value::{hash, is_blank, said, text};
use crate::migrate::verdict::column_shape::Shape;
use crate::migrate::verdict::conversion::Relation;
use crate::rows::diff::table_pair::{Pair, PairedRow};
use crate::sqlite::value::Value;

/// The fate of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It is NULL now.
    Null,
    /// It is empty or blank now.
    Empty,
    /// It was cut off: the rest is how it began.
    Short,
    /// Its column is gone, or computed now.
    Gone,
    /// Its row is gone.
    Removed,
    /// It is a different value now.
    Other,
}

/// The fate of a value that was not blank.
#[must_use]
pub(super) fn fate(before: &Value, after: &Value) -> Fate {
    if matches!(after, Value::Null) {
        return Fate::Null;
    }
    if is_blank(after) {
        return Fate::Empty;
    }
    if rest(before, after).is_some() { Fate::Short } else { Fate::Other }
}

/// The part of a text or of bytes that was cut off; `None` if that is blank, or if the new value is
/// not a beginning of the old one.
#[must_use]
pub(super) fn rest(before: &Value, after: &Value) -> Option<Value> {
    if !matches!(before, Value::Text(_) | Value::RawText(_) | Value::Blob(_)) {
        return None;
    }
    if let (Value::Blob(before), Value::Blob(after)) = (before, after) {
        return before.strip_prefix(after.as_slice()).map(|rest| Value::Blob(rest.to_vec()));
    }
    let (before, after) = (text(before), text(after));
    let is_same_number = matches!(
        (before.trim().parse::<f64>(), after.trim().parse::<f64>()),
        (Ok(before), Ok(after)) if before.total_cmp(&after).is_eq()
    );
    let rest = before.trim().strip_prefix(after.trim())?;
    (!rest.trim().is_empty() && !is_same_number && !is_midnight(rest))
        .then(|| Value::Text(rest.as_bytes().to_vec()))
}

/// Whether the part that was cut off is an insignificant end of a time: midnight, no fraction, UTC.
fn is_midnight(rest: &str) -> bool {
    rest.starts_with(['T', ' ', '.', 'Z', '+'])
        && rest.len() > 1 - usize::from(rest == "Z")
        && rest.chars().all(|c| "T 0:.Z+".contains(c))
}

/// Values by their number and the sum of their hashes, in whatever order they come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    n: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, value: &Value) {
        if !is_blank(value) {
            let kind = std::mem::discriminant(value);
            self.n += 1;
            self.hashes = self.hashes.wrapping_add(u128::from(hash((kind, text(value)))));
        }
    }

    /// How many there are.
    pub(super) fn n(self) -> u64 {
        self.n
    }
}

/// Counts the fates of the values of one column.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnTally {
    /// How many values have which fate.
    pub fates: BTreeMap<Fate, u64>,
    /// Values that it no longer has in a row that is still there.
    pub lost: Sum,
    /// Values that are new in it, in rows that existed before.
    pub gained: Sum,
    /// Values that it has in a row that is new.
    pub n_added: u64,
    /// Values of rows that are gone, and that are not equal to others by chance.
    pub n_telling: u64,
    /// For each other column, by its place: whether it now has what this one lost.
    relations: BTreeMap<usize, Relation>,
}

/// A column that has, in another form, the values that another one lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Converted {
    /// Its place.
    pub at: usize,
    /// Values that it contains nothing of.
    pub n_missing: u64,
}

/// Counts the fates of the rows and values of one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Rows without a counterpart in the newer table.
    pub n_removed: u64,
    /// Rows without one in the older table.
    pub n_added: u64,
    /// Rows that are in both, and not equal.
    pub n_changed: u64,
    /// The columns of the older table, in the order of the pair.
    pub columns: Vec<ColumnTally>,
    /// The values of columns that only the newer table has.
    pub new: Vec<Sum>,
}

impl ColumnTally {
    /// Values with a fate.
    #[must_use]
    pub(super) fn n(&self, fate: Fate) -> u64 {
        self.fates.get(&fate).copied().unwrap_or(0)
    }

    /// Values that are another one now, or none.
    #[must_use]
    pub(super) fn n_lost(&self) -> u64 {
        [Fate::Null, Fate::Empty, Fate::Short, Fate::Gone].map(|fate| self.n(fate)).iter().sum()
    }

    /// The place of a new column that has the values of this one, which is gone, in most rows.
    #[must_use]
    pub(super) fn successor(&self, n_shared: usize) -> Option<usize> {
        let new = self.relations.iter().filter(|(at, _)| **at >= n_shared);
        let most = new.max_by_key(|(_, relation)| relation.n_same());
        most.filter(|(_, most)| 2 * most.n_same() > self.n(Fate::Gone)).map(|(at, _)| *at)
    }

    /// How many fewer values there are than before.
    #[must_use]
    pub(super) fn n_fewer(&self) -> u64 {
        (self.lost.n() + self.n(Fate::Removed)).saturating_sub(self.gained.n() + self.n_added)
    }

    /// The column that now has, in another form, the values that this one lost.
    #[must_use]
    pub(super) fn converted(&self) -> Option<Converted> {
        let holding = self.relations.iter().filter(|(_, relation)| relation.holds());
        let held = holding.map(|(at, relation)| Converted {
            at: *at,
            n_missing: self.n_lost().saturating_sub(relation.n()),
        });
        held.min_by_key(|converted| converted.n_missing)
    }
}

impl Tally {
    /// Creates the tally of a pair of tables.
    #[must_use]
    pub(super) fn new(pair: &Pair<'_>) -> Self {
        Self {
            columns: vec![ColumnTally::default(); pair.columns_before.len()],
            new: vec![Sum::default(); pair.columns_after.len() - pair.n_shared],
            ..Self::default()
        }
    }

    /// Takes in one row.
    pub(super) fn take(&mut self, pair: &Shape, row: &PairedRow<'_>) {
        match (row.before, row.after) {
            (Some(before), Some(after)) => self.both(pair, before, after),
            (Some(before), None) => {
                self.n_removed += 1;
                for (column, value) in self.columns.iter_mut().zip(before) {
                    let Some(said) = said(value) else { continue };
                    *column.fates.entry(Fate::Removed).or_default() += 1;
                    column.n_telling += u64::from(!said.is_common);
                }
            }
            (None, Some(after)) => {
                self.n_added += 1;
                for (column, value) in self.columns.iter_mut().zip(after).take(pair.n_shared) {
                    column.n_added += u64::from(!is_blank(value));
                }
                self.take_new(pair, after);
            }
            (None, None) => {}
        }
    }

    fn take_new(&mut self, pair: &Shape, after: &[Value]) {
        for (sum, value) in self.new.iter_mut().zip(after.iter().skip(pair.n_shared)) {
            sum.add(value);
        }
    }

    fn both(&mut self, pair: &Shape, before: &[Value], after: &[Value]) {
        self.take_new(pair, after);
        let mut is_changed = false;
        for (at, old) in before.iter().enumerate() {
            let new = after.get(at).filter(|_| at < pair.n_shared);
            if new == Some(old) {
                continue;
            }
            is_changed |= new.is_some();
            let column = &mut self.columns[at];
            column.lost.add(old);
            column.gained.add(new.unwrap_or(&Value::Null));
            if is_blank(old) {
                continue;
            }
            let fate = match new {
                Some(new) if !pair.is_computed(at) => fate(old, new),
                _ => Fate::Gone,
            };
            *column.fates.entry(fate).or_default() += 1;
            if fate != Fate::Other {
                let said = new.and_then(|new| rest(old, new)).unwrap_or_else(|| old.clone());
                column.relate(at, &said, &Both { before, after, n_shared: pair.n_shared });
            }
        }
        self.n_changed += u64::from(is_changed);
    }
}

/// A row that both tables have.
struct Both<'v> {
    before: &'v [Value],
    after: &'v [Value],
    n_shared: usize,
}

impl ColumnTally {
    /// Compares the value that a column lost in a row with the values that are new in that row.
    fn relate(&mut self, at: usize, said: &Value, row: &Both<'_>) {
        let Both { before, after, n_shared } = *row;
        for (other, new) in after.iter().enumerate() {
            if other == at && at < n_shared {
                continue;
            }
            let is_new = other >= n_shared || before.get(other) != Some(new);
            // Once looked at, a column counts in every row.
            if is_new || self.relations.contains_key(&other) {
                self.relations.entry(other).or_default().observe(said, new);
            }
        }
    }
}
