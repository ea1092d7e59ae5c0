//! Why pruning never removes a backup, whatever the policy is.

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::host::project::Project;
use crate::host::project::policy::Policy;
use crate::retention::plan::reason::Reasons;
use crate::retention::prune::{Listing, Pruning, Scope, plan};

/// The reasons; none if some policy would remove it.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn reasons(
    vault: &Vault,
    project: &Project,
    backup: &Backup,
    now: DateTime<FixedOffset>,
) -> Result<Reasons> {
    // A rule that keeps nothing: no argument or file has such a label.
    let nothing = Policy { labels: vec!["\0".to_owned()], ..Policy::default() };
    let (databases, policy) = (project.databases.as_slice(), &nothing);
    let pruning = Pruning { project, databases, policy, scope: Scope::All, now };
    let plan = plan(Listing::Unlocked(vault), &pruning)?;
    let name = backup.name.to_string();
    let verdict = plan.into_iter().find(|verdict| *verdict.name == *name);
    Ok(verdict.filter(|verdict| verdict.keep).map(|verdict| verdict.reasons).unwrap_or_default())
}
