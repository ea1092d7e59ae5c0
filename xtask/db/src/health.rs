//! What needs attention: problems, each with its remedy, judged from what was seen; nothing is
//! touched here and nothing decided by the clock of the machine.

pub(crate) mod checkup;
mod database;
mod exposure;
pub(crate) mod folder;
pub(crate) mod library;
pub(crate) mod store;

use serde::Serialize;

use crate::project::{Database, Project};

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// A word for programs, which stays the same.
    pub(crate) code: &'static str,
    /// Whose problem it is; `None` for that of the folder or the repository.
    pub(crate) database: Option<String>,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do: a command to paste where one can do it.
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
    fn of(self, database: &Database) -> Self {
        Self { database: Some(database.name.clone()), ..self }
    }
}

/// What is worth knowing and needs no attention now: it does not make a project unhealthy.
#[must_use]
pub(crate) fn remarks(project: &Project) -> Vec<Problem> {
    library::remark(project).into_iter().chain(exposure::remarks(project)).collect()
}

/// Git hooks that are missing though a commit could touch schema files; `installed` is `None` where
/// there is no repository or nobody wants them.
#[must_use]
pub(crate) fn of_hooks(project: &Project, installed: Option<bool>) -> Option<Problem> {
    let bound = project.databases.iter().any(|database| !database.schema.is_empty());
    (bound && installed == Some(false)).then(|| {
        let what =
            "the git hooks are not all installed: commits of schema files take no checkpoint";
        Problem::new("hooks", what, "cargo xtask db-hooks install")
    })
}
