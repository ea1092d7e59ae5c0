//! Branches and the database: whether one was entered before, and which checkpoint is its branch
//! point.
//!
//! Pure: what git and the backups folder say comes in as values. A name alone tells little, because a
//! deleted branch may be made again under the same name; how its reflog begins tells them apart.

use chrono::{DateTime, FixedOffset};

use crate::backup::Backup;
use crate::git::history::{Entry, Reflog};
use crate::record::{Enters, Kind};

/// What is known of one branch.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// Its name.
    pub(crate) name: String,
    /// Its reflog, empty where git keeps none or the branch is gone.
    pub(crate) reflog: Reflog,
    /// The reflog of this work tree's HEAD.
    pub(crate) head: Reflog,
}

impl Branch {
    /// The entry of its reflog with which it began, where that is kept.
    #[must_use]
    pub(crate) fn creation(&self) -> Option<&Entry> {
        self.reflog.0.first().filter(|entry| entry.is_creation())
    }

    /// How its reflog begins, as a record keeps it.
    #[must_use]
    pub(crate) fn created(&self) -> Option<String> {
        self.creation().map(|entry| format!("{} {}", entry.new, entry.at.timestamp()))
    }

    /// Since when the name means this branch and not an older one.
    fn since(&self) -> Option<DateTime<FixedOffset>> {
        self.creation().map(|entry| entry.at)
    }

    fn is_own_time(&self, at: DateTime<FixedOffset>) -> bool {
        self.since().is_none_or(|since| at >= since)
    }

    /// The checkouts of this work tree that led to it, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let leads_here = |entry: &&Entry| entry.moved().is_some_and(|moved| moved.to == self.name);
        self.head.0.iter().filter(leads_here).filter(|entry| self.is_own_time(entry.at))
    }

    /// Whether a backup was taken on it.
    #[must_use]
    pub(crate) fn is_home_of(&self, backup: &Backup) -> bool {
        branch_of(backup) == Some(&self.name) && self.is_own_time(backup.created_at)
    }

    /// Whether a backup is the branch point of this branch, and not of an older one of its name.
    #[must_use]
    pub(crate) fn is_entered_by(&self, backup: &Backup) -> bool {
        let Some(enters) = backup.record().and_then(|record| record.enters.as_ref()) else {
            return false;
        };
        match (&enters.created, self.created()) {
            // A renamed branch keeps its reflog.
            (Some(then), Some(now)) => *then == now,
            _ => enters.branch == self.name,
        }
    }

    /// Whether the checkout that HEAD's reflog ends with entered it for the first time in this work
    /// tree, going by the backups of one database in it.
    #[must_use]
    pub(crate) fn is_new(&self, backups: &[&Backup]) -> bool {
        if backups.iter().any(|backup| self.is_entered_by(backup)) {
            return false;
        }
        let Some((last, earlier)) = self.head.0.split_last() else {
            return !backups.iter().any(|backup| self.is_home_of(backup));
        };
        if self.reflog.0.len() == 1 && self.since() == Some(last.at) {
            // Made by this very checkout, or in the same second.
            return true;
        }
        let concerns = |entry: &&Entry| {
            let moved = entry.moved();
            moved.is_some_and(|moved| moved.to == self.name || moved.from == self.name)
        };
        let was_here = earlier.iter().filter(concerns).any(|entry| self.is_own_time(entry.at));
        // HEAD began on the branch that the repository, or this work tree, was made with.
        let began_here = self.head.0.iter().find_map(Entry::moved).is_some_and(|first| {
            first.from == self.name && self.since().is_none_or(|since| since <= self.head.0[0].at)
        });
        !was_here && !began_here && !backups.iter().any(|backup| self.is_home_of(backup))
    }
}

/// The branch that a backup was taken on.
#[must_use]
pub(crate) fn branch_of(backup: &Backup) -> Option<&String> {
    backup.record()?.git.as_ref()?.branch.as_ref()
}

/// The last state of the database on a branch: the newest backup that was taken on it and is no
/// safety backup. `backups` are newest first.
#[must_use]
pub(crate) fn last_on<'a>(branch: &Branch, backups: &[&'a Backup]) -> Option<&'a Backup> {
    let is_last =
        |backup: &&&Backup| branch.is_home_of(backup) && backup.kind() != Some(Kind::Safety);
    backups.iter().find(is_last).copied()
}

/// The branch that HEAD's reflog, or what was seen last, says was left.
#[must_use]
pub(crate) fn left(
    head: &Reflog,
    (entered, commit): (Option<&str>, &str),
    last_seen: Option<&str>,
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    let said = head.0.last().filter(|entry| entry.new == commit).and_then(Entry::moved);
    let Some(moved) = said.filter(|moved| entered.is_none_or(|entered| entered == moved.to)) else {
        // An orphan is not in the reflog, and some repositories keep none.
        return last_seen.map(str::to_owned);
    };
    let is_branch = exists(moved.from) || last_seen == Some(moved.from);
    is_branch.then(|| moved.from.to_owned())
}

/// The branch point that a checkpoint becomes.
#[must_use]
pub(crate) fn enters(branch: &Branch, base: Option<String>, commit: Option<String>) -> Enters {
    Enters {
        branch: branch.name.clone(),
        base,
        commit,
        created: branch.created(),
        unknown: serde_json::Map::new(),
    }
}
