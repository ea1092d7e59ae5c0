//! `db-pre-migrate`: the pre-migration hook task: rehearsal on a private copy, then a checkpoint.

use anyhow::Result;

use crate::cli::Common;
use crate::commands::migrate::job::Job;
use crate::commands::migrate::{ending, rehearsing};
use crate::refusal::Answer;
use crate::session::Session;
use crate::vault::Vault;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-pre-migrate && sqlx migrate run
  cargo xtask db-pre-migrate --allow-loss drafts        # this table may shrink or go
  cargo xtask db-pre-migrate -- diesel migration run    # instead of the configured `migrate`

Exit code 0 allows the migration; 1 refuses it, and the live database is as it was.";

/// Arguments of `db-pre-migrate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Let this table lose rows or columns, or be dropped (repeatable)
    #[arg(long = "allow-loss", value_name = "TABLE")]
    allow_loss: Vec<String>,
    /// The migration to rehearse, instead of the configured `migrate`
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        let job = Job::new(&project, &database, self.command, self.allow_loss)?;
        let vault = Vault::at(&project.backups, session.now());
        let rehearsed = rehearsing::rehearse(session, &job, &vault)?;
        ending::end(session, &job, &vault, rehearsed)
    }
}
