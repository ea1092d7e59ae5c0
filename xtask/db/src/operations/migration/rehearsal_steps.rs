//! The rehearsal as commands run it: a copy under the lock, the command without it, the verdict.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::backups::kind::Kind;
use crate::backups::record::Record;
use crate::backups::vault::Vault;
use crate::capture::dump::staging;
use crate::capture::plain::{self, Copy, Staged};
use crate::capture::request::Capture;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::files::free_space;
use crate::files::stage::Scratch;
use crate::host::command::Ending;
use crate::host::project::live_database;
use crate::host::session::Session;
use crate::migrate::on_server;
use crate::migrate::rehearsal::{self, Stage};
use crate::migrate::rehearsal_result::{Live, Rehearsal};
use crate::migrate::verdict::loss::{Comparison, Loss};
use crate::migrate::verdict::{self, Verdict};
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsed::{Hint, Outcome, Rehearsed};
use crate::operations::migration::{live_on_server, report};
use crate::sqlite::examination::finding::Finding;
use crate::sqlite::schema::Schema;
use crate::sqlite::{connection, foreign_keys};

/// A refusal because the database is damaged before anything was done.
pub(crate) fn damaged(session: &mut Session, job: &Job<'_>, findings: &[Finding]) -> anyhow::Error {
    for finding in findings {
        session.warn(finding.to_string());
    }
    Refusal::no(
        format!("{} is structurally damaged", job.project.quoted_place(job.database)),
        "keep its raw files with `cargo xtask db-backup --damaged`; `cargo xtask db-restore` \
         restores an older backup",
    )
}

/// Copies the live database, runs the command on a private copy of that, and judges it.
///
/// # Errors
///
/// If the database is missing, locked or damaged, or the command cannot be started.
pub(crate) fn rehearse(session: &mut Session, job: &Job<'_>, vault: &Vault) -> Result<Rehearsed> {
    let Job { project, database, .. } = *job;
    let interrupt = session.interrupt().clone();
    let (staged, private_folder) = copied(session, job, vault)?;
    let schema = match database.server() {
        None => Schema::read(&connection::open_immutable(staged.path())?)?,
        Some(server) => on_server::rehearsal::schema(project, server, &interrupt)?,
    };
    for remark in job.check_names(&schema)? {
        session.warn(remark);
    }
    let command = job.quoted_command();
    session.note(format!("Rehearsing {command} on a private copy of {}", project.place(database)));
    // However often the user interrupts: what it did to the live database is looked at.
    let _supervising = interrupt.while_supervising();
    let (original, record, scratch) = (staged.path(), staged.record(), &private_folder);
    let rehearsal = match database.server() {
        None => {
            let stage = Stage { project, database, original, record, scratch };
            rehearsal::rehearse(&stage, &job.command, &interrupt)
        }
        Some(server) => {
            let stage = on_server::rehearsal::Stage {
                project,
                database,
                server,
                original,
                record,
                scratch,
            };
            on_server::rehearsal::rehearse(&stage, &job.command, &interrupt)
        }
    };
    let rehearsal = rehearsal
        .with_context(|| format!("could not rehearse {command}; the database is untouched"))?;
    drop(private_folder);

    for said in &rehearsal.before.unchecked {
        session.warn(foreign_keys::unchecked(said));
    }
    if let Some(of) = rehearsal.comparison().filter(|_| rehearsal.ended.failure().is_none()) {
        report::warn_of_unknown(session, job, &of);
    }
    judged(job, staged, rehearsal, &interrupt)
}

/// Copies the live database, and creates the folder for the copy that the command gets. The lock is
/// released again: a migration may take minutes, and may take a backup.
fn copied(session: &mut Session, job: &Job<'_>, vault: &Vault) -> Result<(Box<Staged>, Scratch)> {
    let Job { project, database, .. } = *job;
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    locked.keep_private()?;
    let wanted = job.wanted(session, Kind::PreMigrate);
    let mut progress = session.progress("Copying");
    let copy = if let Some(server) = database.server() {
        live_on_server::settle(session, job, &locked)?;
        let capture = Capture { locked: &locked, project, wanted: &wanted };
        Copy::Staged(staging::stage(server, capture, &progress)?)
    } else {
        let connection = live_database::open(project, database)?;
        let capture = Capture { locked: &locked, project, wanted: &wanted };
        plain::stage(&connection, capture, &mut progress)?
    };
    drop(progress);
    let staged = match copy {
        Copy::Staged(staged) => staged,
        Copy::Damaged(findings) => return Err(damaged(session, job, &findings)),
        Copy::Unchanged => anyhow::bail!("nothing to compare with was given"),
    };
    staged.hold()?;
    free_space::demand(vault.folder(), staged.record().size_bytes, "the rehearsal")?;
    let scratch = locked.scratch(&database.file_name())?;
    Ok((staged, scratch))
}

/// The verdict on a rehearsal, after checking the live database.
fn judged(
    job: &Job<'_>,
    staged: Box<Staged>,
    rehearsal: Rehearsal,
    interrupt: &Arc<Interrupt>,
) -> Result<Rehearsed> {
    // The live database is checked for changes by the command, however that ended.
    let mut interrupted = matches!(rehearsal.ended.ending, Ending::Interrupted);
    interrupted |= interrupt.acknowledge();
    let live = rehearsal::live(job.project, job.database, interrupt)?;
    let record = staged.record();
    let is_touched = live.as_ref().is_none_or(|live| !has_schema_of(live, record));
    let rows_changed = live.is_some_and(|live| live.content_blake3 != record.content_blake3);
    let outcome = if is_touched && rehearsal.doubts.is_empty() {
        Outcome::Touched(touched(job, &rehearsal))
    } else if is_touched {
        Outcome::Changed(changed(job, &rehearsal))
    } else if interrupted {
        Outcome::Interrupted
    } else {
        outcome(job, &rehearsal)
    };
    Ok(Rehearsed { staged, rehearsal, outcome, rows_changed })
}

fn has_schema_of(live: &Live, record: &Record) -> bool {
    live.schema_blake3 == record.schema_blake3 && live.user_version == record.user_version()
}

/// Why somebody else may have changed it; and why it probably was the command, if it never saw the copy.
fn changed(job: &Job<'_>, rehearsal: &Rehearsal) -> Vec<String> {
    let why = |doubt: &String| format!("it may not have been the migration: {doubt}");
    let mut reasons: Vec<_> = rehearsal.doubts.iter().map(why).collect();
    if job.database.server().is_some() && !rehearsal.opened {
        reasons.insert(0, never_opened(job));
    }
    reasons
}

fn never_opened(job: &Job<'_>) -> String {
    format!("it never opened the copy that `{}` pointed it to", job.variable())
}

fn touched(job: &Job<'_>, rehearsal: &Rehearsal) -> Vec<String> {
    let place = job.project.quoted_place(job.database);
    let mut reasons = vec![format!(
        "the schema of {place} changed while the command ran on a private copy: it ignored `{}`",
        job.variable()
    )];
    reasons.extend(rehearsal.ended.failure());
    reasons
}

fn outcome(job: &Job<'_>, rehearsal: &Rehearsal) -> Outcome {
    if let Some(failure) = rehearsal.ended.failure() {
        return Outcome::Refused(vec![failure], Hint::Correct);
    }
    if !rehearsal.opened {
        return Outcome::Refused(vec![never_opened(job)], Hint::Variable);
    }
    let after = match &rehearsal.after {
        Ok(after) => after,
        Err(error) => {
            let reason = format!("the copy cannot be read afterwards: {error:#}");
            return Outcome::Refused(vec![reason], Hint::Correct);
        }
    };
    let (before, effects) = (&rehearsal.before, &rehearsal.effects);
    verdict(job, &Comparison { before, after, effects })
}

fn verdict(job: &Job<'_>, of: &Comparison<'_>) -> Outcome {
    match verdict::judge(of, &job.allowances(of)) {
        Verdict::NothingPending => Outcome::NothingPending,
        Verdict::Allowed(losses) => Outcome::Allowed(losses),
        Verdict::Refused(losses) => {
            let hint = if losses.iter().any(|loss| loss.names.is_empty()) {
                Hint::Correct
            } else {
                Hint::Allow(names(&losses))
            };
            Outcome::Refused(losses.into_iter().map(|loss| loss.what).collect(), hint)
        }
    }
}

/// The fewest names that let all losses through, each the narrowest.
fn names(losses: &[Loss]) -> Vec<String> {
    let mut names: Vec<String> =
        losses.iter().filter(|loss| loss.names.len() == 1).map(|l| l.names[0].clone()).collect();
    for loss in losses {
        let is_named = loss.names.iter().any(|name| names.contains(name));
        names.extend(loss.names.first().filter(|_| !is_named).cloned());
    }
    names.sort();
    names.dedup();
    names.iter().map(|name| text::shell(name)).collect()
}
