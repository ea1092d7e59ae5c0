//! What becomes of a safety backup whose command was refused: nothing was replaced, so there is nothing to go
//! back to, and it would push an older one out that still matters.

use crate::backups::backup::Backup;
use crate::backups::writer::Locked;
use crate::console::refusal::{Exit, Refusal};
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::restore::in_place::Kept;
use crate::sqlite::connection::{self, Trouble};

/// Removes a safety backup if this error means that the database is as it was: a refusal, a lock that was not
/// had, an interrupt. After a failure of the disk it stays, and is returned, because nobody knows.
#[must_use]
pub(crate) fn after(
    error: &anyhow::Error,
    locked: &Locked<'_>,
    safety: Option<Box<Backup>>,
) -> Option<Box<Backup>> {
    let safety = safety?;
    if leaves_all_as_it_was(error) { unneeded(locked, safety) } else { Some(safety) }
}

/// The same of whatever was kept: raw files that were set aside stay.
#[must_use]
pub(crate) fn kept_after(error: &anyhow::Error, locked: &Locked<'_>, kept: Kept) -> Kept {
    match kept {
        Kept::Backup(safety) => {
            after(error, locked, Some(safety)).map_or(Kept::Nothing, Kept::Backup)
        }
        Kept::Aside(_) | Kept::Nothing => kept,
    }
}

/// Removes a safety backup of a database that was not changed; returns it if it cannot be removed.
#[must_use]
pub(crate) fn unneeded(locked: &Locked<'_>, safety: Box<Backup>) -> Option<Box<Backup>> {
    match locked.remove(&safety) {
        Ok(None) => None,
        Ok(Some(_)) | Err(_) => Some(safety),
    }
}

/// Says where a safety backup is.
pub(crate) fn say(session: &mut Session, project: &Project, safety: Option<&Backup>) {
    if let Some(safety) = safety {
        let path = project.dotted(&safety.path());
        session.say(format!("[✓] Safety backup created → {path}"));
    }
}

/// Whether an error says that nothing was written: a refusal, a lock that was not had, an interrupt.
#[must_use]
pub(crate) fn leaves_all_as_it_was(error: &anyhow::Error) -> bool {
    let exit = error.downcast_ref::<Refusal>().map(|refusal| refusal.exit);
    matches!(exit, Some(Exit::No | Exit::Locked | Exit::Interrupted))
        || matches!(connection::trouble(error), Trouble::Busy | Trouble::Interrupted)
}
