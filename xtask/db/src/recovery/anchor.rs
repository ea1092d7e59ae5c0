//! The path that stands for a database in locks and notes: beside it is the lock, and its hash names the note.
//!
//! Of an SQLite database it is the canonical path. A PostgreSQL database has no file, so a name in the folder of the
//! notes stands for it: two projects with other backups folders do not see each other's lock, and the server's own
//! locks decide between them.

use std::path::PathBuf;

use anyhow::Result;

use crate::backups::vault;
use crate::host::project::{Database, Location, Project};
use crate::sqlite::probe;

/// The path of a database.
///
/// # Errors
///
/// If the folder of a file cannot be resolved.
pub(crate) fn of(project: &Project, database: &Database) -> Result<PathBuf> {
    match &database.location {
        Location::File(path) => Ok(probe::canonical(path)?),
        Location::Server(server) => {
            let name = server.place().replace(['/', '\0'], "_");
            Ok(project.backups.join(vault::NOTES).join(name))
        }
    }
}
