//! Whether a backups folder may be made private: hidden from other users and from git.
//!
//! A folder is ours if we created it, or if it is the one inside the workspace and contains only
//! files of ours. Such a folder gets mode 0700 and a `.gitignore`. Any other folder is left as it
//! is; inside a repository it gets its first backup only if git ignores it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::backups::format::Format;
use crate::backups::home::{Owner, Workspace};
use crate::backups::name::Name;
use crate::backups::ownership;
use crate::backups::store::{pack_index, pack_readings};
use crate::backups::vault::{LOCK, NOTES, Vault};
use crate::backups::writer::Locked;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::files::{publish, stage};
use crate::git::repository;

const IGNORE: &str = ".gitignore";
const IGNORE_ALL: &str = "*\n";

/// What is known of the folder that a project keeps its backups in.
#[derive(Debug)]
pub(crate) struct Place {
    /// The workspace root, for messages.
    root: PathBuf,
    /// Whether it is inside the workspace.
    inside: bool,
    /// The folders in which the project's databases are, without symbolic links.
    database_folders: Vec<PathBuf>,
    /// The names of their files.
    file_names: Vec<String>,
}

/// Whose a backups folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// We made it, or nothing but files of ours is in it.
    Ours,
    /// It was there before.
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

    /// Refuses folders in which backups would be among other things that matter.
    fn demand_apart(&self, folder: &Path) -> Result<()> {
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

    /// Refuses a folder that was there before, unless git ignores what comes into it.
    fn demand_ignored(&self, folder: &Path) -> Result<()> {
        let Some(repository) = repository::Place::of(folder) else { return Ok(()) };
        let names = self.file_names.iter().flat_map(|file| {
            Format::ALL.map(|format| format!("{file}.2025-01-01_000000{}", format.ending()))
        });
        let names = names.flat_map(|name| [format!("{name}.json"), name]);
        let probes: Vec<PathBuf> = names
            .chain([format!("{}/x", pack_index::FOLDER)])
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

impl Vault {
    /// Whose the folder is, if it is there.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn standing(&self) -> Result<Standing> {
        let mut ours = self.place().is_some_and(|place| place.inside);
        if ours {
            self.each_name(|name| {
                ours = ours && self.is_of_ours(&name);
                Ok(())
            })?;
        }
        Ok(if ours { Standing::Ours } else { Standing::Others })
    }

    /// Creates the folder if it is missing; refuses one that backups do not belong in. Nothing is
    /// written into a folder that is refused.
    ///
    /// # Errors
    ///
    /// A refusal, or if the folder cannot be created or read.
    pub(crate) fn make_folder(&self) -> Result<Standing> {
        let folder = self.folder();
        if let Some(place) = self.place() {
            place.demand_apart(folder)?;
        }
        if !folder.is_dir() {
            publish::create_folders(folder)?;
            fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
            if self.place().is_some() {
                self.ignore_all()?;
            }
            return Ok(Standing::Ours);
        }
        let Some(place) = self.place() else { return Ok(Standing::Others) };
        let standing = self.standing()?;
        let gets_ignore = standing == Standing::Ours && !has_ignore(folder);
        // Somebody allowed the backups that are there already; `db-status` reports whether git
        // tracks them.
        if !gets_ignore && !ignores_all(folder) && self.backups()?.is_empty() {
            place.demand_ignored(folder)?;
        }
        Ok(standing)
    }

    fn ignore_all(&self) -> Result<()> {
        if !has_ignore(self.folder()) {
            fs_err::write(self.folder().join(IGNORE), IGNORE_ALL)?;
        }
        Ok(())
    }

    /// Whether a name in the folder is one that we give.
    fn is_of_ours(&self, name: &str) -> bool {
        let record = || name.strip_suffix(".json").and_then(Name::parse);
        let aside = || name.contains(".ASIDE.") && self.folder().join(name).is_dir();
        [IGNORE, LOCK, pack_index::FOLDER, NOTES, pack_readings::FILE].contains(&name)
            || stage::is_stage(name)
            || Name::parse(name).or_else(record).is_some()
            || aside()
    }
}

impl Locked<'_> {
    /// Keeps git from tracking a folder of ours, through its `.gitignore`, and others from reading it:
    /// a clone brings it along with ordinary permissions. A folder that was there before stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn keep_private(&self) -> Result<()> {
        if self.standing() == Standing::Others {
            return Ok(());
        }
        let vault = self.vault();
        vault.ignore_all()?;
        let metadata = fs_err::metadata(vault.folder())?;
        let is_owner = metadata.uid() == rustix::process::geteuid().as_raw();
        if is_owner && metadata.permissions().mode() & 0o077 != 0 {
            let owner_only = std::fs::Permissions::from_mode(0o700);
            fs_err::set_permissions(vault.folder(), owner_only)?;
        }
        Ok(())
    }
}

/// That others may enter a folder that is not ours, and what closes it; `None` if they may not.
#[must_use]
pub(crate) fn open_to_others(vault: &Vault, root: &Path) -> Option<Open> {
    let mode = fs_err::metadata(vault.folder()).ok()?.permissions().mode() & 0o7777;
    let is_open = mode & 0o077 != 0;
    if !is_open || vault.standing().ok()? == Standing::Ours {
        return None;
    }
    let folder = text::dotted(vault.folder(), root);
    Some(Open {
        what: format!(
            "other users can enter the backups folder {folder} (mode {mode:04o}); it already \
             existed, so its permissions were left alone"
        ),
        remedy: format!("chmod go= {}", text::shell(&folder)),
    })
}

/// A folder that others may enter.
#[derive(Debug)]
pub(crate) struct Open {
    /// What was seen.
    pub(crate) what: String,
    /// The command that closes it.
    pub(crate) remedy: String,
}

fn has_ignore(folder: &Path) -> bool {
    fs_err::symlink_metadata(folder.join(IGNORE)).is_ok()
}

/// Whether a folder's own `.gitignore` leaves nothing to git but itself: then git need not be asked.
fn ignores_all(folder: &Path) -> bool {
    let text = fs_err::read_to_string(folder.join(IGNORE)).unwrap_or_default();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next() == Some("*") && lines.all(|line| line == "!.gitignore" || line.starts_with('#'))
}
