//! The safety backup before the host's command runs: the command is pointed at a new file but may
//! change the live database anyway. If it did not, the backup of the replacement is enough.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::console::refusal::{Exit, Refusal};
use crate::host::session::Session;
use crate::migrate::rehearsal;
use crate::operations::restore::safety_backup;
use crate::recovery::database_lock::Claim;
use crate::recovery::note::Step;
use crate::restore::plan::Live;

/// Takes a safety backup of a live database that can be read, and writes the note of the step;
/// `None` if it cannot be read. Of a database on a server, nothing is known about that before.
///
/// # Errors
///
/// If the backups folder or the database stays locked, the disk is full or fails, or at the user's
/// interrupt; nothing has run then.
pub(super) fn keep(
    session: &mut Session,
    claim: &Claim<'_>,
    live: Option<&Live>,
) -> Result<Option<Box<Backup>>> {
    let Claim { project, database, .. } = *claim;
    let vault = Vault::of(project, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    locked.keep_private()?;
    let taken = match live {
        Some(Live::Readable(_)) | None => {
            let wanted = safety_backup::wanted(session, project, database);
            safety_backup::safety_backup(session, project, &locked, &wanted)?
        }
        Some(_) => None,
    };
    let before = taken.map(|(backup, _)| backup);
    claim.begin(&locked, Step::Command, before.as_deref(), session.now())?;
    Ok(before)
}

/// Compares the live database with its safety backup after the command ran. An equal one is removed
/// again; otherwise it is named, in a failure's hint or as a warning.
///
/// # Errors
///
/// The failure of the build; or if the backup cannot be removed.
pub(super) fn compare<T>(
    session: &mut Session,
    claim: &Claim<'_>,
    before: Option<Box<Backup>>,
    built: Result<T>,
) -> Result<T> {
    let Claim { project, database, .. } = *claim;
    let interrupt = session.interrupt().clone();
    let _supervising = interrupt.while_supervising();
    let interrupted = interrupt.acknowledge();
    let built = if interrupted && built.is_ok() { Err(Refusal::interrupted()) } else { built };
    let vault = Vault::of(project, session.now());
    let Some(before) = before else {
        claim.conclude(&vault.lock(project.busy_timeout, &interrupt)?)?;
        return built;
    };
    let recorded = before.record().map(|record| record.content_blake3.as_str());
    // A database that cannot be inspected is not called untouched.
    let live = rehearsal::live(project, database, &interrupt).ok().flatten();
    if live.is_some_and(|live| Some(live.content_blake3.as_str()) == recorded) {
        let locked = vault.lock(project.busy_timeout, &interrupt)?;
        claim.conclude(&locked)?;
        locked.remove(&before)?;
        return built;
    }
    let changed = format!(
        "{} was changed while the command ran, by an application or by the command; `{}` restores \
         what it contained before",
        project.quoted_place(database),
        safety_backup::undo(session, project, database, &before)
    );
    match built {
        Ok(fresh) => {
            session.warn(changed);
            Ok(fresh)
        }
        Err(error) => {
            claim.conclude(&vault.lock(project.busy_timeout, &interrupt)?)?;
            let exit = error.downcast_ref::<Refusal>().map_or(Exit::CouldNot, |said| said.exit);
            let what = format!("no new database was put into {}", project.quoted_place(database));
            Err(error.context(Refusal { what, hint: changed, exit }))
        }
    }
}
