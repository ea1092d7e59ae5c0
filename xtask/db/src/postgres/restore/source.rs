//! The backup that a restore is from, as its record describes it.

use std::collections::BTreeMap;

use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::read_back::Dump;

/// A backup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The dump.
    pub dump: Dump<'a>,
    /// BLAKE3 of its file, or of the stored dump, when it was taken.
    pub blake3: &'a str,
    /// What it was when it was taken.
    pub proof: &'a DumpProof,
    /// The version of `pg_dump` that wrote it.
    pub client_version: &'a str,
    /// The extensions that the database had.
    pub extensions: &'a BTreeMap<String, String>,
}

/// The server was lost at the last word of a restore: it has either the old or the new state, and nobody
/// knows which. What was kept of the old one must stay.
#[derive(Debug)]
pub(crate) struct EndUnknown;

impl std::fmt::Display for EndUnknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was lost at the last step: the database has either the old or the new state")
    }
}

impl std::error::Error for EndUnknown {}

/// How far a restored state was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proved {
    /// All of it, byte for byte.
    Whole,
    /// The rows of every table; another version of `pg_dump` writes the definitions in another way.
    Rows,
}
