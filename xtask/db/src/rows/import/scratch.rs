//! The request to load a file into a scratch database, and the content that it then has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::console::interrupt::Interrupt;
use crate::rows::import::cost_limits::Bounds;

/// The type of a file, recognized by its first bytes, never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our canonical export.
    Jsonl,
    /// Our export as one document.
    Json,
    /// Our export as a folder of CSV.
    Csv,
    /// SQL that any program may have written.
    Sql,
}

/// The content of a scratch database.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The tables whose rows are not in the file, though it defines them, in lower case.
    pub absent: BTreeSet<String>,
    /// How many rows of each table the file has, if it contains that: all of them are here.
    pub rows: BTreeMap<String, u64>,
    /// Remarks for the user.
    pub remarks: Vec<String>,
}

/// How a scratch database is loaded.
pub(crate) struct Loading<'a> {
    /// The scratch database: an empty file of ours.
    pub scratch: &'a Path,
    /// Its encoding, if the file's own does not matter, e.g. `UTF-8`.
    pub encoding: Option<&'a str>,
    /// The user's.
    pub interrupt: &'a Interrupt,
    /// Limits on what it may consume.
    pub bounds: &'a Bounds,
}
