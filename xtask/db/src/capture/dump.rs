//! Takes a backup of a PostgreSQL database: one `pg_dump` in one snapshot, proved while it is written.
//!
//! The rows and the hash of each table are counted in the dump's own stream, so they belong to the same snapshot. A dump
//! of an unchanged database is given up at its end: only then is it known to be equal.

use std::time::Instant;

use anyhow::Result;

use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::backups::name::Name;
use crate::backups::record::{Postgres, Record};
use crate::capture::plain::demand_readable;
use crate::capture::record;
use crate::capture::request::{Capture, Taken};
use crate::console::progress::Progress;
use crate::postgres::dump::{self, Dumped};
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
    let Capture { locked, project, wanted } = capture;
    let began = Instant::now();
    let interrupt = progress.interrupt();
    let programs = Programs::find(&project.search_path, interrupt)?;
    let safety = wanted.kind == Kind::Safety;
    let name = Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local())
        .in_format(Format::Dump);
    let stage = locked.stage(&name)?;
    let dumped = dump::dump(server, &programs, &stage, interrupt)
        .map_err(|error| standing::explain(error, server, &programs))?;
    let content = &dumped.proof.content_blake3;
    if wanted.unless_equal.is_some_and(|record| record.content_blake3 == *content) {
        return Ok(Taken::Unchanged);
    }
    stage.sync()?;
    let record = Record { sequence: locked.next_sequence()?, ..record_of(capture, dumped) };
    let backup = locked.publish(&stage, name, record)?;
    demand_readable(capture, &backup, interrupt)?;
    Ok(Taken::Backup(Box::new(backup), None, began.elapsed(), Groups::default()))
}

fn record_of(capture: Capture<'_>, dumped: Dumped) -> Record {
    let Dumped { size_bytes, blake3, proof, .. } = dumped;
    let rows = proof.tables.iter().map(|(table, proof)| (table.clone(), Some(proof.rows)));
    let hashes = proof.tables.iter().map(|(table, proof)| (table.clone(), proof.blake3.clone()));
    Record {
        size_bytes,
        blake3,
        content_blake3: proof.content_blake3,
        schema_blake3: proof.catalogue_blake3,
        tables: rows.collect(),
        postgres: Some(Postgres {
            server_version: dumped.server_version,
            client_version: dumped.client_version,
            sql_bytes: proof.sql_bytes,
            tables: hashes.collect(),
            extensions: dumped.extensions,
            roles: dumped.roles,
            unknown: serde_json::Map::new(),
        }),
        ..record::requested(capture)
    }
}
