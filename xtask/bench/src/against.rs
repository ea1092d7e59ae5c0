//! `bench against`: the daily commands of two builds of xtask, in pairs.
//!
//! Each build has a repository of its own with the same database, and both do the same by turns; which
//! of them goes first changes from pair to pair. The ratio is taken within each pair, so that what
//! slows the machine for a while slows both. The limits are those of this project's issues; nothing
//! fails if they are missed.

mod report;
mod twin;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::machine::Machine;
use crate::measurement::Run;
use crate::scratch::{self, Scratch};
use crate::{note, print};

use report::{Compared, Reading, Report};
use twin::{Deed, Twin};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask bench against ../before/target/debug/xtask
  cargo xtask bench against ../before/target/debug/xtask --size 100MB --json

Build the other one from an older commit with the same profile, e.g.:
  git worktree add ../before COMMIT
  cd ../before && cargo build --package xtask";

/// Arguments of `bench against`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Program to compare with: the `xtask` of another build
    #[arg(value_name = "XTASK")]
    other: PathBuf,
    /// Size of the generated database
    #[arg(long, value_name = "SIZE", default_value = "20MB", value_parser = scratch::parse_size)]
    size: u64,
    /// Number of pairs of each kind
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// What to time (repeatable) [default: everything]
    #[arg(long, value_name = "DEED")]
    only: Vec<Deed>,
    /// Parent of the temporary folder [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    json: bool,
}

/// The same deed of both builds.
#[derive(Debug, Clone, Copy)]
struct Pair {
    other: Run,
    this: Run,
}

/// The databases, their private copies and all pages that change meanwhile, several times over.
const TIMES_THE_SIZE: u64 = 16;
/// Pairs that are not counted: files, caches and pages that are read for the first time.
const N_WARM_UP: u32 = 2;

impl Args {
    /// Makes the repositories, lets both builds work in them, and reports.
    pub(super) fn time_all(&self) -> Result<()> {
        let other = fs::canonicalize(&self.other)?;
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::create(&parent, self.size.saturating_mul(TIMES_THE_SIZE))?;
        let other = other.to_str().context("the path of the other program is not UTF-8")?;
        let other = Twin::create(&scratch, "other", other, self.size)?;
        let this = Twin::create(&scratch, "this", "xtask", self.size)?;
        let deeds = if self.only.is_empty() { Deed::ALL.to_vec() } else { self.only.clone() };
        let mut compared = Vec::new();
        for deed in deeds {
            note(&format!("{} pairs of {} ...", self.pairs, deed.name()))?;
            compared.push(Compared { deed, pairs: by_turns(&other, &this, deed, self.pairs)? });
        }
        note(&format!("{} readings of a backup ...", self.pairs))?;
        let readings = read(&scratch, self)?;
        let machine = Machine::read(&scratch);
        let report = Report { machine, size_bytes: self.size, compared: &compared, readings };
        print(&if self.json { report.to_json() } else { report.to_text() })
    }
}

fn by_turns(other: &Twin<'_>, this: &Twin<'_>, deed: Deed, n_pairs: u32) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for n in 0..N_WARM_UP + n_pairs {
        let pair = if n % 2 == 0 {
            let other = other.time(deed, n)?;
            Pair { other, this: this.time(deed, n)? }
        } else {
            let this = this.time(deed, n)?;
            Pair { other: other.time(deed, n)?, this }
        };
        pairs.extend((n >= N_WARM_UP).then_some(pair));
    }
    other.ensure_done(deed, N_WARM_UP + n_pairs)?;
    this.ensure_done(deed, N_WARM_UP + n_pairs)?;
    Ok(pairs)
}

/// How long this build takes to read a backup once: what `db-verify --all` takes longer than `db-list`
/// in a folder that holds nothing else.
fn read(scratch: &Scratch, args: &Args) -> Result<Vec<Reading>> {
    let alone = Twin::create(scratch, "alone", "xtask", args.size)?;
    alone.xtask(&["db-backup", "--kind", "pre-migrate"])?;
    let mut readings = Vec::new();
    for n in 0..N_WARM_UP + args.pairs {
        let listed = alone.xtask(&["db-list"])?;
        let reading = Reading { listed, verified: alone.xtask(&["db-verify", "--all"])? };
        readings.extend((n >= N_WARM_UP).then_some(reading));
    }
    Ok(readings)
}
