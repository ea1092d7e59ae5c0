//! A new database on the server of the live one, built by the host's migrations in a scratch database.

use std::sync::Arc;

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::host::command::{self, Task, missing_program};
use crate::host::project::{Database, Location, Project};
use crate::postgres::catalogue::Catalogue;
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::scratch::Scratch;

const UNTOUCHED: &str = "the database is untouched";

/// Runs the host's migrations on an empty scratch database with the encoding, the locale, the owner and the settings of
/// the live one.
///
/// # Errors
///
/// A refusal (exit 1) if the migrations fail or create no table; if the server refuses; at the user's interrupt.
pub(crate) fn build<'a>(
    place: Place<'a>,
    project: &Project,
    database: &Database,
    interrupt: &Arc<Interrupt>,
) -> Result<Scratch<'a>> {
    let scratch = Scratch::empty(place)?;
    let new = scratch.server();
    let (words, timeout) = (&database.migrate, database.migrate_timeout);
    let command = words.join(" ");
    let location = &Location::Server(new.clone());
    let task = Task { project, database, location, command: words, timeout };
    command::run(&task, interrupt).map_err(|error| {
        let way_on = missing_program::way_on(&error, database, words);
        error.context(Refusal {
            what: format!("could not build a new database with `{command}`"),
            hint: way_on.map_or_else(String::new, |way_on| way_on + "; ") + UNTOUCHED,
            exit: Exit::No,
        })
    })?;
    let mut psql = Psql::connect(&new, place.programs.any()?, interrupt)?;
    let catalogue = Catalogue::read(&mut psql)?;
    psql.close()?;
    if catalogue.tables.is_empty() {
        return Err(Refusal::no(
            format!(
                "`{command}` succeeded but created no table in the new database that it was given"
            ),
            format!(
                "it got the URL in `{}`: check `migrate-env`; if it used the live database instead, it has \
                 migrated that",
                database.variable_name()
            ),
        ));
    }
    Ok(scratch)
}
