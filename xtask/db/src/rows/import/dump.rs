//! Loads SQL files from any source into a scratch database: our own exports, the `.dump` of the
//! sqlite3 shell, and what other tools write for SQLite.
//!
//! The file is an untrusted program. It runs statement by statement under the
//! [`statement_guard`]; a statement beyond tables and rows is refused, and then nothing of the file
//! is kept. Its transactions show whether it is complete: one that is never committed was cut
//! short.

mod foreign_files;
mod odd_texts;
mod one_statement;
mod pragmas;
mod reserved_tables;
mod script;
mod shadow_tables;
mod statement_guard;
mod unistr;
mod words;

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use xtask_db_format::{NAME, Newer, Piece, Statements, Unfinished, VERSION};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::import::scratch::{Loaded, Loading};
use crate::sqlite::connection;
use script::Running;
use statement_guard::Guard;

/// Pieces after which the reader checks whether to continue.
const PIECES_BETWEEN_LOOKS: u64 = 1 << 10;

/// Bytes in which the marks of another database's tool are searched for.
const START_BYTES: u64 = 1 << 12;

/// Loads an SQL file.
///
/// # Errors
///
/// As [`super::load`].
pub(super) fn load(
    file: &Path,
    loading: &Loading<'_>,
    reach: &mut dyn FnMut(u64),
) -> Result<Loaded> {
    let mut start = Vec::new();
    fs_err::File::open(file)?.take(START_BYTES).read_to_end(&mut start)?;
    foreign_files::refuse(&start)?;
    refuse_newer(&start)?;
    let mut look = |n_bytes| {
        reach(n_bytes);
        loading.interrupt.check()
    };
    run(fs_err::File::open(file)?, loading, &mut look)
}

/// Refuses an export of a newer version, instead of guessing what it means.
fn refuse_newer(start: &[u8]) -> Result<()> {
    let rest = start.strip_prefix(format!("-- {NAME}, version ").as_bytes()).unwrap_or_default();
    let n_digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let version = std::str::from_utf8(&rest[..n_digits])?.parse().unwrap_or(0);
    if version > u64::from(VERSION) {
        return Err(crate::rows::import::own_export::explain_newer(Newer(version).into()));
    }
    if rest[n_digits..].starts_with(b", for psql") {
        return Err(crate::rows::import::own_export::refuse_other_engine());
    }
    Ok(())
}

/// Runs a file's statements, then lets the modules of virtual tables check their data.
pub(super) fn run(
    source: impl Read,
    loading: &Loading<'_>,
    look: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Loaded> {
    let (connection, guard) = open(loading)?;
    let watched = loading.interrupt.watch(&connection);
    let mut running = Running::new(&connection, &guard, loading);
    let mut meter = loading.bounds.meter();
    let mut statements = Statements::new(source);
    let mut n_pieces = 0_u64;
    while let Some((line, piece)) = statements.next_piece().map_err(cut_short)? {
        let done = match piece {
            Piece::Statement(bytes) => running.statement(bytes),
            Piece::Command(line) => Running::command(line),
        };
        if let Err(error) = done {
            return Err(running.blame(error, piece, line));
        }
        if meter.stops(0) {
            loading.interrupt.check()?;
            return Err(running.blame(anyhow::anyhow!("it does not end"), piece, line));
        }
        n_pieces += 1;
        if n_pieces.is_multiple_of(PIECES_BETWEEN_LOOKS) {
            look(statements.n_bytes())?;
        }
    }
    look(statements.n_bytes())?;
    let (shadows, mut remarks) = running.finish()?;
    drop(watched);
    connection.close().map_err(|(_, error)| error)?;
    let (connection, _guard) = open(loading)?;
    let _watched = loading.interrupt.watch(&connection);
    for table in shadows.examine(&connection)? {
        let table = text::plain(table);
        remarks.push(format!("full-text index `{table}` did not match its rows and was rebuilt"));
    }
    Ok(Loaded { remarks, ..Loaded::default() })
}

/// The door of the fuzz target `sql`: loads a file's bytes, and gives up after two seconds.
///
/// # Errors
///
/// As [`load`].
#[cfg(feature = "fuzzing")]
pub fn load_sql(sql: &[u8], scratch: &Path) -> Result<()> {
    let interrupt = crate::console::interrupt::Interrupt::default();
    let pulse = crate::console::progress::Pulse::none();
    let bounds = crate::rows::import::cost_limits::Bounds::of(sql.len() as u64, &interrupt, pulse);
    let loading = Loading { scratch, encoding: None, interrupt: &interrupt, bounds: &bounds };
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::sync::mpsc::RecvTimeoutError::Timeout;
            let waiting = waiting;
            if waiting.recv_timeout(std::time::Duration::from_secs(2)) == Err(Timeout) {
                interrupt.raise();
            }
        });
        let loaded = run(sql, &loading, &mut |_| interrupt.check());
        drop(done);
        loaded.map(drop)
    })
}

/// A watched connection to the scratch database.
fn open(loading: &Loading<'_>) -> Result<(Connection, Guard)> {
    let mut connection = connection::open_scratch(loading.scratch)?;
    loading.bounds.set_on(&mut connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    unistr::offer(&connection)?;
    let guard = Guard::on(&mut connection).context("could not set a guard before the dump")?;
    Ok((connection, guard))
}

fn cut_short(error: anyhow::Error) -> anyhow::Error {
    let Some(unfinished) = error.downcast_ref::<Unfinished>() else { return error };
    Refusal::no(
        unfinished.to_string(),
        "nothing was changed; the file was cut short, or is not SQL for SQLite: dump the database \
         again",
    )
}

#[cfg(test)]
mod tests;
