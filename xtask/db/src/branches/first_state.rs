//! The branch whose database a work tree without one may begin with.

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::git::repository::Place;

/// `main` or `master`, else the branch of the main worktree, else that of the newest backup: only one
/// that a backup has, so that `@branch` means something. `backups` belong to one database, newest first.
pub(crate) fn branch<'b>(
    backups: impl IntoIterator<Item = &'b Backup>,
    git: Option<&Place>,
) -> Option<String> {
    let is_ordinary = |backup: &&Backup| backup.kind() != Some(Kind::Safety);
    let branches: Vec<&str> =
        backups.into_iter().filter(is_ordinary).filter_map(Backup::branch).collect();
    let of_main = git.and_then(Place::main_branch);
    let wanted = ["main", "master"].into_iter().chain(of_main.as_deref());
    let mut found = wanted.filter(|branch| branches.contains(branch));
    found.next().or(branches.first().copied()).map(str::to_owned)
}
