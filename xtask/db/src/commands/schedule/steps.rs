//! The steps of a run. Each is done once for a slot; old backups go last, only after everything else succeeded.

use anyhow::Result;
use chrono::{DateTime, FixedOffset, Local, TimeDelta};

use super::work::Work;
use super::{child, export};
use crate::backups::backup::{Backup, State as BackupState};
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::verification::outcome::Outcome;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::{Database, Project};
use crate::host::session::{Session, failure};
use crate::operations::back_up_each::{Done, Request};
use crate::operations::rolling_share::Share;
use crate::operations::verify_one::verify_one;
use crate::operations::{retain, rolling_share};
use crate::schedule::slots;
use crate::schedule::state::{Seen, State, Step};
use crate::sqlite::examination::finding::Depth;

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
            Step::Backup => back_up(session, work, state, due),
            Step::Verify => verify(session, work, state),
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

/// Verifies the newest backup of each database, unless that was done since it was taken, and, if there is a new one, an
/// older one in turn. Besides, reads so large a share of all backups, the longest unread first, that each is read again
/// within the time for which a reading counts.
fn verify(session: &mut Session, work: &Work<'_>, state: &State) -> Result<()> {
    let project = work.project;
    let vault = Vault::of(project, session.now());
    let all = vault.backups()?;
    for database in &project.databases {
        let (newest, older) = in_turn(session, project, database, &all);
        let is_new = state.databases.get(&database.name).is_none_or(|seen| !seen.unchanged);
        let unproved = newest.filter(|backup| last_verified(backup).is_none());
        for backup in unproved.into_iter().chain(older.filter(|_| is_new)) {
            verify_whole(session, project, backup)?;
        }
    }
    let all = vault.backups()?;
    let all: Vec<Backup> =
        all.into_iter().filter(|one| one.state() != BackupState::Damaged).collect();
    let mut chosen = rolling_share::choose(&vault, &all, share(session, work))?;
    for backup in std::mem::take(&mut chosen.plain) {
        verify_whole(session, project, backup)?;
    }
    let (worst, found) = rolling_share::read(session, project, &vault, &chosen)?;
    session.note(format!(
        "Read {} of {}, the longest unread first",
        text::size(chosen.bytes),
        text::size(chosen.all_bytes)
    ));
    demand_whole(worst, "what was read", &found.to_string())
}

/// Verifies a backup, and demands that it is whole.
fn verify_whole(session: &mut Session, project: &Project, backup: &Backup) -> Result<()> {
    let verification = verify_one(session, project, backup, false)?;
    let what = format!("the backup `{}`", backup.name);
    demand_whole(verification.outcome, &what, &verification.reasons.join("; "))
}

/// The newest backup of a database, and of the older ones the one that was verified longest ago.
fn in_turn<'b>(
    session: &Session,
    project: &Project,
    database: &Database,
    all: &'b [Backup],
) -> (Option<&'b Backup>, Option<&'b Backup>) {
    let mine: Vec<&Backup> = all
        .iter()
        .filter(|backup| backup.is_of(database) && backup.worktree() == project.worktree())
        .filter(|backup| !backup.is_from_the_future(session.now()))
        .filter(|backup| backup.state() != BackupState::Damaged && backup.record().is_some())
        .collect();
    let newest = mine.iter().copied().find(|backup| backup.kind() != Some(Kind::Safety));
    let older = mine.into_iter().filter(|backup| Some(&backup.name) != newest.map(|n| &n.name));
    (newest, older.min_by_key(|backup| last_verified(backup)))
}

/// The share that is read at each slot: after the time for which a reading counts, everything was read, with a slot to
/// spare.
fn share(session: &Session, work: &Work<'_>) -> Share {
    let since = work.project.read_within.before(session.now()).unwrap_or(session.now());
    let n_slots = slots::n_between(work.schedule.when, since, session.now(), &Local);
    let percent = 100_usize.div_ceil(n_slots.saturating_sub(1).max(1));
    Share(u8::try_from(percent).unwrap_or(100))
}

fn demand_whole(outcome: Outcome, what: &str, reasons: &str) -> Result<()> {
    match outcome {
        Outcome::Whole => Ok(()),
        Outcome::Damaged => Err(Refusal::no(
            format!("{what} is damaged: {reasons}"),
            "nothing was removed, and the next run goes on without it; `cargo xtask db-list` shows what is damaged, \
             `cargo xtask db-remove` removes it",
        )),
        Outcome::CannotTell => Err(Refusal::could_not(
            format!("{what} could not be verified: {reasons}"),
            "nothing was removed; the next run tries again",
        )),
    }
}

/// When a backup was last verified deeply; `None` if never since it was taken.
fn last_verified(backup: &Backup) -> Option<DateTime<FixedOffset>> {
    let verified = backup.record()?.verified.as_ref()?;
    (verified.depth == Depth::Deep).then_some(verified.at)
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
