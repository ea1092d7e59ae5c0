//! What every page shows around its own content.

use chrono::{DateTime, FixedOffset};

use crate::serve::job::Job;

/// What every page shows around its own content.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Name of the project: its folder.
    pub(crate) project: String,
    /// The configured databases, in their order.
    pub(crate) databases: Vec<DatabaseView>,
    /// Name of the database that the page is about.
    pub(crate) database: String,
    pub(crate) now: DateTime<FixedOffset>,
    /// Jobs that have not ended, the oldest first.
    pub(crate) running: Vec<Job>,
    /// A line about what just happened.
    pub(crate) notice: Option<String>,
}

/// A configured database.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseView {
    pub(crate) name: String,
    /// Path relative to the workspace, or the address of a server without its password.
    pub(crate) path: String,
}

impl Context {
    /// The database that the page is about.
    #[must_use]
    pub(crate) fn chosen(&self) -> Option<&DatabaseView> {
        self.databases.iter().find(|database| database.name == self.database)
    }

    /// `--db NAME` where a command needs it.
    #[must_use]
    pub(crate) fn db_flag(&self) -> String {
        if self.databases.len() > 1 { format!(" --db {}", self.database) } else { String::new() }
    }
}
