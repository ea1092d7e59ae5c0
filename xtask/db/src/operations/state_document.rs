//! How `--json` names a state of a database: a backup, or a database as it is now.

use serde::Serialize;

use crate::backups::backup::Backup;
use crate::host::project::{Database, Project};

/// A state of a database in `--json`.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum StateDocument {
    /// A backup by its name.
    Backup {
        /// Its name.
        backup: String,
    },
    /// The live database, or any file.
    Live {
        /// Its name.
        database: String,
        /// Its path, relative to the project.
        path: String,
    },
}

impl StateDocument {
    /// Describes a backup.
    #[must_use]
    pub(crate) fn of_backup(backup: &Backup) -> Self {
        Self::Backup { backup: backup.name.to_string() }
    }

    /// Describes a database.
    #[must_use]
    pub(crate) fn of_live(project: &Project, database: &Database) -> Self {
        Self::Live { database: database.name.clone(), path: project.plain_place(database) }
    }
}
