//! After a command that found damage in the page store: the packs are checked closely, and every
//! backup that needs a damaged part is marked, so that the next command knows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::backups::store::suspect_packs;
use crate::backups::vault::Vault;
use crate::host::session::Session;
use crate::sqlite::examination::finding::Damage;

/// How long to wait for the lock of the backups folder: the command's own answer is already known.
const PATIENCE: Duration = Duration::from_secs(2);

/// Marks the packs that a failure names, if it is damage in the page store.
///
/// # Errors
///
/// At the user's interrupt; that nothing could be marked is a warning.
pub(crate) fn of(session: &mut Session, error: &anyhow::Error) -> Result<()> {
    match error.downcast_ref::<Damage>() {
        Some(damage) => of_packs(session, &damage.packs.clone()),
        None => Ok(()),
    }
}

/// Marks the backups that need the damaged blocks in some packs of one backups folder.
///
/// # Errors
///
/// As [`of`].
pub(crate) fn of_packs(session: &mut Session, packs: &[PathBuf]) -> Result<()> {
    let Some(folder) = packs.first().and_then(|pack| backups_of(pack)) else { return Ok(()) };
    let (interrupt, now) = (session.interrupt().clone(), session.now());
    let vault = Vault::at(folder, now).telling(session.told());
    let marked = vault.lock(PATIENCE, &interrupt).and_then(|locked| {
        suspect_packs::examine(&locked, &suspect_packs::names(packs), now, &interrupt).map(drop)
    });
    if let Err(error) = marked {
        interrupt.check()?;
        session.warn(format!("the backups that need what is damaged were not marked: {error:#}"));
    }
    Ok(())
}

/// The backups folder that a pack is in.
fn backups_of(pack: &Path) -> Option<PathBuf> {
    Some(pack.parent()?.parent()?.to_owned())
}
