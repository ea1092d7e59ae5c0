//! Branches and the database: whether one was entered before, and which checkpoint is its branch
//! point.
//!
//! Pure: what git and the backups folder say comes in as values. A name alone tells little, because a
//! deleted branch may be made again under the same name; how its reflog begins tells them apart.

use chrono::{DateTime, FixedOffset, TimeDelta};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::record::Enters;
use crate::git::reflog::{Entry, Reflog};

/// What is known of one branch.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// Its name.
    pub(crate) name: String,
    /// The names it had before, the latest first, each with the moment of the renaming.
    earlier: Vec<(String, DateTime<FixedOffset>)>,
    /// Its reflog, empty where git keeps none or the branch is gone.
    pub(crate) reflog: Reflog,
    /// The reflog of this work tree's HEAD.
    pub(crate) head: Reflog,
    /// When its reflog was made, where the file system remembers that more precisely than git.
    born: Option<DateTime<FixedOffset>>,
}

/// The checkout with which a branch was left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving<'a> {
    /// Its line in the reflog of HEAD.
    pub(crate) entry: &'a Entry,
    /// Whether an earlier line bears a later time.
    clock_ran_back: bool,
}

impl Leaving<'_> {
    /// Whether the hook took a backup at this checkout.
    fn took(&self, backup: &Backup) -> bool {
        let left = backup.record().and_then(|record| record.git.as_ref()?.left.as_ref());
        left.is_some_and(|left| *left == self.entry.identity())
    }
}

impl Branch {
    /// A branch by what git's reflogs say of it.
    #[must_use]
    pub(crate) fn new(
        name: String,
        (reflog, head): (Reflog, Reflog),
        born: Option<DateTime<FixedOffset>>,
    ) -> Self {
        let mut renamings: Vec<(&str, &str, DateTime<FixedOffset>)> = Vec::new();
        for entry in reflog.0.iter().chain(&head.0) {
            if let Some((from, to)) = entry.renamed() {
                renamings.push((from, to, entry.at));
            }
        }
        renamings.sort_by_key(|(.., at)| std::cmp::Reverse(*at));
        let (mut earlier, mut current) = (Vec::new(), name.clone());
        for (from, to, at) in renamings {
            if to == current {
                from.clone_into(&mut current);
                earlier.push((current.clone(), at));
            }
        }
        Self { name, earlier, reflog, head, born }
    }

    /// The entry of its reflog with which it began, where that is kept: its creation, or the last time
    /// that it was started anew (`git switch -C`, `git branch -f`).
    #[must_use]
    pub(crate) fn creation(&self) -> Option<&Entry> {
        self.reflog.creation()
    }

    /// How its reflog begins, as a record keeps it.
    #[must_use]
    pub(crate) fn created(&self) -> Option<String> {
        self.reflog.created()
    }

    /// When it was created, as precisely as is known.
    #[must_use]
    pub(crate) fn created_at(&self) -> Option<DateTime<FixedOffset>> {
        let creation = self.creation()?.at;
        let is_same = |born: &DateTime<FixedOffset>| {
            *born >= creation && *born - creation < TimeDelta::seconds(1)
        };
        Some(self.born.filter(is_same).unwrap_or(creation))
    }

    /// Whether anything was ever committed on it; `None` where its reflog does not tell.
    #[must_use]
    pub(crate) fn has_own_commits(&self) -> Option<bool> {
        let creation = self.reflog.0.iter().rposition(|e| e.is_creation() || e.is_restart())?;
        Some(self.reflog.0[creation..].iter().any(Entry::is_commit))
    }

    /// Whether a name is, or was, this branch's.
    #[must_use]
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.earlier.iter().any(|(earlier, _)| earlier == name)
    }

    /// Whether it was made from another branch in this second and nothing was done on it since: by this
    /// very checkout, then. The branch of a repository's first commit is made by a commit, or a clone.
    fn is_made_at(&self, at: DateTime<FixedOffset>) -> bool {
        let [creation] = self.reflog.0.as_slice() else { return false };
        creation.is_branching() && creation.at == at
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
        let leads_here = |entry: &&Entry| entry.moved().is_some_and(|m| self.is_called(m.to));
        self.head.0.iter().filter(leads_here).filter(|entry| self.is_own_time(entry.at))
    }

    /// How this work tree last went from it to another branch.
    #[must_use]
    pub(crate) fn leaving(&self) -> Option<Leaving<'_>> {
        let leaves = |entry: &Entry| {
            let moved = entry.moved();
            moved.is_some_and(|moved| self.is_called(moved.from) && !self.is_called(moved.to))
        };
        // A reflog is in true order. If the clock was set back, an entry is later than its time says:
        // not before the latest time above it.
        let (mut latest, mut leaving) = (None, None);
        for entry in &self.head.0 {
            latest = latest.max(Some(entry.at));
            if leaves(entry) && latest.is_some_and(|latest| self.is_own_time(latest)) {
                leaving = Some(Leaving { entry, clock_ran_back: latest > Some(entry.at) });
            }
        }
        leaving
    }

    /// When this work tree last went from it to another branch, by the clock of that moment.
    #[must_use]
    pub(crate) fn left_at(&self) -> Option<DateTime<FixedOffset>> {
        self.leaving().map(|leaving| leaving.entry.at)
    }

    /// Whether a backup was taken on it, under this name or an earlier one.
    #[must_use]
    pub(crate) fn is_home_of(&self, backup: &Backup) -> bool {
        let Some(branch) = branch_of(backup).filter(|_| self.is_of_this_creation(backup)) else {
            return false;
        };
        // The earlier name may be another branch's by now; git keeps whole seconds.
        let was_called = |(name, until): &(String, DateTime<FixedOffset>)| {
            name == branch && backup.created_at < *until + TimeDelta::seconds(1)
        };
        *branch == self.name || self.earlier.iter().any(was_called)
    }

    /// Whether a backup was taken since the branch was created: by what its record says of the branch,
    /// else by its time, which misleads if the clock was set back in between.
    fn is_of_this_creation(&self, backup: &Backup) -> bool {
        let then = backup.record().and_then(|record| record.git.as_ref()?.branch_created.as_ref());
        match (then, self.created()) {
            (Some(then), Some(now)) => *then == now && !self.is_born_after(backup),
            _ => self.is_own_time(backup.created_at),
        }
    }

    /// Whether a backup is the branch point of this branch, and not of an older one of its name.
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

    /// Whether the checkout that HEAD's reflog ends with, from one commit to another, entered it for
    /// the first time in this work tree, going by the backups of one database in it.
    #[must_use]
    pub(crate) fn is_new(&self, backups: &[&Backup], (old, new): (&str, &str)) -> bool {
        if backups.iter().any(|backup| self.is_entered_by(backup)) {
            return false;
        }
        let is_home = backups.iter().any(|backup| self.is_home_of(backup));
        let Some((last, earlier)) = self.head.0.split_last() else {
            // Without a reflog only a branch that is made here and now is certainly new.
            return old == new && !is_home;
        };
        if self.is_made_at(last.at) {
            return true;
        }
        let concerns = |entry: &&Entry| {
            let moved = entry.moved();
            moved.is_some_and(|moved| self.is_called(moved.to) || self.is_called(moved.from))
        };
        let was_here = earlier.iter().filter(concerns).any(|entry| self.is_own_time(entry.at));
        // HEAD began on the branch that the repository, or this work tree, was made with.
        let began_here = self.head.0.iter().find_map(Entry::moved).is_some_and(|first| {
            self.is_called(first.from)
                && self.since().is_none_or(|since| since <= self.head.0[0].at)
        });
        !was_here && !began_here && !is_home
    }
}

/// Whether a backup can be what the database was when the branch was last left in this work tree:
/// nothing taken before that moment is. Without a reflog nobody knows better. Times mean nothing if
/// the clock was set back before: then only what the hook took at that moment is.
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

/// The last state of the database on a branch: what the hook took when this work tree last left it,
/// else the newest backup that was taken on it and is no safety backup. `backups` are newest first.
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
