//! `bench`: times the database tasks beside the ways that people copy a database by hand.
//!
//! Everything runs in one folder of its own and by turns, one run of each per round, so that a
//! machine that grows slower does so for all alike. Nothing is asserted: the numbers are for people.
//!
//! The program that is timed is the one named in the environment as `XTASK`: `cargo xtask bench`
//! names itself there.

mod against;
mod chat;
mod contender;
mod dice;
mod export;
mod hooks;
mod interrupt;
mod machine;
mod measurement;
mod postgres;
mod report;
mod repository;
mod scratch;
mod store;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use contender::Contender;
use measurement::Run;
use scratch::Scratch;

const EXAMPLE: &str = "\
Examples:
  cargo xtask bench
  cargo xtask bench --size 100MB --runs 3
  cargo xtask bench against ../before/target/debug/xtask
  cargo xtask bench export
  cargo xtask bench hooks
  cargo xtask bench postgres
  cargo xtask bench store
  cargo xtask bench --folder /mnt/disk --json | jq '.results[]'

Everything happens in a temporary folder, which needs four times the size and is
removed afterwards. If that folder is in memory (like /tmp on some systems), a
sync costs nothing: choose one on a disk.";

/// The live database and its backup, the safety backup of a restore, and one more for a WAL.
const TIMES_THE_SIZE: u64 = 4;

/// Time the database tasks beside `cp`, `sqlite3 .backup` and `VACUUM INTO`
#[derive(Debug, Parser)]
#[command(
    max_term_width = 80,
    name = "cargo xtask bench",
    bin_name = "cargo xtask bench",
    after_help = EXAMPLE,
    args_conflicts_with_subcommands = true
)]
struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// Size of the generated database
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = scratch::parse_size)]
    size: u64,
    /// Number of timed runs of each
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Parent of the temporary folder [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// What else can be timed.
#[derive(Debug, clap::Subcommand)]
enum Other {
    /// Time the daily commands beside those of another build of xtask
    #[command(after_help = against::EXAMPLE)]
    Against(against::Args),
    /// Time exports and imports beside the shell's `.dump` and `.read`
    #[command(after_help = export::EXAMPLE)]
    Export(export::Args),
    /// Time commits with the git hooks beside commits without
    #[command(after_help = hooks::EXAMPLE)]
    Hooks(hooks::Args),
    /// Time a PostgreSQL database beside `pg_dump`, `pg_restore` and templates
    #[command(after_help = postgres::EXAMPLE)]
    Postgres(postgres::Args),
    /// Time a series of checkpoints beside full copies, restic and borg
    #[command(after_help = store::EXAMPLE)]
    Store(store::Args),
}

/// What happened to one contender.
struct Timed {
    contender: Contender,
    /// `None` if its program is not installed.
    runs: Option<Vec<Run>>,
}

fn main() -> ExitCode {
    Args::parse().run().unwrap_or_else(|error| fail(&error))
}

/// Reports why nothing could be timed.
#[expect(clippy::print_stderr, reason = "the one printer of errors")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  caused by: {cause}");
    }
    ExitCode::from(2)
}

impl Args {
    /// Generates, times and reports; exit 130 if the user asked to stop.
    fn run(&self) -> Result<ExitCode> {
        interrupt::listen()?;
        let outcome = match &self.other {
            Some(Other::Against(against)) => against.time_all(),
            Some(Other::Export(export)) => export.time_all(),
            Some(Other::Hooks(hooks)) => hooks.time_all(),
            Some(Other::Postgres(postgres)) => postgres.time_all(),
            Some(Other::Store(store)) => store.time_all(),
            None => self.time_all(),
        };
        match outcome {
            Err(_) if interrupt::was_asked() => {
                note("interrupted: nothing is left behind")?;
                Ok(ExitCode::from(130))
            }
            outcome => outcome.map(|()| ExitCode::SUCCESS),
        }
    }

    fn time_all(&self) -> Result<()> {
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::create(&parent, self.size.saturating_mul(TIMES_THE_SIZE))?;
        let start = Instant::now();
        note(&format!("generating {} ...", report::size(self.size)))?;
        let database = scratch.fill(self.size)?;
        note(&format!("generated in {}", report::seconds(start.elapsed())))?;
        let timed = time(&scratch, self.runs)?;
        let floor = scratch.measure_floor()?;
        let report = report::Report {
            machine: machine::Machine::read(&scratch),
            database,
            floor,
            timed: &timed,
        };
        let text = if self.json { report.to_json() } else { report.to_text() };
        print(&text)
    }
}

/// Times everybody by turns.
fn time(scratch: &Scratch, n_runs: u32) -> Result<Vec<Timed>> {
    let mut timed: Vec<Timed> = Contender::ALL
        .map(|contender| Timed { contender, runs: scratch.has(contender).then(Vec::new) })
        .into();
    for round in 1..=n_runs {
        note(&format!("round {round} of {n_runs} ..."))?;
        for one in &mut timed {
            if let Some(runs) = &mut one.runs {
                let run = scratch.time(one.contender);
                runs.push(run.with_context(|| format!("could not time {}", one.contender.name()))?);
            }
        }
        scratch.remove_backups()?;
    }
    ensure!(scratch.is_intact()?, "the restores lost messages");
    Ok(timed)
}

/// Reports how far it is, on stderr.
fn note(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr().lock(), "{line}")?)
}

/// Prints the result. A closed pipe is success.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
