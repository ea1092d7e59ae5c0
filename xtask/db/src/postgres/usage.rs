//! Proves that somebody connected to a scratch database: the server counts the sessions of each database.
//!
//! A session is counted when the server ends it, which may be a moment after its client. Before version 14,
//! transactions are counted instead.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::maintenance;
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::literal;

/// How long sessions of ours, or of a command that has ended, may take to be gone.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a count that has not moved is watched.
const SETTLED: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(20);

/// The sessions of a database, watched from a session beside it.
pub(crate) struct Usage<'a> {
    psql: Psql<'a>,
    database: String,
    n_before: u64,
}

#[derive(Debug, Deserialize)]
struct Count {
    n_open: u64,
    n_counted: u64,
}

impl<'a> Usage<'a> {
    /// Begins to watch, once the sessions of ours are counted.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub(crate) fn begin(place: Place<'a>) -> Result<Self> {
        let psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
        let database = place.server.database.clone();
        let mut usage = Self { psql, database, n_before: 0 };
        usage.n_before = usage.settled(None)?;
        Ok(usage)
    }

    /// Whether somebody connected since.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub(crate) fn was_used(mut self) -> Result<bool> {
        let n_before = self.n_before;
        let n_after = self.settled(Some(n_before))?;
        self.psql.close()?;
        Ok(n_after > n_before)
    }

    /// The count when nobody is connected any more and it no longer moves; or as soon as it is another one.
    fn settled(&mut self, known: Option<u64>) -> Result<u64> {
        let began = Instant::now();
        let (mut last, mut since) = (None, Instant::now());
        loop {
            let count = self.count()?;
            if known.is_some_and(|known| count.n_counted > known) {
                return Ok(count.n_counted);
            }
            if count.n_open > 0 || last != Some(count.n_counted) {
                (last, since) = (Some(count.n_counted), Instant::now());
            }
            // Who is still connected is somebody, counted or not.
            if began.elapsed() > PATIENCE {
                return Ok(count.n_counted + count.n_open);
            }
            if since.elapsed() > SETTLED {
                return Ok(count.n_counted);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn count(&mut self) -> Result<Count> {
        let database = literal(&self.database);
        self.psql.row(&format!(
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = {database} AND usesysid IS NOT NULL) \
             AS n_open, coalesce((SELECT coalesce((to_jsonb(s)->>'sessions')::int8, s.xact_commit + \
             s.xact_rollback) FROM pg_stat_database s WHERE datname = {database}), 0) AS n_counted"
        ))
    }
}
