//! The counters of AUTOINCREMENT: a lower one reuses numbers of deleted rows.

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension as _};

use crate::migrate::verdict::table_pairing::Match;
use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::table_pair::When;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::{COUNTERS, Table};

/// A counter that fell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Its table.
    pub table: String,
    /// The column that it counts.
    pub column: String,
    /// Its value before.
    pub before: i64,
    /// Its value after; `None` if it no longer exists.
    pub after: Option<i64>,
    /// The largest number in use now.
    pub largest: i64,
    /// Whether it is below that, and was not before.
    pub is_below: bool,
}

/// The counters that fell.
///
/// # Errors
///
/// If a table cannot be read.
pub(super) fn fallen(pairs: &Pairs<'_>, matches: &[Match<'_>]) -> Result<Vec<Counter>> {
    let (old, new) = (pairs.connection(When::Before), pairs.connection(When::After));
    let mut fallen = Vec::new();
    for found in matches {
        let (Match::Untouched(before, after) | Match::Changed(before, after)) = found else {
            continue;
        };
        let Some(column) = after.rowid_column().filter(|_| before.is_counted()) else { continue };
        let was = counter(old, before)?.unwrap_or(0);
        let is = counter(new, after)?.filter(|_| after.is_counted());
        let largest = largest(new, after)?;
        let counted = is.unwrap_or(0);
        let is_below =
            after.is_counted() && counted < largest && was >= self::largest(old, before)?;
        if is_below || counted < was {
            fallen.push(Counter {
                table: after.name.clone(),
                column: column.name.clone(),
                before: was,
                after: after.is_counted().then_some(counted),
                largest,
                is_below,
            });
        }
    }
    Ok(fallen)
}

fn counter(connection: &Connection, table: &Table) -> Result<Option<i64>> {
    let question = "SELECT 1 FROM pragma_table_info(?1, 'main')";
    if !connection.prepare(question)?.exists([COUNTERS])? {
        return Ok(None);
    }
    let question = "SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE";
    Ok(connection.query_row(question, [&table.name], |row| row.get(0)).optional()?.flatten())
}

fn largest(connection: &Connection, table: &Table) -> Result<i64> {
    let Some(name) = table.rowid_name() else { return Ok(0) };
    let question = format!("SELECT max({}) FROM main.{}", quoted(&name), quoted(&table.name));
    let largest: Option<i64> = connection.query_row(&question, [], |row| row.get(0))?;
    Ok(largest.unwrap_or(0))
}
