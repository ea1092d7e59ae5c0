//! `backend reindex`: rebuilds the full-text search over memory.

use anyhow::{Context as _, Result};
use rusqlite::{Connection, TransactionBehavior};

use crate::location::Location;
use crate::{database, say};

/// Rebuild the full-text index over memory entries
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Opens, rebuilds, says how many.
pub(crate) fn run(_: &Args, location: &Location) -> Result<()> {
    let mut connection = database::open_migrated(location)?;
    let entries = rebuild(&mut connection)
        .with_context(|| format!("could not rebuild the search index of `{location}`"))?;
    let entries = say::counted(usize::try_from(entries)?, "memory entry", "memory entries");
    say::line(&format!("Reindexed {entries} of `{location}`"))
}

/// Rebuilds the index from the entries, in one transaction; returns their number.
fn rebuild(connection: &mut Connection) -> rusqlite::Result<u32> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT INTO memory_search (memory_search) VALUES ('rebuild')", [])?;
    let entries =
        transaction.query_row("SELECT count(*) FROM memory_entries", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(entries)
}
