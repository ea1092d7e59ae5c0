//! Writing a backup into the live database, and the proof that it is there.
//!
//! The live database and its sidecars are never renamed, copied over or unlinked: an application
//! that runs would go on writing into a file that nobody reads again. Instead the backup's pages are
//! written *into* the live file in one transaction (`synchronous=EXTRA`, because at FULL a power cut
//! right after "success" brought the old state back in rollback mode), so that everybody sees either
//! the old or the new state and keeps working.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::backup::Backup;
use crate::copy::{self, Locking};
use crate::database;
use crate::differing::{self, Tried};
use crate::durable::{self, Stage};
use crate::examination;
use crate::finding::{Depth, Weight, has};
use crate::holders;
use crate::interrupt::Interrupt;
use crate::locked::Locked;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::restoring::{self, Live, Plan};
use crate::taking;

/// How the result was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proved {
    /// The live database's content equals the backup's.
    Equal,
    /// Others have written since; what is there now is structurally sound.
    WrittenSince,
}

/// The pages as the live database takes them, kept until the restore is proved.
pub(crate) struct Source {
    path: PathBuf,
    content_blake3: String,
    _stage: Option<Stage>,
}

impl Source {
    /// The backup itself, or its private copy with the page size of the live database.
    ///
    /// # Errors
    ///
    /// Where the copy cannot be made.
    pub(crate) fn prepare(
        plan: &Plan,
        locked: &Locked<'_>,
        content_blake3: &str,
        interrupt: &Arc<Interrupt>,
    ) -> Result<Self> {
        let Some(page_size_bytes) = plan.convert_to_bytes else {
            let content_blake3 = content_blake3.to_owned();
            return Ok(Self { path: plan.backup.path(), content_blake3, _stage: None });
        };
        let stage = locked.stage(&plan.backup.name)?;
        copy::copy_file(&plan.backup.path(), &stage, interrupt)?;
        let connection = database::open_or_create(stage.path(), Duration::ZERO)?;
        {
            let _watched = interrupt.watch(&connection);
            connection.execute_batch(&format!(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
                 PRAGMA page_size={page_size_bytes}; VACUUM;"
            ))?;
        }
        connection.close().map_err(|(_, error)| error)?;
        let findings = examination::examine(stage.path(), Depth::Quick, interrupt)?.findings;
        anyhow::ensure!(
            !has(&findings, Weight::Structural),
            "the converted copy failed its examination"
        );
        let connection = database::open_immutable(stage.path())?;
        let folder = locked.vault().folder();
        let content_blake3 = taking::content_hash(&connection, folder, interrupt)?;
        Ok(Self { path: stage.path().to_owned(), content_blake3, _stage: Some(stage) })
    }
}

/// A restore that committed; its connection stays open until it is proved.
pub(crate) struct Written {
    to: Connection,
    target: PathBuf,
    busy_timeout: Duration,
    /// `PRAGMA data_version` from before the commit, which leaves it as it is: it changes when
    /// somebody else commits. `None` after a change of encoding, which ends what the connection can
    /// do.
    version: Option<i64>,
    // Closed after the connection: closing it earlier would drop its locks.
    _counter: ChangeCounter,
}

/// Writes the pages into the target in one transaction and leaves it durable. `keep` keeps the
/// present state, while nobody else can commit: every write that was acknowledged is either in what
/// was kept last, or made after the restore. It may be called more than once.
///
/// # Errors
///
/// Where it stays locked, the disk is full or fails, or at the user's interrupt: the old state is
/// there then, unless the failure says [`Committed`].
pub(crate) fn put_back(
    plan: &Plan,
    source: &Source,
    busy_timeout: Duration,
    progress: &mut Progress,
    mut keep: impl FnMut() -> Result<()>,
) -> Result<Written> {
    let folder = plan.target.parent().context("a database lies in a folder")?;
    durable::create_folders(folder)?;
    if !matches!(plan.live, Live::Readable(_)) {
        keep()?;
    }
    let counter = ChangeCounter::of(&plan.target);
    let from = database::open_immutable(&source.path)?;
    let mut to = database::open_or_create(&plan.target, busy_timeout)?;
    match plan.live {
        // Read as empty until the restore commits: unreadable before, the backup afterwards.
        Live::Unreadable(_) | Live::MayBeEncrypted => set_reset(&to, true)?,
        Live::Absent { .. } => {
            let n_pages: i64 = database::pragma(&to, "page_count")?;
            anyhow::ensure!(n_pages == 0, "a database appeared there meanwhile; restore again");
        }
        Live::Readable(_) => {}
    }
    to.execute_batch("PRAGMA synchronous=EXTRA")?;
    progress.expect_bytes(plan.backup.size_bytes);
    if matches!(plan.live, Live::Readable(_))
        && let Tried::Committed { version } =
            differing::put_back(&to, &source.path, progress, &mut keep)?
    {
        let version = settle(plan, &to, Some(version)).context(Committed)?;
        let target = plan.target.clone();
        return Ok(Written { to, target, busy_timeout, version, _counter: counter });
    }
    let mut keeping = Keeping { plan, counter: &counter, busy_timeout, keep: &mut keep };
    let mut version = None;
    for n_left in (0..MOST_RACES).rev() {
        // Nothing can be asked while the backup API has the lock. Who commits in the moment before it
        // counts as somebody who wrote since: a writer is never taken for a failed restore.
        version = database::pragma(&to, "data_version").ok();
        match copy::step_through(&from, &mut to, progress, &mut keeping) {
            Err(error) if n_left > 0 && error.downcast_ref::<Raced>().is_some() => {}
            Err(error) if error.downcast_ref::<Raced>().is_some() => {
                return Err(Refusal::locked(
                    error.to_string(),
                    "stop the application and restore again; the database is untouched",
                ));
            }
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    let version = settle(plan, &to, version).context(Committed)?;
    let target = plan.target.clone();
    Ok(Written { to, target, busy_timeout, version, _counter: counter })
}

/// After the commit: the journal mode of a new file, a WAL that is kept small, the folder on the disk.
/// Returns the version that [`Written`] holds, from the one before the commit where that was legible.
fn settle(plan: &Plan, to: &Connection, version: Option<i64>) -> Result<Option<i64>> {
    set_reset(to, false)?;
    let after = database::pragma(to, "data_version").ok();
    let version = after.map(|after: i64| version.unwrap_or(after));
    let is_new = !matches!(plan.live, Live::Readable(_));
    if is_new && plan.backup.record().is_some_and(|record| record.sqlite.journal_mode == "wal") {
        // The application sets its mode itself, as a rule; a restored file should not differ.
        database::pragma::<String>(to, "journal_mode=WAL")?;
    }
    if holders::of(&plan.target).is_some_and(|holders| holders.seen.is_empty()) {
        // Best effort: a WAL that stays is read with the database.
        let _ = to.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        to.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    }
    if is_new {
        durable::sync_folder(plan.target.parent().context("a database lies in a folder")?)?;
    }
    Ok(version)
}

/// What a failure says that came after the restore's commit.
#[derive(Debug)]
pub(crate) struct Committed;

impl std::fmt::Display for Committed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the backup's content is in place, but the restore could not be finished")
    }
}

impl std::error::Error for Committed {}

/// How often a writer may slip in between the safety backup and the restore's own lock.
const MOST_RACES: u32 = 30;

/// A writer slipped in: what was kept is not the newest state any more.
#[derive(Debug)]
struct Raced;

impl std::fmt::Display for Raced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the application keeps committing between the safety backup and the restore")
    }
}

impl std::error::Error for Raced {}

/// Keeps the present state in the one moment in which nobody else can commit.
///
/// In WAL mode that is when the restore holds the write lock: readers still read. In
/// rollback-journal mode nobody can read then; so another connection holds writers back while the
/// state is kept, lets go right before the restore locks, and the change counter tells whether
/// anybody slipped in.
struct Keeping<'a, K> {
    plan: &'a Plan,
    counter: &'a ChangeCounter,
    busy_timeout: Duration,
    keep: &'a mut K,
}

impl<K: FnMut() -> Result<()>> Locking for Keeping<'_, K> {
    fn before(&mut self) -> Result<()> {
        match &self.plan.live {
            Live::Readable(shape) if !shape.wal => {
                let guard = database::open_live(&self.plan.target, self.busy_timeout)?;
                guard.execute_batch("BEGIN IMMEDIATE")?;
                (self.keep)()?;
                self.counter.remember()
            }
            _ => Ok(()),
        }
    }

    fn locked(&mut self) -> Result<()> {
        match &self.plan.live {
            Live::Readable(shape) if shape.wal => (self.keep)(),
            Live::Readable(_) if self.counter.has_changed()? => Err(Raced.into()),
            // An application may have made a database while its lock was waited for.
            Live::Absent { .. } if fs_err::metadata(&self.plan.target)?.len() > 0 => {
                Err(Refusal::locked(
                    "a database appeared there while the restore waited for its lock",
                    "restore again: the new database is kept by a safety backup then",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The change counter in the header of a database in rollback-journal mode: every commit raises it
/// (<https://sqlite.org/fileformat2.html#file_change_counter>). In WAL mode it says nothing.
struct ChangeCounter {
    file: Option<fs_err::File>,
    seen: std::cell::Cell<Option<[u8; 4]>>,
}

impl ChangeCounter {
    fn of(path: &Path) -> Self {
        Self { file: fs_err::File::open(path).ok(), seen: std::cell::Cell::new(None) }
    }

    fn read(&self) -> Result<Option<[u8; 4]>> {
        let mut counter = [0; 4];
        let Some(file) = &self.file else { return Ok(None) };
        file.file().read_exact_at(&mut counter, 24)?;
        Ok(Some(counter))
    }

    fn remember(&self) -> Result<()> {
        self.seen.set(self.read()?);
        Ok(())
    }

    fn has_changed(&self) -> Result<bool> {
        Ok(self.read()? != self.seen.get())
    }
}

/// Whether SQLite takes an unreadable database for an empty one
/// (<https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigresetdatabase>).
fn set_reset(connection: &Connection, on: bool) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, on)?;
    Ok(())
}

/// Reads the live database once more and compares its content with the source's.
///
/// # Errors
///
/// [`Unequal`] where they differ though nobody else committed, or the live database is damaged.
pub(crate) fn prove(
    written: Written,
    source: &Source,
    scratch: &Path,
    interrupt: &Arc<Interrupt>,
) -> Result<Proved> {
    let fresh = database::open_live(&written.target, written.busy_timeout)?;
    let content_blake3 = taking::content_hash(&fresh, scratch, interrupt)?;
    let proved = if content_blake3 == source.content_blake3 {
        Proved::Equal
    } else {
        let version = database::pragma::<i64>(&written.to, "data_version").ok();
        if version == written.version {
            return Err(Unequal("it is not equal to the backup".to_owned()).into());
        }
        let _watched = interrupt.watch(&fresh);
        let findings = examination::check(&fresh, Depth::Quick)?;
        if let Some(found) = findings.iter().find(|found| found.kind == Weight::Structural) {
            return Err(Unequal(format!("it is damaged: {found}")).into());
        }
        Proved::WrittenSince
    };
    drop(fresh);
    written.to.close().map_err(|(_, error)| error)?;
    Ok(proved)
}

/// The proof's answer is no.
#[derive(Debug)]
pub(crate) struct Unequal(String);

impl std::fmt::Display for Unequal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unequal {}

/// Restores a backup into a scratch file as a real restore would and compares the contents.
///
/// # Errors
///
/// Where any step fails or the contents differ.
pub(crate) fn drill(
    backup: &Backup,
    locked: &Locked<'_>,
    content_blake3: &str,
    interrupt: &Arc<Interrupt>,
) -> Result<()> {
    let stage = locked.stage(&backup.name)?;
    let folder = locked.vault().folder();
    let plan = restoring::plan(backup, stage.path(), folder, false, Duration::ZERO)?;
    let source = Source::prepare(&plan, locked, content_blake3, interrupt)?;
    // A scratch file in WAL mode would leave sidecars that no stage removes.
    let plan = Plan { backup: without_journal_mode(plan.backup.clone()), ..plan };
    let mut progress = Progress::hidden(interrupt);
    let written = put_back(&plan, &source, Duration::ZERO, &mut progress, || Ok(()))?;
    match prove(written, &source, folder, interrupt)? {
        Proved::Equal => Ok(()),
        Proved::WrittenSince => anyhow::bail!("somebody wrote into the scratch file"),
    }
}

fn without_journal_mode(mut backup: Backup) -> Backup {
    if let crate::record::Proof::Recorded(record) = &mut backup.proof {
        "delete".clone_into(&mut record.sqlite.journal_mode);
    }
    backup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_leaves_the_version_as_it_is_and_every_other_commit_changes_it() -> Result<()> {
        for mode in ["DELETE", "WAL"] {
            let folder = tempfile::tempdir()?;
            let (live, backup) = (folder.path().join("live.db"), folder.path().join("backup.db"));
            let make =
                "PRAGMA auto_vacuum=FULL; CREATE TABLE t (a); INSERT INTO t VALUES (hex(1));";
            database::open_or_create(&backup, Duration::ZERO)?.execute_batch(make)?;
            let mut to = database::open_or_create(&live, Duration::ZERO)?;
            to.execute_batch(&format!("PRAGMA journal_mode={mode}; CREATE TABLE u (a);"))?;
            let from = database::open_immutable(&backup)?;
            let version = |to: &Connection| database::pragma::<i64>(to, "data_version");
            let before = version(&to)?;
            let interrupt = Arc::new(Interrupt::default());
            copy::step_through(&from, &mut to, &mut Progress::hidden(&interrupt), &mut ())?;
            assert_eq!(version(&to)?, before, "{mode}");
            database::open_live(&live, Duration::ZERO)?.execute_batch("DELETE FROM t")?;
            assert_ne!(version(&to)?, before, "{mode}");
        }
        Ok(())
    }
}
