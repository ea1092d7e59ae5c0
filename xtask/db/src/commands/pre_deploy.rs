//! `db-pre-deploy`: the gate before a deployment. A backup, proved by a restore drill; a rehearsal
//! of what is pending; the command that goes back.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::verification::outcome;
use crate::capture::request::{Capture, Taken};
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::host::project::Project;
use crate::host::session::github_actions::{self, Level};
use crate::host::session::{Session, failure};
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsal_end::{self, End};
use crate::operations::migration::rehearsal_steps;
use crate::operations::migration::rehearsed::Outcome;
use crate::operations::migration::report;
use crate::operations::migration::way_back::way_back;
use crate::operations::verify_one::verify_one;
use crate::recovery::database_lock::Claim;
use crate::{capture, health};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-pre-deploy
  cargo xtask db-pre-deploy --allow-loss notes.body --json

Exit code 0 allows the deployment. On GitHub Actions, the step
outputs `backup` and `restore-command` contain the name of the backup and the
command that restores it.";

/// Arguments of `db-pre-deploy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Allow the loss of a table or a column, e.g. `notes.body` (repeatable)
    #[arg(long = "allow-loss", value_name = "NAME")]
    allow_loss: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let log = session.github().log;
        let token = github_actions::token();
        if log {
            session.complain(&format!("{}\n", github_actions::stop(&token)));
        }
        let gone = self.pass(session);
        if log {
            session.complain(&format!("{}\n", github_actions::resume(&token)));
            for annotation in annotations(&gone) {
                session.complain(&format!("{annotation}\n"));
            }
            // The error itself follows, with names that others gave.
            session.complain(&format!("{}\n", github_actions::stop(&github_actions::token())));
        }
        let End { document, error } = gone?;
        if let Some(error) = error {
            return Ok(report::decline(session, &error, document));
        }
        session.document(&document);
        Ok(Answer::Yes)
    }

    fn pass(&self, session: &mut Session) -> Result<End> {
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        for remark in health::remarks(&project) {
            session.warn(format!("{}: {}", remark.what, remark.remedy));
        }
        let vault = Vault::of(&project, session.now());
        let interrupt = session.interrupt().clone();
        let claim = Claim::take_settled(&project, &database, "db-pre-deploy", &interrupt)?;
        let job = Job::bare(&claim);
        let backup = take(session, &job, &vault)?;
        let back = way_back(&job, &backup);
        let name = backup.name.to_string();
        session
            .github()
            .put_out(&[("backup", &name), ("restore-command", &back)])
            .context("could not write the outputs of this step")?;
        prove(session, &project, &backup)?;
        let end = self.rehearse(session, &claim, &vault)?;
        conclude(session, end, &name, &back)
    }

    /// The rehearsal of what is pending; the backup is its checkpoint.
    fn rehearse(&self, session: &mut Session, claim: &Claim<'_>, vault: &Vault) -> Result<End> {
        if claim.database.migrate.is_empty() {
            session.say("No `migrate` is configured: nothing to rehearse");
            let document = json!({ "version": 1, "outcome": "nothing-to-rehearse" });
            return Ok(End { document, error: None });
        }
        let job = Job::new(claim, Vec::new(), self.allow_loss.clone())?;
        let rehearsed = rehearsal_steps::rehearse(session, &job, vault)?;
        if let Outcome::Allowed(losses) = &rehearsed.outcome
            && !rehearsed.rows_changed
        {
            rehearsal_end::say_rehearsed(session, &job, &rehearsed, losses);
            let mut document = report::document(&job, &rehearsed);
            document["outcome"] = "allowed".into();
            document["let_through"] = report::let_through(losses);
            return Ok(End { document, error: None });
        }
        rehearsal_end::settle(session, &job, vault, rehearsed)
    }
}

/// What the run is annotated with.
fn annotations(gone: &Result<End>) -> Vec<String> {
    let error = match gone {
        Ok(End { error: Some(error), .. }) | Err(error) => error,
        Ok(End { document, error: None }) => {
            let losses = document["let_through"].as_array().into_iter().flatten();
            let losses = losses.filter_map(Value::as_str);
            return losses
                .map(|loss| github_actions::annotation(Level::Warning, &format!("allowed: {loss}")))
                .collect();
        }
    };
    let (text, _) = failure::layout(error);
    vec![github_actions::annotation(Level::Error, text.trim_end())]
}

/// A backup of a kind that only the user removes.
fn take(session: &mut Session, job: &Job<'_>, vault: &Vault) -> Result<Backup> {
    let locked = vault.lock(job.project.busy_timeout, session.interrupt())?;
    locked.keep_private()?;
    let wanted = job.wanted(session, Kind::PreDeploy);
    let mut progress = session.progress("Copying");
    let capture = Capture { locked: &locked, project: job.project, wanted: &wanted };
    let taken = capture::take(capture, &mut progress)?;
    drop(progress);
    match taken {
        Taken::Backup(backup, ..) | Taken::Linked(backup, _) => {
            session.say(format!("Backup created at {}", job.project.dotted(&backup.path())));
            Ok(*backup)
        }
        Taken::Damaged(findings) => Err(rehearsal_steps::damaged(session, job, &findings)),
        Taken::Unchanged => anyhow::bail!("a backup before a deployment is taken unconditionally"),
    }
}

/// Verifies the backup and restores it into a scratch file: anything but a clear yes is a no.
fn prove(session: &mut Session, project: &Project, backup: &Backup) -> Result<()> {
    let verification = verify_one(session, project, backup, true)?;
    if verification.outcome == outcome::Outcome::Whole {
        return Ok(());
    }
    Err(Refusal::no(
        format!("`{}` could not be verified, so the deployment is refused", backup.name),
        "check it with `cargo xtask db-verify --all --drill`, free some space, and run this again",
    ))
}

/// Reports the way back and tells the step.
fn conclude(session: &mut Session, mut end: End, name: &str, back: &str) -> Result<End> {
    end.document["backup"] = name.into();
    end.document["restore_command"] = back.into();
    let mut lines = vec![
        format!("Backup: {name} (verified, restore drill ok)"),
        format!("Rehearsal: {}", end.document["outcome"].as_str().unwrap_or("not done")),
    ];
    lines.extend(changes(&end.document));
    let heading = match &end.error {
        None => {
            session.say("Ready to deploy.");
            "Database: ready to deploy"
        }
        Some(error) => {
            lines.extend(error.chain().map(|cause| format!("Refused: {cause}")));
            "Database: not ready to deploy"
        }
    };
    session.say(format!("The way back: {back}"));
    lines.push(format!("The way back: {back}"));
    let summary = session.github().summarize(heading, &lines);
    summary.context("could not write the summary of this step")?;
    Ok(end)
}

fn changes(document: &Value) -> Vec<String> {
    let word = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    let changes = document["changes"].as_array().into_iter().flatten();
    changes
        .map(|change| {
            let table = change["table"].as_str().map_or_else(String::new, |t| format!(" of {t}"));
            let (what, kind) = (word(change, "change"), word(change, "kind"));
            format!("  {what}: {kind} {}{table}", word(change, "name"))
        })
        .collect()
}
