//! Replaces the content of a database in one transaction, so that connected sessions survive.
//!
//! Every table is locked against writers first; readers, and `pg_dump` for the safety backup, go on. Then
//! what is ours is dropped, the dump is loaded, and the rows of every table are compared with the
//! backup before the commit. Extensions that the backup has stay as they are.

mod circles;
mod clearing;
mod extension_rows;
mod gate;
mod locks;
pub(crate) mod obstacles;
mod rows;

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::{literal, name};
use crate::postgres::restore::in_place::circles::{PATIENCE, Watched};
use crate::postgres::restore::in_place::extension_rows::Conditions;
use crate::postgres::restore::load::{self, Loaded};
use crate::postgres::restore::source::{EndUnknown, Source};
use crate::postgres::trouble::Trouble;

/// What a restore in place did.
#[derive(Debug)]
pub(crate) struct Replaced {
    /// How many statements of other sessions had to be cancelled, because they waited for us in a transaction that we
    /// waited for.
    pub(crate) n_cancelled: u64,
    /// BLAKE3 of the definitions that were loaded, to compare with [`dump::definitions`](crate::postgres::dump::definitions).
    pub(crate) definitions_blake3: String,
}

/// Restores in place. `keep` runs while nobody can write: the caller takes the safety backup in it.
///
/// # Errors
///
/// A refusal if something is in the way that only a swap could avoid, or if a table stays locked. Any
/// error leaves the old state, except [`EndUnknown`].
pub(crate) fn restore(
    place: Place<'_>,
    source: &Source<'_>,
    keep: &mut dyn FnMut() -> Result<()>,
) -> Result<Replaced> {
    let mut psql = Psql::connect(place.server, place.programs.any()?, place.interrupt)?;
    obstacles::check(&mut psql)?;
    psql.run(&format!("SET lock_timeout = '{PATIENCE}'; BEGIN;"))?;
    locks::against_writers(&mut psql).map_err(explained)?;
    keep().context("could not take the safety backup")?;
    let pid = circles::pid_of(&mut psql)?;
    let Watched { result, n_cancelled } =
        circles::breaking(place, pid, || clear(&mut psql, place, source));
    let cleared = result.map_err(explained)?;
    let definitions_blake3 = fill(&mut psql, place, source, &cleared).map_err(explained)?;
    commit(psql, place)?;
    Ok(Replaced { n_cancelled: n_cancelled + cleared.n_cancelled, definitions_blake3 })
}

#[derive(Debug, Deserialize)]
struct Transaction {
    id: String,
    status: Option<String>,
}

/// Commits, and finds out how that ended if the connection is lost.
fn commit(mut psql: Psql<'_>, place: Place<'_>) -> Result<()> {
    let query = "SELECT txid_current()::text AS id, NULL AS status";
    let Transaction { id, .. } = psql.row(query)?;
    psql.make_uninterruptible();
    let Err(error) = psql.run("COMMIT;") else {
        // It is committed, however the program ends.
        let _ = psql.close();
        return Ok(());
    };
    drop(psql);
    let calm = Interrupt::default();
    let query = format!("SELECT '{id}' AS id, txid_status({id}) AS status");
    let end = Psql::connect(place.server, place.programs.any()?, &calm)
        .and_then(|mut psql| psql.row::<Transaction>(&query))
        .map_err(|error| error.context(EndUnknown))?;
    match end.status.as_deref() {
        Some("committed") => Ok(()),
        Some("aborted") => Err(error.context("could not commit the restored state")),
        // The session that was lost may still be at work.
        _ => Err(error.context(EndUnknown)),
    }
}

/// What is to be known of a database whose content was dropped.
struct Cleared {
    /// Schemas that the dump creates and that are there.
    staying: BTreeSet<String>,
    /// Which rows of extensions' tables are ours.
    conditions: Conditions,
    /// How many statements of other sessions were cancelled, because they waited to write to a table that they had read.
    n_cancelled: u64,
}

/// Drops what is ours.
fn clear(psql: &mut Psql<'_>, place: Place<'_>, source: &Source<'_>) -> Result<Cleared> {
    let n_cancelled = locks::against_everybody(psql, place)?;
    let gone = extensions_not_in(psql, source)?;
    for extension in gone {
        psql.run(&format!("DROP EXTENSION {} CASCADE;", name(&extension)))?;
    }
    let staying: Vec<Schema> = psql.rows(clearing::STAYING)?;
    let staying: BTreeSet<String> = staying.into_iter().map(|schema| schema.nspname).collect();
    psql.run(clearing::CLEAR).context("could not drop what is there")?;
    let conditions = extension_rows::delete(psql)?;
    Ok(Cleared { staying, conditions, n_cancelled })
}

/// Loads the dump, and compares; returns BLAKE3 of its definitions.
fn fill(
    psql: &mut Psql<'_>,
    place: Place<'_>,
    source: &Source<'_>,
    cleared: &Cleared,
) -> Result<String> {
    let Loaded { targets, definitions_blake3 } =
        load::load(psql, source, &cleared.staying, place.interrupt)
            .context("could not load the backup")?;
    let now = rows::of(psql, &targets, &cleared.conditions)?;
    let differences = source.proof.table_differences(&now);
    anyhow::ensure!(
        differences.is_empty(),
        "the restored rows differ from the backup: {}",
        differences.join(", ")
    );
    Ok(definitions_blake3)
}

#[derive(Debug, Deserialize)]
struct Schema {
    nspname: String,
}

#[derive(Debug, Deserialize)]
struct Extension {
    extname: String,
}

/// The extensions that the database has got since the backup.
fn extensions_not_in(psql: &mut Psql<'_>, source: &Source<'_>) -> Result<Vec<String>> {
    let known: Vec<String> = source.extensions.keys().map(|name| literal(name)).collect();
    let known = if known.is_empty() { "NULL".to_owned() } else { known.join(", ") };
    let query = format!(
        "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' AND extname NOT IN ({known})"
    );
    let found: Vec<Extension> = psql.rows(&query)?;
    Ok(found.into_iter().map(|extension| extension.extname).collect())
}

/// Makes a refusal of what an application can cause.
fn explained(error: anyhow::Error) -> anyhow::Error {
    let is = |state: &str| error.downcast_ref::<Trouble>().is_some_and(|trouble| trouble.is(state));
    if is("55P03") {
        return Refusal::locked(
            "another session keeps a table locked",
            "let its transaction end, or pass `--swap`, which ends all sessions",
        );
    }
    if is("40P01") {
        return Refusal::locked(
            "another session waits to write to a table that it has read in the same transaction, so neither can go on",
            "stop the application and try again, or pass `--swap`, which ends all sessions",
        );
    }
    if is("53200") {
        return error.context(Refusal::could_not(
            "the server has no room for a lock on every table",
            "raise `max_locks_per_transaction` and restart the server, or pass `--swap`",
        ));
    }
    error
}
