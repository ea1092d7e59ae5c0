//! Problems of the backups folder as a whole.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::place::Standing;
use crate::backups::vault::{Leftovers, Vault, regular};
use crate::console::text;
use crate::files::free_space;
use crate::files::holders::Holder;
use crate::health::page_store::Store;
use crate::health::problem::Problem;
use crate::host::project::{Database, Project};

/// The backups folder, as it was found.
pub(crate) struct Folder {
    /// Whether it exists.
    pub(crate) exists: bool,
    /// How many backups are in it, of whatever database.
    pub(crate) n_backups: usize,
    /// The page store, if there is one.
    pub(crate) store: Option<Store>,
    /// The size of all backups, hard links and shared pages counted once.
    pub(crate) used_bytes: u64,
    /// The free space on its disk; `None` if the system does not report it.
    pub(crate) free_bytes: Option<u64>,
    /// Process that holds its lock right now.
    pub(crate) holder: Option<Holder>,
    /// Files that a killed run left; empty while another process works in the folder.
    pub(crate) leftovers: Leftovers,
    /// Raw files that were set aside, and their bytes.
    pub(crate) set_aside: Vec<(PathBuf, u64)>,
    /// The files in it that git tracks, but its `.gitignore`.
    pub(crate) tracked: Vec<String>,
    /// The permissions of the folder where others may enter it.
    pub(crate) open_mode: Option<u32>,
    /// Whether it contains only files of ours.
    pub(crate) is_ours: bool,
    /// Backups and records that others may read, and the permissions of the first.
    pub(crate) open_files: Vec<(PathBuf, u32)>,
}

impl Folder {
    /// Looks at the folder; takes no lock and creates nothing. `backups` are all of the folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn of(project: &Project, vault: &Vault, backups: &[Backup]) -> Result<Self> {
        let folder = vault.folder();
        let mut seen = BTreeSet::new();
        let once = backups.iter().filter(|backup| seen.insert(backup.identity));
        let files_bytes: u64 = once.map(|backup| backup.file_bytes).sum();
        let store = Store::of(vault, backups)?;
        let used_bytes = files_bytes + store.as_ref().map_or(0, |store| store.packs_bytes);
        let before = vault.holder();
        let leftovers = vault.leftovers()?;
        let holder = vault.holder();
        // Files that look left over belong to the holder of the lock.
        let nobody = before.is_none() && holder.is_none();
        let leftovers = if nobody { leftovers } else { Leftovers::default() };
        let mut tracked = project.git.as_ref().map_or(Vec::new(), |git| git.tracked(folder));
        tracked.retain(|file| !file.ends_with(".gitignore"));
        let is_ours = vault.standing()? == Standing::Ours;
        let open_mode = mode(folder).filter(|mode| mode & 0o077 != 0 && is_ours);
        Ok(Self {
            exists: folder.is_dir(),
            open_files: open_files(backups)?,
            n_backups: backups.len(),
            store,
            used_bytes,
            free_bytes: free_space::free_bytes(folder),
            holder,
            leftovers,
            set_aside: vault.set_aside()?,
            tracked,
            open_mode,
            is_ours,
        })
    }

    /// Everything that needs attention.
    #[must_use]
    pub(crate) fn problems(&self, project: &Project) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.tracked(project));
        problems.extend(self.permissions(project));
        problems.extend(self.left_over(project));
        problems.extend(self.store.iter().flat_map(|store| store.problems(project)));
        problems.extend(self.no_room(project));
        problems
    }

    fn tracked(&self, project: &Project) -> Option<Problem> {
        let first = self.tracked.first()?;
        let folder = text::shell(&project.path(&project.backups));
        let ignored = text::shell(&format!(":!{}/.gitignore", project.path(&project.backups)));
        let n = text::count(self.tracked.len() as u64, "file");
        Some(Problem::new(
            "tracked",
            format!("git tracks {n} in the backups folder, e.g. `{}`", text::plain(first)),
            format!("git rm -r --cached --quiet -- {folder} {ignored}"),
        ))
    }

    fn permissions(&self, project: &Project) -> Option<Problem> {
        let folder = project.dotted(&project.backups);
        let what = match (self.open_mode, self.open_files.first()) {
            (None, None) => return None,
            (Some(mode), None) => {
                format!("other users can enter {folder} (mode {mode:04o}, not 0700)")
            }
            (_, Some((_, mode))) => {
                let n = text::count(self.open_files.len() as u64, "file");
                let live = live_mode(project);
                format!("other users can read {n} in {folder} (mode {mode:04o}, not 0600{live})")
            }
        };
        let remedy = if self.is_ours {
            format!("chmod -R go= {}", text::shell(&folder))
        } else {
            self.close_files(project)
        };
        Some(Problem::new("permissions", what, remedy))
    }

    /// The remedy that closes the files alone: the folder also contains files that are not ours.
    fn close_files(&self, project: &Project) -> String {
        const MAX_FILES: usize = 8;
        let shown = |(path, _): &(PathBuf, u32)| text::shell(&project.dotted(path));
        let files: Vec<String> = self.open_files.iter().take(MAX_FILES).map(shown).collect();
        format!("chmod go= {}", files.join(" "))
    }

    fn left_over(&self, project: &Project) -> Option<Problem> {
        let (stages, records) = (&self.leftovers.stages, &self.leftovers.lone_records);
        let first = stages.first().or(records.first())?;
        let what = match (stages.len() as u64, records.len() as u64) {
            (stages, 0) => text::count(stages, "unfinished file"),
            (0, records) => text::count(records, "record") + " without its backup",
            (stages, records) => format!(
                "{} and {} without its backup",
                text::count(stages, "unfinished file"),
                text::count(records, "record")
            ),
        };
        Some(Problem::new(
            "leftovers",
            format!("a killed command left {what}, e.g. `{}`", project.path(first)),
            "cargo xtask db-backup   # removes it first, like every command that writes there",
        ))
    }

    /// Less is free than the databases take up: the next backup of all of them would not fit.
    fn no_room(&self, project: &Project) -> Option<Problem> {
        let free = self.free_bytes?;
        let size = |path: &Path| fs_err::metadata(path).map_or(0, |metadata| metadata.len());
        let needed = project.databases.iter().filter_map(Database::file_if_any).map(size).max()?;
        (free < needed).then(|| {
            Problem::new(
                "no-room",
                format!("{} are free, less than the next backup needs", text::size(free)),
                "cargo xtask db-prune --dry-run   # shows what can be removed",
            )
        })
    }
}

/// The backups and records that others than their owner may read or write.
fn open_files(backups: &[Backup]) -> Result<Vec<(PathBuf, u32)>> {
    let mut open = Vec::new();
    for path in backups.iter().flat_map(|backup| [backup.path(), backup.record_path()]) {
        let Some(metadata) = regular(&path)? else { continue };
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            open.push((path, mode));
        }
    }
    Ok(open)
}

/// The permissions that the databases grant to others, for comparison.
fn live_mode(project: &Project) -> String {
    let modes = project.databases.iter().filter_map(|database| mode(database.file_if_any()?));
    match modes.reduce(|all, mode| all | mode) {
        Some(mode) if mode & 0o007 != 0 => format!("; the database has {mode:04o}"),
        _ => String::new(),
    }
}

fn mode(path: &Path) -> Option<u32> {
    Some(fs_err::metadata(path).ok()?.permissions().mode() & 0o7777)
}
