//! Restores the state before a migration, with a safety backup of what the migration left.

use std::time::Duration;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::store::suspect_packs;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::capture::plain::Staged;
use crate::capture::request::{Capture, Taken};
use crate::capture::{checkpoint, link};
use crate::console::progress::Progress;
use crate::console::refusal::{Exit, Refusal};
use crate::host::project::live_database;
use crate::host::session::Session;
use crate::operations::migration::job::Job;
use crate::operations::restore::put_back;
use crate::operations::restore::safety_backup::Kept;
use crate::operations::restore::state_left;

/// How long to wait before printing who is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Publishes the copy that a rehearsal began with; if an intact backup is equal to it, as a hard
/// link to that.
///
/// # Errors
///
/// If the disk is full or fails, or at the user's interrupt.
pub(crate) fn publish(
    session: &mut Session,
    job: &Job<'_>,
    locked: &Locked<'_>,
    staged: Staged,
) -> Result<Backup> {
    let Job { project, database, .. } = *job;
    let wanted = &job.wanted_of(session, &staged);
    let interrupt = session.interrupt().clone();
    let capture = Capture { locked, project, wanted };
    let (newest, remark) = checkpoint::newest_whole(capture, &interrupt)?;
    if let Some(remark) = remark {
        session.warn(remark);
    }
    let content = &staged.record().content_blake3;
    // The copy is dropped for it: all of it is read.
    let is_whole = |backup: &Backup, blake3: &str| {
        let read = Contents::open(backup).and_then(|contents| contents.read_back(&interrupt));
        if let Err(error) = &read {
            suspect_packs::after(locked, error, wanted.now, &interrupt)?;
        }
        Ok::<_, anyhow::Error>(read.is_ok_and(|read| read == blake3))
    };
    if let Some(newest) = &newest
        && let Some(record) = newest.record().filter(|record| record.content_blake3 == *content)
        && is_whole(newest, &record.blake3)?
        && let Ok(linked) = link::take_link(capture, newest)
    {
        return Ok(linked);
    }
    let progress = Progress::hidden(&interrupt);
    match staged
        .publish(capture, &progress)
        .map_err(|error| live_database::explain(error, project, database))?
    {
        Taken::Backup(backup, ..) | Taken::Linked(backup, _) => Ok(*backup),
        Taken::Unchanged | Taken::Damaged(_) => anyhow::bail!("a sound copy is published as it is"),
    }
}

/// Waits for the backups folder, however long: the present state of the live database must not
/// stay. Reports for which process it waits.
///
/// # Errors
///
/// If the folder cannot be written, or at the user's interrupt.
pub(crate) fn lock<'v>(
    session: &mut Session,
    job: &Job<'_>,
    vault: &'v Vault,
) -> Result<Locked<'v>> {
    let interrupt = session.interrupt().clone();
    let mut waited_for = None;
    loop {
        let error = match vault.lock(PATIENCE, &interrupt) {
            Ok(locked) => return Ok(locked),
            Err(error) => error,
        };
        let is_locked = |refusal: &Refusal| refusal.exit == Exit::Locked;
        if !error.chain().any(|e| e.downcast_ref().is_some_and(is_locked)) {
            return Err(error);
        }
        let holder = vault.holder();
        if waited_for.as_ref() != Some(&holder) {
            let who = holder.as_ref().map_or_else(
                || "another command".to_owned(),
                |holder| format!("`{}` (process {})", holder.name, holder.pid),
            );
            session.warn(format!(
                "waiting for {who}, which is using {}; then {} is examined, and restored if \
                 necessary",
                job.project.dotted(vault.folder()),
                job.project.place(job.database)
            ));
            waited_for = Some(holder);
        }
    }
}

/// Restores a checkpoint to the live database.
///
/// # Errors
///
/// If the checkpoint is not whole, or as a restore; the message names the state that is in place.
pub(crate) fn put_back(
    session: &mut Session,
    job: &Job<'_>,
    locked: &Locked<'_>,
    checkpoint: &Backup,
) -> Result<Kept> {
    let Job { project, database, .. } = *job;
    let restored = put_back::put_back(session, job.claim, locked, checkpoint);
    restored.map_err(|error| {
        let left = if state_left::is_untouched(&error) {
            ", which contains what the migration left"
        } else {
            ""
        };
        let place = project.quoted_place(database);
        let what = format!("the state before the migration was not restored into {place}{left}");
        let is_refused = |refusal: &Refusal| refusal.exit == Exit::No;
        let hint = if error.downcast_ref().is_some_and(is_refused) {
            "`cargo xtask db-verify --all` shows which backups are whole; restore one of them with \
             `cargo xtask db-restore`"
                .to_owned()
        } else {
            format!("restore it with `{}`", way_back(job, checkpoint))
        };
        error.context(Refusal { what, hint, exit: Exit::CouldNot })
    })
}

/// The command that restores a backup, as it can be pasted into a shell.
#[must_use]
pub(crate) fn way_back(job: &Job<'_>, backup: &Backup) -> String {
    let several = job.project.databases.len() > 1;
    let db = if several { format!(" --db {}", job.database.name) } else { String::new() };
    let name = crate::console::text::shell(&backup.name.to_string());
    format!("cargo xtask db-restore {name}{db} --yes")
}

/// Describes where the replaced state is kept.
#[must_use]
pub(crate) fn kept(job: &Job<'_>, kept: &Kept) -> String {
    match kept {
        Kept::Backup(safety) => job.project.dotted(&safety.path()),
        Kept::Aside(aside) => job.project.dotted(&aside.folder),
        Kept::Nothing if job.database.server().is_some() => "nothing: it was the same".to_owned(),
        Kept::Nothing => "nothing: there was no database".to_owned(),
    }
}
