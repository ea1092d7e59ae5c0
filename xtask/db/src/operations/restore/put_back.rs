//! Restores the state before a step that failed or was interrupted, whatever the engine.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::writer::Locked;
use crate::host::session::Session;
use crate::operations::restore::in_place;
use crate::operations::restore::on_server::checkpoint;
use crate::operations::restore::safety_backup::Kept;
use crate::recovery::database_lock::Claim;

/// Restores a checkpoint silently, and returns how the replaced state was kept.
///
/// # Errors
///
/// A refusal if the checkpoint is not proved whole; otherwise the message names the state that is in place.
pub(crate) fn put_back(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    backup: &Backup,
) -> Result<Kept> {
    if claim.database.server().is_some() {
        return checkpoint::put_back(session, claim, locked, backup);
    }
    let restored = in_place::put_checkpoint_back(session, claim, locked, backup)?;
    Ok(restored.kept)
}
