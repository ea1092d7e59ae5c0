//! Takes a backup of a PostgreSQL database: one `pg_dump` in one snapshot, proved while it is written into a file or
//! the page store.
//!
//! The rows and the hash of each table are counted in the dump's own stream, so they belong to the same snapshot. A dump
//! of an unchanged database is given up at its end: only then is it known to be equal.

pub(crate) mod into_store;
pub(crate) mod staging;

use std::time::Instant;

use anyhow::Result;

use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::backups::name::Name;
use crate::backups::record::Record;
use crate::capture::dump::into_store::New;
use crate::capture::plain::demand_readable;
use crate::capture::record;
use crate::capture::request::{Capture, Taken};
use crate::console::progress::Progress;
use crate::postgres::dump;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::server::Server;
use crate::postgres::standing;
use crate::sqlite::digest::database::Groups;

/// Dumps a database and publishes the dump.
///
/// # Errors
///
/// If a program is missing or too old, the server cannot be reached or refuses, the disk is full or fails, or at the
/// user's interrupt. Nothing is published then.
pub(super) fn take(server: &Server, capture: Capture<'_>, progress: &Progress) -> Result<Taken> {
    let began = Instant::now();
    let interrupt = progress.interrupt();
    let programs = Programs::find(&capture.project.search_path, interrupt)?;
    let place = Place { server, programs: &programs, interrupt };
    let taken = match capture.wanted.format.on_server() {
        Format::Chunks => into_store::take(place, capture, progress)?,
        _ => into_file(place, capture)?,
    };
    Ok(match taken {
        Ok(backup) => Taken::Backup(Box::new(backup), None, began.elapsed(), Groups::default()),
        Err(equal) => equal,
    })
}

fn into_file(place: Place<'_>, capture: Capture<'_>) -> Result<New> {
    let Place { server, programs, interrupt } = place;
    let Capture { locked, wanted, .. } = capture;
    let safety = wanted.kind == Kind::Safety;
    let name = Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local())
        .in_format(Format::Dump);
    let stage = locked.stage(&name)?;
    let dumped = dump::dump(server, programs, &stage, interrupt)
        .map_err(|error| standing::explain(error, server, programs))?;
    let content = &dumped.proof.content_blake3;
    if wanted.unless_equal.is_some_and(|record| record.content_blake3 == *content) {
        return Ok(Err(Taken::Unchanged));
    }
    stage.sync()?;
    let record =
        Record { sequence: locked.next_sequence()?, ..record::record_of_dump(capture, dumped) };
    let backup = locked.publish(&stage, name, record)?;
    demand_readable(capture, &backup, interrupt)?;
    Ok(Ok(backup))
}
