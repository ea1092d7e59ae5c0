//! Locks every table of ours, although applications use several of them in one transaction.
//!
//! A transaction that has one table and waits for another that we have, while we wait for the first, would never end. So
//! an attempt to lock all tables is given up, with all its locks, before the server looks for such circles and
//! ends one of the two. The next attempt begins with the table at which it failed: applications use their tables in
//! an order of their own, and in that order nobody meets. For its first table an attempt waits longer: it holds nothing yet that
//! others could wait for, and the server cancels an autovacuum that is in the way only when it looks for circles.

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::restore::in_place::circles::PATIENCE;
use crate::postgres::restore::in_place::clearing::TABLES;
use crate::postgres::restore::in_place::gate;

/// Locks all tables against writers, until their set no longer changes.
///
/// # Errors
///
/// What the server refuses: `55P03` if a table stays locked.
pub(super) fn against_writers(psql: &mut Psql<'_>) -> Result<()> {
    psql.run(&LOCK.replace("{tables}", TABLES).replace("{patience}", PATIENCE))
}

/// Locks all tables against readers too; returns how many statements of other sessions were cancelled for it. Who has
/// read one table and waits to write to another is dealt with in [`circles`](super::circles), to the same one
/// in [`gate`].
///
/// # Errors
///
/// What the server refuses: `55P03` if a table stays locked, `40P01` for a circle that we may not break.
pub(super) fn against_everybody(psql: &mut Psql<'_>, place: Place<'_>) -> Result<u64> {
    let mut n_cancelled = 0;
    loop {
        psql.run(&LOCK_ALL.replace("{tables}", TABLES))?;
        let circle = "SELECT current_setting('xtask_db.circle') AS name";
        match psql.row::<Table>(circle)?.name.as_str() {
            "" => return Ok(n_cancelled),
            table => n_cancelled += gate::lock(psql, place, table)?,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Table {
    name: String,
}

/// Ends at the first table that the server refuses for a circle, with the locks that it has got until then.
const LOCK_ALL: &str = r"
DO $lock$
DECLARE
  one text;
BEGIN
  PERFORM set_config('xtask_db.circle', '', true);
  FOREACH one IN ARRAY ARRAY({tables}) LOOP
    BEGIN
      EXECUTE 'LOCK TABLE ONLY ' || one || ' IN ACCESS EXCLUSIVE MODE';
    EXCEPTION WHEN deadlock_detected THEN
      PERFORM set_config('xtask_db.circle', one, true);
      EXIT;
    END;
  END LOOP;
END
$lock$;";

/// A subtransaction that fails gives its locks up, and keeps those from before.
const LOCK: &str = r"
DO $lock$
DECLARE
  tables text[] := ARRAY({tables});
  present text[];
  one text;
  deadline timestamptz := clock_timestamp() + interval '{patience}';
  search interval :=
    (SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout') * interval '1 ms';
  attempt timestamptz;
BEGIN
  LOOP
    attempt := clock_timestamp() + search + interval '500 ms';
    BEGIN
      LOOP
        FOREACH one IN ARRAY tables LOOP
          PERFORM set_config('lock_timeout',
            greatest(1, extract(epoch FROM attempt - clock_timestamp()) * 1000)::int::text, true);
          EXECUTE 'LOCK TABLE ONLY ' || one || ' IN EXCLUSIVE MODE';
          IF one = tables[1] THEN
            attempt := clock_timestamp() + least(interval '500 ms', search / 2);
          END IF;
        END LOOP;
        present := ARRAY({tables});
        EXIT WHEN present <@ tables;
        tables := present;
      END LOOP;
      EXIT;
    EXCEPTION
      WHEN lock_not_available OR deadlock_detected THEN
        IF clock_timestamp() > deadline THEN RAISE; END IF;
        tables := ARRAY[one] || array_remove(tables, one);
      WHEN undefined_table OR invalid_schema_name THEN
        IF clock_timestamp() > deadline THEN RAISE; END IF;
        tables := ARRAY({tables});
    END;
    PERFORM pg_sleep(random() * 0.05);
  END LOOP;
  PERFORM set_config('lock_timeout', '{patience}', true);
END
$lock$;";
