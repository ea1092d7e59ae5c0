//! Greets the user in a new worktree, which has no database of its own yet.

use anyhow::Result;

use crate::backups::vault::Vault;
use crate::branches::first_state;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::sqlite::probe::{self, Standing};

/// Reports how each missing database is created.
///
/// # Errors
///
/// If a file or the backups folder cannot be read.
pub(super) fn greet(session: &mut Session, project: &Project) -> Result<()> {
    for database in &project.databases {
        // A server is shared by all worktrees.
        let Some(file) = database.file_if_any() else { continue };
        if project.worktree() == "." || probe::look(file)? != Standing::Missing {
            continue;
        }
        let all = Vault::of(project, session.now()).backups()?;
        let backups: Vec<_> = all.iter().filter(|backup| backup.is_of(database)).collect();
        let branch = first_state::branch(backups.iter().copied(), project.git.as_ref());
        let flag = project.db_flag(database);
        let way = match branch {
            Some(branch) => format!(
                "`cargo xtask db-restore {}{flag}` restores the newest backup of `{}` there",
                text::shell(&format!("@{branch}")),
                text::plain(&branch)
            ),
            None if backups.is_empty() => {
                format!("`cargo xtask db-setup{flag}` creates it from its migrations")
            }
            None => {
                format!("`cargo xtask db-restore latest{flag}` restores the newest backup there")
            }
        };
        session.note(format!(
            "xtask-db: this worktree has no database at {}; {way}",
            project.quoted_place(database)
        ));
    }
    Ok(())
}
