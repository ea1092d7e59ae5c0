//! Restores a backup that the user did not choose just now: the state before a migration, or a new database.

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::writer::Locked;
use crate::host::session::Session;
use crate::operations::dump_source::DumpSource;
use crate::operations::restore::in_place;
use crate::operations::restore::on_server::keeping::Keeping;
use crate::operations::restore::on_server::run::{AlreadyThere, Run};
use crate::operations::restore::on_server::{OnServer, leftovers};
use crate::operations::restore::request::Request;
use crate::operations::restore::safety_backup::Kept;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::recovery::database_lock::Claim;

/// Restores it without a question: examined, with a safety backup, proved. The note of what is under way is the
/// caller's.
///
/// # Errors
///
/// A refusal if the backup is not proved whole; otherwise as any restore.
pub(crate) fn put_back(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    checkpoint: &Backup,
) -> Result<Kept> {
    let Claim { project, database, .. } = *claim;
    let server = database.server().context("it is not on a server")?;
    in_place::demand_whole(session, checkpoint)?;
    let source = DumpSource::of(checkpoint)?;
    let interrupt = session.interrupt().clone();
    let programs = Programs::find(&project.search_path, &interrupt)?;
    let place = Place { server, programs: &programs, interrupt: &interrupt };
    let request = Request::of_backup(checkpoint, None);
    let (request, vault, backup) = (&request, locked.vault(), checkpoint);
    let on = OnServer { request, project, vault, backup, database, server };
    let name = checkpoint.name.to_string();
    let keeping = Keeping { project, database, place, locked, replaced_by: Some(&name) };
    leftovers::settle(session, &Keeping { replaced_by: None, ..keeping })?;
    on.demand_fit(place)?;
    let choice = on.choice(session, place, &source.proof)?;
    match (Run { keeping, source: &source, choice }).run(session) {
        Ok(done) => Ok(done.safety.map_or(Kept::Nothing, Kept::Backup)),
        Err(error) if error.is::<AlreadyThere>() => Ok(Kept::Nothing),
        Err(error) => Err(error),
    }
}
