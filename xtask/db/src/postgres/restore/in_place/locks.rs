//! Locks every table of ours, although applications use several of them in one transaction.
//!
//! A transaction that has one table and waits for another that we have, while we wait for the first, would never end. So
//! an attempt to lock all tables is given up, with all its locks, before the server looks for such circles and
//! ends one of the two. The next attempt begins with the table at which it failed: applications use their tables in
//! an order of their own, and in that order nobody meets.

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::psql::Psql;
use crate::postgres::restore::in_place::clearing::TABLES;

/// How long all attempts may take.
pub(super) const PATIENCE: &str = "10s";

/// Locks all tables against writers, until their set no longer changes.
///
/// # Errors
///
/// What the server refuses: `55P03` if a table stays locked.
pub(super) fn against_writers(psql: &mut Psql<'_>) -> Result<()> {
    psql.run(&LOCK.replace("{tables}", TABLES).replace("{patience}", PATIENCE))
}

/// Locks all tables against readers too. Who has read one table and waits to write to another is dealt with in
/// [`circles`](super::circles); if it is the same table, the server refuses at once.
///
/// # Errors
///
/// What the server refuses: `55P03` if a table stays locked, `40P01` for a circle.
pub(super) fn against_everybody(psql: &mut Psql<'_>) -> Result<()> {
    let found: Vec<Table> = psql.rows(TABLES)?;
    let tables: Vec<String> = found.into_iter().map(|table| table.name).collect();
    for some in tables.chunks(200) {
        psql.run(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE;", some.join(", ")))?;
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Table {
    name: String,
}

/// A subtransaction that fails gives its locks up, and keeps those from before.
const LOCK: &str = r"
DO $lock$
DECLARE
  tables text[] := ARRAY({tables});
  present text[];
  one text;
  deadline timestamptz := clock_timestamp() + interval '{patience}';
  part interval := least(interval '500 ms',
    (SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout') * interval '0.5 ms');
  attempt timestamptz;
BEGIN
  LOOP
    attempt := clock_timestamp() + part;
    BEGIN
      LOOP
        FOREACH one IN ARRAY tables LOOP
          PERFORM set_config('lock_timeout',
            greatest(1, extract(epoch FROM attempt - clock_timestamp()) * 1000)::int::text, true);
          EXECUTE 'LOCK TABLE ' || one || ' IN EXCLUSIVE MODE';
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
