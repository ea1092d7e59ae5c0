//! `db-pin` and `db-unpin`: whether pruning must leave a backup.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::record::{Proof, Record};
use crate::backups::vault::Vault;
use crate::cli::Common;
use crate::commands::list;
use crate::console::refusal::{Answer, Refusal};
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::find_backup;

pub(crate) const EXAMPLE: &str = "\
Example:
  cargo xtask db-pin latest";
pub(crate) const EXAMPLE_UNPIN: &str = "\
Example:
  cargo xtask db-unpin 2025-09-13_1425";

/// Arguments of `db-pin` and `db-unpin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup: `latest`, `latest~2`, a name, the beginning of its time,
    /// `@branch`, `3d`, …
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn pin(self, session: &mut Session) -> Result<Answer> {
        self.write(session, true, "pinned: pruning will leave it")
    }

    pub(crate) fn unpin(self, session: &mut Session) -> Result<Answer> {
        self.write(session, false, "not pinned: pruning may take it")
    }

    fn write(self, session: &mut Session, pinned: bool, outcome: &str) -> Result<Answer> {
        let project = self.common.project(session)?;
        let wanted = Wanted { reference: &self.reference, database: self.common.db.as_deref() };
        let backup = amend(session, &project, wanted, |record| record.pinned = pinned)?;
        session.say(format!("{} is {outcome}", backup.name));
        session.document(&list::document(&[backup.to_json(session.now())?]));
        Ok(Answer::Yes)
    }
}

/// Which backup is meant.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// How the user names it.
    pub(crate) reference: &'a str,
    /// The database given by `--db`.
    pub(crate) database: Option<&'a str>,
}

/// Changes the record of a backup, and returns it as it is then.
///
/// # Errors
///
/// A refusal where there is no such backup, or it has no record of this version.
pub(super) fn amend(
    session: &mut Session,
    project: &Project,
    wanted: Wanted<'_>,
    change: impl FnOnce(&mut Record),
) -> Result<Backup> {
    let vault = Vault::of(project, session.now());
    let found = find_backup::backup(session, project, &vault, wanted.reference, wanted.database)?;
    // A backup given by its path may lie elsewhere, as after `db-backup --output`.
    let vault = Vault::for_project(project, &found.folder, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    let Some(mut backup) = vault.read(found.name.clone())? else {
        return Err(Refusal::could_not(
            format!("`{}` is gone", found.name),
            "another command removed it; `cargo xtask db-list` shows what there is",
        ));
    };
    let Proof::Recorded(record) = &mut backup.proof else {
        return Err(Refusal::could_not(
            format!("`{}` has no record of this version to write into", backup.name),
            "copy it elsewhere to keep it",
        ));
    };
    change(record);
    let record = record.clone();
    locked.rewrite(&backup, &record)?;
    Ok(backup)
}
