//! `db-pin` and `db-unpin`: whether pruning must leave a backup.

use anyhow::Result;

use crate::cli::Common;
use crate::commands::find;
use crate::commands::list;
use crate::record::Proof;
use crate::refusal::{Answer, Refusal};
use crate::session::Session;
use crate::vault::Vault;

pub(crate) const EXAMPLE: &str = "\
Example:
  cargo xtask db-pin latest";
pub(crate) const EXAMPLE_UNPIN: &str = "\
Example:
  cargo xtask db-unpin 2025-09-13_1425";

/// Arguments of `db-pin` and `db-unpin`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which backup: `latest`, `latest~2`, a name or the beginning of its time, `@branch`, `3d`, …
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
        let vault = Vault::of(&project, session.now());
        let found =
            find::backup(session, &project, &vault, &self.reference, self.common.db.as_deref())?;
        // A backup given by its path may lie elsewhere, as after `db-backup --output`.
        let vault = Vault::for_project(&project, &found.folder, session.now());
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        let Some(mut backup) = vault.read(found.name.clone())? else {
            return Err(Refusal::could_not(
                format!("`{}` is gone", found.name),
                "another command removed it; `cargo xtask db-list` shows what there is",
            ));
        };
        let Proof::Recorded(record) = &mut backup.proof else {
            return Err(Refusal::could_not(
                format!("`{}` has no record of this version to write a pin into", backup.name),
                "copy it elsewhere to keep it",
            ));
        };
        record.pinned = pinned;
        let record = record.clone();
        locked.rewrite(&backup, &record)?;
        session.say(format!("{} is {outcome}", backup.name));
        session.document(&list::document(&[backup.to_json(session.now())?]));
        Ok(Answer::Yes)
    }
}
