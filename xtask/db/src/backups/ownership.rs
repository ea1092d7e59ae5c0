//! Which project a backup belongs to: this one, or another that keeps its backups in the same
//! folder.
//!
//! Inside the workspace the folder itself is the answer. In a folder outside, each record contains
//! the database's canonical path, the project's root and the first commit of its repository. The
//! paths of linked worktrees count as if they were in the main worktree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::backups::backup::Backup;
use crate::backups::home::{Home, Whose, Workspace};
use crate::git::repository;

/// The homes of a project's databases, for a backups folder outside its workspace.
#[derive(Debug)]
pub(crate) struct Homes {
    root: PathBuf,
    /// The canonical path of each database, by its name.
    paths: BTreeMap<String, PathBuf>,
    git: Option<repository::Place>,
    first_commit: OnceLock<Option<String>>,
}

impl Homes {
    /// The homes of a project's databases; `None` if the folder is inside its workspace.
    #[must_use]
    pub(crate) fn of(workspace: &Workspace<'_>, folder: &Path) -> Option<Self> {
        if is_inside(workspace, folder) {
            return None;
        }
        let place = workspace.git;
        let path = |path: &Path| in_main_worktree(canonical(path), place);
        let owners = workspace.databases.iter();
        let paths = owners.map(|owner| (owner.name.to_owned(), path(owner.path)));
        Some(Self {
            root: path(workspace.root),
            paths: paths.collect(),
            git: place.cloned(),
            first_commit: OnceLock::new(),
        })
    }

    /// The home of a configured database; `None` if its path is not text that a record can contain.
    #[must_use]
    pub(crate) fn home(&self, database: &str) -> Option<Home> {
        let first_commit = self
            .first_commit
            .get_or_init(|| self.git.as_ref().and_then(repository::Place::first_commit));
        Some(Home {
            path: self.paths.get(database)?.to_str()?.to_owned(),
            root: self.root.to_str()?.to_owned(),
            first_commit: first_commit.clone(),
        })
    }

    /// Marks whose each backup of a folder is.
    pub(crate) fn mark(&self, backups: &mut [Backup]) {
        let mut known = BTreeMap::<(Arc<str>, Arc<Home>), Whose>::new();
        let mut has_others = false;
        for backup in &mut *backups {
            let Some(record) = backup.summary() else { continue };
            let Some(home) = record.home.clone() else { continue };
            let key = (Arc::clone(&record.database), home);
            let whose = match known.get(&key) {
                Some(whose) => whose.clone(),
                None => self.judge(&key.0, &key.1),
            };
            has_others |= !whose.is_ours() && Path::new(&key.1.root) != self.root;
            known.insert(key, whose.clone());
            backup.whose = whose;
        }
        if !has_others {
            return;
        }
        for backup in backups {
            if backup.summary().is_none_or(|record| record.home.is_none()) {
                backup.whose = Whose::Unproven;
            }
        }
    }

    fn judge(&self, database: &str, home: &Home) -> Whose {
        let path = Path::new(&home.path);
        let is_own_root = Path::new(&home.root) == self.root;
        match self.paths.get(database) {
            Some(ours) if ours == path => return Whose::Ours,
            // A database that is no longer configured still belongs to this project.
            None if is_own_root => return Whose::Ours,
            _ => {}
        }
        // A database that was lost is still its project's, as long as that is there.
        if is_there(path) || !is_own_root && is_there(Path::new(&home.root)) {
            return Whose::Others(home.path.as_str().into());
        }
        let is_in_history = |commit: &String| {
            self.git.as_ref().is_some_and(|place| place.has_in_its_history(commit))
        };
        if is_own_root || home.first_commit.as_ref().is_some_and(is_in_history) {
            return Whose::Moved(home.path.as_str().into());
        }
        Whose::Unproven
    }
}

/// Whether something is at a path; true if that cannot be determined.
fn is_there(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let looked = fs_err::symlink_metadata(path);
    looked.map_or_else(|error| !matches!(error.kind(), NotFound | NotADirectory), |_| true)
}

/// Whether a folder is inside a project's workspace, in this worktree or the main one.
#[must_use]
pub(crate) fn is_inside(workspace: &Workspace<'_>, folder: &Path) -> bool {
    let folder = canonical(folder);
    let root = canonical(workspace.root);
    let in_main = in_main_worktree(root.clone(), workspace.git);
    folder.starts_with(root) || folder.starts_with(in_main)
}

/// A path in a linked worktree as the path of the same file in the main one, or in the bare
/// repository.
#[must_use]
pub(crate) fn in_main_worktree(path: PathBuf, place: Option<&repository::Place>) -> PathBuf {
    let Some(place) = place else { return path };
    let main = canonical(place.main.as_ref().unwrap_or(&place.common));
    match path.strip_prefix(canonical(&place.top)) {
        Ok(inside) if inside.as_os_str().is_empty() => main,
        Ok(inside) => main.join(inside),
        Err(_) => path,
    }
}

/// A path without symbolic links, as far as it exists.
#[must_use]
pub(crate) fn canonical(path: &Path) -> PathBuf {
    if let Ok(canonical) = fs_err::canonicalize(path) {
        return canonical;
    }
    match (path.parent(), path.file_name()) {
        (Some(above), Some(name)) if above != path => canonical(above).join(name),
        _ => path.to_owned(),
    }
}
