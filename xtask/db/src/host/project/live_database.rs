//! The live database of a project, opened; and the message if it is locked, missing or unreadable.

use anyhow::Result;

use crate::console::refusal::{Exit, Refusal};
use crate::files::holders;
use crate::host::project::{Database, Project};
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::read_only::{self, Looking};
use crate::sqlite::trouble::{self, Trouble};

/// Opens a live database for a backup.
///
/// # Errors
///
/// A refusal if it is missing, empty, no file or no SQLite database (exit 2); never creates one.
pub(crate) fn open(project: &Project, database: &Database) -> Result<Looking> {
    let path = project.quoted_place(database);
    let standing = probe::look(database.file()?).map_err(|error| cannot_read(error, &path))?;
    let what = match standing {
        Standing::Sqlite(_) => {
            return read_only::open(database.file()?, project.busy_timeout)
                .map_err(|error| explain(error, project, database));
        }
        Standing::Missing => {
            return Err(Refusal::could_not(
                format!("there is no database at {path}"),
                "restore a backup with `cargo xtask db-restore`, or create it with `cargo xtask \
                 db-setup`; if the path is wrong, correct it in `Cargo.toml`",
            ));
        }
        Standing::Other(engine) => {
            return Err(Refusal::could_not(format!("{path} is {}", engine.what), engine.hint));
        }
        Standing::NotAFile(kind) => format!("{path} is {kind}, not a database"),
        Standing::Empty => format!("{path} is an empty file (0 bytes), not a database"),
        Standing::Foreign { may_be_encrypted: true } => {
            format!("{path} is not an SQLite database; it may be encrypted")
        }
        Standing::Foreign { .. } => format!("{path} is not an SQLite database"),
    };
    Err(Refusal::could_not(
        what,
        "nothing was changed; restore a backup with `cargo xtask db-restore`, or correct the path",
    ))
}

fn cannot_read(error: anyhow::Error, path: &str) -> anyhow::Error {
    error.context(Refusal {
        what: format!("could not read {path}"),
        hint: "check who owns it and its permissions, and those of its folder".to_owned(),
        exit: Exit::CouldNot,
    })
}

/// Adds to a failure of SQLite its meaning for the live database, and what to do.
#[must_use]
pub(crate) fn explain(
    error: anyhow::Error,
    project: &Project,
    database: &Database,
) -> anyhow::Error {
    let path = project.quoted_place(database);
    if error.downcast_ref::<Refusal>().is_some() {
        return error;
    }
    let (what, hint, exit) = match trouble::trouble(&error) {
        Trouble::Busy => (
            format!(
                "{path} stayed locked for {}{}",
                crate::console::text::took(project.busy_timeout),
                holders::sentence(database.home())
            ),
            "try again, wait longer with `--busy-timeout SECS`, or stop what has it open"
                .to_owned(),
            Exit::Locked,
        ),
        Trouble::Interrupted => return Refusal::interrupted(),
        Trouble::CannotOpen | Trouble::ReadOnly => (
            format!("could not open {path} for reading and writing"),
            "SQLite needs to write beside it (WAL, rollback journal): check the owner and the \
             permissions of the file and its folder"
                .to_owned(),
            Exit::CouldNot,
        ),
        Trouble::Full => (
            "the disk is full".to_owned(),
            "free some space (`cargo xtask db-prune --dry-run` shows what can be removed)"
                .to_owned(),
            Exit::CouldNot,
        ),
        Trouble::Damaged | Trouble::Other => return error,
    };
    error.context(Refusal { what, hint, exit })
}
