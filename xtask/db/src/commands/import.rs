//! `db-import`: rows from a file into a new database, or merged into the live one.

pub(crate) mod args;
mod merge;
mod new_database;
mod on_server;
mod records;
mod report;
mod source;
mod target;

use anyhow::Result;

use crate::commands::import::args::{Args, OnConflict};
use crate::console::refusal::{Answer, Refusal};
use crate::host::session::Session;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-import kalito.2025-09-13_142530.jsonl --into new.db
  cargo xtask db-import dump.sql --into new.db     # from `sqlite3 old.db .dump`
  cargo xtask db-import big.sql --into new.db --unbounded    # a trusted file
  cargo xtask db-import --merge shared --dry-run   # the files of all machines
  cargo xtask db-import --merge a.jsonl --on-conflict replace --newer updated_at
  cargo xtask db-import bugs.jsonl --records '' --table tasks --map title=name
  cargo xtask db-import --records /items --table tasks -- tracker list --json

New database: FILE becomes the configured database, which must not exist yet, or
the database at `--into`.

Merge: rows are added in one transaction, after a safety backup. Rows that were
deleted elsewhere stay here.

Records: if the input begins with `{` or `[`, it is JSON, one document or one
per line; otherwise it is CSV, and the first line names the columns. POINTER
points to an array in each document, or to one object. Without `--map`, a column
takes the field of that name. Objects and arrays become their JSON text, true
and false become 1 and 0, and null becomes NULL. A missing field, or an empty
CSV field without quotes, becomes the column's default, else NULL. Nothing
is rounded or guessed: a value that does not fit its column is refused, and so
is a string like `07867` or `31415e9` if the column would store it as a number.
If records have ids of their own, references are resolved against these ids
first, then against rows of the database.

An import may use time, memory and disk space in proportion to the size of its
file. If a legitimate file exceeds a limit, `--unbounded` lifts all limits; use
it only for files that you trust.";

/// The three ways to call it, which share no flag but the general ones.
pub(crate) const USAGE: &str = "\
cargo xtask db-import [OPTIONS] <FILE> [--into <PATH>]
       cargo xtask db-import [OPTIONS] --merge <FILE|DIR>...
       cargo xtask db-import --records <POINTER> --table <TABLE> <FILE>
       cargo xtask db-import --records <POINTER> --table <TABLE> -- <CMD>...";

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        self.refuse_flags_of_others()?;
        if self.records.pointer.is_some() {
            records::run(&self, session)
        } else if self.merge.is_wanted {
            merge::run(&self, session)
        } else {
            new_database::run(&self, session)
        }
    }

    /// clap does not ask for a flag that another one forbids: `--into` would let these pass.
    fn refuse_flags_of_others(&self) -> Result<()> {
        let Self { merge, records, existing, .. } = self;
        let has_records = records.pointer.is_some();
        let has_rows = has_records || merge.is_wanted;
        let is_resolved = existing.on_conflict != OnConflict::Fail;
        let needs = [
            ("--table", records.table.is_some(), has_records, "`--records`"),
            ("--map", !records.map.is_empty(), has_records, "`--records`"),
            ("--set", !records.set.is_empty(), has_records, "`--records`"),
            ("-- CMD", !records.command.is_empty(), has_records, "`--records`"),
            ("--trust-numbers", merge.trust_numbers, merge.is_wanted, "`--merge`"),
            ("--strict", existing.strict, has_rows, "`--merge` or `--records`"),
            ("--newer", existing.newer.is_some(), has_rows, "`--merge` or `--records`"),
            ("--on-conflict", is_resolved, has_rows, "`--merge` or `--records`"),
        ];
        let wrong = needs.iter().find(|(_, is_given, is_met, _)| *is_given && !is_met);
        let Some((flag, _, _, needed)) = wrong else { return Ok(()) };
        Err(Refusal::could_not(
            format!("`{flag}` needs {needed}"),
            "see `cargo xtask db-import --help`; nothing was changed",
        ))
    }
}
