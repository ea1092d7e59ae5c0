//! The state that is exported, a backup or the live database: its name, its time, its connection.

use anyhow::Result;
use rusqlite::Connection;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::name::Name;
use crate::backups::reader::Contents;
use crate::backups::verification;
use crate::backups::verification::outcome::Outcome;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::sqlite::connection;
use crate::sqlite::examination::finding::{Damage, Depth};
use crate::sqlite::trouble::{self, Trouble};

const ANOTHER: &str = "nothing was exported; choose another backup with `cargo xtask db-list`";

/// The state to export.
pub(super) enum State {
    Backup(Box<Backup>),
    Live(Box<Database>),
}

impl State {
    /// The name in results.
    pub(super) fn name(&self, project: &Project) -> String {
        match self {
            Self::Backup(backup) => backup.name.to_string(),
            Self::Live(database) => project.place(database),
        }
    }

    /// The name in errors.
    pub(super) fn quoted_name(&self, project: &Project) -> String {
        match self {
            Self::Backup(backup) => format!("`{}`", backup.name),
            Self::Live(database) => project.quoted_place(database),
        }
    }

    /// The time of this state, in the form for names of files.
    pub(super) fn time(&self, session: &Session) -> String {
        match self {
            Self::Backup(backup) => backup.name.time_text(),
            Self::Live(_) => Name::new("", false, session.now().naive_local()).time_text(),
        }
    }

    /// Whether it is a backup that SQLite reads where it is.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Backup(backup) if backup.name.format == Format::Plain)
    }

    /// Compares a backup's bytes with its record: otherwise a value that was changed would be
    /// exported with a valid hash. Returns warnings for the user.
    ///
    /// # Errors
    ///
    /// A refusal if it is damaged; if it cannot be read; the user's interrupt.
    pub(super) fn prove(&self, interrupt: &Interrupt) -> Result<Vec<String>> {
        let Self::Backup(backup) = self else { return Ok(Vec::new()) };
        let verification = verification::verify_for_restore(backup, Depth::Quick, interrupt)?;
        if verification.outcome == Outcome::Damaged {
            let reasons = verification.reasons.join("; ");
            return Err(Refusal::no(format!("it is damaged: {reasons}"), ANOTHER));
        }
        let said = verification.reasons.into_iter().chain(verification.warnings);
        Ok(said.map(|line| format!("{}: {line}", backup.name)).collect())
    }

    /// Opens it and passes the connection to `work`; a backup is locked so that pruning does not
    /// remove it.
    pub(super) fn read<T>(
        &self,
        project: &Project,
        interrupt: &Interrupt,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::Backup(backup) => {
                let contents = Contents::open(backup)?;
                let file = contents.file(interrupt)?;
                work(&mut connection::open_immutable(file.path())?)
            }
            Self::Live(database) => {
                let mut live = live_database::open(project, database)?;
                let read = work(&mut live);
                live.proved(read)
            }
        }
    }

    /// Adds a hint to a failure.
    pub(super) fn explain(&self, error: anyhow::Error, project: &Project) -> anyhow::Error {
        let is_damaged = error.downcast_ref::<Damage>().is_some()
            || trouble::trouble(&error) == Trouble::Damaged;
        if error.downcast_ref::<Refusal>().is_none() && is_damaged {
            let hint = match self {
                Self::Live(_) => {
                    "nothing was exported; `cargo xtask db-export latest` exports the newest \
                     backup, and `cargo xtask db-restore` restores one"
                }
                Self::Backup(_) => ANOTHER,
            };
            let (what, hint) = ("it is damaged".to_owned(), hint.to_owned());
            return error.context(Refusal { what, hint, exit: Exit::No });
        }
        match self {
            Self::Live(database) => live_database::explain(error, project, database),
            Self::Backup(_) => error,
        }
    }
}
