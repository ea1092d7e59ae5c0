//! The effects of a migration that no count shows: which table became which, and what happened to
//! the values of each column, to counters, full-text indexes, triggers and views.
//!
//! Both states are read about once. Only if a value is missing from its column are they read again,
//! to compare all lost values with all new ones.

use std::path::Path;

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::migrate::verdict::autoincrement::{self, Counter};
use crate::migrate::verdict::broken_objects::{self, Broken};
use crate::migrate::verdict::columns::Changed;
use crate::migrate::verdict::full_text::{self, Index};
use crate::migrate::verdict::gone_tables::Single;
use crate::migrate::verdict::table_effect::{ColumnEffect, TableEffect};
use crate::migrate::verdict::table_pairing::{self, Match};
use crate::migrate::verdict::value_search::Whereabouts;
use crate::rows::diff::State;
use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::states::is_fatal;
use crate::rows::diff::table_pair::When;
use crate::sqlite::connection;
use crate::sqlite::schema::Table;

/// The effects of a migration that row counts do not show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// Effects on the tables that changed.
    pub tables: Vec<TableEffect>,
    /// Counters of AUTOINCREMENT that fell.
    pub counters: Vec<Counter>,
    /// Full-text indexes that lost entries.
    pub indexes: Vec<Index>,
    /// Triggers and views that no longer work.
    pub broken: Vec<Broken>,
}

/// Finds the effects between two states. Each is a finished file to which nothing writes. A damaged
/// file is not read.
///
/// # Errors
///
/// If one cannot be opened, there is no room for temporary files, or at the user's interrupt.
pub(crate) fn of(before: &Path, after: &Path, interrupt: &Interrupt) -> Result<Effects> {
    let open = |path| -> Result<_> {
        let connection = connection::open_immutable(path)?;
        connection.execute_batch("PRAGMA foreign_keys=OFF")?;
        Ok(connection)
    };
    let (old, new) = (open(before)?, open(after)?);
    let _watched = (interrupt.watch(&old), interrupt.watch(&new));
    let states = (State::of_file(&old, before, interrupt), State::of_file(&new, after, interrupt));
    let mut pairs = Pairs::of(states.0, states.1)?;
    let schemas = (pairs.schema(When::Before).clone(), pairs.schema(When::After).clone());
    let matches = table_pairing::matches(&mut pairs, &schemas.0, &schemas.1)?;
    let tables = tables(&mut pairs, &matches, interrupt)?;
    Ok(Effects {
        tables,
        counters: autoincrement::fallen(&pairs, &matches)?,
        indexes: full_text::emptied(&pairs, &matches)?,
        broken: broken_objects::broken(&pairs)?,
    })
}

/// The tables that were changed, went or came.
#[derive(Default)]
struct Tables<'t> {
    changed: Vec<Changed<'t>>,
    single: Vec<Single<'t>>,
    effects: Vec<TableEffect>,
}

fn tables(
    pairs: &mut Pairs<'_>,
    matches: &[Match<'_>],
    interrupt: &Interrupt,
) -> Result<Vec<TableEffect>> {
    let mut tables = Tables::default();
    for found in matches {
        tables.take(pairs, *found)?;
    }
    let is_suspicious = tables.changed.iter().any(Changed::is_suspicious)
        || tables.single.iter().any(Single::is_suspicious);
    let search = is_suspicious.then(|| tables.search(pairs, interrupt)).transpose()?;
    let mut effects = tables.effects;
    for changed in &tables.changed {
        effects.push(changed.effect(search.as_ref())?);
    }
    for single in &tables.single {
        effects.extend(single.effect(search.as_ref())?);
    }
    effects.sort_by(|a, b| a.before.cmp(&b.before));
    Ok(effects)
}

impl<'t> Tables<'t> {
    fn take(&mut self, pairs: &mut Pairs<'_>, found: Match<'t>) -> Result<()> {
        let (table, taken) = match found {
            Match::Untouched(before, after) => {
                let effect = untouched(pairs, before, after);
                (before, effect.map(|effect| self.effects.extend(effect)))
            }
            Match::Changed(before, _) | Match::Gone(before) if full_text::is_derived(before) => {
                return Ok(());
            }
            Match::New(after) if full_text::is_derived(after) => return Ok(()),
            Match::Changed(before, after) => {
                let changed = Changed::read(pairs, before, after);
                (before, changed.map(|changed| self.changed.push(changed)))
            }
            Match::Gone(before) => {
                let single = Single::of(pairs, When::Before, before);
                (before, single.map(|single| self.single.push(single)))
            }
            Match::New(after) => {
                let single = Single::of(pairs, When::After, after);
                (after, single.map(|single| self.single.push(single)))
            }
        };
        match taken {
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => self.effects.push(TableEffect::unread(table, &error)),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Compares the values that are gone with those that are new.
    fn search(&mut self, pairs: &mut Pairs<'_>, interrupt: &Interrupt) -> Result<Whereabouts> {
        let mut search = Whereabouts::new()?;
        for changed in &mut self.changed {
            changed.register(&mut search)?;
            changed.search(pairs, &search)?;
        }
        for single in &mut self.single {
            single.register(&mut search)?;
            single.search(pairs, &search)?;
        }
        search.settle(interrupt)?;
        for changed in &self.changed {
            changed.piece_together(pairs, &search)?;
        }
        for single in &self.single {
            single.piece_together(pairs, &search)?;
        }
        interrupt.check()?;
        Ok(search)
    }
}

/// A table whose rows nobody touched: whether it or its columns have another name now.
fn untouched(pairs: &Pairs<'_>, before: &Table, after: &Table) -> Result<Option<TableEffect>> {
    let renamed = before.columns.iter().zip(&after.columns);
    let renamed = renamed.filter(|(old, new)| !old.name.eq_ignore_ascii_case(&new.name));
    let columns: Vec<_> = renamed
        .map(|(old, new)| ColumnEffect {
            name: old.name.clone(),
            after: Some(new.name.clone()),
            ..ColumnEffect::default()
        })
        .collect();
    if columns.is_empty() && before.name.eq_ignore_ascii_case(&after.name) {
        return Ok(None);
    }
    let n_rows = pairs.count(When::Before, before)?;
    Ok(Some(TableEffect {
        before: before.name.clone(),
        after: Some(after.name.clone()),
        n_before: n_rows,
        n_after: n_rows,
        columns,
        ..TableEffect::default()
    }))
}
