//! The facts about one database and its backups, before anything is judged.

use chrono::{DateTime, FixedOffset};

use crate::backups::backup::{Backup, State};
use crate::backups::kind::Kind;
use crate::health::glance::{self, Glance, Sight};
use crate::host::project::{Database, Project, schema_files};
use crate::recovery::interrupted_step::{self, Left};

/// One database and its backups, as they were found.
pub(crate) struct Checkup<'a> {
    pub(crate) project: &'a Project,
    pub(crate) database: &'a Database,
    /// The live database.
    pub(crate) live: Glance,
    /// Notes that interrupted commands left.
    pub(crate) left: Vec<Left>,
    /// Its backups of all worktrees, newest first.
    pub(crate) backups: Vec<&'a Backup>,
    /// The moment it is.
    pub(crate) now: DateTime<FixedOffset>,
}

impl<'a> Checkup<'a> {
    /// Examines a database and its backups without a lock and without changing a byte; `all` is
    /// every backup of the folder, newest first.
    #[must_use]
    pub(crate) fn of(
        project: &'a Project,
        database: &'a Database,
        all: &'a [Backup],
        now: DateTime<FixedOffset>,
    ) -> Self {
        let backups = all.iter().filter(|backup| backup.is_of(database)).collect();
        let left = interrupted_step::left(project, database);
        Self { project, database, live: glance::of(project, database), left, backups, now }
    }

    /// The newest backup of this worktree that is not a safety backup.
    #[must_use]
    pub(crate) fn last(&self) -> Option<&Backup> {
        self.backups.iter().copied().find(|backup| {
            backup.worktree() == self.project.worktree() && backup.kind() != Some(Kind::Safety)
        })
    }

    /// The backup whose schema the database should have: the one that was restored, if none was taken
    /// since, else the last.
    #[must_use]
    pub(crate) fn expected(&self) -> Option<&Backup> {
        let is_own = |backup: &&Backup| backup.worktree() == self.project.worktree();
        let newest = self.backups.iter().copied().find(is_own)?;
        let replaced_by = newest.record().and_then(|record| record.replaced_by.as_ref());
        let restored = replaced_by.filter(|_| newest.kind() == Some(Kind::Safety));
        let restored = restored.and_then(|name| {
            let is_it = |b: &&Backup| b.name.to_string() == *name && b.state() != State::Damaged;
            self.backups.iter().copied().find(is_it)
        });
        restored.or(self.last())
    }

    /// The schema's version, if it was seen and is counted at all.
    #[must_use]
    pub(crate) fn version(&self) -> Option<i64> {
        match self.live.sight {
            Sight::Schema { version, .. } => version.filter(|version| *version > 0),
            _ => None,
        }
    }

    /// The number of the code's newest migration, if the migrations are numbered.
    #[must_use]
    pub(crate) fn newest_migration(&self) -> Option<i64> {
        let newest = schema_files::newest_migration(&self.project.root, &self.database.schema);
        newest.map(|(number, _)| number)
    }

    /// How many of the code's migrations the database has not seen.
    #[must_use]
    pub(crate) fn n_pending(&self) -> Option<usize> {
        let version = self.version()?;
        Some(schema_files::n_after(&self.project.root, &self.database.schema, version))
    }

    /// Whether the schema differs from that of the expected backup; `None` if either is unknown.
    #[must_use]
    pub(crate) fn has_drifted(&self) -> Option<bool> {
        let Sight::Schema { schema_blake3, .. } = &self.live.sight else { return None };
        Some(self.expected()?.record()?.schema_blake3 != *schema_blake3)
    }

    /// How many of its backups are in a state, by the word for that.
    #[must_use]
    pub(crate) fn n_in(&self, word: &str) -> usize {
        self.backups.iter().copied().filter(|backup| backup.state().word() == word).count()
    }
}
