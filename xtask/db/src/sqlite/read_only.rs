//! A connection to the live database that only looks, and leaves nothing behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::files::sidecars::{SHM, WAL, beside};
use crate::sqlite::access::{self, Still};
use crate::sqlite::connection::{open_beside_wal, open_immutable, open_with, pragma};
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::snapshot::Snapshot;
use crate::sqlite::snapshot::held_file::{self, HeldFile, Transaction};

/// A connection to the live database that only reads.
///
/// As the last connection, closing it would checkpoint the WAL and so rewrite the file. That is
/// turned off, because looking changes nothing. It stays on only if the WAL is empty, because then
/// it just removes the empty sidecars that this connection created.
pub(crate) struct Looking {
    connection: Connection,
    path: PathBuf,
    /// The file that the path led to right before it was opened.
    inode: Option<(u64, u64)>,
    way: Way,
    busy_timeout: Duration,
}

/// How a database is read.
enum Way {
    /// Through SQLite's locks. Sidecars may be created and removed again.
    Locks,
    /// Through the `-wal` and `-shm` of its owner, which are not written.
    BesideWal,
    /// As a file to which nobody writes, which is proved afterwards.
    Still(Still),
}

impl std::ops::Deref for Looking {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl std::ops::DerefMut for Looking {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let wal = beside(&self.path, WAL);
        let is_ours = matches!(self.way, Way::Locks);
        if is_ours && fs_err::metadata(wal).is_ok_and(|metadata| metadata.len() == 0) {
            let setting = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            // If even this fails, two empty files stay.
            let _ = self.connection.set_db_config(setting, false);
        }
    }
}

/// Opens the live database for reading, never creating it. SQLite needs to write beside it, and a
/// hot journal is rolled back; a user who must not write there reads it without.
///
/// The data that was read counts only after [`Looking::prove`].
///
/// # Errors
///
/// If SQLite cannot open it; a refusal if this user cannot read it without harm to its owner.
pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Looking> {
    // SQLite keeps the WAL beside the file that a symbolic link leads to.
    let path = fs_err::canonicalize(path)?;
    let way = way(&path, busy_timeout)?;
    go(path, way, busy_timeout)
}

/// Opens the live database for reading and writing, never creating it.
///
/// # Errors
///
/// If SQLite cannot open it; a refusal if this user may not write it.
pub(crate) fn open_to_write(path: &Path, busy_timeout: Duration) -> Result<Looking> {
    let path = fs_err::canonicalize(path)?;
    access::demand_writable(&path)?;
    go(path, Way::Locks, busy_timeout)
}

fn go(path: PathBuf, way: Way, busy_timeout: Duration) -> Result<Looking> {
    let inode = held_file::inode(&path);
    let connection = match &way {
        Way::Locks => open_with(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, busy_timeout)?,
        Way::BesideWal => {
            let connection = open_beside_wal(&path)?;
            connection.busy_timeout(busy_timeout)?;
            connection
        }
        Way::Still(_) => open_immutable(&path)?,
    };
    Ok(Looking { connection, path, inode, way, busy_timeout })
}

/// A way to read a database that leaves its owner's files as they are.
fn way(path: &Path, busy_timeout: Duration) -> Result<Way> {
    let size = |suffix| fs_err::metadata(beside(path, suffix)).map(|found| found.len());
    let (wal, shm) = (size(WAL), size(SHM));
    let would_harm = || wal.is_err() && access::would_lock_out_owner(path);
    // No lock of this process is lost by reading the header: only the first connection comes here, and
    // a second one goes the same way.
    if (access::may_write(path) && !would_harm()) || !is_wal(path) {
        return Ok(Way::Locks);
    }
    if wal.is_ok() && shm.is_ok() {
        return Ok(Way::BesideWal);
    }
    Still::wait_for(path, busy_timeout).map(Way::Still)
}

fn is_wal(path: &Path) -> bool {
    matches!(probe::look(path), Ok(Standing::Sqlite(header)) if header.is_wal())
}

impl Looking {
    /// A second connection to the same database, which goes the same way.
    ///
    /// # Errors
    ///
    /// As [`open`].
    pub(crate) fn twin(&self) -> Result<Self> {
        let way = match &self.way {
            Way::Locks => Way::Locks,
            Way::BesideWal => Way::BesideWal,
            Way::Still(_) => Way::Still(Still::wait_for(&self.path, self.busy_timeout)?),
        };
        go(self.path.clone(), way, self.busy_timeout)
    }

    /// Whether it is read without SQLite's locks: nobody waits for this reader, and SQLite ignores
    /// the journal.
    #[must_use]
    pub(crate) fn is_without_locks(&self) -> bool {
        matches!(self.way, Way::Still(_))
    }

    /// The journal mode of the database whose snapshot this is. Read without locks, every database looks
    /// to SQLite as if it had none; only one in WAL mode is read so.
    #[must_use]
    pub(crate) fn journal_mode_of(&self, snapshot: &Snapshot<'_>) -> String {
        if self.is_without_locks() { "wal".to_owned() } else { snapshot.journal_mode.clone() }
    }

    /// Proves that everything read until now is one state: SQLite made sure of it, or nobody wrote.
    ///
    /// # Errors
    ///
    /// A refusal that names the owner, if the database was written while a user without write access read it.
    pub(crate) fn prove(&self) -> Result<()> {
        match &self.way {
            Way::Locks | Way::BesideWal => Ok(()),
            Way::Still(still) => still.prove(),
        }
    }

    /// Returns the data that was read, once it is proved to be one state. If reading failed and
    /// somebody wrote in the meantime, the error explains that: pages of two states look damaged.
    ///
    /// # Errors
    ///
    /// As [`Looking::prove`], else the failure itself.
    pub(crate) fn proved<T>(&self, read: Result<T>) -> Result<T> {
        self.prove()?;
        read
    }
}

/// A snapshot, and a second connection with a read transaction in just the same state, so that two
/// threads can read it; none where writers were too quick for that.
///
/// # Errors
///
/// As [`Snapshot::begin`].
pub(crate) fn begin_twins(connection: &Looking) -> Result<(Snapshot<'_>, Option<Looking>)> {
    const MAX_TRIES: usize = 20;
    let twin = connection.twin()?;
    for _ in 0..MAX_TRIES {
        // The twin's version changes with every commit of others between these two
        // (<https://sqlite.org/pragma.html#pragma_data_version>).
        let before: i64 = pragma(&twin, "data_version")?;
        let mut snapshot = begin(connection)?;
        snapshot.file = snapshot.file.map(HeldFile::in_groups);
        twin.execute_batch("BEGIN")?;
        twin.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        if pragma::<i64>(&twin, "data_version")? == before {
            return Ok((snapshot, Some(twin)));
        }
        twin.execute_batch("ROLLBACK")?;
    }
    Ok((begin(connection)?, None))
}

/// A snapshot that is read from the file of the database, if SQLite's locks allow that, else through SQLite.
///
/// # Errors
///
/// As [`Snapshot::begin`].
pub(crate) fn begin(connection: &Looking) -> Result<Snapshot<'_>> {
    let mut snapshot = Snapshot::begin(connection)?;
    if let (Way::Locks, Some(inode)) = (&connection.way, connection.inode) {
        snapshot.file = HeldFile::of(Transaction {
            path: &connection.path,
            inode,
            journal_mode: &snapshot.journal_mode,
            page_size_bytes: snapshot.page_size_bytes,
            size_bytes: snapshot.size_bytes(),
        });
    }
    Ok(snapshot)
}

/// Whether there is more than an empty file at a path, once a transaction that a killed process
/// left unfinished is rolled back. An unreadable file counts.
///
/// # Errors
///
/// If the path cannot be inspected.
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match probe::look(path)? {
        Standing::Missing | Standing::Empty => Ok(false),
        Standing::Sqlite(_) => {
            let live = open(path, Duration::ZERO);
            let n_pages = live.and_then(|live| pragma::<i64>(&live, "page_count"));
            Ok(n_pages.map_or(true, |n_pages| n_pages > 0))
        }
        Standing::NotAFile(_) | Standing::Other(_) | Standing::Foreign { .. } => Ok(true),
    }
}
