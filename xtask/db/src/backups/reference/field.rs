//! The backups among which a reference is looked up, and their order.

use std::path::Path;

use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::home::Owner;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::git::repository;

/// The backups among which a reference is looked up, and what it depends on.
pub(crate) struct Field<'a> {
    /// All backups of the folder, newest first.
    pub all: &'a [Backup],
    /// The databases that are meant; with several, only the name of a backup shows which.
    pub databases: Vec<Owner<'a>>,
    /// The repository around the project.
    pub git: Option<&'a repository::Place>,
    /// The folder itself.
    pub vault: &'a Vault,
    /// The folder that relative paths are relative to.
    pub folder: &'a Path,
    /// The moment that ages count from.
    pub now: DateTime<FixedOffset>,
}

impl<'a> Field<'a> {
    /// The backups of the databases that are meant, newest first.
    pub(super) fn of_databases(&self) -> Vec<&'a Backup> {
        let is_meant = |b: &&Backup| self.databases.iter().any(|owner| b.belongs_to(*owner));
        self.all.iter().filter(is_meant).collect()
    }

    /// The backups of these databases that were taken in this worktree.
    pub(super) fn own(&self) -> Vec<&'a Backup> {
        let mut own = self.of_databases();
        own.retain(|backup| backup.worktree() == self.worktree());
        own
    }

    /// The backups of this project, of any of its databases.
    pub(super) fn of_project(&self) -> Vec<&'a Backup> {
        self.all.iter().filter(|backup| backup.whose.is_ours()).collect()
    }

    /// Whether several databases could be meant: then only a name shows which.
    pub(super) fn names_only(&self) -> bool {
        self.databases.len() > 1
    }

    /// The linked worktree this is; `.` in the main one and without git.
    pub(super) fn worktree(&self) -> &'a str {
        self.git.map_or(".", |place| place.worktree.as_str())
    }
}

/// The newest first: `latest~N`, `safety~N` and `oldest` count them. An unrecorded one from the
/// future has no place.
pub(crate) struct Order<'a> {
    /// All but the safety backups.
    pub ordinary: Vec<&'a Backup>,
    /// The safety backups.
    pub safety: Vec<&'a Backup>,
}

impl<'a> Order<'a> {
    /// The order of some backups that are sorted newest first.
    #[must_use]
    pub(crate) fn of(backups: &[&'a Backup], now: DateTime<FixedOffset>) -> Self {
        let has_place = |b: &&&Backup| b.summary().is_some() || !b.is_from_the_future(now);
        let placed = backups.iter().filter(has_place).copied();
        let (safety, ordinary) = placed.partition(|b| b.kind() == Some(Kind::Safety));
        Self { ordinary, safety }
    }
}

/// `word` is 0, `word~3` is 3.
pub(super) fn counted(reference: &str, word: &str) -> Option<usize> {
    match reference.strip_prefix(word)? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

/// The backups that have a label.
pub(super) fn labelled<'a>(label: &str, backups: &[&'a Backup]) -> Vec<&'a Backup> {
    let bears = |b: &&&Backup| !label.is_empty() && b.label() == Some(label);
    backups.iter().filter(bears).copied().collect()
}

/// The first names, in backticks.
pub(super) fn listed(backups: &[&Backup]) -> String {
    const MOST: usize = 10;
    let mut names: Vec<_> =
        backups.iter().take(MOST).map(|backup| format!("`{}`", backup.name)).collect();
    if backups.len() > MOST {
        names.push(format!("and {} more", backups.len() - MOST));
    }
    names.join(", ")
}
