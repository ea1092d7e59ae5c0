//! The state that a restore which failed left in place.

use crate::host::project::{Database, Project};
use crate::operations::restore::safety_backup::Kept;

/// The state that a failed restore left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InPlace {
    Old,
    New,
    Unproved,
}

/// The error that a restore failed.
#[derive(Debug)]
pub(super) struct CouldNotRestore {
    state: InPlace,
    what: String,
}

impl CouldNotRestore {
    pub(super) fn of(project: &Project, database: &Database, kept: &Kept, state: InPlace) -> Self {
        let kept = match kept {
            Kept::Backup(safety) => format!("; `{}` is its safety backup", safety.name),
            Kept::Aside(aside) => {
                format!("; its raw files are in `{}`", project.path(&aside.folder))
            }
            Kept::Nothing => String::new(),
        };
        let said = match state {
            InPlace::Old => "it is unchanged",
            InPlace::New => "the new state is committed, but not proved",
            InPlace::Unproved => "its current content is not proved",
        };
        let what = format!("could not restore `{}`: {said}{kept}", project.plain_place(database));
        Self { state, what }
    }
}

impl std::fmt::Display for CouldNotRestore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for CouldNotRestore {}

/// Whether a failure to put a backup in place left the database as it was.
#[must_use]
pub(crate) fn is_untouched(error: &anyhow::Error) -> bool {
    let could_not = error.downcast_ref::<CouldNotRestore>();
    could_not.is_none_or(|could_not| could_not.state == InPlace::Old)
}
