//! A table that only one state has: where the values of a dropped one are now, and what a new one
//! may have taken over.

use anyhow::Result;

use crate::migrate::verdict::canonical_value::said;
use crate::migrate::verdict::lost_rows::{self, Removed, Role, Rows};
use crate::migrate::verdict::table_effect::{ColumnEffect, TableEffect};
use crate::migrate::verdict::tally::Fate;
use crate::migrate::verdict::value_search::{Id, Whereabouts};
use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::table_pair::{Column, When};
use crate::sqlite::schema::Table;
use crate::sqlite::value::Value;

/// A table that only one state has.
pub(super) struct Single<'t> {
    table: &'t Table,
    when: When,
    columns: Vec<Column>,
    n_rows: u64,
    ids: Vec<Id>,
    /// For each column, values that are not blank, and those of them that are not equal to others by
    /// chance.
    counts: Vec<Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    n: u64,
    n_telling: u64,
}

impl<'t> Single<'t> {
    /// Reads the values of a table.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn of(pairs: &Pairs<'_>, when: When, table: &'t Table) -> Result<Self> {
        let columns = pairs.columns(when, table)?;
        let n_rows = pairs.count(when, table)?;
        let counts = vec![Counts::default(); columns.len()];
        Ok(Self { table, when, columns, n_rows, ids: Vec::new(), counts })
    }

    /// Whether the table was dropped with rows in it.
    #[must_use]
    pub(super) fn is_suspicious(&self) -> bool {
        self.when == When::Before && self.n_rows > 0
    }

    /// Makes the columns known to the search.
    pub(super) fn register(&mut self, search: &mut Whereabouts) -> Result<()> {
        for column in &self.columns {
            self.ids.push(search.column(self.table, &column.shown)?);
        }
        Ok(())
    }

    /// Reads it for the search.
    ///
    /// # Errors
    ///
    /// If it cannot be read, there is no room, or at the user's interrupt.
    pub(super) fn search(&mut self, pairs: &Pairs<'_>, search: &Whereabouts) -> Result<()> {
        let Self { table, when, columns, ids, counts, .. } = self;
        pairs.each_row(*when, table, columns, &mut |row| {
            let values: &[Value] = row.before.or(row.after).unwrap_or_default();
            for ((value, id), counts) in values.iter().zip(ids.iter()).zip(counts.iter_mut()) {
                let Some(said) = said(value) else { continue };
                counts.n += 1;
                counts.n_telling += u64::from(!said.is_common);
                match *when {
                    When::Before => search.lost(*id, value, Fate::Removed)?,
                    When::After => search.gained(*id, value)?,
                }
            }
            Ok(())
        })
    }

    /// Reads it again: values that can be pieced together from others are not lost.
    ///
    /// # Errors
    ///
    /// As [`Single::search`].
    pub(super) fn piece_together(&self, pairs: &Pairs<'_>, search: &Whereabouts) -> Result<()> {
        let mut at_stake = Vec::new();
        for (at, id) in self.ids.iter().enumerate() {
            if self.when == When::Before && search.missing(*id)?.of(Fate::Removed) > 0 {
                at_stake.push((at, *id));
            }
        }
        if at_stake.is_empty() {
            return Ok(());
        }
        pairs.each_row(self.when, self.table, &self.columns, &mut |row| {
            for (at, id) in &at_stake {
                if let Some(value) = row.before.and_then(|values| values.get(*at))
                    && search.has_parts(value)?
                {
                    search.found(*id, value)?;
                }
            }
            Ok(())
        })
    }

    /// The effect on a table that is gone; `None` for a table that is new.
    ///
    /// # Errors
    ///
    /// If the search fails.
    pub(super) fn effect(&self, search: Option<&Whereabouts>) -> Result<Option<TableEffect>> {
        if self.when == When::After {
            return Ok(None);
        }
        let mut effect = TableEffect {
            before: self.table.name.clone(),
            n_before: self.n_rows,
            ..TableEffect::default()
        };
        let Some(search) = search.filter(|_| self.n_rows > 0) else { return Ok(Some(effect)) };
        let mut rows = Rows {
            n_removed: self.n_rows,
            n_fewer: self.n_rows,
            are_shifted: false,
            columns: Vec::new(),
        };
        for ((column, id), counts) in self.columns.iter().zip(&self.ids).zip(&self.counts) {
            let missing = search.missing(*id)?;
            let n_missing = missing.of(Fate::Removed);
            rows.columns.push(Removed {
                role: lost_rows::role(self.table, &column.shown),
                n: counts.n,
                n_telling: counts.n_telling,
                n_missing,
                n_lost: missing.n_lost,
            });
            let taken_by = search.taker(*id)?.map(|taker| search.name(taker).to_owned());
            effect.columns.push(ColumnEffect {
                name: column.shown.clone(),
                n_values: counts.n,
                missing: [(Fate::Gone, n_missing)].into_iter().filter(|(_, n)| *n > 0).collect(),
                taken_by: taken_by.filter(|_| n_missing == 0),
                ..ColumnEffect::default()
            });
        }
        (effect.n_lost, effect.n_moved) = (rows.n_lost(), rows.n_moved());
        self.judge_columns(&mut effect, &rows);
        Ok(Some(effect))
    }

    /// If another table has all values of some of the columns, only the others are lost; otherwise
    /// the rows are.
    fn judge_columns(&self, effect: &mut TableEffect, rows: &Rows) {
        let is_taken = |column: &Removed| {
            column.role != Role::Number && column.n_telling > 0 && column.n_missing == 0
        };
        if effect.n_lost > 0 && rows.columns.iter().any(is_taken) {
            (effect.n_lost, effect.n_moved) = (0, self.n_rows);
            effect
                .columns
                .retain(|column| lost_rows::role(self.table, &column.name) != Role::Number);
        } else {
            effect.columns.iter_mut().for_each(|column| column.missing.clear());
        }
    }
}
