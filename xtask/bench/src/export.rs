//! `bench export`: rows out of a database and back into one, beside the shell's `.dump` and `.read`.
//!
//! Two databases of the same size take part, one of long rows with a foreign key and one of many short
//! ones without. All take their turns in each round, and what was imported is exported again: it fails
//! if that differs by a byte. Limits that are missed fail nothing.

mod report;
mod step;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use crate::machine::Machine;
use crate::measurement::{self, Run};
use crate::scratch::{self, Scratch};
use crate::store::workload::Workload;
use crate::{chat, note, print};

use report::{Report, Timed};
use step::Step;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask bench export
  cargo xtask bench export --size 100MB --runs 5
  cargo xtask bench export --json | jq '.results[] | {name, ratio}'

Everything happens in a temporary folder, which needs seven times the size and
is removed afterwards. If that folder is in memory (like /tmp on some systems),
a sync costs nothing: choose one on a disk.";

/// The database, its two texts, three databases made of them, and a text of one of those.
const TIMES_THE_SIZE: u64 = 7;

/// Arguments of `bench export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Size of each generated database
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = scratch::parse_size)]
    size: u64,
    /// Number of timed runs of each
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Parent of the temporary folder [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    json: bool,
}

/// What the rows of a database are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Texts of some hundred bytes, each of which refers to a conversation.
    Long,
    /// Millions of short ones in five tables.
    Short,
}

impl Args {
    /// Generates, times and reports.
    pub(super) fn time_all(&self) -> Result<()> {
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::create(&parent, self.size.saturating_mul(TIMES_THE_SIZE))?;
        let mut timed = Vec::new();
        for rows in [Rows::Long, Rows::Short] {
            note(&format!("{} ...", rows.name()))?;
            rows.fill(&scratch, self.size)?;
            timed.push((rows, self.time(&scratch)?));
        }
        let report = Report {
            machine: Machine::read(&scratch),
            floor: scratch.measure_floor()?,
            size_bytes: self.size,
            timed,
        };
        print(&if self.json { report.to_json() } else { report.to_text() })
    }

    /// Times everybody by turns.
    fn time(&self, scratch: &Scratch) -> Result<Vec<Timed>> {
        let has_shell = scratch.output(&["sqlite3", "--version"]).is_some();
        let steps = Step::ALL.into_iter().map(|step| Timed {
            step,
            runs: (has_shell || !step.needs_shell()).then(Vec::new),
            output_bytes: 0,
        });
        let mut timed: Vec<Timed> = steps.collect();
        for round in 1..=self.runs {
            note(&format!("round {round} of {} ...", self.runs))?;
            for one in &mut timed {
                if let Some(runs) = &mut one.runs {
                    runs.push(take_turn(scratch, one.step)?);
                    one.output_bytes = fs::metadata(scratch.path(one.step.output()))?.len();
                }
            }
            ensure_equal(scratch)?;
            for step in Step::ALL.into_iter().filter(|step| has_shell || !step.needs_shell()) {
                fs::remove_file(scratch.path(step.output()))?;
            }
        }
        Ok(timed)
    }
}

impl Rows {
    fn name(self) -> &'static str {
        match self {
            Self::Long => "long rows with a foreign key",
            Self::Short => "millions of short rows",
        }
    }

    /// Generates the database again.
    fn fill(self, scratch: &Scratch, size_bytes: u64) -> Result<()> {
        let live = scratch.live();
        if live.exists() {
            fs::remove_file(&live)?;
        }
        match self {
            Self::Long => chat::create(&live, size_bytes),
            Self::Short => Workload::create(&live, size_bytes).map(drop),
        }
        .context("could not generate the database")?;
        scratch.settle()
    }
}

fn take_turn(scratch: &Scratch, step: Step) -> Result<Run> {
    scratch.settle()?;
    let mut command = scratch.command(step.command())?;
    let output = scratch.path(step.output());
    let sync = step.needs_sync().then_some(output.as_path());
    let run = measurement::run(&mut command, sync, &scratch.path("said"))
        .with_context(|| format!("could not time {}", step.name()))?;
    ensure!(run.wall > Duration::ZERO && output.exists(), "{} created nothing", step.name());
    Ok(run)
}

/// Exports what was imported; not a byte may differ.
fn ensure_equal(scratch: &Scratch) -> Result<()> {
    let again = scratch.path("copies/again.jsonl");
    let path = scratch.path(Step::Import.output());
    let mut command = scratch.command(&[
        "xtask",
        "db-export",
        "--db",
        "bench",
        "--output",
        "copies/again.jsonl",
    ])?;
    command.env("DATABASE_PATH", path);
    measurement::run(&mut command, None, &scratch.path("said"))?;
    let hash = |path: &std::path::Path| -> Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut fs::File::open(path)?, &mut hasher)?;
        Ok(hasher.finalize())
    };
    let is_equal = hash(&again)? == hash(&scratch.path(Step::Export.output()))?;
    ensure!(is_equal, "the imported database is exported to different bytes");
    Ok(fs::remove_file(again)?)
}
