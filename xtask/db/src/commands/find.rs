//! Finding the backup that a REF names, and saying so where it is not the obvious one.

use anyhow::Result;

use crate::backup::Backup;
use crate::project::Project;
use crate::reference::{self, Field};
use crate::session::Session;
use crate::vault::Vault;

/// The backup that a reference means, of the named database where one is named.
///
/// # Errors
///
/// A refusal where two match or none does.
pub(crate) fn backup(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    reference: &str,
    named: Option<&str>,
) -> Result<Backup> {
    let databases = project.chosen(named)?;
    let all = vault.backups()?;
    let of_database =
        all.iter().filter(|b| databases.iter().any(|database| b.is_of(database))).collect();
    let folder = session.folder().to_owned();
    let field = Field {
        all: &all,
        of_database,
        vault,
        worktree: project.worktree(),
        git: project.git.as_ref(),
        folder: &folder,
        now: session.now(),
        names_only: databases.len() > 1,
    };
    let found = reference::resolve(reference, &field)?;
    if found.other_worktree {
        session.warn(format!(
            "this worktree has no such backup; {} was taken in worktree `{}`",
            found.backup.name,
            found.backup.worktree()
        ));
    }
    Ok(found.backup)
}
