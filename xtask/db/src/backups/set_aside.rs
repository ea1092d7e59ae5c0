//! The raw files of a live database that SQLite cannot read, kept whole beside the backups, each
//! time in a new folder. Only the user removes them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::NaiveDateTime;

use crate::files::{sidecars, whole_files};

/// The raw files of a database that exist, the database itself first.
#[must_use]
pub(crate) fn raw_files(database: &Path) -> Vec<PathBuf> {
    // The sidecars are beside the file that a symbolic link leads to.
    let database = fs_err::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let with = |suffix: &&str| sidecars::beside(&database, suffix);
    sidecars::WITH_DATABASE.iter().map(with).filter(|path| path.is_file()).collect()
}

/// Raw files that were set aside.
///
/// The live files stay open as long as this lives: if this process holds locks on them, closing a
/// descriptor would drop those locks.
#[derive(Debug)]
pub(crate) struct Aside {
    /// The folder that has the copies.
    pub(crate) folder: PathBuf,
    _live_files: Vec<fs_err::File>,
}

/// Copies the raw files into `<file name>.ASIDE.<time>/` in the backups folder; the live files are
/// only read.
///
/// # Errors
///
/// If they cannot be read, or the disk is full or fails.
pub(crate) fn set_aside(database: &Path, backups: &Path, time: NaiveDateTime) -> Result<Aside> {
    let name = database.file_name().context("a database has a file name")?.to_string_lossy();
    let folder = backups.join(format!("{name}.ASIDE.{}", time.format("%Y-%m-%d_%H%M%S")));
    let open = |path: &PathBuf| fs_err::File::open(path);
    let files = raw_files(database).iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let folder = whole_files::copy_into_folder(&files, &folder).with_context(|| {
        format!("could not set the raw files of `{}` aside", database.display())
    })?;
    Ok(Aside { folder, _live_files: files })
}
