//! The state of a database: everything in it that a user could miss, in one fingerprint.

use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// The content of a database: schema, rows and version, whatever its pages look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// There is no file, or an empty one.
    Missing,
    /// SQLite cannot read it.
    Unreadable,
    /// Its content.
    Holds(blake3::Hash),
}

impl State {
    /// Whether a way back to it matters.
    pub(crate) fn has_content(self) -> bool {
        matches!(self, Self::Holds(_))
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => formatter.write_str("missing"),
            Self::Unreadable => formatter.write_str("unreadable"),
            Self::Holds(hash) => formatter.write_str(&hash.to_hex()[..8]),
        }
    }
}

/// Reads the state of a database as its application would, which ends what a crash left in it.
pub(crate) fn of(path: &Path) -> State {
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => {}
        _ => return State::Missing,
    }
    let opened = open(path).and_then(|connection| fingerprint(&connection));
    opened.map_or(State::Unreadable, State::Holds)
}

/// Opens a database that exists, for reading and writing.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .with_context(|| format!("could not open `{}`", path.display()))?;
    connection.busy_timeout(std::time::Duration::from_secs(20))?;
    Ok(connection)
}

fn fingerprint(connection: &Connection) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    hasher.update(&version.to_le_bytes());
    let of_schema = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2";
    let mut statement = connection.prepare(of_schema)?;
    let objects = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<(String, String, Option<String>)>>>()?;
    for (kind, name, sql) in objects {
        hasher.update(kind.as_bytes());
        hasher.update(name.as_bytes());
        hasher.update(sql.unwrap_or_default().as_bytes());
        if kind == "table" {
            add_rows(connection, &name, &mut hasher)?;
        }
    }
    Ok(hasher.finalize())
}

fn add_rows(connection: &Connection, table: &str, hasher: &mut blake3::Hasher) -> Result<()> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1, 2"))?;
    let n_columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..n_columns {
            let value = row.get_ref(column)?;
            hasher.update(format!("{:?}", value.data_type()).as_bytes());
            match value {
                ValueRef::Null => {}
                ValueRef::Integer(number) => drop(hasher.update(&number.to_le_bytes())),
                ValueRef::Real(number) => drop(hasher.update(&number.to_le_bytes())),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    hasher.update(&(bytes.len() as u64).to_le_bytes());
                    hasher.update(bytes);
                }
            }
        }
    }
    Ok(())
}
