//! `db-migrate`: rehearses the host's migration, runs it on the live database, and puts the old
//! state back where that fails.

mod concluding;
pub(crate) mod ending;
pub(crate) mod job;
mod live_run;
pub(crate) mod putting_back;
pub(crate) mod rehearsing;
pub(crate) mod telling;

use anyhow::Result;

use crate::claim::Claim;
use crate::cli::Common;
use crate::holders;
use crate::refusal::Answer;
use crate::session::Session;
use crate::vault::Vault;

use job::Job;
use rehearsing::Outcome;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-migrate
  cargo xtask db-migrate --allow-loss notes.body   # which may lose values
  cargo xtask db-migrate -- sqlx migrate run

The command first runs on a private copy, which `migrate-env` points it to. It
runs on the live database only if nothing was lost in the copy. If it fails on
the live database, the old state is restored.";

/// Arguments of `db-migrate` and `db-pre-migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Allow the loss of a table or a column, e.g. `notes.body` (repeatable)
    #[arg(long = "allow-loss", value_name = "NAME")]
    pub(super) allow_loss: Vec<String>,
    /// Migration command to run [default: the configured `migrate`]
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        let interrupt = session.interrupt().clone();
        let claim = Claim::take_settled(&project, &database, "db-migrate", &interrupt)?;
        let job = Job::new(&claim, self.command, self.allow_loss)?;
        let vault = Vault::of(&project, session.now());
        warn_of_holders(session, &job);
        let rehearsed = rehearsing::rehearse(session, &job, &vault)?;
        match rehearsed.outcome {
            Outcome::Allowed(_) => live_run::run(session, &job, &vault, rehearsed),
            _ => ending::end(session, &job, &vault, rehearsed),
        }
    }
}

fn warn_of_holders(session: &mut Session, job: &Job<'_>) {
    let sentence = holders::sentence(&job.database.path);
    if let Some(who) = sentence.strip_prefix(": ") {
        session.warn(format!(
            "{who}: stop whatever writes into {} before it is migrated",
            job.project.place(job.database)
        ));
    }
}
