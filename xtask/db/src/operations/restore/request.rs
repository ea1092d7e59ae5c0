//! The request for a restore, by `db-restore` or `db-rollback`.

use std::path::PathBuf;

use crate::backups::backup::Backup;
use crate::operations::restore::expected_live::Expected;
use crate::operations::restore::on_server::run::Way;

/// A restore as the user requested it.
#[derive(Debug)]
pub(crate) struct Request {
    /// The backup; the user picks one without it.
    pub(crate) reference: Option<String>,
    /// Whether nothing is asked.
    pub(crate) yes: bool,
    /// The file to write to, if not the live database.
    pub(crate) into: Option<PathBuf>,
    /// The only tables to restore, if any are named.
    pub(crate) tables: Vec<String>,
    /// Whether the plan is printed and nothing is changed.
    pub(crate) dry_run: bool,
    /// How a PostgreSQL database is restored, if the user demands it.
    pub(crate) way: Option<Way>,
    /// Whether doubts do not matter.
    pub(crate) force: bool,
    /// The command that this is a part of.
    pub(crate) command: &'static str,
    /// What must still be in place of the live database.
    pub(crate) if_live: Option<Expected>,
    /// The database given by `--db`.
    pub(crate) database: Option<String>,
}

impl Request {
    /// The restore of a backup that `db-rollback` chose, with a question and no dry run.
    pub(crate) fn of_backup(backup: &Backup, database: Option<String>) -> Self {
        Self {
            reference: Some(backup.name.to_string()),
            yes: false,
            into: None,
            tables: Vec::new(),
            dry_run: false,
            force: false,
            way: None,
            command: "db-rollback",
            if_live: None,
            database,
        }
    }
}
