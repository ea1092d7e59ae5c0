//! Databases of other engines, recognized by their first bytes or files. They are named and
//! refused: their data is also in files that are not known here, so that even setting them aside
//! would lose some.

use std::path::Path;

/// Another engine, whose database is at the path of an SQLite database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Engine {
    /// Description of the file.
    pub(crate) what: &'static str,
    /// Hint for the user.
    pub(crate) hint: &'static str,
}

/// Write and read version 255, which no SQLite has
/// (<https://sqlite.org/fileformat2.html#file_format_version_numbers>).
const TURSO_VERSIONS: [u8; 2] = [255, 255];
const TURSO: Engine = Engine {
    what: "a database of Turso in MVCC mode, whose newest commits are in the `-log` beside it",
    hint: "nothing was touched, and nothing should be: a restore would lose the log. Let Turso \
           merge the log and leave MVCC mode, then run this again",
};
const ELSEWHERE: &str = "nothing was touched; correct the path, or use the tools of that engine";

/// The engine whose file begins so.
#[must_use]
pub(super) fn of_bytes(start: &[u8]) -> Option<Engine> {
    let begins = |at: usize, magic: &[u8]| start.get(at..at + magic.len()) == Some(magic);
    let other = |what| Some(Engine { what, hint: ELSEWHERE });
    if begins(0, crate::sqlite::header::MAGIC) {
        return begins(18, &TURSO_VERSIONS).then_some(TURSO);
    }
    match start {
        // <https://duckdb.org/docs/stable/internals/storage>
        _ if begins(8, b"DUCK") => other("a DuckDB database"),
        // <https://github.com/cberner/redb/blob/master/docs/design.md>
        _ if begins(0, b"redb\x1a\x0a\xa9\x0d\x0a") => other("a redb database"),
        _ if begins(4, b"Standard Jet DB") || begins(4, b"Standard ACE DB") => {
            other("a Microsoft Access database")
        }
        _ => None,
    }
}

/// The engine that keeps a database in a folder with these files.
#[must_use]
pub(super) fn of_folder(folder: &Path) -> Option<Engine> {
    let is_lsm =
        fs_err::read(folder.join("CURRENT")).is_ok_and(|current| current.starts_with(b"MANIFEST-"));
    let what = "a folder of LevelDB or RocksDB";
    is_lsm.then_some(Engine { what, hint: ELSEWHERE })
}
