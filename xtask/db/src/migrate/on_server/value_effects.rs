//! The effects of a migration on rows and values, found by the same examination as those of an SQLite database.

use anyhow::{Context as _, Result};

use crate::files::stage::Scratch;
use crate::migrate::on_server::names::{self, Named};
use crate::migrate::on_server::rows;
use crate::migrate::on_server::rows_file::{RowsFile, Side};
use crate::migrate::on_server::sight::Sight;
use crate::migrate::verdict::effects::{self, Effects};
use crate::migrate::verdict::table_effect::{ColumnEffect, TableEffect};
use crate::postgres::catalogue::{Column, Table};
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::read_back::Dump;
use crate::postgres::place::Place;

/// The older state.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    /// What a session saw of it.
    pub(crate) sight: &'a Sight,
    /// Its dump.
    pub(crate) dump: Dump<'a>,
    /// What that proves.
    pub(crate) proof: &'a DumpProof,
}

/// The newer state.
#[derive(Clone, Copy)]
pub(crate) struct After<'a> {
    /// What a session sees of it.
    pub(crate) sight: &'a Sight,
    /// Where it is.
    pub(crate) place: Place<'a>,
    /// What a dump of it proves.
    pub(crate) proof: &'a DumpProof,
}

/// Whether a table has the same rows in both states.
#[derive(Clone, Copy)]
enum Rows {
    Equal,
    Other,
}

/// The columns that a dump has.
fn stored(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !column.is_computed)
}

/// Finds the effects between two states; `scratch` is a private folder.
///
/// # Errors
///
/// If one of them cannot be read, there is no room, or at the user's interrupt.
pub(crate) fn of(before: Before<'_>, after: After<'_>, scratch: &Scratch) -> Result<Effects> {
    let named = names::named(&before.sight.catalogue, &after.sight.catalogue);
    let hash = |proof: &DumpProof, name: Option<&str>| {
        name.and_then(|name| proof.tables.get(name).map(|table| table.blake3.clone()))
    };
    let is_equal = |table: &Named<'_>| {
        let (old, new) =
            (table.before.map(|t| t.name.as_str()), table.after.map(|t| t.name.as_str()));
        let places = |table: &Table| stored(table).map(|column| column.place).collect::<Vec<_>>();
        let hashes = (hash(before.proof, old), hash(after.proof, new));
        table.before.map(places) == table.after.map(places)
            && hashes.0.is_some()
            && hashes.0 == hashes.1
    };
    let (equal, mut other): (Vec<_>, Vec<_>) = named.into_iter().partition(is_equal);
    let interrupt = after.place.interrupt;
    let mut effects = Effects::default();
    if !other.is_empty() {
        rows::keep_keys(after.place, &mut other)?;
        let (old, new) =
            (RowsFile::create(scratch, Side::Before)?, RowsFile::create(scratch, Side::After)?);
        new.shift(other.len())?;
        for table in &other {
            if table.before.is_some() {
                old.table(table)?;
            }
            if table.after.is_some() {
                new.table(table)?;
            }
        }
        rows::from_dump(before.dump, &other, &old, interrupt)
            .context("could not read the older state")?;
        rows::from_database(after.place, &other, &new).context("could not read the newer state")?;
        let (old, new) = (old.finish()?, new.finish()?);
        effects = effects::of(old.path(), new.path(), interrupt)?;
    }
    let mut tables: Vec<_> =
        effects.tables.into_iter().map(|effect| translated(effect, &other)).collect();
    let is_known =
        |tables: &[TableEffect], name: &str| tables.iter().any(|table| table.before == name);
    let equal = equal.iter().map(|table| (table, Rows::Equal));
    for (table, rows) in equal.chain(other.iter().map(|table| (table, Rows::Other))) {
        let Some(renamed) = renamed(table, before.proof, rows) else { continue };
        if !is_known(&tables, &renamed.before) {
            tables.push(renamed);
        }
    }
    tables.sort_by(|a, b| a.before.cmp(&b.before));
    Ok(Effects { tables, ..effects })
}

/// A table of which only names changed. If its rows are equal, they pair its columns by their order: it may have been
/// rebuilt.
fn renamed(table: &Named<'_>, proof: &DumpProof, rows: Rows) -> Option<TableEffect> {
    let (before, after) = (table.before?, table.after?);
    let pairs: Vec<(&Column, &Column)> = match rows {
        Rows::Equal => stored(before).zip(stored(after)).collect(),
        Rows::Other => {
            table.columns.iter().filter_map(|column| column.before.zip(column.after)).collect()
        }
    };
    let pairs = pairs.into_iter();
    let columns: Vec<_> = pairs
        .filter(|(old, new)| old.name != new.name)
        .map(|(old, new)| ColumnEffect {
            name: old.name.clone(),
            after: Some(new.name.clone()),
            ..ColumnEffect::default()
        })
        .collect();
    if columns.is_empty() && before.name == after.name {
        return None;
    }
    let n_rows = proof.tables.get(&before.name).map_or(0, |table| table.rows);
    Some(TableEffect {
        before: before.name.clone(),
        after: Some(after.name.clone()),
        n_before: n_rows,
        n_after: n_rows,
        columns,
        ..TableEffect::default()
    })
}

/// The effect with the names that the user knows instead of those in the scratch files.
fn translated(effect: TableEffect, named: &[Named<'_>]) -> TableEffect {
    let of = |name: &str| named.iter().find(|table| table.name == name);
    let before = of(&effect.before);
    let after = effect.after.as_deref().and_then(of);
    let old_name = |table: &Named<'_>| table.before.or(table.after).map(|table| table.name.clone());
    let new_name = |table: &Named<'_>| table.after.or(table.before).map(|table| table.name.clone());
    let old_column = |name: &str| {
        let column = before?.columns.iter().find(|column| column.name == name)?;
        column.before.map(|column| column.name.clone())
    };
    let new_column = |name: &str| {
        let column = after?.columns.iter().find(|column| column.name == name)?;
        column.after.map(|column| column.name.clone())
    };
    let anywhere = |name: &str| {
        let found = named.iter().find_map(|table| {
            let rest = name.strip_prefix(&table.name)?.strip_prefix('.')?;
            let column = table.columns.iter().find(|column| column.name == rest)?;
            let column = column.after.or(column.before)?;
            Some(format!("{}.{}", new_name(table)?, column.name))
        });
        found.unwrap_or_else(|| name.to_owned())
    };
    let columns = effect.columns.into_iter().map(|column| ColumnEffect {
        after: column.after.map(|name| new_column(&name).unwrap_or(name)),
        taken_by: column.taken_by.map(|name| new_column(&name).unwrap_or_else(|| anywhere(&name))),
        swapped_with: column.swapped_with.map(|name| old_column(&name).unwrap_or(name)),
        name: old_column(&column.name).unwrap_or(column.name),
        ..column
    });
    TableEffect {
        columns: columns.collect(),
        before: before.and_then(old_name).unwrap_or(effect.before),
        after: effect.after.map(|name| after.and_then(new_name).unwrap_or(name)),
        ..effect
    }
}
