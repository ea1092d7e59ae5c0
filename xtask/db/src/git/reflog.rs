//! The history of branches: reflogs, merge bases, ancestors.
//!
//! A commit does not show when a branch was entered. Reflogs do, as long as git keeps them (90
//! days, <https://git-scm.com/docs/git-reflog>).

use std::path::{Path, PathBuf};

use chrono::{DateTime, FixedOffset, Utc};

use crate::git::repository::{Place, ask};

/// One line of a reflog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The commit before; all zeros if there was none.
    pub(crate) old: String,
    /// The commit after.
    pub(crate) new: String,
    /// When, to the second.
    pub(crate) at: DateTime<FixedOffset>,
    /// Git's message.
    pub(crate) said: String,
}

/// The reflog of a branch or of HEAD, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reflog(pub(crate) Vec<Entry>);

/// A checkout that went from one branch to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move<'a> {
    /// The name that was left: a branch, or the name of a detached HEAD.
    pub(crate) from: &'a str,
    /// The name that was entered.
    pub(crate) to: &'a str,
}

impl Entry {
    /// The line of a reflog file: `OLD NEW Name <mail> SECONDS ZONE<tab>MESSAGE`.
    fn parse(line: &str) -> Option<Self> {
        let (who, said) = line.split_once('\t').unwrap_or((line, ""));
        let mut words = who.split(' ');
        let (old, new) = (words.next()?, words.next()?);
        let mut last = who.rsplit(' ');
        let (zone, seconds) = (last.next()?, last.next()?);
        let moment: DateTime<Utc> = DateTime::from_timestamp(seconds.parse().ok()?, 0)?;
        let zone: i32 = zone.parse().ok()?;
        let offset = FixedOffset::east_opt((zone / 100 * 60 + zone % 100) * 60)?;
        Some(Self {
            old: old.to_owned(),
            new: new.to_owned(),
            at: moment.with_timezone(&offset),
            said: said.to_owned(),
        })
    }

    /// The identity of this line, which distinguishes it from the others of its reflog; records
    /// contain it.
    pub(crate) fn identity(&self) -> String {
        format!("{} {} {}", self.old, self.new, self.at.timestamp())
    }

    /// Whether nothing was before: the branch was created here.
    pub(crate) fn is_creation(&self) -> bool {
        self.old.bytes().all(|byte| byte == b'0')
    }

    /// Whether a branch was created from an existing commit.
    pub(crate) fn is_branching(&self) -> bool {
        self.is_creation() && self.said.starts_with("branch: Created from ")
    }

    /// Whether the branch was started again, from another commit.
    pub(crate) fn is_restart(&self) -> bool {
        self.said.starts_with("branch: Reset to ")
    }

    /// Whether something was committed here.
    pub(crate) fn is_commit(&self) -> bool {
        const ACTS: [&str; 5] = ["commit", "cherry-pick", "revert", "am", "rebase"];
        let act = self.said.split([' ', ':']).next().unwrap_or_default();
        ACTS.contains(&act) || self.said.contains("(finish)")
    }

    /// The old and the new name, if the branch was renamed here.
    pub(crate) fn renamed(&self) -> Option<(&str, &str)> {
        let names = self.said.strip_prefix("Branch: renamed refs/heads/")?;
        names.split_once(" to refs/heads/")
    }

    /// The move between branches that this was; `None` for anything else.
    pub(crate) fn moved(&self) -> Option<Move<'_>> {
        let (from, to) = self.said.strip_prefix("checkout: moving from ")?.split_once(" to ")?;
        Some(Move { from, to })
    }
}

impl Reflog {
    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(Entry::parse).collect())
    }

    /// The line with which a branch began: its creation, or the last time that it was started
    /// again.
    pub(crate) fn creation(&self) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.is_creation() || entry.is_restart())
    }

    /// How the reflog of a branch begins, as a record keeps it.
    pub(crate) fn created(&self) -> Option<String> {
        self.creation().map(|entry| format!("{} {}", entry.new, entry.at.timestamp()))
    }
}

impl Reflog {
    /// The document of `git reflog show`, newest first: `NEW<tab>NAME@{SECONDS ZONE}<tab>MESSAGE`.
    fn parse_shown(text: &str) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for line in text.lines().rev() {
            let mut parts = line.splitn(3, '\t');
            let (Some(new), Some(at), said) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let at = at.rsplit_once("@{").and_then(|(_, at)| at.strip_suffix('}'));
            let zero = "0".repeat(new.len());
            let old = entries.last().map_or(zero, |older| older.new.clone());
            let line =
                format!("{old} {new} {}\t{}", at.unwrap_or_default(), said.unwrap_or_default());
            entries.extend(Entry::parse(&line));
        }
        Self(entries)
    }
}

impl Place {
    pub(super) fn reflog_file(&self, branch: &str) -> PathBuf {
        self.common.join("logs/refs/heads").join(branch)
    }

    /// The reflog of a branch; empty if git keeps none.
    #[must_use]
    pub(crate) fn reflog(&self, branch: &str) -> Reflog {
        self.read_reflog(&self.reflog_file(branch), &format!("refs/heads/{branch}"))
    }

    /// The reflog of this work tree's HEAD.
    #[must_use]
    pub(crate) fn head_reflog(&self) -> Reflog {
        self.read_reflog(&self.own.join("logs/HEAD"), "HEAD")
    }

    /// The file of a reflog, which costs no process; repositories of another format (`reftable`) have
    /// none, and git is asked.
    fn read_reflog(&self, file: &Path, name: &str) -> Reflog {
        match fs_err::read(file) {
            Ok(text) => Reflog::parse(&String::from_utf8_lossy(&text)),
            Err(_) if !self.common.join("reftable").exists() => Reflog::default(),
            Err(_) => {
                let format = "--format=%H%x09%gd%x09%gs";
                let asked = ask(&self.top, &["reflog", "show", "--date=raw", format, name, "--"]);
                Reflog::parse_shown(&asked.unwrap_or_default())
            }
        }
    }

    /// The commit at a branch's tip; `None` if there is no such branch.
    #[must_use]
    pub(crate) fn tip(&self, branch: &str) -> Option<String> {
        self.commit(&format!("refs/heads/{branch}"))
    }

    /// Whether a commit is another's ancestor, or the same.
    #[must_use]
    pub(crate) fn is_ancestor(&self, ancestor: &str, of: &str) -> bool {
        ask(&self.top, &["merge-base", "--is-ancestor", ancestor, of]).is_some()
    }

    /// The commit that the history of HEAD begins with; `None` before the first one, and in a shallow
    /// clone, which does not have it.
    #[must_use]
    pub(crate) fn first_commit(&self) -> Option<String> {
        if self.common.join("shallow").exists() {
            return None;
        }
        let found = ask(&self.top, &["rev-list", "--max-parents=0", "--first-parent", "HEAD"])?;
        found.lines().next().map(str::to_owned)
    }

    /// Whether a commit is in the history of HEAD or of any branch.
    #[must_use]
    pub(crate) fn has_in_its_history(&self, commit: &str) -> bool {
        // A record contains a complete id or nothing.
        let is_id = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id || self.commit(commit).is_none() {
            return false;
        }
        let branches = || ask(&self.top, &["for-each-ref", "--count=1", "--contains", commit]);
        self.is_ancestor(commit, "HEAD") || branches().is_some_and(|found| !found.is_empty())
    }

    /// The commit at which a branch left its base: from the base's reflog, else the merge base with
    /// the base or its upstream, whichever is nearer the tip.
    #[must_use]
    pub(crate) fn fork_point(&self, base: &str, tip: &str) -> Option<String> {
        // A name that begins with a dash would be an option.
        if base.starts_with('-') {
            return None;
        }
        let fork = ask(&self.top, &["merge-base", "--fork-point", base, tip]);
        if let Some(fork) = fork.filter(|fork| !fork.is_empty()) {
            return Some(fork);
        }
        let upstream = format!("{base}@{{upstream}}");
        let bases = [base, upstream.as_str()];
        let found = bases.iter().filter_map(|base| ask(&self.top, &["merge-base", base, tip]));
        found.reduce(|a, b| if self.is_ancestor(&a, &b) { b } else { a })
    }

    /// The committer date of the first commit on the way from one commit to another.
    #[must_use]
    pub(crate) fn first_own_commit(&self, from: &str, tip: &str) -> Option<DateTime<FixedOffset>> {
        let range = format!("{from}..{tip}");
        let dates = ask(&self.top, &["log", "--first-parent", "--format=%cI", &range])?;
        dates.lines().filter_map(|line| DateTime::parse_from_rfc3339(line).ok()).min()
    }

    /// The local branches.
    #[must_use]
    pub(crate) fn branches(&self) -> Vec<String> {
        let format = "--format=%(refname:lstrip=2)";
        let all = ask(&self.top, &["for-each-ref", format, "refs/heads"]).unwrap_or_default();
        all.lines().map(str::to_owned).collect()
    }

    pub(super) fn is_checked_out(&self, branch: &str) -> bool {
        let listed = ask(&self.top, &["worktree", "list", "--porcelain"]).unwrap_or_default();
        let line = format!("branch refs/heads/{branch}");
        listed.lines().any(|listed| listed == line)
    }

    /// The branch that others are created from: the default branch of `origin`, else the usual
    /// names.
    #[must_use]
    pub(crate) fn usual_base(&self) -> Option<String> {
        let origin =
            ask(&self.top, &["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"]);
        let origin = origin.and_then(|name| Some(name.strip_prefix("origin/")?.to_owned()));
        let usual = ["main", "master", "trunk", "develop"].map(str::to_owned);
        origin.into_iter().chain(usual).find(|branch| self.tip(branch).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reflog_that_git_shows_is_read_from_its_oldest_entry() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let text = format!(
            "{two}\tHEAD@{{1757766331 +0200}}\tcheckout: moving from main to a\n\
             {one}\tHEAD@{{1757766330 +0200}}\tcommit (initial): first\n"
        );
        let reflog = Reflog::parse_shown(&text);
        assert!(reflog.0[0].is_creation() && reflog.0[0].is_commit());
        assert_eq!(reflog.0[1].old, one);
        assert_eq!(reflog.0[1].at.timestamp(), 1_757_766_331);
        assert_eq!(reflog.0[1].moved(), Some(Move { from: "main", to: "a" }));
    }

    #[test]
    fn lines_of_a_reflog_are_taken_apart() {
        let zero = "0".repeat(40);
        let one = "1".repeat(40);
        let text = format!(
            "{zero} {one} A B <a@b> 1757766330 +0230\tbranch: Created from HEAD\n\
             {one} {one} A <a@b> 1757766331 -0500\tcheckout: moving from a/b to c to d\n\
             nonsense\n"
        );
        let reflog = Reflog::parse(&text);
        assert_eq!(reflog.0.len(), 2);
        assert!(reflog.0[0].is_creation());
        assert_eq!(reflog.0[0].at.to_rfc3339(), "2025-09-13T14:55:30+02:30");
        assert_eq!(reflog.0[0].moved(), None);
        // A branch's name contains no space, so the first ` to ` divides.
        assert_eq!(reflog.0[1].moved(), Some(Move { from: "a/b", to: "c to d" }));
    }
}
