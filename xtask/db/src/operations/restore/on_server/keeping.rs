//! Keeps the state of a PostgreSQL database that is replaced, or was, as a safety backup.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::writer::Locked;
use crate::capture;
use crate::capture::request::{Capture, Taken, Wanted};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::host::project::{Database, Location, Project};
use crate::host::session::Session;
use crate::operations::restore::safety_backup;
use crate::postgres::maintenance::{self, Allow};
use crate::postgres::place::Place;
use crate::postgres::temporary;

/// Whose old state is kept, and where.
#[derive(Clone, Copy)]
pub(crate) struct Keeping<'a> {
    /// The host.
    pub(crate) project: &'a Project,
    /// Its database.
    pub(crate) database: &'a Database,
    /// The server of the database.
    pub(crate) place: Place<'a>,
    /// The backups folder.
    pub(crate) locked: &'a Locked<'a>,
    /// Name of the backup that replaces it, if it is known.
    pub(crate) replaced_by: Option<&'a str>,
}

impl Keeping<'_> {
    /// Keeps a replaced database as a safety backup, and drops it.
    ///
    /// # Errors
    ///
    /// If it cannot be dumped or dropped: then it is closed to connections.
    pub(crate) fn keep_old(&self, session: &mut Session, old: &str) -> Result<Backup> {
        let server = self.place.server.with_database(old);
        let calm = Interrupt::default();
        let mut psql = maintenance::connect(&server, self.place.programs, &calm)?;
        maintenance::allow_connections(&mut psql, old, Allow::Yes)?;
        let wanted = self.wanted(session);
        let location = Location::Server(server.clone());
        let database = Database { location, ..self.database.clone() };
        let mut progress = session.progress("Keeping the replaced state");
        let kept = self.keep(&wanted, &database, &mut progress);
        drop(progress);
        match kept {
            Ok(_) => temporary::drop_with_sessions(&mut psql, old)?,
            Err(_) => maintenance::allow_connections(&mut psql, old, Allow::No)?,
        }
        psql.close()?;
        kept
    }

    /// The safety backup to take.
    #[must_use]
    pub(crate) fn wanted(&self, session: &Session) -> Wanted<'_> {
        Wanted {
            replaced_by: self.replaced_by.map(str::to_owned),
            ..safety_backup::wanted(session, self.project, self.database)
        }
    }

    /// Takes the safety backup, of a database that may have another name by now.
    ///
    /// # Errors
    ///
    /// If it cannot be dumped, or the disk is full or fails.
    pub(crate) fn keep(
        &self,
        wanted: &Wanted<'_>,
        from: &Database,
        progress: &mut Progress,
    ) -> Result<Backup> {
        let capture = Capture { locked: self.locked, project: self.project, wanted };
        match capture::take_of(from, capture, progress)? {
            Taken::Backup(backup, ..) | Taken::Linked(backup, _) => Ok(*backup),
            _ => anyhow::bail!("a safety backup is taken unconditionally"),
        }
    }
}
