//! Chooses the backup with the state in which a branch was entered.
//!
//! That is its branch point, if a hook created one. Otherwise it is a guess that never errs towards
//! a newer state: a commit does not show what the database contained, so the backup must be older
//! than every sign of the branch *and* taken at a commit that the branch has from its base. This is
//! pure: what git and the backups folder contain comes in as values.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, TimeDelta};

use crate::backups::backup::{Backup, State};
use crate::backups::kind::Kind;
use crate::branches::branch_point;
use crate::git::branch::Branch;
use crate::git::reflog::Entry;

/// A branch and its base, as git reports them.
pub(crate) struct Fork<'a> {
    /// Commit at which the branch left its base.
    pub(crate) commit: String,
    /// Its tip.
    pub(crate) tip: String,
    /// The committer date of its first own commit.
    pub(crate) first_commit_at: Option<DateTime<FixedOffset>>,
    /// Whether a commit is an ancestor of the fork, or the fork itself.
    pub(crate) has: Box<dyn Fn(&str) -> bool + 'a>,
}

/// Input for planning a rollback. Backups are those of one database and worktree, newest first.
pub(crate) struct Facts<'a> {
    /// The branch.
    pub(crate) branch: &'a Branch,
    /// The backups.
    pub(crate) backups: Vec<&'a Backup>,
    /// The fork, if the base is known and has one.
    pub(crate) fork: Option<Fork<'a>>,
}

/// The state that a rollback goes back to.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    /// The state in which the branch was first entered.
    BranchPoint(&'a Backup),
    /// The newest backup that is certainly older than the branch, whose earliest sign is at this
    /// moment.
    Before(&'a Backup, DateTime<FixedOffset>),
    /// None is certain, and why.
    None(Why),
}

/// Why no backup is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The branch is merged: the states before and after it cannot be distinguished.
    Merged,
    /// Its base is not known.
    NoBase,
    /// Nothing shows when it began.
    NoSign,
    /// No backup is old enough.
    NoneBefore,
    /// The last step before it was a restore of a backup that is not certain.
    RestoredSince,
}

/// Chooses the backup.
#[must_use]
pub(crate) fn choose<'a>(facts: &Facts<'a>) -> Target<'a> {
    let is_point = |backup: &&&Backup| {
        facts.branch.is_entered_by(backup) && backup.kind() != Some(Kind::Safety)
    };
    if let Some(point) = facts.backups.iter().find(is_point) {
        return Target::BranchPoint(point);
    }
    let Some(fork) = &facts.fork else {
        return Target::None(Why::NoBase);
    };
    if is_merged(facts.branch, fork) {
        return Target::None(Why::Merged);
    }
    let Some(sign) = earliest_sign(facts, fork) else {
        return Target::None(Why::NoSign);
    };
    let known = RefCell::new(BTreeMap::<String, bool>::new());
    let is_of_fork = |commit: &str| {
        let mut known = known.borrow_mut();
        *known.entry(commit.to_owned()).or_insert_with(|| (fork.has)(commit))
    };
    let is_certain = |backup: &Backup| {
        let commit = backup.record().and_then(|record| record.git.as_ref()?.commit.as_deref());
        let is_its_own = branch_point::branch_of(backup).is_some_and(|b| facts.branch.is_called(b));
        backup.kind().is_some_and(|kind| kind != Kind::Safety)
            && backup.state() != State::Damaged
            && !is_its_own
            && backup.created_at < sign
            && commit.is_some_and(is_of_fork)
    };
    for backup in &facts.backups {
        if is_certain(backup) {
            return Target::Before(backup, sign);
        }
        // A restore put another backup's content there, later than any backup that is older still.
        let replaced_by = backup.record().and_then(|record| record.replaced_by.as_ref());
        if let Some(name) = replaced_by.filter(|_| backup.created_at < sign) {
            let restored = facts.backups.iter().find(|other| other.name.to_string() == *name);
            return match restored.filter(|restored| is_certain(restored)) {
                Some(restored) => Target::Before(restored, sign),
                None => Target::None(Why::RestoredSince),
            };
        }
    }
    Target::None(Why::NoneBefore)
}

/// Whether all commits of the branch are in its base, though it once had commits of its own. A
/// branch that never had any is just new.
fn is_merged(branch: &Branch, fork: &Fork<'_>) -> bool {
    fork.commit == fork.tip && branch.has_own_commits() != Some(false)
}

/// The earliest moment at which the branch is known to have existed; `None` if git does not show
/// when it began, because later signs prove nothing then.
fn earliest_sign(facts: &Facts<'_>, fork: &Fork<'_>) -> Option<DateTime<FixedOffset>> {
    let branch = facts.branch;
    let first_entry = branch.entries().map(|entry| entry.at).min();
    let is_whole = branch.head.0.first().is_some_and(Entry::is_creation);
    if branch.creation().is_none() && !(is_whole && first_entry.is_some()) {
        return None;
    }
    let on_it = facts.backups.iter().filter(|backup| branch.is_home_of(backup));
    let first_backup = on_it.map(|backup| backup.created_at).min();
    let created_at = branch.created_at();
    let signs = [first_backup, created_at, first_entry, fork.first_commit_at];
    let earliest = signs.into_iter().flatten().min()?;
    // Git keeps whole seconds: an event in the same second as the creation is not earlier.
    match created_at {
        Some(created) if created - earliest < TimeDelta::seconds(1) => {
            Some(first_backup.map_or(created, |backup| backup.min(created)))
        }
        _ => Some(earliest),
    }
}
