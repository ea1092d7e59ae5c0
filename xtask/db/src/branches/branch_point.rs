//! Branches and the database: whether a branch was entered before, and which checkpoint is its
//! branch point.
//!
//! This is pure: what git and the backups folder contain comes in as values. A name alone is not
//! enough, because a deleted branch may be created again under the same name; the beginning of its
//! reflog distinguishes the two.

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::git::branch::{Branch, Leaving};
use crate::git::recorded::Enters;
use crate::git::reflog::{Entry, Move, Reflog};

impl Leaving<'_> {
    /// Whether the hook took a backup at this checkout.
    fn took(&self, backup: &Backup) -> bool {
        let left = backup.record().and_then(|record| record.git.as_ref()?.left.as_ref());
        left.is_some_and(|left| *left == self.entry.identity())
    }
}

impl Branch {
    /// Whether a backup was taken on it, under this name or an earlier one.
    #[must_use]
    pub(crate) fn is_home_of(&self, backup: &Backup) -> bool {
        let Some(branch) = branch_of(backup).filter(|_| self.is_of_this_creation(backup)) else {
            return false;
        };
        self.was_called(branch, backup.created_at)
    }

    /// Whether a backup was taken since the branch was created: by the branch in its record, else
    /// by its time, which misleads if the clock was set back in between.
    fn is_of_this_creation(&self, backup: &Backup) -> bool {
        let then = backup.record().and_then(|record| record.git.as_ref()?.branch_created.as_ref());
        match (then, self.created()) {
            (Some(then), Some(now)) => *then == now && !self.is_born_after(backup),
            _ => self.is_own_time(backup.created_at),
        }
    }

    /// Whether a backup is the branch point of this branch, and not of an older one with the same
    /// name.
    #[must_use]
    pub(crate) fn is_entered_by(&self, backup: &Backup) -> bool {
        let Some(enters) = backup.record().and_then(|record| record.enters.as_ref()) else {
            return false;
        };
        let is_same = match (&enters.created, self.created()) {
            (Some(then), Some(now)) => *then == now && !self.is_born_after(backup),
            _ => true,
        };
        self.is_called(&enters.branch) && is_same
    }

    /// Whether a backup was taken in the second of the creation and before it: it belongs to a branch
    /// of the same name that was deleted in that second.
    fn is_born_after(&self, backup: &Backup) -> bool {
        let Some((since, born)) = self.since().zip(self.created_at()) else {
            return false;
        };
        backup.created_at >= since && backup.created_at < born
    }

    /// Whether the last checkout in HEAD's reflog, from one commit to another, entered the branch
    /// for the first time in this worktree, according to the backups of one database in it.
    #[must_use]
    pub(crate) fn is_new(&self, backups: &[&Backup], old: &str, new: &str) -> bool {
        if backups.iter().any(|backup| self.is_entered_by(backup)) {
            return false;
        }
        let is_home = backups.iter().any(|backup| self.is_home_of(backup));
        let Some((last, earlier)) = self.head.0.split_last() else {
            // Without a reflog only a branch that is created here and now is certainly new.
            return old == new && !is_home;
        };
        if self.is_made_at(last.at) {
            return true;
        }
        let concerns = |index: &usize| self.is_entry(*index) || self.is_exit(*index);
        let is_own = |index: usize| self.is_own_time(earlier[index].at);
        let was_here = (0..earlier.len()).filter(concerns).any(is_own);
        // HEAD began on the branch that the repository, or this work tree, was made with.
        let first_move = self.head.0.iter().position(|entry| entry.moved().is_some());
        let began_here = first_move.is_some_and(|first| {
            self.is_exit(first) && self.since().is_none_or(|since| since <= self.head.0[0].at)
        });
        !was_here && !began_here && !is_home
    }
}

/// Whether a backup can have the state in which the branch was last left in this work tree: nothing
/// that was taken before that moment can. Without a reflog, that moment is unknown. If the clock
/// was set back before, times mean nothing: then only the hook's checkpoint at that moment counts.
#[must_use]
pub(crate) fn is_what_was_left(branch: &Branch, backup: &Backup) -> bool {
    let Some(leaving) = branch.leaving() else { return true };
    let is_later = backup.created_at.timestamp() >= leaving.entry.at.timestamp();
    leaving.took(backup) || is_later && !leaving.clock_ran_back
}

/// The branch that a backup was taken on.
#[must_use]
pub(crate) fn branch_of(backup: &Backup) -> Option<&String> {
    backup.record()?.git.as_ref()?.branch.as_ref()
}

/// The last state of the database on a branch: the checkpoint of the hook when this work tree last
/// left it, else the newest backup on it that is not a safety backup. `backups` are newest first.
///
/// The two differ only if the clock was set back before the branch was left, or no hook ran then.
#[must_use]
pub(crate) fn last_on<'a>(branch: &Branch, backups: &[&'a Backup]) -> Option<&'a Backup> {
    let is_state =
        |backup: &&&Backup| branch.is_home_of(backup) && backup.kind() != Some(Kind::Safety);
    let states = || backups.iter().filter(is_state).copied();
    let leaving = branch.leaving();
    let taken = leaving.and_then(|leaving| states().find(|backup| leaving.took(backup)));
    taken.or_else(|| states().next())
}

/// The state at the end of a checkout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// The branch; `None` if HEAD is detached.
    pub(crate) branch: Option<&'a str>,
    /// The commit.
    pub(crate) commit: &'a str,
}

/// The branch that was left, according to HEAD's reflog or to the branch that was seen last.
#[must_use]
pub(crate) fn left(
    head: &Reflog,
    arrival: Arrival<'_>,
    last_seen: Option<&str>,
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    let said = head.0.last().filter(|entry| entry.new == arrival.commit).and_then(Entry::moved);
    let is_it = |moved: &Move<'_>| arrival.branch.is_none_or(|entered| entered == moved.to);
    let Some(moved) = said.filter(is_it) else {
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
