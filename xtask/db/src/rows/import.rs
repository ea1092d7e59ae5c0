//! Imports rows: whatever the file's format, they are loaded into a private scratch database and
//! proved there, and only then go anywhere else.

pub(crate) mod cost_limits;
mod definition_guard;
mod dump;
mod own_export;
pub(crate) mod proof;
pub(crate) mod records;
pub(crate) mod scratch;

#[cfg(feature = "fuzzing")]
pub use dump::load_sql;

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::Result;
use xtask_db_format::{ConflictMarker, NAME};

use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::rows::import::scratch::{Kind, Loaded, Loading};
use crate::sqlite::header;
use crate::sqlite::trouble::{self, Trouble};

/// Loads a file into a scratch database: tables with their rows, then indexes, views and triggers.
/// `reach` is called now and then with the number of bytes read. The caller checks the keys and
/// references of the rows.
///
/// # Errors
///
/// If the file cannot be read, was truncated or changed, or contains what does not belong in an
/// import; a refusal if its format is newer or unknown. Then the scratch database is useless.
pub(crate) fn load(
    file: &Path,
    loading: &Loading<'_>,
    reach: &mut dyn FnMut(u64),
) -> Result<Loaded> {
    let loaded = match kind(file)? {
        Kind::Sql => dump::load(file, loading, reach),
        kind => own_export::load(file, kind, loading, reach),
    };
    loaded.map_err(|error| loading.bounds.explain_of(error, loading.scratch))
}

/// How much there is to read of a file, or of all files in a folder.
#[must_use]
pub(crate) fn size_bytes(path: &Path) -> u64 {
    let size = |path: &Path| fs_err::metadata(path).map_or(0, |metadata| metadata.len());
    match fs_err::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| size(&entry.path())).sum(),
        Err(_) => size(path),
    }
}

/// The exit code for a file that could not be loaded: it is damaged, or it could not be read.
#[must_use]
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    let is_io = |cause: &std::io::Error| {
        !matches!(cause.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
    };
    let is_of_the_world = error.chain().any(|cause| cause.downcast_ref().is_some_and(is_io))
        || matches!(trouble::trouble(error), Trouble::Full | Trouble::CannotOpen | Trouble::Busy);
    if is_of_the_world { Exit::CouldNot } else { Exit::No }
}

/// Hint for a file that git could not merge.
const RESOLVE: &str =
    "check out one side of it, `git checkout --ours` or `--theirs`, and merge both in turn";

/// Hint for a file that could not be loaded, as a part of a sentence; `None` if there is nothing to
/// add.
#[must_use]
pub(crate) fn way_out(error: &anyhow::Error) -> Option<&'static str> {
    if error.chain().any(<dyn std::error::Error>::is::<ConflictMarker>) {
        return Some(RESOLVE);
    }
    let said = format!("{error:#}");
    let says = |words: &[&str]| words.iter().any(|words| said.contains(words));
    if says(&["no such function", "no such collation sequence", "no such module"]) {
        return Some("the application defines that, and SQLite alone does not have it");
    }
    if says(&["NOT NULL constraint failed", "cannot store"]) {
        return Some(
            "SQLite accepts no such row: correct it where it was exported, and export it again",
        );
    }
    (exit_of(error) == Exit::No).then_some("get the file again, or export it again")
}

/// Determines the kind of a file.
///
/// # Errors
///
/// A refusal if it is missing or none of the kinds.
pub(crate) fn kind(file: &Path) -> Result<Kind> {
    let shown = text::plain(&file.to_string_lossy());
    let refused = |what: &str, hint: &str| {
        Err(Refusal::could_not(
            format!("`{shown}` is {what}"),
            format!("{hint}; nothing was changed"),
        ))
    };
    if file.is_dir() {
        if file.join("export.json").is_file() {
            return Ok(Kind::Csv);
        }
        let what = "a folder without `export.json`, which an export in CSV has";
        return refused(what, "name the folder that `db-export --format csv` wrote");
    }
    let mut opened = fs_err::File::open(file).map_err(|error| {
        Refusal::could_not(
            text::plain(&error.to_string()),
            "name a file that you can read; nothing was changed",
        )
    })?;
    let mut start = Vec::new();
    opened.by_ref().take(4096).read_to_end(&mut start)?;
    let records = "import its records with `--records` and `--table`";
    match start.trim_ascii_start() {
        _ if start.starts_with(header::MAGIC) => {
            let what = "an SQLite database, not an export or an SQL dump";
            refused(what, "restore a database with `cargo xtask db-restore PATH`")
        }
        [] | [0, ..] => refused("neither an export nor an SQL dump", "name another file"),
        text if is_ours(text) => exported_kind(&start, opened),
        text if is_section(text) => refused(
            "not in a format that `db-import` reads",
            "name an export, an SQL dump, or records in JSON, JSONL or CSV",
        ),
        [b'{' | b'[', ..] => refused("JSON, but not an export of db-export", records),
        [b'"', ..] => refused("neither an export nor an SQL dump: it may be CSV", records),
        [0xEF, 0xBB, 0xBF, rest @ ..] if is_ours(rest) => refused(
            "an export behind a byte order mark, which an editor put there",
            "save it as UTF-8 without one, or get the file again",
        ),
        text if text.starts_with(b"<<<<<<< ") => {
            refused("a file with git's conflict markers: line 1 has the first one", RESOLVE)
        }
        [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F, 0xFD, ..] => refused("compressed", "unpack it first"),
        _ => Ok(Kind::Sql),
    }
}

/// Whether a text begins with the header of a section, as TOML and INI files do: in JSON, a word in an
/// array is in quotes, except for these three.
fn is_section(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"[") else { return false };
    let rest = rest.strip_prefix(b"[").unwrap_or(rest).trim_ascii_start();
    let word: Vec<u8> = rest.iter().copied().take_while(u8::is_ascii_alphabetic).collect();
    !word.is_empty() && !["true", "false", "null"].iter().any(|known| known.as_bytes() == word)
}

/// Whether a JSON text begins with the header of an export.
fn is_ours(text: &[u8]) -> bool {
    let mut rest = text;
    for word in ["{", "\"format\"", ":", &format!("\"{NAME}\"")] {
        match rest.trim_ascii_start().strip_prefix(word.as_bytes()) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// Finds the format of an export. Its header is either a line of its own or a part of one document,
/// which may also be one line.
fn exported_kind(start: &[u8], mut rest: fs_err::File) -> Result<Kind> {
    let (mut piece, mut line_end) = (start.to_vec(), Vec::new());
    while !piece.is_empty() {
        let at = piece.iter().position(|byte| *byte == b'\n');
        line_end.extend_from_slice(&piece[..at.unwrap_or(piece.len())]);
        line_end.drain(..line_end.len().saturating_sub(3));
        if let Some(at) = at {
            let is_all = piece.len() == at + 1 && rest.read(&mut [0])? == 0;
            let line_end = line_end.strip_suffix(b"\r").unwrap_or(&line_end);
            // A header ends with a list, a document with the counts of rows.
            let is_header = line_end.ends_with(if is_all { &b"]}"[..] } else { b"}" });
            return Ok(if is_header { Kind::Jsonl } else { Kind::Json });
        }
        piece.clear();
        rest.by_ref().take(1 << 16).read_to_end(&mut piece)?;
    }
    Ok(Kind::Json)
}
