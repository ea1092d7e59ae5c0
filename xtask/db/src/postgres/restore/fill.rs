//! Loads a dump into an empty database, and proves the result.

use anyhow::{Context, Result};

use crate::postgres::dump;
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::restore::load;
use crate::postgres::restore::source::{Proved, Source};

/// Loads a dump into an empty database, in one transaction.
///
/// # Errors
///
/// If the server refuses a statement, the dump is damaged or is not the one that was recorded, or at the
/// user's interrupt.
pub(crate) fn fill(place: Place<'_>, source: &Source<'_>) -> Result<()> {
    let mut psql = Psql::connect(place.server, place.programs.any()?, place.interrupt)?;
    psql.run("BEGIN;")?;
    // A new database has this schema, and its definition is not in a dump unless it was changed.
    let existing = ["public".to_owned()].into();
    load::load(&mut psql, source, &existing, place.interrupt)
        .context("could not load the backup into a new database")?;
    psql.run("COMMIT;")?;
    psql.close()
}

/// Compares a database with a backup.
///
/// # Errors
///
/// If they differ, or the database cannot be read.
pub(crate) fn prove(place: Place<'_>, source: &Source<'_>) -> Result<Proved> {
    let run = dump::prove(place.server, place.programs, place.interrupt)?;
    let differences = source.proof.differences(&run.proof);
    if differences.is_empty() {
        return Ok(Proved::Whole);
    }
    let rows = source.proof.table_differences(&run.proof.tables);
    if rows.is_empty() && run.client_version != source.client_version {
        return Ok(Proved::Rows);
    }
    let differences = differences.join(", ");
    Err(Differs(format!("the restored database differs from the backup: {differences}")).into())
}

/// A database is not what the backup would make of it.
#[derive(Debug)]
pub(crate) struct Differs(String);

impl std::fmt::Display for Differs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Differs {}
