//! The tables that SQLite creates by itself: counters, statistics, the schema. Tools write them
//! into their files like any other table; here SQLite creates them, and the rows of the file are
//! added.

use anyhow::Result;
use rusqlite::Connection;

use crate::rows::import::dump::one_statement::run_one;
use crate::rows::import::dump::words::{self, Act};
use crate::sqlite::schema::COUNTERS;

/// The schema under all its names.
const SCHEMA: [&str; 4] =
    ["sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"];

/// Statistics that every build gathers.
const STATISTICS: &str = "sqlite_stat1";

/// Statistics that some builds gather, and that is available again.
const MORE_STATISTICS: [&str; 3] = ["sqlite_stat2", "sqlite_stat3", "sqlite_stat4"];

/// A table that SQLite creates by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Counters,
    Statistics,
    MoreStatistics,
    Schema,
}

/// A row of the schema, as a dump has it.
pub(super) struct SchemaRow {
    pub kind: String,
    pub name: String,
    pub table: String,
    pub root: i64,
    pub sql: String,
}

impl SchemaRow {
    /// All rows of `VALUES …`.
    ///
    /// # Errors
    ///
    /// If one has other columns; as SQLite's.
    pub(super) fn all(connection: &Connection, values: &str) -> Result<Vec<Self>> {
        let mut statement = connection.prepare(values)?;
        let rows = statement.query_map([], |row| {
            let (kind, name, table) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Self { kind, name, table, root: row.get(3)?, sql: row.get(4)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The table of SQLite's own that a name means.
pub(super) fn own(table: &str) -> Option<Own> {
    let is = |name: &&str| table.eq_ignore_ascii_case(name);
    match () {
        () if is(&COUNTERS) => Some(Own::Counters),
        () if is(&STATISTICS) => Some(Own::Statistics),
        () if MORE_STATISTICS.iter().any(is) => Some(Own::MoreStatistics),
        () if SCHEMA.iter().any(is) => Some(Own::Schema),
        () => None,
    }
}

/// Runs a statement that puts rows into one of these tables, which is created if it is missing.
///
/// # Errors
///
/// As SQLite's.
pub(super) fn insert(connection: &Connection, own: Own, sql: &str) -> Result<()> {
    match own {
        Own::Counters if !is_there(connection, COUNTERS)? => connection.execute_batch(
            "CREATE TABLE main.\"xtask-db counted\" (id INTEGER PRIMARY KEY AUTOINCREMENT);
             DROP TABLE main.\"xtask-db counted\"",
        )?,
        Own::Statistics if !is_there(connection, STATISTICS)? => {
            connection.execute_batch("ANALYZE sqlite_master")?;
        }
        Own::MoreStatistics if connection.prepare(sql).is_err() => return Ok(()),
        _ => {}
    }
    run_one(connection, sql)
}

/// Runs a statement that changes, empties or drops one of these tables; one that SQLite has not made
/// has no rows that it could be about.
///
/// # Errors
///
/// As SQLite's.
pub(super) fn change(connection: &Connection, table: &str, sql: &str) -> Result<()> {
    if own(table) != Some(Own::Schema) && !is_there(connection, table)? {
        return Ok(());
    }
    match words::act(sql) {
        // The counters cannot be dropped, which would forget them.
        Act::Drop(_) if own(table) == Some(Own::Counters) => {
            Ok(connection.execute_batch(&format!("DELETE FROM main.{COUNTERS}"))?)
        }
        _ => run_one(connection, sql),
    }
}

/// Keeps one counter for each table if the rows have made one and the file another: the higher one,
/// so that no number is used twice.
///
/// # Errors
///
/// As SQLite's.
pub(super) fn settle_counters(connection: &Connection) -> Result<()> {
    if is_there(connection, COUNTERS)? {
        connection.execute_batch(&format!(
            "DELETE FROM main.{COUNTERS} WHERE rowid NOT IN
                 (SELECT number FROM (SELECT rowid AS number, max(seq)
                                      FROM main.{COUNTERS} GROUP BY name))"
        ))?;
    }
    Ok(())
}

fn is_there(connection: &Connection, table: &str) -> Result<bool> {
    let question = "SELECT count(*) FROM main.sqlite_master
                    WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    Ok(connection.query_row(question, [table], |row| row.get::<_, i64>(0))? > 0)
}
