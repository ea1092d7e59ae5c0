//! Problems that need attention, each with its remedy, judged from the present state. Nothing is
//! changed here, and nothing depends on the machine's clock.

mod backup_age;
pub(crate) mod backups_folder;
pub(crate) mod checkup;
mod database;
mod exposed_databases;
pub(crate) mod glance;
pub(crate) mod page_store;
pub(crate) mod problem;
pub(crate) mod sqlite_library;

use crate::health::problem::Problem;
use crate::host::project::{Database, Project, schema_files};

/// Worth knowing, but needs no attention now: the project stays healthy.
#[must_use]
pub(crate) fn remarks(project: &Project) -> Vec<Problem> {
    let patterns = project.databases.iter().flat_map(|database| idle_patterns(project, database));
    sqlite_library::remark(project)
        .into_iter()
        .chain(exposed_databases::remarks(project))
        .chain(patterns)
        .collect()
}

/// Patterns of schema files that match none: no commit would take a checkpoint.
fn idle_patterns(project: &Project, database: &Database) -> Vec<Problem> {
    let problem = |pattern: &str| {
        let folder =
            pattern.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let nested = format!("{folder}*/up.sql");
        let remedy = if schema_files::files(&project.root, std::slice::from_ref(&nested)).is_empty()
        {
            "correct it in Cargo.toml; it is relative to that file's folder".to_owned()
        } else {
            format!("write `{nested}`: the migrations of this project are folders")
        };
        let what = format!("no file matches `{pattern}` in `schema` of `{}`", database.name);
        Problem::new("idle-schema-pattern", what, remedy).of(database)
    };
    schema_files::idle(&project.root, &database.schema).into_iter().map(problem).collect()
}

/// Git hooks that are missing though a commit could touch schema files; `installed` is `None` if
/// there is no repository, or if they are switched off.
#[must_use]
pub(crate) fn of_hooks(project: &Project, installed: Option<bool>) -> Option<Problem> {
    let bound = project.databases.iter().any(|database| !database.schema.is_empty());
    (bound && installed == Some(false)).then(|| {
        let what =
            "the git hooks are not all installed: commits of schema files create no checkpoint";
        Problem::new("hooks", what, "cargo xtask db-hooks install")
    })
}
