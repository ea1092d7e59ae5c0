//! Breaks the circle of one table: sessions that have read it, and wait to write to it.
//!
//! A restore that holds a table against writers cannot get it for itself as long as such a session waits for it: the
//! server calls that a deadlock at once, and ends the one who asks last, which is the restore. To cancel what waits
//! does not suffice, since its application reads the table again at once. So a second session of ours
//! asks for the table first and never gets it: a session that would read the table waits behind it, and each
//! transaction that has read it already is cancelled once, or fails by itself. The server lets the first session go in front
//! of the second one, because it holds the table already
//! (<https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/storage/lmgr/proc.c>, `ProcSleep`).

use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::console::threads;
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::literal;
use crate::postgres::restore::in_place::circles::{PATIENCE, pid_of};

/// How long the second session may take to connect.
const FOR_THE_SECOND: Duration = Duration::from_secs(2);

/// Locks a table that is held against writers also against readers; returns how many statements of other sessions were
/// cancelled for it.
///
/// # Errors
///
/// What the server refuses: `40P01` if those who wait may not be cancelled, `55P03` if a reader does not end.
pub(super) fn lock(psql: &mut Psql<'_>, place: Place<'_>, table: &str) -> Result<u64> {
    let (send, receive) = mpsc::sync_channel(1);
    let (_, locked) = threads::both(
        || wait_for(place, table, &send),
        || {
            // Without a second session, e.g. if there is no thread for it, what waits is cancelled until nothing does.
            let gate = receive.recv_timeout(FOR_THE_SECOND).unwrap_or_default();
            let lock = LOCK.replace("{table}", table).replace("{name}", &literal(table));
            psql.run(&lock.replace("{gate}", &gate.to_string()).replace("{patience}", PATIENCE))?;
            let query = "SELECT current_setting('xtask_db.cancelled')::bigint AS n";
            anyhow::Ok(psql.row::<Cancelled>(query)?.n)
        },
    );
    locked.context("could not lock a table that others read and write")
}

/// The second session: it ends when it is cancelled, or when the first one has ended.
fn wait_for(place: Place<'_>, table: &str, send: &SyncSender<i32>) -> Result<()> {
    let mut psql = Psql::connect(place.server, place.programs.any()?, place.interrupt)?;
    send.send(pid_of(&mut psql)?)?;
    psql.run(&format!(
        "SET lock_timeout = '{PATIENCE}'; BEGIN; LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE; ROLLBACK;"
    ))
}

#[derive(Debug, Deserialize)]
struct Cancelled {
    n: u64,
}

/// Waits for the second session to ask, then asks itself, and cancels who has read the table and waits for it.
const LOCK: &str = r"
DO $gate$
DECLARE
  deadline timestamptz := clock_timestamp() + interval '{patience}';
  n_cancelled bigint := 0;
  n bigint;
BEGIN
  FOR attempt IN 1..1000 LOOP
    EXIT WHEN {gate} = 0 OR EXISTS (SELECT FROM pg_locks WHERE pid = {gate} AND NOT granted);
    PERFORM pg_sleep(0.002);
  END LOOP;
  LOOP
    BEGIN
      LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN deadlock_detected THEN
      IF clock_timestamp() > deadline THEN RAISE; END IF;
      BEGIN
        SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) INTO n FROM (
          SELECT DISTINCT waiting.pid FROM pg_locks waiting
            JOIN pg_locks held ON held.pid = waiting.pid AND held.granted
              AND held.database = waiting.database AND held.relation = waiting.relation
            WHERE NOT waiting.granted AND waiting.relation = {name}::regclass
              AND waiting.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND waiting.pid <> pg_backend_pid()) AS readers;
        n_cancelled := n_cancelled + n;
      EXCEPTION WHEN insufficient_privilege THEN
        NULL;
      END;
      PERFORM pg_sleep(0.002);
    END;
  END LOOP;
  IF {gate} > 0 THEN PERFORM pg_cancel_backend({gate}); END IF;
  PERFORM set_config('xtask_db.cancelled', n_cancelled::text, true);
END
$gate$;";
