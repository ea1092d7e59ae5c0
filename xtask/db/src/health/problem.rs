//! A problem or a remark, with its remedy.

use serde::Serialize;

use crate::host::project::Database;

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// A word for programs, which stays the same.
    pub(crate) code: &'static str,
    /// Database that has the problem; `None` for a problem of the folder or the repository.
    pub(crate) database: Option<String>,
    /// The problem.
    pub(crate) what: String,
    /// The remedy: a command to paste if one can do it.
    pub(crate) remedy: String,
}

impl Problem {
    /// A problem of the folder or the repository.
    #[must_use]
    pub(crate) fn new(
        code: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { code, database: None, what: what.into(), remedy: remedy.into() }
    }

    /// The same as a database's own.
    #[must_use]
    pub(super) fn of(self, database: &Database) -> Self {
        Self { database: Some(database.name.clone()), ..self }
    }
}
