//! Opens the database file; the only room that does.
//!
//! Only `create` creates a file. Nothing here looks further than the schema version: whether the
//! content is sound is not this program's question.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::location::Location;
use crate::{migrations, say};

/// How long a statement waits for another connection's lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How the command line names this program's way to bring the schema up.
const REMEDY: &str = "run `backend migrate`";

/// Opens an existing database.
pub(crate) fn open(location: &Location) -> Result<Connection> {
    let exists =
        location.path().try_exists().with_context(|| format!("could not look for `{location}`"))?;
    ensure!(exists, "`{location}` does not exist: {REMEDY} to create it");
    open_with(location, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Opens an existing database whose schema is exactly the one this build knows.
pub(crate) fn open_migrated(location: &Location) -> Result<Connection> {
    let connection = open(location)?;
    let version = schema_version(&connection, location)?;
    let known = migrations::latest();
    if version < known {
        let pending = say::counted(known - version, "pending migration", "pending migrations");
        bail!(
            "`{location}` has {pending} (schema version {version}, this build knows {known}): {REMEDY}"
        );
    }
    Ok(connection)
}

/// Opens the database, and creates it, with the folders above it, where missing.
pub(crate) fn create(location: &Location) -> Result<Connection> {
    if let Some(folder) = location.path().parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not create the folder `{}`", folder.display()))?;
    }
    open_with(location, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
}

/// The schema version of the database: how many migrations were applied. One
/// that this build does not know is an error.
pub(crate) fn schema_version(connection: &Connection, location: &Location) -> Result<usize> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .with_context(|| format!("could not read the schema version of `{location}`"))?;
    let known = migrations::latest();
    match usize::try_from(version) {
        Ok(version) if version <= known => Ok(version),
        Ok(version) => bail!(
            "`{location}` has schema version {version}, this build knows {known}: \
             update the application or restore an older backup"
        ),
        Err(_) => bail!(
            "`{location}` has schema version {version}, which no build of this application \
             creates: restore a backup"
        ),
    }
}

/// Puts the database into a journal mode, `wal` or `delete`, and sees that it obeyed.
pub(crate) fn set_journal_mode(
    connection: &Connection,
    location: &Location,
    mode: &str,
) -> Result<()> {
    let actual: String = connection
        .pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))
        .with_context(|| format!("could not put `{location}` into journal mode `{mode}`"))?;
    ensure!(
        actual.eq_ignore_ascii_case(mode),
        "`{location}` stays in journal mode `{actual}` instead of `{mode}`"
    );
    Ok(())
}

fn open_with(location: &Location, flags: OpenFlags) -> Result<Connection> {
    ensure!(!location.path().is_dir(), "`{location}` is a folder, not a database");
    // Without `SQLITE_OPEN_URI`; each connection is used by one thread at a time.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(location.path(), flags)
        .with_context(|| format!("could not open `{location}`"))?;
    connection.busy_timeout(BUSY_TIMEOUT).context("could not set the busy timeout")?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .context("could not turn foreign keys on")?;
    Ok(connection)
}
