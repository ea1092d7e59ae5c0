//! Replaced rows that are in each other's way leave their table and come back with their new values
//! and their old rowids, within the merge's transaction, with triggers and foreign keys off. So
//! unique values can be swapped and shifted, and only the end state is judged.

use anyhow::{Result, ensure};
use rusqlite::Connection;

use crate::console::text;
use crate::rows::merge::fate::Fate::{self, Replaced};
use crate::rows::merge::layout::Layout;
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

/// A statement that writes all rows with one fate.
pub(super) struct Writing {
    /// The statement, whose `WHERE` can be continued.
    pub statement: String,
    /// Its end.
    pub order: &'static str,
    /// The rows that it is about.
    pub fate: Fate,
}

/// Table in which the rows wait.
const MOVED: &str = "temp.merge_moved";

/// Takes the rows of a table that are replaced out of it; returns the statement that brings them back.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn take_out(connection: &Connection, layout: &Layout) -> Result<Writing> {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    // The rowid of a table without a column for it, which full-text indexes refer to.
    let has_column = |name: &String| layout.stored.contains(name);
    let rowid = layout.locator.iter().map(|(name, _)| name).filter(|name| !has_column(name));
    for name in layout.stored.iter().chain(rowid) {
        let in_file = layout.columns.iter().position(|c| c.name == *name && c.in_file);
        let changed = in_file.filter(|at| Some(*at) != layout.surrogate);
        let stays = || format!("t.{}", quoted(name));
        values.push(changed.map_or_else(stays, |at| StageColumns::of("s").value(at)));
        names.push(quoted(name));
    }
    let places: Vec<String> = (0..names.len()).map(|at| format!("v{at}")).collect();
    // Columns without a type keep each value as it is.
    connection.execute_batch(&format!(
        "DROP TABLE IF EXISTS {MOVED}; CREATE TABLE {MOVED} (n INTEGER PRIMARY KEY, {})",
        places.join(", ")
    ))?;
    let n_moved = connection.execute(
        &format!(
            "INSERT INTO {MOVED} SELECT s.n, {} FROM {} AS s CROSS JOIN {} AS t ON {}
             WHERE s.state = {Replaced}",
            values.join(", "),
            layout.stage(),
            layout.here(),
            layout.located(StageColumns::of("s"))
        ),
        [],
    )?;
    let n_deleted = connection.execute(&deleting(layout), [])?;
    ensure!(
        n_deleted == n_moved,
        "{n_deleted} rows of `{}` were found again of {n_moved}: nothing was changed",
        text::plain(&layout.name)
    );
    let statement = format!(
        "INSERT OR ABORT INTO {} ({}) SELECT {} FROM {MOVED} AS s WHERE TRUE",
        layout.here(),
        names.join(", "),
        places.join(", ")
    );
    Ok(Writing { statement, order: " ORDER BY s.n", fate: Replaced })
}

/// Takes away if the rows waited.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn forget(connection: &Connection) -> Result<()> {
    connection.execute_batch(&format!("DROP TABLE {MOVED}"))?;
    Ok(())
}

fn deleting(layout: &Layout) -> String {
    let names = layout
        .locator
        .iter()
        .map(|(name, collation)| format!("t.{} COLLATE {}", quoted(name), quoted(collation)));
    format!(
        "DELETE FROM {} AS t WHERE ({}) IN (SELECT {} FROM {} WHERE state = {Replaced})",
        layout.here(),
        names.collect::<Vec<_>>().join(", "),
        StageColumns::BARE.locators(layout.locator.len()),
        layout.stage()
    )
}
