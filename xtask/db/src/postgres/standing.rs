//! What is at a URL: no server, a server that refuses us, no such database, or a database and its state.

pub(crate) mod facts;
pub(crate) mod fit;
mod pooler;

use anyhow::Result;
use facts::Facts;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::postgres::programs::Programs;
use crate::postgres::psql::Psql;
use crate::postgres::server::Server;
use crate::postgres::trouble::Trouble;

/// What is there.
#[derive(Debug)]
pub(crate) enum Standing {
    /// No server answers, and why.
    Unreachable(String),
    /// The server does not let us in, and why.
    Denied(String),
    /// The server has no database of that name.
    Missing,
    /// The database is closed to connections.
    Closed,
    /// The server has no connection left for us.
    Full(String),
    /// A pool is in between that gives each transaction another session.
    Pooled,
    /// A database.
    There(Box<Facts>),
}

/// Looks what is there; changes nothing.
///
/// # Errors
///
/// If the programs are missing, a catalogue cannot be read, or at the user's interrupt.
pub(crate) fn look(
    server: &Server,
    programs: &Programs,
    interrupt: &Interrupt,
) -> Result<Standing> {
    let tools = programs.any()?;
    let mut psql = match Psql::connect(server, tools, interrupt) {
        Ok(psql) => psql,
        Err(error) => return refused(error),
    };
    let mut other = match Psql::connect(server, tools, interrupt) {
        Ok(other) => other,
        Err(error) => return refused(error),
    };
    if pooler::is_between(&mut psql, &mut other)? {
        return Ok(Standing::Pooled);
    }
    other.close()?;
    let facts = Facts::read(&mut psql)?;
    psql.close()?;
    Ok(Standing::There(Box::new(facts)))
}

/// The facts of a database that must be there.
///
/// # Errors
///
/// A refusal with what to do, if it is not; otherwise as [`look`].
pub(crate) fn found(server: &Server, programs: &Programs, interrupt: &Interrupt) -> Result<Facts> {
    match look(server, programs, interrupt)? {
        Standing::There(facts) => Ok(*facts),
        other => Err(other.refusal(server)),
    }
}

/// Adds to the failure of a command that could not connect what is there, and what to do.
#[must_use]
pub(crate) fn explain(error: anyhow::Error, server: &Server, programs: &Programs) -> anyhow::Error {
    let is_refused =
        error.downcast_ref::<Trouble>().is_some_and(|trouble| trouble.sqlstate.is_none());
    if !is_refused {
        return error;
    }
    match look(server, programs, &Interrupt::default()) {
        Ok(Standing::There(_)) | Err(_) => error,
        Ok(other) => other.refusal(server),
    }
}

/// What a refused connection means.
fn refused(error: anyhow::Error) -> Result<Standing> {
    let Some(trouble) = error.downcast_ref::<Trouble>() else { return Err(error) };
    Ok(judged(&trouble.message))
}

/// The messages come before a session has a language, so they may be in the server's; what is not
/// recognized counts as unreachable, with the message.
fn judged(message: &str) -> Standing {
    let has = |part: &str| message.contains(part);
    let why = reason(message).to_owned();
    if has("FATAL:  database ") && has("does not exist") {
        Standing::Missing
    } else if has("is not currently accepting connections") {
        Standing::Closed
    } else if has("too many ") || has("remaining connection slots are reserved") {
        Standing::Full(why)
    } else if ["password", "authentication", "no pg_hba.conf entry", "FATAL:  role "]
        .iter()
        .any(|part| has(part))
    {
        Standing::Denied(why)
    } else {
        Standing::Unreachable(why)
    }
}

/// The end of a message such as `connection to server at "h" (1.2.3.4), port 5432 failed: FATAL:  no`.
fn reason(message: &str) -> &str {
    let message = message.split_once(" failed: ").map_or(message, |(_, reason)| reason);
    let message = message.strip_prefix("FATAL:  ").unwrap_or(message);
    message.split("; ").next().unwrap_or(message)
}

impl Standing {
    /// The refusal of a command that needs the database.
    #[must_use]
    pub(crate) fn refusal(&self, server: &Server) -> anyhow::Error {
        let place = server.place();
        match self {
            Self::Unreachable(why) => Refusal::could_not(
                format!("no PostgreSQL server answers at `{place}`: {why}"),
                "start the server, or correct host and port in the URL",
            ),
            Self::Denied(why) => Refusal::could_not(
                format!("the server of `{place}` does not accept the connection: {why}"),
                "correct user and password in the URL, or put the password into `~/.pgpass`",
            ),
            Self::Missing => Refusal::could_not(
                format!("the server has no database `{place}`"),
                "create it, e.g. with `createdb`, or correct its name in the URL",
            ),
            Self::Closed => Refusal::could_not(
                format!("the database `{place}` is closed to connections"),
                "a restore may be under way; otherwise run `ALTER DATABASE … ALLOW_CONNECTIONS true`",
            ),
            Self::Full(why) => Refusal::locked(
                format!("the server of `{place}` has no connection left: {why}"),
                "end a session, e.g. of the application, or raise `max_connections`",
            ),
            Self::Pooled => Refusal::could_not(
                format!("a pool in transaction mode is in front of `{place}`"),
                "use the URL of the server itself: a dump needs one session from beginning to end",
            ),
            Self::There(_) => Refusal::could_not(format!("the database `{place}` is there"), ""),
        }
    }
}

#[cfg(test)]
mod tests;
