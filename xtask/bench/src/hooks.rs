//! `bench hooks`: what the git hooks cost a commit, beside a twin of the repository without them.
//!
//! The two commit by turns, the same change in each, and who is first changes from pair to pair. The
//! difference is taken within each pair, so that what slows the machine for a while slows both. The
//! limits are what this project promises; nothing fails if they are missed.

mod report;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use fs_err as fs;

use crate::machine::Machine;
use crate::measurement::Run;
use crate::repository::Repository;
use crate::scratch::Scratch;
use crate::{chat, note, print};

use report::{Compared, Report};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask bench hooks
  cargo xtask bench hooks --pairs 100 --json | jq '.results[].overhead_seconds'";

/// Arguments of `bench hooks`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of pairs of commits of each kind, with and without hooks
    #[arg(long, value_name = "N", default_value = "40", value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Parent of the temporary folder [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    json: bool,
}

/// What a commit touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touched {
    /// A file that is not a schema: the hooks ask git, and that is all.
    Notes,
    /// A migration, after the database changed: a checkpoint and its trailer.
    Schema,
}

/// A commit with hooks and the same without.
#[derive(Debug, Clone, Copy)]
struct Pair {
    without: Run,
    with: Run,
}

const DATABASE_BYTES: u64 = 160 << 10;
/// A checkpoint for each commit, several times over.
const ROOM_BYTES: u64 = 256 << 20;
/// Pairs that are not counted: files, caches and pages that are read for the first time.
const N_WARM_UP: u32 = 2;

const MANIFEST: &str = r#"[workspace]
members = []

[workspace.metadata.db.databases.chat]
path = "db/chat.db"
schema = ["migrations/*.sql"]
"#;

impl Args {
    /// Creates the two repositories, commits in them, and reports.
    pub(super) fn time_all(&self) -> Result<()> {
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::create(&parent, ROOM_BYTES)?;
        ensure!(scratch.output(&["git", "--version"]).is_some(), "git is not installed");
        let twins = Twins::create(&scratch)?;
        let compared = [Touched::Notes, Touched::Schema].map(|touched| {
            note(&format!("{} pairs of {} ...", self.pairs, touched.name()))?;
            Ok(Compared { touched, pairs: twins.commit_by_turns(touched, self.pairs)? })
        });
        let compared = compared.into_iter().collect::<Result<Vec<_>>>()?;
        twins.ensure_checkpoints(self.pairs + N_WARM_UP)?;
        let report = Report { machine: Machine::read(&scratch), compared: &compared };
        print(&if self.json { report.to_json() } else { report.to_text() })
    }
}

/// Two repositories that differ in their hooks only.
struct Twins<'a> {
    without: Repository<'a>,
    with: Repository<'a>,
}

impl<'a> Twins<'a> {
    fn create(scratch: &'a Scratch) -> Result<Self> {
        let create = |name| Repository::create(scratch, name, MANIFEST, DATABASE_BYTES);
        let twins = Self { without: create("without")?, with: create("with")? };
        twins.with.run(&["xtask", "db-hooks", "install"])?;
        Ok(twins)
    }

    fn commit_by_turns(&self, touched: Touched, n_pairs: u32) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        for n in 0..N_WARM_UP + n_pairs {
            let pair = if n % 2 == 0 {
                let without = commit(&self.without, touched, n)?;
                Pair { without, with: commit(&self.with, touched, n)? }
            } else {
                let with = commit(&self.with, touched, n)?;
                Pair { without: commit(&self.without, touched, n)?, with }
            };
            pairs.extend((n >= N_WARM_UP).then_some(pair));
        }
        Ok(pairs)
    }

    /// Hooks that did nothing would be fast.
    fn ensure_checkpoints(&self, n_expected: u32) -> Result<()> {
        let entries = fs::read_dir(self.with.folder().join("backups"))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names = names.collect::<Result<Vec<_>>>()?;
        let n_taken = names.iter().filter(|name| name.ends_with(".pages.json")).count();
        ensure!(
            n_taken == n_expected as usize,
            "{n_expected} commits of a migration took {n_taken} checkpoints"
        );
        Ok(())
    }
}

/// Changes and stages a file, and times the commit alone.
fn commit(repository: &Repository<'_>, touched: Touched, n: u32) -> Result<Run> {
    let file = match touched {
        Touched::Notes => "src/file7.rs".to_owned(),
        Touched::Schema => {
            // So that the checkpoint is a copy, and no hard link to the one before.
            chat::use_for_a_day(&repository.database())?;
            format!("migrations/{n:04}_table.sql")
        }
    };
    repository.stage(&file, &format!("-- {n}\nCREATE TABLE t{n} (id INTEGER);\n"))?;
    repository.run(&["git", "commit", "--quiet", "--message=more"])
}

impl Touched {
    fn name(self) -> &'static str {
        match self {
            Self::Notes => "commit without a schema file",
            Self::Schema => "commit of a migration",
        }
    }

    /// What this project promises, on a usual machine.
    fn limit_seconds(self) -> f64 {
        match self {
            Self::Notes => 0.010,
            Self::Schema => 0.150,
        }
    }
}
