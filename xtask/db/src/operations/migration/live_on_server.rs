//! The state of a live database on a server, before and after a migration.

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::record::of_dump;
use crate::backups::writer::Locked;
use crate::console::text;
use crate::host::session::Session;
use crate::migrate::on_server::rehearsal::{self, Judged};
use crate::migrate::on_server::sight::Sight;
use crate::migrate::on_server::value_effects::Before;
use crate::migrate::state::State;
use crate::operations::dump_source::DumpSource;
use crate::operations::migration::conclusion::After;
use crate::operations::migration::job::Job;
use crate::operations::restore::on_server::keeping::Keeping;
use crate::operations::restore::on_server::leftovers;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::standing::{self, Standing};

/// What a session sees of the live database, and the state that its newest checkpoint contains.
///
/// # Errors
///
/// If the server cannot be reached or refuses, or at the user's interrupt.
pub(super) fn before(
    session: &Session,
    job: &Job<'_>,
    checkpoint: &Backup,
) -> Result<(Sight, State)> {
    let interrupt = session.interrupt();
    let server = job.database.server().context("it is not on a server")?;
    let programs = Programs::find(&job.project.search_path, interrupt)?;
    let sight = Sight::read(Place { server, programs: &programs, interrupt })?;
    let record = checkpoint.record().context("a checkpoint has a record")?;
    let state = sight.state(&of_dump::proof(record)?);
    Ok((sight, state))
}

/// Settles what killed commands left on the server, e.g. a scratch database.
///
/// # Errors
///
/// If the server cannot be reached or refuses.
pub(super) fn settle(session: &mut Session, job: &Job<'_>, locked: &Locked<'_>) -> Result<()> {
    let Job { project, database, .. } = *job;
    let interrupt = session.interrupt().clone();
    let server = database.server().context("it is not on a server")?;
    let programs = Programs::find(&project.search_path, &interrupt)?;
    let place = Place { server, programs: &programs, interrupt: &interrupt };
    let keeping = Keeping { project, database, place, locked, replaced_by: None };
    leftovers::settle(session, &keeping)
        .map_err(|error| standing::explain(error, server, &programs))
}

/// Warns of applications that are connected, because what they write while the database is migrated is lost if the
/// state before is restored.
pub(crate) fn warn_of_sessions(session: &mut Session, job: &Job<'_>) {
    let Some(server) = job.database.server() else { return };
    let interrupt = session.interrupt().clone();
    let facts = Programs::find(&job.project.search_path, &interrupt)
        .and_then(|programs| standing::found(server, &programs, &interrupt));
    // Whatever is wrong, the copy that follows reports it.
    let Ok(facts) = facts else { return };
    let Some(first) = facts.sessions.iter().find(|other| other.user.is_some()) else { return };
    let n = text::count(facts.sessions.len() as u64, "session");
    let verb = if facts.sessions.len() == 1 { "is" } else { "are" };
    let user = text::plain(first.user.as_deref().unwrap_or_default());
    session.warn(format!(
        "{n} of other programs {verb} connected to {}, e.g. of user `{user}` (process {}): stop whatever writes \
         into it before it is migrated",
        job.project.place(job.database),
        first.pid
    ));
}

/// The state before a migration.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The checkpoint taken right before.
    pub(super) checkpoint: &'a Backup,
    /// What a session saw.
    pub(super) sight: &'a Sight,
}

/// Examines the live database as the rehearsal examined its copy.
///
/// # Errors
///
/// If the server cannot be reached, or at the user's interrupt.
pub(super) fn examine(
    session: &mut Session,
    job: &Job<'_>,
    locked: &Locked<'_>,
    before: &Seen<'_>,
) -> Result<After> {
    let Seen { checkpoint, sight } = *before;
    let interrupt = session.interrupt().clone();
    let server = job.database.server().context("it is not on a server")?;
    let programs = Programs::find(&job.project.search_path, &interrupt)?;
    if let Standing::Missing = standing::look(server, &programs, &interrupt)? {
        return Ok(After::Broken(vec![
            "the server no longer has a database of that name".to_owned(),
        ]));
    }
    let source = DumpSource::of(checkpoint)?;
    let scratch = locked.scratch(&job.database.file_name())?;
    let place = Place { server, programs: &programs, interrupt: &interrupt };
    let old = Before { sight, dump: source.source().dump, proof: &source.proof };
    let progress = session.progress("Examining");
    let judged = rehearsal::judged(old, place, &scratch);
    drop(progress);
    let Judged { state, effects } = judged?;
    if state.content_blake3 == source.proof.content_blake3 {
        return Ok(After::Same);
    }
    Ok(After::Other(Box::new(state), Box::new(effects)))
}
