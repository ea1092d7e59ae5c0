//! What the page of a backup is made from.

use crate::serve::documents::backup::Backup;

/// What the page of a backup is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackupFacts<'a> {
    pub(crate) backup: &'a Backup,
    /// All backups of its database, newest first.
    pub(crate) backups: &'a [Backup],
    /// The statements of its schema, if they are known.
    pub(crate) schema: Option<&'a str>,
}
