//! `db-import`: rows from a file into a fresh database, or merged into the present one.

mod fresh;
mod merge;
mod records;
mod said;
mod source;
mod target;

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::Common;
use crate::refusal::{Answer, Refusal};
use crate::session::Session;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-import kalito.2025-09-13_142530.jsonl --into new.db
  cargo xtask db-import dump.sql --into new.db          # what `sqlite3 old.db .dump` wrote
  cargo xtask db-import --merge shared --dry-run        # all machines' files of a folder
  cargo xtask db-import --merge colleague.jsonl --on-conflict replace --newer updated_at
  cargo xtask db-import issues.jsonl --records '' --table tasks --map title=summary
  cargo xtask db-import --records /items --table tasks --set project_id=3 -- tracker list --json

Without `--merge` and `--records` the database must not exist yet. What is merged is added in one
transaction, after a safety backup; rows that are gone elsewhere stay here.

SQL and exports are somebody else's work: how long a value may be, and how much work, memory and room
the file may take, is bounded in proportion to its size, far above what honest files need. The message
says what was exceeded; `--unbounded` lifts all of it, for a file whose origin you trust:

  cargo xtask db-import odd.sql --into new.db --unbounded

Records: `{` or `[` begins JSON, one document or many as in JSONL; anything else is CSV, whose first
line names the columns. The pointer leads to an array in each document, or to one object. Without
`--map` a column takes the field of its name. Objects and arrays become their JSON text, true and false
1 and 0. A field that is missing, in CSV one that is empty without quotes, becomes the column's default,
else NULL; `null` is NULL. Nothing is rounded or guessed: what does not fit its column is refused, and so
is a text such as `07867` or `31415e9` if the column would store it as a number.
Numbers in references are those of the rows here; records that bear numbers of their own refer to each
other by them first.";

/// Arguments of `db-import`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that the user types")]
pub(crate) struct Args {
    /// An export (JSONL, JSON, SQL, a folder of CSV) or an SQL dump; `-` is stdin; with `--merge` also
    /// folders of them
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The new database; the configured path without it
    #[arg(long, value_name = "PATH", conflicts_with_all = ["merge", "records"])]
    into: Option<PathBuf>,
    /// Replace a database that exists, after a safety backup
    #[arg(long)]
    force: bool,
    /// Take over rows that refer to missing ones instead of refusing them
    #[arg(long, conflicts_with_all = ["merge", "records"])]
    allow_violations: bool,
    /// Merge into the live database instead of making a new one
    #[arg(long)]
    merge: bool,
    /// Make rows of the records at this JSON pointer of another tool's JSON, JSONL or CSV (`''`: the
    /// document itself, or each of its lines), and merge them
    #[arg(long, value_name = "POINTER", requires = "table", conflicts_with = "merge")]
    records: Option<String>,
    /// The table that records become rows of
    #[arg(long, value_name = "TABLE", requires = "records")]
    table: Option<String>,
    /// Which field of a record a column takes, a name or a JSON pointer; may be repeated
    #[arg(long, value_name = "COLUMN=FIELD", requires = "records")]
    map: Vec<String>,
    /// A value that a column has in all rows; may be repeated
    #[arg(long, value_name = "COLUMN=VALUE", requires = "records")]
    set: Vec<String>,
    /// What a row becomes that is here with another content
    #[arg(long, value_enum, value_name = "WHAT", default_value = "fail")]
    on_conflict: OnConflict,
    /// With `--on-conflict replace`: only by rows whose value in this column is higher
    #[arg(long, value_name = "COLUMN")]
    newer: Option<String>,
    /// Refuse what would lose values, as columns and tables that are unknown here
    #[arg(long)]
    strict: bool,
    /// With `--merge`: take references to rows that the file lacks for the rows here of the same number;
    /// only for what was exported from this very database
    #[arg(long)]
    trust_numbers: bool,
    /// Lift the limits on how long a value may be and how much work and memory the file may take, in
    /// proportion to its size
    #[arg(long)]
    unbounded: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// With `--records`: a command whose output is read instead of a file
    #[arg(last = true, value_name = "CMD", requires = "records")]
    command: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What a row becomes that is here with another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnConflict {
    /// Nothing is imported
    Fail,
    /// It stays
    Skip,
    /// It is replaced
    Replace,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        self.refuse_flags_of_others()?;
        if self.records.is_some() {
            records::run(&self, session)
        } else if self.merge {
            merge::run(&self, session)
        } else {
            fresh::run(&self, session)
        }
    }

    /// A flag that means nothing here was said for something.
    fn refuse_flags_of_others(&self) -> Result<()> {
        let of_records = [
            ("--table", self.table.is_some()),
            ("--map", !self.map.is_empty()),
            ("--set", !self.set.is_empty()),
        ];
        let said = of_records.iter().find(|(_, is_said)| *is_said && self.records.is_none());
        let (flag, needed) = match said {
            Some((flag, _)) => (*flag, "--records"),
            None if self.trust_numbers && !self.merge => ("--trust-numbers", "--merge"),
            None => return Ok(()),
        };
        Err(Refusal::could_not(
            format!("`{flag}` goes with `{needed}` only"),
            "leave it out: an import takes all tables of its file; nothing was changed",
        ))
    }
}
