//! One statement, run to the end.

use anyhow::{Result, ensure};
use rusqlite::Connection;

/// Runs one statement to the end. A parameter would silently be NULL.
///
/// # Errors
///
/// If it has parameters, or as SQLite's.
pub(super) fn run_one(connection: &Connection, sql: &str) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    ensure!(statement.parameter_count() == 0, "it has parameters, and no values for them");
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}
