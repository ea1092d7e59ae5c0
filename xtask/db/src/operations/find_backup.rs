//! Finds the backup that a REF means, and points out if it is not the obvious one.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::home::Whose;
use crate::backups::reference;
use crate::backups::reference::ambiguous::Ambiguous;
use crate::backups::reference::field::Field;
use crate::backups::vault::Vault;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::{Database, Project};
use crate::host::session::Session;

/// The backup that a reference means, of the named database if one is named.
///
/// # Errors
///
/// A refusal if two match or none does.
pub(crate) fn backup(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    wanted: Wanted<'_>,
) -> Result<Backup> {
    let databases = project.chosen(wanted.database)?;
    let all = vault.backups()?;
    let folder = session.folder().to_owned();
    let field = Field {
        all: &all,
        databases: databases.iter().map(Database::owner).collect(),
        git: project.git.as_ref(),
        vault,
        folder: &folder,
        now: session.now(),
    };
    let found = reference::resolve(wanted.reference, &field).map_err(|error| {
        let again = |one: &Backup| {
            let name = one.name.to_string();
            // Not every name can be typed: `db-list` shows what can be instead.
            let can_be_typed = text::plain(&name) == name && !name.starts_with('-');
            session.again_with(wanted.reference, &name).filter(|_| can_be_typed)
        };
        match error.downcast_ref::<Ambiguous>() {
            Some(ambiguous) => ambiguous.refusal(session.now(), again).into(),
            None => error,
        }
    })?;
    if found.other_worktree {
        session.warn(format!(
            "this worktree has no such backup; {} was taken in worktree `{}`",
            found.backup.name,
            found.backup.worktree()
        ));
    }
    point_out_home(session, &found.backup);
    Ok(found.backup)
}

/// Refuses a backup that was removed since it was chosen, e.g. by a pruning.
///
/// # Errors
///
/// A refusal if it is gone.
pub(crate) fn demand_there(backup: &Backup) -> Result<()> {
    if !is_gone(backup) {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!("`{}` was removed meanwhile", backup.name),
        "the database is untouched; `cargo xtask db-list` shows the backups",
    ))
}

/// Whether a backup was removed since it was listed, e.g. by a pruning.
#[must_use]
pub(crate) fn is_gone(backup: &Backup) -> bool {
    let path = backup.folder.join(backup.name.to_string());
    fs_err::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Whether a reference means a backup and nothing else.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn means(
    session: &Session,
    project: &Project,
    wanted: Wanted<'_>,
    backup: &Backup,
) -> Result<bool> {
    let vault = Vault::of(project, session.now());
    let all = vault.backups()?;
    let databases = project.chosen(wanted.database)?;
    let field = Field {
        all: &all,
        databases: databases.iter().map(Database::owner).collect(),
        git: project.git.as_ref(),
        vault: &vault,
        folder: session.folder(),
        now: session.now(),
    };
    let found = reference::resolve(wanted.reference, &field);
    Ok(found.is_ok_and(|found| found.backup.name == backup.name))
}

/// Reports of a backup in a folder outside the workspace that it was taken elsewhere.
fn point_out_home(session: &mut Session, backup: &Backup) {
    let name = &backup.name;
    match &backup.whose {
        Whose::Ours => {}
        Whose::Moved(from) => session.note(moved(&format!("{name} was"), from)),
        Whose::Others(path) => session.warn(format!(
            "{name} was taken from `{}`, which is not this project's database",
            text::plain(path)
        )),
        Whose::Unproven => session.warn(format!(
            "nothing proves that {name} is this project's: its record does not contain the path of \
             the database, and another project keeps its backups in the same folder"
        )),
    }
}

/// Explains why backups that were taken at a path that no longer exists are this project's.
pub(crate) fn moved(what: &str, from: &str) -> String {
    format!(
        "{what} taken from `{}`, which is gone; the repository is the same, so it counts as this \
         project's",
        text::plain(from)
    )
}

/// The backup that the user means.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// How the user names it.
    pub(crate) reference: &'a str,
    /// The database given by `--db`.
    pub(crate) database: Option<&'a str>,
}
