//! Rows from outside on their way into a database: whatever the file's format, they are loaded into a
//! private scratch database and proved there; only then are they put anywhere.

mod dump;
mod exported;
pub(crate) mod records;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result};
use xtask_db_format::NAME;

use crate::interrupt::Interrupt;
use crate::refusal::Refusal;
use crate::text;

/// What a file is, told by its first bytes, never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our canonical export.
    Jsonl,
    /// Our export as one document.
    Json,
    /// Our export as a folder of CSV.
    Csv,
    /// SQL, whoever wrote it.
    Sql,
}

/// What a scratch database holds.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The tables whose rows are not in the file, though it defines them, in lower case.
    pub absent: BTreeSet<String>,
    /// What the user should know.
    pub remarks: Vec<String>,
}

/// How a scratch database is loaded.
pub(crate) struct Loading<'a> {
    /// The scratch database: an empty file of ours.
    pub scratch: &'a Path,
    /// Its encoding, where the file's own does not matter, as `UTF-8`.
    pub encoding: Option<&'a str>,
    /// The user's.
    pub interrupt: &'a Interrupt,
}

/// Loads a file into a scratch database: tables with their rows, then indexes, views and triggers.
/// `reach` hears how many bytes of the file were read, now and then. Whether keys and references of
/// the rows hold is for the caller to ask.
///
/// # Errors
///
/// Where the file cannot be read, was cut short or changed, or holds what does no import any good;
/// a refusal where its format is newer or unknown. The scratch database is of no use then.
pub(crate) fn load(
    file: &Path,
    loading: &Loading<'_>,
    reach: &mut dyn FnMut(u64),
) -> Result<Loaded> {
    match kind(file)? {
        Kind::Sql => dump::load(file, loading, reach),
        kind => exported::load((file, kind), loading, reach),
    }
}

/// Finds out what a file is.
///
/// # Errors
///
/// A refusal where it is missing or none of the kinds.
pub(crate) fn kind(file: &Path) -> Result<Kind> {
    let shown = text::plain(&file.to_string_lossy());
    if file.join("export.json").is_file() {
        return Ok(Kind::Csv);
    }
    let mut start = Vec::new();
    let opened = fs_err::File::open(file).context("could not open the file to import")?;
    opened.take(64).read_to_end(&mut start)?;
    if start.starts_with(format!("{{\"format\":\"{NAME}\"").as_bytes()) {
        return Ok(Kind::Jsonl);
    }
    if start.first().is_none_or(|byte| *byte == 0) || start.starts_with(b"SQLite format 3") {
        return Err(Refusal::could_not(
            format!("`{shown}` is no export and no SQL dump"),
            "a database is put back with `cargo xtask db-restore PATH`",
        ));
    }
    Ok(Kind::Sql)
}
