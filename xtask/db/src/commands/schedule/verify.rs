//! The verification of a run: the newest backup, an older one in turn, and a share of all the others. Everything gets its
//! turn before a failure is reported.
//!
//! A damaged backup fails one run, however it was found. As long as it stays in the folder, the next runs only mention it:
//! it must not keep them from verifying, exporting and pruning. `db-status` reports it until it is gone.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, FixedOffset, Local};

use super::work::Work;
use crate::backups::backup::{Backup, State as BackupState};
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::verification::outcome::Outcome;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::rolling_share::{self, Share};
use crate::operations::verify_one::verify_one;
use crate::schedule::slots;
use crate::schedule::state::{State, Step};
use crate::sqlite::examination::finding::Depth;

/// What is wrong, in words.
#[derive(Default)]
struct Wrong {
    damaged: Vec<String>,
    unverified: Vec<String>,
    /// The names of backups that turned out to be damaged.
    names: BTreeSet<String>,
}

/// Verifies the newest backup of each database, unless that was done since it was taken, and, if there is a new one, an
/// older one in turn. Besides, reads so large a share of all backups, the longest unread first, that each is read again
/// within the time for which a reading counts. A backup that is known to be damaged is verified once more, unless a run
/// has failed for it already.
pub(super) fn verify(session: &mut Session, work: &Work<'_>, state: &mut State) -> Result<()> {
    let project = work.project;
    let vault = Vault::of(project, session.now());
    let all = vault.backups()?;
    let mut wrong = Wrong::default();
    for database in &project.databases {
        let (newest, older) = in_turn(session, project, database, &all);
        let is_new = state.databases.get(&database.name).is_none_or(|seen| !seen.unchanged);
        let unproved = newest.filter(|backup| last_verified(backup).is_none());
        let known = damaged(database, &all).filter(|backup| !is_reported(state, backup));
        for backup in unproved.into_iter().chain(older.filter(|_| is_new)).chain(known) {
            wrong.verify(session, project, backup)?;
        }
    }
    let all: Vec<Backup> = vault.backups()?;
    let sound: Vec<Backup> =
        all.into_iter().filter(|one| one.state() != BackupState::Damaged).collect();
    let mut chosen = rolling_share::choose(&vault, &sound, share(session, work))?;
    for backup in std::mem::take(&mut chosen.plain) {
        wrong.verify(session, project, backup)?;
    }
    let (worst, found) = rolling_share::read(session, project, &vault, &chosen)?;
    session.note(format!(
        "Read {} of {}, the longest unread first",
        text::size(chosen.bytes),
        text::size(chosen.all_bytes)
    ));
    if worst != Outcome::Whole {
        wrong.damaged.push(format!("what was read is damaged: {found}"));
        wrong.names.extend(found.marked);
    }
    let all = vault.backups()?;
    let damaged = project.databases.iter().flat_map(|database| damaged(database, &all));
    let damaged = damaged.map(|backup| backup.name.to_string()).collect();
    wrong.conclude(session, state, damaged)
}

impl Wrong {
    /// Verifies a backup, and notes what is wrong with it.
    fn verify(&mut self, session: &mut Session, project: &Project, backup: &Backup) -> Result<()> {
        let verification = verify_one(session, project, backup, false)?;
        let (name, reasons) = (backup.name.to_string(), verification.reasons.join("; "));
        match verification.outcome {
            Outcome::Whole => {}
            Outcome::Damaged => {
                self.damaged.push(format!("the backup `{name}` is damaged: {reasons}"));
                self.names.insert(name);
            }
            Outcome::CannotTell => {
                self.unverified
                    .push(format!("the backup `{name}` could not be verified: {reasons}"));
            }
        }
        Ok(())
    }

    /// Fails for what is wrong, and remembers the damaged backups, so that none fails a second run.
    fn conclude(
        mut self,
        session: &mut Session,
        state: &mut State,
        damaged: BTreeSet<String>,
    ) -> Result<()> {
        let reported = std::mem::take(&mut state.damaged);
        for name in damaged.difference(&reported).filter(|name| !self.names.contains(*name)) {
            self.damaged.push(format!("the backup `{name}` is damaged"));
        }
        state.damaged = damaged;
        if !self.damaged.is_empty() {
            // Another damaged backup is another cause, even if only the time in its name differs.
            state.told.retain(|cause, _| !cause.starts_with(Step::Verify.word()));
            self.damaged.extend(self.unverified);
            return Err(Refusal::no(
                self.damaged.join("; "),
                "nothing was removed, and the next run goes on without it; `cargo xtask db-list` shows what is \
                 damaged, `cargo xtask db-remove` removes it",
            ));
        }
        if !self.unverified.is_empty() {
            return Err(Refusal::could_not(
                self.unverified.join("; "),
                "nothing was removed; the next run tries again",
            ));
        }
        if let Some(still) = state.still_damaged() {
            session.warn(format!("{still}: `cargo xtask db-status` shows what to do"));
        }
        Ok(())
    }
}

/// The backups of a database that are known to be damaged.
fn damaged<'b>(database: &Database, all: &'b [Backup]) -> impl Iterator<Item = &'b Backup> {
    let of = all.iter().filter(|backup| backup.is_of(database));
    of.filter(|backup| backup.state() == BackupState::Damaged)
}

fn is_reported(state: &State, backup: &Backup) -> bool {
    state.damaged.contains(&backup.name.to_string())
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

/// When a backup was last verified deeply; `None` if never since it was taken.
fn last_verified(backup: &Backup) -> Option<DateTime<FixedOffset>> {
    let verified = backup.record()?.verified.as_ref()?;
    (verified.depth == Depth::Deep).then_some(verified.at)
}
