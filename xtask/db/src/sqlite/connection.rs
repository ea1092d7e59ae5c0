//! The only room that opens SQLite: looking at a file, opening it, one consistent snapshot.
//!
//! A live database is opened read-write without CREATE: read-only cannot roll back a hot journal,
//! and CREATE would make an empty database out of a typing error. Any other file is untrusted input
//! and opened read-only, immutable and defensive. While a connection to the live database is open,
//! nothing here opens a second descriptor on it: closing that would drop SQLite's POSIX locks
//! (<https://sqlite.org/howtocorrupt.html>, section 2.2).

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::sqlite::access;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::read_only::{self, Looking};

/// Opens the live database for reading, as [`read_only::open`] does.
///
/// # Errors
///
/// As [`read_only::open`].
pub(crate) fn open_live(path: &Path, busy_timeout: Duration) -> Result<Looking> {
    read_only::open(path, busy_timeout)
}

/// Whether anything is at a path but an empty file, once what a killed process left half written is
/// rolled back. What cannot be read is something all the same.
///
/// # Errors
///
/// Where the path cannot be looked at.
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match probe::look(path)? {
        Standing::Missing | Standing::Empty => Ok(false),
        Standing::Sqlite(_) => {
            let live = open_live(path, Duration::ZERO);
            let n_pages = live.and_then(|live| pragma::<i64>(&live, "page_count"));
            Ok(n_pages.map_or(true, |n_pages| n_pages > 0))
        }
        Standing::NotAFile(_) | Standing::Other(_) | Standing::Foreign { .. } => Ok(true),
    }
}

/// Opens a database that a restore writes, creating it where it is missing.
///
/// # Errors
///
/// If SQLite cannot open it; a refusal if this user may not write it.
pub(crate) fn open_or_create(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    access::demand_writable(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    open_with(path, flags, busy_timeout)
}

/// Opens a database with flags of one's own, and what every live connection has.
///
/// # Errors
///
/// Where SQLite cannot open it.
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
/// Where SQLite cannot open it.
pub(crate) fn open_immutable(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(immutable_uri(path)?, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// Opens a live database whose WAL holds pages, for a glance: nothing is written, neither into the
/// database nor into its `-shm`, and none is created. Other connections go on as they are.
///
/// # Errors
///
/// Where SQLite cannot open it, also because there is no `-shm` beside the WAL.
pub(crate) fn open_beside_wal(path: &Path) -> Result<Connection> {
    let path = fs_err::canonicalize(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = immutable_uri(&path)?.replace("?immutable=1", "?mode=ro&readonly_shm=1");
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// Opens a private stage for its examination: SQLite checks CHECK constraints only where it could
/// write (a read-only schema is parsed without them). Nothing is written, and no lock is taken.
///
/// # Errors
///
/// Where SQLite cannot open it.
pub(crate) fn open_private(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = immutable_uri(path)?.replace("?immutable=1", "?nolock=1");
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch("PRAGMA query_only=ON")?;
    Ok(connection)
}

/// Opens an empty private file as a scratch database: written without journal and without syncing, so
/// that it is of no use after a failure. Nothing that its schema says is trusted.
///
/// # Errors
///
/// Where SQLite cannot open it.
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
/// Where SQLite cannot open it.
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

/// The URI under which SQLite opens a file as immutable, every odd byte of its path escaped. The empty
/// authority is spelled out: without it SQLite reads the beginning of `//srv/backups` as one
/// (<https://sqlite.org/uri.html>).
///
/// # Errors
///
/// Where the current folder is gone and the path is relative.
pub(crate) fn immutable_uri(path: &Path) -> Result<String> {
    let mut uri = "file://".to_owned();
    for byte in std::path::absolute(path)?.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02x}")?;
        }
    }
    uri.push_str("?immutable=1");
    Ok(uri)
}

/// How the pages of a snapshot are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Through the table `sqlite_dbpage`.
    Pages,
    /// Through the backup API, where the build lacks that table.
    BackupApi,
}

/// One consistent state of a database, held as a read transaction until it is dropped.
pub(crate) struct Snapshot<'c> {
    connection: &'c Connection,
    /// Number of pages.
    pub n_pages: u64,
    /// Page size.
    pub page_size_bytes: u64,
    /// The journal mode, as `wal` or `delete`.
    pub journal_mode: String,
    /// How its pages are read.
    pub reading: Reading,
}

impl<'c> Snapshot<'c> {
    /// Begins a read transaction.
    ///
    /// # Errors
    ///
    /// Where the database is locked longer than the connection's timeout, or cannot be read.
    pub(crate) fn begin(connection: &'c Connection) -> Result<Self> {
        let journal_mode = pragma(connection, "journal_mode")?;
        connection.execute_batch("BEGIN")?;
        let mut snapshot = Self {
            connection,
            n_pages: 0,
            page_size_bytes: 0,
            journal_mode,
            reading: Reading::BackupApi,
        };
        // The transaction begins with the first read, not with BEGIN.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        snapshot.n_pages = pragma::<i64>(connection, "page_count")?.try_into()?;
        snapshot.page_size_bytes = pragma::<i64>(connection, "page_size")?.try_into()?;
        if has_pages(connection) {
            snapshot.reading = Reading::Pages;
        }
        Ok(snapshot)
    }

    /// Size of the database in this state.
    #[must_use]
    pub(crate) fn size_bytes(&self) -> u64 {
        self.n_pages * self.page_size_bytes
    }

    /// The connection that holds it.
    #[must_use]
    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }

    /// Reads every page in order, through `sqlite_dbpage`.
    ///
    /// # Errors
    ///
    /// Where a page cannot be read, there are more or fewer than announced, or `each` fails.
    pub(crate) fn each_page(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT data FROM sqlite_dbpage")?;
        let mut rows = statement.query([])?;
        let mut n_pages = 0;
        while let Some(row) = rows.next()? {
            let ValueRef::Blob(page) = row.get_ref(0)? else {
                anyhow::bail!("page {} has no content", n_pages + 1);
            };
            n_pages += 1;
            each(page)?;
        }
        anyhow::ensure!(
            n_pages == self.n_pages,
            "read {n_pages} pages of {} in one transaction",
            self.n_pages
        );
        Ok(())
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was written: where even this fails, closing the connection ends it.
        let _ = self.connection.execute_batch("ROLLBACK");
    }
}

/// Whether this build can read pages through `sqlite_dbpage`.
#[must_use]
pub(crate) fn has_pages(connection: &Connection) -> bool {
    connection.prepare("SELECT data FROM sqlite_dbpage").is_ok()
}

/// A snapshot, and a second connection with a read transaction in just the same state, so that two
/// threads can read it; none where writers were too quick for that.
///
/// # Errors
///
/// As [`Snapshot::begin`].
pub(crate) fn begin_twins(connection: &Looking) -> Result<(Snapshot<'_>, Option<Looking>)> {
    const MOST_TRIES: usize = 20;
    let twin = connection.twin()?;
    for _ in 0..MOST_TRIES {
        // The twin's version changes with every commit of others between these two
        // (<https://sqlite.org/pragma.html#pragma_data_version>).
        let before: i64 = pragma(&twin, "data_version")?;
        let snapshot = Snapshot::begin(connection)?;
        twin.execute_batch("BEGIN")?;
        twin.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        if pragma::<i64>(&twin, "data_version")? == before {
            return Ok((snapshot, Some(twin)));
        }
        twin.execute_batch("ROLLBACK")?;
    }
    Ok((Snapshot::begin(connection)?, None))
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
/// Where SQLite refuses, or the value has another type.
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

/// What a failure that came from SQLite says about the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It stayed locked longer than the timeout.
    Busy,
    /// Its bytes are damaged, or are no database.
    Damaged,
    /// The disk or a quota is full.
    Full,
    /// It cannot be written.
    ReadOnly,
    /// It cannot be opened.
    CannotOpen,
    /// The user interrupted.
    Interrupted,
    /// Anything else.
    Other,
}

/// SQLite's own words of a failure, else the last cause's.
#[must_use]
pub(crate) fn message(error: &anyhow::Error) -> String {
    match sqlite_error(error) {
        Some(error) => error.to_string(),
        None => error.root_cause().to_string(),
    }
}

fn sqlite_error(error: &anyhow::Error) -> Option<&rusqlite::Error> {
    error.chain().find_map(|cause| cause.downcast_ref::<rusqlite::Error>())
}

/// Finds out what a failure says about the database.
#[must_use]
pub(crate) fn trouble(error: &anyhow::Error) -> Trouble {
    let cause = sqlite_error(error);
    // A schema format that no SQLite has: the one damage that is reported as a plain error.
    if cause.is_some_and(|cause| cause.to_string().contains("unsupported file format")) {
        return Trouble::Damaged;
    }
    match cause.and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged,
        Some(ErrorCode::DiskFull) => Trouble::Full,
        Some(ErrorCode::ReadOnly) => Trouble::ReadOnly,
        Some(ErrorCode::CannotOpen) => Trouble::CannotOpen,
        Some(ErrorCode::OperationInterrupted) => Trouble::Interrupted,
        _ if is_storage_full(error) => Trouble::Full,
        _ => Trouble::Other,
    }
}

/// Whether a statement failed because this build cannot follow the schema: it names a collation, a
/// function, a tokenizer, a module or an option of one that is not there. SQLite reports all of these
/// as a plain error, and what the disk, the memory or a lock does with other codes
/// (<https://sqlite.org/rescode.html#error>). A failure to open a file is never one.
#[must_use]
pub(crate) fn lacks_what_schema_names(error: &anyhow::Error) -> bool {
    match sqlite_error(error) {
        _ if trouble(error) != Trouble::Other => false,
        Some(rusqlite::Error::SqlInputError { .. }) => true,
        Some(rusqlite::Error::SqliteFailure(error, _)) => {
            error.extended_code & 0xff == rusqlite::ffi::SQLITE_ERROR
        }
        _ => false,
    }
}

fn is_storage_full(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| matches!(cause.kind(), StorageFull | QuotaExceeded))
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
