//! What a restore leaves if it is killed, and how it is settled: afterwards a database of the name is there
//! and accepts connections.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::maintenance::{self, Allow, allow_connections};
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::{literal, name};
use crate::postgres::restore::swap::OLD;
use crate::postgres::temporary::{NEW, SCRATCH, drop_with_sessions, family, is_abandoned};

/// How long the last statement of a killed process may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// The database was closed to connections, and is open now.
    pub was_closed: bool,
    /// The database was missing, and this old one has its name now.
    pub renamed: Option<String>,
    /// Unfinished and scratch databases, which are gone now.
    pub dropped: Vec<String>,
    /// Unfinished and scratch databases whose process is at work.
    pub busy: Vec<String>,
    /// Replaced databases, which stay, from the oldest to the newest.
    pub old: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Found {
    datname: String,
    datallowconn: bool,
}

/// Settles what a killed restore of this database left. If another one is at work, it is left alone.
///
/// # Errors
///
/// If the server refuses.
pub(crate) fn settle(place: Place<'_>) -> Result<Leftovers> {
    let database = &place.server.database;
    let mut psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
    let mut left = Leftovers::default();
    let family = family(database, NEW);
    if !is_abandoned_soon(&mut psql, &family)? {
        left.busy.push(family);
    }
    // What a killed process had begun is over now; a restore at work settles its own affairs.
    let found = find(&mut psql, database)?;
    left.old = names(&found, database, OLD);
    if left.busy.is_empty() {
        reopen(&mut psql, database, &found, &mut left)?;
        let unfinished = names(&found, database, NEW);
        for name in unfinished.into_iter().chain(names(&found, database, SCRATCH)) {
            if is_abandoned(&mut psql, &name)? {
                drop_with_sessions(&mut psql, &name)?;
                left.dropped.push(name);
            } else {
                left.busy.push(name);
            }
        }
    }
    psql.close()?;
    Ok(left)
}

/// Makes a database of the name be there and accept connections.
fn reopen(
    psql: &mut Psql<'_>,
    database: &str,
    found: &[Found],
    left: &mut Leftovers,
) -> Result<()> {
    let has_unfinished = !names(found, database, NEW).is_empty();
    match found.iter().find(|found| found.datname == database) {
        // We close a database only while a new one is there.
        Some(live) if !live.datallowconn && has_unfinished => {
            allow_connections(psql, database, Allow::Yes)?;
            left.was_closed = true;
        }
        Some(_) => {}
        None => {
            left.renamed = left.old.pop();
            if let Some(old) = &left.renamed {
                let (from, to) = (name(old), name(database));
                psql.run(&format!("ALTER DATABASE {from} RENAME TO {to};"))?;
                allow_connections(psql, database, Allow::Yes)?;
            }
        }
    }
    Ok(())
}

/// The databases whose names have an ending of ours after the name of one.
fn names(found: &[Found], database: &str, ending: &str) -> Vec<String> {
    let start = format!("{database}{ending}");
    let names = found.iter().map(|found| found.datname.clone());
    names.filter(|name| name.starts_with(&start)).collect()
}

/// Whether every process that was building a database is gone, or goes within a moment: its `psql` may be
/// at its last statement, e.g. the one that creates the database.
fn is_abandoned_soon(psql: &mut Psql<'_>, database: &str) -> Result<bool> {
    let began = Instant::now();
    loop {
        if is_abandoned(psql, database)? {
            return Ok(true);
        }
        if began.elapsed() > PATIENCE {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The database and those whose names begin with its name.
fn find(psql: &mut Psql<'_>, database: &str) -> Result<Vec<Found>> {
    let database = literal(database);
    psql.rows(&format!(
        "SELECT datname, datallowconn FROM pg_database WHERE starts_with(datname, {database}) \
         ORDER BY datname"
    ))
}
