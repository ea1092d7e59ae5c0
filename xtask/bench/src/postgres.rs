//! `bench postgres`: backups, checkpoints and restores of a PostgreSQL database beside `pg_dump`,
//! `pg_restore` and copies of a template.
//!
//! The server is one of the bench's own and ends with it. All take their turns in each round. What was
//! restored is compared with what was backed up by the rows of its largest table. Limits that are missed
//! fail nothing.

mod host;
mod report;
mod step;
mod workload;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use postgres_server::Installation;

use crate::machine::Machine;
use crate::scratch::{self, Scratch};
use crate::{note, print};

use host::Host;
use report::{Report, Timed};
use step::Step;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask bench postgres
  cargo xtask bench postgres --size 100MB --runs 5
  XTASK_POSTGRES_BIN=/opt/pg18/bin cargo xtask bench postgres

It starts a server of its own on 127.0.0.1, from the folder that
XTASK_POSTGRES_BIN names, or else the newest of Debian's. Everything happens in
a temporary folder, which needs eight times the size and is removed afterwards.";

/// The database, a copy of it, one that is built beside it, their log, and dumps of three kinds.
const TIMES_THE_SIZE: u64 = 8;

/// Arguments of `bench postgres`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Size of the generated database
    #[arg(long, value_name = "SIZE", default_value = "880MB", value_parser = scratch::parse_size)]
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

impl Args {
    /// Generates, times and reports.
    pub(super) fn time_all(&self) -> Result<()> {
        let installation = Installation::find()?.context(
            "no PostgreSQL server is installed: `apt install postgresql`, or name the folder of its \
             programs with `XTASK_POSTGRES_BIN`",
        )?;
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::create(&parent, self.size.saturating_mul(TIMES_THE_SIZE))?;
        let host = Host::start(&scratch, installation)?;
        note(&format!("generating {} ...", crate::report::size(self.size)))?;
        let n_rows = workload::create(&host, self.size)?;
        let timed = self.time(&host, n_rows)?;
        let report = Report {
            machine: Machine::read(&scratch),
            server: host.version()?,
            size_bytes: host.database_bytes()?,
            n_rows,
            timed,
        };
        print(&if self.json { report.to_json() } else { report.to_text() })
    }

    /// Times everybody by turns.
    fn time(&self, host: &Host<'_>, n_rows: u64) -> Result<Vec<Timed>> {
        let mut timed: Vec<Timed> = Step::ALL.map(Timed::of).into();
        for round in 1..=self.runs {
            note(&format!("round {round} of {} ...", self.runs))?;
            let beginning = workload::fingerprint(host)?;
            for one in &mut timed {
                let step = one.step;
                if step.follows_a_change() {
                    workload::change(host, n_rows)?;
                }
                let turn = host.take_turn(step);
                one.add(&turn.with_context(|| format!("could not time {}", step.name()))?);
                ensure!(
                    !step.restores() || workload::fingerprint(host)? == beginning,
                    "{} restored something else",
                    step.name()
                );
            }
            host.forget_round()?;
        }
        Ok(timed)
    }
}
