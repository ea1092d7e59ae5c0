//! The folder in which a project keeps its backups: whether they are apart there, and ignored by git.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::backups::format::Format;
use crate::backups::home::{Owner, Workspace};
use crate::backups::ownership;
use crate::backups::store::pack_folder;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::git::repository;

/// The file that lists what git ignores.
pub(super) const IGNORE: &str = ".gitignore";

/// A folder in which a project keeps its backups.
#[derive(Debug)]
pub(crate) struct Place {
    /// The workspace root, for messages.
    root: PathBuf,
    /// Whether it is inside the workspace.
    pub(super) inside: bool,
    /// The folders in which the project's databases are, without symbolic links.
    database_folders: Vec<PathBuf>,
    /// The names of their files.
    file_names: Vec<String>,
}

/// Whether a backups folder belongs to xtask-db.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// We created it, or it contains only files of ours.
    Ours,
    /// It existed before, or contains other files.
    Others,
}

impl Place {
    /// A folder that a project keeps its backups in.
    #[must_use]
    pub(crate) fn of(workspace: &Workspace<'_>, folder: &Path) -> Self {
        let linked = || workspace.databases.iter().filter_map(|owner| owner.path.parent());
        let folders = linked()
            .map(|folder| ownership::in_main_worktree(ownership::canonical(folder), workspace.git));
        let file_name = |owner: &Owner<'_>| owner.file_name().into_owned();
        Self {
            root: workspace.root.to_owned(),
            inside: ownership::is_inside(workspace, folder),
            database_folders: folders.chain(linked().map(ownership::canonical)).collect(),
            file_names: workspace.databases.iter().map(file_name).collect(),
        }
    }

    /// Refuses folders in which backups would be mixed with other important files.
    pub(super) fn demand_apart(&self, folder: &Path) -> Result<()> {
        let canonical = ownership::canonical(folder);
        let what = if canonical.parent().is_none() {
            "the root of the file system"
        } else if self.database_folders.contains(&canonical) {
            "the folder of the database itself"
        } else {
            return Ok(());
        };
        Err(Refusal::could_not(
            format!("the backups folder `{}` is {what}", text::path(folder, &self.root)),
            "set `backups` or `DATABASE_BACKUP_DIR` to a folder that is used for nothing else; to \
             restore a backup that is already there, pass its path",
        ))
    }

    /// Refuses a folder that already existed, unless git ignores what is written into it.
    pub(super) fn demand_ignored(&self, folder: &Path) -> Result<()> {
        let Some(repository) = repository::Place::of(folder) else { return Ok(()) };
        let names = self.file_names.iter().flat_map(|file| {
            Format::ALL.map(|format| format!("{file}.2025-01-01_000000{}", format.ending()))
        });
        let names = names.flat_map(|name| [format!("{name}.json"), name]);
        let probes: Vec<PathBuf> = names
            .chain([format!("{}/x", pack_folder::FOLDER)])
            .map(|name| folder.join(name))
            .collect();
        if probes.iter().all(|probe| repository.is_ignored(probe)) {
            return Ok(());
        }
        let shown = text::path(folder, &self.root);
        let another = "set `backups` in `Cargo.toml` to a folder that is used for nothing else";
        Err(Refusal::could_not(
            format!("git does not ignore `{shown}`, so the backups in it could be committed"),
            match repository.ignoring(folder) {
                Some(line) => format!(
                    "add the line `{line}` to `{}`, or {another}",
                    text::path(&repository.top.join(IGNORE), &self.root)
                ),
                None => another.to_owned(),
            },
        ))
    }
}
