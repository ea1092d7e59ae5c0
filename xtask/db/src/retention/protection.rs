//! Why pruning never removes a backup, whatever the policy is.

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::host::project::Project;
use crate::host::project::policy::Policy;
use crate::retention::plan::reason::{Reason, Reasons};
use crate::retention::prune::{Scope, plan};

/// For a backup that the way back from an interrupted command needs.
pub(crate) const UNDER_WAY: &str = "an interrupted command needs it";
/// For all backups, while it is unknown whether an interrupted command needs them.
pub(crate) const UNKNOWN_WAY: &str = "a note of something under way cannot be read";

/// Whether a reason applies until `db-recover` has settled an interrupted command.
#[must_use]
pub(crate) fn is_way_back(reason: &Reason) -> bool {
    [UNDER_WAY, UNKNOWN_WAY].map(Reason::Plain).contains(reason)
}

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
    let plan = plan(vault, (project, &project.databases), &nothing, Scope::All, now)?;
    let name = backup.name.to_string();
    let verdict = plan.into_iter().find(|verdict| *verdict.name == *name);
    Ok(verdict.filter(|verdict| verdict.keep).map(|verdict| verdict.reasons).unwrap_or_default())
}
