//! The file of a live database, read in large pieces while SQLite's locks keep it as it is.
//!
//! `sqlite_dbpage` costs a call of the kernel and two copies for every page. Reading the file gives the same bytes if a read
//! transaction is open and every page of its state is in the file:
//!
//! - In rollback-journal mode, a writer needs the EXCLUSIVE lock before it writes to the database, and does not get it beside a
//!   reader (<https://sqlite.org/lockingv3.html>).
//! - In WAL mode, the `-wal` is empty after the transaction has begun. A reader that needs frames keeps the WAL from being reset, so
//!   this one needs none; and one that needs none keeps every checkpoint from writing to the database
//!   (<https://sqlite.org/walformat.html>, section 2.3.2, `WAL_READ_LOCK(0)`).
//!
//! In any other case, pages are read through SQLite.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use rustix::buffer::spare_capacity;

use crate::files::sidecars::{WAL, beside};
use crate::sqlite::digest::GROUP_BYTES;

/// The offset of the page that SQLite uses for locks only, and reads as zeros (<https://sqlite.org/fileformat2.html#the_lock_byte_page>).
const LOCK_BYTES: u64 = 1 << 30;

/// What is read at once to be passed on to other threads.
const PIECE_BYTES: usize = 256 << 10;

/// The descriptors that are open. None is ever closed: that would drop the locks of every connection of this process to the
/// file (<https://sqlite.org/howtocorrupt.html>, section 2.2).
static OPEN: Mutex<BTreeMap<Inode, &'static fs_err::File>> = Mutex::new(BTreeMap::new());

/// Device and inode of a file.
type Inode = (u64, u64);

/// The file that a path leads to; `None` if there is none.
#[must_use]
pub(crate) fn inode(path: &Path) -> Option<Inode> {
    fs_err::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// The file of a database in a read transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldFile {
    file: &'static fs_err::File,
    page_size_bytes: u64,
    /// The bytes that are read at once.
    pub(crate) piece_bytes: usize,
}

/// A read transaction that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transaction<'a> {
    /// The path of the database.
    pub(crate) path: &'a Path,
    /// The file that it led to before SQLite opened it.
    pub(crate) inode: Inode,
    /// The journal mode.
    pub(crate) journal_mode: &'a str,
    /// The page size.
    pub(crate) page_size_bytes: u64,
    /// Size of the database in its state.
    pub(crate) size_bytes: u64,
}

impl HeldFile {
    /// The file of a database, if all pages of the state are in it and stay there until the transaction ends.
    #[must_use]
    pub(crate) fn of(transaction: Transaction<'_>) -> Option<Self> {
        let Transaction { path, inode, journal_mode, page_size_bytes, size_bytes } = transaction;
        let is_held = match journal_mode {
            "wal" => fs_err::metadata(beside(path, WAL)).is_ok_and(|wal| wal.len() == 0),
            "delete" | "truncate" | "persist" => true,
            _ => false,
        };
        if !is_held {
            return None;
        }
        let file = open(path, inode)?;
        // SQLite reads pages behind the end of the file as zeros.
        let piece_bytes = PIECE_BYTES;
        let is_whole = file.metadata().ok()?.len() >= size_bytes;
        is_whole.then_some(Self { file, page_size_bytes, piece_bytes })
    }

    /// The same file in pieces of one group, for a reader that hashes them itself: they stay in the cache of its processor.
    #[must_use]
    pub(crate) fn in_groups(self) -> Self {
        Self { piece_bytes: GROUP_BYTES, ..self }
    }

    /// Reads bytes from an offset on, which is that of a page, into an empty buffer.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub(crate) fn read(&self, offset: u64, n_bytes: usize, into: &mut Vec<u8>) -> Result<()> {
        into.reserve_exact(n_bytes);
        while into.len() < n_bytes {
            let at = offset + into.len() as u64;
            let read = || rustix::io::pread(self.file.file(), spare_capacity(into), at);
            let n_more = rustix::io::retry_on_intr(read).context("could not read the database")?;
            ensure!(n_more > 0, "the file of the database became shorter while it was read");
        }
        into.truncate(n_bytes);
        let end = offset + n_bytes as u64;
        if (offset..end).contains(&LOCK_BYTES) {
            let from = usize::try_from(LOCK_BYTES - offset)?;
            let until = n_bytes.min(from + usize::try_from(self.page_size_bytes)?);
            into[from..until].fill(0);
        }
        Ok(())
    }
}

/// The descriptor of a file, if the path still leads to it.
fn open(path: &Path, wanted: Inode) -> Option<&'static fs_err::File> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = open.get(&wanted) {
        return (inode(path) == Some(wanted)).then_some(file);
    }
    // It stays open even if it is another file by now, which may have connections too.
    let file: &'static fs_err::File = Box::leak(Box::new(fs_err::File::open(path).ok()?));
    let metadata = file.metadata().ok()?;
    let found = (metadata.dev(), metadata.ino());
    open.insert(found, file);
    (found == wanted).then_some(file)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sqlite::read_only::{self, Looking};
    use crate::sqlite::{connection, snapshot::Snapshot};

    /// The bytes of a snapshot, through SQLite.
    fn through_sqlite(snapshot: &Snapshot<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let each = |page: &[u8]| {
            bytes.extend_from_slice(page);
            Ok(())
        };
        snapshot.each_page(each).expect("pages");
        bytes
    }

    fn through_file(snapshot: &Snapshot<'_>) -> Vec<u8> {
        let (file, size_bytes) = (snapshot.file.expect("held"), snapshot.size_bytes());
        let mut bytes = Vec::new();
        file.read(0, usize::try_from(size_bytes).expect("small"), &mut bytes).expect("read");
        bytes
    }

    fn filled(path: &Path, mode: &str) -> rusqlite::Connection {
        let writer = connection::open_or_create(path, Duration::ZERO).expect("opened");
        let fill = format!(
            "PRAGMA journal_mode={mode}; CREATE TABLE t (a);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO t SELECT hex(i * i) || zeroblob(i) FROM n; PRAGMA wal_checkpoint(TRUNCATE)"
        );
        writer.execute_batch(&fill).expect("filled");
        writer
    }

    fn looking(path: &Path) -> Looking {
        read_only::open(path, Duration::ZERO).expect("opened")
    }

    #[test]
    fn the_file_stays_as_it_is_however_others_write_and_is_not_read_if_a_page_is_elsewhere() {
        for mode in ["delete", "truncate", "persist", "wal"] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("live.db");
            let writer = filled(&path, mode);
            let reader = looking(&path);
            let snapshot = read_only::begin(&reader).expect("begun");
            let before = through_sqlite(&snapshot);
            assert!(through_file(&snapshot) == before, "{mode}");
            // In WAL mode this is a commit, and nothing of it gets into the file.
            let written =
                writer.execute_batch("UPDATE t SET a = a || 'x'; DELETE FROM t WHERE rowid % 2");
            assert_eq!(written.is_ok(), mode == "wal");
            let _ = writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
            assert!(through_file(&snapshot) == before, "{mode}: the file changed");
            drop(snapshot);
            let again = read_only::begin(&reader).expect("begun");
            assert_eq!(again.file.is_some(), mode != "wal", "{mode}");
            drop(again);
            // The descriptor that stays open takes no lock away, and is used again.
            let _ = writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
            let again = read_only::begin(&reader).expect("begun");
            assert!(through_file(&again) == through_sqlite(&again), "{mode}");
        }
    }

    #[test]
    fn another_file_of_the_same_path_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("live.db");
        drop(filled(&path, "delete"));
        let reader = looking(&path);
        fs_err::copy(&path, folder.path().join("other.db")).expect("copied");
        fs_err::remove_file(&path).expect("removed");
        fs_err::copy(folder.path().join("other.db"), &path).expect("copied");
        assert!(read_only::begin(&reader).expect("begun").file.is_none());
    }

    #[test]
    fn the_page_of_the_locks_is_read_as_zeros() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let write = |byte: u8, at: u64| {
            std::os::unix::fs::FileExt::write_all_at(file.as_file(), &[byte; 4096], at)
        };
        for (byte, at) in [(7, LOCK_BYTES - 4096), (8, LOCK_BYTES), (9, LOCK_BYTES + 4096)] {
            write(byte, at).expect("written");
        }
        let open = open(file.path(), inode(file.path()).expect("there")).expect("open");
        let held = HeldFile { file: open, page_size_bytes: 4096, piece_bytes: PIECE_BYTES };
        for (offset, expected) in [(4096, [7_u8, 0, 9].as_slice()), (0, &[0, 9])] {
            let mut bytes = Vec::new();
            held.read(LOCK_BYTES - offset, expected.len() * 4096, &mut bytes).expect("read");
            let pages: Vec<u8> = bytes.chunks(4096).map(|page| page[17]).collect();
            assert_eq!(pages, expected);
        }
    }
}
