//! The only file that opens SQLite: live databases, copies, scratch databases, each in its own way.
//!
//! A live database is opened read-write without CREATE: read-only cannot roll back a hot journal,
//! and CREATE would make an empty database out of a typing error. Any other file is untrusted input
//! and opened read-only, immutable and defensive. While a connection to the live database is open,
//! nothing here opens a second descriptor on it: closing that would drop SQLite's POSIX locks
//! (<https://sqlite.org/howtocorrupt.html>, section 2.2). That of `snapshot/held_file.rs` is never closed.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::sqlite::access;

/// Opens a database that a restore writes, creating it if it is missing.
///
/// # Errors
///
/// If SQLite cannot open it; a refusal if this user may not write it.
pub(crate) fn open_or_create(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    access::demand_writable(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    open_with(path, flags, busy_timeout)
}

/// Opens a database with the given flags, and the settings of every live connection.
///
/// # Errors
///
/// If SQLite cannot open it.
pub(crate) fn open_with(
    path: &Path,
    flags: OpenFlags,
    busy_timeout: Duration,
) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(std::path::absolute(path)?, flags)?;
    // SQLite counts milliseconds in 31 bits.
    connection.busy_timeout(busy_timeout.min(Duration::from_hours(24)))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A COMMIT would take a long WAL in, and may not beside others: see `sqlite/wal.rs`.
    connection.execute_batch("PRAGMA wal_autocheckpoint=0")?;
    Ok(connection)
}

/// Opens a finished file as untrusted input: read-only, immutable, defensive, without leaving
/// sidecars behind.
///
/// # Errors
///
/// If SQLite cannot open it.
pub(crate) fn open_immutable(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(immutable_uri(path)?, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// Opens a live database whose WAL contains pages, for a glance: nothing is written to the database
/// or its `-shm`, and no file is created. Other connections are not affected.
///
/// # Errors
///
/// If SQLite cannot open it, also because there is no `-shm` beside the WAL.
pub(crate) fn open_beside_wal(path: &Path) -> Result<Connection> {
    let path = fs_err::canonicalize(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = uri(&path, "mode=ro&readonly_shm=1")?;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// Opens a private stage for its examination: SQLite checks CHECK constraints only if it could
/// write (a read-only schema is parsed without them). Nothing is written, and no lock is taken.
///
/// # Errors
///
/// If SQLite cannot open it.
pub(crate) fn open_private(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = uri(path, "nolock=1")?;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch("PRAGMA query_only=ON")?;
    Ok(connection)
}

/// Opens an empty private file as a scratch database: written without journal and without syncing, so
/// that it is useless after a failure. Its schema is not trusted.
///
/// # Errors
///
/// If SQLite cannot open it.
pub(crate) fn open_scratch(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = open_with(path, flags, Duration::ZERO)?;
    connection.execute_batch(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;
         PRAGMA foreign_keys=OFF; PRAGMA cell_size_check=ON;",
    )?;
    Ok(connection)
}

/// Opens a private temporary database, which SQLite keeps in memory while it is small, spills to the disk
/// and removes (<https://sqlite.org/inmemorydb.html#temp_db>).
///
/// # Errors
///
/// If SQLite cannot open it.
pub(crate) fn open_workbench() -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags("", flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF;
         PRAGMA cache_size=-65536;",
    )?;
    Ok(connection)
}

/// The URI under which SQLite opens a file as immutable.
///
/// # Errors
///
/// If the current folder is gone and the path is relative.
pub(crate) fn immutable_uri(path: &Path) -> Result<String> {
    uri(path, "immutable=1")
}

/// The URI of a file, every odd byte of its path escaped. The empty authority is spelled out: without it
/// SQLite reads the beginning of `//srv/backups` as one (<https://sqlite.org/uri.html>).
fn uri(path: &Path, query: &str) -> Result<String> {
    let mut uri = "file://".to_owned();
    for byte in std::path::absolute(path)?.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02x}")?;
        }
    }
    uri.push('?');
    uri.push_str(query);
    Ok(uri)
}

/// Whether this build can write pages through `sqlite_dbpage`: replace, append and take away. Builds
/// without the table cannot, nor can SQLite 3.46.
#[must_use]
pub(crate) fn can_write_pages() -> bool {
    let probe = || -> rusqlite::Result<bool> {
        let scratch = Connection::open_in_memory_with_flags(OpenFlags::default())?;
        scratch.execute_batch(
            "CREATE TABLE t (a); INSERT INTO t VALUES (1); BEGIN IMMEDIATE;
             INSERT INTO sqlite_dbpage(pgno, data) SELECT 3, data FROM sqlite_dbpage WHERE pgno = 2;
             INSERT INTO sqlite_dbpage(pgno, data) SELECT 2, data FROM sqlite_dbpage WHERE pgno = 3;
             INSERT INTO sqlite_dbpage(pgno, data) VALUES (3, NULL);
             COMMIT;",
        )?;
        scratch.query_row("PRAGMA page_count", [], |row| Ok(row.get::<_, i64>(0)? == 2))
    };
    probe().unwrap_or(false)
}

/// Reads a pragma's single value.
///
/// # Errors
///
/// If SQLite refuses, or the value has another type.
pub(crate) fn pragma<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> Result<T> {
    connection
        .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        .with_context(|| format!("could not read `PRAGMA {name}`"))
}

/// An identifier in double quotes.
#[must_use]
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_odd_byte_of_a_path_is_escaped() {
        let uri = immutable_uri(Path::new("/a b/it's?x=1#y%20ü.db")).expect("a URI");
        assert_eq!(uri, "file:///a%20b/it%27s%3fx%3d1%23y%2520%c3%bc.db?immutable=1");
    }
}
