//! The host's side of a world: its migration, and an application that writes all the time.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::state;

/// The file beside the manifest in which a world describes its next migration.
pub(crate) const PLAN: &str = "migration.plan";
/// A file that the migration makes when it begins on the live database.
pub(crate) const LIVE_RUN: &str = "live-run";
/// The variable that names the database to the migration.
pub(crate) const DATABASE: &str = "TORTURE_DATABASE";
/// The variable that names the file of acknowledged commits to the application.
pub(crate) const ACKNOWLEDGED: &str = "TORTURE_ACKNOWLEDGED";

/// What a migration does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The `user_version` it migrates to.
    pub(crate) version: u32,
    /// Whether it deletes rows of the live database only, and fails there.
    pub(crate) is_faulty: bool,
    /// How long it pauses between its steps.
    pub(crate) pause: Duration,
}

impl Plan {
    /// Writes it if the migration reads it.
    pub(crate) fn save(self, root: &Path) -> Result<()> {
        let text =
            format!("{} {} {}", self.version, u8::from(self.is_faulty), self.pause.as_millis());
        Ok(fs_err::write(root.join(PLAN), text)?)
    }

    fn load() -> Result<Self> {
        let text = fs_err::read_to_string(PLAN)?;
        let mut numbers = text.split(' ').map(str::parse::<u32>);
        let mut next = || numbers.next().context("the plan is too short")?.context("a number");
        Ok(Self {
            version: next()?,
            is_faulty: next()? == 1,
            pause: Duration::from_millis(u64::from(next()?)),
        })
    }
}

/// The tables of every world.
pub(crate) const FIRST: &str = "
    CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, body TEXT);
    CREATE TABLE IF NOT EXISTS tag (note_id INTEGER NOT NULL REFERENCES note, name TEXT, UNIQUE (note_id, name));";

/// Migrates step by step, each one a transaction of its own: a migration that SQLite cannot roll back.
pub(crate) fn migrate() -> Result<ExitCode> {
    let plan = Plan::load()?;
    let path = PathBuf::from(std::env::var_os(DATABASE).context("no database is named")?);
    let is_live = path.file_name().is_some_and(|name| name == "app.db")
        && path.parent() == std::env::current_dir()?.canonicalize().ok().as_deref();
    let connection = if path.exists() { state::open(&path)? } else { create(&path)? };
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version >= plan.version {
        return Ok(ExitCode::SUCCESS);
    }
    if version == 0 {
        connection.execute_batch(FIRST)?;
    }
    if is_live {
        fs_err::write(LIVE_RUN, "")?;
    }
    for step in version..plan.version {
        connection.execute_batch(&format!("CREATE TABLE IF NOT EXISTS step_{step} (a, b)"))?;
        std::thread::sleep(plan.pause);
        if plan.is_faulty && is_live {
            connection.execute_batch("DELETE FROM note WHERE id % 3 <> 0")?;
            std::thread::sleep(plan.pause);
            return Ok(ExitCode::from(7));
        }
        connection.execute_batch(&format!("INSERT INTO step_{step} VALUES (1, 'migrated')"))?;
        std::thread::sleep(plan.pause);
    }
    connection.execute_batch(&format!("PRAGMA user_version = {}", plan.version))?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "the host's first migration creates the database")]
fn create(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = wal")?;
    Ok(connection)
}

/// Commits rows and notes each that SQLite acknowledged, until its standard input ends.
pub(crate) fn write() -> Result<ExitCode> {
    let acknowledged = std::env::var_os(ACKNOWLEDGED).context("no file is named")?;
    let mut acknowledged =
        fs_err::OpenOptions::new().append(true).create(true).open(acknowledged)?;
    let path = PathBuf::from(std::env::var_os(DATABASE).context("no database is named")?);
    let connection = state::open(&path)?;
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let watch = std::sync::Arc::clone(&ended);
    std::thread::Builder::new().spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        watch.store(true, std::sync::atomic::Ordering::Relaxed);
    })?;
    let began = Instant::now();
    while !ended.load(std::sync::atomic::Ordering::Relaxed)
        && began.elapsed() < Duration::from_mins(1)
    {
        let body = format!("{:032x}", fastrand::u128(..));
        if connection.execute("INSERT INTO note (body) VALUES (?1)", [&body]).is_ok() {
            writeln!(acknowledged, "{body}")?;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(ExitCode::SUCCESS)
}
