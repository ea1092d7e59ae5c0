//! `db-pre-migrate`: the pre-migration hook task: rehearsal on a private copy, then a checkpoint.

use anyhow::Result;

use crate::backups::vault::Vault;
use crate::commands::flags::{Common, Migration};
use crate::console::refusal::Answer;
use crate::host::session::Session;
use crate::operations::migration::job::Job;
use crate::operations::migration::{rehearsal_end, rehearsal_steps};
use crate::recovery::database_lock::Claim;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-pre-migrate && sqlx migrate run
  cargo xtask db-pre-migrate --allow-loss notes.body   # it may lose values
  cargo xtask db-pre-migrate -- diesel migration run

Exit code 0 allows the migration, 1 refuses it. The live database is untouched.";

/// Arguments of `db-pre-migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    migration: Migration,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    /// Rehearses the migration and runs nothing on the live database.
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        let interrupt = session.interrupt().clone();
        let claim = Claim::take_settled(&project, &database, "db-pre-migrate", &interrupt)?;
        let job = Job::new(&claim, self.migration.command, self.migration.allow_loss)?;
        let vault = Vault::of(&project, session.now());
        let rehearsed = rehearsal_steps::rehearse(session, &job, &vault)?;
        rehearsal_end::end(session, &job, &vault, rehearsed)
    }
}
