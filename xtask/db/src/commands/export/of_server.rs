//! The export of a PostgreSQL database: from its server, or of a backup that is loaded into a scratch database
//! there.

use anyhow::{Context as _, Result};
use xtask_db_format::Sink;

use crate::commands::export::destination::Destination;
use crate::commands::export::format::Format;
use crate::commands::export::output::Written;
use crate::commands::export::report::Exported;
use crate::commands::export::source::State;
use crate::console::refusal::Refusal;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::dump_source::DumpSource;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::scratch::Scratch;
use crate::postgres::server;
use crate::postgres::standing;
use crate::rows::export::server as rows;

/// The server of the state that is exported.
pub(super) struct Server<'s>(&'s server::Server);

impl<'s> Server<'s> {
    /// The server of a PostgreSQL database; of a backup, the one that it was taken from. `None` for SQLite.
    ///
    /// # Errors
    ///
    /// A refusal if no configured database has the server of a backup.
    pub(super) fn of(project: &'s Project, state: &'s State) -> Result<Option<Self>> {
        match state {
            State::Live(database) => Ok(database.server().map(Self)),
            State::Backup(backup) if backup.name.format.is_dump() => {
                let mut databases = project.databases.iter().filter(|one| backup.is_of(one));
                let server = databases.find_map(|database| database.server()).ok_or_else(|| {
                    Refusal::could_not(
                        format!(
                            "`{}` is loaded into a scratch database for an export, and no configured \
                             database has its server",
                            backup.name
                        ),
                        "configure its database, or load it into a database of your own: \
                         `zstd -dc FILE | psql NEW_DATABASE`",
                    )
                })?;
                Ok(Some(Self(server)))
            }
            State::Backup(_) => Ok(None),
        }
    }
}

/// Refuses the flags that have no meaning for a server, among those that were given.
///
/// # Errors
///
/// The refusal of the first one.
pub(super) fn refuse_flags_of_files(given: &[&str]) -> Result<()> {
    let refused = [
        (
            "--root",
            "`--root` follows foreign keys in SQLite databases only",
            "export whole tables with `--table`, or some rows with `\\copy (SELECT …)` of psql",
        ),
        (
            "--share",
            "`--share` writes files that `db-import --merge` reads, and that works with SQLite databases only",
            "export with `--output`",
        ),
        (
            "--rowids",
            "`--rowids` has no meaning here: tables of PostgreSQL have no rowids",
            "leave it out",
        ),
    ];
    match refused.into_iter().find(|(flag, ..)| given.contains(flag)) {
        Some((_, what, hint)) => Err(Refusal::could_not(what, hint)),
        None => Ok(()),
    }
}

/// One export from a server.
pub(super) struct Job<'a> {
    pub(super) project: &'a Project,
    pub(super) state: &'a State,
    pub(super) wanted: rows::selection::Wanted,
    pub(super) format: Format,
    /// Whether the output is a folder.
    pub(super) is_folder: bool,
    pub(super) destination: &'a Destination,
}

impl Job<'_> {
    /// Exports from a server.
    ///
    /// # Errors
    ///
    /// If a backup is damaged or cannot be loaded, the server cannot be reached or refuses, the output cannot
    /// be written, or at the user's interrupt.
    pub(super) fn run(
        &self,
        server: &Server<'_>,
        session: &mut Session,
    ) -> Result<(Exported, Option<Written>)> {
        let Self { project, state, .. } = *self;
        let interrupt = session.interrupt().clone();
        for line in state.prove(&interrupt)? {
            session.warn(line);
        }
        let programs = Programs::find(&project.search_path, &interrupt)?;
        let place = Place { server: server.0, programs: &programs, interrupt: &interrupt };
        let State::Backup(backup) = state else {
            return self
                .rows_of(place, session)
                .map_err(|error| standing::explain(error, server.0, &programs));
        };
        let source = DumpSource::of(backup)?;
        let scratch = Scratch::from_backup(place, &source.source())
            .map_err(|error| standing::explain(error, server.0, &programs))?;
        session.note(format!(
            "Loaded {} into a scratch database on {}",
            backup.name,
            server.0.place()
        ));
        self.rows_of(Place { server: &scratch.server(), ..place }, session)
            .context("could not read the scratch database")
    }

    fn rows_of(
        &self,
        place: Place<'_>,
        session: &mut Session,
    ) -> Result<(Exported, Option<Written>)> {
        let Self { wanted, destination, .. } = self;
        let mut progress = session.progress("exporting");
        let mut rows = rows::open(place, wanted)?;
        let mut output = destination.open(session)?;
        let mut sink = Sink::new(&mut output);
        let mut format = self.format.server_writer(self.is_folder);
        let counts = rows.write(format.as_mut(), &mut sink, &mut |n_bytes| {
            progress.reach(n_bytes);
            place.interrupt.check()
        })?;
        let n_bytes = sink.n_bytes();
        let exported = Exported::of_server(&rows, &counts, n_bytes);
        rows.close()?;
        place.interrupt.check()?;
        let written = output.publish(destination)?;
        Ok((exported, written))
    }
}
