//! Copies one snapshot's pages into a stage, and hashes them on the way.
//!
//! Three threads pass on pieces of 1 MiB (one does it all if there are no others): one reads pages,
//! one writes the stage, one hashes. Memory stays at a few pieces however large the database is.
//! The header is written as the backup API would (<https://sqlite.org/c3ref/backup_finish.html>):
//! rollback-journal mode, and change counter, schema cookie and version-valid-for 1. Two copies of
//! the same content are equal byte for byte.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::threads::{Lane, Step};
use crate::files::stage::Stage;
use crate::sqlite::connection;
use crate::sqlite::digest::database::{Groups, Hashes, Hashing};
use crate::sqlite::header::{HEADER_LENGTH, Header};
use crate::sqlite::snapshot::{Reading, Snapshot};

const PIECE_BYTES: usize = 1 << 20;
/// Larger writes ask the kernel for larger pieces of page cache than a busy machine has.
const WRITE_BYTES: usize = 16 << 10;
const N_PIECES: usize = 6;
/// So much is written before the disk is asked to begin: the final sync then finds little left.
const SYNC_EVERY_BYTES: u64 = 64 << 20;

/// Result of a copy.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    /// Size of the file.
    pub size_bytes: u64,
    /// Its hashes.
    pub hashes: Hashes,
    /// Its header.
    pub header: Header,
    /// The ids of its groups, if they are known.
    pub groups: Groups,
}

/// Copies a snapshot into an empty stage.
///
/// # Errors
///
/// If a page cannot be read or the stage not be written, or at the user's interrupt.
pub(crate) fn copy(
    snapshot: &Snapshot<'_>,
    stage: &Stage,
    progress: &mut Progress,
) -> Result<Copied> {
    progress.expect_bytes(snapshot.size_bytes());
    match snapshot.reading {
        Reading::Pages => copy_pages(snapshot, stage, progress),
        Reading::BackupApi => {
            copy_through_api(snapshot, stage, progress)?;
            settle_header(stage)?;
            hash_stage(stage, progress.interrupt())
        }
    }
}

/// Hashes a snapshot's content without writing anything, with the same result as for a copy of it.
///
/// # Errors
///
/// If a page cannot be read, or at the user's interrupt. Only for [`Reading::Pages`].
pub(crate) fn hash_pages(snapshot: &Snapshot<'_>, interrupt: &Interrupt) -> Result<Hashes> {
    let (empty, spare) = mpsc::sync_channel::<Vec<u8>>(N_PIECES);
    std::thread::scope(|scope| {
        let mut hashing = Lane::begin(scope, N_PIECES, HashStep::new(empty));
        let reached = |_| interrupt.check();
        read_pieces(snapshot, &mut |piece| hashing.send(piece), &spare, reached)?;
        Ok(hashing.finish()?.hashing.finish())
    })
}

fn copy_pages(snapshot: &Snapshot<'_>, stage: &Stage, progress: &mut Progress) -> Result<Copied> {
    let interrupt = Arc::clone(progress.interrupt());
    let (empty, spare) = mpsc::sync_channel::<Vec<u8>>(3 * N_PIECES);
    let step = std::thread::scope(|scope| {
        let hashing = Lane::begin(scope, N_PIECES, HashStep::new(empty));
        let syncing = Lane::begin(scope, 1, SyncStep { stage });
        let writing = WriteStep { stage, hashing, syncing, since_sync: 0 };
        let mut writing = Lane::begin(scope, N_PIECES, writing);
        let write = &mut |piece| writing.send(piece);
        read_pieces(snapshot, write, &spare, |n_bytes| {
            interrupt.check()?;
            progress.reach(n_bytes);
            Ok(())
        })?;
        writing.finish()
    })?;
    let HashStep { hashing, header, size_bytes, .. } = step;
    anyhow::ensure!(
        size_bytes == snapshot.size_bytes(),
        "copied {size_bytes} bytes of {}",
        snapshot.size_bytes()
    );
    let header = header.context("the database has no pages")?;
    let (hashes, groups) = (hashing.finish(), hashing.groups());
    Ok(Copied { size_bytes, hashes, header, groups })
}

/// Writes pieces into the stage and passes them on.
struct WriteStep<'scope> {
    stage: &'scope Stage,
    hashing: Lane<'scope, Vec<u8>, HashStep>,
    syncing: Lane<'scope, (), SyncStep<'scope>>,
    since_sync: u64,
}

impl Step<Vec<u8>> for WriteStep<'_> {
    type Done = HashStep;

    fn take(&mut self, piece: Vec<u8>) -> Result<()> {
        for slice in piece.chunks(WRITE_BYTES) {
            self.stage.append(slice)?;
        }
        self.since_sync += piece.len() as u64;
        if self.since_sync >= SYNC_EVERY_BYTES && self.syncing.offer(()) {
            self.since_sync = 0;
        }
        self.hashing.send(piece)
    }

    fn finish(self) -> Result<HashStep> {
        self.syncing.finish()?;
        self.hashing.finish()
    }
}

/// Asks the disk to begin.
struct SyncStep<'scope> {
    stage: &'scope Stage,
}

impl Step<()> for SyncStep<'_> {
    type Done = ();

    fn take(&mut self, _nothing: ()) -> Result<()> {
        Ok(self.stage.file().sync_data()?)
    }

    fn finish(self) -> Result<()> {
        Ok(())
    }
}

/// Hashes pieces and gives them back empty.
struct HashStep {
    hashing: Hashing,
    header: Option<Header>,
    size_bytes: u64,
    empty: mpsc::SyncSender<Vec<u8>>,
}

impl HashStep {
    fn new(empty: mpsc::SyncSender<Vec<u8>>) -> Self {
        Self { hashing: Hashing::default(), header: None, size_bytes: 0, empty }
    }
}

impl Step<Vec<u8>> for HashStep {
    type Done = Self;

    fn take(&mut self, mut piece: Vec<u8>) -> Result<()> {
        let header = || piece.get(..HEADER_LENGTH)?.try_into().ok().map(Header);
        self.header = self.header.take().or_else(header);
        self.size_bytes += piece.len() as u64;
        self.hashing.update(&piece);
        piece.clear();
        let _ = self.empty.try_send(piece);
        Ok(())
    }

    fn finish(self) -> Result<Self> {
        Ok(self)
    }
}

/// Takes a piece that was read.
pub(crate) type Send<'a> = dyn FnMut(Vec<u8>) -> Result<()> + 'a;

/// Reads the pages into pieces of 1 MiB, with the header settled, and sends them on. `reached` is
/// called before each full piece with the number of bytes read so far, and may end it.
///
/// # Errors
///
/// If a page cannot be read, the receiver is gone, or as `reached`.
pub(crate) fn read_pieces(
    snapshot: &Snapshot<'_>,
    send: &mut Send<'_>,
    spare: &mpsc::Receiver<Vec<u8>>,
    mut reached: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    if let Some(file) = snapshot.file {
        let mut done_bytes = 0;
        while done_bytes < snapshot.size_bytes() {
            let n_left = usize::try_from(snapshot.size_bytes() - done_bytes)?;
            let mut piece = spare.try_recv().unwrap_or_default();
            file.read(done_bytes, n_left.min(file.piece_bytes), &mut piece)?;
            if done_bytes == 0 {
                settle(&mut piece, snapshot.n_pages);
            }
            done_bytes += piece.len() as u64;
            reached(done_bytes)?;
            send(piece)?;
        }
        return Ok(());
    }
    let new_piece = || spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE_BYTES));
    let mut piece = new_piece();
    let mut done_bytes = 0;
    snapshot.each_page(|page| {
        if done_bytes == 0 && piece.is_empty() {
            piece.extend_from_slice(page);
            settle(&mut piece, snapshot.n_pages);
        } else {
            piece.extend_from_slice(page);
        }
        if piece.len() + page.len() > PIECE_BYTES {
            done_bytes += piece.len() as u64;
            reached(done_bytes)?;
            send(std::mem::replace(&mut piece, new_piece()))?;
        }
        Ok(())
    })?;
    if piece.is_empty() {
        return Ok(());
    }
    reached(done_bytes + piece.len() as u64)?;
    send(piece)
}

/// Writes the header's bookkeeping as the backup API leaves it in a new file.
fn settle(page: &mut [u8], n_pages: u64) {
    let library = rusqlite::version_number().cast_unsigned();
    let n_pages = u32::try_from(n_pages).unwrap_or(u32::MAX);
    let settled = [(24, 1), (28, n_pages), (40, 1), (92, 1), (96, library)];
    if page.len() >= HEADER_LENGTH {
        page[18..20].copy_from_slice(&[1, 1]);
        for (at, number) in settled {
            page[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
    }
}

/// The copy through the backup API, in steps inside the held read transaction.
fn copy_through_api(snapshot: &Snapshot<'_>, stage: &Stage, progress: &mut Progress) -> Result<()> {
    let mut private = connection::open_or_create(stage.path(), std::time::Duration::ZERO)?;
    private.execute_batch(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF;",
    )?;
    step_through(snapshot.connection(), &mut private, progress, &mut ())?;
    private.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Work to do around the moment in which the backup API locks its destination.
pub(crate) trait Locking {
    /// Called right before the destination is locked for writing.
    ///
    /// # Errors
    ///
    /// Ends the copy before anything is written.
    fn before(&mut self) -> Result<()> {
        Ok(())
    }

    /// Called when it is locked, before any page is written.
    ///
    /// # Errors
    ///
    /// Ends the copy; the destination is rolled back.
    fn locked(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Nothing.
impl Locking for () {}

/// Steps the backup API from one connection to another until it is done; the caller's read
/// transaction or an immutable source keeps it from starting over.
///
/// # Errors
///
/// If either side stays locked, fails, or the user interrupts; the destination is then rolled back.
pub(crate) fn step_through(
    from: &Connection,
    to: &mut Connection,
    progress: &mut Progress,
    locking: &mut impl Locking,
) -> Result<()> {
    const PAGES_PER_STEP: i32 = 2048;
    let page_size_bytes: i64 = connection::pragma(from, "page_size")?;
    let backup = Backup::new(from, to)?;
    locking.before()?;
    if !is_more(backup.step(0)?)? {
        return Ok(());
    }
    locking.locked()?;
    loop {
        progress.interrupt().check()?;
        if !is_more(backup.step(PAGES_PER_STEP)?)? {
            return Ok(());
        }
        let done = backup.progress();
        let n_pages = i64::from(done.pagecount - done.remaining);
        progress.reach((n_pages * page_size_bytes).try_into().unwrap_or(0));
    }
}

/// Whether there are more pages. The busy handler has already waited, so a lock is final.
fn is_more(step: StepResult) -> Result<bool> {
    match step {
        StepResult::Done => Ok(false),
        StepResult::More => Ok(true),
        _ => {
            let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
            Err(rusqlite::Error::SqliteFailure(busy, None).into())
        }
    }
}

fn settle_header(stage: &Stage) -> Result<()> {
    stage.write_at(&[1, 1], 18)
}

/// Hashes a finished private stage.
fn hash_stage(stage: &Stage, interrupt: &Interrupt) -> Result<Copied> {
    let (hashes, header, size_bytes) = hash_file(stage.path(), interrupt)?;
    let header = header.context("the database has no pages")?;
    Ok(Copied { size_bytes, hashes, header, groups: Groups::default() })
}

/// Hashes a file that no connection of this process has open for writing.
///
/// # Errors
///
/// If it cannot be read, or at the user's interrupt.
pub(crate) fn hash_file(
    path: &Path,
    interrupt: &Interrupt,
) -> Result<(Hashes, Option<Header>, u64)> {
    let mut header = None;
    let mut size_bytes = 0;
    let mut hashing = Hashing::default();
    read_file(path, interrupt, |piece| {
        header = header.or_else(|| piece.get(..HEADER_LENGTH)?.try_into().ok().map(Header));
        size_bytes += piece.len() as u64;
        hashing.update(piece);
        Ok(())
    })?;
    Ok((hashing.finish(), header, size_bytes))
}

/// Copies a finished file into an empty stage, inside the kernel if that is possible.
///
/// # Errors
///
/// If it cannot be read, the disk is full or fails, or at the user's interrupt.
pub(crate) fn copy_file(from: &Path, stage: &Stage, interrupt: &Interrupt) -> Result<()> {
    const AT_ONCE_BYTES: u64 = 8 << 20;
    let from = fs_err::File::open(from)?;
    loop {
        interrupt.check()?;
        let n_bytes = std::io::copy(&mut from.file().take(AT_ONCE_BYTES), &mut stage.file().file())
            .with_context(|| format!("could not write `{}`", stage.path().display()))?;
        if n_bytes == 0 {
            return Ok(());
        }
    }
}

/// Reads a file in pieces of 1 MiB, the last one shorter.
///
/// # Errors
///
/// If it cannot be read, `each` fails, or at the user's interrupt.
pub(crate) fn read_file(
    path: &Path,
    interrupt: &Interrupt,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut file = fs_err::File::open(path)?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    loop {
        interrupt.check()?;
        piece.clear();
        (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(());
        }
        each(&piece)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::read_only;

    /// Copies a live database in one way; returns the bytes and the messages about them.
    fn copied(live: &Path, reading: Reading) -> Result<(Vec<u8>, Copied)> {
        let folder = tempfile::tempdir()?;
        let stage = Stage::create(folder.path(), "copy")?;
        let connection = read_only::open(live, std::time::Duration::ZERO)?;
        let mut snapshot = Snapshot::begin(&connection)?;
        assert_eq!(snapshot.reading, Reading::Pages, "this build lacks `sqlite_dbpage`");
        snapshot.reading = reading;
        let interrupt = Arc::default();
        let copied = copy(&snapshot, &stage, &mut Progress::hidden(&interrupt))?;
        let content = hash_pages(&snapshot, &interrupt)?;
        assert_eq!(content, copied.hashes, "hashing alone and copying differ");
        Ok((fs_err::read(stage.path())?, copied))
    }

    #[test]
    fn both_ways_of_copying_give_the_same_bytes_and_hashes() -> Result<()> {
        for setup in [
            "PRAGMA journal_mode=WAL",
            "PRAGMA page_size=512",
            "PRAGMA page_size=65536; PRAGMA journal_mode=WAL",
            "PRAGMA encoding='UTF-16be'; PRAGMA auto_vacuum=FULL",
        ] {
            let folder = tempfile::tempdir()?;
            let live = folder.path().join("live.db");
            let connection = connection::open_or_create(&live, std::time::Duration::ZERO)?;
            connection.execute_batch(&format!(
                "{setup};
                 CREATE TABLE t (a INTEGER PRIMARY KEY, b);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
                 INSERT INTO t SELECT i, hex(i * i) || zeroblob(i) FROM n;
                 DELETE FROM t WHERE a % 3 = 0;
                 PRAGMA user_version=7; PRAGMA application_id=-9;"
            ))?;
            let (pages, by_pages) = copied(&live, Reading::Pages)?;
            let (api, by_api) = copied(&live, Reading::BackupApi)?;
            assert!(pages == api, "{setup}: the bytes differ");
            assert_eq!(by_pages.hashes, by_api.hashes, "{setup}");
            assert_eq!(by_pages.header.user_version(), 7);
            assert_eq!(by_pages.header.application_id(), -9);
        }
        Ok(())
    }
}
