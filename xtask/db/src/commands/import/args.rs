//! The arguments of `db-import`.

use std::path::PathBuf;

use crate::commands::flags::Common;
use crate::operations::restore::expected_live::Expected;

/// Arguments of `db-import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Export (JSONL, JSON, SQL or a folder of CSV), SQL dump or file of
    /// records; `-` is stdin; `--merge` accepts several, and folders of exports
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Lift the limits on time, memory and the length of values
    #[arg(long)]
    pub(super) unbounded: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(super) yes: bool,
    /// Change the database only if it is still in this state, the `if_live` in
    /// the document of a dry run
    #[arg(long, value_name = "STATE", conflicts_with = "into")]
    pub(super) if_live: Option<Expected>,
    #[command(flatten)]
    pub(super) fresh: NewDatabase,
    #[command(flatten)]
    pub(super) merge: Merge,
    #[command(flatten)]
    pub(super) records: Records,
    #[command(flatten)]
    pub(super) existing: ExistingRows,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The flags of an import into a new database.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "New database")]
pub(crate) struct NewDatabase {
    /// Database file to create [default: the configured path]
    #[arg(long, value_name = "PATH", conflicts_with = "present")]
    pub(super) into: Option<PathBuf>,
    /// Replace an existing database, after a safety backup
    #[arg(long, conflicts_with = "present")]
    pub(super) force: bool,
    /// Import rows that refer to missing rows instead of refusing them
    #[arg(long, conflicts_with = "present")]
    pub(super) allow_violations: bool,
}

/// The flags of a merge of exports.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Merge exports into the live database")]
pub(crate) struct Merge {
    /// Merge the rows into the live database
    #[arg(long = "merge", group = "present")]
    pub(super) is_wanted: bool,
    /// If a reference is to a row that is not in the file, use the row with
    /// that id in the database; only for exports of this same database
    #[arg(long, requires = "is_wanted")]
    pub(super) trust_numbers: bool,
}

/// The flags of an import of another tool's records.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Merge records of another tool into a table")]
pub(crate) struct Records {
    /// Merge the records at this JSON pointer in a JSON, JSONL or CSV file;
    /// `''` is the whole document, or each of its lines
    #[arg(long = "records", value_name = "POINTER", requires = "table", group = "present")]
    pub(super) pointer: Option<String>,
    /// Table to merge the records into
    #[arg(long, value_name = "TABLE", requires = "pointer")]
    pub(super) table: Option<String>,
    /// Fill a column from this field, a name or a JSON pointer (repeatable)
    /// [default: the field with the column's name]
    #[arg(long, value_name = "COLUMN=FIELD", requires = "pointer")]
    pub(super) map: Vec<String>,
    /// Set a column to this value in all rows (repeatable)
    #[arg(long, value_name = "COLUMN=VALUE", requires = "pointer")]
    pub(super) set: Vec<String>,
    /// Command whose output is read instead of a file
    #[arg(last = true, value_name = "CMD", requires = "pointer")]
    pub(super) command: Vec<String>,
}

/// The flags that decide about rows which meet others, in a merge of exports or of records.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Existing rows (with --merge or --records)")]
pub(crate) struct ExistingRows {
    /// How to handle a row that already exists with different values: `fail`
    /// imports nothing, `skip` keeps the existing row, `replace` replaces it
    #[arg(long, value_enum, value_name = "WHAT", default_value = "fail", requires = "present")]
    #[arg(hide_possible_values = true)]
    pub(super) on_conflict: OnConflict,
    /// With `--on-conflict replace`, replace a row only if the new value in
    /// this column is higher
    #[arg(long, value_name = "COLUMN", requires = "present")]
    pub(super) newer: Option<String>,
    /// Refuse a file if any of its values would be lost, e.g. those of unknown
    /// columns or tables
    #[arg(long, requires = "present")]
    pub(super) strict: bool,
}

/// How to handle a row that already exists with different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnConflict {
    /// Import nothing
    Fail,
    /// Keep the existing row
    Skip,
    /// Replace the existing row
    Replace,
}
