//! Which backup holds the database as it was when a branch was entered.
//!
//! Its branch point, where a hook took one. Otherwise a guess that never errs towards a newer state:
//! a commit says nothing of what the database held, so a backup must be older than every sign of the
//! branch *and* taken at a commit that the branch has from its base. Pure: what git and the backups
//! folder say comes in as values.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, TimeDelta};

use crate::backup::{Backup, State};
use crate::branching::{self, Branch};
use crate::record::Kind;

/// What git says of a branch and its base.
pub(crate) struct Fork<'a> {
    /// Where the branch left its base.
    pub(crate) commit: String,
    /// Its tip.
    pub(crate) tip: String,
    /// The committer date of its first own commit.
    pub(crate) first_commit_at: Option<DateTime<FixedOffset>>,
    /// Whether a commit is an ancestor of the fork, or the fork itself.
    pub(crate) has: Box<dyn Fn(&str) -> bool + 'a>,
}

/// What is known before a rollback. Backups are those of one database and work tree, newest first.
pub(crate) struct Facts<'a> {
    /// The branch.
    pub(crate) branch: &'a Branch,
    /// When it was created, as precisely as is known.
    pub(crate) created_at: Option<DateTime<FixedOffset>>,
    /// The backups.
    pub(crate) backups: Vec<&'a Backup>,
    /// The fork, where the base is known and has one.
    pub(crate) fork: Option<Fork<'a>>,
}

/// What a rollback goes back to.
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
    /// The branch is merged: what was before it cannot be told from what came after.
    Merged,
    /// Its base is not known.
    NoBase,
    /// Nothing tells when it began.
    NoSign,
    /// No backup is old enough.
    NoneBefore,
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
    let is_before = |backup: &&&Backup| {
        let commit = backup.record().and_then(|record| record.git.as_ref()?.commit.as_deref());
        backup.kind().is_some_and(|kind| kind != Kind::Safety)
            && backup.state() != State::Damaged
            && branching::branch_of(backup) != Some(&facts.branch.name)
            && backup.created_at < sign
            && commit.is_some_and(is_of_fork)
    };
    match facts.backups.iter().find(is_before) {
        Some(backup) => Target::Before(backup, sign),
        None => Target::None(Why::NoneBefore),
    }
}

/// Whether all that the branch has is in its base, though it once had something of its own. A branch
/// without any commit of its own is just new.
fn is_merged(branch: &Branch, fork: &Fork<'_>) -> bool {
    let is_untouched = branch.creation().is_some_and(|creation| creation.new == fork.tip);
    fork.commit == fork.tip && !is_untouched
}

/// The earliest moment at which the branch is known to have been there.
fn earliest_sign(facts: &Facts<'_>, fork: &Fork<'_>) -> Option<DateTime<FixedOffset>> {
    let on_it = facts.backups.iter().filter(|backup| facts.branch.is_home_of(backup));
    let first_backup = on_it.map(|backup| backup.created_at).min();
    let first_entry = facts.branch.entries().map(|entry| entry.at).min();
    let signs = [first_backup, facts.created_at, first_entry, fork.first_commit_at];
    let earliest = signs.into_iter().flatten().min()?;
    // Git keeps whole seconds: what it says of the very second of the creation is no earlier.
    match facts.created_at {
        Some(created) if created - earliest < TimeDelta::seconds(1) => {
            Some(first_backup.map_or(created, |backup| backup.min(created)))
        }
        _ => Some(earliest),
    }
}
