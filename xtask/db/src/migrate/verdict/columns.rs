//! One table in both states: its columns side by side, what happened to their values, and where
//! lost values are now.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::migrate::verdict::canonical_value::is_blank;
use crate::migrate::verdict::column_pairing;
use crate::migrate::verdict::column_shape::Shape;
use crate::migrate::verdict::lost_rows::{self, Removed, Rows};
use crate::migrate::verdict::table_effect::{ColumnEffect, TableEffect};
use crate::migrate::verdict::tally::{Fate, Tally, fate};
use crate::migrate::verdict::value_search::{Id, Missing, Whereabouts};
use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::table_pair::{Pair, Way, When};
use crate::sqlite::schema::Table;
use crate::sqlite::value::Value;

/// The value of a column in the newer row.
#[derive(Clone, Copy)]
enum Now<'v> {
    RowGone,
    ColumnGone,
    Value(&'v Value),
}

/// A table that both states have, and the effects on it.
pub(super) struct Changed<'t> {
    pub pair: Pair<'t>,
    shape: Shape,
    tally: Tally,
    n_before: u64,
    n_after: u64,
    /// For each column of the older table, the one that has all its values under another name.
    renamed: Vec<Option<usize>>,
    ids: Vec<Id>,
    new_ids: Vec<Id>,
}

impl<'t> Changed<'t> {
    /// Reads both tables once.
    ///
    /// # Errors
    ///
    /// If one cannot be read, or at the user's interrupt.
    pub(super) fn read(pairs: &mut Pairs<'_>, before: &'t Table, after: &'t Table) -> Result<Self> {
        let mut pair = column_pairing::pair(pairs, before, after)?;
        let (mut shape, mut tally) = tallied(pairs, &pair)?;
        let mut renamed = column_pairing::renamed(&tally, pair.n_shared);
        // A column with another name in which most values are as before, and not all.
        if let Some(joined) = column_pairing::joined(&pair, &tally, &renamed) {
            pair = joined;
            (shape, tally) = tallied(pairs, &pair)?;
            renamed = column_pairing::renamed(&tally, pair.n_shared);
        }
        let n_before = pairs.count(When::Before, before)?;
        let n_after = pairs.count(When::After, after)?;
        let (ids, new_ids) = (Vec::new(), Vec::new());
        Ok(Self { pair, shape, tally, n_before, n_after, renamed, ids, new_ids })
    }

    /// Whether a value is missing from its column, so that it has to be searched for elsewhere.
    #[must_use]
    pub(super) fn is_suspicious(&self) -> bool {
        let is_settled = |at: usize| self.renamed.get(at).is_some_and(Option::is_some);
        let columns = self.tally.columns.iter().enumerate();
        self.tally.n_removed > 0
            || columns.filter(|(at, _)| !is_settled(*at)).any(|(_, column)| {
                column.n_lost() > 0 && column.converted().is_none_or(|found| found.n_missing > 0)
            })
    }

    /// Makes the columns known to the search.
    pub(super) fn register(&mut self, search: &mut Whereabouts) -> Result<()> {
        for column in &self.pair.columns_before {
            self.ids.push(search.column(self.pair.before, &column.shown)?);
        }
        for column in self.pair.columns_after.iter().skip(self.pair.n_shared) {
            self.new_ids.push(search.column(self.pair.after, &column.shown)?);
        }
        Ok(())
    }

    /// Reads both tables again, for the search: the values that columns lost and gained.
    ///
    /// # Errors
    ///
    /// If one cannot be read, there is no room, or at the user's interrupt.
    pub(super) fn search(&self, pairs: &mut Pairs<'_>, search: &Whereabouts) -> Result<()> {
        column_pairing::each(pairs, &self.pair, &mut |row| {
            for (at, old) in row.before.unwrap_or_default().iter().enumerate() {
                let new = self.counterpart(at, row.after);
                if let Some(fate) = self.fate(at, old, new) {
                    search.lost(self.ids[at], old, fate)?;
                }
            }
            for (at, new) in row.after.unwrap_or_default().iter().enumerate() {
                let old = row.before.and_then(|before| before.get(at));
                match at.checked_sub(self.pair.n_shared) {
                    None if old != Some(new) => search.gained(self.ids[at], new)?,
                    None => {}
                    Some(at) if self.is_taken(at) => {}
                    Some(at) => search.gained(self.new_ids[at], new)?,
                }
            }
            Ok(())
        })
    }

    /// Reads both tables a third time: values that can be pieced together from others are not lost.
    ///
    /// # Errors
    ///
    /// As [`Changed::search`].
    pub(super) fn piece_together(&self, pairs: &mut Pairs<'_>, search: &Whereabouts) -> Result<()> {
        let mut at_stake = Vec::new();
        for (at, id) in self.ids.iter().enumerate() {
            if search.missing(*id)?.n.iter().any(|n| *n > 0) {
                at_stake.push(at);
            }
        }
        if at_stake.is_empty() {
            return Ok(());
        }
        column_pairing::each(pairs, &self.pair, &mut |row| {
            for at in &at_stake {
                let Some(old) = row.before.and_then(|before| before.get(*at)) else { continue };
                let new = self.counterpart(*at, row.after);
                if self.fate(*at, old, new).is_some_and(|fate| fate != Fate::Other)
                    && search.has_parts(old)?
                {
                    search.found(self.ids[*at], old)?;
                }
            }
            Ok(())
        })
    }

    /// The value of a column in the newer row.
    fn counterpart<'v>(&self, at: usize, after: Option<&'v [Value]>) -> Now<'v> {
        let Some(after) = after else { return Now::RowGone };
        match after.get(at).filter(|_| at < self.pair.n_shared) {
            Some(value) => Now::Value(value),
            None => Now::ColumnGone,
        }
    }

    /// The fate of a value, if it changed.
    fn fate(&self, at: usize, old: &Value, new: Now<'_>) -> Option<Fate> {
        let fate = match new {
            Now::RowGone => return Some(Fate::Removed),
            _ if is_blank(old) => return None,
            Now::Value(new) if new == old => return None,
            Now::Value(new) if !self.shape.computed.contains(&at) => fate(old, new),
            Now::Value(_) | Now::ColumnGone => Fate::Gone,
        };
        if self.renamed[at].is_some() {
            return None;
        }
        let is_converted =
            self.tally.columns[at].converted().is_some_and(|found| found.n_missing == 0);
        Some(if is_converted { Fate::Other } else { fate })
    }

    fn is_taken(&self, new: usize) -> bool {
        self.renamed.contains(&Some(new))
    }

    /// The effect on the table; `search` is given if anything was suspicious.
    ///
    /// # Errors
    ///
    /// If the search fails.
    pub(super) fn effect(&self, search: Option<&Whereabouts>) -> Result<TableEffect> {
        let mut missing = vec![Missing::default(); self.tally.columns.len()];
        for (missing, id) in missing.iter_mut().zip(&self.ids) {
            if let Some(search) = search {
                *missing = search.missing(*id)?;
            }
        }
        let mut columns = Vec::new();
        for (at, missing) in missing.iter().enumerate() {
            columns.push(self.column(at, missing, search)?);
        }
        self.mark_swapped(&mut columns);
        columns.retain(|column| !column.is_nothing());
        let rows = self.rows(&missing);
        Ok(TableEffect {
            before: self.pair.before.name.clone(),
            after: Some(self.pair.after.name.clone()),
            n_before: self.n_before,
            n_after: self.n_after,
            n_lost: rows.n_lost(),
            n_moved: rows.n_moved(),
            columns,
            unread: None,
        })
    }

    fn rows(&self, missing: &[Missing]) -> Rows {
        let removed = missing.iter().enumerate().map(|(at, missing)| Removed {
            role: lost_rows::role(self.pair.before, &self.pair.columns_before[at].shown),
            n: self.tally.columns[at].n(Fate::Removed),
            n_telling: self.tally.columns[at].n_telling,
            n_missing: missing.of(Fate::Removed),
            n_lost: missing.n_lost,
        });
        Rows {
            n_removed: self.tally.n_removed,
            n_fewer: self.n_before.saturating_sub(self.n_after),
            are_shifted: self.is_shifted(),
            columns: removed.collect(),
        }
    }

    fn column(
        &self,
        at: usize,
        missing: &Missing,
        search: Option<&Whereabouts>,
    ) -> Result<ColumnEffect> {
        let tally = &self.tally.columns[at];
        let name = |at: usize| self.pair.columns_after.get(at).map(|column| column.shown.clone());
        let is_here = at < self.pair.n_shared;
        let renamed = self.renamed[at].and_then(|new| name(self.pair.n_shared + new));
        let mut effect = ColumnEffect {
            name: self.pair.columns_before[at].shown.clone(),
            after: if is_here { name(at) } else { renamed },
            is_computed: self.shape.computed.contains(&at),
            n_changed: tally.n(Fate::Other),
            n_values: tally.n_lost(),
            ..ColumnEffect::default()
        };
        if effect.after.is_some() && !is_here || tally.n_lost() == 0 {
            return Ok(effect);
        }
        effect.missing = [Fate::Null, Fate::Empty, Fate::Short, Fate::Gone]
            .into_iter()
            .map(|fate| (fate, missing.of(fate)))
            .filter(|(_, n)| *n > 0)
            .collect();
        self.forgive_shifted(at, &mut effect);
        if let Some(found) = tally.converted() {
            keep(found.n_missing, &mut effect.missing);
            effect.taken_by = name(found.at);
        } else if let Some(search) = search
            && let Some(taker) = search.taker(self.ids[at])?
        {
            effect.taken_by = Some(search.name(taker).to_owned());
        }
        Ok(effect)
    }

    /// In a table without a key that was rebuilt, other rows are at the old places: only as many
    /// values can have become NULL or empty as there are fewer.
    fn forgive_shifted(&self, at: usize, effect: &mut ColumnEffect) {
        if !self.is_shifted() {
            return;
        }
        let short = effect.missing.remove(&Fate::Short);
        keep(self.tally.columns[at].n_fewer(), &mut effect.missing);
        effect.missing.extend(short.map(|n| (Fate::Short, n)));
    }

    fn is_shifted(&self) -> bool {
        self.pair.way == Way::Places && self.pair.before.root_page != self.pair.after.root_page
    }

    /// Marks two columns that have exchanged their values.
    fn mark_swapped(&self, columns: &mut [ColumnEffect]) {
        let tallies = &self.tally.columns;
        for one in 0..self.pair.n_shared {
            for other in 0..self.pair.n_shared {
                let (a, b) = (&tallies[one], &tallies[other]);
                let is_swapped = one != other && a.lost.n() > 0 && a.lost == b.gained;
                if is_swapped && b.lost == a.gained {
                    columns[one].swapped_with = Some(columns[other].name.clone());
                }
            }
        }
    }
}

/// Reads both tables and counts what happened to the values.
fn tallied(pairs: &mut Pairs<'_>, pair: &Pair<'_>) -> Result<(Shape, Tally)> {
    let shape = Shape::of(pair);
    let mut tally = Tally::new(pair);
    column_pairing::each(pairs, pair, &mut |row| {
        tally.take(&shape, row);
        Ok(())
    })?;
    Ok((shape, tally))
}

/// Keeps at most this many of the missing values.
fn keep(mut n_most: u64, missing: &mut BTreeMap<Fate, u64>) {
    missing.retain(|_, n| {
        *n = (*n).min(n_most);
        n_most -= *n;
        *n > 0
    });
}
