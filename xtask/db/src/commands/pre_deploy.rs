//! `db-pre-deploy`: the gate before a deployment. A backup, proved by a restore drill; a rehearsal
//! of what is pending; the command that goes back.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::verification::outcome;
use crate::capture::request::{Capture, Taken};
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::failure::{self, Failure};
use crate::host::session::github_actions::{self, Level};
use crate::host::session::json_stream::VERSION;
use crate::operations::migration::document;
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsal_end;
use crate::operations::migration::rehearsal_steps;
use crate::operations::migration::rehearsed::Outcome;
use crate::operations::migration::report;
use crate::operations::migration::way_back::way_back;
use crate::operations::verify_one::verify_one;
use crate::recovery::database_lock::Claim;
use crate::sqlite::schema::change::Change;
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

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    way: Way,
    #[serde(flatten)]
    rehearsal: Rehearsal,
    /// Why the answer is no, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// The way back.
#[derive(Serialize)]
struct Way {
    backup: String,
    restore_command: String,
}

/// The rehearsal of the pending migrations.
#[derive(Serialize)]
#[serde(untagged)]
enum Rehearsal {
    /// It was done.
    Done(Box<document::Document>),
    /// No `migrate` is configured.
    NotConfigured { version: u32, outcome: &'static str },
}

impl Rehearsal {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Done(document) => document.outcome.unwrap_or("not done"),
            Self::NotConfigured { outcome, .. } => outcome,
        }
    }

    fn let_through(&self) -> &[String] {
        match self {
            Self::Done(document) => document.let_through.as_deref().unwrap_or_default(),
            Self::NotConfigured { .. } => &[],
        }
    }

    fn changes(&self) -> &[Change] {
        match self {
            Self::Done(document) => document.changes(),
            Self::NotConfigured { .. } => &[],
        }
    }
}

/// How the gate ends.
struct End {
    document: Document,
    /// Why the answer is no, if it is.
    error: Option<anyhow::Error>,
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
        let End { mut document, error } = gone?;
        document.error = error.map(|error| report::decline(session, &error));
        session.document(&document);
        Ok(if document.error.is_some() { Answer::No } else { Answer::Yes })
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
        let rehearsed = self.rehearse(session, &claim, &vault)?;
        let way = Way { backup: name, restore_command: back };
        conclude(session, way, rehearsed)
    }

    /// Rehearses the pending migrations, if a command is configured; the backup is the checkpoint.
    fn rehearse(
        &self,
        session: &mut Session,
        claim: &Claim<'_>,
        vault: &Vault,
    ) -> Result<Option<rehearsal_end::End>> {
        if claim.database.migrate.is_empty() {
            session.say("No `migrate` is configured: nothing to rehearse");
            return Ok(None);
        }
        let job = Job::new(claim, Vec::new(), self.allow_loss.clone())?;
        let rehearsed = rehearsal_steps::rehearse(session, &job, vault)?;
        if let Outcome::Allowed(losses) = &rehearsed.outcome
            && !rehearsed.rows_changed
        {
            rehearsal_end::say_rehearsed(session, &job, &rehearsed, losses);
            let mut document = document::Document::of(&job, &rehearsed);
            document.outcome = Some("allowed");
            document.let_through = Some(document::let_through(losses));
            return Ok(Some(rehearsal_end::End { document, error: None }));
        }
        rehearsal_end::settle(session, &job, vault, rehearsed).map(Some)
    }
}

/// The annotations for the run.
fn annotations(gone: &Result<End>) -> Vec<String> {
    let error = match gone {
        Ok(End { error: Some(error), .. }) | Err(error) => error,
        Ok(End { document, error: None }) => {
            let losses = document.rehearsal.let_through().iter();
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
fn conclude(session: &mut Session, way: Way, rehearsed: Option<rehearsal_end::End>) -> Result<End> {
    let (rehearsal, error) = if let Some(rehearsal_end::End { document, error }) = rehearsed {
        (Rehearsal::Done(Box::new(document)), error)
    } else {
        let outcome = "nothing-to-rehearse";
        (Rehearsal::NotConfigured { version: VERSION, outcome }, None)
    };
    let mut lines = vec![
        format!("Backup: {} (verified, restore drill ok)", way.backup),
        format!("Rehearsal: {}", rehearsal.outcome()),
    ];
    lines.extend(rehearsal.changes().iter().map(said));
    let heading = match &error {
        None => {
            session.say("Ready to deploy.");
            "Database: ready to deploy"
        }
        Some(error) => {
            lines.extend(error.chain().map(|cause| format!("Refused: {cause}")));
            "Database: not ready to deploy"
        }
    };
    let back = format!("The way back: {}", way.restore_command);
    session.say(&back);
    lines.push(back);
    let summary = session.github().summarize(heading, &lines);
    summary.context("could not write the summary of this step")?;
    Ok(End { document: Document { way, rehearsal, error: None }, error })
}

fn said(change: &Change) -> String {
    let table = change.table.as_ref().map_or_else(String::new, |table| format!(" of {table}"));
    format!("  {}: {} {}{table}", change.what.word(), change.kind.word(), change.name)
}
