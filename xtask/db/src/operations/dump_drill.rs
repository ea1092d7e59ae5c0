//! The restore drill of a PostgreSQL dump: loaded into a scratch database on its own server and dumped again, it must
//! be equal.

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::console::interrupt::Interrupt;
use crate::host::project::Project;
use crate::operations::dump_source::DumpSource;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::scratch::Scratch;

/// Runs the drill; the scratch database is dropped afterwards.
///
/// # Errors
///
/// [`Differs`](crate::postgres::restore::fill::Differs) if the result differs from the dump; otherwise if the drill could not be run.
pub(crate) fn drill(project: &Project, backup: &Backup, interrupt: &Interrupt) -> Result<()> {
    let mut databases = project.databases.iter().filter(|database| backup.is_of(database));
    let server = databases.find_map(|database| database.server());
    let server = server.context("no configured database has the server that it was taken from")?;
    let source = DumpSource::of(backup)?;
    let programs = Programs::find(&project.search_path, interrupt)?;
    let place = Place { server, programs: &programs, interrupt };
    let scratch = Scratch::from_backup(place, &source.source())?;
    scratch.prove(&source.source()).map(drop)
}
