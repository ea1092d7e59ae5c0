//! The fate of a file's row, from the moment it is staged.

use std::fmt::{self, Display, Formatter};

use rusqlite::types::{ToSql, ToSqlOutput};

/// The `state` of a row in a stage. In SQL it is a number, which it writes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is not identified yet.
    Raw = 0,
    /// A row here has the same identity.
    Matched = 1,
    /// No row here has the same identity.
    New = 2,
    /// A row here has the same identity and the same content.
    Unchanged = 3,
    /// The row here has another content, and stays.
    Kept = 4,
    /// The row here has another content, and is replaced.
    Replaced = 5,
    /// It is new and has no place here.
    LeftOut = 6,
    /// The row here has other content, or another row has its key: nothing is merged.
    Conflicting = 7,
    /// Its content is known, and a row of the database with that content is searched for.
    Hashed = 8,
}

impl Display for Fate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        (*self as u8).fmt(f)
    }
}

impl ToSql for Fate {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok((*self as u8).into())
    }
}
