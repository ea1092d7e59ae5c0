//! Changes the label or the pin in the record of a backup.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::record::Record;
use crate::backups::record::proof::Proof;
use crate::backups::vault::Vault;
use crate::console::refusal::Refusal;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::find_backup::{self, Wanted};

/// Changes the record of a backup, and returns it as it is then.
///
/// # Errors
///
/// A refusal if there is no such backup, or it has no record of this version.
pub(crate) fn amend(
    session: &mut Session,
    project: &Project,
    wanted: Wanted<'_>,
    change: impl FnOnce(&mut Record),
) -> Result<Backup> {
    let vault = Vault::of(project, session.now());
    let found = find_backup::backup(session, project, &vault, wanted)?;
    // A backup given by its path may be elsewhere, as after `db-backup --output`.
    let vault = Vault::for_project(project, &found.folder, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    let Some(mut backup) = vault.read(found.name.clone())? else {
        return Err(Refusal::could_not(
            format!("`{}` is gone", found.name),
            "another command removed it; `cargo xtask db-list` shows the backups",
        ));
    };
    let Proof::Recorded(record) = &mut backup.proof else {
        return Err(Refusal::could_not(
            format!("`{}` has no record that this version can write", backup.name),
            "to keep it, copy it out of the backups folder with `cp`",
        ));
    };
    change(record);
    let record = record.clone();
    locked.rewrite(&backup, &record)?;
    Ok(backup)
}
