//! `backend migrate`: creates the database where missing and applies what is pending.

use anyhow::{Result, anyhow};

use crate::location::Location;
use crate::{database, migrations, say};

/// Create the database if missing and apply the pending migrations
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Brings the schema up to the newest version. A database without a schema is
/// put into WAL mode; any other keeps its journal mode.
pub(crate) fn run(_: &Args, location: &Location) -> Result<()> {
    let is_new = !location.path().exists();
    let mut connection = database::create(location)?;
    let version = database::schema_version(&connection, location)?;
    let pending = migrations::latest() - version;
    if version == 0 {
        database::set_journal_mode(&connection, location, "wal")?;
    }
    if is_new {
        say::line(&format!("Created `{}`", location.name()))?;
    }
    migrations::apply(&mut connection, version)?;
    connection
        .close()
        .map_err(|(_, error)| anyhow!(error).context(format!("could not close `{location}`")))?;

    let at = format!("`{}` is at schema version {}", location.name(), migrations::latest());
    if pending == 0 {
        say::line(&format!("nothing to apply: {at}"))
    } else {
        let applied = say::counted(pending, "migration", "migrations");
        say::line(&format!("Applied {applied}; {at}"))
    }
}
