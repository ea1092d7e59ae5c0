//! The backups folder of a project, and which backups in it belong to a database.

use std::path::Path;

use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::home::{Owner, Workspace};
use crate::backups::vault::Vault;
use crate::host::project::{Database, Project};

impl Vault {
    /// The vault in a project's backups folder.
    #[must_use]
    pub(crate) fn of(project: &Project, now: DateTime<FixedOffset>) -> Self {
        told(project, &project.backups, now).kept_by(&project.workspace())
    }

    /// The vault in another folder that gets backups of a project.
    #[must_use]
    pub(crate) fn for_project(
        project: &Project,
        folder: &Path,
        now: DateTime<FixedOffset>,
    ) -> Self {
        told(project, folder, now).shared_by(&project.workspace())
    }
}

/// The vault in a folder, which leaves its remarks with those of the project's commands.
fn told(project: &Project, folder: &Path, now: DateTime<FixedOffset>) -> Vault {
    Vault::at(folder, now).read_within(project.read_within).telling(project.told.clone())
}

impl Backup {
    /// Whether it belongs to a database of this project.
    #[must_use]
    pub(crate) fn is_of(&self, database: &Database) -> bool {
        self.belongs_to(database.owner())
    }

    /// Whether it has a database's name, in its record or else in its file name; another project
    /// may have one of the same name.
    #[must_use]
    pub(crate) fn is_named_for(&self, database: &Database) -> bool {
        self.bears_name_of(database.owner())
    }
}

impl Database {
    /// The database, as its backups name it.
    #[must_use]
    pub(crate) fn owner(&self) -> Owner<'_> {
        Owner { name: &self.name, path: self.home() }
    }
}

impl Project {
    /// The project, as far as a backups folder needs to know it.
    fn workspace(&self) -> Workspace<'_> {
        let databases = self.databases.iter().map(Database::owner).collect();
        Workspace { root: &self.root, git: self.git.as_ref(), databases }
    }
}
