//! Retention that follows an automatic backup.

use anyhow::Result;

use crate::backups::name::Name;
use crate::backups::writer::Locked;
use crate::console::text;
use crate::host::project::policy::Policy;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::reclaim_packs;
use crate::retention::plan::Verdict;
use crate::retention::prune::{self, Listing, Pruned, Pruning, Scope};

/// Applies the configured policy to the automatic kinds, also when the backup before it failed.
///
/// # Errors
///
/// At the user's interrupt only: a retention that did not run is a warning.
pub(crate) fn prune_automatic(
    session: &mut Session,
    project: &Project,
    locked: &Locked<'_>,
    database: &Database,
) -> Result<()> {
    if let Err(error) = prune(session, project, locked, database) {
        session.interrupt().check()?;
        session.warn(format!("the configured retention did not run: {error:#}"));
    }
    Ok(())
}

/// Applies the configured policy to the automatic kinds.
///
/// # Errors
///
/// If the folder cannot be read or written, a backup that would stay is damaged, or at the user's interrupt.
pub(crate) fn prune(
    session: &mut Session,
    project: &Project,
    locked: &Locked<'_>,
    database: &Database,
) -> Result<()> {
    if project.keep.is_empty() {
        return Ok(());
    }
    let interrupt = session.interrupt().clone();
    say_if_last_states_exceed(session, Listing::Locked(locked), project, &project.keep)?;
    let (databases, policy) = (std::slice::from_ref(database), &project.keep);
    let (scope, now) = (Scope::Automatic, session.now());
    let pruning = Pruning { project, databases, policy, scope, now };
    let plan = prune::plan(Listing::Locked(locked), &pruning)?;
    let Pruned { removed, .. } = prune::apply(locked, plan, &pruning, &interrupt)?;
    for verdict in &removed {
        session.note(format!("Removed {}: {}", verdict.name, verdict.reasons));
    }
    let is_stored = |v: &Verdict| Name::parse(&v.name).is_some_and(|name| name.format.is_stored());
    if removed.iter().any(is_stored) {
        reclaim_packs::reclaim_by_the_way(session, project, locked)?;
    }
    Ok(())
}

/// Warns if the last states of branches alone take up more than the policy grants to all backups.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn say_if_last_states_exceed(
    session: &mut Session,
    listing: Listing<'_>,
    project: &Project,
    policy: &Policy,
) -> Result<()> {
    let over = prune::last_states_over_size(listing, project, policy, session.now())?;
    if let (Some(size_bytes), Some(max_size_bytes)) = (over, policy.max_size_bytes) {
        session.warn(format!(
            "the last states of branches alone take up {}, more than the max-size of {}: none of \
             them is removed while `follow-branches` is on; delete branches that you no longer \
             need, or raise max-size",
            text::size(size_bytes),
            text::size(max_size_bytes)
        ));
    }
    Ok(())
}
