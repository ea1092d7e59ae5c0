//! A session with a server, through `psql`, which reads our statements one by one.
//!
//! After each step, `psql` prints a random marker, so that the end of a step and its output are known. At the
//! first error it ends, and the server rolls back what was not committed. What comes from a dump is sent
//! as data only (`restore/load.rs`): `psql` would run backslash commands in it.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use crate::console::interrupt::Interrupt;
use crate::postgres::client::{Client, Order};
use crate::postgres::programs::Tools;
use crate::postgres::quoting;
use crate::postgres::server::Server;

/// `psql` reads no start-up file, asks nothing, and ends at the first error.
const ARGUMENTS: [&str; 9] = [
    "--no-psqlrc",
    "--quiet",
    "--no-align",
    "--tuples-only",
    "--no-password",
    "--set=ON_ERROR_STOP=1",
    "--set=VERBOSITY=verbose",
    "--set=FETCH_COUNT=0",
    "--file=-",
];

/// Settings that change what values look like or when a statement is given up; a role or a database may
/// have others. `pg_dump` uses the same
/// (<https://www.postgresql.org/docs/current/runtime-config-client.html>).
const SETTINGS: &str = "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; \
     SET search_path = pg_catalog; SET datestyle = ISO; SET intervalstyle = postgres; \
     SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET extra_float_digits = 3; SET synchronize_seqscans = off; \
     SET default_transaction_read_only = off; SET client_min_messages = warning;";

/// Where small pieces are gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// A session.
pub(crate) struct Psql<'a> {
    client: Client<'a>,
    /// What is gathered and not written yet.
    gathered: Vec<u8>,
    /// What came and was not asked for yet.
    rest: Vec<u8>,
    marker: String,
    n_steps: u64,
}

impl<'a> Psql<'a> {
    /// Connects.
    ///
    /// # Errors
    ///
    /// A [`Trouble`](crate::postgres::trouble::Trouble) if the server cannot be reached or refuses.
    pub(crate) fn connect(
        server: &Server,
        tools: &Tools,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let order = Order { program: &tools.psql, arguments: &ARGUMENTS, server: Some(server) };
        let client = Client::start(&order, interrupt)?;
        let marker = quoting::random_word();
        let (gathered, rest) = (Vec::new(), Vec::new());
        let mut psql = Self { client, gathered, rest, marker, n_steps: 0 };
        psql.run(SETTINGS)?;
        Ok(psql)
    }

    /// Runs statements of ours and waits until they are done.
    ///
    /// # Errors
    ///
    /// A [`Trouble`](crate::postgres::trouble::Trouble): then the session is over, and everything that
    /// was not committed is undone.
    pub(crate) fn run(&mut self, sql: &str) -> Result<()> {
        self.ask(sql, &mut |_| Ok(()))
    }

    /// Ignores the user's interrupt from now on: past a point of no return, it must be known how the
    /// work ends.
    pub(crate) fn make_uninterruptible(&mut self) {
        self.client.make_uninterruptible();
    }

    /// The rows of a query, each read from a JSON object with the names of its columns.
    ///
    /// # Errors
    ///
    /// As [`Self::run`], or if a row has another shape.
    pub(crate) fn rows<T: DeserializeOwned>(&mut self, query: &str) -> Result<Vec<T>> {
        let sql = format!("SELECT pg_catalog.row_to_json(answer) FROM ({query}) AS answer;");
        let mut printed = Vec::new();
        self.ask(&sql, &mut |bytes| {
            printed.extend_from_slice(bytes);
            Ok(())
        })?;
        let lines = printed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let row = |line| {
            let line = String::from_utf8_lossy(line);
            serde_json::from_str(&line).context("the server's answer has another form")
        };
        lines.map(row).collect()
    }

    /// The only row of a query.
    ///
    /// # Errors
    ///
    /// As [`Self::rows`], or if there is none.
    pub(crate) fn row<T: DeserializeOwned>(&mut self, query: &str) -> Result<T> {
        self.rows(query)?.pop().context("the server returned no row")
    }

    /// Runs a statement and hands on what it prints, in pieces as they come.
    ///
    /// # Errors
    ///
    /// As [`Self::run`], or what the receiver fails with.
    pub(crate) fn ask(
        &mut self,
        sql: &str,
        receive: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.ask_bytes(sql.as_bytes(), receive)
    }

    /// The same of a statement with names in the encoding of the session.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub(crate) fn ask_bytes(
        &mut self,
        sql: &[u8],
        receive: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.flush()?;
        let marker = self.next_marker();
        // A short step arrives whole or not at all, even if we are killed.
        let step = [sql, format!("\n\\echo {marker}\n").as_bytes()].concat();
        self.client.write(&step)?;
        self.read_to(&marker, receive)
    }

    /// Sends bytes without waiting; an error shows at the next step.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.gathered.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() > BUFFER_BYTES {
            return self.client.write(bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Waits until everything that was sent is done.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.run("")
    }

    fn flush(&mut self) -> Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        self.client.write(&gathered)?;
        self.gathered = gathered;
        self.gathered.clear();
        Ok(())
    }

    fn next_marker(&mut self) -> String {
        self.n_steps += 1;
        let mut marker = self.marker.clone();
        let _ = write!(marker, "-{}", self.n_steps);
        marker
    }

    /// Hands on what comes before the line with the marker.
    fn read_to(
        &mut self,
        marker: &str,
        receive: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let end = format!("{marker}\n");
        let mut part = Vec::new();
        loop {
            let seen = std::mem::take(&mut self.rest);
            if seen.ends_with(end.as_bytes()) {
                return receive(&seen[..seen.len() - end.len()]);
            }
            // The marker is the last that is printed: what can no longer be its beginning is output.
            let safe = seen.len().saturating_sub(end.len() - 1);
            receive(&seen[..safe])?;
            self.rest = seen[safe..].to_vec();
            self.client.read(&mut part)?;
            if part.is_empty() {
                return Err(self.client.failure());
            }
            self.rest.extend_from_slice(&part);
        }
    }

    /// Ends the session in good order.
    ///
    /// # Errors
    ///
    /// If the program fails at the end.
    pub(crate) fn close(mut self) -> Result<()> {
        self.flush()?;
        let status = self.client.wait()?;
        if status.success() { Ok(()) } else { Err(self.client.failure()) }
    }
}

#[cfg(test)]
mod tests;
