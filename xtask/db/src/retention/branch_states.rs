//! The state that each local branch was left with. While the database follows the branches, it is
//! the only state to switch back to.

use std::collections::BTreeMap;

use crate::backups::backup::Backup;
use crate::branches::branch_point;
use crate::git::repository::Place;
use crate::host::project::{Database, FollowBranches, Project};

/// Why such a backup stays.
pub(crate) const REASON: &str = "the last state of a branch that is not merged";

/// The last state of each local branch, one per database and worktree.
#[derive(Debug, Default)]
pub(crate) struct LastStates {
    /// The branches whose last state a backup is, by its name.
    branches: BTreeMap<String, Vec<String>>,
}

impl LastStates {
    /// Finds them among the backups of a folder, newest first. There are none unless the database
    /// follows the branches.
    pub(crate) fn of(project: &Project, databases: &[Database], backups: &[Backup]) -> Self {
        let mut states = Self::default();
        let Some(place) = &project.git else { return states };
        if project.follow_branches == FollowBranches::Never {
            return states;
        }
        for name in place.branches() {
            let branch = place.branch_named(&name);
            for backups in grouped(databases, backups).values() {
                if let Some(last) = branch_point::last_on(&branch, backups) {
                    states.branches.entry(last.name.to_string()).or_default().push(name.clone());
                }
            }
        }
        states
    }

    /// Whether a backup is the last state of a branch that is not merged.
    pub(crate) fn has(&self, backup: &str, place: &Place) -> bool {
        let branches = self.branches.get(backup).into_iter().flatten();
        branches.into_iter().any(|branch| place.is_open(&place.branch_named(branch), None))
    }
}

/// The backups of each database in each worktree, in the same order.
fn grouped<'b>(
    databases: &'b [Database],
    backups: &'b [Backup],
) -> BTreeMap<(&'b str, &'b str), Vec<&'b Backup>> {
    let mut groups = BTreeMap::<_, Vec<&Backup>>::new();
    for backup in backups {
        if let Some(database) = databases.iter().find(|database| backup.is_of(database)) {
            groups.entry((database.name.as_str(), backup.worktree())).or_default().push(backup);
        }
    }
    groups
}
