//! The steps of a run. Each is done once for a slot; old backups go last, only after everything else succeeded.

use anyhow::Result;
use chrono::TimeDelta;

use super::work::Work;
use super::{child, export, verify};
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::console::refusal::Exit;
use crate::host::project::Database;
use crate::host::session::{Session, failure};
use crate::operations::back_up_each::{Done, Request};
use crate::operations::retain;
use crate::schedule::state::{Seen, State, Step};

/// How long retention waits after a jump of the clock.
const CONFIRMATION: TimeDelta = TimeDelta::hours(20);

/// Does the steps that are not done yet; the state is written after each.
///
/// # Errors
///
/// The first failure, and its step.
pub(super) fn all(
    session: &mut Session,
    work: &Work<'_>,
    state: &mut State,
    due: &[Database],
) -> Result<(), (Step, anyhow::Error)> {
    let mut steps = vec![Step::Backup, Step::Verify];
    steps.extend(work.schedule.bundle.then_some(Step::Bundle));
    steps.extend(work.schedule.export.as_ref().map(|_| Step::Export));
    steps.push(Step::Retention);
    for step in steps {
        if state.done.contains(&step) {
            continue;
        }
        let done = match step {
            Step::Backup => match back_up(session, work, state, due) {
                Err(error) => return Err(verify_the_others(session, work, state, error)),
                done => done,
            },
            Step::Verify => verify::verify(session, work, state),
            Step::Bundle => child::run(session, work, &["db-bundle", "create"]),
            Step::Export => export::export(session, work),
            Step::Retention => retain(session, work, state),
        };
        state.done.extend(done.is_ok().then_some(step));
        // What was done counts, even if a later step fails.
        done.and_then(|()| state.write(work.home)).map_err(|error| (step, error))?;
    }
    Ok(())
}

/// A backup of each database that is due, unless it is unchanged. Every database gets its turn.
fn back_up(
    session: &mut Session,
    work: &Work<'_>,
    state: &mut State,
    due: &[Database],
) -> Result<()> {
    let mut failed = None;
    for database in due {
        let request = Request {
            kind: Kind::Scheduled,
            // Old backups go when everything else has succeeded.
            retain: false,
            ..Request::if_changed(Some(database.name.clone()))
        };
        match request.back_up_each(session, work.project) {
            Ok(done) => {
                // A new backup wants to be verified, and may make others superfluous.
                state.done.clear();
                for (name, one) in done {
                    let (backup, unchanged) = match one {
                        Done::Backup(backup) => (backup.name.to_string(), false),
                        Done::Unchanged(backup) => (backup.name.to_string(), true),
                        Done::Aside(_) => continue,
                    };
                    let (slot, at) = (work.slot, session.now());
                    state.databases.insert(name, Seen { slot, at, backup, unchanged });
                }
            }
            Err(error) => {
                session.interrupt().check()?;
                if let Some(earlier) = failed.replace(error) {
                    session.complain(&failure::layout(&earlier).0);
                }
            }
        }
    }
    state.databases.retain(|name, _| work.project.databases.iter().any(|one| one.name == *name));
    failed.map_or(Ok(()), Err)
}

/// After the backup of a database failed: verifies what there is, once for a slot, because a database that fails for days
/// must not keep the backups of the others from being read. Returns the failure that is reported: damage that no run has
/// reported yet comes first, and that of the backup comes again with the next run.
fn verify_the_others(
    session: &mut Session,
    work: &Work<'_>,
    state: &mut State,
    failure: anyhow::Error,
) -> (Step, anyhow::Error) {
    let is_interrupted = failure::exit_of(&failure) == Exit::Interrupted;
    if is_interrupted || work.project.databases.len() < 2 || state.done.contains(&Step::Verify) {
        return (Step::Backup, failure);
    }
    let reported = state.damaged.clone();
    match verify::verify(session, work, state) {
        Ok(()) => state.done.push(Step::Verify),
        Err(error) if state.damaged.is_subset(&reported) => {
            session.complain(&failure::layout(&error).0);
        }
        Err(error) => {
            session.complain(&failure::layout(&failure).0);
            return (Step::Verify, error);
        }
    }
    (Step::Backup, failure)
}

/// Applies the configured policy, unless the clock may be wrong.
fn retain(session: &mut Session, work: &Work<'_>, state: &mut State) -> Result<()> {
    let project = work.project;
    let now = session.now();
    if state.jumped_at.is_some_and(|jumped| now - jumped < CONFIRMATION) {
        session.warn(
            "no old backup is removed today: nothing called for more than 30 days, so the clock may be wrong",
        );
        return Ok(());
    }
    state.jumped_at = None;
    let vault = Vault::of(project, now);
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    for database in &project.databases {
        retain::prune(session, project, &locked, database)?;
    }
    Ok(())
}
