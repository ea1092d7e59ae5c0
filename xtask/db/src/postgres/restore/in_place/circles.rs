//! Breaks circles of sessions that wait for one another, of which a restore in place is one.
//!
//! A transaction that has read one table waits to write to another, which is locked until the restore ends; and the
//! restore waits for the table that it has read. The server would end the restore. Instead, the statement of
//! the other session is cancelled: its transaction fails, and the session stays connected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;

use crate::console::threads;
use crate::postgres::maintenance;
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;

/// How long a lock is waited for, in all attempts together.
pub(super) const PATIENCE: &str = "10s";
/// How often circles are looked for: well before the server does so (`deadlock_timeout`, 1 s).
const PAUSE: Duration = Duration::from_millis(50);

/// The result of some work, and what it cost others.
pub(super) struct Watched<T> {
    /// What came of it.
    pub(super) result: Result<T>,
    /// How many statements of other sessions were cancelled.
    pub(super) n_cancelled: u64,
}

/// Does some work in a session, while another one looks for circles.
pub(super) fn breaking<T>(
    place: Place<'_>,
    pid: i32,
    work: impl FnOnce() -> Result<T>,
) -> Watched<T> {
    let is_over = AtomicBool::new(false);
    let (n_cancelled, result) = threads::both(
        || watch(place, pid, &is_over),
        || {
            let result = work();
            is_over.store(true, Ordering::Release);
            result
        },
    );
    // Without the right to cancel, the server's own search for circles remains.
    Watched { result, n_cancelled: n_cancelled.unwrap_or_default() }
}

fn watch(place: Place<'_>, pid: i32, is_over: &AtomicBool) -> Result<u64> {
    let mut psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
    let query = BREAK.replace("{pid}", &pid.to_string());
    let mut n_cancelled = 0;
    while !is_over.load(Ordering::Acquire) {
        n_cancelled += psql.row::<Cancelled>(&query)?.n_cancelled;
        std::thread::sleep(PAUSE);
    }
    psql.close()?;
    Ok(n_cancelled)
}

/// The number by which the server knows a session.
///
/// # Errors
///
/// If the server refuses.
pub(super) fn pid_of(psql: &mut Psql<'_>) -> Result<i32> {
    Ok(psql.row::<Pid>("SELECT pg_backend_pid() AS pid")?.pid)
}

#[derive(Debug, Deserialize)]
struct Pid {
    pid: i32,
}

#[derive(Debug, Deserialize)]
struct Cancelled {
    n_cancelled: u64,
}

/// Cancels whom the session waits for and who waits for it, directly or through others.
const BREAK: &str = "
    WITH RECURSIVE chain (pid, first) AS (
      SELECT b, b FROM unnest(pg_blocking_pids({pid})) AS b
      UNION
      SELECT b, first FROM chain, unnest(pg_blocking_pids(chain.pid)) AS b
        WHERE chain.pid > 0 AND chain.pid <> {pid}
    ), circle AS (SELECT DISTINCT first FROM chain WHERE pid = {pid} AND first > 0)
    SELECT count(*) FILTER (WHERE pg_cancel_backend(first)) AS n_cancelled FROM circle";
