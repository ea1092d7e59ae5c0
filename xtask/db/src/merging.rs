//! Merging rows into the live database: each row of a file is found again there by its identity, new
//! ones are added under numbers of their own, and references of the file lead to the same rows as
//! before.
//!
//! All is one transaction. What is planned stands in tables of SQLite's TEMP database, which spill to
//! the disk; the database itself is written only when a whole file is known to fit. Triggers and
//! foreign-key actions stay quiet meanwhile: the file has their rows already. Deletions do not travel:
//! what is gone elsewhere stays here.

pub(crate) mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::interrupt::Interrupt;
use crate::merging::report::Report;

/// Rows that want to be merged: a private scratch database, closed, without sidecars.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it lies.
    pub scratch: PathBuf,
    /// The tables whose rows are not in it, though it defines them, in lower case.
    pub absent: BTreeSet<String>,
    /// What messages call it, as `shared/anna_3f2a1b.jsonl`.
    pub shown: String,
    /// What the numbers in its references mean.
    pub numbering: Numbering,
}

/// What a number means that refers to a row by its INTEGER PRIMARY KEY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// The row that has it in the file; where the file has no rows of that table, the database's.
    OfTheFile,
    /// The row that has it in the database.
    OfTheTarget,
}

/// What becomes of a row that is here with another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// Nothing is merged.
    Fail,
    /// It stays.
    Skip,
    /// It is replaced.
    Replace,
}

/// How much may be given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// What becomes of a row that is here with another content.
    pub on_conflict: OnConflict,
    /// With `Replace`: only by rows whose value in this column is greater.
    pub newer: Option<String>,
    /// Whether what would lose values is refused instead of warned of.
    pub strict: bool,
}

/// The database that rows are merged into, and how.
pub(crate) struct Target<'a> {
    /// Where it is.
    pub live: &'a Path,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
    /// Columns that identify a row, by table, as configured.
    pub merge_key: &'a BTreeMap<String, Vec<String>>,
    /// How much may be given up.
    pub policy: &'a Policy,
    /// The user's.
    pub interrupt: &'a Interrupt,
}

/// How a merge ends where nothing stands against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is committed.
    Commit,
    /// All of it is done, and rolled back.
    RollBack,
}

/// Merges the sources in their order, in one transaction. `keep` keeps the present state; it is called
/// once, while nobody else can write, right before the first change, and not at all where there is
/// none. Where [`Report::problems`] says that something stands against it, nothing was changed.
///
/// # Errors
///
/// Where the database stays locked or cannot be written, its schema does not fit, a constraint is
/// violated, `keep` fails, or at the user's interrupt; nothing is changed then.
pub(crate) fn merge(
    _target: &Target<'_>,
    _sources: &[Source],
    _ending: Ending,
    _keep: &mut dyn FnMut() -> Result<()>,
) -> Result<Report> {
    anyhow::bail!("merging is not built yet")
}
