//! One table of both states: its columns side by side, what became of their values, and where those are
//! that they lost.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::difference::pairs::{Column, Each, Pair, PairedRow, Pairs, Way, When};
use crate::difference::value::Value;
use crate::migration::canonical::is_blank;
use crate::migration::effects::{ColumnEffect, TableEffect};
use crate::migration::pairing;
use crate::migration::rows::{self, Removed, Rows};
use crate::migration::tally::{Fate, Shape, Tally, fate};
use crate::migration::whereabouts::{Id, Missing, Whereabouts};
use crate::schema::{Nature, Table};

/// What a column holds in the newer row.
enum Now<'v> {
    RowGone,
    ColumnGone,
    Value(&'v Value),
}

/// A table that both states have, and what became of it.
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

/// The columns of two tables side by side, those that both have first.
fn pair<'t>(pairs: &Pairs<'_>, before: &'t Table, after: &'t Table) -> Result<Pair<'t>> {
    let is_computed = |table: &Table, column: &Column| {
        let nature = table.column(&column.shown).map(|column| column.nature);
        matches!(nature, Some(Nature::GeneratedVirtual | Nature::GeneratedStored))
    };
    let is_same = |a: &Column, b: &Column| a.shown.eq_ignore_ascii_case(&b.shown);
    let old = pairs.columns(When::Before, before)?;
    let mut new = pairs.columns(When::After, after)?;
    new.retain(|column| !is_computed(before, column));
    let is_shared = |column: &&Column| new.iter().any(|other| is_same(column, other));
    let mut columns_before: Vec<_> = old.iter().filter(is_shared).cloned().collect();
    let n_shared = columns_before.len();
    let shared = columns_before.iter().filter_map(|a| new.iter().find(|b| is_same(a, b)));
    let mut columns_after: Vec<_> = shared.cloned().collect();
    columns_before.extend(old.iter().filter(|column| !is_shared(column)).cloned());
    let is_new = |column: &&Column| !old.iter().any(|other| is_same(column, other));
    columns_after.extend(new.iter().filter(is_new).cloned());
    let way = pairing::way(before, after);
    Ok(Pair { before, after, columns_before, columns_after, n_shared, way })
}

impl<'t> Changed<'t> {
    /// Reads both tables once.
    ///
    /// # Errors
    ///
    /// If one cannot be read, or at the user's interrupt.
    pub(super) fn read(pairs: &mut Pairs<'_>, before: &'t Table, after: &'t Table) -> Result<Self> {
        let mut pair = pair(pairs, before, after)?;
        let (mut shape, mut tally) = tallied(pairs, &pair)?;
        let mut renamed = renamed(&tally, pair.n_shared);
        // A column with another name in which most values are as before, and not all.
        if let Some(joined) = joined(&pair, &tally, &renamed) {
            pair = joined;
            (shape, tally) = tallied(pairs, &pair)?;
            renamed = self::renamed(&tally, pair.n_shared);
        }
        let n_before = pairs.count(When::Before, before)?;
        let n_after = pairs.count(When::After, after)?;
        let (ids, new_ids) = (Vec::new(), Vec::new());
        Ok(Self { pair, shape, tally, n_before, n_after, renamed, ids, new_ids })
    }

    /// Whether a value is missing from its column, so that it has to be looked for elsewhere.
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

    /// Reads both tables again, for the search: what columns lost and gained.
    ///
    /// # Errors
    ///
    /// If one cannot be read, there is no room, or at the user's interrupt.
    pub(super) fn search(&self, pairs: &mut Pairs<'_>, search: &Whereabouts) -> Result<()> {
        each(pairs, &self.pair, &mut |row| {
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
        each(pairs, &self.pair, &mut |row| {
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

    /// What a column holds in the newer row.
    fn counterpart<'v>(&self, at: usize, after: Option<&'v [Value]>) -> Now<'v> {
        let Some(after) = after else { return Now::RowGone };
        match after.get(at).filter(|_| at < self.pair.n_shared) {
            Some(value) => Now::Value(value),
            None => Now::ColumnGone,
        }
    }

    /// What became of a value, if anything.
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

    /// What became of the table; `search` is there if anything was suspicious.
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
            role: rows::role(self.pair.before, &self.pair.columns_before[at].shown),
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

    /// In a table without a key that was rebuilt, other rows stand at the old places: only as many
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

    /// Two columns each of which has now what the other one had.
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

/// Reads both tables and counts what became of the values.
fn tallied(pairs: &mut Pairs<'_>, pair: &Pair<'_>) -> Result<(Shape, Tally)> {
    let is_computed = |at: &usize| {
        let column = pair.columns_after.get(*at).and_then(|c| pair.after.column(&c.shown));
        column.is_some_and(|c| !matches!(c.nature, Nature::Ordinary | Nature::Hidden))
    };
    let computed = (0..pair.n_shared).filter(is_computed).collect();
    let shape = Shape { n_shared: pair.n_shared, computed };
    let mut tally = Tally::new(pair);
    each(pairs, pair, &mut |row| {
        tally.take(&shape, row);
        Ok(())
    })?;
    Ok((shape, tally))
}

/// The pair with columns side by side that only have another name; `None` if there are none.
fn joined<'t>(pair: &Pair<'t>, tally: &Tally, renamed: &[Option<usize>]) -> Option<Pair<'t>> {
    let mut joined = pair.clone();
    for (at, column) in tally.columns.iter().enumerate().skip(pair.n_shared) {
        let Some(new) = column.successor(pair.n_shared).filter(|_| renamed[at].is_none()) else {
            continue;
        };
        let place = |columns: &[Column], name: &str| columns.iter().position(|c| c.shown == name);
        let old = place(&joined.columns_before, &pair.columns_before[at].shown)?;
        let new = place(&joined.columns_after, &pair.columns_after[new].shown)?;
        if new < joined.n_shared {
            // Another column has it already.
            continue;
        }
        joined.columns_before.swap(old, joined.n_shared);
        joined.columns_after.swap(new, joined.n_shared);
        joined.n_shared += 1;
    }
    (joined.n_shared > pair.n_shared).then_some(joined)
}

/// As [`Pairs::each`]; a row that has nothing of the one of its number is another row.
fn each(pairs: &mut Pairs<'_>, pair: &Pair<'_>, take: Each<'_>) -> Result<()> {
    let roles = pair.columns_before.iter().take(pair.n_shared);
    let roles = roles.map(|column| rows::role(pair.before, &column.shown)).collect::<Vec<_>>();
    let may_be_others = matches!(pair.way, Way::Numbers | Way::Places);
    pairs.each(pair, &mut |row| {
        if let (true, Some(before), Some(after)) = (may_be_others, row.before, row.after)
            && rows::is_replaced(&roles, before, after)
        {
            take(&PairedRow { before: row.before, after: None })?;
            return take(&PairedRow { before: None, after: row.after });
        }
        take(row)
    })
}

/// Keeps so many of the missing values at most.
fn keep(mut n_most: u64, missing: &mut BTreeMap<Fate, u64>) {
    missing.retain(|_, n| {
        *n = (*n).min(n_most);
        n_most -= *n;
        *n > 0
    });
}

/// For each column that is gone, a new one with just the same values.
fn renamed(tally: &Tally, n_shared: usize) -> Vec<Option<usize>> {
    let mut renamed = vec![None; tally.columns.len()];
    for (at, column) in tally.columns.iter().enumerate().skip(n_shared) {
        let is_free = |new: &usize| !renamed.contains(&Some(*new));
        let is_same = |new: &usize| column.lost.n() > 0 && tally.new[*new] == column.lost;
        let found = (0..tally.new.len()).find(|new| is_free(new) && is_same(new));
        renamed[at] = found;
    }
    renamed
}
