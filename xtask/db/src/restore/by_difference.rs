//! Restore by difference: only the pages that differ are written, in one transaction, through the
//! table `sqlite_dbpage`.
//!
//! The write lock comes first, then the current state is kept, then the pages are compared and
//! written: applications wait with their commits, and what they committed before is kept. Readers
//! see the old state or the new one. Both files must have the same page size, reserved bytes,
//! encoding and kind of `auto_vacuum`, and the build must be able to write pages; otherwise the
//! backup API is used. [`Wanted`] hides where the pages come from.

use std::ops::Range;

use anyhow::{Context as _, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::sqlite::connection;
use crate::sqlite::digest::GROUP_BYTES;
use crate::sqlite::digest::database::{self, Groups};
use crate::sqlite::digest::page_source::Wanted;
use crate::sqlite::header::HEADER_LENGTH;
use crate::sqlite::snapshot::{Reading, Snapshot};

/// Header fields that must be equal: page size, reserved bytes, `auto_vacuum`, encoding, incremental
/// vacuum (<https://sqlite.org/fileformat2.html>).
const EQUAL_FIELDS: [std::ops::Range<usize>; 5] = [16..18, 20..21, 52..56, 56..60, 64..68];
/// The byte that SQLite locks; the page that contains it is never written.
const LOCK_BYTE: u64 = 0x4000_0000;
/// The pages that SQLite may keep in memory before it writes them.
const CACHE_BYTES: u64 = 64 << 20;
/// In rollback-journal mode, SQLite waits for all readers before it writes pages that no longer fit
/// into memory. Restores of more than this use the backup API, which waits for them once.
const MAX_BYTES_IN_ROLLBACK_MODE: u64 = 48 << 20;

/// Result of the try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The new state is committed.
    Committed {
        /// `PRAGMA data_version` while nobody else could commit: another one means that somebody has
        /// since. Read after the commit it would hide who was quick.
        version: i64,
    },
    /// It is not possible for these two files; nothing was changed.
    NotThisWay,
}

/// Writes the pages that differ between a database and a backup into the database and commits.
/// `keep` keeps the current state, while nobody else can commit, and returns the ids of its groups,
/// as far as it knows them: only groups whose ids differ are read. The connection remembers how
/// many pages there were before, so it is useless for reading afterwards; every other one sees the
/// new state.
///
/// # Errors
///
/// If the database stays locked, the disk is full or fails, or at the user's interrupt: then it is
/// rolled back.
pub(crate) fn put_back(
    to: &Connection,
    wanted: &mut dyn Wanted,
    progress: &mut Progress,
    keep: impl FnOnce() -> Result<Groups>,
) -> Result<Tried> {
    if !connection::can_write_pages() {
        return Ok(Tried::NotThisWay);
    }
    let tried = in_transaction(to, wanted, progress, keep);
    match tried {
        Ok(Tried::Committed { .. }) => {}
        // It may not have begun, and a failed COMMIT may have ended it.
        _ if to.is_autocommit() => {}
        _ => to.execute_batch("ROLLBACK")?,
    }
    tried
}

/// Begins the transaction, and commits if it gets that far.
fn in_transaction(
    to: &Connection,
    wanted: &mut dyn Wanted,
    progress: &mut Progress,
    keep: impl FnOnce() -> Result<Groups>,
) -> Result<Tried> {
    let is_wal = connection::pragma::<String>(to, "journal_mode")? == "wal";
    to.execute_batch(&format!("PRAGMA cache_size=-{}; BEGIN IMMEDIATE", CACHE_BYTES >> 10))?;
    let first = page(to, 1)?;
    let Some(mut new_first) = new_first(wanted, &first)? else {
        return Ok(Tried::NotThisWay);
    };
    let page_size_bytes = first.len() as u64;
    let n_pages = wanted.size_bytes() / page_size_bytes;
    let present = keep()?;
    let mut writing = Writing {
        to,
        statement: to.prepare("INSERT INTO sqlite_dbpage(pgno, data) VALUES (?1, ?2)")?,
        page_size_bytes,
        n_pages,
        most: if is_wal { u64::MAX } else { MAX_BYTES_IN_ROLLBACK_MODE / page_size_bytes },
        n_written: 0,
    };
    let n_old = compare(&mut writing, wanted, &present, progress)?;
    if writing.is_full() {
        return Ok(Tried::NotThisWay);
    }
    let cookie: i64 = connection::pragma(to, "schema_version")?;
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
    // Other connections prepare their statements again.
    let next = (cookie + 1) & 0x7fff_ffff;
    to.execute_batch(&format!("PRAGMA schema_version={next}"))?;
    let version = connection::pragma(to, "data_version")?;
    to.execute_batch("COMMIT")?;
    Ok(Tried::Committed { version })
}

/// The first page as it will be; `None` if the two have different kinds. A backup may be smaller than
/// a page of the database: its header alone tells whether they fit.
fn new_first(wanted: &mut dyn Wanted, first: &[u8]) -> Result<Option<Vec<u8>>> {
    let start = wanted.differing(0, &[])?.context("the backup is empty")?;
    let header = start.get(..HEADER_LENGTH).context("the backup ended early")?;
    if EQUAL_FIELDS.iter().any(|field| first[field.clone()] != header[field.clone()]) {
        return Ok(None);
    }
    Ok(Some(start.get(..first.len()).context("the backup ended early")?.to_vec()))
}

/// Whether a database already has these pages, except for bookkeeping; `None` if this build cannot
/// read pages. Stops at the first group that differs.
///
/// # Errors
///
/// If either side cannot be read, or at the user's interrupt.
pub(crate) fn is_equal(
    connection: &Connection,
    wanted: &mut dyn Wanted,
    interrupt: &Interrupt,
) -> Result<Option<bool>> {
    let snapshot = Snapshot::begin(connection)?;
    if snapshot.reading != Reading::Pages {
        return Ok(None);
    }
    if snapshot.size_bytes() != wanted.size_bytes() {
        return Ok(Some(false));
    }
    let group_pages = GROUP_BYTES as u64 / snapshot.page_size_bytes;
    let mut there = There::new(connection)?;
    for group in 0..snapshot.n_pages.div_ceil(group_pages) {
        interrupt.check()?;
        let n_before = group * group_pages;
        let n_until = snapshot.n_pages.min(n_before + group_pages);
        let bytes = there.pages(n_before + 1..n_until + 1)?;
        let Some(wanted) = wanted.differing(group, bytes)? else { continue };
        if group > 0 || database::masked(bytes) != database::masked(wanted) {
            return Ok(Some(false));
        }
    }
    Ok(Some(true))
}

/// Writes the pages after the first that differ; returns how many the database had.
fn compare(
    writing: &mut Writing<'_>,
    wanted: &mut dyn Wanted,
    present: &Groups,
    progress: &mut Progress,
) -> Result<u64> {
    let Writing { to, page_size_bytes, n_pages, .. } = *writing;
    let n_old = u64::try_from(connection::pragma::<i64>(to, "page_count")?)?;
    let n_both = n_pages.min(n_old);
    let group_pages = GROUP_BYTES as u64 / page_size_bytes;
    let mut there = There::new(to)?;
    for group in 0..n_pages.div_ceil(group_pages) {
        progress.interrupt().check()?;
        progress.reach(group * GROUP_BYTES as u64);
        let n_before = group * group_pages;
        // The first page is that of the copy that was kept, whose bookkeeping is its own.
        if group > 0 && present.id(group).is_some() && present.id(group) == wanted.id(group)? {
            continue;
        }
        let there = there.pages(n_before + 1..n_both.min(n_before + group_pages) + 1)?;
        if let Some(bytes) = wanted.differing(group, there)? {
            writing.write_differing(n_before, there, bytes)?;
        }
        if writing.is_full() {
            break;
        }
    }
    Ok(n_old)
}

/// The pages of a database as its connection sees them.
struct There<'c> {
    statement: Statement<'c>,
    bytes: Vec<u8>,
}

impl<'c> There<'c> {
    fn new(connection: &'c Connection) -> Result<Self> {
        let statement = connection.prepare("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")?;
        Ok(Self { statement, bytes: Vec::with_capacity(GROUP_BYTES) })
    }

    /// Some consecutive pages.
    fn pages(&mut self, numbers: Range<u64>) -> Result<&[u8]> {
        self.bytes.clear();
        for number in numbers {
            let mut rows = self.statement.query([i64::try_from(number)?])?;
            let row = rows.next()?.context("the database has fewer pages than it reported")?;
            let ValueRef::Blob(page) = row.get_ref(0)? else {
                anyhow::bail!("page {number} of the database has no content");
            };
            self.bytes.extend_from_slice(page);
        }
        Ok(&self.bytes)
    }
}

/// State of writing in the transaction.
struct Writing<'c> {
    to: &'c Connection,
    statement: Statement<'c>,
    page_size_bytes: u64,
    /// How many pages there will be.
    n_pages: u64,
    most: u64,
    n_written: u64,
}

impl Writing<'_> {
    /// Whether further pages would not fit into memory.
    fn is_full(&self) -> bool {
        self.n_written >= self.most
    }

    /// Writes those pages of a group that are not there as they will be, as far as they stay in memory.
    /// The first page of all comes last, and that of the lock byte never.
    fn write_differing(&mut self, n_before: u64, there: &[u8], wanted: &[u8]) -> Result<()> {
        let size = usize::try_from(self.page_size_bytes)?;
        let lock_page = LOCK_BYTE / self.page_size_bytes + 1;
        let mut there = there.chunks_exact(size);
        for (number, page) in (n_before + 1..).zip(wanted.chunks_exact(size)) {
            let is_equal = there.next().is_some_and(|there| there == page);
            if !is_equal && number != 1 && number != lock_page && !self.is_full() {
                self.write(number, page)?;
            }
        }
        Ok(())
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
mod tests;
