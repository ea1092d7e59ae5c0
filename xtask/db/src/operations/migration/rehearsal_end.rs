//! How a rehearsal ends: with a checkpoint if something is pending, with the old state restored if
//! the command changed the live database, and with a report.

use anyhow::{Context, Result};

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::session::Session;
use crate::operations::migration::document::{Document, let_through};
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsed::{Outcome, Rehearsed};
use crate::operations::migration::report;
use crate::operations::migration::way_back::{self, kept, publish, put_back, way_back};
use crate::operations::restore::derived_data;
use crate::operations::restore::safety_backup::Kept;
use crate::operations::retain::prune_automatic;

/// Result of a rehearsal that no migration follows.
pub(crate) struct End {
    /// The document of `--json`.
    pub(crate) document: Document,
    /// Why the answer is no, if it is.
    pub(crate) error: Option<anyhow::Error>,
}

/// Ends a rehearsal that no migration follows, and reports the result.
///
/// # Errors
///
/// As [`settle`].
pub(crate) fn end(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    rehearsed: Rehearsed,
) -> Result<Answer> {
    let End { mut document, error } = settle(session, job, vault, rehearsed)?;
    document.error = error.map(|error| report::decline(session, &error));
    session.document(&document);
    Ok(if document.error.is_some() { Answer::No } else { Answer::Yes })
}

/// Acts on the outcome of a rehearsal: keeps the checkpoint, or restores the old state.
///
/// # Errors
///
/// If the backups folder stays locked, the disk is full or fails, or at the user's interrupt.
pub(crate) fn settle(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    mut rehearsed: Rehearsed,
) -> Result<End> {
    let outcome = std::mem::replace(&mut rehearsed.outcome, Outcome::Interrupted);
    match &outcome {
        Outcome::Touched(reasons) => {
            return Ok(touched(session, job, vault, rehearsed)?.end(reasons));
        }
        Outcome::Changed(doubts) => {
            return Ok(changed(session, job, vault, rehearsed)?.end(doubts));
        }
        Outcome::Allowed(losses) => say_rehearsed(session, job, &rehearsed, losses),
        _ => {}
    }
    let mut document = Document::of(job, &rehearsed);
    // Rows that changed meanwhile may be the command's doing, whatever else is thought of it.
    let rows_changed = rehearsed.rows_changed;
    let checkpoint = if rows_changed || matches!(outcome, Outcome::Allowed(_)) {
        Some(keep_checkpoint(session, job, vault, rehearsed)?)
    } else {
        None
    };
    document.checkpoint = checkpoint.as_ref().map(|kept| kept.name.to_string());
    let back = checkpoint.filter(|_| rows_changed);
    let (outcome, error) = match outcome {
        Outcome::Interrupted | Outcome::Touched(_) | Outcome::Changed(_) => {
            return Err(interrupted(job, back.as_ref()));
        }
        Outcome::NothingPending => {
            say_nothing_pending(session, job);
            ("nothing-pending", None)
        }
        Outcome::Allowed(losses) => {
            session.say("The migration may run.");
            document.let_through = Some(let_through(&losses));
            ("allowed", None)
        }
        Outcome::Refused(reasons, hint) => {
            ("refused", Some(report::refused(job, &reasons, &hint, back.as_ref())))
        }
    };
    document.outcome = Some(outcome);
    Ok(End { document, error })
}

/// The user's interrupt; if rows changed in the meantime, with the command that goes back.
fn interrupted(job: &Job<'_>, back: Option<&Backup>) -> anyhow::Error {
    let Some(back) = back else {
        return Refusal::interrupted();
    };
    let hint = report::rows_changed(job, back);
    let what = "the migration did not run".to_owned();
    Refusal { what, hint, exit: Exit::Interrupted }.into()
}

/// Reports that there is nothing to do.
pub(crate) fn say_nothing_pending(session: &mut Session, job: &Job<'_>) {
    session.say(format!(
        "Nothing is pending: {} changed nothing on a private copy of {}",
        job.quoted_command(),
        job.project.place(job.database)
    ));
}

/// Reports the result of a rehearsal.
pub(crate) fn say_rehearsed(
    session: &mut Session,
    job: &Job<'_>,
    rehearsed: &Rehearsed,
    losses: &[crate::migrate::verdict::loss::Loss],
) {
    let rehearsal = &rehearsed.rehearsal;
    session.say(format!(
        "Rehearsed {} on a private copy of {} in {}",
        job.quoted_command(),
        job.project.place(job.database),
        text::took(rehearsal.ended.took)
    ));
    if let Some(of) = rehearsal.comparison() {
        report::say_changes(session, &of, losses);
        report::warn(session, job, &of, losses);
    }
}

/// Publishes the copy with which the rehearsal began, and applies the retention. If rows of the
/// live database changed in the meantime, reports this with the command that goes back.
///
/// # Errors
///
/// If the backups folder stays locked, the disk is full or fails, or at the user's interrupt.
pub(crate) fn keep_checkpoint(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    rehearsed: Rehearsed,
) -> Result<Backup> {
    let state = if rehearsed.rows_changed {
        "rows of the live database changed since it was copied"
    } else {
        "the live database is as it was"
    };
    let locked = vault.lock(job.project.busy_timeout, session.interrupt())?;
    let checkpoint = publish(session, job, &locked, *rehearsed.staged)
        .with_context(|| format!("could not keep the checkpoint; {state}"))?;
    session.say(format!("Checkpoint created at {}", job.project.dotted(&checkpoint.path())));
    if rehearsed.rows_changed {
        session.warn(report::rows_changed(job, &checkpoint));
    }
    prune_automatic(session, job.project, &locked, job.database)?;
    Ok(checkpoint)
}

/// Result if the live database changed while the command ran on a copy.
struct Disturbed {
    document: Document,
    refusal: Refusal,
}

impl Disturbed {
    /// Ends with the reasons why it is one.
    fn end(self, reasons: &[String]) -> End {
        let Self { document, refusal } = self;
        End { document, error: Some(report::because(reasons, refusal)) }
    }
}

/// Undoes the command's changes to the live database, although it was pointed at a copy.
fn touched(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    rehearsed: Rehearsed,
) -> Result<Disturbed> {
    let mut document = Document::of(job, &rehearsed);
    let interrupt = session.interrupt().clone();
    let _supervising = interrupt.while_supervising();
    let locked = way_back::lock(session, job, vault)?;
    let checkpoint = publish(session, job, &locked, *rehearsed.staged)?;
    let restored = put_back(session, job, &locked, &checkpoint)?;
    drop(locked);
    say_put_back(session, job, &checkpoint, &restored);
    rebuild_derived(session, job);
    let refusal = Refusal {
        what: format!(
            "the migration touched {} during its rehearsal; the old state was restored; what it \
             replaced: {}",
            job.project.quoted_place(job.database),
            kept(job, &restored)
        ),
        hint: format!(
            "point the command at the file that `{}` names (`migrate-env`)",
            job.variable()
        ),
        exit: Exit::No,
    };
    document.outcome = Some("put-back");
    document.checkpoint = Some(checkpoint.name.to_string());
    document.safety = restored.safety();
    Ok(Disturbed { document, refusal })
}

/// Keeps the checkpoint of a live database whose schema changed during the rehearsal, perhaps by
/// another process: the present state is left alone, and the message shows what to do in either
/// case.
fn changed(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    rehearsed: Rehearsed,
) -> Result<Disturbed> {
    let mut document = Document::of(job, &rehearsed);
    let interrupt = session.interrupt().clone();
    let _supervising = interrupt.while_supervising();
    let locked = vault.lock(job.project.busy_timeout, &interrupt)?;
    let checkpoint = publish(session, job, &locked, *rehearsed.staged)?;
    drop(locked);
    session.say(format!("Checkpoint created at {}", job.project.dotted(&checkpoint.path())));
    let place = job.project.quoted_place(job.database);
    let refusal = Refusal {
        what: format!(
            "the schema of {place} changed while the migration was rehearsed on a copy; nothing \
             was restored"
        ),
        hint: format!(
            "if an application or another migration did that, keep it and run this again; if the \
             migration ignored `{}`, go back with `{}` and correct `migrate-env`",
            job.variable(),
            way_back(job, &checkpoint)
        ),
        exit: Exit::No,
    };
    document.outcome = Some("left-alone");
    document.checkpoint = Some(checkpoint.name.to_string());
    Ok(Disturbed { document, refusal })
}

/// Reports the restored backup, and where the replaced state is.
pub(crate) fn say_put_back(
    session: &mut Session,
    job: &Job<'_>,
    checkpoint: &Backup,
    replaced: &Kept,
) {
    let place = job.project.dotted_place(job.database);
    session.say(format!("Restored {} → {place}", checkpoint.name));
    session.say(format!(
        "The replaced state, including everything written since: {}",
        kept(job, replaced)
    ));
}

/// Runs the commands that rebuild derived data; the data itself is restored whatever they do.
pub(crate) fn rebuild_derived(session: &mut Session, job: &Job<'_>) {
    job.claim.release();
    if let Err(error) = derived_data::after_restore(session, job.project, job.database) {
        session.warn(format!("{error:#}"));
    }
}
