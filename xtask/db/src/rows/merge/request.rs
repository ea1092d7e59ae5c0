//! The request for a merge: the files, the database, and how to merge.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::console::interrupt::Interrupt;
use crate::host::project::Database;
use crate::rows::import::cost_limits::Bounds;

/// Rows that want to be merged: a private scratch database, closed, without sidecars.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path of the scratch database.
    pub scratch: PathBuf,
    /// The tables whose rows are not in it, though it defines them, in lower case.
    pub absent: BTreeSet<String>,
    /// Name in messages, e.g. `shared/anna_3f2a1b.jsonl`.
    pub shown: String,
    /// The meaning of the numbers in its references.
    pub numbering: Numbering,
    /// Whether this machine wrote it: then the rows of the database are at least as new.
    pub is_own: bool,
}

/// The meaning of a number that refers to a row by its INTEGER PRIMARY KEY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// The row that has it in the file.
    File,
    /// The row that has it in the file; if the file has no rows of that table, the database's.
    Either,
    /// The row that has it in the database.
    Target,
}

/// How to handle a row that already exists with different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// Nothing is merged.
    Fail,
    /// The existing row stays.
    Skip,
    /// The existing row is replaced.
    Replace,
}

/// How much may be given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How to handle a row that already exists with different values.
    pub on_conflict: OnConflict,
    /// With `Replace`: only by rows whose value in this column is greater.
    pub newer: Option<String>,
    /// Whether a loss of values is refused instead of warned about.
    pub strict: bool,
}

/// The database that rows are merged into, and how.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The live database, with the configuration of its rows.
    pub database: &'a Database,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
    /// How much may be given up.
    pub policy: &'a Policy,
    /// The user's.
    pub interrupt: &'a Interrupt,
    /// Limits for the sources and for all other data that the merge needs.
    pub bounds: &'a Bounds,
}
