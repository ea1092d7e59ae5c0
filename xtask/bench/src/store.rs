//! `bench store`: what it costs to keep many states of a database that changes a little each time.
//!
//! A series of checkpoints, each state kept by full copies, by our own checkpoints, by restic and by
//! borg, by turns; then the same of an unchanged database, the way back, listing, verifying and
//! pruning. Nothing fails if a promise is missed; it does if a restore brings back anything else
//! than what was kept.

mod findings;
mod folder;
mod keeper;
mod pages;
mod promises;
mod report;
mod restoring;
mod sample;
mod trial;
mod words;
pub(super) mod workload;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::machine::Machine;
use crate::scratch::{self, Scratch};
use crate::{note, print};

use keeper::Keeper;
use report::Report;
use trial::Trial;
use workload::Workload;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask bench store
  cargo xtask bench store --size 100MB --checkpoints 200 --without borg
  cargo xtask bench store --json | jq '.promises[] | select(.kept | not)'

Everything happens in a temporary folder, which is removed afterwards.
10 checkpoints of 1 GB need 15 GB there with restic and borg, 5 GB without.";

/// Arguments of `bench store`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Size of the generated database
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = scratch::parse_size)]
    size: u64,
    /// Number of checkpoints; one row in 1000 changes before each
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(2..))]
    checkpoints: u32,
    /// Number of states to keep when pruning [default: a tenth, at least 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Number of timed runs of unchanged checkpoints, restores and lists
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Leave out this program even if it is installed (repeatable)
    #[arg(long, value_name = "PROGRAM", value_parser = ["restic", "borg"])]
    without: Vec<String>,
    /// Parent of the temporary folder [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Generates, lets everybody keep and restore, and reports.
    pub(super) fn time_all(&self) -> Result<()> {
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::create(&parent, self.needed_bytes())?;
        let keepers = self.keepers(&scratch);
        let start = Instant::now();
        note(&format!("generating {} ...", crate::report::size(self.size)))?;
        let workload = Workload::create(&scratch.live(), self.size)?;
        note(&format!("generated in {}", crate::report::seconds(start.elapsed())))?;
        let n_runs = self.runs as usize;
        let present = keepers.iter().filter(|(_, version)| version.is_some());
        let present = present.map(|(keeper, _)| *keeper).collect();
        // The unchanged ones are pruned too, but hold no state of their own.
        let n_kept = self.n_states_kept() + n_runs;
        let mut trial = Trial::prepare(&scratch, present, workload, n_kept)?;
        trial.take_series(self.checkpoints as usize)?;
        trial.list(n_runs)?;
        trial.verify()?;
        trial.take_unchanged(n_runs)?;
        restoring::time_all(&mut trial, n_runs)?;
        trial.prune()?;
        let report = Report {
            machine: Machine::read(&scratch),
            floor: scratch.measure_floor()?,
            n_states_kept: self.n_states_kept(),
            keepers,
            findings: trial.findings,
        };
        print(&if self.json { report.to_json() } else { report.to_text() })
    }

    /// Everybody with the version of their program; `None` if it is not installed, or what it reads
    /// cannot be created. Who is not wanted is left out.
    fn keepers(&self, scratch: &Scratch) -> Vec<(Keeper, Option<String>)> {
        let wanted = Keeper::ALL
            .into_iter()
            .filter(|keeper| !self.without.iter().any(|program| program == keeper.program()));
        let copies = Keeper::Copies.version(scratch).is_some();
        let version = |keeper: Keeper| {
            if keeper.needs_copy() && !copies { None } else { keeper.version(scratch) }
        };
        wanted.map(|keeper| (keeper, version(keeper))).collect()
    }

    fn n_states_kept(&self) -> usize {
        let kept = self.keep.unwrap_or_else(|| (self.checkpoints / 10).max(2));
        kept.min(self.checkpoints) as usize
    }

    /// The database, a copy, a safety backup, a WAL and a restored file; for each program its first
    /// checkpoint, and for the later ones the sizes that were measured.
    fn needed_bytes(&self) -> u64 {
        let with = |program: &str, percent: u64| {
            if self.without.iter().any(|one| one == program) { 0 } else { percent }
        };
        let per_checkpoint = 3 + with("restic", 40) + with("borg", 60);
        let percent = 450 + u64::from(self.checkpoints) * per_checkpoint;
        (self.size / 100).saturating_mul(percent)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_tenth_stays_and_no_more_than_there_are() {
        for (words, kept) in [
            (&["bench"][..], 2),
            (&["bench", "--checkpoints", "200"], 20),
            (&["bench", "--checkpoints", "200", "--keep", "7"], 7),
            (&["bench", "--checkpoints", "3", "--keep", "7"], 3),
        ] {
            let line = Line::try_parse_from(words).expect("arguments");
            assert_eq!(line.args.n_states_kept(), kept, "{words:?}");
        }
    }

    #[test]
    fn less_room_is_needed_where_others_are_left_out() {
        let bytes = |words: &[&str]| {
            Line::try_parse_from(words).expect("arguments").args.needed_bytes() >> 30
        };
        assert_eq!(bytes(&["bench"]), 14);
        assert_eq!(bytes(&["bench", "--without", "borg", "--without", "restic"]), 4);
    }
}
