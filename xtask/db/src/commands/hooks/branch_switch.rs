//! Takes a checkpoint of the state that a switch, a merge or a rewrite of history leaves.
//!
//! Nothing here fails a checkout: problems are warnings.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::branches::branch_point::{self, Arrival};
use crate::commands::hooks::checkpoint::{self, Due, Run};
use crate::commands::hooks::follow_branches::{self, Return};
use crate::commands::hooks::new_worktree;
use crate::commands::hooks::switch::Switch;
use crate::console::refusal::Answer;
use crate::console::text;
use crate::git::branch::Branch;
use crate::git::index::Index;
use crate::git::recorded;
use crate::git::reflog::Entry;
use crate::git::repository::Place;
use crate::hooks::hook::Hook;
use crate::hooks::seen_branch;
use crate::host::project::{Database, FollowBranches, Project};
use crate::host::session::Session;
use crate::operations::damage_report;

/// `post-checkout OLD NEW FLAG`.
///
/// # Errors
///
/// At the user's interrupt.
pub(super) fn entered(
    session: &mut Session,
    project: &Project,
    place: &Place,
    arguments: &[String],
) -> Result<Answer> {
    let [old, new, ..] = arguments else {
        return Ok(Answer::Yes);
    };
    if place.in_the_middle_of().is_some() {
        return Ok(Answer::Yes);
    }
    let name = place.branch();
    let head = place.head_reflog();
    let is_zero = old.bytes().all(|byte| byte == b'0');
    let moved_here = head.0.last().and_then(Entry::moved).map(|moved| moved.to) == name.as_deref();
    if is_zero && !moved_here {
        new_worktree::greet(session, project)?;
        seen_branch::remember(place, name.as_deref())?;
        return Ok(Answer::Yes);
    }
    let last_seen = seen_branch::last_seen(place, &head);
    let arrival = Arrival { branch: name.as_deref(), commit: new };
    let left = branch_point::left(&head, arrival, last_seen.as_deref(), |branch| {
        place.tip(branch).is_some()
    });
    if left == name {
        seen_branch::remember(place, name.as_deref())?;
        return Ok(Answer::Yes);
    }
    let entered = name.as_deref().map(|name| place.branch_named(name));
    let mut switch = Switch { left, entered, commits: (old.clone(), new.clone()), unseen: false };
    let follows = project.follow_branches != FollowBranches::Never;
    if let Some(seen) = last_seen.filter(|seen| follows && *seen != switch.left_name()) {
        // The database is still that of the branch where the hooks saw it last.
        switch.left = (!seen.is_empty()).then_some(seen);
        switch.unseen = true;
    }
    match switched(session, project, place, &switch) {
        Ok(()) => {}
        Err(error) => {
            session.interrupt().check()?;
            damage_report::of(session, &error)?;
            session.warn(format!("{error:#}"));
            if follows {
                // The database may be the other branch's still: the next switch must know.
                return Ok(Answer::Yes);
            }
        }
    }
    if let Err(error) = seen_branch::remember(place, name.as_deref()) {
        session.warn(format!("could not remember the branch: {error:#}"));
    }
    Ok(Answer::Yes)
}

fn switched(
    session: &mut Session,
    project: &Project,
    place: &Place,
    switch: &Switch,
) -> Result<()> {
    if project.databases.is_empty() {
        return Ok(());
    }
    let nothing = "no checkpoint was taken when you switched branches";
    let vault = Vault::of(project, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt()).context(nothing)?;
    let all = locked.backups().context(nothing)?;
    let (old, new_commit) = &switch.commits;
    let due = project.databases.iter().map(|database| {
        let mine = of(project, database, &all);
        let new = switch.entered.as_ref().filter(|branch| branch.is_new(&mine, old, new_commit));
        let commit = commit_of(&switch.commits.1);
        let enters = new.map(|branch| branch_point::enters(branch, switch.left.clone(), commit));
        Due { database, paths: Vec::new(), enters }
    });
    let left = switch.left.as_deref().map(|name| place.branch_named(name));
    let git = place.state().map(|state| recorded::Git {
        branch: switch.left.clone(),
        branch_created: left.as_ref().and_then(Branch::created),
        left: left.as_ref().and_then(Branch::leaving).map(|leaving| leaving.entry.identity()),
        commit: commit_of(&switch.commits.0),
        ..state
    });
    let due = due.collect();
    let outcome =
        checkpoint::take_in(session, project, &locked, Run { kind: Kind::Branch, git, due });
    let mut outcome = outcome.context(nothing)?;
    drop(locked);
    outcome.failure = outcome.failure.map(|error| error.context(nothing));
    for database in &project.databases {
        let here = outcome.taken.iter().find(|backup| backup.is_of(database));
        let (Some(entered), Some(here)) = (&switch.entered, here) else { continue };
        let before = branch_point::last_on(entered, &of(project, database, &all)).cloned();
        let done = match before {
            _ if is_branch_point(here) => {
                say_first_time(session, entered, &project.db_flag(database));
                Ok(())
            }
            Some(before) => {
                Return { project, place, database, switch, here, before: &before }.follow(session)
            }
            None => {
                if project.follow_branches != FollowBranches::Never && entered.left_at().is_some() {
                    follow_branches::say_that_it_is_gone(
                        session,
                        &project.called(database),
                        entered,
                        None,
                    );
                }
                Ok(())
            }
        };
        if let Err(error) = done {
            session.interrupt().check()?;
            // The other databases have their turn anyway.
            if let Some(earlier) = outcome.failure.replace(error) {
                session.warn(format!("{earlier:#}"));
            }
        }
    }
    outcome.whole().map(drop)
}

fn say_first_time(session: &mut Session, entered: &Branch, flag: &str) {
    session.note(format!(
        "xtask-db: first time on `{}`; `cargo xtask db-rollback{flag}` restores the database to \
         this state",
        text::plain(&entered.name)
    ));
}

/// A commit as records have it; `None` before the first one.
fn commit_of(id: &str) -> Option<String> {
    (!id.bytes().all(|byte| byte == b'0')).then(|| id.to_owned())
}

fn is_branch_point(backup: &Backup) -> bool {
    backup.record().is_some_and(|record| record.enters.is_some())
}

/// The backups of a database in this work tree, newest first.
fn of<'a>(project: &Project, database: &Database, all: &'a [Backup]) -> Vec<&'a Backup> {
    let mine = |backup: &&Backup| backup.is_of(database) && backup.worktree() == project.worktree();
    all.iter().filter(mine).collect()
}

/// A rewrite of a branch other than by a commit, as git reports it to `post-merge SQUASH` and
/// `post-rewrite amend|rebase`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rewrite {
    Merge,
    Squash,
    Rebase,
    Amend,
    Unknown,
}

impl Rewrite {
    pub(super) fn of(hook: Hook, what: Option<&str>) -> Self {
        match (hook, what) {
            (Hook::PostMerge, Some("1")) => Self::Squash,
            (Hook::PostMerge, _) => Self::Merge,
            (_, Some("rebase")) => Self::Rebase,
            (_, Some("amend")) => Self::Amend,
            _ => Self::Unknown,
        }
    }

    /// The operation that may still be under way when this rewrite ends, as
    /// [`Place::in_the_middle_of`] names it: a rebase that ends still has its folder, and a merge
    /// its `MERGE_HEAD`.
    fn ends(self) -> Option<&'static str> {
        match self {
            Self::Merge | Self::Squash => Some("a merge"),
            Self::Rebase => Some("a rebase"),
            Self::Amend | Self::Unknown => None,
        }
    }
}

/// After a merge or a rewrite of history: a checkpoint where schema files changed.
///
/// # Errors
///
/// At the user's interrupt.
pub(super) fn rewritten(
    session: &mut Session,
    project: &Project,
    place: &Place,
    rewrite: Rewrite,
) -> Result<Answer> {
    if place.in_the_middle_of().is_some_and(|middle| rewrite.ends() != Some(middle)) {
        return Ok(Answer::Yes);
    }
    let index = Index(session.variable("GIT_INDEX_FILE").map(PathBuf::from));
    let mut due = Vec::new();
    for database in project.databases.iter().filter(|database| !database.schema.is_empty()) {
        let specs = checkpoint::pathspecs(project, place, database);
        let paths = if rewrite == Rewrite::Squash {
            index.staged(place, &specs)
        } else {
            // The state of the branch before; without a reflog that is unknown, and a checkpoint is
            // cheap.
            place.changed("@{1}", "HEAD", &specs)
        };
        if paths.as_ref().is_none_or(|paths| !paths.is_empty()) {
            due.push(Due { database, paths: paths.unwrap_or_default(), enters: None });
        }
    }
    let is_due = !due.is_empty();
    let run = Run { kind: Kind::Branch, git: place.state(), due };
    let outcome = checkpoint::take(session, project, run);
    match outcome.and_then(checkpoint::Outcome::whole) {
        Ok(outcome) if is_due && rewrite != Rewrite::Amend => {
            let is_taken = |d: &&Database| outcome.taken.iter().any(|backup| backup.is_of(d));
            for database in project.databases.iter().filter(is_taken) {
                session.note(format!(
                    "xtask-db: schema files changed; `cargo xtask db-migrate{}` brings {} up to date",
                    project.db_flag(database),
                    project.called(database)
                ));
            }
        }
        Ok(_) => {}
        Err(error) => {
            session.interrupt().check()?;
            session.warn(format!("no checkpoint was taken: {error:#}"));
        }
    }
    Ok(Answer::Yes)
}
