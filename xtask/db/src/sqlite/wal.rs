//! The WAL of a live database, which is never checkpointed while another process has it open.
//!
//! SQLite before 3.51.3 can lose commits if one process runs a WAL checkpoint while another one
//! writes (<https://sqlite.org/wal.html>), and we cannot know which SQLite the others have. So no
//! live connection checkpoints by itself, and the checkpoint here locks the whole file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use crate::files::sidecars::{WAL, beside};
use crate::sqlite::connection::{open_with, pragma};
use crate::sqlite::read_only;

/// Size of the WAL beside a database; 0 if there is none.
#[must_use]
pub(crate) fn size_bytes(path: &Path) -> u64 {
    fs_err::metadata(beside(&behind_links(path), WAL)).map_or(0, |found| found.len())
}

/// SQLite keeps the WAL beside the file that a symbolic link leads to.
fn behind_links(path: &Path) -> PathBuf {
    fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Checkpoints the WAL into the database and removes it, if nobody else has the database open;
/// otherwise returns at once and leaves it as it is. This process must have no descriptor on the
/// database.
///
/// This is best effort: a WAL that stays is read with the database.
pub(crate) fn take_in(path: &Path) {
    let path = behind_links(path);
    if !beside(&path, WAL).exists() {
        return;
    }
    if (size_bytes(&path) == 0 || take_in_alone(&path).is_ok())
        && let Ok(looking) = read_only::open(&path, Duration::ZERO)
    {
        // The `-shm` of earlier connections goes with the empty WAL when the last one closes.
        let _ = pragma::<i64>(&looking, "schema_version");
    }
}

/// With an exclusive lock asked for before the first access, SQLite keeps its index of the WAL to itself
/// and fails if another process has the database open
/// (<https://sqlite.org/wal.html#use_of_wal_without_shared_memory>).
fn take_in_alone(path: &Path) -> Result<()> {
    let connection = open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE, Duration::ZERO)?;
    connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sidecars::SHM;
    use crate::sqlite::connection::open_or_create;

    /// A database whose WAL contains pages.
    fn with_wal(folder: &Path) -> PathBuf {
        let path = folder.join("a.db");
        let connection = open_or_create(&path, Duration::ZERO).expect("a database");
        connection
            .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1);")
            .expect("written");
        path
    }

    #[test]
    fn a_wal_that_nobody_else_uses_is_taken_in_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = with_wal(folder.path());
        assert!(size_bytes(&path) > 0);
        take_in(&path);
        for suffix in [WAL, SHM] {
            assert!(!beside(&path, suffix).exists(), "{suffix}");
        }
        let looking = read_only::open(&path, Duration::ZERO).expect("opened");
        assert_eq!(pragma::<i64>(&looking, "schema_version").expect("read"), 1);
    }

    #[test]
    fn a_wal_that_somebody_else_uses_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = with_wal(folder.path());
        let shm = beside(&path, SHM);
        let other = open_or_create(&path, Duration::ZERO).expect("opened");
        pragma::<i64>(&other, "schema_version").expect("read");
        let before = (size_bytes(&path), fs_err::read(&shm).expect("read"));
        take_in(&path);
        assert_eq!((size_bytes(&path), fs_err::read(&shm).expect("read")), before);
        drop(other);
    }
}
