//! What is set aside: the raw files of a live database that SQLite cannot read, whole, beside the
//! backups, in a folder of their own. Nothing ever removes them but their owner.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::NaiveDateTime;

use crate::durable;

/// The database's file and those SQLite keeps beside it.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// The raw files of a database that exist, the database itself first.
#[must_use]
pub(crate) fn raw_files(database: &Path) -> Vec<PathBuf> {
    // The sidecars lie beside the file that a symbolic link leads to.
    let database = fs_err::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let with = |suffix: &&str| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    SUFFIXES.iter().map(with).filter(|path| path.is_file()).collect()
}

/// Copies the raw files into `<file name>.ASIDE.<time>/` in the backups folder; the live files are
/// only read. No connection to them may be open.
///
/// # Errors
///
/// Where they cannot be read, or the disk is full or fails.
pub(crate) fn set_aside(database: &Path, backups: &Path, time: NaiveDateTime) -> Result<PathBuf> {
    let name = database.file_name().context("a database has a file name")?.to_string_lossy();
    let folder = backups.join(format!("{name}.ASIDE.{}", time.format("%Y-%m-%d_%H%M%S")));
    durable::copy_into_folder(&raw_files(database), &folder)
        .with_context(|| format!("could not set the raw files of `{}` aside", database.display()))
}
