//! Builds a new database beside the old one, proves it, and exchanges their names.
//!
//! The old database stays, closed to connections, until somebody drops it. If anything fails, it is
//! open and untouched, and the new one is gone.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::postgres::maintenance::{self, Allow, allow_connections};
use crate::postgres::place::Place;
use crate::postgres::properties::Properties;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::{literal, name};
use crate::postgres::restore::fill;
use crate::postgres::restore::source::{EndUnknown, Proved, Source};
use crate::postgres::temporary::{NEW, Temporary, check_length};
use crate::postgres::trouble::Trouble;

/// What the name of a database that was replaced has after its former name.
pub(crate) const OLD: &str = "_xtask_old_";
/// The longest that may follow.
const TIME_BYTES: usize = 17;
/// How long sessions may take to end, in milliseconds.
const TERMINATION_MS: u32 = 2000;
/// Our own code for sessions that took longer.
const STAYING: &str = "XT001";

/// A new database that is proved and has no name yet that anybody uses; it is dropped with this value.
pub(crate) struct Built<'a> {
    database: Temporary<'a>,
    properties: Properties,
    /// How far it was proved.
    pub proved: Proved,
}

/// What a swap did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swapped {
    /// The name of the old database.
    pub old: String,
    /// How long nobody could connect.
    pub closed_for: Duration,
    /// How many sessions were ended.
    pub n_sessions: usize,
}

/// Checks what can be known before: the length of the names, and what would stay behind.
///
/// # Errors
///
/// A refusal.
pub(crate) fn check(place: Place<'_>) -> Result<()> {
    let database = &place.server.database;
    check_length(database, OLD.len() + TIME_BYTES)?;
    let mut psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
    check_unmovable(&mut psql, database)?;
    psql.close()
}

/// Builds and proves the new database; the old one is not touched.
///
/// # Errors
///
/// If the server refuses, the dump is damaged, or the proof fails. Then nothing is left.
pub(crate) fn build<'a>(place: Place<'a>, source: &Source<'_>) -> Result<Built<'a>> {
    check_length(&place.server.database, OLD.len() + TIME_BYTES)?;
    let mut psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
    let properties = Properties::read(&mut psql, &place.server.database)?;
    psql.close()?;
    let mut database = Temporary::create(place, NEW, &|new| properties.create(new))?;
    let settings = properties.settings(database.name());
    database.beside().run(&settings)?;
    let server = database.server();
    let new = Place { server: &server, ..place };
    fill::fill(new, source)?;
    let proved = fill::prove(new, source)?;
    Ok(Built { database, properties, proved })
}

impl Built<'_> {
    /// Exchanges the names; `time` becomes a part of the old database's.
    ///
    /// # Errors
    ///
    /// If sessions do not end or the server refuses: then the old database is open again.
    pub(crate) fn swap(mut self, time: &str) -> Result<Swapped> {
        let place = self.database.place();
        let database = place.server.database.clone();
        let old = format!("{database}{OLD}{time}");
        anyhow::ensure!(time.len() <= TIME_BYTES, "`{time}` is too long for a name");
        let new = self.database.name().to_owned();
        let psql = self.database.beside();
        check_unmovable(psql, &database)?;
        psql.run(&self.properties.carry_over(&new))?;
        let began = Instant::now();
        psql.make_uninterruptible();
        let n_sessions = exchange(psql, &database, &new, &old).or_else(|error| {
            // The connection may have been lost after the last word.
            let end = settle(place, &old).map_err(|error| error.context(EndUnknown))?;
            if end == End::Exchanged { Ok(0) } else { Err(error) }
        })?;
        self.database.keep();
        Ok(Swapped { old, closed_for: began.elapsed(), n_sessions })
    }
}

/// How an exchange of names ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Exchanged,
    Undone,
}

/// Finds out how an exchange ended that failed, and opens the database again if it was undone.
fn settle(place: Place<'_>, old: &str) -> Result<End> {
    let calm = Interrupt::default();
    let mut psql = maintenance::connect(place.server, place.programs, &calm)?;
    let query = format!("SELECT datname AS name FROM pg_database WHERE datname = {}", literal(old));
    if !psql.rows::<Name>(&query)?.is_empty() {
        return Ok(End::Exchanged);
    }
    allow_connections(&mut psql, &place.server.database, Allow::Yes)?;
    Ok(End::Undone)
}

#[derive(Debug, Deserialize)]
struct Name {}

/// Closes the database, ends its sessions, and renames both; returns how many sessions there were.
///
/// It is a single step: while the database is closed, nothing waits for us. A session that ends at a bad
/// moment costs 100 ms, in which the server looks for it again before it renames.
fn exchange(psql: &mut Psql<'_>, database: &str, new: &str, old: &str) -> Result<usize> {
    let step = format!(
        "ALTER DATABASE {database} ALLOW_CONNECTIONS false;\n\
         SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others};\n\
         {wait}\n\
         BEGIN; ALTER DATABASE {database} RENAME TO {old}; ALTER DATABASE {new} RENAME TO {database}; \
         COMMIT;",
        others = others(database),
        wait = wait_for_the_end(&others(database)),
        database = name(database),
        new = name(new),
        old = name(old),
    );
    let mut printed = Vec::new();
    let mut receive = |bytes: &[u8]| {
        printed.extend_from_slice(bytes);
        Ok(())
    };
    psql.ask(&step, &mut receive).map_err(explained)?;
    Ok(String::from_utf8_lossy(&printed).trim().parse()?)
}

/// The condition for sessions of others with a database. The server's own workers (without a role) end when
/// it renames the database.
fn others(database: &str) -> String {
    let database = literal(database);
    format!("datname = {database} AND pid <> pg_backend_pid() AND usesysid IS NOT NULL")
}

/// A statement that waits until the sessions are gone, or fails with their names.
fn wait_for_the_end(others: &str) -> String {
    let body = format!(
        "DECLARE deadline timestamptz := clock_timestamp() + interval '{TERMINATION_MS} ms'; who text; BEGIN \
         LOOP PERFORM pg_stat_clear_snapshot(); \
         SELECT string_agg(coalesce(usename, backend_type) || coalesce(' (' || nullif(application_name, '') \
         || ')', ''), ', ') INTO who FROM pg_stat_activity WHERE {others}; \
         EXIT WHEN who IS NULL; \
         IF clock_timestamp() > deadline THEN RAISE EXCEPTION USING ERRCODE = '{STAYING}', MESSAGE = who; END IF; \
         PERFORM pg_sleep(0.002); END LOOP; END"
    );
    format!("DO {};", literal(&body))
}

/// Makes a refusal of sessions that did not end.
fn explained(error: anyhow::Error) -> anyhow::Error {
    let staying = error.downcast_ref::<Trouble>().filter(|trouble| trouble.is(STAYING));
    let Some(Trouble { message: who, .. }) = staying else { return error };
    Refusal::locked(
        format!("sessions of the database did not end: {}", text::plain(who)),
        "end them, e.g. stop the application, and try again",
    )
}

/// What hangs on a database and would not follow it to another name or state.
fn check_unmovable(psql: &mut Psql<'_>, database: &str) -> Result<()> {
    let database = literal(database);
    let query = format!(
        "SELECT 'prepared transaction' AS kind, gid AS name FROM pg_prepared_xacts WHERE database = {database} \
         UNION ALL SELECT 'replication slot', slot_name FROM pg_replication_slots WHERE database = {database} \
         UNION ALL SELECT 'subscription', subname FROM pg_subscription s JOIN pg_database d \
           ON d.oid = s.subdbid WHERE d.datname = {database} \
         UNION ALL SELECT 'template flag', datname FROM pg_database WHERE datname = {database} AND datistemplate"
    );
    let found: Vec<Unmovable> = psql.rows(&query)?;
    let Some(first) = found.first() else { return Ok(()) };
    let way_out = match first.kind.as_str() {
        "prepared transaction" => "commit it or roll it back, and try again",
        "replication slot" => "drop it with `pg_drop_replication_slot`, or restore in place",
        "subscription" => "drop the subscription and create it again after the restore",
        _ => "run `ALTER DATABASE … IS_TEMPLATE false` first",
    };
    Err(Refusal::could_not(
        format!(
            "the database has a {} `{}`, which a swap would leave behind",
            first.kind, first.name
        ),
        way_out,
    ))
}

#[derive(Debug, Deserialize)]
struct Unmovable {
    kind: String,
    name: String,
}
