//! The backup that a restore is from, as its record describes it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::postgres::dump::proof::DumpProof;

/// A backup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The dump.
    pub path: &'a Path,
    /// What it was when it was taken.
    pub proof: &'a DumpProof,
    /// The version of `pg_dump` that wrote it.
    pub client_version: &'a str,
    /// The extensions that the database had.
    pub extensions: &'a BTreeMap<String, String>,
}

/// How far a restored state was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proved {
    /// All of it, byte for byte.
    Whole,
    /// The rows of every table; another version of `pg_dump` writes the definitions in another way.
    Rows,
}
