//! The files that SQLite keeps beside a database (<https://sqlite.org/tempfiles.html>).

use std::path::{Path, PathBuf};

/// How the name of a write-ahead log ends.
pub(crate) const WAL: &str = "-wal";
/// How the name of its shared memory ends.
pub(crate) const SHM: &str = "-shm";
/// How the name of a rollback journal ends.
pub(crate) const JOURNAL: &str = "-journal";
/// All suffixes.
pub(crate) const ALL: [&str; 3] = [WAL, SHM, JOURNAL];
/// The database itself and all of them.
pub(crate) const WITH_DATABASE: [&str; 4] = ["", WAL, SHM, JOURNAL];

/// The path of a file beside a database.
#[must_use]
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
