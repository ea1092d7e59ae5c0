//! Writes a backup into the live database, and proves that it is there.
//!
//! The live database and its sidecars are never renamed, copied over or unlinked: a running
//! application would continue to write into a file that nobody reads again. Instead the backup's
//! pages are written *into* the live file in one transaction, so that everybody sees either the old
//! or the new state and keeps working. It uses `synchronous=EXTRA`, because with FULL a power cut
//! right after "success" restored the old state in rollback mode.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::console::progress::Progress;
use crate::console::refusal::Refusal;
use crate::files::publish;
use crate::restore::by_difference::{self, Tried};
use crate::restore::keep_present::{Keeping, MAX_RACES, Raced};
use crate::restore::plan::{Live, Plan};
use crate::restore::source::Source;
use crate::sqlite::change_counter::ChangeCounter;
use crate::sqlite::connection;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::snapshot::copy;

/// A restore that committed; its connection stays open until it is proved.
pub(crate) struct Written {
    pub(crate) to: Connection,
    pub(crate) target: PathBuf,
    pub(crate) busy_timeout: Duration,
    /// `PRAGMA data_version` from before the commit, which leaves it as it is: it changes when
    /// somebody else commits. `None` after a change of encoding, which ends what the connection can
    /// do.
    pub(crate) version: Option<i64>,
    // Closed after the connection: closing it earlier would drop its locks.
    pub(crate) counter: ChangeCounter,
}

/// Writes the pages into the target in one transaction and leaves it durable. `keep` keeps the
/// current state, while nobody else can commit: every acknowledged write is either in what was kept
/// last, or made after the restore. It may be called more than once, and returns the ids of the
/// groups that it kept, as far as it knows them.
///
/// # Errors
///
/// If it stays locked, the disk is full or fails, or at the user's interrupt: then the old state is
/// there, unless the failure is [`Committed`].
pub(crate) fn put_back(
    plan: &Plan,
    source: &Source,
    progress: &mut Progress,
    mut keep: impl FnMut() -> Result<Groups>,
) -> Result<Written> {
    let folder = plan.target.parent().context("a database is in a folder")?;
    publish::create_folders(folder)?;
    if !matches!(plan.live, Live::Readable(_)) {
        keep()?;
    }
    let counter = ChangeCounter::of(&plan.target);
    let mut to = connection::open_or_create(&plan.target, plan.busy_timeout)?;
    match plan.live {
        // Read as empty until the restore commits: unreadable before, the backup afterwards.
        Live::Unreadable(_) | Live::MayBeEncrypted => set_reset(&to, true)?,
        Live::Absent { .. } => {
            let n_pages: i64 = connection::pragma(&to, "page_count")?;
            anyhow::ensure!(n_pages == 0, "a database appeared there meanwhile; restore again");
        }
        Live::Readable(_) => {}
    }
    to.execute_batch("PRAGMA synchronous=EXTRA")?;
    progress.expect_bytes(plan.backup.size_bytes);
    let mut version = None;
    let mut is_done = false;
    if matches!(plan.live, Live::Readable(_))
        && let Tried::Committed { version: before } =
            by_difference::put_back(&to, source.wanted()?.as_mut(), progress, &mut keep)?
    {
        (version, is_done) = (Some(before), true);
    }
    if !is_done {
        let interrupt = Arc::clone(progress.interrupt());
        let mut keeping = Keeping { plan, counter: &counter, keep: &mut keep };
        version = source.with_file(&interrupt, |path| {
            let from = connection::open_immutable(path)?;
            through_api(&from, &mut to, progress, &mut keeping)
        })?;
    }
    let version = settle(plan, &to, version).context(Committed)?;
    let (target, busy_timeout) = (plan.target.clone(), plan.busy_timeout);
    Ok(Written { to, target, busy_timeout, version, counter })
}

/// Writes all pages through the backup API; returns `PRAGMA data_version` from before the commit, if it
/// is legible.
fn through_api<K: FnMut() -> Result<Groups>>(
    from: &Connection,
    to: &mut Connection,
    progress: &mut Progress,
    keeping: &mut Keeping<'_, K>,
) -> Result<Option<i64>> {
    for n_left in (0..MAX_RACES).rev() {
        // Nothing can be asked while the backup API has the lock. A commit in the moment before it
        // counts as a writer: a writer is never taken for a failed restore.
        let version = connection::pragma(to, "data_version").ok();
        match copy::step_through(from, to, progress, keeping) {
            Ok(()) => return Ok(version),
            Err(error) if n_left > 0 && error.downcast_ref::<Raced>().is_some() => {}
            Err(error) if error.downcast_ref::<Raced>().is_some() => {
                return Err(Refusal::locked(
                    error.to_string(),
                    "stop the application and restore again; the database is untouched",
                ));
            }
            Err(error) => return Err(error),
        }
    }
    anyhow::bail!("the restore was never tried")
}

/// After the commit: the journal mode of a new file, the folder on the disk. Returns the version that
/// [`Written`] contains, from the one before the commit if that was legible.
fn settle(plan: &Plan, to: &Connection, version: Option<i64>) -> Result<Option<i64>> {
    set_reset(to, false)?;
    let after = connection::pragma(to, "data_version").ok();
    let version = after.map(|after: i64| version.unwrap_or(after));
    let is_new = !matches!(plan.live, Live::Readable(_));
    if is_new && plan.backup.record().is_some_and(|record| record.journal_mode() == "wal") {
        // The application sets its mode itself, as a rule; a restored file should not differ.
        connection::pragma::<String>(to, "journal_mode=WAL")?;
    }
    if is_new {
        publish::sync_folder(plan.target.parent().context("a database is in a folder")?)?;
    }
    Ok(version)
}

/// The message of a failure after the restore's commit.
#[derive(Debug)]
pub(crate) struct Committed;

impl std::fmt::Display for Committed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the backup's content is in place, but the restore could not be finished")
    }
}

impl std::error::Error for Committed {}

/// Whether SQLite takes an unreadable database for an empty one
/// (<https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigresetdatabase>).
fn set_reset(connection: &Connection, on: bool) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, on)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::interrupt::Interrupt;
    use crate::sqlite::read_only;

    #[test]
    fn a_restore_leaves_the_version_as_it_is_and_every_other_commit_changes_it() -> Result<()> {
        for mode in ["DELETE", "WAL"] {
            let folder = tempfile::tempdir()?;
            let (live, backup) = (folder.path().join("live.db"), folder.path().join("backup.db"));
            let make =
                "PRAGMA auto_vacuum=FULL; CREATE TABLE t (a); INSERT INTO t VALUES (hex(1));";
            connection::open_or_create(&backup, Duration::ZERO)?.execute_batch(make)?;
            let mut to = connection::open_or_create(&live, Duration::ZERO)?;
            to.execute_batch(&format!("PRAGMA journal_mode={mode}; CREATE TABLE u (a);"))?;
            let from = connection::open_immutable(&backup)?;
            let version = |to: &Connection| connection::pragma::<i64>(to, "data_version");
            let before = version(&to)?;
            let interrupt = Arc::new(Interrupt::default());
            copy::step_through(&from, &mut to, &mut Progress::hidden(&interrupt), &mut ())?;
            assert_eq!(version(&to)?, before, "{mode}");
            read_only::open(&live, Duration::ZERO)?.execute_batch("DELETE FROM t")?;
            assert_ne!(version(&to)?, before, "{mode}");
        }
        Ok(())
    }
}
