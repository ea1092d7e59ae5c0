//! `db-migrate`: rehearses the host's migration, runs it on the live database, and restores the old
//! state if that fails.

use anyhow::Result;

use crate::backups::vault::Vault;
use crate::commands::flags::{Common, Migration};
use crate::console::refusal::{Answer, Refusal};
use crate::files::holders;
use crate::host::session::Session;
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsal_steps;
use crate::operations::migration::rehearsed::Outcome;
use crate::operations::migration::{live_on_server, live_run, rehearsal_end};
use crate::recovery::database_lock::Claim;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-migrate
  cargo xtask db-migrate --allow-loss notes.body   # it may lose values
  cargo xtask db-migrate -- sqlx migrate run

The migration command first runs on a private copy, which it opens through
`migrate-env`. It runs on the live database only if the copy lost nothing. If it
fails on the live database, `db-migrate` restores the old state.";

/// Arguments of `db-migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    migration: Migration,
    /// It is refused with the command that does this: clap would suggest it as a program to run.
    #[arg(long, hide = true)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        if self.dry_run {
            return Err(Refusal::could_not(
                "`db-migrate` has no `--dry-run`",
                "`cargo xtask db-pre-migrate` is the dry run: it migrates a private copy and reports the \
                 result; nothing was changed",
            ));
        }
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        let interrupt = session.interrupt().clone();
        let claim = Claim::take_settled(&project, &database, "db-migrate", &interrupt)?;
        let job = Job::new(&claim, self.migration.command, self.migration.allow_loss)?;
        let vault = Vault::of(&project, session.now());
        warn_of_holders(session, &job);
        live_on_server::warn_of_sessions(session, &job);
        let rehearsed = rehearsal_steps::rehearse(session, &job, &vault)?;
        match rehearsed.outcome {
            Outcome::Allowed(_) => live_run::run(session, &job, &vault, rehearsed),
            _ => rehearsal_end::end(session, &job, &vault, rehearsed),
        }
    }
}

fn warn_of_holders(session: &mut Session, job: &Job<'_>) {
    let holders = job.database.file_if_any().and_then(holders::of);
    if let Some(who) = holders.and_then(|holders| holders::clause_of(&holders.seen)) {
        session.warn(format!(
            "{who}: stop whatever writes into {} before it is migrated",
            job.project.place(job.database)
        ));
    }
}
