//! The workspace and the server that are timed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use fs_err as fs;
use postgres_server::{Installation, PostgresServer, Settings};

use super::step::{Output, Step};
use crate::measurement::{self, Run};
use crate::scratch::Scratch;

const MANIFEST: &str = r#"[workspace]
members = []

[workspace.metadata.db.databases.bench]
url-env = "BENCH_URL"
"#;
/// As for a machine that such a database belongs on: no checkpoint of the server's in every turn.
const OPTIONS: [&str; 3] = ["max_wal_size=8GB", "shared_buffers=256MB", "checkpoint_timeout=1h"];

/// A workspace with a database on a server of its own.
pub(super) struct Host<'a> {
    scratch: &'a Scratch,
    server: PostgresServer,
}

/// One timed step.
pub(super) struct Turn {
    pub(super) run: Run,
    /// Bytes that it wrote into files; `None` if it wrote into the server.
    pub(super) output_bytes: Option<u64>,
}

impl<'a> Host<'a> {
    /// Starts the server, with an empty database.
    pub(super) fn start(scratch: &'a Scratch, installation: Installation) -> Result<Self> {
        let settings = Settings {
            user: "bench",
            password: "bench",
            options: &OPTIONS,
            parent: scratch.root(),
        };
        let server = PostgresServer::start(installation, &settings)?;
        server.sql("postgres", "CREATE DATABASE bench")?;
        fs::write(scratch.path("Cargo.toml"), MANIFEST)?;
        Ok(Self { scratch, server })
    }

    /// Runs statements in the database; returns what they print.
    pub(super) fn sql(&self, statements: &str) -> Result<String> {
        self.server.sql("bench", statements)
    }

    /// The server's version.
    pub(super) fn version(&self) -> Result<String> {
        self.sql("SHOW server_version")
    }

    /// The size of the database on the server's disk.
    pub(super) fn database_bytes(&self) -> Result<u64> {
        Ok(self.sql("SELECT pg_database_size('bench')")?.parse()?)
    }

    /// Gives a step its turn.
    pub(super) fn take_turn(&self, step: Step) -> Result<Turn> {
        let before = match step {
            Step::TemplateCopy => self.recreate("template", "DROP DATABASE IF EXISTS template")?,
            Step::PgRestore => self.recreate("empty", "CREATE DATABASE empty")?,
            _ => self.backups_bytes()?,
        };
        self.server.sql("postgres", "CHECKPOINT")?;
        self.scratch.settle_everything()?;
        let mut command = self.command(step.command())?;
        let file = match step.output() {
            Output::File(file) => Some(self.scratch.path(file)),
            Output::Backups | Output::Database => None,
        };
        let run = measurement::run(&mut command, file.as_deref(), &self.scratch.path("said"))?;
        let output_bytes = match step.output() {
            Output::File(file) => Some(fs::metadata(self.scratch.path(file))?.len()),
            Output::Backups => Some(self.backups_bytes()? - before),
            Output::Database => None,
        };
        Ok(Turn { run, output_bytes })
    }

    /// Drops a database and runs a statement; returns 0.
    fn recreate(&self, name: &str, then: &str) -> Result<u64> {
        self.server.sql("postgres", &format!("DROP DATABASE IF EXISTS {name}"))?;
        self.server.sql("postgres", then)?;
        Ok(0)
    }

    /// Removes what a round left.
    pub(super) fn forget_round(&self) -> Result<()> {
        Ok(fs::remove_dir_all(self.scratch.path("backups"))?)
    }

    fn backups_bytes(&self) -> Result<u64> {
        let backups = self.scratch.path("backups");
        if backups.exists() { size_of(&backups) } else { Ok(0) }
    }

    /// A command that finds the server, and clients of its version.
    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = self.scratch.command(words)?;
        let bin = self.server.installation().folder();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
        command
            .env("PATH", std::env::join_paths(folders).context("a folder of PATH has a colon")?)
            .env("BENCH_URL", self.server.url("bench"))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.server.port().to_string())
            .env("PGUSER", "bench")
            .env("PGPASSWORD", "bench")
            .env("PGDATABASE", "postgres");
        Ok(command)
    }
}

/// The sum of all files below a folder, each once.
fn size_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
