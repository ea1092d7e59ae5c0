//! Restore by difference: only the pages that differ are written, in one transaction, through the
//! table `sqlite_dbpage`.
//!
//! The write lock comes first, then the present state is kept, then the pages are compared and
//! written: what an application commits waits, and what it committed is kept. Readers see the old
//! state or the new one. It is possible where the page size, the reserved bytes, the encoding and the
//! kind of `auto_vacuum` are the same in both, and the build can write pages; everything else goes
//! through the backup API.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use crate::database;
use crate::progress::Progress;
use crate::standing::HEADER_LENGTH;

/// Header fields that must be equal: page size, reserved bytes, `auto_vacuum`, encoding, incremental
/// vacuum (<https://sqlite.org/fileformat2.html>).
const EQUAL_FIELDS: [std::ops::Range<usize>; 5] = [16..18, 20..21, 52..56, 56..60, 64..68];
/// The byte that SQLite locks; the page that holds it is never written.
const LOCK_BYTE: u64 = 0x4000_0000;
/// The pages that SQLite may hold in memory before it writes them.
const CACHE_BYTES: u64 = 64 << 20;
/// In rollback-journal mode SQLite waits for all readers before it writes what no longer fits into
/// memory: more than this goes through the backup API, which waits for them once.
const MOST_BYTES_IN_ROLLBACK_MODE: u64 = 48 << 20;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The new state is committed.
    Committed {
        /// `PRAGMA data_version` while nobody else could commit: another one means that somebody has
        /// since. Read after the commit it would hide who was quick.
        version: i64,
    },
    /// It is not possible for these two; nothing was changed.
    NotThisWay,
}

/// Writes what differs between a database and a backup into the database and commits. `keep` keeps
/// the present state, while nobody else can commit. The connection remembers how many pages there
/// were before, so that it is of no use for reading afterwards; every other one sees the new state.
///
/// # Errors
///
/// Where the database stays locked, the disk is full or fails, or at the user's interrupt: it is
/// rolled back then.
pub(crate) fn put_back(
    to: &Connection,
    backup: &Path,
    progress: &mut Progress,
    keep: impl FnOnce() -> Result<()>,
) -> Result<Tried> {
    if !database::can_write_pages() {
        return Ok(Tried::NotThisWay);
    }
    let wal = database::pragma::<String>(to, "journal_mode")? == "wal";
    to.execute_batch(&format!("PRAGMA cache_size=-{}; BEGIN IMMEDIATE", CACHE_BYTES >> 10))?;
    let tried = in_transaction(to, backup, wal, (progress, keep));
    match tried {
        Ok(Tried::Committed { .. }) => {}
        // A failed COMMIT may have ended the transaction itself.
        _ if to.is_autocommit() => {}
        _ => to.execute_batch("ROLLBACK")?,
    }
    tried
}

fn in_transaction(
    to: &Connection,
    backup: &Path,
    wal: bool,
    (progress, keep): (&mut Progress, impl FnOnce() -> Result<()>),
) -> Result<Tried> {
    let mut file = fs_err::File::open(backup)?;
    let first = page(to, 1)?;
    // The backup may be smaller than a page of the database: its header alone tells whether they fit.
    let mut new_first = vec![0; HEADER_LENGTH];
    file.read_exact(&mut new_first)?;
    if EQUAL_FIELDS.iter().any(|field| first[field.clone()] != new_first[field.clone()]) {
        return Ok(Tried::NotThisWay);
    }
    new_first.resize(first.len(), 0);
    file.read_exact(&mut new_first[HEADER_LENGTH..])?;
    let page_size_bytes = first.len() as u64;
    let n_pages = file.metadata()?.len() / page_size_bytes;
    keep()?;
    let mut writing = Writing {
        to,
        statement: to.prepare("INSERT INTO sqlite_dbpage(pgno, data) VALUES (?1, ?2)")?,
        most: if wal { u64::MAX } else { MOST_BYTES_IN_ROLLBACK_MODE / page_size_bytes },
        n_written: 0,
    };
    let n_old = compare(&mut writing, &mut file, (page_size_bytes, n_pages), progress)?;
    if writing.is_full() {
        return Ok(Tried::NotThisWay);
    }
    let cookie: i64 = database::pragma(to, "schema_version")?;
    // The journal mode is the live database's own; a changed cookie in the middle would make the next
    // statement read a half-written schema.
    new_first[18..20].copy_from_slice(&first[18..20]);
    new_first[40..44].copy_from_slice(&page(to, 1)?[40..44]);
    writing.write(1, &new_first)?;
    drop(writing);
    if n_pages < n_old {
        // Any later write of a page would cancel this.
        to.execute(
            "INSERT INTO sqlite_dbpage(pgno, data) VALUES (?1, NULL)",
            [i64::try_from(n_pages + 1)?],
        )?;
    }
    progress.interrupt().check()?;
    // Other connections prepare their statements anew.
    let next = (cookie + 1) & 0x7fff_ffff;
    to.execute_batch(&format!("PRAGMA schema_version={next}"))?;
    let version = database::pragma(to, "data_version")?;
    to.execute_batch("COMMIT")?;
    Ok(Tried::Committed { version })
}

/// Writes the pages after the first that differ; returns how many the database had.
fn compare(
    writing: &mut Writing<'_>,
    file: &mut fs_err::File,
    (page_size_bytes, n_pages): (u64, u64),
    progress: &mut Progress,
) -> Result<u64> {
    const CHECK_EVERY: u64 = 1024;
    let size = usize::try_from(page_size_bytes)?;
    let lock_page = LOCK_BYTE / page_size_bytes + 1;
    let mut wanted = vec![0; size];
    let mut reader = std::io::BufReader::with_capacity(1 << 20, file);
    let to = writing.to;
    let n_old = u64::try_from(database::pragma::<i64>(to, "page_count")?)?;
    let mut statement = to.prepare("SELECT data FROM sqlite_dbpage WHERE pgno > 1")?;
    let mut rows = statement.query([])?;
    for page_number in 2..=n_pages {
        if page_number.is_multiple_of(CHECK_EVERY) {
            progress.interrupt().check()?;
            progress.reach(page_number * page_size_bytes);
        }
        reader.read_exact(&mut wanted).context("the backup ended early")?;
        let is_equal = if page_number <= n_old {
            let row = rows.next()?.context("the database has fewer pages than it said")?;
            matches!(row.get_ref(0)?, ValueRef::Blob(there) if there == wanted)
        } else {
            false
        };
        if !is_equal && page_number != lock_page {
            if writing.is_full() {
                break;
            }
            writing.write(page_number, &wanted)?;
        }
    }
    Ok(n_old)
}

/// What is written in the transaction.
struct Writing<'c> {
    to: &'c Connection,
    statement: Statement<'c>,
    most: u64,
    n_written: u64,
}

impl Writing<'_> {
    /// Whether more would not stay in memory.
    fn is_full(&self) -> bool {
        self.n_written >= self.most
    }

    fn write(&mut self, number: u64, page: &[u8]) -> Result<()> {
        self.n_written += 1;
        self.statement.execute(rusqlite::params![i64::try_from(number)?, page])?;
        Ok(())
    }
}

/// One page of the database.
fn page(connection: &Connection, number: i64) -> Result<Vec<u8>> {
    let sql = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
    Ok(connection.query_row(sql, [number], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::interrupt::Interrupt;

    /// A database of its own with some content; the statements make it.
    fn database(folder: &Path, name: &str, statements: &str) -> Result<std::path::PathBuf> {
        let path = folder.join(name);
        let connection = database::open_or_create(&path, Duration::ZERO)?;
        connection.execute_batch(statements)?;
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(path)
    }

    const FEW: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO t SELECT i, hex(i * i) FROM n;";
    const MANY: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
         INSERT INTO t SELECT i, hex(i * i) || i FROM n; CREATE INDEX t_b ON t (b);
         CREATE VIEW v AS SELECT b FROM t; PRAGMA user_version = 9;";

    /// The pages as the connection sees them, bookkeeping of the header masked.
    fn pages(path: &Path) -> Result<Vec<u8>> {
        let connection = database::open_live(path, Duration::ZERO)?;
        let mut statement = connection.prepare("SELECT data FROM sqlite_dbpage")?;
        let pages: Vec<Vec<u8>> =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let mut bytes = pages.concat();
        for field in [18..20, 24..28, 40..44, 92..100] {
            bytes[field].fill(0);
        }
        Ok(bytes)
    }

    fn tried(live: &Path, backup: &Path) -> Result<(Tried, Connection)> {
        let interrupt = std::sync::Arc::new(Interrupt::default());
        let to = database::open_or_create(live, Duration::ZERO)?;
        let mut progress = Progress::hidden(&interrupt);
        let tried = put_back(&to, backup, &mut progress, || Ok(()))?;
        Ok((tried, to))
    }

    #[test]
    fn this_build_can_write_pages() {
        assert!(database::can_write_pages());
    }

    #[test]
    fn larger_and_smaller_databases_of_every_shape_become_the_backup() -> Result<()> {
        for setup in [
            "PRAGMA journal_mode=WAL;",
            "PRAGMA page_size=512;",
            "PRAGMA page_size=65536; PRAGMA journal_mode=WAL;",
            "PRAGMA encoding='UTF-16le'; PRAGMA auto_vacuum=FULL;",
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;",
        ] {
            for (old, new) in [(FEW, MANY), (MANY, FEW), (MANY, MANY)] {
                let folder = tempfile::tempdir()?;
                let live = database(folder.path(), "live.db", &format!("{setup}{old}"))?;
                let backup = database(folder.path(), "backup.db", &format!("{setup}{new}"))?;
                // Another connection that has the old schema in its memory.
                let other = database::open_live(&live, Duration::ZERO)?;
                other.query_row("SELECT count(*) FROM t", [], |_| Ok(()))?;
                let wanted = pages(&backup)?;
                let (tried, to) = tried(&live, &backup)?;
                // With auto_vacuum the header names the largest root page, which an index moves.
                if setup.contains("auto_vacuum") && old != new {
                    assert_eq!(tried, Tried::NotThisWay, "{setup}");
                    continue;
                }
                let Tried::Committed { version } = tried else { panic!("{setup}") };
                assert_eq!(database::pragma::<i64>(&to, "data_version")?, version, "{setup}");
                let fresh = database::open_live(&live, Duration::ZERO)?;
                let n_rows = |connection: &Connection| {
                    connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))
                };
                assert_eq!(n_rows(&fresh)?, n_rows(&other)?, "{setup}");
                assert!(pages(&live)? == wanted, "{setup}");
                let check: String = database::pragma(&fresh, "integrity_check")?;
                assert_eq!(check, "ok", "{setup}");
                // Whoever commits next is seen, however quick.
                fresh.execute_batch("PRAGMA user_version = 77")?;
                assert_ne!(database::pragma::<i64>(&to, "data_version")?, version, "{setup}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_backup_smaller_than_one_page_of_the_database_goes_another_way() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let live = database(folder.path(), "live.db", &format!("PRAGMA page_size=65536;{FEW}"))?;
        let backup =
            database(folder.path(), "backup.db", "PRAGMA page_size=512; CREATE TABLE t (a)")?;
        assert!(fs_err::metadata(&backup)?.len() < 65_536);
        assert_eq!(tried(&live, &backup)?.0, Tried::NotThisWay);
        Ok(())
    }

    #[test]
    fn what_differs_in_shape_goes_another_way_untouched() -> Result<()> {
        for (one, other) in [
            ("PRAGMA page_size=1024;", "PRAGMA page_size=4096;"),
            ("PRAGMA encoding='UTF-16le';", ""),
            ("PRAGMA auto_vacuum=FULL;", ""),
            ("PRAGMA auto_vacuum=FULL;", "PRAGMA auto_vacuum=INCREMENTAL;"),
        ] {
            let folder = tempfile::tempdir()?;
            let live = database(folder.path(), "live.db", &format!("{one}{FEW}"))?;
            let backup = database(folder.path(), "backup.db", &format!("{other}{MANY}"))?;
            let before = fs_err::read(&live)?;
            let (tried, to) = tried(&live, &backup)?;
            assert_eq!(tried, Tried::NotThisWay, "{one} {other}");
            assert!(to.is_autocommit(), "{one} {other}");
            assert!(fs_err::read(&live)? == before, "{one} {other}");
        }
        Ok(())
    }
}
