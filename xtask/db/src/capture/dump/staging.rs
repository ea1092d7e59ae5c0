//! A dump that is finished and proved, but has no name yet: of a database that is about to be migrated.

use std::time::Instant;

use anyhow::Result;

use crate::backups::format::Format;
use crate::backups::name::Name;
use crate::capture::plain::Staged;
use crate::capture::record::record_of_dump;
use crate::capture::request::Capture;
use crate::console::progress::Progress;
use crate::postgres::dump;
use crate::postgres::programs::Programs;
use crate::postgres::server::Server;
use crate::postgres::standing;

/// Dumps a database into a stage.
///
/// # Errors
///
/// If a program is missing or too old, the server cannot be reached or refuses, the disk is full or fails, or at the
/// user's interrupt.
pub(crate) fn stage(
    server: &Server,
    capture: Capture<'_>,
    progress: &Progress,
) -> Result<Box<Staged>> {
    let Capture { locked, project, wanted } = capture;
    let began = Instant::now();
    let interrupt = progress.interrupt();
    let programs = Programs::find(&project.search_path, interrupt)?;
    let name = Name::new(&wanted.database.file_name(), false, wanted.now.naive_local());
    let name = name.in_format(Format::Dump);
    let stage = locked.stage(&name)?;
    let dumped = dump::dump(server, &programs, &stage, interrupt)
        .map_err(|error| standing::explain(error, server, &programs))?;
    stage.sync()?;
    Ok(Box::new(Staged::of_dump(stage, name, record_of_dump(capture, dumped), began)))
}
