//! One branch according to git's reflogs: its names, its creation, how it was entered and left.
//!
//! A name alone is not enough, because a deleted branch may be created again under the same name;
//! the beginning of its reflog distinguishes the two.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use crate::git::recorded::Enters;
use crate::git::reflog::{Entry, Reflog};
use crate::git::repository::Place;

/// One branch, as far as the reflogs show it.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// Its name.
    pub(crate) name: String,
    /// How it was renamed, the latest renaming first.
    renamings: Vec<Renaming>,
    /// Its reflog, empty if git keeps none or the branch is gone.
    pub(crate) reflog: Reflog,
    /// The reflog of this work tree's HEAD.
    pub(crate) head: Reflog,
    /// Time at which its reflog was created, if the file system has it more precisely than git.
    born: Option<DateTime<FixedOffset>>,
}

/// A change of a branch's name.
#[derive(Debug, Clone)]
struct Renaming {
    /// The name before.
    from: String,
    /// When, to the second.
    at: DateTime<FixedOffset>,
    /// Its last line in HEAD's reflog; `None` if the branch was not checked out here then.
    in_head: Option<usize>,
}

impl Renaming {
    /// Whether a line of HEAD's reflog can be earlier.
    fn can_follow(&self, index: usize, entry: &Entry) -> bool {
        self.in_head.map_or(entry.at <= self.at, |renaming| index < renaming)
    }

    /// Whether a line of HEAD's reflog can be later.
    fn can_precede(&self, index: usize, entry: &Entry) -> bool {
        self.in_head.map_or(entry.at >= self.at, |renaming| index > renaming)
    }

    /// The renamings that led to a name, the latest first: a branch's own reflog has them all, and
    /// HEAD's has some of a branch that is gone.
    fn all_to(name: &str, reflog: &Reflog, head: &Reflog) -> Vec<Self> {
        let known = if reflog.0.is_empty() { head } else { reflog };
        let (mut found, mut current, mut end) = (Vec::new(), name.to_owned(), head.0.len());
        for entry in known.0.iter().rev() {
            let Some((from, _)) = entry.renamed().filter(|(_, to)| *to == current) else {
                continue;
            };
            let is_same = |line: &Entry| line.renamed() == entry.renamed() && line.at == entry.at;
            let in_head = head.0[..end].iter().rposition(is_same);
            end = in_head.unwrap_or(end);
            from.clone_into(&mut current);
            found.push(Self { from: current.clone(), at: entry.at, in_head });
        }
        found
    }
}

/// The checkout with which a branch was left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving<'a> {
    /// Its line in the reflog of HEAD.
    pub(crate) entry: &'a Entry,
    /// Whether an earlier line has a later time.
    pub(crate) clock_ran_back: bool,
}

impl Branch {
    /// A branch according to git's reflogs.
    #[must_use]
    pub(crate) fn new(
        name: String,
        reflog: Reflog,
        head: Reflog,
        born: Option<DateTime<FixedOffset>>,
    ) -> Self {
        let renamings = Renaming::all_to(&name, &reflog, &head);
        Self { name, renamings, reflog, head, born }
    }

    /// The entry of its reflog with which it began, if that is kept: its creation, or the last time
    /// that it was started again (`git switch -C`, `git branch -f`).
    #[must_use]
    pub(crate) fn creation(&self) -> Option<&Entry> {
        self.reflog.creation()
    }

    /// How its reflog begins, as a record keeps it.
    #[must_use]
    pub(crate) fn created(&self) -> Option<String> {
        self.reflog.created()
    }

    /// The time at which it was created, as precisely as it is known.
    #[must_use]
    pub(crate) fn created_at(&self) -> Option<DateTime<FixedOffset>> {
        let creation = self.creation()?.at;
        let is_same = |born: &DateTime<FixedOffset>| {
            *born >= creation && *born - creation < TimeDelta::seconds(1)
        };
        Some(self.born.filter(is_same).unwrap_or(creation))
    }

    /// Whether it ever had a commit of its own; `None` if its reflog does not show it.
    #[must_use]
    pub(crate) fn has_own_commits(&self) -> Option<bool> {
        let creation = self.reflog.0.iter().rposition(|e| e.is_creation() || e.is_restart())?;
        Some(self.reflog.0[creation..].iter().any(Entry::is_commit))
    }

    /// Whether a name is, or was, this branch's.
    #[must_use]
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.renamings.iter().any(|renaming| renaming.from == name)
    }

    /// Whether a name was this branch's at a moment. An earlier name may be another branch's by now;
    /// git keeps whole seconds.
    #[must_use]
    pub(crate) fn was_called(&self, name: &str, at: DateTime<FixedOffset>) -> bool {
        let had_it =
            |renaming: &Renaming| renaming.from == name && at < renaming.at + TimeDelta::seconds(1);
        self.name == name || self.renamings.iter().any(had_it)
    }

    /// Whether a name was this branch's at a line of HEAD's reflog.
    fn is_called_at(&self, index: usize, name: &str) -> bool {
        let entry = &self.head.0[index];
        let mut current = &self.name;
        for renaming in &self.renamings {
            if current == name && renaming.can_precede(index, entry) {
                return true;
            }
            if !renaming.can_follow(index, entry) {
                return false;
            }
            current = &renaming.from;
        }
        current == name
    }

    /// Whether a line of HEAD's reflog is a checkout that entered the branch.
    pub(crate) fn is_entry(&self, index: usize) -> bool {
        let moved = self.head.0[index].moved();
        moved.is_some_and(|moved| self.is_called_at(index, moved.to))
    }

    /// Whether a line of HEAD's reflog is a checkout that left the branch.
    pub(crate) fn is_exit(&self, index: usize) -> bool {
        let moved = self.head.0[index].moved();
        moved.is_some_and(|moved| self.is_called_at(index, moved.from))
    }

    /// Whether it was created from another branch in this second and nothing was done on it since: by
    /// this very checkout, then. The branch of a repository's first commit is made by a commit, or a
    /// clone.
    pub(crate) fn is_made_at(&self, at: DateTime<FixedOffset>) -> bool {
        let [creation] = self.reflog.0.as_slice() else { return false };
        creation.is_branching() && creation.at == at
    }

    /// Since when the name means this branch and not an older one.
    pub(crate) fn since(&self) -> Option<DateTime<FixedOffset>> {
        self.creation().map(|entry| entry.at)
    }

    pub(crate) fn is_own_time(&self, at: DateTime<FixedOffset>) -> bool {
        self.since().is_none_or(|since| at >= since)
    }

    /// The checkouts of this work tree that led to it, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let lines = self.head.0.iter().enumerate();
        lines
            .filter(|(index, entry)| self.is_entry(*index) && self.is_own_time(entry.at))
            .map(|(_, entry)| entry)
    }

    /// How this work tree last went from it to another branch.
    #[must_use]
    pub(crate) fn leaving(&self) -> Option<Leaving<'_>> {
        // A reflog is in true order. If the clock was set back, an entry is later than its recorded time:
        // not before the latest time above it.
        let (mut latest, mut leaving) = (None, None);
        for (index, entry) in self.head.0.iter().enumerate() {
            latest = latest.max(Some(entry.at));
            if self.is_exit(index) && latest.is_some_and(|latest| self.is_own_time(latest)) {
                leaving = Some(Leaving { entry, clock_ran_back: latest > Some(entry.at) });
            }
        }
        leaving
    }

    /// The time at which this worktree last switched from it to another branch, by the clock of
    /// that moment.
    #[must_use]
    pub(crate) fn left_at(&self) -> Option<DateTime<FixedOffset>> {
        self.leaving().map(|leaving| leaving.entry.at)
    }
}

impl Place {
    /// Collects what the reflogs contain about a branch.
    #[must_use]
    pub(crate) fn branch_named(&self, name: &str) -> Branch {
        let made = fs_err::metadata(self.reflog_file(name)).and_then(|file| file.created());
        let born = made.ok().map(|made| DateTime::<Utc>::from(made).fixed_offset());
        Branch::new(name.to_owned(), self.reflog(name), self.head_reflog(), born)
    }

    /// Whether the branch that a branch point belongs to exists, under that name or another, and is
    /// not merged. A branch without commits of its own is not merged, nor is one that is checked
    /// out.
    #[must_use]
    pub(crate) fn is_unmerged(&self, enters: &Enters) -> bool {
        let Some(branch) = self.branch_of(enters) else {
            return false;
        };
        // A branch that was entered at its tip has nothing of its own yet, or was begun again.
        enters.commit.is_some() && enters.commit == self.tip(&branch.name)
            || self.is_open(&branch, enters.base.as_deref())
    }

    /// Whether a branch exists and is not merged into `base`, or the usual base. A branch without
    /// commits of its own is not merged, nor is one that is checked out.
    #[must_use]
    pub(crate) fn is_open(&self, branch: &Branch, base: Option<&str>) -> bool {
        let Some(tip) = self.tip(&branch.name) else {
            return false;
        };
        if branch.has_own_commits() == Some(false) || self.is_checked_out(&branch.name) {
            return true;
        }
        let base = base.filter(|base| self.tip(base).is_some()).map(str::to_owned);
        let base = base.or_else(|| self.usual_base()).filter(|base| *base != branch.name);
        base.is_none_or(|base| !self.is_ancestor(&tip, &base))
    }

    /// The branch that was entered then: a renamed one keeps its reflog, and a new one of the same
    /// name has another.
    fn branch_of(&self, enters: &Enters) -> Option<Branch> {
        let named = self.branch_named(&enters.branch);
        let is_same = |branch: &Branch| match (&enters.created, branch.created()) {
            (Some(then), Some(now)) => *then == now,
            // Git has forgotten how it began.
            _ => true,
        };
        if self.tip(&named.name).is_some() && is_same(&named) {
            return Some(named);
        }
        let branches = self.branches();
        let mut branches = branches.iter().map(|name| self.branch_named(name));
        branches.find(|branch| branch.is_called(&enters.branch) && is_same(branch))
    }
}
