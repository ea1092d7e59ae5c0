//! Pairs the tables before and after. Equal pages decide before names, and names before a guess by columns.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::table_pair::{Way, When};
use crate::sqlite::schema::{Nature, Schema, Storage, Table};

/// A table as one or both states have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match<'t> {
    /// Nobody touched its rows, whatever it and its columns are called now.
    Untouched(&'t Table, &'t Table),
    /// It was changed, or rebuilt.
    Changed(&'t Table, &'t Table),
    /// Only the older state has it.
    Gone(&'t Table),
    /// Only the newer one has it.
    New(&'t Table),
}

/// The two schemas, and the tables that are already paired.
struct Pairing<'t, 'p, 'c> {
    pairs: &'p mut Pairs<'c>,
    before: Vec<&'t Table>,
    after: Vec<&'t Table>,
    matches: Vec<Match<'t>>,
    /// The names of the paired tables, by state.
    paired: [HashSet<&'t str>; 2],
}

/// Pairs the tables of two states.
///
/// # Errors
///
/// If a table cannot be read.
pub(super) fn matches<'t>(
    pairs: &mut Pairs<'_>,
    before: &'t Schema,
    after: &'t Schema,
) -> Result<Vec<Match<'t>>> {
    let mut pairing = Pairing {
        pairs,
        before: before.tables.values().collect(),
        after: after.tables.values().collect(),
        matches: Vec::new(),
        paired: Default::default(),
    };
    pairing.by_pages()?;
    pairing.by_names();
    pairing.by_columns();
    let Pairing { before, after, mut matches, .. } = pairing;
    matches.extend(before.into_iter().map(Match::Gone));
    matches.extend(after.into_iter().map(Match::New));
    Ok(matches)
}

impl<'t> Pairing<'t, '_, '_> {
    fn pair(&mut self, of: Match<'t>) {
        if let Match::Untouched(before, after) | Match::Changed(before, after) = of {
            self.paired[0].insert(&before.name);
            self.paired[1].insert(&after.name);
        }
        self.matches.push(of);
    }

    /// Takes the paired tables off the lists: once after each way of pairing, because there may be many
    /// tables.
    fn leave_rest(&mut self) {
        let [before, after] = &self.paired;
        self.before.retain(|table| !before.contains(table.name.as_str()));
        self.after.retain(|table| !after.contains(table.name.as_str()));
    }

    /// `ALTER TABLE` leaves the rows where they are.
    fn by_pages(&mut self) -> Result<()> {
        let by_root: HashMap<_, &'t Table> =
            self.after.iter().map(|after| (after.root_page, *after)).collect();
        for before in self.before.clone() {
            let candidate = by_root.get(&before.root_page);
            let Some(after) = candidate.copied().filter(|_| before.root_page > 0) else { continue };
            let is_named_alike = before.name.eq_ignore_ascii_case(&after.name);
            // All empty tables have equal pages.
            if (is_named_alike || self.pairs.count(When::Before, before)? > 0)
                && is_computed_alike(before, after)
                && self.pairs.is_untouched(before, after)?
            {
                self.pair(Match::Untouched(before, after));
            }
        }
        self.leave_rest();
        Ok(())
    }

    fn by_names(&mut self) {
        let by_name: HashMap<_, &'t Table> =
            self.after.iter().map(|after| (after.name.to_ascii_lowercase(), *after)).collect();
        for before in self.before.clone() {
            if let Some(after) = by_name.get(&before.name.to_ascii_lowercase()) {
                self.pair(Match::Changed(before, after));
            }
        }
        self.leave_rest();
    }

    /// A table that went, and a new one with rows and at least half of its columns.
    fn by_columns(&mut self) {
        for before in self.before.clone() {
            let mut best = None;
            for after in self.after.clone() {
                let is_virtual = |table: &Table| matches!(table.storage, Storage::Virtual(_));
                let n_shared = before.columns.iter().filter(|c| after.column(&c.name).is_some());
                let n_shared = n_shared.count();
                if is_virtual(before) == is_virtual(after)
                    && 2 * n_shared >= before.columns.len().max(1)
                    && best.is_none_or(|(n_most, _)| n_shared > n_most)
                    && self.pairs.count(When::After, after).is_ok_and(|n_rows| n_rows > 0)
                {
                    best = Some((n_shared, after));
                }
            }
            if let Some((_, after)) = best {
                self.pair(Match::Changed(before, after));
                self.leave_rest();
            }
        }
    }
}

/// Whether the columns that are computed are at the same places: other ones are not in the file. Ordinary
/// columns may have been added at the end.
fn is_computed_alike(before: &Table, after: &Table) -> bool {
    let natures = |table: &Table| table.columns.iter().map(|c| c.nature).collect::<Vec<Nature>>();
    let (old, new) = (natures(before), natures(after));
    let added = new.strip_prefix(old.as_slice());
    added.is_some_and(|added| added.iter().all(|nature| *nature == Nature::Ordinary))
}

/// The way in which the rows of two tables are paired.
#[must_use]
pub(super) fn way(before: &Table, after: &Table) -> Way {
    if matches!((&before.storage, &after.storage), (Storage::Virtual(_), Storage::Virtual(_))) {
        return Way::Numbers;
    }
    if let (Some(old), Some(new)) = (before.rowid_column(), after.rowid_column())
        && (old.name.eq_ignore_ascii_case(&new.name) || after.column(&old.name).is_none())
    {
        return Way::Numbers;
    }
    let key = before.primary_key();
    let is_there =
        |name: &String| after.column(name).is_some_and(|column| column.nature == Nature::Ordinary);
    if !key.is_empty() && key.iter().all(is_there) {
        return Way::Key(key);
    }
    if key.is_empty() && before.storage == Storage::Rowid && after.storage == Storage::Rowid {
        return Way::Places;
    }
    Way::Nothing
}
