//! The place of a backup's database, and the project that the backup belongs to.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::git::repository;

/// A configured database, as its backups name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// Its name in the configuration and in records.
    pub name: &'a str,
    /// Path of the database, absolute.
    pub path: &'a Path,
}

impl<'a> Owner<'a> {
    /// The file name that begins the name of each of its backups.
    #[must_use]
    pub(crate) fn file_name(&self) -> Cow<'a, str> {
        self.path.file_name().map_or(Cow::Borrowed(self.name), |name| name.to_string_lossy())
    }
}

/// A project, as far as its backups folder needs to know it.
#[derive(Debug, Clone)]
pub(crate) struct Workspace<'a> {
    /// Its root.
    pub root: &'a Path,
    /// The repository around it.
    pub git: Option<&'a repository::Place>,
    /// Its databases.
    pub databases: Vec<Owner<'a>>,
}

/// The place and project of the database that a backup was taken of. Only records outside a
/// workspace contain it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Home {
    /// The canonical path of the database, in the main worktree.
    pub path: String,
    /// The canonical root of its project, in the main worktree.
    pub root: String,
    /// The first commit of the repository; `None` without one, and in a shallow clone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_commit: Option<String>,
}

/// The project that a backup belongs to, as far as its record proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This project's.
    Ours,
    /// This project's, taken at a path that is gone: the project was moved or cloned again.
    Moved(Arc<str>),
    /// Taken of another database, at this path.
    Others(Arc<str>),
    /// It is unknown, and the folder contains backups of another project.
    Unproven,
}

impl Whose {
    /// Whether `latest` may mean it and retention may remove it.
    #[must_use]
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours | Self::Moved(_))
    }

    /// The word in `--json`.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Moved(_) => "moved",
            Self::Others(_) => "others",
            Self::Unproven => "unproven",
        }
    }
}
